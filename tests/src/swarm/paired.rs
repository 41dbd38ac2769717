//! A paired device on the network: the device engine's own code for TLS, upgrade and frames, without
//! its files. It dials from an address of its choice, so that one machine can be many sources.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pairpin_core::handshake::{KnownKeys, ResumeDraft};
use pairpin_core::identity::{DeviceId, KeyPair, Pin};
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls::{self, PinCheck, TlsError};
use pairpin_core::net::upgrade::{self, Response};
use pairpin_core::secrets::RecognitionKey;
use pairpin_core::token::SessionToken;
use pairpin_core::wire::{CloseCode, DeviceEvent, Envelope, Flow, Frame, Refusal, RefusalCode, Welcome};
use serde_json::Value;
use tokio::time::timeout;

use super::keys::Keys;
use crate::machine::Machine;
use crate::peer::tcp_from;

/// How long one step of a dial may take before it counts as failed.
pub const STEP: Duration = Duration::from_secs(10);

/// Where the machine is, and what key it must prove.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// Its address.
    pub address: SocketAddr,
    /// Its pin, for who has no row on it; a paired device goes by its own [`Keys`].
    pub pin: Pin,
    /// Whether it asks for a proof and answers with a welcome. The broken twin does not.
    pub guarded: bool,
}

impl Door {
    /// The door of a machine that runs.
    #[track_caller]
    pub fn of(machine: &Machine) -> Self {
        Self { address: machine.address, pin: machine.pin(), guarded: true }
    }
}

/// A paired device.
#[derive(Debug)]
pub struct Paired {
    /// Its number: it is called `device N`.
    pub number: usize,
    /// Its session key.
    pub key: KeyPair,
    /// Its id.
    pub device: DeviceId,
    /// Its token.
    pub token: SessionToken,
    /// R.
    pub recognition: RecognitionKey,
    /// What it knows of the machine's keys.
    pub keys: Keys,
}

/// A session, with the request numbers it has used.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub socket: Socket,
    next: u64,
    /// Whose it is, and the keys that it goes under.
    under: Option<(Keys, KnownKeys)>,
}

/// How a dial or a request ended without what was wanted.
#[derive(Debug)]
pub enum Lost {
    /// Cut off: nobody there, no room, or the connection was closed.
    Cut(io::Error),
    /// Refused with a cause, under proof.
    Told(Box<Refusal>),
    /// Refused as a stranger.
    Stranger,
    /// A hard stop for a device that knew these: another key, or the announced one without its change.
    Stopped(KnownKeys),
}

impl Lost {
    /// The cause, where the machine told one.
    pub fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Told(refusal) => Some(refusal.code),
            Self::Cut(_) | Self::Stranger | Self::Stopped(_) => None,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Lost {
    fn from(error: E) -> Self {
        Self::Cut(io::Error::other(error))
    }
}

impl Paired {
    /// The name under which the machine lists it.
    pub fn name(&self) -> String {
        format!("device {}", self.number)
    }

    /// Reconnects from `source`.
    ///
    /// # Errors
    /// See [`Lost`].
    pub async fn dial(&self, door: Door, source: Ipv4Addr) -> Result<Session, Lost> {
        self.dial_for(door, source).await.map(|(session, _)| session)
    }

