//! Letting go of a machine: it is told where that is possible, and this device erases its keys.
//!
//! A machine that is away is told later: until then the row is *leaving*, its session key stays for that alone, and
//! every dial to it (`resume`) ends in the telling.

use std::collections::BTreeSet;

use tokio::sync::watch;

use super::Client;
use super::error::{ClientError, ErrorKind};
use super::line;
use super::machines::MachineView;
use crate::store::device::machines::{MachineRow, MachineState as RowState};

/// A machine that was forgotten here.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgotten {
    /// What it was.
    pub machine: MachineView,
    /// Why the machine could not be told, and so still lists this device; `None` where it has
    /// taken the device off its list or had done so before.
    pub still_listed: Option<String>,
    /// It is told as soon as it answers: the row stays until then.
    pub told_later: bool,
    /// This device was the last owner: the next one paired at the machine's shell will be owner.
    pub last_owner: bool,
}

/// The rows that somebody forgets or pairs anew just now: one at a time, so that nobody erases what another is using,
/// and what a machine says to its farewell is heard by who asked for it.
#[derive(Default)]
pub(super) struct Farewells(watch::Sender<BTreeSet<i64>>);

/// The turn with one row, until it is dropped.
pub(super) struct Turn<'a>(&'a Farewells, i64);

impl Farewells {
    /// Waits for the turn.
    pub(super) async fn turn(&self, row: i64) -> Turn<'_> {
        let mut others = self.0.subscribe();
        loop {
            if let Some(turn) = self.turn_now(row) {
                return turn;
            }
            // The sender is ours: this ends by the other's end only.
            let _ = others.wait_for(|taken| !taken.contains(&row)).await;
        }
    }

    /// The turn with the row, where there is one.
    pub(super) async fn turn_of(&self, row: Option<i64>) -> Option<Turn<'_>> {
        match row {
            Some(row) => Some(self.turn(row).await),
            None => None,
        }
    }

    /// The turn, unless another has it.
    fn turn_now(&self, row: i64) -> Option<Turn<'_>> {
        // Made only where it was taken: dropping one gives it back.
        self.0.send_if_modified(|taken| taken.insert(row)).then(|| Turn(self, row))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|taken| {
            taken.remove(&self.1);
        });
    }
}

fn is_active(row: &MachineRow) -> bool {
    row.state == RowState::Active
}

/// Whether all that is left to do with a row is to tell its machine.
pub(super) fn is_leaving(row: &MachineRow) -> bool {
    row.leaving_at.is_some() && row.state != RowState::Revoked
}

impl Client {
    /// Takes this device off the machine's list where the machine answers, then erases the row with
    /// its key, tokens and recognition key. Where it does not answer now, that is done as soon as it does.
    ///
    /// # Errors
    /// No such row, or this device's state cannot be written: then nothing is erased.
    pub async fn forget(&self, id: i64) -> Result<Forgotten, ClientError> {
        self.forget_row(id, true).await
    }

