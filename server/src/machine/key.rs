//! `pairpin key`: the machine's keys, to compare with what a device shows, and changing them. Works on a
//! stopped machine too.

use std::path::{Path, PathBuf};

use pairpin_core::host::{KeyChange, KeyChangeKind, NEXT_KEY_FILE};
use serde::Serialize;

use super::Machine;
use crate::admin::protocol::{ChangeKeys, Request};
use crate::admin::views::{KeyRecord, KeysChangedRecord, MachineRecord};
use crate::cli::{KeyVerb, MoveNextArgs, RotateArgs};
use crate::exit::Failure;
use crate::output::time::Moment;
use crate::output::{confirm, json, note, say, say_lines, table};

#[derive(Serialize)]
struct Keys {
    key: KeyRecord,
    next_key: KeyRecord,
    next_key_kept: Option<String>,
    epoch: u64,
    key_changed_at: Option<Moment>,
}

/// Runs it.
///
/// # Errors
/// The machine cannot be asked, or its keys cannot be changed.
pub async fn run(state_dir: &Path, verb: KeyVerb) -> Result<(), Failure> {
    let machine = Machine::find(state_dir).await?;
    match verb {
        KeyVerb::Show(options) => show(state_dir, machine.ask(Request::Status).await?, options.json),
        KeyVerb::Rotate(args) => rotate(&machine, args).await,
        KeyVerb::MoveNext(args) => move_next(&machine, args).await,
    }
}

fn show(state_dir: &Path, machine: MachineRecord, as_json: bool) -> Result<(), Failure> {
    let MachineRecord { key, next_key, next_key_kept, epoch, key_changed_at, .. } = machine;
    if as_json {
        return say(json::line(&Keys { key, next_key, next_key_kept, epoch, key_changed_at })?);
    }
    let kept = next_key_kept.unwrap_or_else(|| state_dir.join(NEXT_KEY_FILE).display().to_string());
    let changes = match epoch {
        0 => "none yet".to_owned(),
        count => count.to_string(),
    };
    let mut fields = vec![
        ("key fingerprint", key.fingerprint),
        ("next key", next_key.fingerprint),
        ("kept in", kept),
        ("planned changes", changes),
    ];
    if let Some(at) = key_changed_at {
        fields.push(("last changed", at.local()));
    }
    say_lines(&table::fields(&fields))
}

/// The file as the daemon finds it, whose directory is another.
fn whole(path: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let whole = |path: PathBuf| {
        std::path::absolute(&path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    };
    path.map(whole).transpose()
}

async fn rotate(machine: &Machine, args: RotateArgs) -> Result<(), Failure> {
    let next_key = whole(args.next_key)?;
    let before: MachineRecord = machine.ask(Request::Status).await?;
    let kind = if args.compromised { KeyChangeKind::Compromised } else { KeyChangeKind::Planned };
    let lines = match kind {
        KeyChangeKind::Compromised => what_a_replacement_does(&before, next_key.is_some()),
        _ => what_a_change_does(&before),
    };
    lines.iter().for_each(note);
    let question = if args.compromised { "Replace the key and end every session?" } else { "Change the key?" };
    confirm(question, args.yes)?;
    let changed = ask(machine, KeyChange { kind, next_key }).await?;
    if args.json.json {
        return say(json::line(&changed)?);
    }
    say_lines(&outcome(&changed, kind))
}

async fn move_next(machine: &Machine, args: MoveNextArgs) -> Result<(), Failure> {
    let next_key = whole(Some(args.file))?;
    let changed = ask(machine, KeyChange { kind: KeyChangeKind::MoveNext, next_key }).await?;
    if args.json.json {
        return say(json::line(&changed)?);
    }
    let file = changed.next_key_kept.as_deref().unwrap_or_default();
    say_lines(&[format!("the next key is in {file} and on this machine no more"), keep_safe(file)])
}

async fn ask(machine: &Machine, change: KeyChange) -> Result<KeysChangedRecord, Failure> {
    let KeyChange { kind, next_key } = change;
    let next_key = next_key.map(|path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::usage(format!("{} is not plain text, name another file", path.display()))),
    });
    machine.ask(Request::ChangeKeys(ChangeKeys { kind: kind.into(), next_key: next_key.transpose()? })).await
}

fn devices(count: usize) -> String {
    match count {
        0 => "no device is paired".to_owned(),
        1 => "1 device is paired".to_owned(),
        count => format!("{count} devices are paired"),
    }
}

