//! The list of paired machines, as people see it: one view for each row, honest about its state.
//!
//! `check_all` dials them all at once; `watch` keeps one of them connected.

use super::Client;
use super::error::{ClientError, Told};
use super::ledger::told;
use crate::clock::UnixMillis;
use crate::identity::Pin;
use crate::names;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::device::kept::Restored;
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::wire::{Address, limits};

/// How a machine stands to this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineState {
    /// The pairing was begun and not finished: scan again.
    Unfinished,
    /// A connection is being made.
    Connecting,
    /// Connected.
    Online {
        /// By this address.
        address: Address,
    },
    /// Not connected.
    Offline {
        /// Since when, by this device's clock; `None` while it has never been online.
        since: Option<UnixMillis>,
        /// Why, where an attempt said so.
        why: Option<String>,
    },
    /// Forgotten here while it was away: it is told as soon as it answers, and the keys stay for that alone.
    Leaving {
        /// Since when.
        since: UnixMillis,
        /// Why it was not told yet, where an attempt said so.
        why: Option<String>,
    },
    /// Forgotten here, and told just now: the row is gone.
    Forgotten {
        /// This device was the last owner there.
        last_owner: bool,
    },
    /// The connection was put to sleep by [`MachineWatch::suspend`](super::MachineWatch::suspend).
    Paused,
    /// This device was revoked there; its keys are erased.
    Revoked(Told),
    /// Hard stop: the machine proves another key.
    KeyChanged {
        /// That key.
        seen: Pin,
    },
    /// Hard stop: the machine has its key but not R.
    KeyCopied,
    /// This device is suspended there.
    Suspended(Told),
    /// The session has expired.
    Expired {
        /// The error's text: it may name a wrong clock.
        why: String,
    },
    /// Pair again: the machine has no record of this device, or one of the two was restored.
    Lost {
        /// The error's text.
        why: String,
    },
    /// This device's keys for it are gone: restore them, or forget it and scan a fresh offer. No key is made anew by
    /// itself.
    KeysGone {
        /// The error's text.
        why: String,
    },
    /// This device cannot use its own keys or state.
    Broken {
        /// The error's text.
        why: String,
    },
}

impl MachineState {
    /// The word for tables and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Connecting => "connecting",
            Self::Online { .. } => "online",
            Self::Offline { .. } => "offline",
            Self::Leaving { .. } => "leaving",
            Self::Forgotten { .. } => "forgotten",
            Self::Paused => "paused",
            Self::Revoked(_) => "revoked",
            Self::KeyChanged { .. } => "key changed",
            Self::KeyCopied => "key copied",
            Self::Suspended(_) => "suspended",
            Self::Expired { .. } => "expired",
            Self::Lost { .. } => "lost",
            Self::KeysGone { .. } | Self::Broken { .. } => "broken",
        }
    }

    /// Whether the machine's identity does not hold: the command line's exit code 6.
    pub fn identity_changed(&self) -> bool {
        matches!(self, Self::KeyChanged { .. } | Self::KeyCopied)
    }

    /// The state that a failed reconnect leaves a machine in.
    pub(super) fn after(error: &ClientError, since: Option<UnixMillis>) -> Self {
        match error {
            ClientError::Revoked { told, .. } => Self::Revoked(told.clone()),
            ClientError::KeyChanged { seen, .. } | ClientError::NotRotated { seen, .. } => {
                Self::KeyChanged { seen: *seen }
            }
            ClientError::KeyCopied { .. } => Self::KeyCopied,
            ClientError::Suspended { told, .. } => Self::Suspended(told.clone()),
            ClientError::Expired { .. } => Self::Expired { why: error.to_string() },
            ClientError::Leaving { why, .. } => {
                Self::Leaving { since: since.unwrap_or_default(), why: Some(why.clone()) }
            }
            ClientError::Forgotten { last_owner, .. } => Self::Forgotten { last_owner: *last_owner },
            ClientError::UnknownDevice { .. } | ClientError::Restored { .. } => Self::Lost { why: error.to_string() },
            ClientError::SecretsMissing { .. } => Self::KeysGone { why: error.to_string() },
            ClientError::SecretsElsewhere { .. }
            | ClientError::Secrets(_)
            | ClientError::Damaged(_)
            | ClientError::State(_) => Self::Broken { why: error.to_string() },
            _ => Self::Offline { since, why: Some(error.to_string()) },
        }
    }
}

