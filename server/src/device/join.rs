//! `pairpin join`: shows what an offer is for, asks, pairs, and shows the check digits.

use std::path::Path;

use pairpin_core::client::{Client, ClientError, PairQuestion, Paired};
use pairpin_core::link::Link;
use pairpin_core::role::Role;
use pairpin_core::secrets::TypedCode;
use pairpin_core::wire::Address;
use serde::Serialize;

use super::cli::JoinArgs;
use super::joining::by_asking;
use super::link_in::{Target, target};
use super::views::{MachineJson, ToldJson, question_key};
use super::{ask, open};
use crate::exit::{Exit, Failure};
use crate::output::{json, note, say, table};

/// Typings of a code in one run, at most; the engine counts too.
const TYPINGS: u32 = 3;

/// A line of `join --json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Preview {
        name: &'a str,
        platform: &'a str,
        fingerprint: String,
        address: &'a Address,
        role: Role,
        question: &'static str,
    },
    Paired {
        machine: Box<MachineJson>,
        role: Role,
        check_digits: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        revoked_before: Option<ToldJson>,
    },
}

/// What is shown before anything is agreed.
struct Shown<'a> {
    name: &'a str,
    platform: &'a str,
    fingerprint: String,
    address: &'a Address,
    role: Role,
    question: &'a PairQuestion,
}

/// Runs `pairpin join`.
///
/// # Errors
/// What to tell the person, with the exit code.
pub async fn run_join(state_dir: &Path, mut args: JoinArgs) -> Result<(), Failure> {
    let target = target(&mut args).await?;
    let (client, notice) = open(state_dir, args.store.secret_store, args.name.clone())?;
    let paired = match target {
        Target::Offer(link) => by_offer(&client, &link, &args).await?,
        Target::Code(address) => by_code(&client, address, &args).await?,
        Target::Machine(address) => by_asking(&client, address, &args).await?,
    };
    finished(&paired, &args)?;
    enrol(&client, paired.machine.row).await;
    if let Some(notice) = notice {
        note(notice);
    }
    Ok(())
}

async fn by_offer(client: &Client, link: &Link, args: &JoinArgs) -> Result<Paired, Failure> {
    let preview = client.preview(link).await?;
    let shown = Shown {
        name: &preview.name,
        platform: &preview.platform,
        fingerprint: preview.fingerprint(),
        address: &preview.address,
        role: preview.role,
        question: &preview.question,
    };
    if agreed(&shown, args).await? { Ok(client.pair(preview).await?) } else { Err(declined()) }
}

async fn by_code(client: &Client, address: Address, args: &JoinArgs) -> Result<Paired, Failure> {
    let mut typings = 0;
    let preview = loop {
        typings += 1;
        let typed = ask::line(&format!("code shown by {address}: ")).await?;
        let Some(code) = TypedCode::parse(&typed) else {
            if ask::possible() && typings < TYPINGS && !typed.trim().is_empty() {
                note("a code has eight digits, type it again");
                continue;
            }
            return Err(Failure::usage("a code has eight digits, type it as the machine shows it"));
        };
        match client.begin_code(address.clone(), code).await {
            Ok(preview) => break preview,
            Err(error @ ClientError::CodeWrong { tries_left }) if tries_left > 0 && ask::possible() => {
                note(error.to_string());
            }
            // The count is this run's, and whoever pipes a code in makes a new run of each try.
            Err(ClientError::CodeWrong { tries_left: 1.. }) => {
                let next = "look at it on the machine and try again, three wrong tries void it";
                return Err(Failure::failed(format!("the code is wrong, {next}")));
            }
            Err(error) => return Err(error.into()),
        }
    };
    let shown = Shown {
        name: &preview.name,
        platform: &preview.platform,
        fingerprint: preview.fingerprint(),
        address: &preview.address,
        role: preview.role,
        question: &preview.question,
    };
    if agreed(&shown, args).await? {
        Ok(preview.confirm().await?)
    } else {
        preview.decline().await;
        Err(declined())
    }
}

/// Shows what it is and asks; `--yes` answers all but the question about a new key.
async fn agreed(shown: &Shown<'_>, args: &JoinArgs) -> Result<bool, Failure> {
    if matches!(shown.question, PairQuestion::AlreadyPaired(_)) {
        return Ok(true);
    }
    if args.json {
        say(json::line(&Event::Preview {
            name: shown.name,
            platform: shown.platform,
            fingerprint: shown.fingerprint.clone(),
            address: shown.address,
            role: shown.role,
            question: question_key(shown.question),
        })?)?;
    } else {
        let lines = table::fields(&[
            ("machine", format!("{} ({})", shown.name, shown.platform)),
            ("key fingerprint", shown.fingerprint.clone()),
            ("address", shown.address.to_string()),
            ("role", shown.role.to_string()),
        ]);
        lines.iter().for_each(note);
    }
    let (question, needs_a_person) = match shown.question {
        PairQuestion::New | PairQuestion::AlreadyPaired(_) => (format!("pair with {}?", shown.name), false),
        PairQuestion::NewSameId { known_as } => {
            note(format!(
                "warning: this machine claims to be {known_as}, but has another key and could not prove that it is \
                 that machine: it will be listed as another one"
            ));
            (format!("pair with {} as another machine?", shown.name), false)
        }
        PairQuestion::Again { known_as } => (format!("pair with {known_as} again?"), false),
        PairQuestion::ReplaceKey { known_as, old_fingerprint } => {
            note(format!("{known_as} was known by the key {old_fingerprint}; it proves that it is the same machine"));
            (format!("replace the key of {known_as}?"), true)
        }
    };
    if args.yes && !needs_a_person {
        return Ok(true);
    }
    if ask::possible() {
        return ask::yes(&question).await;
    }
    Err(if needs_a_person {
        let message = format!("{} has a new key, which --yes does not accept: run join on a terminal", shown.name);
        Failure::new(Exit::IdentityChanged, message)
    } else {
        Failure::usage("nobody can be asked here, compare the key fingerprint and repeat it with --yes")
    })
}

/// Brings the approval key, so that this device counts as one that may answer. It is paired without it too, and
/// `approve` brings it then.
async fn enrol(client: &Client, row: i64) {
    let enrolled = async {
        let mut session = client.open_session(row).await?;
        let brought = session.enrol_here().await;
        session.close().await;
        brought
    };
    match enrolled.await {
        Ok(_) => {}
        // Paired again by a fresh offer: a person brings the key with the next decision.
        Err(ClientError::ApprovalLocked { name }) => {
            note(format!(
                "{name} takes decisions of this device again when its passphrase was typed, with the next one"
            ));
        }
        Err(error) => note(format!("this device cannot answer asks yet: {error}")),
    }
}

fn declined() -> Failure {
    Failure::failed("nothing was paired")
}

fn finished(paired: &Paired, args: &JoinArgs) -> Result<(), Failure> {
    if args.json {
        return say(json::line(&Event::Paired {
            machine: Box::new(MachineJson::from(&paired.machine)),
            role: paired.role,
            check_digits: paired.digits.as_deref(),
            revoked_before: paired.revoked_before.as_ref().map(ToldJson::from),
        })?);
    }
    if let Some(told) = &paired.revoked_before {
        note(format!("this device had been revoked{told}; its old key is erased, it has a new one now"));
    }
    let (name, role) = (&paired.machine.name, paired.role);
    match &paired.digits {
        Some(digits) => {
            say(format!("paired with {name} as {role}, check {digits}: the same four digits must stand on the machine"))
        }
        None => say(format!("paired with {name} as {role}")),
    }
}
