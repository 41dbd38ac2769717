//! From an accepted socket to a flow: the part of a connection in which it is a stranger's.
//!
//! Everything here is bounded: connections by the gate, time by one deadline, bytes by the limit
//! under TLS, lines in the audit log by the hour. All refusals of strangers have one shape.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::engine::Shared;
use super::{pairing, reconnect};
use crate::handshake::{Channel, HandshakeError};
use crate::net::gate::{Ear, Ticket};
use crate::net::limited::Limit;
use crate::net::socket::{Socket, SocketError};
use crate::net::upgrade::{self, Answer, UpgradeRequest};
use crate::net::{BoxedStream, tls};
use crate::store::StoreError;
use crate::wire::{Envelope, Flow, limits};

/// The connection is over; whoever needs to know has been told.
#[derive(Debug)]
pub(super) struct Gone;

impl From<HandshakeError> for Gone {
    fn from(_: HandshakeError) -> Self {
        Self
    }
}

impl From<StoreError> for Gone {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a connection ends because the state could not be written");
        Self
    }
}

impl From<SocketError> for Gone {
    fn from(_: SocketError) -> Self {
        Self
    }
}

/// A pause after accepting failed (too many open files): the next try may succeed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the host stops.
pub(super) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let from = peer.ip().to_canonical();
                // Here and not in the task: tasks run in any order, and a newcomer that is admitted
                // before those who came earlier would be pushed out by them.
                let ticket = shared.gate.admit(from);
                let task = stranger(Arc::clone(&shared), ticket, socket, from);
                shared.spawn(task);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its first byte to its end.
async fn stranger(shared: Arc<Shared>, ticket: Ticket, socket: TcpStream, from: IpAddr) {
    let (promoted, promotion) = watch::channel(false);
    let ear = ticket.ear();
    tokio::select! {
        biased;
        _ = greet(shared, socket, from, ear, promoted) => {}
        () = overdue(ticket, promotion) => {}
    }
}

/// Resolves when a stranger has to go; never once it is none any more.
async fn overdue(ticket: Ticket, mut promotion: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        promoted = async { promotion.wait_for(|promoted| *promoted).await.is_ok() } => {
            if promoted {
                ticket.promote();
            }
            // Promoted, or the flow is over: either way it is not for us to end it.
            std::future::pending::<()>().await;
        }
        () = ticket.evicted() => {}
        () = tokio::time::sleep(limits::STRANGER_TIME) => {}
    }
}

async fn greet(
    shared: Arc<Shared>,
    socket: TcpStream,
    from: IpAddr,
    ear: Ear,
    promoted: watch::Sender<bool>,
) -> Result<(), Gone> {
    let config = Arc::clone(&shared.tls);
    let accepted = tls::accept(socket, config, shared.pin, limits::STRANGER_TIME).await.map_err(|_| Gone)?;
    // It speaks TLS: whoever only opens connections goes before it.
    ear.heard();
    let mut stream = accepted.stream;
    let request = upgrade::read_request(&mut stream).await;
    let visitor = Visitor {
        shared,
        channel: accepted.channel,
        from,
        limit: accepted.limit,
        promoted,
        stream: Mutex::new(Some(stream)),
    };
    match request {
        Err(_) => visitor.refuse().await,
        Ok(request) => match request.flow {
            Flow::Preview => pairing::preview(visitor, request).await,
            Flow::Scan => pairing::scan(visitor, request).await,
            Flow::Code => pairing::code(visitor, request).await,
            Flow::Resume => reconnect::resume(visitor, request).await,
        },
    }
}

/// Somebody on an accepted TLS connection who has sent a request.
pub(super) struct Visitor {
    shared: Arc<Shared>,
    channel: Channel,
    from: IpAddr,
    limit: Limit,
    promoted: watch::Sender<bool>,
    stream: Mutex<Option<BoxedStream>>,
}

impl Visitor {
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(super) fn from(&self) -> IpAddr {
        self.from
    }

    /// It has proven something: a stranger's bounds do not hold for it any more.
    pub(super) fn promote(&self) {
        self.limit.lift();
        self.promoted.send_replace(true);
    }

    /// The answer to strangers, of one shape whatever the reason.
    pub(super) async fn refuse(&self) -> Result<(), Gone> {
        let mut stream = self.take_stream()?;
        upgrade::refuse_stranger(&mut stream).await.map_err(|_| Gone)
    }

    /// Answers with a message instead of the upgrade, and closes.
    pub(super) async fn tell(&self, answer: Answer, envelope: &Envelope) -> Result<(), Gone> {
        let mut stream = self.take_stream()?;
        let telling = upgrade::answer(&mut stream, answer, envelope);
        tokio::time::timeout(limits::STRANGER_TIME, telling).await.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    /// Switches to the WebSocket.
    pub(super) async fn switch(&self, request: &UpgradeRequest) -> Result<Socket, Gone> {
        let mut stream = self.take_stream()?;
        let switch = upgrade::accept(&mut stream, request);
        tokio::time::timeout(limits::STRANGER_TIME, switch).await.map_err(|_| Gone)?.map_err(|_| Gone)?;
        Ok(Socket::machine(stream).await)
    }

    /// Notes a failure in the audit log, unless strangers have filled this hour's share.
    pub(super) async fn audit_failure(&self, kind: &'static str, text: String) {
        if !self.shared.failures.admit(self.shared.clock.elapsed()) {
            return;
        }
        if let Err(error) = self.shared.audit(kind, None, text).await {
            tracing::warn!(%error, "the audit log could not be written");
        }
    }

    fn take_stream(&self) -> Result<BoxedStream, Gone> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(Gone)
    }
}

/// How many failures of strangers the audit log takes in an hour: what they can make grow is bounded.
#[derive(Debug, Default)]
pub(super) struct FailureLog(Mutex<(Duration, u32)>);

impl FailureLog {
    const AN_HOUR: u32 = 60;

    fn admit(&self, now: Duration) -> bool {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(hour.0) >= Duration::from_secs(3600) {
            *hour = (now, 0);
        }
        hour.1 += 1;
        hour.1 <= Self::AN_HOUR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_audit_log() {
        let log = FailureLog::default();
        let admitted = (0..10_000).filter(|_| log.admit(Duration::from_secs(5000))).count();
        assert_eq!(admitted, FailureLog::AN_HOUR as usize);
        assert!(log.admit(Duration::from_secs(9000)));
    }
}
