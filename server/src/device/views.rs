//! The JSON shapes and the words for machines (docs/json.md).

use pairpin_core::client::{MachineState, MachineView, PairQuestion, Restored, Told};
use pairpin_core::role::Role;
use pairpin_core::wire::Address;
use serde::Serialize;

use crate::output::time::Moment;

/// A machine in `--json`.
#[derive(Debug, Serialize)]
pub struct MachineJson {
    name: String,
    machine_name: String,
    platform: String,
    fingerprint: String,
    role: Role,
    device_name: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    addresses: Vec<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<ToldJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paired_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_online: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Moment>,
    secret_store: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<RestoredJson>,
}

/// A machine was restored from a backup.
#[derive(Debug, Serialize)]
pub struct RestoredJson {
    at: Moment,
    handed_back: u64,
}

impl From<Restored> for RestoredJson {
    fn from(restored: Restored) -> Self {
        Self { at: Moment(restored.at), handed_back: restored.taken }
    }
}

/// Who revoked this device, when and why.
#[derive(Debug, Serialize)]
pub struct ToldJson {
    by: Option<String>,
    at: Option<Moment>,
    reason: Option<String>,
}

impl From<&Told> for ToldJson {
    fn from(told: &Told) -> Self {
        Self { by: told.by.clone(), at: told.at.map(Moment), reason: told.reason.clone() }
    }
}

impl From<&MachineView> for MachineJson {
    fn from(view: &MachineView) -> Self {
        let online = match &view.state {
            MachineState::Online { address } => Some(address.clone()),
            _ => None,
        };
        Self {
            name: view.name.clone(),
            machine_name: view.machine_name.clone(),
            platform: view.platform.clone(),
            fingerprint: view.fingerprint(),
            role: view.role,
            device_name: view.device_name.clone(),
            state: state_key(&view.state),
            address: online.or_else(|| view.last_address.clone()),
            addresses: view.addresses.clone(),
            since: match &view.state {
                MachineState::Offline { since, .. } => since.map(Moment),
                MachineState::Leaving { since, .. } => Some(Moment(*since)),
                _ => None,
            },
            why: why(&view.state),
            revoked: match &view.state {
                MachineState::Revoked(told) | MachineState::Suspended(told) => Some(told.into()),
                _ => None,
            },
            seen_fingerprint: match &view.state {
                MachineState::KeyChanged { seen } => Some(seen.fingerprint()),
                _ => None,
            },
            paired_at: view.paired_at.map(Moment),
            last_online: view.last_online.map(Moment),
            expires_at: view.expires_at.map(Moment),
            secret_store: view.secret_store.as_str(),
            restored: view.restored.map(Into::into),
        }
    }
}

/// The state's word in JSON.
pub fn state_key(state: &MachineState) -> &'static str {
    match state {
        MachineState::KeyChanged { .. } => "key_changed",
        MachineState::KeyCopied => "key_copied",
        other => other.word(),
    }
}

/// The question's word in JSON.
pub fn question_key(question: &PairQuestion) -> &'static str {
    match question {
        PairQuestion::New => "new",
        PairQuestion::NewSameId { .. } => "new_same_id",
        PairQuestion::Again { .. } => "again",
        PairQuestion::ReplaceKey { .. } => "replace_key",
        PairQuestion::AlreadyPaired(_) => "already_paired",
    }
}

fn why(state: &MachineState) -> Option<String> {
    match state {
        MachineState::Offline { why, .. } | MachineState::Leaving { why, .. } => why.clone(),
        MachineState::Expired { why }
        | MachineState::Lost { why }
        | MachineState::KeysGone { why }
        | MachineState::Broken { why } => Some(why.clone()),
        _ => None,
    }
}

/// The state in a table's cell.
pub fn state_text(state: &MachineState, now: i64) -> String {
    match state {
        MachineState::Online { address } => format!("online via {address}"),
        MachineState::Offline { since: Some(since), .. } => format!("offline, last seen {}", Moment(*since).ago(now)),
        MachineState::Offline { since: None, .. } => "offline".into(),
        MachineState::Revoked(told) => format!("revoked{told}"),
        MachineState::Suspended(told) => format!("suspended{told}"),
        MachineState::KeyChanged { .. } => "KEY CHANGED".into(),
        MachineState::KeyCopied => "KEY COPIED".into(),
        MachineState::Leaving { .. } => "forgotten here, not told yet".into(),
        MachineState::Forgotten { .. } => "forgotten, and told".into(),
        other => other.word().to_owned(),
    }
}

/// How a session that ends soon is renewed.
pub fn renewal(view: &MachineView, now: i64) -> Option<String> {
    let at = view.ends_soon(now).map(Moment)?;
    Some(format!(
        "the session with {} ends {}, however it is used: to go on, take a fresh offer from it with pairpin join here \
         (pairpin pair there); name and role stay",
        view.name,
        at.ahead(now)
    ))
}

/// What follows when the last owner has left.
pub fn no_owner(name: &str) -> String {
    format!("no owner is left on {name}: the next device paired at its shell will be owner")
}

/// What to add under the table or after an event: the cause and the next step, where the cell does not
/// say it.
pub fn explained(view: &MachineView) -> Option<String> {
    let name = &view.name;
    match &view.state {
        MachineState::KeyChanged { seen } => Some(format!(
            "{name} proves another key ({}): if its key was replaced, or changed more than once while this device was \
             away, scan a new offer from its own screen, if not, somebody is in between; nothing it says is believed",
            seen.fingerprint()
        )),
        MachineState::KeyCopied => Some(format!(
            "{name} has its key but not what it gave this device: the key was copied, or the machine was reset; if \
             you know that it was reset: pairpin machines forget, and scan a fresh offer"
        )),
        MachineState::Suspended(_) => Some(format!(
            "{name} has suspended this device: a token that it had replaced was used again, so its keys may have been \
             copied; if you know why (a restored backup), let an owner lift it (pairpin devices set NAME --lift) or pair \
             again with a fresh offer from there, if not, revoke it there: pairpin devices revoke"
        )),
        MachineState::Revoked(_) => Some(format!(
            "{name} has revoked this device, its keys here are erased: to come back, pair with a fresh offer from there"
        )),
        MachineState::Leaving { why, .. } => Some(format!(
            "{name} was forgotten here, and is told as soon as it answers; to erase its keys here at once: pairpin \
             machines forget {name} --now{}",
            why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default()
        )),
        MachineState::Forgotten { last_owner } => Some(format!(
            "{name} was told, and has taken this device off its list; its keys here are erased{}",
            if *last_owner { format!("; {}", no_owner(name)) } else { String::new() }
        )),
        MachineState::Unfinished => Some(format!("{name}: the pairing was not finished, scan its offer again")),
        state => why(state).map(|why| if why.contains(name.as_str()) { why } else { format!("{name}: {why}") }),
    }
}

/// For how long a list says that a machine was restored.
const RESTORED_SHOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// That a machine came back from a backup, while that is news.
pub fn restored_text(view: &MachineView, now: i64) -> Option<String> {
    let restored = view.restored.filter(|restored| now.saturating_sub(restored.at) < RESTORED_SHOWN_MS)?;
    let (name, when) = (&view.name, Moment(restored.at).ago(now));
    let handed = match restored.taken {
        0 => "this device had nothing to hand back".to_owned(),
        1 => "this device handed back a revocation that it had lost".to_owned(),
        taken => format!("this device handed back {taken} revocations that it had lost"),
    };
    Some(format!(
        "{name} was restored from a backup (noticed {when}), {handed}: look at its devices, whoever was revoked or paired \
         since that backup may be in or out again"
    ))
}
