//! A device that asks to be let in.

use pairpin_core::role::Role;
use pairpin_core::wire::{AddressKind, JoinAccepted, JoinListed};
use serde::{Deserialize, Serialize};

use crate::output::time::Moment;

/// A join that waits. All but the address is what the device says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRecord {
    /// Its name while it waits.
    pub id: String,
    /// The name that it claims.
    pub name: String,
    /// The platform that it claims.
    pub platform: String,
    /// Where it asks from.
    pub from: String,
    /// What network that is.
    pub network: AddressKind,
    /// Whether it is in the machine's own network.
    pub same_network: bool,
    /// When it asked.
    pub asked_at: Moment,
    /// How long it still waits.
    pub seconds_left: u64,
    /// Whether its number can be typed.
    pub number: bool,
    /// Who revoked its key, if somebody did; it cannot be let in then.
    pub revoked_by: Option<String>,
    /// The name under which its key is paired here already.
    #[serde(default)]
    pub known_as: Option<String>,
    /// It asked before the machine restarted: it has to ask again.
    #[serde(default)]
    pub before_restart: bool,
}

impl From<JoinListed> for JoinRecord {
    fn from(listed: JoinListed) -> Self {
        Self {
            id: listed.join.text(),
            name: listed.name,
            platform: listed.platform,
            from: listed.from,
            network: listed.network,
            same_network: listed.same_network,
            asked_at: Moment(listed.asked_at),
            seconds_left: listed.seconds_left,
            number: listed.number,
            revoked_by: listed.revoked_by,
            known_as: listed.known_as,
            before_restart: listed.before_restart,
        }
    }
}

/// A device that was let in and has yet to be told the digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    /// To be typed into it.
    pub check_digits: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
}

impl From<JoinAccepted> for AcceptedRecord {
    fn from(accepted: JoinAccepted) -> Self {
        Self { check_digits: accepted.digits, name: accepted.name, role: accepted.role }
    }
}
