//! An established session: what the machine says on it, until it ends. `watch` keeps it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Client;
use super::error::Told;
use super::machines::MachineState;
use super::resume::Session;
use super::watch::Wish;
use crate::net::socket::Incoming;
use crate::wire::{CloseCode, Closing, Frame, limits};

/// After the device's network has changed: how long an answer to a ping may take before the
/// connection counts as lost with the old network.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// JSON-RPC 2.0 section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// How a session ended.
pub(super) enum End {
    /// The handle wished something else.
    Wished,
    /// It is over, and this is how the machine stands now.
    Over(MachineState),
}

impl Client {
    /// Stays on a session until it ends. The socket keeps its own heartbeat.
    pub(super) async fn stay(&self, row: i64, mut session: Session, wish: &mut watch::Receiver<Wish>) -> End {
        let mut probe: Option<Instant> = None;
        loop {
            let deadline = probe.unwrap_or_else(|| Instant::now() + limits::HEARTBEAT * 4);
            let incoming = tokio::select! {
                incoming = session.socket.recv() => incoming,
                () = sleep_until(deadline), if probe.is_some() => {
                    return self.lost(row, "the connection did not survive the change of network").await;
                }
                changed = wish.changed() => {
                    let wished = *wish.borrow_and_update();
                    if changed.is_err() || wished.cancelled || wished.paused {
                        session.close().await;
                        return End::Wished;
                    }
                    probe.get_or_insert(Instant::now() + PROBE_TIME);
                    if session.socket.ping().await.is_err() {
                        return self.lost(row, "the connection did not survive the change of network").await;
                    }
                    continue;
                }
            };
            probe = None;
            match incoming {
                Ok(Some(Incoming::Frame(Frame::Closing(closing)))) => return self.closing(row, &closing).await,
                Ok(Some(Incoming::Frame(Frame::Addresses(addresses)))) => {
                    // A hint that cannot be stored is no reason to end the session.
                    let _ = self.durable(move |ledger| ledger.addresses(row, &addresses)).await;
                    self.inner.changed();
                }
                Ok(Some(Incoming::Frame(Frame::Request { id, .. }))) => {
                    let result = Err((METHOD_NOT_FOUND, "this device does not know that request".to_owned()));
                    if session.socket.send(Frame::Answer { id, result }).await.is_err() {
                        return self.lost(row, "the connection was lost").await;
                    }
                }
                Ok(Some(Incoming::Closed { .. }) | None) => {
                    return self.lost(row, "the machine closed the connection").await;
                }
                Ok(Some(_)) => {}
                Err(error) => return self.lost(row, &error.to_string()).await,
            }
        }
    }

    async fn closing(&self, row: i64, closing: &Closing) -> End {
        let told = Told::of(&closing.by, Some(closing.at), &closing.reason);
        match closing.code {
            CloseCode::Revoked => {
                let erased = told.clone();
                let stored = self
                    .durable(move |ledger| {
                        let row = ledger.row(row)?;
                        ledger.revoked(&row, &erased)
                    })
                    .await;
                self.inner.changed();
                match stored {
                    Ok(()) => End::Over(MachineState::Revoked(told)),
                    Err(error) => End::Over(MachineState::after(&error, None)),
                }
            }
            CloseCode::Suspended => {
                self.lost(row, "this device was suspended").await;
                End::Over(MachineState::Suspended(told))
            }
            CloseCode::Expired => {
                self.lost(row, "the session has expired").await;
                End::Over(MachineState::Expired { why: "the session has expired, scan a fresh offer".to_owned() })
            }
            CloseCode::Stopping => self.lost(row, "the machine stopped").await,
            CloseCode::Replaced => self.lost(row, "this device has too many connections to the machine").await,
            CloseCode::Protocol | CloseCode::Unknown => self.lost(row, "the machine closed the connection").await,
        }
    }

    /// Records that the machine is offline from now on.
    async fn lost(&self, row: i64, why: &str) -> End {
        let (since, reason) = (self.inner.clock.wall_ms(), why.to_owned());
        // The list is a little less right if this fails; the next dial writes it again.
        let _ = self.durable(move |ledger| ledger.offline(row, since, &reason)).await;
        self.inner.changed();
        End::Over(MachineState::Offline { since: Some(since), why: Some(why.to_owned()) })
    }
}
