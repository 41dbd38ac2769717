//! What a machine tells its devices without being asked: the notification `event` of a session.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::role::Role;
use crate::wire::{
    ApprovalGuard, AskEnd, AskKnown, JoinEnd, JoinId, JoinListed, PendingAsk, Rotate, Standing, TombstoneProof,
};

/// Something happened that a device of the right role should know at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeviceEvent {
    /// A device was paired, or let in.
    DeviceAdded {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: String,
        /// Its role.
        role: Role,
        /// The address it came from.
        from: String,
        /// It was paired before and keeps its row.
        again: bool,
        /// The number of the offer that it used, where it used one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        offer: Option<u32>,
        /// The check digits that the device shows too; empty where there are none.
        #[serde(default)]
        check_digits: String,
    },
    /// A device lost its access.
    DeviceRevoked {
        /// The device.
        device: DeviceId,
        /// The name it had.
        name: String,
        /// Who did it.
        by: String,
        /// When.
        at: UnixMillis,
        /// Why, where that was said.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// Somebody used the machine's printed recovery sheet.
    RecoveryUsed {
        /// The address it was used from.
        from: String,
        /// When.
        at: UnixMillis,
        /// How many devices it took the access away from; each is told of by itself too.
        revoked: usize,
    },
    /// A second device holds an offer that was used: its QR was seen by two.
    Alarm {
        /// Where the second attempt came from.
        from: String,
        /// When.
        at: UnixMillis,
        /// The device that is paired by the offer, if it is: the one to revoke if it is not yours.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        device: Option<DeviceId>,
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        name: Option<String>,
    },
    /// Somebody asks, and waits for an answer.
    AskPending {
        /// The ask.
        #[serde(flatten)]
        ask: PendingAsk,
    },
    /// An ask needs no answer any more.
    AskGone {
        /// Its id.
        id: String,
        /// How it ended.
        #[serde(flatten)]
        end: AskEnd,
    },
    /// Somebody at the machine says something, and waits for no answer.
    Notice {
        /// Who, as the machine knows.
        known: AskKnown,
        /// What; claimed.
        text: String,
        /// When.
        at: UnixMillis,
    },
    /// A device asks to be let in.
    JoinPending(Box<JoinListed>),
    /// It is not to be decided any more.
    JoinGone {
        /// Which.
        join: JoinId,
        /// Why.
        end: JoinEnd,
        /// By whom, where somebody decided.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by: Option<String>,
    },
    /// What a device may do was changed: its role, its suspension, or its approval key. Told to itself too.
    DeviceChanged {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: String,
        /// Its role now.
        role: Role,
        /// Whether it is suspended now.
        #[serde(default)]
        suspended: bool,
        /// What guards its approval key; none where it has none now.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        approval: Option<ApprovalGuard>,
        /// Who did it.
        by: String,
        /// When.
        at: UnixMillis,
    },
    /// A device's session ends soon. Told to itself too, once a day.
    SessionEnding {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: String,
        /// When its session ends.
        ends_at: UnixMillis,
        /// It ends because it is not used: connecting is enough. Else a fresh offer is needed.
        #[serde(default)]
        unused: bool,
    },
    /// Somebody was revoked: what an owner device is to keep in case the machine is restored from a backup.
    Tombstone {
        /// How the machine stands with it.
        #[serde(flatten)]
        standing: Standing,
        /// The tombstone.
        tombstone: Box<TombstoneProof>,
    },
    /// The machine was restored from a backup, and a device handed back what it had lost.
    Restored {
        /// The name of that device.
        by: String,
        /// When.
        at: UnixMillis,
        /// Tombstones that it handed back.
        taken: u64,
        /// Devices that are revoked by that.
        revoked: u64,
    },
    /// The machine's key was changed as it had announced; this connection goes on under the one before.
    KeyRotated {
        /// The signed change.
        #[serde(flatten)]
        rotate: Box<Rotate>,
    },
    /// Some were lost, because this device did not read for long: ask for everything anew.
    Missed,
    /// One that this build does not know.
    #[serde(other)]
    Unknown,
}

impl DeviceEvent {
    /// The least role that is told.
    pub fn least_role(&self) -> Role {
        match self {
            Self::DeviceAdded { .. } | Self::DeviceRevoked { .. } | Self::Alarm { .. } => Role::Owner,
            Self::RecoveryUsed { .. } => Role::Owner,
            Self::AskPending { .. } | Self::AskGone { .. } | Self::Notice { .. } => Role::Operator,
            Self::JoinPending(_) | Self::JoinGone { .. } => Role::Owner,
            Self::DeviceChanged { .. } | Self::SessionEnding { .. } => Role::Owner,
            Self::Tombstone { .. } | Self::Restored { .. } => Role::Owner,
            Self::KeyRotated { .. } | Self::Missed | Self::Unknown => Role::Viewer,
        }
    }

    /// The device that is told whatever its role is: it is about it.
    pub fn about(&self) -> Option<DeviceId> {
        match self {
            Self::DeviceChanged { device, .. } | Self::SessionEnding { device, .. } => Some(*device),
            _ => None,
        }
    }
}

/// A device as owner devices see it in the machine's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceListed {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// What it says it runs on.
    pub platform: String,
    /// Its role.
    pub role: Role,
    /// Connections it has now.
    pub connected: usize,
    /// When it was paired.
    pub paired_at: UnixMillis,
    /// When it was last connected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<UnixMillis>,
    /// Why it is suspended, where it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suspended: Option<String>,
    /// Whether its session has ended.
    #[serde(default)]
    pub expired: bool,
    /// When its session ends, where that is soon.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_at: Option<UnixMillis>,
    /// What it says guards its approval key; none where it has brought no key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<ApprovalGuard>,
}

/// A page of the machine's devices, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesPage {
    /// The devices.
    pub devices: Vec<DeviceListed>,
    /// There are more: ask for those after the last.
    #[serde(default)]
    pub more: bool,
}

/// Which page of the devices is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesAfter {
    /// Those after this one; the first ones where it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<DeviceId>,
}
