//! What a device says with its approval key, for which a person has to be there: the requests that carry
//! a statement. How one is signed and checked is `handshake::statement`.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey, Signature, bytes_newtype};
use crate::role::Role;

bytes_newtype! {
    /// A number that the machine gave out for one statement. It is good for one connection, once.
    Nonce, 16
}

bytes_newtype! {
    /// SHA-256 of an ask as it was sent to the devices: a yes is to these words and no others.
    RequestHash, 32
}

/// What a statement is about. Each kind has its own label in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// This approval key is mine.
    Enrol,
    /// The decision on an ask.
    Answer,
    /// A device loses its access.
    Revoke,
    /// An offer is made.
    Mint,
    /// A device that asked is let in.
    ApproveJoin,
    /// What a device may do is changed.
    SetRole,
    /// A suspension is lifted.
    Lift,
    /// A device may bring another approval key.
    ForgetKey,
}

impl StatementKind {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Enrol,
        Self::Answer,
        Self::Revoke,
        Self::Mint,
        Self::ApproveJoin,
        Self::SetRole,
        Self::Lift,
        Self::ForgetKey,
    ];

    /// The word for people and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Answer => "answer",
            Self::Revoke => "revoke",
            Self::Mint => "mint",
            Self::ApproveJoin => "approve-join",
            Self::SetRole => "set-role",
            Self::Lift => "lift",
            Self::ForgetKey => "forget-key",
        }
    }
}

/// The answer to a request for a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceGiven {
    /// The nonce.
    pub nonce: Nonce,
    /// When it is over, by the machine's clock; it is in the statement.
    pub expires_at: UnixMillis,
}

/// A signed statement, beside the parameters that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The nonce it was made with.
    pub nonce: Nonce,
    /// As the machine gave it with the nonce.
    pub expires_at: UnixMillis,
    /// ES256 by the approval key.
    pub signature: Signature,
}

/// What guards an approval key: whether a person has to be there each time it signs. It is what the device
/// says, and shown as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalGuard {
    /// The lock of the phone: a fingerprint, a face, its code.
    Lock,
    /// A passphrase.
    Passphrase,
    /// Nothing: whoever uses the device approves.
    Nothing,
}

impl ApprovalGuard {
    /// The word shown to people and stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Passphrase => "passphrase",
            Self::Nothing => "nothing",
        }
    }

    /// Reads the word written by [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Lock, Self::Passphrase, Self::Nothing].into_iter().find(|guard| guard.as_str() == text)
    }
}

/// Enrol: the device's approval key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrol {
    /// The key.
    pub key: PublicKey,
    /// What guards it.
    pub guard: ApprovalGuard,
    /// Signed by that very key.
    pub signed: Signed,
}

/// Revoke: a device loses its access to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeRequest {
    /// Which.
    pub device: DeviceId,
    /// Why; the device is told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// Mint: an offer is made from afar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MintRequest {
    /// The role it gives, at most that of the one who asks.
    pub role: Role,
    /// The name for the new device; its own where it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Its life in seconds; as at the machine's shell where it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lifetime_seconds: Option<u64>,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// A minted offer, with its secrets, which are wiped with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct MintedOffer {
    /// The number under which the machine lists it.
    pub number: u32,
    /// Its link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
    /// Its code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// Its life.
    pub expires_in_seconds: u64,
}

// Its texts are secrets.
impl fmt::Debug for MintedOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintedOffer").field("number", &self.number).finish_non_exhaustive()
    }
}
