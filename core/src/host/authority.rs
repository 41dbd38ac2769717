//! By what right somebody acts: at the machine's shell, or on an owner device by a statement of its approval key.
//! `requests` and its neighbours make one, the transactions of `rows` and `joining` look at it again.

use rusqlite::Connection;

use super::rows;
use crate::identity::DeviceId;
use crate::names::quoted;
use crate::store::StoreError;

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
    },
}

impl Authority {
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
            Self::Owner { device, .. } => rows::is_owner(connection, device),
        }
    }
}
