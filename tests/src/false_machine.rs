//! A machine that is not what it claims: it shows a certificate, records what a device sends to it,
//! and answers as a test tells it to.
//!
//! It runs on a thread of its own, so that tests may block.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::SinkExt as _;
use pairpin_core::handshake::Channel;
use pairpin_core::wire::{Envelope, Flow, Frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::http::{Head, switching};
use crate::peer::Peer;
use crate::tls::{self, Identity};

/// What was seen at a false machine.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// TCP connections.
    pub connections: usize,
    /// TLS handshakes that the device carried to their end.
    pub handshakes: usize,
    /// Application bytes inside TLS: none, if the device checks the key first.
    pub bytes: Vec<u8>,
}

/// A false machine; gone when dropped.
#[derive(Debug)]
pub struct FalseMachine {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _stop: oneshot::Sender<()>,
}

/// One device at a false machine, after TLS.
#[derive(Debug)]
pub struct Visitor {
    stream: TlsStream<TcpStream>,
    /// X and the false machine's pin.
    pub channel: Channel,
    seen: Arc<Mutex<Seen>>,
}

/// What a false machine does with a device.
pub type Behaviour = Arc<dyn Fn(Visitor) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> + Send + Sync>;

impl FalseMachine {
    /// Starts one at an address.
    ///
    /// # Panics
    /// The address is taken.
    #[track_caller]
    pub fn start(address: SocketAddr, identity: &Identity, behaviour: Behaviour) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap_or(address);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = oneshot::channel();
        let acceptor = TlsAcceptor::from(identity.server());
        let (pin, record) = (identity.pin(), seen.clone());
        let serve = async move {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                note(&record, |seen| seen.connections += 1);
                let (acceptor, record, behaviour) = (acceptor.clone(), record.clone(), behaviour.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    note(&record, |seen| seen.handshakes += 1);
                    let channel = tls::channel(stream.get_ref().1, pin);
                    // It is for the device to fail, not for its false machine.
                    let _ = behaviour(Visitor { stream, channel, seen: record }).await;
                });
            }
        };
        thread::spawn(move || {
            let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    ended = serve => drop::<io::Result<()>>(ended),
                }
            });
        });
        Self { address, seen, _stop: stop }
    }

    /// What it has seen so far.
    ///
    /// # Panics
    /// Its thread has panicked.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(|error| panic!("{error}")).clone()
    }
}

fn note(seen: &Mutex<Seen>, change: impl FnOnce(&mut Seen)) {
    if let Ok(mut seen) = seen.lock() {
        change(&mut seen);
    }
}

impl Visitor {
    /// Reads the device's request.
    ///
    /// # Errors
    /// It sent none.
    pub async fn request(&mut self) -> io::Result<(Flow, Envelope, String)> {
        let head = Head::read(&mut self.stream).await?;
        note(&self.seen, |seen| seen.bytes.extend(head.raw.as_bytes()));
        let (flow, envelope) = head.envelope().ok_or_else(|| io::Error::other("no upgrade request"))?;
        Ok((flow, envelope, head.header("sec-websocket-key").unwrap_or_default().to_owned()))
    }

    /// Reads until the device closes, and answers nothing.
    ///
    /// # Errors
    /// The device closed without a goodbye.
    pub async fn listen(mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let read = self.stream.read(&mut bytes).await?;
            if read == 0 {
                return Ok(());
            }
            note(&self.seen, |seen| seen.bytes.extend(&bytes[..read]));
        }
    }

    /// Switches to WebSocket: what goes over the stream next is frames.
    ///
    /// # Errors
    /// The device closed.
    pub async fn switch(mut self, key: &str) -> io::Result<TlsStream<TcpStream>> {
        self.stream.write_all(&switching(key)).await?;
        Ok(self.stream)
    }

    /// Switches to WebSocket, sends one frame, and records what comes after it.
    ///
    /// # Errors
    /// The device closed.
    pub async fn switch_and_send(mut self, key: &str, frame: &Frame) -> io::Result<()> {
        self.stream.write_all(&switching(key)).await?;
        let mut socket = WebSocketStream::from_raw_socket(self.stream, Role::Server, None).await;
        let text = frame.encode().map_err(io::Error::other)?;
        socket.send(Message::text(text)).await.map_err(io::Error::other)?;
        use futures_util::StreamExt as _;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                note(&self.seen, |seen| seen.bytes.extend(text.as_bytes()));
            }
        }
        Ok(())
    }

    /// Answers with an envelope as a body, as a preview's answer is.
    ///
    /// # Errors
    /// The device closed.
    pub async fn answer(mut self, status: u16, envelope: &Envelope) -> io::Result<()> {
        let body = serde_json::to_string(envelope).map_err(io::Error::other)?;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        self.stream.write_all(format!("{head}{body}").as_bytes()).await?;
        self.stream.shutdown().await
    }

    /// Passes everything on to the real machine and back: a middle with two channels.
    ///
    /// # Errors
    /// Either side closed.
    pub async fn relay(mut self, machine: SocketAddr) -> io::Result<()> {
        let mut machine = Peer::connect(machine).await?;
        tokio::io::copy_bidirectional(&mut self.stream, &mut machine.stream).await?;
        Ok(())
    }
}

/// A behaviour from an async function.
pub fn behaviour<F, T>(act: F) -> Behaviour
where
    F: Fn(Visitor) -> T + Send + Sync + 'static,
    T: Future<Output = io::Result<()>> + Send + 'static,
{
    Arc::new(move |visitor| Box::pin(act(visitor)))
}

/// It listens and says nothing.
pub fn silent() -> Behaviour {
    behaviour(Visitor::listen)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use pairpin_core::handshake::{AwaitPreview, MacKey};
    use pairpin_core::identity::KeyPair;
    use pairpin_core::secrets::OfferSecret;

    use super::*;
    use crate::block_on;
    use crate::peer::{Answer, Event};

    const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    #[test]
    fn it_sees_what_a_peer_sends_and_answers_as_told() {
        let key = KeyPair::generate().unwrap();
        let act = behaviour(|mut visitor| async move {
            let (flow, envelope, key) = visitor.request().await?;
            assert_eq!(flow, Flow::Preview);
            visitor.switch_and_send(&key, &Frame::Handshake(envelope)).await
        });
        let machine = FalseMachine::start(ANYWHERE.into(), &Identity::of(&key), act);
        block_on(async {
            let peer = Peer::connect(machine.address).await.unwrap();
            assert_eq!(peer.pin(), Identity::of(&key).pin());
            let offer = MacKey::of_offer(&OfferSecret::generate().unwrap());
            let (request, _) = AwaitPreview::request(&peer.channel, offer, None).unwrap();
            let Ok(Answer::Switched(mut session)) = peer.ask(Flow::Preview, &request).await else { panic!() };
            let Ok(Event::Frame(Frame::Handshake(echo))) = session.next().await else { panic!() };
            assert!(echo == request, "headers lost something of the message or its proofs");
        });
        assert!(machine.seen().bytes.starts_with(b"GET /rpc HTTP/1.1\r\n"));
    }

    #[test]
    fn a_copied_certificate_proves_nothing() {
        let (owner, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = Identity::of(&owner).certificate;
        let machine = FalseMachine::start(ANYWHERE.into(), &Identity::copied(certificate, &thief), silent());
        // Even a client that believes any certificate wants to see its key at work.
        assert!(block_on(Peer::connect(machine.address)).is_err());
        assert_eq!(machine.seen().connections, 1);
    }
}