/// What is said before the question, on stderr.
fn what_a_change_does(machine: &MachineRecord) -> Vec<String> {
    vec![
        format!("the key {}", machine.key.fingerprint),
        format!("gives way to {}, as it was announced to the devices", machine.next_key.fingerprint),
        format!(
            "{}: who is connected follows at once, who is away when it connects next; a device that stays away over \
             two changes scans again",
            devices(machine.devices)
        ),
        "offers that are open and joins that wait end, for they name the key of before".to_owned(),
    ]
}

fn what_a_replacement_does(machine: &MachineRecord, brings_next: bool) -> Vec<String> {
    let by = match (&machine.next_key_kept, brings_next) {
        (Some(_), true) => "the next key, which was kept elsewhere".to_owned(),
        (Some(kept), false) => format!("a new one; the next key in {kept} stays what it is"),
        (None, _) => "a new one, and so is the next key, which lay beside it".to_owned(),
    };
    vec![
        format!("the key {} is replaced by {by}", machine.key.fingerprint),
        format!(
            "{}: every connection is cut, every session ends, and no device follows by itself: each stops with a \
             warning, scans a fresh offer from here (`pairpin pair`) and is in again, with its name and its role",
            devices(machine.devices)
        ),
        "whoever has the key of before can still pretend to be this machine to a device that has not scanned yet, but \
         is not believed there"
            .to_owned(),
    ]
}

fn outcome(changed: &KeysChangedRecord, kind: KeyChangeKind) -> Vec<String> {
    let mut lines = table::fields(&[
        ("key fingerprint", changed.key.fingerprint.clone()),
        ("next key", changed.next_key.fingerprint.clone()),
    ]);
    lines.push(match kind {
        KeyChangeKind::Compromised => {
            let cut = changed.connections_cut;
            format!("replaced, {cut} connections cut: scan a fresh offer on every device, `pairpin pair`")
        }
        _ => {
            let (online, away) = (changed.online, changed.devices.saturating_sub(changed.online));
            format!("changed; devices told at once: {online}, those that follow when they connect: {away}")
        }
    });
    if changed.offers_withdrawn + changed.joins_ended > 0 {
        let (offers, joins) = (changed.offers_withdrawn, changed.joins_ended);
        lines.push(format!("ended with the key of before: {offers} offers, {joins} devices that asked to be let in"));
    }
    if let Some(file) = &changed.next_key_kept {
        lines.push(format!("the next key is in {file} and not on this machine"));
        lines.push(keep_safe(file));
    }
    if changed.recovery_sheet {
        lines
            .push("the printed recovery sheet names the key of before: print it anew, `pairpin recovery print`".into());
    }
    lines
}

fn keep_safe(file: &str) -> String {
    format!(
        "keep it where this machine's thief is not: the next change needs it, `pairpin key rotate --next-key {file}`"
    )
}

#[cfg(test)]
mod tests {
    use pairpin_core::identity::Pin;

    use super::*;

    fn changed() -> KeysChangedRecord {
        KeysChangedRecord {
            key: Pin::from_bytes([1; 32]).into(),
            next_key: Pin::from_bytes([2; 32]).into(),
            next_key_kept: None,
            epoch: 1,
            devices: 3,
            online: 1,
            connections_cut: 0,
            offers_withdrawn: 0,
            joins_ended: 0,
            recovery_sheet: false,
        }
    }

    #[test]
    fn a_recovery_sheet_wants_printing_anew_where_there_is_one() {
        let sheet = |is_there| {
            let said = outcome(&KeysChangedRecord { recovery_sheet: is_there, ..changed() }, KeyChangeKind::Planned);
            said.iter().any(|line| line.contains("print it anew"))
        };
        assert!(sheet(true) && !sheet(false));
    }

    #[test]
    fn who_follows_and_where_the_next_key_is_are_said() {
        let said = outcome(&changed(), KeyChangeKind::Planned).join("\n");
        assert!(
            said.contains("told at once: 1, those that follow when they connect: 2") && !said.contains("--next-key"),
            "{said}"
        );
        let kept = KeysChangedRecord { next_key_kept: Some("/media/k".into()), ..changed() };
        let said = outcome(&kept, KeyChangeKind::Compromised).join("\n");
        assert!(said.contains("--next-key /media/k") && said.contains("pairpin pair"), "{said}");
    }
}
