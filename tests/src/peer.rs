//! A device from the bytes up, which keeps no rule that the machine must keep: it believes any
//! certificate, comes from any source address, and sends what a test tells it to.
//!
//! It shares only the handshake's arithmetic (`pairpin_core::handshake`) with the real one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pairpin_core::handshake::{Channel, DeviceDetails, GrantReceived, MacKey, ResumeDraft, ScanDraft};
use pairpin_core::identity::{KeyPair, Pin, Signature};
use pairpin_core::secrets::{KeyKind, OfferSecret, RecognitionKey};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::{Closing, Envelope, Flow, Frame, Grant, Refusal, Welcome};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::http::{GOOD_FIRST_LINE, Head, good_headers, request};
use crate::process::DEADLINE;
use crate::tls;

/// A connection that has done TLS and nothing else.
#[derive(Debug)]
pub struct Peer {
    /// The encrypted stream.
    pub stream: TlsStream<TcpStream>,
    /// X and the pin.
    pub channel: Channel,
    /// What the machine showed.
    pub certificate: CertificateDer<'static>,
}

/// What a machine answers to a first message.
#[derive(Debug)]
pub enum Answer {
    /// The connection is a WebSocket now.
    Switched(Session),
    /// An answer with proofs, and its HTTP status.
    Told(u16, Envelope),
    /// What strangers get: the head, and how many bytes of body.
    Stranger(Head, usize),
}

impl Peer {
    /// Connects, from any address.
    ///
    /// # Errors
    /// Nobody is there, or it does not speak TLS.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?).await
    }

    /// Connects from a source address of one's own.
    ///
    /// # Errors
    /// Nobody is there, or it does not speak TLS.
    pub async fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<Self> {
        Self::over(tcp_from(source, address).await?).await
    }

    /// Does TLS over a connection.
    ///
    /// # Errors
    /// It does not speak TLS.
    pub async fn over(stream: TcpStream) -> io::Result<Self> {
        // As the real device: otherwise the request waits until the last of TLS is acknowledged.
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("pairpin").map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls::credulous()).connect(name, stream).await?;
        let connection = stream.get_ref().1;
        let shown = connection.peer_certificates().and_then(|list| list.first());
        let certificate = shown.ok_or_else(|| io::Error::other("no certificate"))?.clone().into_owned();
        let channel = tls::channel(connection, tls::pin_of(&certificate));
        Ok(Self { stream, channel, certificate })
    }

    /// The pin that the machine proved.
    pub fn pin(&self) -> Pin {
        self.channel.pin
    }

    /// Sends a good upgrade request with this message.
    ///
    /// # Errors
    /// The machine closed without an answer.
    pub async fn ask(self, flow: Flow, envelope: &Envelope) -> io::Result<Answer> {
        self.ask_bytes(&request(GOOD_FIRST_LINE, &good_headers(flow, envelope))).await
    }

    /// Sends any bytes in place of an upgrade request.
    ///
    /// # Errors
    /// The machine closed without an answer.
    pub async fn ask_bytes(mut self, bytes: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(bytes).await?;
        let mut head = within(Head::read(&mut self.stream)).await??;
        match head.status() {
            101 => Ok(Answer::Switched(Session::over(self.stream, std::mem::take(&mut head.rest)).await)),
            status => {
                let body = within(head.body(&mut self.stream)).await??;
                match serde_json::from_slice(&body) {
                    Ok(envelope) => Ok(Answer::Told(status, envelope)),
                    Err(_) => Ok(Answer::Stranger(head, body.len())),
                }
            }
        }
    }
}

/// Opens a TCP connection from a source address of one's own.
///
/// # Errors
/// Nobody is there.
pub async fn tcp_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(address).await
}

/// Waits with the deadline of all tests.
///
/// # Errors
/// It passed.
pub async fn within<T>(future: impl Future<Output = T>) -> io::Result<T> {
    timeout(DEADLINE, future)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer before the deadline"))
}

