//! Flow `recovery`: what the holder of a printed sheet asks of a machine, and what it answers. Field for field in
//! `docs/protocol.md`, section 17.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::identity::{DeviceId, bytes_newtype};
use crate::role::Role;

bytes_newtype! {
    /// Names a recovery sheet without saying anything of its seed.
    SheetId, 8
}

bytes_newtype! {
    /// The public half of a sheet's key (Ed25519, RFC 8032): all that a machine needs to check a use.
    SheetKey, 32
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryAct {
    /// Nothing: say which devices there are. Spends nothing.
    List,
    /// Revoke this device, by its exact name, its id, or an unambiguous beginning of its id.
    Revoke(String),
    /// Revoke every device.
    All,
}

/// Recovery, from the sheet's holder to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRequest {
    /// Versions that the holder speaks.
    pub versions: Vec<u16>,
    /// The sheet.
    pub sheet: SheetId,
    /// What is to be done.
    pub act: RecoveryAct,
}

/// A device that was revoked by the sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRevoked {
    /// Its id.
    pub device: DeviceId,
    /// The name it had.
    pub name: String,
    /// The role it had.
    pub role: Role,
    /// Connections of it that were cut.
    pub connections_cut: usize,
}

/// A device, as the holder of a sheet sees it: enough to know which one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryDevice {
    /// Its id.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// What it says it runs on.
    pub platform: String,
    /// Its role.
    pub role: Role,
    /// When it was last connected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<UnixMillis>,
}

/// Recovery, from the machine to the sheet's holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryAnswer {
    /// Version chosen.
    pub version: u16,
    /// The machine's name.
    pub name: String,
    /// Whether the sheet is spent by this: it is unless nothing was revoked.
    pub spent: bool,
    /// Whom it took the access away from, at most [`limits::RECOVERY_LISTED`](super::limits::RECOVERY_LISTED).
    pub revoked: Vec<RecoveryRevoked>,
    /// The devices that are paired now, as many at most.
    pub devices: Vec<RecoveryDevice>,
    /// How many more were revoked than are listed.
    pub more_revoked: usize,
    /// How many more are paired than are listed.
    pub more_devices: usize,
}
