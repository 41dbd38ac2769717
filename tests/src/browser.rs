//! A real browser, and what a hostile page needs: a server for the page, to which it also reports, and
//! a WebSocket server with a library's defaults, which such a page can open (the control). Used by
//! `tests/browser.rs`.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use pairpin_core::identity::KeyPair;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::scratch;
use crate::tls::Identity;

/// A browser takes its time on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

/// The name under which the page was loaded, and to which the machine's address is bound then.
pub const NAME: &str = "attacker.example";

/// Chromium, showing one page. Ended, by its own id, when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens a page in a new profile, [`NAME`] being at `address`, and every certificate believed: all
    /// that could be in an attacker's favour.
    ///
    /// # Panics
    /// There is no Chromium.
    #[track_caller]
    pub fn open(page: &str, address: IpAddr) -> Self {
        let profile = scratch::directory();
        let mut command = Command::new("chromium");
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-dev-shm-usage", "--no-proxy-server", "--ignore-certificate-errors"]);
        command.arg(format!("--host-resolver-rules=MAP {NAME} {address}"));
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display())).arg(page);
        command.env("HOME", profile.path()).env("XDG_RUNTIME_DIR", profile.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("chromium did not start ({error}), run: cargo xtask test --layer browser");
        });
        Self { child, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves one page at `/`, and takes what it posts to `/report`.
#[derive(Debug)]
pub struct Site {
    /// Where it is.
    pub address: SocketAddr,
    reports: Receiver<Value>,
}

impl Site {
    /// Serves a page at an address, on any port.
    ///
    /// # Panics
    /// The address cannot be used.
    #[track_caller]
    pub fn serve(address: IpAddr, page: String) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let (sender, reports) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, sender) = (page.clone(), sender.clone());
                thread::spawn(move || {
                    if let Ok(Some(report)) = answer(stream, &page) {
                        let _ = sender.send(report);
                    }
                });
            }
        });
        Self { address, reports }
    }

    /// What the page has to say.
    ///
    /// # Panics
    /// It says nothing before the deadline.
    #[track_caller]
    pub fn report(&self) -> Value {
        self.reports.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("the page says nothing: {error}"))
    }
}

/// Answers one request; gives what was posted.
fn answer(stream: TcpStream, page: &str) -> io::Result<Option<Value>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, text) = if first.starts_with("GET / ") { ("200 OK", page) } else { ("404 Not Found", "") };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )?;
    Ok(if first.starts_with("POST /report ") { serde_json::from_slice(&body).ok() } else { None })
}

/// A WebSocket server as a library makes it: any page may come. It answers what it is sent, and keeps
/// the requests, as bytes to be sent again.
#[derive(Debug)]
pub struct OpenServer {
    /// Where it is.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl OpenServer {
    /// Starts one at an address, on any port, with a certificate signed by its own key as a machine's is.
    ///
    /// # Panics
    /// The address cannot be used.
    #[track_caller]
    pub fn start(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let key = KeyPair::generate().unwrap_or_else(|error| panic!("{error}"));
        let acceptor = TlsAcceptor::from(Identity::of(&key).server());
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = requests.clone();
        let serve = async move {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(attend(acceptor.clone(), stream, seen.clone()));
            }
        };
        thread::spawn(move || {
            let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() else { return };
            drop::<io::Result<()>>(runtime.block_on(serve));
        });
        Self { address, requests }
    }

    /// The requests so far.
    ///
    /// # Panics
    /// Its thread has panicked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(|error| panic!("{error}")).clone()
    }
}

async fn attend(acceptor: TlsAcceptor, stream: tokio::net::TcpStream, seen: Arc<Mutex<Vec<String>>>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    // No more than the library's default, but for a subprotocol, which a browser wants to be answered.
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let agree = |request: &Request, mut response: Response| {
        if let Some(wanted) = request.headers().get("sec-websocket-protocol") {
            response.headers_mut().insert("sec-websocket-protocol", wanted.clone());
        }
        let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
        }
        if let Ok(mut seen) = seen.lock() {
            seen.push(text + "\r\n");
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, agree).await else { return };
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        if socket.send(Message::text(format!("you said {text}"))).await.is_err() {
            return;
        }
    }
}
