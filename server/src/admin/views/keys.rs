//! What a change of the machine's keys came to.

use pairpin_core::host::KeysChanged;
use serde::{Deserialize, Serialize};

use super::KeyRecord;

/// `pairpin key rotate --json`, and what the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysChangedRecord {
    /// The identity key, as it is now.
    pub key: KeyRecord,
    /// The key that the next planned change would bring.
    pub next_key: KeyRecord,
    /// The file that has it, where it is not in the state directory.
    pub next_key_kept: Option<String>,
    /// Planned changes so far.
    pub epoch: u64,
    /// Paired devices.
    pub devices: usize,
    /// Those of them that were connected.
    pub online: usize,
    /// Connections that were cut.
    pub connections_cut: usize,
    /// Offers that were withdrawn, for they named the key of before.
    pub offers_withdrawn: usize,
    /// Devices that asked to be let in and have to ask again.
    pub joins_ended: usize,
    /// There is a printed recovery sheet, which wants printing anew.
    pub recovery_sheet: bool,
}

impl From<KeysChanged> for KeysChangedRecord {
    fn from(changed: KeysChanged) -> Self {
        Self {
            key: changed.keys.pin.into(),
            next_key: changed.keys.next_pin.into(),
            next_key_kept: changed.keys.next_kept,
            epoch: changed.keys.epoch,
            devices: changed.devices,
            online: changed.online,
            connections_cut: changed.connections_cut,
            offers_withdrawn: changed.offers_withdrawn,
            joins_ended: changed.joins_ended,
            recovery_sheet: changed.recovery_sheet,
        }
    }
}