/// A WebSocket to the machine.
#[derive(Debug)]
pub struct Session {
    // Boxed: it is large, and an `Answer` may hold one.
    socket: Box<WebSocketStream<TlsStream<TcpStream>>>,
}

/// What comes over a [`Session`].
#[derive(Debug)]
pub enum Event {
    /// A frame.
    Frame(Frame),
    /// The machine closed, with this code where it gave one.
    Closed(Option<u16>),
}

impl Session {
    async fn over(stream: TlsStream<TcpStream>, rest: Vec<u8>) -> Self {
        Self { socket: Box::new(WebSocketStream::from_partially_read(stream, rest, Role::Client, None).await) }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let text = frame.encode().map_err(io::Error::other)?;
        self.socket.send(Message::text(text)).await.map_err(io::Error::other)
    }

    /// The next frame, or the end. Pings are answered on the way.
    ///
    /// # Errors
    /// Neither came before the deadline.
    pub async fn next(&mut self) -> io::Result<Event> {
        self.next_within(DEADLINE).await
    }

    /// The next frame, or the end, within a time of one's own.
    ///
    /// # Errors
    /// Neither came before it.
    pub async fn next_within(&mut self, time: Duration) -> io::Result<Event> {
        let wait = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Frame::decode(&text).map(Event::Frame).map_err(io::Error::other);
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Ok(Event::Closed(frame.map(|frame| frame.code.into())));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Ok(Event::Closed(None)),
                }
            }
        };
        timeout(time, wait).await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the session stays silent"))?
    }

    /// Waits for the end, passing over frames; gives the reason that was told and the close code.
    ///
    /// # Errors
    /// It did not come before the deadline.
    pub async fn end(&mut self) -> io::Result<(Option<Closing>, Option<u16>)> {
        let mut told = None;
        loop {
            match self.next().await? {
                Event::Frame(Frame::Closing(closing)) => told = Some(closing),
                Event::Frame(_) => {}
                Event::Closed(code) => return Ok((told, code)),
            }
        }
    }

    /// Asks the machine something and waits for the answer.
    ///
    /// # Errors
    /// The connection closed instead.
    pub async fn call(
        &mut self,
        method: &str,
        params: serde_json::Value,
    ) -> io::Result<Result<serde_json::Value, (i64, String)>> {
        self.send(&Frame::Request { id: 7, method: method.to_owned(), params }).await?;
        loop {
            match self.next().await? {
                Event::Frame(Frame::Answer { id: 7, result }) => return Ok(result),
                Event::Frame(_) => {}
                Event::Closed(code) => return Err(io::Error::other(format!("closed ({code:?}) before the answer"))),
            }
        }
    }
}

/// How a try to pair or to reconnect ended without what was wanted.
#[derive(Debug)]
pub enum Refused {
    /// As a stranger.
    Stranger,
    /// With a cause, under proof.
    Told(Refusal),
    /// The connection was closed without an answer.
    Closed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Closed(error)
    }
}

/// A device key with its name.
#[derive(Debug)]
pub struct Identity {
    /// The session key.
    pub key: KeyPair,
    /// What it says of itself.
    pub details: DeviceDetails,
}

impl Identity {
    /// A new device.
    ///
    /// # Panics
    /// No random bytes.
    pub fn new(name: &str) -> Self {
        let made = KeyPair::generate().and_then(|key| Ok((key.public_key()?, key)));
        let (public, key) = made.unwrap_or_else(|error| panic!("{error}"));
        let (name, platform) = (name.to_owned(), "a test".to_owned());
        Self { key, details: DeviceDetails { key: public, key_kind: KeyKind::File, name, platform } }
    }

