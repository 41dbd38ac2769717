//! The machine: its key, its addresses, its daemon.

use std::net::SocketAddr;

use pairpin_core::host::{HostStatus, KeysView, ReachableAddress};
use pairpin_core::identity::{MachineId, Pin};
use pairpin_core::wire::{Address, AddressKind};
use serde::{Deserialize, Serialize};

use crate::output::time::Moment;

/// A key as people compare it and as programs do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The whole pin, base64url.
    pub pin: Pin,
    /// The key fingerprint.
    pub fingerprint: String,
}

impl From<Pin> for KeyRecord {
    fn from(pin: Pin) -> Self {
        Self { pin, fingerprint: pin.fingerprint() }
    }
}

/// An address at which devices reach the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRecord {
    /// Host and port.
    pub address: Address,
    /// What kind of network.
    pub kind: AddressKind,
    /// The interface that has it; empty for an advertised one.
    pub interface: String,
}

impl From<ReachableAddress> for AddressRecord {
    fn from(view: ReachableAddress) -> Self {
        Self { address: view.address, kind: view.kind, interface: view.interface }
    }
}

/// `pairpin status --json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MachineRecord {
    /// Whether the daemon runs.
    pub running: bool,
    /// Its identity key.
    pub key: KeyRecord,
    /// The key that a planned change would bring.
    pub next_key: KeyRecord,
    /// The file that has it, where it is not in the state directory.
    #[serde(default)]
    pub next_key_kept: Option<String>,
    /// Planned changes of the key so far.
    #[serde(default)]
    pub epoch: u64,
    /// When the key was last changed, planned or not.
    #[serde(default)]
    pub key_changed_at: Option<Moment>,
    /// Paired devices.
    pub devices: usize,
    /// Paired owner devices.
    pub owners: usize,
    /// What only a running daemon has; its members are left out otherwise.
    #[serde(flatten)]
    pub daemon: Option<DaemonRecord>,
}

/// What only a running daemon has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DaemonRecord {
    /// The machine's name.
    pub name: String,
    /// Its id.
    pub machine: MachineId,
    /// Its platform.
    pub platform: String,
    /// Where it can be reached, best first.
    pub addresses: Vec<AddressRecord>,
    /// What it listens on.
    pub listening: Vec<SocketAddr>,
    /// Only this machine can reach it.
    pub loopback_only: bool,
    /// Devices connected now.
    pub online: usize,
    /// Outstanding offers.
    pub offers: usize,
    /// When a device was last welcomed, by the clock of that moment.
    pub latest_welcome: Option<Moment>,
    /// When it was started.
    pub started_at: Moment,
}

impl MachineRecord {
    /// A machine of these keys and no more.
    pub fn of_keys(keys: KeysView) -> Self {
        Self {
            running: false,
            key: keys.pin.into(),
            next_key: keys.next_pin.into(),
            next_key_kept: keys.next_kept,
            epoch: keys.epoch,
            key_changed_at: keys.changed_at.map(Moment),
            devices: 0,
            owners: 0,
            daemon: None,
        }
    }
}

impl From<HostStatus> for MachineRecord {
    fn from(view: HostStatus) -> Self {
        Self {
            running: true,
            devices: view.devices,
            owners: view.owners,
            daemon: Some(DaemonRecord {
                name: view.name,
                machine: view.machine,
                platform: view.platform,
                addresses: view.addresses.into_iter().map(Into::into).collect(),
                listening: view.listening,
                loopback_only: view.loopback_only,
                online: view.online,
                offers: view.offers,
                latest_welcome: view.latest_welcome.map(Moment),
                started_at: Moment(view.started_at),
            }),
            ..Self::of_keys(view.keys)
        }
    }
}
