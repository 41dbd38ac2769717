//! What waits for an answer on a machine, and answering it.
//!
//! An [`InboxItem`] is what a person is shown; the yes is to exactly that. Asks are the one kind so far:
//! another is another variant here and in [`InboxItem::accept`] and [`MachineSession::deny`].

use std::time::Duration;

use serde_json::Value;

use super::acts::Act;
use super::error::ClientError;
use super::session::MachineSession;
use crate::handshake::request_hash;
use crate::names;
use crate::wire::{AskAnswered, AskEnd, AskMessage, Inbox, Method, PendingAsk, RefuseAsk, RequestHash, limits};

/// Something that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxItem {
    /// A question of somebody at the machine.
    Ask(AskItem),
}

/// An ask, as the machine sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskItem {
    /// What a person is shown, cleaned.
    pub shown: AskMessage,
    /// Time that was left when the machine said so.
    pub left: Duration,
    request: RequestHash,
}

impl AskItem {
    /// Reads what a machine sent. `None` where it makes no sense to this build.
    pub fn of(pending: &PendingAsk) -> Option<Self> {
        let shown = AskMessage::decode(&pending.message).ok()?;
        let left = Duration::from_millis(pending.left_ms);
        Some(Self { shown, left, request: request_hash(&pending.message) })
    }
}

impl InboxItem {
    /// What names it, on its machine.
    pub fn id(&self) -> &str {
        match self {
            Self::Ask(ask) => &ask.shown.id,
        }
    }

    /// The yes to it, to be prepared, signed and submitted.
    pub fn accept(&self) -> Act {
        match self {
            Self::Ask(ask) => Act::Answer { ask: ask.shown.id.clone(), request: ask.request },
        }
    }
}

/// Reads the machine's answer to a yes or a no.
///
/// # Errors
/// [`ClientError::Protocol`].
pub fn answered(value: Value) -> Result<AskAnswered, ClientError> {
    let answered: AskAnswered = serde_json::from_value(value).map_err(|_| ClientError::Protocol)?;
    Ok(AskAnswered { end: clean_end(answered.end), ..answered })
}

/// How an ask ended, safe to show.
pub fn clean_end(end: AskEnd) -> AskEnd {
    let name = |by: String| names::clean(&by, limits::NAME).unwrap_or_else(|| "a device".to_owned());
    match end {
        AskEnd::Yes { by } => AskEnd::Yes { by: name(by) },
        AskEnd::No { by } => AskEnd::No { by: name(by) },
        other => other,
    }
}

impl MachineSession {
    /// What waits for an answer, oldest first.
    ///
    /// # Errors
    /// [`ClientError::NotAllowed`] for a viewer; the connection was lost.
    pub async fn inbox(&mut self) -> Result<Vec<InboxItem>, ClientError> {
        let inbox: Inbox = self.ask(Method::Inbox, &Value::Null).await?;
        Ok(inbox.asks.iter().filter_map(AskItem::of).map(InboxItem::Ask).collect())
    }

    /// Says no, by the session key: nobody has to be there for that.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]; the connection was lost.
    pub async fn deny(&mut self, item: &InboxItem) -> Result<AskAnswered, ClientError> {
        match item {
            InboxItem::Ask(ask) => {
                let asked = RefuseAsk { id: ask.shown.id.clone() };
                answered(self.ask(Method::Refuse, &asked).await?)
            }
        }
    }

    /// Says yes with the software approval key of this device, brought to the machine first where it has none.
    ///
    /// # Errors
    /// As [`enrol_here`](Self::enrol_here) and [`submit`](Self::submit).
    pub async fn accept_here(&mut self, item: &InboxItem) -> Result<AskAnswered, ClientError> {
        self.enrol_here().await?;
        answered(self.act_here(item.accept()).await?)
    }
}