/// A paired machine, as shown to people.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// Names the row in this device's calls.
    pub row: i64,
    /// The name here: the machine's own, or what the person made of it.
    pub name: String,
    /// The machine's own name.
    pub machine_name: String,
    /// The machine's platform.
    pub platform: String,
    /// Its key.
    pub pin: Pin,
    /// This device's role there.
    pub role: Role,
    /// The name under which the machine lists this device.
    pub device_name: String,
    /// How it stands.
    pub state: MachineState,
    /// The address that worked last.
    pub last_address: Option<Address>,
    /// All known addresses.
    pub addresses: Vec<Address>,
    /// When the pairing was finished.
    pub paired_at: Option<UnixMillis>,
    /// When a welcome came last.
    pub last_online: Option<UnixMillis>,
    /// When the session ends whatever happens, by the machine's clock.
    pub expires_at: Option<UnixMillis>,
    /// Where its keys are.
    pub secret_store: KeyKind,
    /// It was seen with less than it had: it was restored from a backup.
    pub restored: Option<Restored>,
}

impl MachineView {
    /// What a row says by itself, without dialling.
    pub(super) fn of(row: &MachineRow) -> Self {
        Self { state: stored_state(row), ..Self::with(row, MachineState::Unfinished) }
    }

    /// A machine that has just answered at `address`.
    pub(super) fn online(row: &MachineRow, address: &Address) -> Self {
        Self::with(row, MachineState::Online { address: address.clone() })
    }

    pub(super) fn with(row: &MachineRow, state: MachineState) -> Self {
        Self {
            row: row.row,
            name: row.name.clone(),
            machine_name: row.machine_name.clone(),
            platform: row.platform.clone(),
            pin: row.pin,
            role: row.role,
            device_name: row.device_name.clone(),
            state,
            last_address: row.last_address.clone(),
            addresses: row.addresses.clone(),
            paired_at: row.paired_at,
            last_online: row.last_online,
            expires_at: row.expires_at,
            secret_store: row.secret_store,
            restored: row.restored,
        }
    }

    /// The key fingerprint.
    pub fn fingerprint(&self) -> String {
        self.pin.fingerprint()
    }

    /// When the session ends for its age, where a person is to be warned of that: the machine warns by the same
    /// rule.
    pub fn ends_soon(&self, now: UnixMillis) -> Option<UnixMillis> {
        let at = self.expires_at?;
        let life = self.paired_at.map_or(i64::MAX, |paired| at.saturating_sub(paired));
        let over =
            matches!(self.state, MachineState::Revoked(_) | MachineState::Unfinished | MachineState::Expired { .. });
        (!over && (0..=limits::warned_before(life)).contains(&at.saturating_sub(now))).then_some(at)
    }
}

fn stored_state(row: &MachineRow) -> MachineState {
    if let (Some(since), None, RowState::Granted | RowState::Active) = (row.leaving_at, row.key_changed, row.state) {
        return MachineState::Leaving { since, why: row.offline_reason.clone() };
    }
    match row.state {
        RowState::Unfinished | RowState::Granted => MachineState::Unfinished,
        RowState::Revoked => MachineState::Revoked(told(row)),
        RowState::Active => match row.key_changed.map(|change| change.seen) {
            Some(seen) if seen == row.pin => MachineState::KeyCopied,
            Some(seen) => MachineState::KeyChanged { seen },
            None => {
                MachineState::Offline { since: row.offline_since.or(row.last_online), why: row.offline_reason.clone() }
            }
        },
    }
}

impl Client {
    /// Every row as stored, without dialling.
    ///
    /// # Errors
    /// The device's state cannot be read.
    pub async fn machines(&self) -> Result<Vec<MachineView>, ClientError> {
        let rows = self.durable(|ledger| ledger.rows()).await?;
        Ok(rows.iter().map(MachineView::of).collect())
    }

