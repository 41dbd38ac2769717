//! What a machine gives away of its state and takes back after it was restored from a backup: the counter and the
//! tombstones, each with a MAC under a key that is nowhere but in its database (docs/protocol.md, section 16).
//!
//! Only the machine makes and checks these bytes; devices keep them as they are. R of a revoked device is not
//! theirs to read: it is sealed under its tombstone's own MAC (a synthetic IV: the MAC covers R itself, so no
//! two different keys are ever hidden by the same bytes).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::transcript::length_prefixed;
use super::{HandshakeError, MacKey};
use crate::identity::{MachineId, PublicKey};
use crate::secrets::{RecognitionKey, Secret};
use crate::wire::{CounterProof, Mac, SealedKey, TombstoneProof, TombstonesHash};

const COUNTER: &[u8] = b"pairpin v1 standing counter";
const TOMBSTONE: &[u8] = b"pairpin v1 standing tombstone";
const SEAL: &[u8] = b"pairpin v1 standing seal";
const TOMBSTONES: &[u8] = b"pairpin v1 standing tombstones";

/// Makes and checks what bears the machine's own MAC. Everything is bound to the machine's id.
#[derive(Debug, Clone)]
pub struct StandingKey {
    key: MacKey,
    machine: MachineId,
}

impl StandingKey {
    /// The key in the machine's database.
    pub fn new(key: &Secret<32>, machine: MachineId) -> Self {
        Self { key: MacKey::of_standing(key), machine }
    }

    /// The counter as it leaves the machine.
    pub fn prove_counter(&self, counter: u64) -> CounterProof {
        CounterProof { counter, mac: self.key.mac_of(COUNTER, &[self.machine.as_bytes(), &counter.to_be_bytes()]) }
    }

    /// Checks a counter that comes back.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: this machine never gave it away.
    pub fn check_counter(&self, proof: &CounterProof) -> Result<u64, HandshakeError> {
        holds(&self.prove_counter(proof.counter).mac, &proof.mac)?;
        Ok(proof.counter)
    }

    /// A tombstone as it leaves the machine: `bare` with its MAC, and R of the revoked device sealed.
    pub fn prove_tombstone(&self, bare: TombstoneProof, r: &RecognitionKey) -> TombstoneProof {
        let mac = self.tombstone_mac(&bare, r.expose());
        TombstoneProof { sealed: SealedKey::from_bytes(*self.masked(&mac, r.expose())), mac, ..bare }
    }

    /// Checks a tombstone that comes back, and gives the R that was sealed in it.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: this machine never gave it away.
    pub fn open_tombstone(&self, proof: &TombstoneProof) -> Result<RecognitionKey, HandshakeError> {
        let r = self.masked(&proof.mac, proof.sealed.as_bytes());
        holds(&self.tombstone_mac(proof, &r), &proof.mac)?;
        Ok(RecognitionKey::from_bytes(*r))
    }

    fn tombstone_mac(&self, of: &TombstoneProof, r: &[u8; 32]) -> Mac {
        let parts: [&[u8]; 11] = [
            self.machine.as_bytes(),
            of.key.as_bytes(),
            of.name.as_bytes(),
            of.platform.as_bytes(),
            of.role.as_str().as_bytes(),
            r,
            &of.paired_at.to_be_bytes(),
            &of.revoked_at.to_be_bytes(),
            of.revoked_by.as_bytes(),
            of.reason.as_deref().unwrap_or_default().as_bytes(),
            &of.counter.to_be_bytes(),
        ];
        self.key.mac_of(TOMBSTONE, &parts)
    }

    /// Hides R, or shows it again.
    fn masked(&self, mac: &Mac, bytes: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        let mask = self.key.mac_of(SEAL, &[self.machine.as_bytes(), mac.as_bytes()]);
        let mut masked = Zeroizing::new(*bytes);
        masked.iter_mut().zip(mask.as_bytes()).for_each(|(byte, mask)| *byte ^= mask);
        masked
    }
}

fn holds(expected: &Mac, given: &Mac) -> Result<(), HandshakeError> {
    if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) { Ok(()) } else { Err(HandshakeError::Proof) }
}

