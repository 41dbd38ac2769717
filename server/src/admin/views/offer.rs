//! An offer, with its secrets for the one who made it, and what happens to it.

use std::fmt;
use std::time::Duration;

use pairpin_core::host::{AlarmView, NewOffer, OfferEvent, OfferView, PairedView};
use pairpin_core::role::Role;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::DeviceRecord;
use crate::output::time::Moment;

/// An offer's link or code on its way to the person who asked for it. It cannot be printed by
/// accident and is wiped when dropped.
#[derive(Clone)]
pub struct Shown(Zeroizing<String>);

impl Shown {
    /// Wraps what is a secret already.
    pub fn of(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Wraps a secret text, for tests.
    #[cfg(test)]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text, for the screen.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// A new offer with its secrets: the first line of `pairpin pair --json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewOfferRecord {
    /// Its number.
    pub number: u32,
    /// Its link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<Shown>,
    /// Its code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<Shown>,
    /// The role it gives.
    pub role: Role,
    /// Its life.
    pub expires_in_seconds: u64,
    /// When it ends.
    pub expires_at: Moment,
}

impl From<&NewOffer> for NewOfferRecord {
    fn from(view: &NewOffer) -> Self {
        Self {
            number: view.number,
            link: view.link.as_ref().map(|link| Shown(link.to_text())),
            code: view.code.as_ref().map(|code| Shown(code.expose_groups())),
            role: view.role,
            expires_in_seconds: view.lifetime.as_secs(),
            expires_at: Moment(view.expires_at),
        }
    }
}

/// An outstanding offer, without secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfferRecord {
    /// Its number.
    pub number: u32,
    /// Whether it has a link.
    pub link: bool,
    /// Whether its code is live.
    pub code: bool,
    /// The role it gives.
    pub role: Role,
    /// The name for the new device, where one was given.
    pub name: Option<String>,
    /// The owner device that made it; `null` where it was made here.
    pub minted_by: Option<String>,
    /// Time left.
    pub expires_in_seconds: u64,
    /// The device that has used it and must still acknowledge.
    pub claimed_by: Option<String>,
}

impl From<OfferView> for OfferRecord {
    fn from(view: OfferView) -> Self {
        Self {
            number: view.number,
            link: view.link,
            code: view.code,
            role: view.role,
            name: view.name,
            minted_by: view.minted_by,
            expires_in_seconds: view.expires_in.as_secs(),
            claimed_by: view.claimed_by,
        }
    }
}

/// What happens to an offer: the lines of `pairpin pair --json` after the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum PairEvent {
    /// The offer is made.
    Offer(NewOfferRecord),
    /// A device looks at it.
    Previewed {
        /// Its address.
        from: String,
    },
    /// A device has used it and must still acknowledge.
    Claimed {
        /// Its address.
        from: String,
        /// Its name.
        name: String,
    },
    /// A device is paired. The last event.
    Paired(Box<PairedRecord>),
    /// A device was about to be paired, and that could not be stored.
    NotStored {
        /// Its name.
        name: String,
        /// Why, and what to do.
        cause: String,
    },
    /// A wrong code was typed.
    WrongCode {
        /// Tries left.
        tries_left: u32,
        /// From where.
        from: String,
    },
    /// The code is burnt.
    CodeBurnt {
        /// Whether code pairing as a whole is closed.
        closed: bool,
    },
    /// Another offer has a code now.
    CodeReplaced {
        /// That offer.
        by: u32,
    },
    /// It has more time.
    Extended {
        /// Time left.
        expires_in_seconds: u64,
    },
    /// Its time is over. The last event.
    Expired,
    /// It was withdrawn. The last event.
    Withdrawn,
    /// A second device tried it after it was used.
    Alarm(AlarmRecord),
}

/// A device was paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedRecord {
    /// The device.
    pub device: DeviceRecord,
    /// The check digits.
    pub check_digits: String,
    /// From where.
    pub from: String,
    /// It was paired before and keeps its row.
    pub again: bool,
}

impl From<PairedView> for PairedRecord {
    fn from(view: PairedView) -> Self {
        Self { device: view.device.into(), check_digits: view.digits, from: view.from, again: view.again }
    }
}

/// The QR was seen by two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmRecord {
    /// Where the second attempt came from.
    pub from: String,
    /// When.
    pub at: Moment,
    /// The device that is paired by the offer, if it is.
    pub device: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

impl From<AlarmView> for AlarmRecord {
    fn from(view: AlarmView) -> Self {
        Self { from: view.from, at: Moment(view.at), device: view.device.map(|id| id.text()), name: view.name }
    }
}

impl From<OfferEvent> for PairEvent {
    fn from(event: OfferEvent) -> Self {
        match event {
            OfferEvent::Previewed { from } => Self::Previewed { from },
            OfferEvent::Claimed { from, name } => Self::Claimed { from, name },
            OfferEvent::Paired(paired) => Self::Paired(Box::new(paired.into())),
            OfferEvent::NotStored { name, cause } => Self::NotStored { name, cause },
            OfferEvent::WrongCode { tries_left, from } => Self::WrongCode { tries_left, from },
            OfferEvent::CodeBurnt { closed } => Self::CodeBurnt { closed },
            OfferEvent::CodeReplaced { by } => Self::CodeReplaced { by },
            OfferEvent::Extended { expires_in } => Self::Extended { expires_in_seconds: expires_in.as_secs() },
            OfferEvent::Expired => Self::Expired,
            OfferEvent::Withdrawn => Self::Withdrawn,
            OfferEvent::Alarm(alarm) => Self::Alarm(alarm.into()),
        }
    }
}

impl PairEvent {
    /// Whether nothing follows that a waiting `pair` wants.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Paired(_) | Self::Expired | Self::Withdrawn)
    }
}

impl NewOfferRecord {
    /// Its life.
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(self.expires_in_seconds)
    }
}