    /// The machine of this name (in any case of letters) or key fingerprint, or the beginning of
    /// either where that is unambiguous.
    ///
    /// # Errors
    /// [`ClientError::NoSuchMachine`], [`ClientError::Ambiguous`].
    pub async fn find(&self, selector: &str) -> Result<MachineView, ClientError> {
        let machines = self.machines().await?;
        select(&machines, selector).cloned()
    }

    /// Dials one machine and says how it stands.
    ///
    /// # Errors
    /// No such row, or the device's state cannot be read. What the dial says is in the view.
    pub async fn check(&self, row: i64) -> Result<MachineView, ClientError> {
        let before = self.durable(move |ledger| ledger.row(row)).await?;
        if before.state == RowState::Unfinished || before.state == RowState::Revoked {
            return Ok(MachineView::of(&before));
        }
        let state = match self.resume_row(row).await {
            Ok(session) => {
                let address = session.address.clone();
                session.close().await;
                MachineState::Online { address }
            }
            Err(error) => MachineState::after(&error, before.leaving_at.or(before.last_online)),
        };
        let after = match state {
            MachineState::Forgotten { .. } => before,
            _ => self.durable(move |ledger| ledger.row(row)).await?,
        };
        Ok(MachineView::with(&after, state))
    }

    /// Dials every machine at once and says how each stands, in the order of the list.
    ///
    /// # Errors
    /// The device's state cannot be read.
    pub async fn check_all(&self) -> Result<Vec<MachineView>, ClientError> {
        /// Dials at once, at most.
        const AT_ONCE: usize = 16;
        use futures_util::StreamExt as _;
        let rows = self.durable(|ledger| ledger.rows()).await?;
        let checks = rows.into_iter().map(|row| async move {
            let id = row.row;
            self.check(id).await.unwrap_or_else(|error| MachineView::with(&row, MachineState::after(&error, None)))
        });
        Ok(futures_util::stream::iter(checks).buffered(AT_ONCE).collect().await)
    }

    /// Gives a machine another name on this device; the machine is not told.
    ///
    /// # Errors
    /// [`ClientError::BadName`]: empty, too long or taken.
    pub async fn rename(&self, row: i64, name: &str) -> Result<MachineView, ClientError> {
        let clean =
            names::clean(name, limits::NAME).filter(|clean| clean.chars().count() == name.trim().chars().count());
        let clean = clean.ok_or_else(|| ClientError::BadName(name.chars().take(limits::NAME).collect()))?;
        let renamed = self.durable(move |ledger| ledger.rename(row, &clean)).await?;
        Ok(MachineView::of(&renamed))
    }
}

/// Picks by whole fingerprint or name, then by an unambiguous beginning of a name or a fingerprint.
fn select<'a>(machines: &'a [MachineView], selector: &str) -> Result<&'a MachineView, ClientError> {
    let wanted = names::name_key(selector.trim());
    // What was revoked keeps its name; the live one is meant.
    let live_first = || {
        let live = machines.iter().filter(|machine| !matches!(machine.state, MachineState::Revoked(_)));
        live.chain(machines.iter().filter(|machine| matches!(machine.state, MachineState::Revoked(_))))
    };
    let letters = wanted.replace(' ', "");
    // Machines name themselves: a name never takes the place of another machine's key.
    let key = |machine: &&MachineView| machine.fingerprint().replace(' ', "").to_lowercase() == letters;
    if let Some(exact) = live_first().find(key) {
        return Ok(exact);
    }
    if let Some(exact) = live_first().find(|machine| names::name_key(&machine.name) == wanted) {
        return Ok(exact);
    }
    let begins = |machine: &&MachineView| {
        let fingerprint = machine.fingerprint().replace(' ', "").to_lowercase();
        !letters.is_empty()
            && (names::name_key(&machine.name).starts_with(&wanted) || fingerprint.starts_with(&letters))
    };
    let mut fitting = machines.iter().filter(begins);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(ClientError::Ambiguous(selector.to_owned())),
        (None, _) => Err(ClientError::NoSuchMachine(selector.to_owned())),
    }
}
