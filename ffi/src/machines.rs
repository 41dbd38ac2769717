//! A machine as a screen shows it: its state in one value, and what may be done with it.

use pairpin_core::client::app::{Action, WhyNot};
use pairpin_core::client::{self, MachineState, Told};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::role::Role;
use pairpin_core::wire::{Address, AddressKind};

use crate::keys::KeyHolder;

/// What a device may do on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RoleName {
    /// Sees its status.
    Viewer,
    /// Opens services and answers asks.
    Operator,
    /// Decides who may in.
    Owner,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Owner => Self::Owner,
        }
    }
}

/// The kind of network that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AddressWord {
    /// The local network.
    Lan,
    /// A tailnet.
    Tailnet,
    /// Another tunnel.
    Tunnel,
    /// A public address.
    Public,
    /// A container's network.
    Container,
    /// This very machine.
    Loopback,
    /// Given by a person, such as a name.
    Advertised,
}

impl From<AddressKind> for AddressWord {
    fn from(kind: AddressKind) -> Self {
        match kind {
            AddressKind::Lan => Self::Lan,
            AddressKind::Tailnet => Self::Tailnet,
            AddressKind::Tunnel => Self::Tunnel,
            AddressKind::Public => Self::Public,
            AddressKind::Container => Self::Container,
            AddressKind::Loopback => Self::Loopback,
            AddressKind::Advertised => Self::Advertised,
        }
    }
}

/// How a machine stands to this phone. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum MachineCondition {
    /// The pairing was begun and not finished.
    Unfinished,
    /// A connection is being made.
    Connecting,
    /// Connected.
    Online {
        /// By this address.
        address: String,
        /// Of this kind.
        kind: AddressWord,
    },
    /// Not connected.
    Offline {
        /// Since when; none while it has never been online.
        since: Option<i64>,
        /// Why, where an attempt said so.
        why: Option<String>,
    },
    /// Forgotten here while it was away; it is told as soon as it answers.
    Leaving {
        /// Since when.
        since: i64,
    },
    /// Forgotten here, and told just now.
    Forgotten {
        /// This phone was its last owner.
        last_owner: bool,
    },
    /// Asleep with the app.
    Paused,
    /// This phone was revoked there; its keys are erased.
    Revoked {
        /// By whom.
        by: Option<String>,
        /// When, by the machine's clock.
        at: Option<i64>,
        /// The reason that was given.
        reason: Option<String>,
    },
    /// Hard stop: it proves another key.
    KeyChanged {
        /// That key's fingerprint.
        seen: String,
    },
    /// Hard stop: it has its key but not what it gave this phone.
    KeyCopied,
    /// This phone is suspended there.
    Suspended {
        /// When, by the machine's clock.
        at: Option<i64>,
        /// Why.
        reason: Option<String>,
    },
    /// The session has ended.
    Expired,
    /// Pair again: it has no record of this phone, or one of the two was restored.
    Lost,
    /// This phone's keys for it are gone: forget it here, then scan its offer.
    KeysGone,
    /// This phone cannot use its own keys or state.
    Broken {
        /// Why, and what to do.
        why: String,
    },
}

/// Something that the screen of a machine offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ActionView {
    /// Another name here.
    Rename,
    /// Forget it here, and be taken off its list.
    Forget,
    /// Scan its offer.
    ScanAgain,
    /// Answer what is asked there.
    Answer,
    /// See its devices.
    Devices,
    /// Let a device in or out.
    Decide,
}

/// An action, and whether it is to be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Possible {
    /// The action.
    pub action: ActionView,
    /// Why not; none where it is.
    pub why_not: Option<Hindrance>,
}

/// Why an action is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Hindrance {
    /// The machine is not connected.
    NotConnected,
    /// This phone's role there is not enough.
    Role {
        /// This one is.
        least: RoleName,
    },
    /// This phone is not paired with it.
    NotPaired,
    /// Its key has to be looked at first.
    HardStop,
    /// Nothing is wrong that it would mend.
    NotNeeded,
    /// Forget it here first: its keys are gone.
    ForgetFirst,
}

