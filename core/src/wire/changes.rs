//! What an owner device changes about another device: its role, its suspension, its approval key. Each
//! needs a statement (`statements`).

use serde::{Deserialize, Serialize};

use super::statements::Signed;
use crate::identity::DeviceId;
use crate::role::Role;

/// Set-role: what a device may do from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRoleRequest {
    /// Which.
    pub device: DeviceId,
    /// Its new role.
    pub role: Role,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// Lift: a suspended device may connect again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftRequest {
    /// Which.
    pub device: DeviceId,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// Forget-key: the machine forgets the approval key of another device, which may then bring a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetKeyRequest {
    /// Which; not the one that asks.
    pub device: DeviceId,
    /// Signed by the approval key of the one who asks.
    pub signed: Signed,
}

/// The answer to all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSet {
    /// The device's name.
    pub name: String,
    /// Its role, as it is now.
    pub role: Role,
    /// Whether anything was another before: `false` where it was so already.
    pub changed: bool,
}
