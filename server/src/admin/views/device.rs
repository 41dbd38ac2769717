//! Devices, paired and revoked, and the audit log.

use pairpin_core::host::{Approver, AuditView, DeviceView, LossView, Lost, RevokedView, TombstoneView};
use pairpin_core::identity::DeviceId;
use pairpin_core::role::Role;
use pairpin_core::store::host::devices::LetInHow;
use serde::{Deserialize, Serialize};

use crate::output::style::quoted;
use crate::output::time::Moment;

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
    /// "scan", "code" or "join".
    pub paired_how: String,
    /// From where.
    pub paired_from: String,
    /// Who let it in, how, and over which network, where it had no offer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub let_in: Option<String>,
    /// When it was last connected; `null` before its first connection.
    pub last_seen: Option<Moment>,
    /// From where.
    pub last_address: Option<String>,
    /// Connections now.
    pub connected: usize,
    /// How it is connected, if it is: "direct".
    pub connection: Option<String>,
    /// How long its session may stay unused.
    pub idle_seconds: u64,
    /// How long its session may live.
    pub absolute_seconds: u64,
    /// When its session ends if it is not used.
    pub expires_at: Moment,
    /// Whether it has ended.
    pub expired: bool,
    /// It ends soon: "unused" (connecting is enough) or "age" (a fresh offer is needed); `null` where it does not.
    #[serde(default)]
    pub ending: Option<String>,
    /// Why it is suspended, if it is.
    pub suspended: Option<String>,
    /// What guards its approval key: "lock", "passphrase" or "nothing"; `null` where it has none.
    pub approval_guard: Option<String>,
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
            let_in: view.let_in.map(|let_in| {
                // A device may be called as the shell is.
                let by = if let_in.device.is_some() { quoted(&let_in.by) } else { let_in.by };
                match let_in.how {
                    LetInHow::Offer => format!("{by}, by an offer"),
                    how => format!("{by}, by {}, {}", how.as_str(), let_in.over),
                }
            }),
            last_seen: view.last_seen.map(Moment),
            last_address: view.last_address,
            connected: view.connected,
            connection: (view.connected > 0).then(|| "direct".to_owned()),
            idle_seconds: view.idle_seconds,
            absolute_seconds: view.absolute_seconds,
            expires_at: Moment(view.expires_at),
            expired: view.expired,
            ending: view.ending.map(|ending| if ending.unused { "unused" } else { "age" }.to_owned()),
            suspended: view.suspended,
            approval_guard: view.approval.map(|guard| guard.as_str().to_owned()),
        }
    }
}

/// A device that may answer, as a line of a list of approvers (`pairpin ask --approvers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverRecord {
    /// The device's id.
    pub device: String,
    /// Its name.
    pub name: String,
    /// The line.
    pub line: String,
}

impl From<(DeviceId, Approver)> for ApproverRecord {
    fn from((device, approver): (DeviceId, Approver)) -> Self {
        Self { device: device.text(), line: approver.line(), name: approver.name }
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
    /// Offers of its making that were withdrawn.
    pub offers_withdrawn: usize,
    /// Devices that it had let in and that had not finished: they are not in.
    pub joins_taken_back: usize,
}

impl From<RevokedView> for RevokedRecord {
    fn from(view: RevokedView) -> Self {
        Self {
            device: view.device.into(),
            connections_cut: view.connections_cut,
            last_owner: view.last_owner,
            offers_withdrawn: view.offers_withdrawn,
            joins_taken_back: view.joins_taken_back,
        }
    }
}

/// A lost device: what it did, and whom it let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LossRecord {
    /// The device; absent where it was revoked already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRecord>,
    /// It is revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tombstone: Option<TombstoneRecord>,
    /// Whom it let in, and whom those let in, as long as they are paired.
    pub let_in: Vec<DeviceRecord>,
    /// From when on the log was looked at.
    pub since: Moment,
    /// What it did since then, and what was done about it: the newest lines, oldest first.
    pub acts: Vec<AuditRecord>,
    /// How many lines there are before those.
    pub earlier: usize,
}

impl From<LossView> for LossRecord {
    fn from(view: LossView) -> Self {
        let (device, tombstone) = match view.lost {
            Lost::Paired(device) => (Some((*device).into()), None),
            Lost::Revoked(tombstone) => (None, Some((*tombstone).into())),
        };
        Self {
            device,
            tombstone,
            let_in: view.let_in.into_iter().map(Into::into).collect(),
            since: Moment(view.since),
            acts: view.acts.into_iter().map(Into::into).collect(),
            earlier: view.earlier,
        }
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
