//! The text of a link: what is read is written in one way only, and read as the same again.

use data_encoding::BASE32_NOPAD;
use pairpin_core::link::{Link, SCHEME};
use sha2::{Digest as _, Sha256};

/// An input that begins with a zero byte is a link's body, to which the right check is added; any
/// other is a text as a person pastes it.
pub fn run(data: &[u8]) {
    match data.split_first() {
        Some((0, body)) => judge(&with_check(body)),
        _ => judge(&String::from_utf8_lossy(data)),
    }
}

/// The link text of a body, right check included.
pub fn with_check(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let bytes = [body, &digest[..2]].concat();
    format!("{SCHEME}{}", BASE32_NOPAD.encode(&bytes))
}

fn judge(text: &str) {
    let Ok(link) = Link::parse(text) else { return };
    let written = link.to_text();
    assert_eq!(Link::parse(&written).as_ref(), Ok(&link), "what was written is another link");
    assert!(link.addresses.len() <= 16);
    // One link, one text: but for white space and the case of letters it is the one that was read.
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(bare.eq_ignore_ascii_case(&written), "two texts for one link");
}
