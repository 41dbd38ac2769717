//! What the QR of a joining device holds: which machine it asks, which join it is, and its T.
//!
//! It is no offer and no secret, and never a link: the text has no scheme that an operating system would
//! follow, the readers of links refuse it by name, and this one refuses links. Only a camera inside an owner's
//! app (or `--image`) takes it. The joiner's engine writes it, [`crate::qr`] draws it, the approver's reads it.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::identity::PinPrefix;
use crate::link::SCHEME;
use crate::wire::{JoinId, JoinTranscript};

/// What every such text begins with. All of it is alphanumeric to a QR.
pub const PREFIX: &str = "PAIRPIN-JOIN/";

/// The version this build writes and reads.
const VERSION: u8 = 1;
/// Version, pin prefix, join, T.
const HEAD_BYTES: usize = 1 + 16 + 5 + 32;
/// Check bytes, the same in every version.
const CHECK_BYTES: usize = 2;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinQr {
    /// The first 128 bits of the pin that the joiner saw.
    pub pin: PinPrefix,
    /// The join.
    pub join: JoinId,
    /// The joiner's T.
    pub transcript: JoinTranscript,
}

/// Why a text is not the QR of a joining device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinQrError {
    /// It is an offer's link.
    #[error(
        "this is an offer to pair with a machine, not a device that asks to be let in: scan it on the device that is to be paired"
    )]
    Offer,
    /// It is a recovery sheet.
    #[error("this is a recovery sheet, which lets nobody in: keep it, and use it with pairpin recovery use")]
    ASheet,
    /// It is something else.
    #[error("this is not the QR of a device that asks to be let in, scan the one that pairpin join shows")]
    NotAJoin,
    /// Characters are missing, added or wrong.
    #[error("this QR was not read whole, scan it again")]
    Damaged,
    /// It is whole, and of a version that this build does not know.
    #[error("this QR was made by a newer pairpin, update pairpin on this device")]
    Newer,
}

impl JoinQr {
    /// The text.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + CHECK_BYTES);
        bytes.push(VERSION << 4);
        bytes.extend_from_slice(self.pin.as_bytes());
        bytes.extend_from_slice(self.join.as_bytes());
        bytes.extend_from_slice(self.transcript.as_bytes());
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
    }

    /// Reads what was scanned. There is one way to write it: in upper case, without white space.
    ///
    /// # Errors
    /// See [`JoinQrError`].
    pub fn parse(text: &str) -> Result<Self, JoinQrError> {
        let Some(body) = text.strip_prefix(PREFIX) else {
            let start: String = text.chars().filter(|c| !c.is_whitespace()).take(SCHEME.len()).collect();
            return Err(if start.eq_ignore_ascii_case(SCHEME) {
                JoinQrError::Offer
            } else if crate::recovery_sheet::is_meant(text) {
                JoinQrError::ASheet
            } else {
                JoinQrError::NotAJoin
            });
        };
        if body.len() > 4 * (HEAD_BYTES + CHECK_BYTES) {
            return Err(JoinQrError::Damaged);
        }
        // The decoder refuses lower case, impossible lengths and trailing bits that are not zero.
        let bytes = BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| JoinQrError::Damaged)?;
        let (inner, tail) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(JoinQrError::Damaged)?;
        if check(inner) != *tail {
            return Err(JoinQrError::Damaged);
        }
        // Version in the high nibble, flags in the low: none is known.
        if inner.first() != Some(&(VERSION << 4)) {
            return Err(JoinQrError::Newer);
        }
        let inner: &[u8; HEAD_BYTES] = inner.try_into().map_err(|_| JoinQrError::Damaged)?;
        let part = |from: usize, to: usize| inner.get(from..to).ok_or(JoinQrError::Damaged);
        Ok(Self {
            pin: PinPrefix::from_slice(part(1, 17)?).ok_or(JoinQrError::Damaged)?,
            join: JoinId::from_slice(part(17, 22)?).ok_or(JoinQrError::Damaged)?,
            transcript: JoinTranscript::from_slice(part(22, HEAD_BYTES)?).ok_or(JoinQrError::Damaged)?,
        })
    }
}

/// Whether a text is meant to be the QR of a joining device, whole or not.
pub(crate) fn is_meant(text: &str) -> bool {
    text.trim_start().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Catches what a camera misread, nothing else.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Link, LinkError};
    use crate::qr::QrCode;
    use crate::secrets::OfferSecret;

    fn example() -> JoinQr {
        JoinQr {
            pin: PinPrefix::from_bytes([1; 16]),
            join: JoinId::from_bytes([2; 5]),
            transcript: JoinTranscript::from_bytes([3; 32]),
        }
    }

    fn with_check(mut bytes: Vec<u8>) -> String {
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
    }

    #[test]
    fn the_text_is_read_back_in_one_writing_only() {
        let text = example().to_text();
        assert_eq!(JoinQr::parse(&text), Ok(example()));
        for other in [text.to_lowercase(), format!("{text} "), format!(" {text}"), text.replace("JOIN/", "JOIN/ ")] {
            assert!(JoinQr::parse(&other).is_err(), "{other:?}");
        }
        for at in PREFIX.len()..text.len() {
            let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut damaged = text.clone();
            damaged.replace_range(at..=at, letter);
            assert!(JoinQr::parse(&damaged).is_err(), "character {at}");
        }
    }

    #[test]
    fn whole_texts_of_another_version_or_length_are_told_apart() {
        let mut bytes = BASE32_NOPAD.decode(&example().to_text().as_bytes()[PREFIX.len()..]).unwrap();
        bytes.truncate(HEAD_BYTES);
        assert_eq!(JoinQr::parse(&with_check(bytes.clone())), Ok(example()), "the control");
        let newer = [&[(VERSION + 1) << 4], &bytes[1..]].concat();
        assert_eq!(JoinQr::parse(&with_check(newer)), Err(JoinQrError::Newer));
        let flagged = [&[(VERSION << 4) | 1], &bytes[1..]].concat();
        assert_eq!(JoinQr::parse(&with_check(flagged)), Err(JoinQrError::Newer));
        assert_eq!(JoinQr::parse(&with_check(bytes[..HEAD_BYTES - 1].to_vec())), Err(JoinQrError::Damaged));
        assert_eq!(JoinQr::parse(&with_check([&bytes[..], &[0]].concat())), Err(JoinQrError::Damaged));
        assert_eq!(JoinQr::parse(PREFIX), Err(JoinQrError::Damaged));
    }

    #[test]
    fn no_reader_takes_the_others_text() {
        let link = Link { pin: example().pin, secret: OfferSecret::from_bytes([4; 16]), addresses: Vec::new() };
        assert_eq!(JoinQr::parse(&link.to_text()), Err(JoinQrError::Offer));
        assert_eq!(Link::parse(&example().to_text()), Err(LinkError::AJoin));
        assert_eq!(JoinQr::parse("https://example.com"), Err(JoinQrError::NotAJoin));
        assert_eq!(Link::parse("https://example.com"), Err(LinkError::NotALink), "the control");
    }

    #[test]
    fn its_qr_is_version_four() {
        assert_eq!(QrCode::of_join(&example()).map(|code| code.version()), Ok(4));
    }
}
