//! The upgrade as bytes, written and read by hand: hostile peers must be able to write what ours
//! would not. Used by [`crate::peer`] and [`crate::false_machine`].

use std::io;

use pairpin_core::wire::{Envelope, Flow};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The head of a request or an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// The first line.
    pub first: String,
    /// Names in lower case, and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The bytes as they came.
    pub raw: String,
    /// What came after the head.
    pub rest: Vec<u8>,
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// The other side closed before its end, or it is absurdly long.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                return Ok(Self::of(&bytes, rest));
            }
            if bytes.len() > 64 * 1024 {
                return Err(io::Error::other("a head of more than 64 KiB"));
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("closed after {text:?}")));
            }
        }
    }

    fn of(bytes: &[u8], rest: Vec<u8>) -> Self {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let mut lines = raw.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        Self { first, headers, raw, rest }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// An answer's status.
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The rest of the body, of the length that the head says (or all, where it says none).
    ///
    /// # Errors
    /// The other side closed before its end.
    pub async fn body(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
        let mut body = std::mem::take(&mut self.rest);
        let length = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        while length.is_none_or(|length| body.len() < length) {
            match stream.read_buf(&mut body).await {
                Ok(0) if length.is_none() => break,
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                // Closed without a goodbye: the body had no length, so this is its end.
                Err(_) if length.is_none() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(body)
    }

    /// A request's handshake message, with its proofs.
    pub fn envelope(&self) -> Option<(Flow, Envelope)> {
        let flow = Flow::parse(self.header("pairpin-flow")?)?;
        let mut parts = serde_json::Map::new();
        parts.insert("message".into(), self.header("pairpin-message")?.into());
        for name in ["mac", "signature"] {
            if let Some(value) = self.header(&format!("pairpin-{name}")) {
                parts.insert(name.into(), value.into());
            }
        }
        Some((flow, serde_json::from_value(parts.into()).ok()?))
    }
}

/// The headers of a good upgrade request, to be changed at will.
pub fn good_headers(flow: Flow, envelope: &Envelope) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = [
        ("Host", "pairpin"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "pairpin.v1"),
        ("Pairpin-Flow", flow.as_str()),
        ("Pairpin-Message", &envelope.message),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let proofs = serde_json::to_value(envelope).unwrap_or_default();
    for (name, key) in [("Pairpin-Mac", "mac"), ("Pairpin-Signature", "signature")] {
        if let Some(value) = proofs[key].as_str() {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

/// A request's bytes.
pub fn request(first: &str, headers: &[(String, String)]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{headers}\r\n").into_bytes()
}

/// The first line of a good request.
pub const GOOD_FIRST_LINE: &str = "GET /rpc HTTP/1.1";

/// The answer that switches to WebSocket, for the key of [`good_headers`] (RFC 6455 section 1.3) or
/// any other.
pub fn switching(key: &str) -> Vec<u8> {
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: pairpin.v1\r\n\r\n"
    )
    .into_bytes()
}
