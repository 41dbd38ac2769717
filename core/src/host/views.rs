//! What the host shows: plain records for the command line and, later, for owner devices.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::host::OfferNumber;
use crate::identity::{DeviceId, MachineId, Pin};
use crate::link::Link;
use crate::net::addresses::ReachableAddress;
use crate::role::Role;
use crate::secrets::{KeyKind, TypedCode};
use crate::store::host::devices::{LetIn, PairedHow};
use crate::wire::ApprovalGuard;

/// The machine and what goes on.
#[derive(Debug, Clone)]
pub struct HostStatus {
    /// The machine's name.
    pub name: String,
    /// Its id.
    pub machine: MachineId,
    /// Its pin; people see [`Pin::fingerprint`].
    pub pin: Pin,
    /// All about its keys.
    pub keys: KeysView,
    /// Its platform.
    pub platform: String,
    /// Where it can be reached, best first.
    pub addresses: Vec<ReachableAddress>,
    /// What it listens on.
    pub listening: Vec<std::net::SocketAddr>,
    /// Only this machine can reach it.
    pub loopback_only: bool,
    /// Paired devices.
    pub devices: usize,
    /// Paired owner devices.
    pub owners: usize,
    /// Devices with a connection now.
    pub online: usize,
    /// Outstanding offers.
    pub offers: usize,
    /// The latest time at which a device was welcomed; stored lifetimes are never judged by an earlier
    /// one. `None` before the first.
    pub latest_welcome: Option<UnixMillis>,
    /// When the host was started.
    pub started_at: UnixMillis,
}

/// A new offer, its secrets in it this once.
#[derive(Debug)]
pub struct NewOffer {
    /// Its number.
    pub number: OfferNumber,
    /// Its link.
    pub link: Option<Link>,
    /// Its typed code.
    pub code: Option<TypedCode>,
    /// The role it gives, as things stand.
    pub role: Role,
    /// Its life.
    pub lifetime: Duration,
    /// When it ends, by the wall clock.
    pub expires_at: UnixMillis,
}

/// An outstanding offer, without its secrets.
#[derive(Debug, Clone)]
pub struct OfferView {
    /// Its number.
    pub number: OfferNumber,
    /// Whether it has a link.
    pub link: bool,
    /// Whether its code is live.
    pub code: bool,
    /// The role it gives, as things stand.
    pub role: Role,
    /// The name for the new device, where one was given.
    pub name: Option<String>,
    /// The owner device that made it; none where it was made at the machine's shell.
    pub minted_by: Option<String>,
    /// Time that is left.
    pub expires_in: Duration,
    /// The name of the device that has used it and must still acknowledge.
    pub claimed_by: Option<String>,
}

/// A paired device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// The name under which it is listed.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// Its role.
    pub role: Role,
    /// What holds its session key.
    pub key_kind: KeyKind,
    /// When it was paired.
    pub paired_at: UnixMillis,
    /// By which flow.
    pub paired_how: PairedHow,
    /// The address it was paired from.
    pub paired_from: String,
    /// Who let it in, where it had no offer.
    pub let_in: Option<Box<LetIn>>,
    /// When it was last connected.
    pub last_seen: Option<UnixMillis>,
    /// From where.
    pub last_address: Option<String>,
    /// Connections it has now; always none on a stopped machine.
    pub connected: usize,
    /// Seconds that its session may stay unused.
    pub idle_seconds: u64,
    /// Seconds that its session may live in all.
    pub absolute_seconds: u64,
    /// When its session ends if it is not used.
    pub expires_at: UnixMillis,
    /// Whether its session has ended; a fresh offer starts another.
    pub expired: bool,
    /// Whether its session ends soon, and how.
    pub ending: Option<Ending>,
    /// Why it is suspended, if it is.
    pub suspended: Option<String>,
    /// What it says guards its approval key; none where it has brought no key, so that it answers nothing.
    pub approval: Option<ApprovalGuard>,
}

/// A session that ends soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: UnixMillis,
    /// Because it is not used: connecting is enough. Else a fresh offer is needed.
    pub unused: bool,
}

/// A device that was revoked. Its key stays out for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TombstoneView {
    /// Its id.
    pub id: DeviceId,
    /// The name it had.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// The role it had.
    pub role: Role,
    /// When it was revoked.
    pub revoked_at: UnixMillis,
    /// Who revoked it.
    pub revoked_by: String,
    /// The reason that was given.
    pub reason: Option<String>,
}

/// A device was paired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedView {
    /// The offer.
    pub offer: OfferNumber,
    /// The device.
    pub device: DeviceView,
    /// The check digits; the device shows the same.
    pub digits: String,
    /// The address it came from.
    pub from: String,
    /// The device was paired before and keeps its row.
    pub again: bool,
}

/// A device was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedView {
    /// The device as it was.
    pub device: DeviceView,
    /// Its connections that were cut.
    pub connections_cut: usize,
    /// It was the last owner: the next device paired at the shell will be owner.
    pub last_owner: bool,
    /// Offers of its making that were withdrawn.
    pub offers_withdrawn: usize,
    /// Devices that it had let in and that had not finished: they are not in.
    pub joins_taken_back: usize,
}

/// The machine's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysView {
    /// Planned changes so far.
    pub epoch: u64,
    /// The pin of the identity key.
    pub pin: Pin,
    /// The announced pin of the key that the next planned change brings.
    pub next_pin: Pin,
    /// The file with the next private key, where it is not in the state directory.
    pub next_kept: Option<String>,
    /// When the identity key was last changed.
    pub changed_at: Option<UnixMillis>,
}

/// The keys were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysChanged {
    /// As they are now.
    pub keys: KeysView,
    /// Paired devices.
    pub devices: usize,
    /// Those of them that were connected.
    pub online: usize,
    /// Offers that named the key of before, and were withdrawn.
    pub offers_withdrawn: usize,
    /// Devices that asked to be let in, and have to ask again.
    pub joins_ended: usize,
    /// Connections that were cut.
    pub connections_cut: usize,
    /// There is a printed recovery sheet, which names the keys of before.
    pub recovery_sheet: bool,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditView {
    /// Its number, counting from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: UnixMillis,
    /// What kind of thing, one word.
    pub kind: String,
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// In words.
    pub text: String,
}

/// What to change about a device; `None` leaves a thing as it is.
#[derive(Debug, Clone, Default)]
pub struct DeviceChange {
    /// Its role.
    pub role: Option<Role>,
    /// How long its session may stay unused.
    pub idle: Option<Duration>,
    /// How long its session may live in all.
    pub absolute: Option<Duration>,
    /// Lift its suspension.
    pub lift: bool,
    /// Forget its approval key: it may bring another.
    pub forget_approval_key: bool,
}
