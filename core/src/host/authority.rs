//! By what right somebody acts: at the machine's shell, or on an owner device by a statement of its approval key.
//! `requests` and its neighbours make one, the transactions of `rows` and `joining` look at it again.

use rusqlite::Connection;

use super::book::Known;
use super::live::Live;
use super::shared::Shared;
use crate::identity::{DeviceId, PublicKey};
use crate::names::quoted;
use crate::role::Role;
use crate::store::StoreError;
use crate::store::host::devices::{self, DeviceRow};

/// By what right somebody acts.
#[derive(Debug, Clone)]
pub(super) enum Authority {
    /// At the machine's shell, under this name.
    Console(String),
    /// An owner device, by a statement of its approval key.
    Owner {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: String,
        /// The approval key whose statement held; none for what the session key says alone.
        key: Option<PublicKey>,
    },
}

impl Authority {
    /// The device of this connection, by the approval key that it has. The caller has checked a statement of
    /// that key.
    pub(super) fn of(live: &Live, row: &DeviceRow) -> Self {
        let key = row.approval.as_ref().map(|approval| approval.key);
        Self::Owner { device: live.device, name: row.name.clone(), key }
    }

    /// As a line of the log has it, and as others are told. A device may be called as the shell is: its name
    /// stands in quotation marks.
    pub(super) fn actor(&self) -> String {
        match self {
            Self::Console(name) => name.clone(),
            Self::Owner { name, .. } => quoted(name),
        }
    }

    /// The name alone.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Console(name) | Self::Owner { name, .. } => name,
        }
    }

    /// The device, where it is one.
    pub(super) fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Console(_) => None,
            Self::Owner { device, .. } => Some(*device),
        }
    }

    /// Whether it still holds, in this transaction: what was right when it was said may have been overtaken.
    pub(super) fn stands(&self, connection: &Connection) -> Result<bool, StoreError> {
        match self {
            Self::Console(_) => Ok(true),
            Self::Owner { device, key, .. } => {
                Ok(devices::get(connection, device)?.is_some_and(|row| holds(&row, key.as_ref())))
            }
        }
    }

    /// The same by the book, for what is not written yet.
    pub(super) fn stands_now(&self, shared: &Shared) -> bool {
        let Self::Owner { device, key, .. } = self else { return true };
        match shared.book.find(*device) {
            Some(Known::Device(entry)) => !shared.book.is_barred(*device) && holds(&entry.row, key.as_ref()),
            _ => false,
        }
    }
}

/// Whether a device is an owner that may act, and the key that spoke is still its approval key.
fn holds(row: &DeviceRow, key: Option<&PublicKey>) -> bool {
    let same = key.is_none_or(|key| row.approval.as_ref().is_some_and(|approval| approval.key == *key));
    row.role == Role::Owner && row.suspended.is_none() && same
}
