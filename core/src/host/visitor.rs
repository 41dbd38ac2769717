//! Somebody on an accepted TLS connection who has sent a request, and what may be said to them.
//!
//! `accept` makes a [`Visitor`] and hands it to the flow that the request names.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::proven::Proof;
use super::rotation::Identity;
use super::shared::Shared;
use crate::handshake::{Channel, HandshakeError};
use crate::net::BoxedStream;
use crate::net::limited::Limit;
use crate::net::socket::{Socket, SocketError};
use crate::net::upgrade::{self, Answer, UpgradeRequest};
use crate::store::StoreError;
use crate::wire::{Envelope, limits};

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

/// What a connection is: its bounds depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody knows who it is.
    Stranger,
    /// It has proven something.
    Proven(Proof),
    /// A paired device's session.
    Session,
}

/// Somebody on an accepted TLS connection who has sent a request.
pub(super) struct Visitor {
    pub(super) shared: Arc<Shared>,
    /// The key under which this connection came in, whatever is changed since.
    pub(super) identity: Arc<Identity>,
    pub(super) channel: Channel,
    pub(super) from: IpAddr,
    pub(super) to: Option<IpAddr>,
    pub(super) limit: Limit,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) stream: Mutex<Option<BoxedStream>>,
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

    /// The address of ours that it came to.
    pub(super) fn to(&self) -> Option<IpAddr> {
        self.to
    }

    /// It has proven something: a stranger's bounds do not hold for it any more.
    pub(super) fn promote(&self, proof: Proof) {
        self.limit.lift();
        self.standing.send_replace(Standing::Proven(proof));
    }

    /// It is a session now, which has bounds of its own.
    pub(super) fn settle(&self) {
        self.standing.send_replace(Standing::Session);
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