/// A paired machine.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MachineView {
    /// Names it in calls.
    pub row: i64,
    /// Its name here.
    pub name: String,
    /// Its own name.
    pub machine_name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// Its key fingerprint.
    pub fingerprint: String,
    /// This phone's role there.
    pub role: RoleName,
    /// The name under which it lists this phone.
    pub device_name: String,
    /// How it stands.
    pub condition: MachineCondition,
    /// When it was paired.
    pub paired_at: Option<i64>,
    /// When it was last connected.
    pub last_online: Option<i64>,
    /// When the session ends whatever happens, by its clock.
    pub expires_at: Option<i64>,
    /// When the session ends, where the person is to be warned of that.
    pub ends_soon: Option<i64>,
    /// What holds this phone's keys for it.
    pub keys: KeyHolder,
    /// What may be done with it, in the order of a screen.
    pub actions: Vec<Possible>,
}

pub(crate) fn why_not(why: WhyNot) -> Hindrance {
    match why {
        WhyNot::NotConnected => Hindrance::NotConnected,
        WhyNot::Role(least) => Hindrance::Role { least: least.into() },
        WhyNot::NotPaired => Hindrance::NotPaired,
        WhyNot::HardStop => Hindrance::HardStop,
        WhyNot::NotNeeded => Hindrance::NotNeeded,
        WhyNot::ForgetFirst => Hindrance::ForgetFirst,
    }
}

fn action(action: Action) -> ActionView {
    match action {
        Action::Rename => ActionView::Rename,
        Action::Forget => ActionView::Forget,
        Action::ScanAgain => ActionView::ScanAgain,
        Action::Answer => ActionView::Answer,
        Action::Devices => ActionView::Devices,
        Action::Decide => ActionView::Decide,
    }
}

fn online(address: &Address) -> MachineCondition {
    MachineCondition::Online { address: address.to_string(), kind: address.kind().into() }
}

fn revoked(told: &Told) -> MachineCondition {
    MachineCondition::Revoked { by: told.by.clone(), at: told.at, reason: told.reason.clone() }
}

impl From<&MachineState> for MachineCondition {
    fn from(state: &MachineState) -> Self {
        match state {
            MachineState::Unfinished => Self::Unfinished,
            MachineState::Connecting => Self::Connecting,
            MachineState::Online { address } => online(address),
            MachineState::Offline { since, why } => Self::Offline { since: *since, why: why.clone() },
            MachineState::Leaving { since, .. } => Self::Leaving { since: *since },
            MachineState::Forgotten { last_owner } => Self::Forgotten { last_owner: *last_owner },
            MachineState::Paused => Self::Paused,
            MachineState::Revoked(told) => revoked(told),
            MachineState::KeyChanged { seen } => Self::KeyChanged { seen: seen.fingerprint() },
            MachineState::KeyCopied => Self::KeyCopied,
            MachineState::Suspended(told) => Self::Suspended { at: told.at, reason: told.reason.clone() },
            MachineState::Expired { .. } => Self::Expired,
            MachineState::Lost { .. } => Self::Lost,
            MachineState::KeysGone { .. } => Self::KeysGone,
            MachineState::Broken { why } => Self::Broken { why: why.clone() },
        }
    }
}

impl From<&client::MachineView> for MachineView {
    fn from(view: &client::MachineView) -> Self {
        let possible = |one: &Action| Possible { action: action(*one), why_not: one.allowed(view).err().map(why_not) };
        Self {
            row: view.row,
            name: view.name.clone(),
            machine_name: view.machine_name.clone(),
            platform: view.platform.clone(),
            fingerprint: view.fingerprint(),
            role: view.role.into(),
            device_name: view.device_name.clone(),
            condition: (&view.state).into(),
            paired_at: view.paired_at,
            last_online: view.last_online,
            expires_at: view.expires_at,
            ends_soon: view.ends_soon(SystemClock.wall_ms()),
            keys: view.secret_store.into(),
            actions: Action::ALL.iter().map(possible).collect(),
        }
    }
}
