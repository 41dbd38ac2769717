//! The bounded HTTP/1.1 upgrade that carries a handshake's first message (`docs/protocol.md`,
//! "Upgrade").
//!
//! Written by hand on httparse because every byte of it is a promise: one Host and no Origin (nothing
//! that a web page or a rebound name can send), one shape for every refusal of a stranger, and
//! nothing unbounded. `machine` reads requests and answers, `device` asks.

mod device;
mod machine;

pub use device::{Response, UpgradeError, request};
pub use machine::{Answer, Stranger, UpgradeRequest, accept, answer, read_request, refuse_stranger};

use crate::identity::from_base64url;
use crate::wire::Envelope;

/// A request's or response's head, at most (bytes).
const HEAD: usize = 16 * 1024;
/// A response's body, at most (bytes).
const BODY: usize = 16 * 1024;
/// Headers in a head, at most.
const HEADERS: usize = 32;

const FLOW: &str = "Pairpin-Flow";
const MESSAGE: &str = "Pairpin-Message";
const MAC: &str = "Pairpin-Mac";
const SIGNATURE: &str = "Pairpin-Signature";
const RECOGNITION: &str = "Pairpin-Recognition";
const VERSIONS: &str = "Pairpin-Versions";

/// The headers of a head, every name at most once.
struct Headers<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Headers<'a> {
    /// `None`: a name twice, or a value that is not visible ASCII.
    fn read(raw: &[httparse::Header<'a>]) -> Option<Self> {
        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(raw.len());
        for header in raw {
            let value = std::str::from_utf8(header.value).ok()?;
            if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return None;
            }
            if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header.name)) {
                return None;
            }
            headers.push((header.name, value));
        }
        Some(Self(headers))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Whether the header is there and has exactly this value, letters in any case.
    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value))
    }

    /// A fixed-length value in base64url: `Some(None)` where the header is missing, `None` where it
    /// is not such a value.
    fn bytes<const N: usize>(&self, name: &str) -> Option<Option<[u8; N]>> {
        match self.get(name) {
            None => Some(None),
            Some(text) => from_base64url(text).map(Some),
        }
    }
}

/// Where the head ends in `bytes`, from `searched` on (what came before holds no end).
fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    bytes[from..].windows(4).position(|w| w == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Whether every line ends with CR LF: httparse would pass a bare LF, and two readers that disagree
/// about lines are how requests get smuggled.
fn lines_are_strict(head: &[u8]) -> bool {
    let bare = |at: usize| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r');
    !head.starts_with(b"\r\n") && !(0..head.len()).any(bare)
}

/// The parts of an envelope as headers, each line with its end.
fn envelope_headers(envelope: &Envelope, head: &mut String) {
    use crate::identity::to_base64url;
    let mut add = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    add(MESSAGE, &envelope.message);
    if let Some(mac) = &envelope.mac {
        add(MAC, &to_base64url(mac.as_bytes()));
    }
    if let Some(signature) = &envelope.signature {
        add(SIGNATURE, &to_base64url(signature.as_bytes()));
    }
    if let Some(recognition) = &envelope.recognition {
        add(RECOGNITION, &to_base64url(recognition.as_bytes()));
    }
}
