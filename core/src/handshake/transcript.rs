//! What both sides saw, as one hash: Tₙ of `docs/protocol.md`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::identity::Pin;
use crate::secrets::Secret;
use crate::wire::Flow;

/// The label of our TLS exporter (RFC 8446 section 7.5; RFC 9266 uses another label for itself).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-pairpin-v1";

/// The TLS channel that a handshake runs in, as this side saw it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// X: 32 bytes of exporter, taken after Finished. Both sides' freshness is in it.
    pub exporter: Secret<32>,
    /// The full pin: on a device that of the key which TLS proved, on a machine its own.
    pub pin: Pin,
}

/// Tₙ: SHA-256 over the flow label, X, the pin and messages 1 to n as sent, each length-prefixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscriptHash([u8; 32]);

impl TranscriptHash {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The transcript so far.
#[derive(Clone)]
pub struct Transcript(Sha256);

impl Transcript {
    /// The transcript of `flow` over `channel`, with no message yet.
    pub fn new(flow: Flow, channel: &Channel) -> Self {
        let mut transcript = Self(Sha256::new());
        transcript.part(flow_label(flow));
        transcript.part(channel.exporter.expose());
        transcript.part(channel.pin.as_bytes());
        transcript
    }

    /// Takes in the next message, its bytes as sent.
    pub fn absorb(&mut self, message: &str) {
        self.part(message.as_bytes());
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> TranscriptHash {
        TranscriptHash(self.0.clone().finalize().into())
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(length(bytes));
        self.0.update(bytes);
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcript")
    }
}

fn flow_label(flow: Flow) -> &'static [u8] {
    match flow {
        Flow::Preview => b"pairpin v1 flow preview exporter",
        Flow::Scan => b"pairpin v1 flow scan exporter",
        Flow::Code => b"pairpin v1 flow code exporter",
        Flow::Join => b"pairpin v1 flow join exporter",
        Flow::Resume => b"pairpin v1 flow resume exporter",
        Flow::Recovery => b"pairpin v1 flow recovery exporter",
        Flow::HandBack => b"pairpin v1 flow hand back exporter",
    }
}

/// A length as four bytes, most significant first. No message comes near 2^32 bytes.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// Joins parts so that no two lists of parts give the same bytes.
pub(super) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        joined.extend_from_slice(&length(part));
        joined.extend_from_slice(part);
    }
    joined
}

/// Four digits: of the Grant's T, which both ends show after a pairing by offer; or of a join's, which the
/// approver reads out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckDigits(u16);

impl CheckDigits {
    pub(super) fn of(grant: &TranscriptHash) -> Self {
        let hash = Sha256::digest(length_prefixed(&[b"pairpin v1 check digits", grant.as_bytes()]));
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Self::of_bytes(first)
    }

    pub(super) fn of_bytes(first: [u8; 8]) -> Self {
        Self((u64::from_be_bytes(first) % 10_000) as u16)
    }
}

impl fmt::Display for CheckDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Channel {
        Channel { exporter: Secret::from_bytes([1; 32]), pin: Pin::from_bytes([2; 32]) }
    }

    #[test]
    fn every_part_of_the_transcript_changes_its_hash() {
        let base = Transcript::new(Flow::Scan, &channel()).hash();
        assert_eq!(base, Transcript::new(Flow::Scan, &channel()).hash());
        assert_ne!(base, Transcript::new(Flow::Resume, &channel()).hash());
        let other_exporter = Channel { exporter: Secret::from_bytes([3; 32]), ..channel() };
        assert_ne!(base, Transcript::new(Flow::Scan, &other_exporter).hash());
        let other_pin = Channel { pin: Pin::from_bytes([3; 32]), ..channel() };
        assert_ne!(base, Transcript::new(Flow::Scan, &other_pin).hash());
        let mut longer = Transcript::new(Flow::Scan, &channel());
        longer.absorb("");
        assert_ne!(base, longer.hash());
    }

    #[test]
    fn where_one_message_ends_and_the_next_begins_matters() {
        let of = |messages: &[&str]| {
            let mut transcript = Transcript::new(Flow::Code, &channel());
            messages.iter().for_each(|message| transcript.absorb(message));
            transcript.hash()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["abc"]), of(&["abc", ""]));
    }
}