    /// The same, and erases at once whether or not the machine could be told.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_now(&self, id: i64) -> Result<Forgotten, ClientError> {
        self.forget_row(id, false).await
    }

    async fn forget_row(&self, id: i64, may_wait: bool) -> Result<Forgotten, ClientError> {
        let _turn = self.inner.farewells.turn(id).await;
        let row = self.durable(move |ledger| ledger.row(id)).await?;
        let unpaired = match row.state {
            RowState::Unfinished | RowState::Revoked => Ok(false),
            RowState::Granted | RowState::Active => {
                if may_wait {
                    // First of all: whatever becomes of this process, the machine will be told.
                    match self.durable(move |ledger| ledger.leave(id)).await {
                        // Where its keys cannot be reached it cannot be told either.
                        Err(ClientError::SecretsElsewhere { .. } | ClientError::Secrets(_)) | Ok(_) => {}
                        Err(error) => return Err(error),
                    }
                }
                self.unpair(id, &row.name, |_| true).await.map(|told| told.unwrap_or(false))
            }
        };
        let (last_owner, error) = match unpaired {
            Ok(last_owner) => (last_owner, None),
            // The last: whoever was told first has erased the row meanwhile.
            Err(ClientError::Revoked { .. } | ClientError::UnknownDevice { .. } | ClientError::NoSuchMachine(_)) => {
                (false, None)
            }
            Err(error) => (false, Some(error)),
        };
        let told_later = may_wait && error.as_ref().is_some_and(may_pass);
        // A failed dial may have brought news into the row, or it was paired anew: that is another session.
        let over = move |now: &MachineRow| !told_later && (!may_wait || now.leaving_at.is_some() || !is_active(now));
        let machine = self.durable(move |ledger| match ledger.delete_if(id, over) {
            Ok(now) => Ok(MachineView::of(&now)),
            // A watch of this machine has told it, and erased the row.
            Err(ClientError::NoSuchMachine(_)) => Ok(MachineView::of(&row)),
            Err(error) => Err(error),
        });
        let machine = machine.await?;
        Ok(Forgotten { machine, still_listed: error.map(|error| error.to_string()), told_later, last_owner })
    }

    /// Tells a machine that was forgotten while it was away; the row is gone then. Gives what to say of the row:
    /// that this is done, or that it is not done yet; `None` where it was paired anew meanwhile.
    pub(super) async fn tell_leaving(&self, row: &MachineRow) -> Option<ClientError> {
        let (id, name) = (row.row, row.name.clone());
        let Some(_turn) = self.inner.farewells.turn_now(id) else {
            return Some(ClientError::Leaving { name, why: "it is being told just now".into() });
        };
        match self.durable(move |ledger| ledger.row(id)).await {
            Ok(row) if is_leaving(&row) => self.told_now(id, name).await,
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }

    async fn told_now(&self, id: i64, name: String) -> Option<ClientError> {
        let last_owner = match self.unpair(id, &name, is_leaving).await {
            Ok(Some(last_owner)) => last_owner,
            Ok(None) => return None,
            // The last: whoever was told first has erased the row meanwhile.
            Err(ClientError::Revoked { .. } | ClientError::UnknownDevice { .. } | ClientError::NoSuchMachine(_)) => {
                false
            }
            // A hard stop is not hidden by it.
            Err(error) if error.kind() == ErrorKind::IdentityChanged => return Some(error),
            Err(error) => return Some(ClientError::Leaving { name, why: error.to_string() }),
        };
        // Paired anew meanwhile, it is another session than the one that was left.
        let over = |now: &MachineRow| now.leaving_at.is_some() || now.state == RowState::Revoked;
        match self.durable(move |ledger| ledger.delete_if(id, over)).await {
            // Or erased by whoever else was told.
            Ok(_) | Err(ClientError::NoSuchMachine(_)) => Some(ClientError::Forgotten { name, last_owner }),
            Err(error) => Some(error),
        }
    }

    /// Asks the machine to take this device off its list; whether it was the last owner. `None`: by the time that the
    /// machine answered, the row was none any more of which `still` holds, and nothing was asked.
    async fn unpair(&self, id: i64, name: &str, still: fn(&MachineRow) -> bool) -> Result<Option<bool>, ClientError> {
        let mut session = self.resume_any(id, None).await?;
        // Another process of this device may have paired it anew, under the token that was just used.
        let row = self.durable(move |ledger| ledger.row(id)).await?;
        if !still(&row) {
            session.close().await;
            return Ok(None);
        }
        match line::request(name, &mut session.socket, 1, "unpair", serde_json::Value::Null).await? {
            Ok(answer) => Ok(Some(answer.get("last_owner").and_then(serde_json::Value::as_bool).unwrap_or(false))),
            Err(_) => Err(ClientError::MachineFailed),
        }
    }
}

/// Whether what kept the machine from being told may be over another time. A key that has changed, a session that
/// has ended and a suspension are for people to set right: nothing can be told on such a session.
fn may_pass(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. }
            | ClientError::Interrupted { .. }
            | ClientError::NotPairpin { .. }
            | ClientError::MachineFailed
            | ClientError::Version { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_is_anothers_until_it_is_given_back() {
        let farewells = Farewells::default();
        let held = farewells.turn(7).await;
        // Twice: an attempt that fails gives nothing back.
        assert!(farewells.turn_now(7).is_none() && farewells.turn_now(7).is_none());
        assert!(farewells.turn_now(8).is_some());
        let mut waiting = std::pin::pin!(farewells.turn(7));
        for _ in 0..2 {
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context)));
            assert!(polled.await.is_pending());
        }
        drop(held);
        let _turn = waiting.await;
        assert!(farewells.turn_now(7).is_none());
    }

    #[test]
    fn what_only_people_can_set_right_is_not_waited_for() {
        let name = || "homebox".to_owned();
        assert!(may_pass(&ClientError::Interrupted { name: name() }) && may_pass(&ClientError::MachineFailed));
        for error in [
            ClientError::KeyCopied { name: name() },
            ClientError::Expired { name: name(), skew_seconds: None },
            ClientError::Restored { name: name(), taken: 0 },
            ClientError::NoAddress,
        ] {
            assert!(!may_pass(&error), "{error:?}");
        }
    }
}
