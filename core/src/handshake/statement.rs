//! Statements: what an approval key signs, so that a person's yes is to one thing on one machine, once.
//!
//! The device asks the machine for a nonce, builds the [`Statement`], shows the person what it says, and
//! lets the approval key sign [`Statement::to_sign`]. The machine builds the same from what it knows itself
//! and checks. Nothing in it comes from the other side unseen: the pin is the one that TLS proved, the
//! machine id and the epoch are those of the row (docs/protocol.md, section 12).

use sha2::{Digest as _, Sha256};

use super::HandshakeError;
use super::transcript::length_prefixed;
use crate::identity::{DeviceId, MachineId, Pin, PublicKey, Signature};
use crate::role::Role;
use crate::wire::{ApprovalGuard, JoinHow, JoinId, NonceGiven, RequestHash, Signed, StatementKind, VERSION};

/// What a yes is to: the ask's message, as it was sent.
pub fn request_hash(message: &str) -> RequestHash {
    RequestHash::from_bytes(Sha256::digest(length_prefixed(&[b"pairpin v1 ask", message.as_bytes()])).into())
}

/// The machine that a statement is for, as the side that builds it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addressee {
    /// Its full pin.
    pub pin: Pin,
    /// Its id.
    pub machine: MachineId,
    /// How many planned key changes there have been.
    pub epoch: u64,
}

/// What is stated, with everything that the person agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stated<'a> {
    /// This approval key is this device's.
    Enrol {
        /// The device.
        device: DeviceId,
        /// The key.
        key: PublicKey,
        /// What guards it.
        guard: ApprovalGuard,
    },
    /// Yes to an ask.
    Answer {
        /// The ask's id.
        ask: &'a str,
        /// What was shown.
        request: RequestHash,
    },
    /// This device loses its access.
    Revoke {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: &'a str,
    },
    /// An offer is made.
    Mint {
        /// The role it gives.
        role: Role,
        /// The name for the new device; empty where it is its own.
        name: &'a str,
        /// Its life; 0 where it is the machine's own.
        lifetime_seconds: u64,
    },
    /// This device is let in.
    ApproveJoin(ApprovedJoin<'a>),
    /// This device may do this from now on.
    SetRole {
        /// The device.
        device: DeviceId,
        /// Its new role.
        role: Role,
    },
    /// This device is suspended no more.
    Lift {
        /// The device.
        device: DeviceId,
    },
    /// This device may bring another approval key.
    ForgetKey {
        /// The device.
        device: DeviceId,
    },
}

/// What a person agreed to who lets a device in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedJoin<'a> {
    /// The join.
    pub join: JoinId,
    /// The joiner's key.
    pub key: PublicKey,
    /// What was scanned or typed.
    pub how: JoinHow,
    /// The role it gets.
    pub role: Role,
    /// The name it is given; empty for its own.
    pub name: &'a str,
    /// Seconds that its session may live in all; none as every session.
    pub absolute_seconds: Option<u64>,
}

impl Stated<'_> {
    /// Which kind it is.
    pub fn kind(&self) -> StatementKind {
        match self {
            Self::Enrol { .. } => StatementKind::Enrol,
            Self::Answer { .. } => StatementKind::Answer,
            Self::Revoke { .. } => StatementKind::Revoke,
            Self::Mint { .. } => StatementKind::Mint,
            Self::ApproveJoin(_) => StatementKind::ApproveJoin,
            Self::SetRole { .. } => StatementKind::SetRole,
            Self::Lift { .. } => StatementKind::Lift,
            Self::ForgetKey { .. } => StatementKind::ForgetKey,
        }
    }

    fn fields(&self) -> Vec<Vec<u8>> {
        let text = |text: &str| text.as_bytes().to_vec();
        match self {
            Self::Enrol { device, key, guard } => {
                vec![device.as_bytes().to_vec(), key.as_bytes().to_vec(), text(guard.as_str())]
            }
            Self::Answer { ask, request } => vec![text(ask), request.as_bytes().to_vec(), text("yes")],
            Self::Revoke { device, reason } => vec![device.as_bytes().to_vec(), text(reason)],
            Self::Mint { role, name, lifetime_seconds } => {
                vec![text(role.as_str()), text(name), lifetime_seconds.to_be_bytes().to_vec()]
            }
            Self::ApproveJoin(join) => join.fields(),
            Self::SetRole { device, role } => vec![device.as_bytes().to_vec(), text(role.as_str())],
            Self::Lift { device } | Self::ForgetKey { device } => vec![device.as_bytes().to_vec()],
        }
    }
}

impl ApprovedJoin<'_> {
    /// The workspace is empty: a device is bound to none when it is let in.
    fn fields(&self) -> Vec<Vec<u8>> {
        let (how, transcript, number) = match &self.how {
            JoinHow::Scan(transcript) => ("scan", transcript.as_bytes().to_vec(), String::new()),
            JoinHow::Number(number) => ("number", Vec::new(), number.digits()),
        };
        let lifetime = self.absolute_seconds.map(|seconds| seconds.to_be_bytes().to_vec()).unwrap_or_default();
        let (join, key) = (self.join.as_bytes().to_vec(), self.key.as_bytes().to_vec());
        let (role, name, workspace) = (self.role.as_str().into(), self.name.into(), Vec::new());
        vec![join, transcript, key, how.into(), number.into(), role, workspace, name, lifetime]
    }
}

