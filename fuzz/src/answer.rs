//! A machine's answer to the upgrade as a device reads it: bounded, not a byte too far, and only the
//! answer to this very request switches.

use pairpin_core::net::upgrade::{self, Response};
use pairpin_core::wire::{Envelope, Flow};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::script::{Script, now};

/// Where the right Sec-WebSocket-Accept is put into an input: it depends on the device's random key.
pub const ACCEPT: &[u8] = b"@ACCEPT@";

/// The whole input is the answer.
pub fn run(data: &[u8]) {
    let envelope = Envelope { message: "e30".to_owned(), mac: None, signature: None, recognition: None };
    let mut stream = Script::of(data, 0);
    stream.accept = true;
    let response = now(upgrade::request(&mut stream, Flow::Scan, &envelope));
    assert!(stream.read <= 32 * 1024, "read beyond the limits");
    match response {
        Ok(Response::Switched) => {
            assert!(
                data.windows(ACCEPT.len()).any(|window| window == ACCEPT),
                "switched without the answer to its key"
            );
            let head = stream.bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
            assert_eq!(stream.read, head, "a byte of the first frame was read");
        }
        Ok(Response::Answered(envelope) | Response::Refused(envelope)) => {
            let text = serde_json::to_string(&envelope).expect("what was read can be written");
            assert_eq!(serde_json::from_str::<Envelope>(&text).expect("as written"), envelope);
        }
        Ok(Response::Stranger { versions }) => assert!(versions.is_none_or(|text| text.len() <= 64)),
        Err(_) => {}
    }
}

/// The answer to the key in a device's request.
pub fn accept_key(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    derive_accept_key(key.as_bytes())
}

/// Puts `accept` in [`ACCEPT`]'s place.
pub fn put(bytes: &[u8], accept: &str) -> Vec<u8> {
    match bytes.windows(ACCEPT.len()).position(|window| window == ACCEPT) {
        Some(at) => [&bytes[..at], accept.as_bytes(), &bytes[at + ACCEPT.len()..]].concat(),
        None => bytes.to_vec(),
    }
}
