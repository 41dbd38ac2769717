//! The text in the QR of a joining device: what is read was written in that way and no other, and no text is
//! both that and a link.

use data_encoding::BASE32_NOPAD;
use pairpin_core::join_qr::{JoinQr, PREFIX};
use pairpin_core::link::Link;
use sha2::{Digest as _, Sha256};

/// An input that begins with a zero byte is a body, to which the right check is added; any other is a text as
/// a camera gives it.
pub fn run(data: &[u8]) {
    match data.split_first() {
        Some((0, body)) => judge(&with_check(body)),
        _ => judge(&String::from_utf8_lossy(data)),
    }
}

fn with_check(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("{PREFIX}{}", BASE32_NOPAD.encode(&[body, &digest[..2]].concat()))
}

fn judge(text: &str) {
    let Ok(join) = JoinQr::parse(text) else { return };
    assert_eq!(join.to_text(), text, "two texts for one join");
    assert!(Link::parse(text).is_err(), "a join that is a link");
}
