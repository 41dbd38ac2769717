//! The device's side of the upgrade.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use zeroize::Zeroizing;

use super::{BODY, FLOW, HEAD, HEADERS, Headers, VERSIONS, envelope_headers, lines_are_strict};
use crate::error::RandomError;
use crate::secrets::random_bytes;
use crate::wire::{Envelope, Flow, HOST, PATH, SUBPROTOCOL};

/// What a machine answered.
#[derive(Debug)]
pub enum Response {
    /// The upgrade is granted: the next bytes are WebSocket frames, none has been read yet.
    Switched,
    /// An answer without an upgrade: a preview.
    Answered(Envelope),
    /// A refusal that names its cause. Believe it only under its MAC.
    Refused(Envelope),
    /// The machine does not know us, or does not say more.
    Stranger {
        /// The protocol versions it says it speaks, as it wrote them; none in a server that is not
        /// pairpin.
        versions: Option<String>,
    },
}

/// The upgrade failed without an answer of a machine.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The connection failed or was cut before an answer came.
    #[error("the connection was cut before the machine answered ({0})")]
    Cut(io::Error),
    /// What answered does not answer as a machine does.
    #[error("what answered is not a pairpin machine ({0})")]
    NotPairpin(&'static str),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Sends the first message of a flow and reads the answer. Call it only on a connection whose pin
/// holds ([`super::super::dial`]). The deadline is the caller's.
///
/// # Errors
/// See [`UpgradeError`].
pub async fn request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    flow: Flow,
    envelope: &Envelope,
) -> Result<Response, UpgradeError> {
    let key = websocket_key()?;
    let mut head = Zeroizing::new(String::with_capacity(envelope.message.len() + 1024));
    head.push_str(&format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
         {FLOW}: {}\r\n",
        flow.as_str()
    ));
    envelope_headers(envelope, &mut head);
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.map_err(UpgradeError::Cut)?;
    stream.flush().await.map_err(UpgradeError::Cut)?;
    read_response(stream, &key).await
}

fn websocket_key() -> Result<String, RandomError> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.encode(random_bytes::<16>()?))
}

/// The head alone, byte by byte out of TLS's buffer: after a 101 the very next byte is a frame's.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, UpgradeError> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD {
            return Err(UpgradeError::NotPairpin("its answer is too long"));
        }
        head.push(stream.read_u8().await.map_err(UpgradeError::Cut)?);
    }
    Ok(head)
}

async fn read_response<S: AsyncRead + Unpin>(stream: &mut S, key: &str) -> Result<Response, UpgradeError> {
    let head = read_head(stream).await?;
    let mut raw = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut raw);
    if !lines_are_strict(&head) || !matches!(response.parse(&head), Ok(httparse::Status::Complete(_))) {
        return Err(UpgradeError::NotPairpin("its answer is not HTTP/1.1"));
    }
    let headers = Headers::read(response.headers).ok_or(UpgradeError::NotPairpin("a header twice, or not ASCII"))?;
    if headers.get("Transfer-Encoding").is_some() {
        return Err(UpgradeError::NotPairpin("its answer has an encoding"));
    }
    match response.code {
        Some(101) => switched(&headers, key),
        Some(200) => Ok(Response::Answered(read_body(stream, &headers).await?)),
        Some(403) => Ok(Response::Refused(read_body(stream, &headers).await?)),
        Some(404) => {
            let versions = headers.get(VERSIONS).filter(|text| text.len() <= 64).map(str::to_owned);
            Ok(Response::Stranger { versions })
        }
        _ => Err(UpgradeError::NotPairpin("another status")),
    }
}

fn switched(headers: &Headers<'_>, key: &str) -> Result<Response, UpgradeError> {
    let ours = headers.is("Upgrade", "websocket")
        && headers.is("Connection", "Upgrade")
        && headers.get("Sec-WebSocket-Accept") == Some(&derive_accept_key(key.as_bytes()))
        && headers.get("Sec-WebSocket-Protocol") == Some(SUBPROTOCOL)
        && headers.get("Sec-WebSocket-Extensions").is_none()
        && headers.get("Content-Length").is_none();
    if ours { Ok(Response::Switched) } else { Err(UpgradeError::NotPairpin("not this WebSocket")) }
}

async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, headers: &Headers<'_>) -> Result<Envelope, UpgradeError> {
    let length = headers.get("Content-Length").filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let length: usize =
        length.and_then(|text| text.parse().ok()).ok_or(UpgradeError::NotPairpin("no Content-Length"))?;
    if length > BODY {
        return Err(UpgradeError::NotPairpin("its answer is too long"));
    }
    let mut body = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut body).await.map_err(UpgradeError::Cut)?;
    serde_json::from_slice(&body).map_err(|_| UpgradeError::NotPairpin("its answer cannot be read"))
}