fn label(kind: StatementKind) -> &'static [u8] {
    match kind {
        StatementKind::Enrol => b"pairpin v1 statement enrol",
        StatementKind::Answer => b"pairpin v1 statement answer",
        StatementKind::Revoke => b"pairpin v1 statement revoke",
        StatementKind::Mint => b"pairpin v1 statement mint",
        StatementKind::ApproveJoin => b"pairpin v1 statement approve join",
        StatementKind::SetRole => b"pairpin v1 statement set role",
        StatementKind::Lift => b"pairpin v1 statement lift",
        StatementKind::ForgetKey => b"pairpin v1 statement forget key",
    }
}

/// A statement, ready to be signed or checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    message: Vec<u8>,
    given: NonceGiven,
}

impl Statement {
    /// Builds it. `given` is the machine's nonce, fetched just before.
    pub fn new(addressee: &Addressee, given: NonceGiven, stated: &Stated<'_>) -> Self {
        let (version, epoch) = (VERSION.to_be_bytes(), addressee.epoch.to_be_bytes());
        let expires_at = given.expires_at.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![
            label(stated.kind()),
            &version,
            addressee.pin.as_bytes(),
            addressee.machine.as_bytes(),
            &epoch,
            given.nonce.as_bytes(),
            &expires_at,
        ];
        let fields = stated.fields();
        parts.extend(fields.iter().map(Vec::as_slice));
        Self { message: length_prefixed(&parts), given }
    }

    /// The bytes that the approval key is to sign with ES256.
    pub fn to_sign(&self) -> &[u8] {
        &self.message
    }

    /// What travels beside the parameters.
    pub fn signed(&self, signature: Signature) -> Signed {
        Signed { nonce: self.given.nonce, expires_at: self.given.expires_at, signature }
    }

    /// Checks the signature of the key that this device enrolled, over what this machine knows. Whether the
    /// nonce is the machine's own, unused and in time is the caller's to have asked before.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`].
    pub fn check(
        addressee: &Addressee,
        key: &PublicKey,
        signed: &Signed,
        stated: &Stated<'_>,
    ) -> Result<(), HandshakeError> {
        let given = NonceGiven { nonce: signed.nonce, expires_at: signed.expires_at };
        let statement = Self::new(addressee, given, stated);
        if key.verify(&statement.message, &signed.signature) { Ok(()) } else { Err(HandshakeError::Proof) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyPair;
    use crate::wire::Nonce;

    fn addressee() -> Addressee {
        Addressee { pin: Pin::from_bytes([1; 32]), machine: MachineId::from_bytes([2; 16]), epoch: 3 }
    }

    fn given() -> NonceGiven {
        NonceGiven { nonce: Nonce::from_bytes([4; 16]), expires_at: 1_000 }
    }

    fn stated() -> Stated<'static> {
        Stated::Answer { ask: "k7pq", request: RequestHash::from_bytes([5; 32]) }
    }

    #[test]
    fn a_statement_holds_for_its_machine_its_nonce_its_words_and_its_key_alone() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let public = key.public_key().unwrap();
        let statement = Statement::new(&addressee(), given(), &stated());
        let signed = statement.signed(key.sign(statement.to_sign()).unwrap());
        let check = |to: &Addressee, by: &PublicKey, signed: &Signed, stated: &Stated<'_>| {
            Statement::check(to, by, signed, stated).is_ok()
        };
        assert!(check(&addressee(), &public, &signed, &stated()), "the control");
        assert!(!check(&addressee(), &other.public_key().unwrap(), &signed, &stated()), "another key");
        for to in [
            Addressee { pin: Pin::from_bytes([9; 32]), ..addressee() },
            Addressee { machine: MachineId::from_bytes([9; 16]), ..addressee() },
            Addressee { epoch: 4, ..addressee() },
        ] {
            assert!(!check(&to, &public, &signed, &stated()), "{to:?}");
        }
        for signed in [
            Signed { nonce: Nonce::from_bytes([9; 16]), ..signed },
            Signed { expires_at: 1_001, ..signed },
            Signed { signature: other.sign(statement.to_sign()).unwrap(), ..signed },
        ] {
            assert!(!check(&addressee(), &public, &signed, &stated()), "{signed:?}");
        }
        for stated in [
            Stated::Answer { ask: "k7pr", request: RequestHash::from_bytes([5; 32]) },
            Stated::Answer { ask: "k7pq", request: RequestHash::from_bytes([6; 32]) },
            Stated::Revoke { device: DeviceId::from_bytes([5; 16]), reason: "" },
        ] {
            assert!(!check(&addressee(), &public, &signed, &stated), "{stated:?}");
        }
    }

    #[test]
    fn no_two_kinds_share_a_label() {
        let mut labels: Vec<_> = StatementKind::ALL.iter().map(|kind| label(*kind)).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), StatementKind::ALL.len());
    }

    #[test]
    fn where_one_field_ends_and_the_next_begins_matters() {
        let of = |reason| {
            let device = DeviceId::from_bytes([5; 16]);
            Statement::new(&addressee(), given(), &Stated::Revoke { device, reason }).message
        };
        assert_ne!(of("a"), of("ab"));
        assert_ne!(of(""), of("a"));
    }
}
