//! What a machine gives away of its state so that a restored backup is noticed: its counter and the tombstones,
//! each under the machine's own MAC. How those are made and checked is `handshake::standing`. Owner devices keep
//! them, and hand them back to a machine that has lost some. Field for field in `docs/protocol.md`, section 16.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Mac, limits};
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey, bytes_newtype};
use crate::role::Role;

bytes_newtype! {
    /// SHA-256 over the keys of the newest tombstones: whether two sides know the same ones.
    TombstonesHash, 32
}

bytes_newtype! {
    /// The recognition key of a revoked device, which the machine alone can open again.
    SealedKey, 32
}

/// A state counter that left the machine, with its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterProof {
    /// The counter.
    pub counter: u64,
    /// The machine's own.
    pub mac: Mac,
}

/// How the machine stands, in the Welcome of an owner device: its counter, and by a hash its tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The counter.
    #[serde(flatten)]
    pub counter: CounterProof,
    /// Of the newest [`limits::KEPT_TOMBSTONES`] tombstones.
    pub tombstones: TombstonesHash,
}

/// A tombstone that left the machine, with its MAC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneProof {
    /// The revoked session key; it says the device's id.
    pub key: PublicKey,
    /// The name it had.
    pub name: String,
    /// What it said it ran on.
    pub platform: String,
    /// What it could do.
    pub role: Role,
    /// Its R, under which it is told.
    pub sealed: SealedKey,
    /// When it was paired.
    pub paired_at: UnixMillis,
    /// When it was revoked.
    pub revoked_at: UnixMillis,
    /// By whom.
    pub revoked_by: String,
    /// Why, where that was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The counter with this revocation.
    pub counter: u64,
    /// The machine's own, over all of it.
    pub mac: Mac,
}

impl TombstoneProof {
    /// The revoked device.
    pub fn device(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }

    /// The newest first: of too many the first [`limits::KEPT_TOMBSTONES`] are kept.
    pub fn newest_first(tombstones: &mut [Self]) {
        tombstones.sort_by_key(|tombstone| (std::cmp::Reverse(tombstone.counter), tombstone.key));
    }
}

/// Which page of the tombstones is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstonesAfter {
    /// Those after this device, in the order of the page before; the first ones where it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<DeviceId>,
}

/// A page of the machine's newest tombstones, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstonesPage {
    /// The tombstones, [`limits::TOMBSTONES_PAGE`] at most.
    pub tombstones: Vec<TombstoneProof>,
    /// There are more: ask for those after the last.
    #[serde(default)]
    pub more: bool,
}

/// What a device hands back: what the machine once gave away, bearing its own MAC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandBack {
    /// The counter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<CounterProof>,
    /// Tombstones, [`limits::TOMBSTONES_PAGE`] at most.
    #[serde(default)]
    pub tombstones: Vec<TombstoneProof>,
}

impl HandBack {
    /// Whether it is longer than a machine reads.
    pub fn is_too_long(&self) -> bool {
        self.tombstones.len() > limits::TOMBSTONES_PAGE
    }
}

/// What a machine took back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBack {
    /// Its counter now: past the highest one it was shown.
    pub counter: u64,
    /// Tombstones that it had lost.
    pub taken: u64,
    /// Devices among them that were paired again by the backup, and are revoked now.
    pub revoked: u64,
}

/// Hand-back, device to machine: the first message of a device whose token the machine has never seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandBackRequest {
    /// Versions the device speaks.
    pub versions: Vec<u16>,
    /// The device's id.
    pub device: DeviceId,
}

/// Hand-back, machine to device: what it has, believed only under the MAC of R. Requests `hand-back` follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandBackReady {
    /// Version chosen.
    pub version: u16,
    /// Its counter.
    pub counter: u64,
    /// Its newest tombstones.
    pub tombstones: TombstonesHash,
}
