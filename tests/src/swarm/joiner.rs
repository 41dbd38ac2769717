//! A device without an offer that asks to be let in, by the device's own network code and without its files.
//! From [`ask`] to [`Typed::acknowledge`] it is what `pairpin join HOST` does; what people do in between is the test's.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use pairpin_core::handshake::{DeviceDetails, JoinDraft, JoinHeld, JoinWaiting, KnownKeys};
use pairpin_core::identity::{DeviceId, KeyPair, Pin, PublicKey};
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls::{self, PinCheck};
use pairpin_core::net::upgrade::{self, Response};
use pairpin_core::secrets::{KeyKind, random_bytes};
use pairpin_core::wire::{Envelope, Flow, Frame, JoinFresh};
use serde_json::Value;
use tokio::time::timeout;

use super::keys::Keys;
use super::paired::{Door, Lost, Paired, STEP, Session};
use crate::peer::tcp_from;

/// It has asked: its number and QR stand on its screen.
#[derive(Debug)]
pub struct Asked {
    /// What its screen shows.
    pub waiting: JoinWaiting,
    /// Its public key.
    pub public: PublicKey,
    key: KeyPair,
    pin: Pin,
    socket: Socket,
}

/// Somebody let it in; nobody has typed the digits.
#[derive(Debug)]
pub struct Held {
    /// What was granted.
    pub held: JoinHeld,
    key: KeyPair,
    pin: Pin,
    socket: Socket,
}

/// Somebody typed the digits: it stores what it was granted, and is about to say so.
#[derive(Debug)]
pub struct Typed {
    /// What it is now, if the machine takes its acknowledgement.
    pub paired: Paired,
    acknowledge: Value,
    session: Session,
}

/// Asks, from an address of its choice.
///
/// # Errors
/// See [`Lost`].
pub async fn ask(door: Door, source: Ipv4Addr, name: &str) -> Result<Asked, Lost> {
    let key = KeyPair::generate()?;
    let public = key.public_key()?;
    let details =
        DeviceDetails { key: public, key_kind: KeyKind::File, name: name.to_owned(), platform: "a test".to_owned() };
    let tcp = timeout(STEP, tcp_from(source, door.address)).await??;
    let (mut stream, channel) = tls::connect(tcp, PinCheck::Provisional, STEP).await?;
    let (commit, wait) = JoinDraft::new(&channel, &details, JoinFresh::from_bytes(random_bytes()?))?;
    match timeout(STEP, upgrade::request(&mut stream, Flow::Join, &commit)).await?? {
        Response::Switched => {}
        Response::Stranger { .. } => return Err(Lost::Stranger),
        other => return Err(Lost::Cut(io::Error::other(format!("no nonce but {other:?}")))),
    }
    let mut socket = Socket::device(stream).await;
    let nonce = timeout(STEP, message(&mut socket)).await??;
    let signing = wait.receive(&nonce)?;
    let signature = key.sign(&signing.to_sign())?;
    let (reveal, waiting) = signing.signed(signature);
    socket.send(Frame::Handshake(reveal)).await?;
    Ok(Asked { waiting, public, key, pin: channel.pin, socket })
}

impl Asked {
    /// Waits for the Grant, at most that long.
    ///
    /// # Errors
    /// It was denied, or its time is over: [`Lost::Told`]. Or the connection was lost.
    pub async fn granted(mut self, time: Duration) -> Result<Held, Lost> {
        loop {
            match timeout(time, self.socket.recv()).await?? {
                Some(Incoming::Frame(Frame::Handshake(grant))) => {
                    let held = self.waiting.receive(&grant)?;
                    return Ok(Held { held, key: self.key, pin: self.pin, socket: self.socket });
                }
                Some(Incoming::Frame(Frame::Refused(refused))) => {
                    return Err(Lost::Told(Box::new(self.waiting.refused(&refused)?)));
                }
                Some(Incoming::Closed { .. }) | None => {
                    return Err(Lost::Cut(io::Error::other("closed in place of a Grant")));
                }
                Some(_) => {}
            }
        }
    }
}

impl Held {
    /// The four digits were typed. `None`: they are not the ones, and nothing is sent.
    pub fn typed(self, digits: &str) -> Option<Typed> {
        let received = self.held.typed(digits).ok()?;
        let acknowledge = serde_json::to_value(received.acknowledge()).ok()?;
        let grant = received.grant;
        let (device, token, recognition) = (grant.device, grant.token, grant.recognition_key);
        let (machine, pin, next_pin, epoch) = (grant.machine, self.pin, Some(grant.next_pin), grant.epoch);
        let keys = Keys::scanned(KnownKeys { machine, pin, next_pin, epoch });
        let session = Session::under(self.socket, &keys);
        let paired = Paired { number: 0, key: self.key, device, token, recognition, keys };
        Some(Typed { paired, acknowledge, session })
    }

    /// The id that it has if it is let in.
    ///
    /// # Panics
    /// Its key is none.
    pub fn device(&self) -> DeviceId {
        DeviceId::of(&self.key.public_key().unwrap_or_else(|error| panic!("{error}")))
    }
}

impl Typed {
    /// Acknowledges, and waits for the answer. It is a device like any other where that is one; where the
    /// connection was lost it may be.
    pub async fn acknowledge(mut self, time: Duration) -> (Paired, Result<Session, Lost>) {
        let acknowledged = async {
            match timeout(time, self.session.call("acknowledge", self.acknowledge)).await?? {
                Ok(_) => Ok(self.session),
                Err((code, text)) => Err(Lost::Cut(io::Error::other(format!("not acknowledged: {code} {text}")))),
            }
        };
        let acknowledged = acknowledged.await;
        (self.paired, acknowledged)
    }
}

async fn message(socket: &mut Socket) -> Result<Envelope, Lost> {
    match socket.recv().await? {
        Some(Incoming::Frame(Frame::Handshake(envelope))) => Ok(envelope),
        other => Err(Lost::Cut(io::Error::other(format!("no message but {other:?}")))),
    }
}