    /// Signs.
    ///
    /// # Panics
    /// No random bytes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends Proof for an offer; gives the Grant, not acknowledged yet.
    ///
    /// # Errors
    /// It was refused.
    ///
    /// # Panics
    /// The machine answers what no machine may.
    pub async fn prove(&self, peer: Peer, secret: &OfferSecret) -> Result<(GrantReceived, Session), Refused> {
        let draft = ScanDraft::new(&peer.channel, MacKey::of_offer(secret), &self.details)
            .unwrap_or_else(|error| panic!("{error}"));
        let signature = self.sign(&draft.to_sign());
        let (proof, wait) = draft.signed(signature);
        let refused = |wait: pairpin_core::handshake::AwaitGrant, envelope: &Envelope| {
            Refused::Told(wait.refused(envelope).unwrap_or_else(|error| panic!("a refusal without proof: {error}")))
        };
        match peer.ask(Flow::Scan, &proof).await? {
            Answer::Stranger(..) => Err(Refused::Stranger),
            Answer::Told(_, envelope) => Err(refused(wait, &envelope)),
            Answer::Switched(mut session) => match session.next().await? {
                Event::Frame(Frame::Handshake(envelope)) => {
                    let grant =
                        wait.receive(&envelope).unwrap_or_else(|error| panic!("a Grant without proof: {error}"));
                    Ok((grant, session))
                }
                Event::Frame(Frame::Refused(envelope)) => Err(refused(wait, &envelope)),
                other => Err(Refused::Closed(io::Error::other(format!("no Grant but {other:?}")))),
            },
        }
    }

    /// Pairs: Proof, Grant, acknowledgement and its answer.
    ///
    /// # Errors
    /// It was refused.
    pub async fn pair(&self, peer: Peer, secret: &OfferSecret) -> Result<(Grant, Session), Refused> {
        let (received, mut session) = self.prove(peer, secret).await?;
        acknowledge(&received, &mut session).await?;
        Ok((received.grant, session))
    }

    /// Reconnects.
    ///
    /// # Errors
    /// It was refused; [`Refused::Closed`] also where the machine could not prove R.
    ///
    /// # Panics
    /// The machine answers what no machine may.
    pub async fn resume(
        &self,
        peer: Peer,
        grant: &Grant,
        token: &SessionToken,
        recognition: &RecognitionKey,
    ) -> Result<(Welcome, Session), Refused> {
        let draft = ResumeDraft::new(&peer.channel, grant.device, token).unwrap_or_else(|error| panic!("{error}"));
        let signature = self.sign(&draft.to_sign());
        let (request, wait) = draft.signed(signature, recognition);
        let refused = |wait: pairpin_core::handshake::AwaitWelcome, envelope: &Envelope| match wait.refused(envelope) {
            Ok(refusal) => Refused::Told(refusal),
            Err(error) => Refused::Closed(io::Error::other(error)),
        };
        match peer.ask(Flow::Resume, &request).await? {
            Answer::Stranger(..) => Err(Refused::Stranger),
            Answer::Told(_, envelope) => Err(refused(wait, &envelope)),
            Answer::Switched(mut session) => match session.next().await? {
                Event::Frame(Frame::Handshake(envelope)) => match wait.receive(&envelope) {
                    Ok(welcome) => Ok((welcome, session)),
                    Err(error) => Err(Refused::Closed(io::Error::other(error))),
                },
                Event::Frame(Frame::Refused(envelope)) => Err(refused(wait, &envelope)),
                other => Err(Refused::Closed(io::Error::other(format!("no welcome but {other:?}")))),
            },
        }
    }
}

/// Acknowledges a Grant and waits for the answer, which alone is success.
///
/// # Errors
/// The machine refused or closed.
pub async fn acknowledge(received: &GrantReceived, session: &mut Session) -> io::Result<()> {
    let params = serde_json::to_value(received.acknowledge()).map_err(io::Error::other)?;
    match session.call("acknowledge", params).await? {
        Ok(_) => Ok(()),
        Err((code, message)) => Err(io::Error::other(format!("not acknowledged: {code} {message}"))),
    }
}
