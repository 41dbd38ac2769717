//! What waits for an answer, as a screen shows it: what the machine knows, what it saw, what is claimed, apart.

use pairpin_core::client::app::{Action, Ended, How, Waiting};
use pairpin_core::client::{AskItem, InboxItem as CoreItem, JoinItem, MachineView};
use pairpin_core::wire::{AskEnd, JoinEnd};

use crate::machines::{AddressWord, Hindrance, why_not};

/// Something that waits. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct InboxItem {
    /// The machine's row.
    pub row: i64,
    /// Its name here.
    pub machine: String,
    /// Names the item in calls, beside the row.
    pub id: String,
    /// When it was asked, by the machine's clock.
    pub asked_at: i64,
    /// When it ends by itself, by this phone's clock.
    pub until: i64,
    /// Stands for all that is shown of an ask, and is handed back with the yes to it; empty for a join.
    pub shown: String,
    /// Why this phone cannot decide it now; none where it can.
    pub why_not: Option<Hindrance>,
    /// What it is.
    pub request: Request,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Request {
    /// A question of somebody at the machine.
    Ask {
        /// From the kernel: nobody can choose it.
        known: KnownFacts,
        /// What the machine saw of the process, which can choose all of it.
        observed: ObservedFacts,
        /// What the caller says.
        claimed: ClaimedFacts,
    },
    /// A device that asks to be let in.
    Join {
        /// The name it claims.
        name: String,
        /// The platform it claims.
        platform: String,
        /// The address it asks from.
        from: String,
        /// What network that is.
        network: AddressWord,
        /// In the machine's own network, with nothing in between.
        same_network: bool,
        /// Its number may be typed; else only its QR can be scanned.
        by_number: bool,
        /// Its key was revoked there, by this one: it cannot be let in.
        revoked_by: Option<String>,
    },
}

/// Facts that hold.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct KnownFacts {
    /// The caller's user id.
    pub uid: u32,
    /// Its name, where it has one.
    pub user: Option<String>,
    /// The process that connected.
    pub process: Option<u32>,
}

/// Facts that a process can choose.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ObservedFacts {
    /// The file it runs; none where the machine may not look.
    pub executable: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many more there are.
    pub arguments_left_out: u32,
    /// The directory it works in.
    pub directory: Option<String>,
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ClaimedFacts {
    /// The question.
    pub text: String,
    /// More about it, in lines.
    pub detail: Option<String>,
}

/// How something ended that had waited.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EndedView {
    /// The machine's row.
    pub row: i64,
    /// What it was.
    pub id: String,
    /// How it ended.
    pub how: Ending,
}

/// The ways in which an item ends.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Ending {
    /// A yes, by this device; where it is known.
    Yes {
        /// The device.
        by: Option<String>,
    },
    /// A no, by this device; where it is known.
    No {
        /// The device.
        by: Option<String>,
    },
    /// Who asked has gone away.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// In a way that this app does not know; no yes.
    Unknown,
}

impl From<&AskEnd> for Ending {
    fn from(end: &AskEnd) -> Self {
        match end {
            AskEnd::Yes { by } => Self::Yes { by: Some(by.clone()) },
            AskEnd::No { by } => Self::No { by: Some(by.clone()) },
            AskEnd::Withdrawn => Self::Withdrawn,
            AskEnd::Expired => Self::Expired,
            AskEnd::Unknown => Self::Unknown,
        }
    }
}

impl From<&Ended> for EndedView {
    fn from(ended: &Ended) -> Self {
        let how = match &ended.how {
            How::Ask(end) => end.into(),
            How::Join(JoinEnd::Accepted, by) => Ending::Yes { by: by.clone() },
            How::Join(JoinEnd::Denied, by) => Ending::No { by: by.clone() },
            How::Join(JoinEnd::Over, _) => Ending::Expired,
            How::Join(_, _) => Ending::Unknown,
        };
        Self { row: ended.row, id: ended.id.clone(), how }
    }
}

impl InboxItem {
    /// As the app shows it, beside its machines.
    pub(crate) fn of(waiting: &Waiting, machines: &[MachineView]) -> Self {
        let (asked_at, action, request, shown) = match &waiting.item {
            CoreItem::Ask(ask) => (ask.shown.asked_at, Action::Answer, of_ask(ask), ask.shown_as()),
            CoreItem::Join(join) => (join.listed.asked_at, Action::Decide, of_join(join), String::new()),
        };
        let machine = machines.iter().find(|machine| machine.row == waiting.row);
        Self {
            row: waiting.row,
            machine: waiting.machine.clone(),
            id: waiting.item.id().to_owned(),
            asked_at,
            until: waiting.until,
            shown,
            why_not: machine.and_then(|machine| action.allowed(machine).err()).map(why_not),
            request,
        }
    }
}

fn of_ask(ask: &AskItem) -> Request {
    let (known, observed, claimed) = (&ask.shown.known, &ask.shown.observed, &ask.shown.claimed);
    Request::Ask {
        known: KnownFacts { uid: known.uid, user: known.user.clone(), process: known.process },
        observed: ObservedFacts {
            executable: observed.executable.clone(),
            arguments: observed.arguments.clone(),
            arguments_left_out: observed.arguments_left_out,
            directory: observed.directory.clone(),
        },
        claimed: ClaimedFacts { text: claimed.text.clone(), detail: claimed.detail.clone() },
    }
}

fn of_join(join: &JoinItem) -> Request {
    let listed = &join.listed;
    Request::Join {
        name: listed.name.clone(),
        platform: listed.platform.clone(),
        from: listed.from.clone(),
        network: listed.network.into(),
        same_network: listed.same_network,
        by_number: listed.number,
        revoked_by: listed.revoked_by.clone(),
    }
}
