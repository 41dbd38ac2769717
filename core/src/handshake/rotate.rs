//! Flow (e), a planned change of the machine's key: what is signed, and what a device asks of it.
//!
//! The machine makes it once (`host::rotation`) and gives the same one to every device: those that are
//! connected are told, and who slept gets it in the Welcome, over the new key. The old key alone moves nobody:
//! the new one has to be the key whose pin the device has stored as the next one, and to sign too. The proof of
//! R beside it is the Welcome's own (docs/protocol.md, section 15).

use super::HandshakeError;
use super::transcript::length_prefixed;
use crate::identity::{MachineId, Pin, PublicKey, Signature};
use crate::wire::{Rotate, VERSION};

/// The label of what both keys sign.
const LABEL: &[u8] = b"pairpin v1 rotate";

/// Machine: a change, before the two keys have signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotateDraft {
    /// The machine.
    pub machine: MachineId,
    /// How many changes there have been, this one counted.
    pub epoch: u64,
    /// The key before.
    pub old_key: PublicKey,
    /// The key that it is changed to.
    pub new_key: PublicKey,
    /// The pin of the key after that.
    pub next_pin: Pin,
}

impl RotateDraft {
    /// The bytes that both keys are to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        length_prefixed(&[
            LABEL,
            &VERSION.to_be_bytes(),
            self.machine.as_bytes(),
            &self.epoch.to_be_bytes(),
            Pin::of_key(&self.old_key).as_bytes(),
            Pin::of_key(&self.new_key).as_bytes(),
            self.next_pin.as_bytes(),
        ])
    }

    /// Adds the signatures.
    pub fn signed(self, by_old: Signature, by_new: Signature) -> Rotate {
        let Self { machine, epoch, old_key, new_key, next_pin } = self;
        Rotate { machine, epoch, old_key, new_key, next_pin, by_old, by_new }
    }
}

/// Device: what it knows of a machine, against which a change is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKeys {
    /// The machine's id.
    pub machine: MachineId,
    /// The pin of its key.
    pub pin: Pin,
    /// The pin that it announced; without one no change is honoured.
    pub next_pin: Option<Pin>,
    /// How many changes there have been.
    pub epoch: u64,
}

impl KnownKeys {
    /// Checks a change; gives what is known after it.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is another machine's, not the very next one, to another key than the
    /// announced one, from another key than the known one, or one of the two has not signed it.
    pub fn after(&self, rotate: &Rotate) -> Result<Self, HandshakeError> {
        let (old, new) = (Pin::of_key(&rotate.old_key), Pin::of_key(&rotate.new_key));
        let is_next = self.epoch.checked_add(1) == Some(rotate.epoch);
        if rotate.machine != self.machine || !is_next || old != self.pin || Some(new) != self.next_pin || old == new {
            return Err(HandshakeError::Proof);
        }
        let &Rotate { machine, epoch, old_key, new_key, next_pin, .. } = rotate;
        let message = RotateDraft { machine, epoch, old_key, new_key, next_pin }.to_sign();
        if !old_key.verify(&message, &rotate.by_old) || !new_key.verify(&message, &rotate.by_new) {
            return Err(HandshakeError::Proof);
        }
        Ok(Self { machine, pin: new, next_pin: Some(next_pin), epoch })
    }

    /// Whether the change is the one that led to what is known: somebody else of this device was faster.
    pub fn is_after(&self, rotate: &Rotate) -> bool {
        self.machine == rotate.machine && self.epoch == rotate.epoch && self.pin == Pin::of_key(&rotate.new_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyPair;

    const MACHINE: MachineId = MachineId::from_bytes([2; 16]);

    struct Keys {
        old: KeyPair,
        new: KeyPair,
        other: KeyPair,
    }

    fn keys() -> Keys {
        let key = || KeyPair::generate().unwrap();
        Keys { old: key(), new: key(), other: key() }
    }

    fn pin(key: &KeyPair) -> Pin {
        Pin::of_key(&key.public_key().unwrap())
    }

    fn known(keys: &Keys) -> KnownKeys {
        KnownKeys { machine: MACHINE, pin: pin(&keys.old), next_pin: Some(pin(&keys.new)), epoch: 3 }
    }

    fn draft(old: &KeyPair, new: &KeyPair, epoch: u64) -> RotateDraft {
        let next_pin = Pin::from_bytes([9; 32]);
        let (old_key, new_key) = (old.public_key().unwrap(), new.public_key().unwrap());
        RotateDraft { machine: MACHINE, epoch, old_key, new_key, next_pin }
    }

    fn signed(draft: RotateDraft, old: &KeyPair, new: &KeyPair) -> Rotate {
        let message = draft.to_sign();
        draft.signed(old.sign(&message).unwrap(), new.sign(&message).unwrap())
    }

    #[test]
    fn the_very_next_change_to_the_announced_key_signed_by_both_is_honoured() {
        let keys = keys();
        let rotate = signed(draft(&keys.old, &keys.new, 4), &keys.old, &keys.new);
        let after = known(&keys).after(&rotate).unwrap();
        let wanted = (pin(&keys.new), Some(Pin::from_bytes([9; 32])), 4);
        assert_eq!((after.pin, after.next_pin, after.epoch), wanted);
        assert!(after.is_after(&rotate) && !known(&keys).is_after(&rotate));
    }

    #[test]
    fn nothing_else_is() {
        let keys = keys();
        let Keys { old, new, other } = &keys;
        let good = draft(old, new, 4);
        let thiefs = draft(old, other, 4);
        let refused = |rotate: &Rotate| assert_eq!(known(&keys).after(rotate), Err(HandshakeError::Proof));
        for epoch in [0, 3, 5, u64::MAX] {
            refused(&signed(draft(old, new, epoch), old, new));
        }
        refused(&signed(RotateDraft { machine: MachineId::from_bytes([3; 16]), ..good }, old, new));
        // The old key alone: to a key of its own, and to the announced one without its signature.
        refused(&signed(thiefs, old, other));
        refused(&signed(good, old, old));
        refused(&signed(good, old, other));
        // The new key alone, and from a key that the device does not know.
        refused(&signed(good, new, new));
        refused(&signed(draft(other, new, 4), other, new));
        refused(&signed(draft(new, new, 4), new, new));
        // What was signed is what counts.
        let rotate = signed(good, old, new);
        refused(&Rotate { next_pin: Pin::from_bytes([8; 32]), ..rotate });
        refused(&Rotate { by_old: rotate.by_new, by_new: rotate.by_old, ..rotate });
        // Nothing was announced, or it was replayed.
        assert!(KnownKeys { next_pin: None, ..known(&keys) }.after(&rotate).is_err());
        assert!(known(&keys).after(&rotate).unwrap().after(&rotate).is_err());
        assert!(KnownKeys { epoch: u64::MAX, ..known(&keys) }.after(&rotate).is_err());
    }
}
