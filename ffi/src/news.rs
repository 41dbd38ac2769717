//! What machines told that waits for no answer, as a screen or a notification shows it.

use pairpin_core::client::MachineView;
use pairpin_core::client::app::{self, Tidings};

use crate::machines::RoleName;

/// Something that a machine told.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewsView {
    /// The machine's row.
    pub row: i64,
    /// Its name here; empty where it was forgotten meanwhile.
    pub machine: String,
    /// Counts up by one with each, so that a shell knows what it has shown.
    pub number: u64,
    /// When it was heard, in milliseconds since 1970 UTC.
    pub at: i64,
    /// What.
    pub news: News,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum News {
    /// A device was paired, or let in.
    DeviceAdded {
        /// Its name.
        name: String,
        /// Its role.
        role: RoleName,
        /// The address it came from.
        from: String,
        /// It was paired before.
        again: bool,
        /// The number of the offer that it used.
        offer: Option<u32>,
        /// The check digits, which that device shows too.
        digits: Option<String>,
    },
    /// A device lost its access.
    DeviceRevoked {
        /// The name it had.
        name: String,
        /// Who did it.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// What a device may do was changed.
    DeviceChanged {
        /// Its name.
        name: String,
        /// Its role now.
        role: RoleName,
        /// Who did it.
        by: String,
    },
    /// A second device holds an offer that was used: its QR was seen by two.
    Alarm {
        /// Where it came from.
        from: String,
        /// The device that is paired by the offer: the one to revoke if it is not yours.
        name: Option<String>,
    },
    /// Somebody used the printed recovery sheet.
    RecoveryUsed {
        /// From where.
        from: String,
        /// How many devices it took the access away from.
        revoked: u64,
    },
    /// The machine was restored from a backup, and handed back what it had lost.
    Restored {
        /// By which device.
        by: String,
        /// How many devices are revoked by that.
        revoked: u64,
    },
    /// Somebody at the machine says something.
    Notice {
        /// Who, as the machine knows.
        user: Option<String>,
        /// What; claimed.
        text: String,
    },
}

impl NewsView {
    /// As the app shows it, beside its machines.
    pub(crate) fn of(news: &app::News, machines: &[MachineView]) -> Self {
        let machine = machines.iter().find(|machine| machine.row == news.row);
        Self {
            row: news.row,
            machine: machine.map(|machine| machine.name.clone()).unwrap_or_default(),
            number: news.number,
            at: news.at,
            news: (&news.what).into(),
        }
    }
}

impl From<&Tidings> for News {
    fn from(what: &Tidings) -> Self {
        match what.clone() {
            Tidings::DeviceAdded { name, role, from, again, offer, digits } => {
                Self::DeviceAdded { name, role: role.into(), from, again, offer, digits }
            }
            Tidings::DeviceRevoked { name, by, reason } => Self::DeviceRevoked { name, by, reason },
            Tidings::DeviceChanged { name, role, by } => Self::DeviceChanged { name, role: role.into(), by },
            Tidings::Alarm { from, name } => Self::Alarm { from, name },
            Tidings::RecoveryUsed { from, revoked } => Self::RecoveryUsed { from, revoked },
            Tidings::Restored { by, revoked } => Self::Restored { by, revoked },
            Tidings::Notice { user, text } => Self::Notice { user, text },
        }
    }
}
