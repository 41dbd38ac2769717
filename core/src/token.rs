//! The session token: the bearer half of a session, useless without the device key.
//!
//! The machine keeps only [`TokenHash`]es; the device keeps the token in its secret store.
//! Rotation rules are in `host::sessions`; the proof that goes with a token in `handshake::resume`.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::identity::bytes_newtype;
use crate::secrets::Secret;

/// A session token: 256 random bits.
pub type SessionToken = Secret<32>;

bytes_newtype! {
    /// SHA-256 of a session token: what the machine stores, and what an acknowledgement names.
    TokenHash, 32
}

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &SessionToken) -> Self {
        Self::from_bytes(Sha256::digest(token.expose()).into())
    }

    /// Compares in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}