    /// The same; gives the welcome too, where the machine is one that gives any.
    ///
    /// # Errors
    /// See [`Lost`].
    pub async fn dial_for(&self, door: Door, source: Ipv4Addr) -> Result<(Session, Option<Welcome>), Lost> {
        let tcp = timeout(STEP, tcp_from(source, door.address)).await??;
        let known = self.keys.known();
        // The announced key too: it may have slept through the change to it.
        let pins = if door.guarded { [known.pin].into_iter().chain(known.next_pin).collect() } else { vec![door.pin] };
        let (mut stream, channel) = match tls::connect(tcp, PinCheck::Exact(pins), STEP).await {
            Err(TlsError::WrongKey { .. }) if door.guarded => return Err(Lost::Stopped(known)),
            connected => connected?,
        };
        let pin = channel.pin;
        let draft = ResumeDraft::new(&channel, self.device, &self.token)?;
        let signature = self.key.sign(&draft.to_sign())?;
        let (envelope, wait) = draft.signed(signature, &self.recognition);
        match timeout(STEP, upgrade::request(&mut stream, Flow::Resume, &envelope)).await?? {
            Response::Switched => {
                let mut session = Session::over(Socket::device(stream).await);
                if !door.guarded {
                    return Ok((session, None));
                }
                let answer = timeout(STEP, session.handshake()).await??;
                let welcome = wait.receive(&answer)?;
                let under = self.keys.welcomed(known, pin, &welcome).ok_or(Lost::Stopped(known))?;
                session.under = Some((self.keys.clone(), under));
                Ok((session, Some(welcome)))
            }
            Response::Refused(envelope) => {
                let refusal = wait.refused(&envelope)?;
                match self.keys.refused(known, pin, refusal.rotated.as_deref()) || !door.guarded {
                    true => Err(Lost::Told(Box::new(refusal))),
                    false => Err(Lost::Stopped(known)),
                }
            }
            Response::Stranger { .. } if door.guarded && pin != known.pin => Err(Lost::Stopped(known)),
            Response::Stranger { .. } => Err(Lost::Stranger),
            Response::Answered(_) => Err(Lost::Cut(io::Error::other("answered instead of welcomed"))),
        }
    }
}

impl Session {
    /// One on a connection that has been welcomed, or has paired.
    pub fn over(socket: Socket) -> Self {
        Self { socket, next: 0, under: None }
    }

    /// The same, of a device that knows these keys, which are those of the connection too.
    pub fn under(socket: Socket, keys: &Keys) -> Self {
        Self { under: Some((keys.clone(), keys.known())), ..Self::over(socket) }
    }

    /// The keys of the connection, which do not change with the machine's; `None` where it is a bare one.
    pub fn keys(&self) -> Option<KnownKeys> {
        self.under.as_ref().map(|(_, keys)| *keys)
    }

    /// The next that comes; follows what it tells of the machine's key.
    async fn recv(&mut self) -> Result<Option<Incoming>, Lost> {
        let come = self.socket.recv().await?;
        if let (Some(Incoming::Frame(Frame::Event(DeviceEvent::KeyRotated { rotate }))), Some((keys, _))) =
            (&come, &self.under)
        {
            keys.told(rotate);
        }
        Ok(come)
    }

    /// Asks for something, and waits for its answer or its refusal; passes over what comes between.
    ///
    /// # Errors
    /// The connection was lost, or ended without an answer.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Result<Value, (i64, String)>, Lost> {
        self.next += 1;
        let (id, method) = (self.next, method.to_owned());
        self.socket.send(Frame::Request { id, method, params }).await?;
        loop {
            match self.recv().await? {
                Some(Incoming::Frame(Frame::Answer { id: of, result })) if of == id => return Ok(result),
                Some(Incoming::Closed { .. }) | None => {
                    return Err(Lost::Cut(io::Error::other("closed in place of an answer")));
                }
                Some(_) => {}
            }
        }
    }

    async fn handshake(&mut self) -> Result<Envelope, Lost> {
        match self.recv().await? {
            Some(Incoming::Frame(Frame::Handshake(envelope))) => Ok(envelope),
            other => Err(Lost::Cut(io::Error::other(format!("no welcome but {other:?}")))),
        }
    }

    /// Sends a request that every machine answers: it does not know it. Gives its number.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn ask(&mut self) -> Result<u64, Lost> {
        self.next += 1;
        let request = Frame::Request { id: self.next, method: "ping".to_owned(), params: Value::Null };
        self.socket.send(request).await?;
        Ok(self.next)
    }

    /// The next answer's number; `None` where the connection has ended instead.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn answer(&mut self) -> Result<Option<u64>, Lost> {
        loop {
            match self.recv().await? {
                Some(Incoming::Frame(Frame::Answer { id, .. })) => return Ok(Some(id)),
                Some(Incoming::Closed { .. }) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// The connection was lost, or ended without the answer.
    pub async fn round_trip(&mut self) -> Result<(), Lost> {
        let asked = self.ask().await?;
        match self.answer().await? {
            Some(answered) if answered == asked => Ok(()),
            other => Err(Lost::Cut(io::Error::other(format!("{other:?} in place of answer {asked}")))),
        }
    }

    /// Reads to the connection's end, answering its heartbeat.
    pub async fn end(&mut self) {
        while let Ok(Some(_)) = self.recv().await {}
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.socket.close(CloseCode::Stopping, "").await;
    }
}
