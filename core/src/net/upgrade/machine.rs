//! The machine's side of the upgrade.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use zeroize::Zeroizing;

use super::{FLOW, HEAD, HEADERS, Headers, MAC, MESSAGE, RECOGNITION, SIGNATURE, VERSIONS, head_end, lines_are_strict};
use crate::identity::Signature;
use crate::wire::{Envelope, Flow, HOST, Mac, PATH, SUBPROTOCOL, VERSION, limits};

/// A well-formed request for the upgrade. Nothing in it has been proven yet.
#[derive(Debug)]
pub struct UpgradeRequest {
    /// Which exchange it begins.
    pub flow: Flow,
    /// The first message and the proofs beside it.
    pub envelope: Envelope,
    /// What the 101 says in Sec-WebSocket-Accept.
    pub accept_key: String,
}

/// What came is no request of a device. Every cause gets the same answer, [`refuse_stranger`]; the
/// text is for a log line at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no request of a device: {0}")]
pub struct Stranger(pub &'static str);

/// What [`answer`] says in place of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200: a preview.
    Preview,
    /// 200: what a recovery sheet asked for is done.
    Done,
    /// 403: a refusal whose cause is told, with its MAC.
    Refusal,
}

/// Reads a device's request. Reads no further than the head: a device sends nothing after it before
/// the answer. The deadline is the caller's.
///
/// # Errors
/// [`Stranger`]: anything is off. Answer with [`refuse_stranger`].
pub async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Result<UpgradeRequest, Stranger> {
    // A resume request holds a token: neither buffer outlives this call unwiped.
    let mut head = Zeroizing::new(Vec::with_capacity(HEAD));
    let mut chunk = Zeroizing::new([0; 2048]);
    let end = loop {
        let room = chunk.len().min(HEAD - head.len());
        if room == 0 {
            return Err(Stranger("the head is too long"));
        }
        let read = stream.read(&mut chunk[..room]).await.map_err(|_| Stranger("the connection failed"))?;
        if read == 0 {
            return Err(Stranger("it went away"));
        }
        let searched = head.len();
        head.extend_from_slice(&chunk[..read]);
        if let Some(end) = head_end(&head, searched) {
            break end;
        }
    };
    if end != head.len() {
        return Err(Stranger("bytes follow the head"));
    }
    parse(&head)
}

fn parse(head: &[u8]) -> Result<UpgradeRequest, Stranger> {
    let mut raw = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut raw);
    if !lines_are_strict(head) || !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Err(Stranger("not HTTP/1.1"));
    }
    if request.method != Some("GET") || request.path != Some(PATH) || request.version != Some(1) {
        return Err(Stranger("another method, path or version"));
    }
    let headers = Headers::read(request.headers).ok_or(Stranger("a header twice, or not ASCII"))?;
    if headers.get("Host") != Some(HOST) || headers.get("Origin").is_some() {
        return Err(Stranger("the Host of something else, or an Origin"));
    }
    let body = ["Content-Length", "Transfer-Encoding", "Expect", "Trailer", "TE"];
    if body.iter().any(|name| headers.get(name).is_some()) {
        return Err(Stranger("a body"));
    }
    let upgrade = headers.is("Upgrade", "websocket") && headers.is("Connection", "Upgrade");
    let key = headers.get("Sec-WebSocket-Key").filter(|key| is_websocket_key(key));
    let (true, true, Some(SUBPROTOCOL), Some(key)) =
        (upgrade, headers.is("Sec-WebSocket-Version", "13"), headers.get("Sec-WebSocket-Protocol"), key)
    else {
        return Err(Stranger("not this WebSocket"));
    };
    let flow = headers.get(FLOW).and_then(Flow::parse).ok_or(Stranger("no flow"))?;
    let envelope = read_envelope(&headers).ok_or(Stranger("no message, or a proof in another form"))?;
    Ok(UpgradeRequest { flow, envelope, accept_key: derive_accept_key(key.as_bytes()) })
}

/// RFC 6455 section 4.1: 16 bytes in base64.
fn is_websocket_key(key: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

fn read_envelope(headers: &Headers<'_>) -> Option<Envelope> {
    let message = headers.get(MESSAGE)?;
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if message.is_empty() || message.len() > limits::MESSAGE || !message.bytes().all(base64url) {
        return None;
    }
    Some(Envelope {
        message: message.to_owned(),
        mac: headers.bytes(MAC)?.map(Mac::from_bytes),
        signature: headers.bytes(SIGNATURE)?.map(Signature::from_bytes),
        recognition: headers.bytes(RECOGNITION)?.map(Mac::from_bytes),
    })
}

/// Refuses a stranger and ends the connection: byte for byte the same for every cause. It names the
/// versions this build speaks, so that a device of another version can say which side is old.
///
/// # Errors
/// The connection failed; drop it.
pub async fn refuse_stranger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let response =
        format!("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n{VERSIONS}: {VERSION}\r\n\r\n");
    stream.write_all(response.as_bytes()).await?;
    super::super::finish(stream).await
}

/// Grants the upgrade. The next bytes in both directions are WebSocket frames.
///
/// # Errors
/// The connection failed; drop it.
pub async fn accept<S: AsyncWrite + Unpin>(stream: &mut S, request: &UpgradeRequest) -> io::Result<()> {
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        request.accept_key
    );
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await
}

/// Answers without an upgrade, with the envelope as the body, and ends the connection.
///
/// # Errors
/// The connection failed; drop it.
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    answer: Answer,
    envelope: &Envelope,
) -> io::Result<()> {
    let status = match answer {
        Answer::Preview | Answer::Done => "200 OK",
        Answer::Refusal => "403 Forbidden",
    };
    let body = Zeroizing::new(serde_json::to_string(envelope).map_err(io::Error::other)?);
    let response = Zeroizing::new(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.len(),
        *body
    ));
    stream.write_all(response.as_bytes()).await?;
    super::super::finish(stream).await
}
