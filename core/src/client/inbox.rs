//! What waits for an answer on a machine, and answering it.
//!
//! An [`InboxItem`] is what a person is shown; the yes is to exactly that. Asks are answered here, joins in
//! `joins`.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde_json::Value;

use super::acts::Act;
use super::error::ClientError;
use super::joins::cleaned;
use super::session::MachineSession;
use crate::handshake::request_hash;
use crate::names;
use crate::wire::{
    AskAnswered, AskEnd, AskMessage, Inbox, JoinListed, Method, PendingAsk, RefuseAsk, RequestHash, limits,
};

/// Something that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxItem {
    /// A question of somebody at the machine.
    Ask(AskItem),
    /// A device that asks to be let in; owners alone see it.
    Join(JoinItem),
}

/// A join, as the machine listed it, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinItem {
    /// What a person is shown; all but the address is claimed.
    pub listed: JoinListed,
    id: String,
}

impl JoinItem {
    /// Takes what the machine said.
    pub fn new(listed: JoinListed) -> Self {
        let listed = cleaned(listed);
        Self { id: listed.join.text(), listed }
    }
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

    /// Stands for all that is shown of it, as a text: two asks with the same one are the same question.
    pub fn shown_as(&self) -> String {
        BASE32_NOPAD.encode(self.request.as_bytes())
    }

    /// The yes to it, to be prepared, signed and submitted.
    pub fn accept(&self) -> Act {
        Act::Answer { ask: self.shown.id.clone(), request: self.request }
    }
}

impl InboxItem {
    /// What names it, on its machine.
    pub fn id(&self) -> &str {
        match self {
            Self::Ask(ask) => &ask.shown.id,
            Self::Join(join) => &join.id,
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
        // No more than a machine of ours ever holds: one that lists thousands is not to push the others away.
        let asks = inbox.asks.iter().take(limits::ASKS).filter_map(AskItem::of);
        let mut items: Vec<InboxItem> = asks.map(InboxItem::Ask).collect();
        if Method::Joins.is_allowed(self.role()) {
            items.extend(self.joins().await?.into_iter().take(limits::JOINS).map(JoinItem::new).map(InboxItem::Join));
        }
        Ok(items)
    }

    /// Says no, by the session key: nobody has to be there for that.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]; the connection was lost.
    pub async fn deny(&mut self, ask: &AskItem) -> Result<AskAnswered, ClientError> {
        answered(self.ask(Method::Refuse, &RefuseAsk { id: ask.shown.id.clone() }).await?)
    }

    /// Says yes with the software approval key of this device, brought to the machine first where it has none.
    ///
    /// # Errors
    /// As [`enrol_here`](Self::enrol_here) and [`submit`](Self::submit).
    pub async fn accept_here(&mut self, ask: &AskItem) -> Result<AskAnswered, ClientError> {
        self.enrol_here().await?;
        answered(self.act_here(ask.accept()).await?)
    }
}