/// Whether two sides know the same tombstones: SHA-256 over their keys, in the order of the bytes.
pub fn tombstones_hash(mut keys: Vec<PublicKey>) -> TombstonesHash {
    keys.sort_unstable();
    let mut parts: Vec<&[u8]> = vec![TOMBSTONES];
    parts.extend(keys.iter().map(|key| key.as_bytes().as_slice()));
    TombstonesHash::from_bytes(Sha256::digest(length_prefixed(&parts)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::to_base64url;
    use crate::role::Role;

    fn key(machine: u8) -> StandingKey {
        StandingKey::new(&Secret::from_bytes([7; 32]), MachineId::from_bytes([machine; 16]))
    }

    fn r() -> RecognitionKey {
        RecognitionKey::from_bytes([9; 32])
    }

    fn bare() -> TombstoneProof {
        TombstoneProof {
            key: PublicKey::from_bytes([3; 65]),
            name: "phone".into(),
            platform: "Android 16".into(),
            role: Role::Operator,
            sealed: SealedKey::from_bytes([0; 32]),
            paired_at: 1_000,
            revoked_at: 2_000,
            revoked_by: "the machine's shell".into(),
            reason: Some("lost it".into()),
            counter: 8,
            mac: Mac::from_bytes([0; 32]),
        }
    }

    #[test]
    fn the_bytes_stay_as_they_are_or_no_backup_is_ever_noticed_again() {
        let (counter, tombstone) = (key(2).prove_counter(8), key(2).prove_tombstone(bare(), &r()));
        let shown = [
            to_base64url(counter.mac.as_bytes()),
            to_base64url(tombstone.mac.as_bytes()),
            to_base64url(tombstone.sealed.as_bytes()),
            to_base64url(tombstones_hash(vec![bare().key, PublicKey::from_bytes([1; 65])]).as_bytes()),
        ];
        assert_eq!(shown, PINNED);
    }

    /// Made by another program, from the page alone.
    const PINNED: [&str; 4] = [
        "_KddGgAH-hvsxxyNAolK1vr1kljZkfh3oetbfZ5GP_Q",
        "sCrrLaebc124FlIQaHnQddJMuCn0LF1ajJW4XtOcQRI",
        "0PpjH27T5hnEpeSnR0ham1jbabO1QGKG-dV6SiYd2J0",
        "4ih1TZbBYbC2XAXszGPxtcdiH4wom9Dgz00K-OjOq7o",
    ];

    #[test]
    fn a_counter_holds_for_its_machine_its_key_and_its_value_alone() {
        let proof = key(2).prove_counter(8);
        assert_eq!(key(2).check_counter(&proof), Ok(8), "the control");
        let other = StandingKey::new(&Secret::from_bytes([8; 32]), MachineId::from_bytes([2; 16]));
        for (by, proof) in [(key(1), proof), (other, proof), (key(2), CounterProof { counter: 9, ..proof })] {
            assert_eq!(by.check_counter(&proof), Err(HandshakeError::Proof));
        }
    }

    #[test]
    fn a_tombstone_holds_whole_or_not_at_all_and_gives_its_r_back_to_its_machine_alone() {
        let good = key(2).prove_tombstone(bare(), &r());
        assert_eq!(key(2).open_tombstone(&good).unwrap(), r(), "the control");
        assert_ne!(good.sealed.as_bytes(), r().expose(), "it is not told to whoever keeps it");
        let changes: [fn(&mut TombstoneProof); 11] = [
            |it| it.key = PublicKey::from_bytes([4; 65]),
            |it| it.name = "tablet".into(),
            |it| it.platform = "Android 17".into(),
            |it| it.role = Role::Viewer,
            |it| it.sealed = SealedKey::from_bytes([0; 32]),
            |it| it.paired_at += 1,
            |it| it.revoked_at += 1,
            |it| it.revoked_by = "Ana".into(),
            |it| it.reason = None,
            |it| it.counter += 1,
            |it| it.mac = Mac::from_bytes([0; 32]),
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(key(2).open_tombstone(&bad).is_err(), "{bad:?}");
        }
        assert!(key(1).open_tombstone(&good).is_err(), "another machine's");
        // The MAC of one purpose is none of another.
        assert!(key(2).check_counter(&CounterProof { counter: 8, mac: good.mac }).is_err());
    }

    #[test]
    fn two_keys_of_one_device_are_hidden_by_different_bytes() {
        let other = RecognitionKey::from_bytes([10; 32]);
        let sealed = |r: &RecognitionKey| *key(2).prove_tombstone(bare(), r).sealed.as_bytes();
        let both: Vec<u8> = sealed(&r()).iter().zip(sealed(&other)).map(|(a, b)| a ^ b).collect();
        assert_ne!(both, [9 ^ 10; 32]);
    }

    #[test]
    fn the_hash_is_of_a_set() {
        let [one, two] = [1, 2].map(|n| PublicKey::from_bytes([n; 65]));
        assert_eq!(tombstones_hash(vec![one, two]), tombstones_hash(vec![two, one]));
        assert_ne!(tombstones_hash(vec![one]), tombstones_hash(vec![one, two]));
        assert_ne!(tombstones_hash(vec![]), tombstones_hash(vec![one]));
    }
}
