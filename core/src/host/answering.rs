//! A device's answer to an ask: yes by a statement of its approval key over exactly what was shown, no by its
//! session. Called by `requests`.
//!
//! In this order: the statement, the one step that takes the answer, the device's standing and the record in one
//! transaction, and only then does it count and is told.

use std::sync::Arc;

use rusqlite::Connection;

use super::asking::named;
use super::asks::Standing;
use super::live::Live;
use super::requests::{addressee, check};
use super::shared::Shared;
use crate::handshake::{Addressee, Stated, request_hash};
use crate::identity::{DeviceId, PublicKey};
use crate::names::quoted;
use crate::role::Role;
use crate::store::host::devices::DeviceRow;
use crate::store::host::{audit, devices, tombstones};
use crate::wire::{AcceptAsk, AnswerProof, AskAnswered, AskEnd, DeviceEvent, Inbox, RefuseAsk, RequestError};

/// What waits for an answer.
pub(super) fn inbox(shared: &Shared) -> Inbox {
    let now = shared.clock.elapsed();
    Inbox { asks: shared.asking.desk().asks.waiting(now).map(|ask| ask.pending(now)).collect() }
}

/// The ids of what waits, oldest first.
pub(super) fn inbox_ids(shared: &Shared) -> Vec<String> {
    let now = shared.clock.elapsed();
    shared.asking.desk().asks.waiting(now).map(|ask| ask.shown.id.clone()).collect()
}

/// Yes, by a statement of the device's approval key over what was shown.
pub(super) async fn accept(live: &mut Live, row: &DeviceRow, asked: AcceptAsk) -> Result<AskAnswered, RequestError> {
    let shared = Arc::clone(&live.shared);
    let message = shared.asking.desk().asks.message_of(&asked.id);
    let Some(message) = message else { return ended(&shared, &asked.id) };
    let key = row.approval.as_ref().map(|approval| approval.key);
    let stated = Stated::Answer { ask: &asked.id, request: request_hash(&message) };
    check(live, key, &asked.signed, &stated)?;
    let Addressee { pin, machine, epoch } = addressee(live);
    let proof = key.map(|key| AnswerProof { message, pin, machine, epoch, key, signed: asked.signed });
    decide(&shared, live.device, &asked.id, key, proof).await
}

/// No, by the session key: a device may always say no.
pub(super) async fn refuse(live: &mut Live, asked: RefuseAsk) -> Result<AskAnswered, RequestError> {
    decide(&live.shared, live.device, &asked.id, None, None).await
}

fn ended(shared: &Shared, id: &str) -> Result<AskAnswered, RequestError> {
    let end = shared.asking.desk().asks.end_of(id);
    end.map(|end| AskAnswered { taken: false, end }).ok_or(RequestError::Gone)
}

/// Lets the ask wait on unless the answer came to count.
struct Begun<'a> {
    shared: &'a Shared,
    id: &'a str,
    by: DeviceId,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.shared.asking.desk().asks.abort(self.id, self.by);
    }
}

/// Takes an answer: yes by the approval key whose statement held, or no. The statement goes to who asked.
pub(super) async fn decide(
    shared: &Arc<Shared>,
    device: DeviceId,
    id: &str,
    yes_by: Option<PublicKey>,
    proof: Option<AnswerProof>,
) -> Result<AskAnswered, RequestError> {
    let _turn = shared.asking.turn.lock().await;
    let standing = shared.asking.desk().asks.begin(id, device, shared.clock.elapsed());
    let ask = match standing {
        Standing::Begun(ask) => ask,
        Standing::Ended(end) => return Ok(AskAnswered { taken: false, end }),
        Standing::Busy | Standing::Unknown => return Err(RequestError::Gone),
    };
    let begun = Begun { shared, id, by: device };
    if shared.book.is_barred(device) {
        return Err(RequestError::Role);
    }
    let (now, asked, answer) = (shared.now(), named(&ask), if yes_by.is_some() { "yes" } else { "no" });
    let write = move |connection: &Connection| {
        // Looked at here: what was right when it was signed may have been overtaken.
        if tombstones::get(connection, &device)?.is_some() {
            return Ok(None);
        }
        let Some(row) = devices::get(connection, &device)?.filter(|row| stands(row, yes_by)) else { return Ok(None) };
        let text = format!("{} answered {answer} to {asked}", quoted(&row.name));
        audit::append(connection, now, "answered", Some(&device), &text)?;
        Ok(Some(row.name))
    };
    let by = match shared.book.change(device, write).await {
        Ok(Some(by)) => by,
        Ok(None) => return Err(RequestError::Role),
        Err(_) => return Err(RequestError::Failed),
    };
    let end = if yes_by.is_some() { AskEnd::Yes { by } } else { AskEnd::No { by } };
    let taken = {
        let mut desk = shared.asking.desk();
        let taken = desk.asks.conclude(id, device, end.clone());
        if taken {
            desk.ended(id, &end, proof);
        }
        taken
    };
    drop(begun);
    shared.tell_last_audit().await;
    if !taken {
        // Who asked went away while it was written.
        return ended(shared, id);
    }
    shared.tell(DeviceEvent::AskGone { id: id.to_owned(), end: end.clone() });
    Ok(AskAnswered { taken, end })
}

/// Whether a device may answer: no by its role, yes by the approval key that was checked.
pub(super) fn stands(row: &DeviceRow, yes_by: Option<PublicKey>) -> bool {
    let key = yes_by.is_none_or(|key| row.approval.as_ref().is_some_and(|approval| approval.key == key));
    row.role >= Role::Operator && row.suspended.is_none() && key
}
