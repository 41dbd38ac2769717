//! The records that cross the admin socket and that `--json` prints: one shape for both,
//! documented in docs/json.md. Made from the core's views; nothing is decided here.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use pairpin_core::host::{
    AlarmView, AuditView, DeviceView, HostStatus, NewOffer, OfferEvent, OfferView, PairedView, ReachableAddress,
    RevokedView, TombstoneView,
};
use pairpin_core::identity::{MachineId, Pin};
use pairpin_core::role::Role;
use pairpin_core::wire::{Address, AddressKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::output::time::Moment;

/// An offer's link or code on its way to the person who asked for it. It cannot be printed by
/// accident and is wiped when dropped.
#[derive(Clone)]
pub struct Shown(Zeroizing<String>);

impl Shown {
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
    /// When it was started.
    pub started_at: Moment,
}

impl From<HostStatus> for MachineRecord {
    fn from(view: HostStatus) -> Self {
        Self {
            running: true,
            key: view.pin.into(),
            next_key: view.next_pin.into(),
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
                started_at: Moment(view.started_at),
            }),
        }
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
            expires_in_seconds: view.expires_in.as_secs(),
            claimed_by: view.claimed_by,
        }
    }
}

/// A paired device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its id.
    pub id: String,
    /// The name under which it is listed.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// Its role.
    pub role: Role,
    /// What holds its session key.
    pub key_kind: String,
    /// When it was paired.
    pub paired_at: Moment,
    /// "scan" or "code".
    pub paired_how: String,
    /// From where.
    pub paired_from: String,
    /// When it was last connected; `null` before its first connection.
    pub last_seen: Option<Moment>,
    /// From where.
    pub last_address: Option<String>,
    /// Connections now.
    pub connected: usize,
    /// How long its session may stay unused.
    pub idle_seconds: u64,
    /// How long its session may live.
    pub absolute_seconds: u64,
    /// When its session ends if it is not used.
    pub expires_at: Moment,
    /// Whether it has ended.
    pub expired: bool,
    /// Why it is suspended, if it is.
    pub suspended: Option<String>,
}

impl From<DeviceView> for DeviceRecord {
    fn from(view: DeviceView) -> Self {
        Self {
            id: view.id.text(),
            name: view.name,
            platform: view.platform,
            role: view.role,
            key_kind: view.key_kind.as_str().to_owned(),
            paired_at: Moment(view.paired_at),
            paired_how: view.paired_how.as_str().to_owned(),
            paired_from: view.paired_from,
            last_seen: view.last_seen.map(Moment),
            last_address: view.last_address,
            connected: view.connected,
            idle_seconds: view.idle_seconds,
            absolute_seconds: view.absolute_seconds,
            expires_at: Moment(view.expires_at),
            expired: view.expired,
            suspended: view.suspended,
        }
    }
}

/// A revoked device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneRecord {
    /// Its id.
    pub id: String,
    /// The name it had.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// The role it had.
    pub role: Role,
    /// When it was revoked.
    pub revoked_at: Moment,
    /// By whom.
    pub revoked_by: String,
    /// Why.
    pub reason: Option<String>,
}

impl From<TombstoneView> for TombstoneRecord {
    fn from(view: TombstoneView) -> Self {
        Self {
            id: view.id.text(),
            name: view.name,
            platform: view.platform,
            role: view.role,
            revoked_at: Moment(view.revoked_at),
            revoked_by: view.revoked_by,
            reason: view.reason,
        }
    }
}

/// A device that was just revoked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokedRecord {
    /// The device as it was.
    pub device: DeviceRecord,
    /// Connections that were cut.
    pub connections_cut: usize,
    /// It was the last owner.
    pub last_owner: bool,
}

impl From<RevokedView> for RevokedRecord {
    fn from(view: RevokedView) -> Self {
        Self { device: view.device.into(), connections_cut: view.connections_cut, last_owner: view.last_owner }
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Moment,
    /// What kind of thing, one word.
    pub kind: String,
    /// The device it is about.
    pub device: Option<String>,
    /// In words.
    pub text: String,
}

impl From<AuditView> for AuditRecord {
    fn from(view: AuditView) -> Self {
        Self {
            seq: view.seq,
            at: Moment(view.at),
            kind: view.kind,
            device: view.device.map(|id| id.text()),
            text: view.text,
        }
    }
}

/// What happens to an offer: the lines of `pairpin pair --json` after the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
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
    pub digits: String,
    /// From where.
    pub from: String,
    /// It was paired before and keeps its row.
    pub again: bool,
}

impl From<PairedView> for PairedRecord {
    fn from(view: PairedView) -> Self {
        Self { device: view.device.into(), digits: view.digits, from: view.from, again: view.again }
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

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A device for tests of what is said about one.
    pub fn device(name: &str, role: Role) -> DeviceRecord {
        DeviceRecord {
            id: "mfrggzdfmztwq2lkmfrggzdfmy".into(),
            name: name.into(),
            platform: "Android 16".into(),
            role,
            key_kind: "hardware".into(),
            paired_at: Moment(1_800_000_000_000),
            paired_how: "scan".into(),
            paired_from: "192.168.1.34".into(),
            last_seen: Some(Moment(1_800_000_060_000)),
            last_address: None,
            connected: 0,
            idle_seconds: 2_592_000,
            absolute_seconds: 15_552_000,
            expires_at: Moment(1_802_592_060_000),
            expired: false,
            suspended: None,
        }
    }

    /// docs/json.md promises these; a change here is a change there, and of `"v"` unless a member
    /// was added.
    #[test]
    fn the_documented_shapes_hold() {
        assert_eq!(
            serde_json::to_string(&device("Pixel", Role::Owner)).unwrap(),
            r#"{"id":"mfrggzdfmztwq2lkmfrggzdfmy","name":"Pixel","platform":"Android 16","role":"owner","key_kind":"hardware","paired_at":"2027-01-15T08:00:00.000Z","paired_how":"scan","paired_from":"192.168.1.34","last_seen":"2027-01-15T08:01:00.000Z","last_address":null,"connected":0,"idle_seconds":2592000,"absolute_seconds":15552000,"expires_at":"2027-02-14T08:01:00.000Z","expired":false,"suspended":null}"#
        );
        let offer = NewOfferRecord {
            number: 3,
            link: Some(Shown::new("pairpin:AB")),
            code: None,
            role: Role::Viewer,
            expires_in_seconds: 120,
            expires_at: Moment(1_800_000_000_000),
        };
        assert_eq!(
            serde_json::to_string(&PairEvent::Offer(offer.clone())).unwrap(),
            r#"{"event":"offer","number":3,"link":"pairpin:AB","role":"viewer","expires_in_seconds":120,"expires_at":"2027-01-15T08:00:00.000Z"}"#
        );
        assert_eq!(serde_json::to_string(&PairEvent::Expired).unwrap(), r#"{"event":"expired"}"#);
        assert!(!format!("{offer:?}").contains("AB"));
    }

    #[test]
    fn a_stopped_machine_leaves_out_what_only_a_running_one_has() {
        let key = KeyRecord::from(Pin::from_bytes([0; 32]));
        let machine =
            MachineRecord { running: false, key: key.clone(), next_key: key, devices: 1, owners: 0, daemon: None };
        let text = serde_json::to_string(&machine).unwrap();
        assert!(!text.contains("addresses") && text.starts_with(r#"{"running":false,"key":{"pin":""#));
        assert!(serde_json::from_str::<MachineRecord>(&text).unwrap().daemon.is_none());
    }
}
