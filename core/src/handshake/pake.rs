//! SPAKE2 for typed codes: the device is side A, the machine side B, never symmetric.
//!
//! Curve, hash and message layout are those of the Python package `spake2` 0.9, against which
//! `tests/` checks it; each identity string holds the role, X and the pin as that side saw it.

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::transcript::{Channel, length_prefixed};
use super::{HandshakeError, MacKey};
use crate::secrets::{Secret, TypedCode};

/// Which side of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Device,
    Machine,
}

/// An exchange that has sent its share.
pub(super) struct Pake(Spake2<Ed25519Group>);

impl Pake {
    /// Starts one side; gives the share to send. `entropy` must be fresh for each run.
    pub(super) fn start(side: Side, channel: &Channel, code: &TypedCode, entropy: &Secret<32>) -> (Self, Vec<u8>) {
        let password = Password::new(code.expose());
        let device = identity(b"pairpin v1 code device", channel);
        let machine = identity(b"pairpin v1 code machine", channel);
        let random = Expanded::new(entropy);
        let (state, share) = match side {
            Side::Device => Spake2::start_a_with_rng(&password, &device, &machine, random),
            Side::Machine => Spake2::start_b_with_rng(&password, &device, &machine, random),
        };
        (Self(state), share)
    }

    /// Takes the other side's share and gives the key that both have if both knew the code.
    pub(super) fn finish(self, share: &[u8]) -> Result<MacKey, HandshakeError> {
        let key = Zeroizing::new(self.0.finish(share).map_err(|_| HandshakeError::Message)?);
        Ok(MacKey::of_pake(&key))
    }
}

fn identity(role: &[u8], channel: &Channel) -> Identity {
    Identity::new(&length_prefixed(&[role, channel.exporter.expose(), channel.pin.as_bytes()]))
}

/// Randomness handed in, as the library wants to draw it: SHA-256 in counter mode over the entropy.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Expanded {
    seed: [u8; 32],
    counter: u64,
}

impl Expanded {
    fn new(entropy: &Secret<32>) -> Self {
        Self { seed: *entropy.expose(), counter: 0 }
    }
}

impl RngCore for Expanded {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(b"pairpin v1 pake randomness")
                .chain_update(self.seed)
                .chain_update(self.counter.to_be_bytes())
                .finalize();
            self.counter += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Expanded {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Pin;

    fn share(side: Side, entropy: u8) -> Vec<u8> {
        let channel = Channel { exporter: Secret::from_bytes([1; 32]), pin: Pin::from_bytes([2; 32]) };
        let code = TypedCode::parse("12345678").unwrap();
        Pake::start(side, &channel, &code, &Secret::from_bytes([entropy; 32])).1
    }

    #[test]
    fn a_share_follows_from_the_entropy_and_from_nothing_less() {
        for side in [Side::Device, Side::Machine] {
            assert_eq!(share(side, 1), share(side, 1));
            // With a constant in the entropy's place whoever listens knows the scalar, and guesses offline.
            assert_ne!(share(side, 1), share(side, 2));
        }
    }

    #[test]
    fn the_randomness_never_repeats_and_is_the_same_however_it_is_drawn() {
        let new = || Expanded::new(&Secret::from_bytes([7; 32]));
        let mut all = [0; 96];
        new().fill_bytes(&mut all);
        let (first, second, third) = (&all[..32], &all[32..64], &all[64..]);
        assert!(first != second && second != third && first != third);
        assert_ne!(first, [0; 32]);
        let mut tried = [0; 96];
        new().try_fill_bytes(&mut tried).unwrap();
        assert_eq!(tried, all);
        assert_eq!(new().next_u32().to_le_bytes(), all[..4]);
        assert_eq!(new().next_u64().to_le_bytes(), all[..8]);
        let mut twice = new();
        let (one, two) = (twice.next_u64(), twice.next_u64());
        assert_ne!(one, two);
    }
}
