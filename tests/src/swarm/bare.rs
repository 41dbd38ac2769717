//! A TLS server with nothing of pairpin's rules: no gate, no deadlines, no proof. It is what our
//! figures are compared with (the same TLS, the same WebSocket, the same provider), and, with the
//! library's limits or a costly greeting, the broken twins that the judge of floods must catch.
//!
//! It runs in a process of its own, so that its memory can be told from the load's: `bare MODE
//! ADDRESS`, by the program of that name or the benchmarks' driver.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use pairpin_core::identity::{KeyPair, Pin};
use pairpin_core::net::tls;
use pairpin_core::wire::{Frame, SUBPROTOCOL, limits};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::paired::Door;
use crate::block_on;
use crate::process::Background;

/// What it does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// TLS, then reads.
    Tls,
    /// TLS and a WebSocket with our buffers; answers requests.
    WebSocket,
    /// As that with the library's buffers and no limits on what it takes in.
    Hoarding,
    /// As the one before the last, with some milliseconds of work for whoever comes, before anything
    /// is known of them.
    Costly,
}

impl Mode {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
            Self::Hoarding => "hoarding",
            Self::Costly => "costly",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Tls, Self::WebSocket, Self::Hoarding, Self::Costly].into_iter().find(|mode| mode.word() == word)
    }

    fn config(self) -> WebSocketConfig {
        match self {
            Self::Hoarding => WebSocketConfig::default().max_message_size(None).max_frame_size(None),
            // As `pairpin_core::net::socket` has them.
            _ => WebSocketConfig::default()
                .read_buffer_size(1024)
                .write_buffer_size(0)
                .max_write_buffer_size(2 * limits::FRAME)
                .max_message_size(Some(limits::FRAME))
                .max_frame_size(Some(limits::FRAME)),
        }
    }
}

/// One that runs.
#[derive(Debug)]
pub struct Bare {
    /// Its process.
    pub process: Background,
    /// Where it is.
    pub door: Door,
}

impl Bare {
    /// Starts one: `program MODE ADDRESS` must lead to [`serve`].
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start(program: &Path, mode: Mode, address: SocketAddr) -> Self {
        Self::start_by(&[], program, mode, address)
    }

    /// The same, started by another program with its arguments.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start_by(starter: &[String], program: &Path, mode: Mode, address: SocketAddr) -> Self {
        let mut command = match starter {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(["bare", mode.word(), &address.to_string()]);
        let mut process = Background::start(&mut command, None);
        let line = process.line("pin", |line| line.starts_with("pin "));
        let pin: Option<Pin> = line.strip_prefix("pin ").and_then(|text| serde_json::from_str(text).ok());
        let pin = pin.unwrap_or_else(|| panic!("no pin in {line}"));
        Self { process, door: Door { address, pin, guarded: false } }
    }
}

/// The process: listens, says its pin, and serves until it is killed.
///
/// # Errors
/// It cannot listen.
///
/// # Panics
/// It cannot make a key.
pub fn serve(mode: Mode, address: SocketAddr) -> io::Result<()> {
    let key = KeyPair::generate().unwrap_or_else(|error| panic!("{error}"));
    let pin = tls::spki_pin(&key).map_err(io::Error::other)?;
    let config = tls::machine_config(&key, 1_800_000_000_000).map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(config);
    block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("pin {}", serde_json::to_string(&pin).map_err(io::Error::other)?);
        io::stdout().flush()?;
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => drop(tokio::spawn(connection(mode, acceptor.clone(), tcp))),
                // Out of files: as a server that knows no limits would.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
}

async fn connection(mode: Mode, acceptor: TlsAcceptor, tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    if mode == Mode::Costly {
        work(Duration::from_millis(15));
    }
    // Boxed, so that what only a handshake needs is given back.
    let mut stream = Box::new(acceptor.accept(tcp).await?);
    match mode {
        Mode::Tls => {
            let mut bytes = [0; 64];
            while stream.read(&mut bytes).await? > 0 {}
            Ok(())
        }
        Mode::WebSocket | Mode::Hoarding | Mode::Costly => Box::pin(web_socket(mode, stream)).await,
    }
}

/// A password hash, say, for whoever asks.
fn work(time: Duration) {
    let until = Instant::now() + time;
    let mut sum = 0_u64;
    while Instant::now() < until {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
    }
}

#[expect(clippy::result_large_err, reason = "tungstenite's type")]
async fn web_socket<S: AsyncRead + AsyncWrite + Unpin>(mode: Mode, stream: S) -> io::Result<()> {
    let choose = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Ok(value) = SUBPROTOCOL.parse() {
            response.headers_mut().insert("Sec-WebSocket-Protocol", value);
        }
        Ok(response)
    };
    let accepted = accept_hdr_async_with_config(stream, choose, Some(mode.config())).await;
    let mut socket = accepted.map_err(io::Error::other)?;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if let Ok(Frame::Request { id, .. }) = Frame::decode(&text) {
            let answer = Frame::Answer { id, result: Ok(Value::Bool(true)) };
            let answer = answer.encode().map_err(io::Error::other)?;
            socket.send(Message::text(answer)).await.map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// What a program's arguments ask for, if they ask for a bare server.
pub fn asked_for(arguments: &[String]) -> Option<(Mode, SocketAddr)> {
    match arguments {
        [word, mode, address] if word == "bare" => Some((Mode::parse(mode)?, address.parse().ok()?)),
        _ => None,
    }
}

/// A client's connection to it, with no more than TLS and the WebSocket: what a full connect costs at
/// the least.
///
/// # Errors
/// It is not there.
pub async fn connect(
    config: Arc<rustls::ClientConfig>,
    tcp: TcpStream,
) -> io::Result<tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    tcp.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::try_from("pairpin").map_err(io::Error::other)?;
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await?;
    let mut request = "wss://pairpin/rpc".into_client_request().map_err(io::Error::other)?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().map_err(io::Error::other)?);
    let config = Mode::WebSocket.config();
    let connected = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    connected.map(|(socket, _)| socket).map_err(io::Error::other)
}
