//! An ask, its three kinds of facts apart, and what becomes of it.

use pairpin_core::host::AskView;
use pairpin_core::wire::{AnswerProof, AskEnd, AskMessage};
use serde::{Deserialize, Serialize};

use crate::output::time::Moment;

/// An ask that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskRecord {
    /// Names it.
    pub id: String,
    /// When it was asked.
    pub asked_at: Moment,
    /// When it ends.
    pub expires_at: Moment,
    /// Seconds that are left.
    pub expires_in_seconds: u64,
    /// What nobody can choose.
    pub known: KnownRecord,
    /// What the caller can choose.
    pub observed: ObservedRecord,
    /// What the caller says.
    pub claimed: ClaimedRecord,
}

/// What the machine knows of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRecord {
    /// The user's id.
    pub uid: u32,
    /// The user's name.
    pub user: Option<String>,
    /// The process that connected.
    pub process: Option<u32>,
}

/// What the machine saw of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedRecord {
    /// The file that it runs.
    pub executable: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many more there are than fit.
    pub arguments_left_out: u32,
    /// The directory it works in.
    pub directory: Option<String>,
}

/// What the caller says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedRecord {
    /// The question.
    pub text: String,
    /// More about it.
    pub detail: Option<String>,
}

impl AskRecord {
    /// What is shown of it, with this much time left.
    pub fn of(shown: AskMessage, left: std::time::Duration) -> Self {
        let AskMessage { id, asked_at, expires_at, known, observed, claimed, fresh: _ } = shown;
        Self {
            id,
            asked_at: Moment(asked_at),
            expires_at: Moment(expires_at),
            expires_in_seconds: left.as_secs(),
            known: KnownRecord { uid: known.uid, user: known.user, process: known.process },
            observed: ObservedRecord {
                executable: observed.executable,
                arguments: observed.arguments,
                arguments_left_out: observed.arguments_left_out,
                directory: observed.directory,
            },
            claimed: ClaimedRecord { text: claimed.text, detail: claimed.detail },
        }
    }
}

impl From<AskView> for AskRecord {
    fn from(view: AskView) -> Self {
        Self::of(view.shown, view.left)
    }
}

/// What happens to an ask: a line of `ask --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AskEvent {
    /// It waits.
    Asked {
        /// What devices are shown.
        ask: Box<AskRecord>,
        /// Devices that may answer.
        may_answer: usize,
        /// How many of them are connected.
        online: usize,
    },
    /// A device has answered.
    Answered {
        /// `yes` or `no`.
        answer: Answer,
        /// Its name.
        by: String,
        /// With a yes: the statement that says so, for who does not take the daemon's word.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        proof: Option<Box<AnswerProof>>,
    },
    /// Nobody answered in time.
    Expired,
    /// It was taken back.
    Withdrawn,
}

/// A device's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl AskEvent {
    /// The end of an ask.
    pub fn of(end: AskEnd, proof: Option<AnswerProof>) -> Self {
        match end {
            AskEnd::Yes { by } => Self::Answered { answer: Answer::Yes, by, proof: proof.map(Box::new) },
            AskEnd::No { by } => Self::Answered { answer: Answer::No, by, proof: None },
            AskEnd::Expired => Self::Expired,
            AskEnd::Withdrawn | AskEnd::Unknown => Self::Withdrawn,
        }
    }
}
