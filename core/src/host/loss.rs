//! A device is lost: what it did lately, and whom it let in. Reading only; taking it away is `verbs`' and `rows`'.
//!
//! For [`Host::loss`] and [`OfflineHost::loss`]; `pairpin lost` shows it and revokes.

use rusqlite::{Connection, params};

use super::offline::OfflineHost;
use super::views::{AuditView, DeviceView, TombstoneView};
use super::{Host, HostError, rows};
use crate::clock::{Clock as _, SystemClock, UnixMillis};
use crate::identity::DeviceId;
use crate::names::name_key;
use crate::store::StoreError;
use crate::store::host::audit;
use crate::store::host::audit::AuditRow;
use crate::store::host::devices::{self, DeviceRow};
use crate::store::host::tombstones::{self, Tombstone};

/// Lines of the log that are shown of a lost device, the newest; the number of the others is said.
pub const LINES: usize = 20;

/// Who is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// A paired device.
    Paired(Box<DeviceView>),
    /// One that was revoked already.
    Revoked(Box<TombstoneView>),
}

impl Lost {
    /// Its id.
    pub fn id(&self) -> DeviceId {
        match self {
            Self::Paired(device) => device.id,
            Self::Revoked(tombstone) => tombstone.id,
        }
    }
}

/// A lost device, and what it may have done while somebody else held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossView {
    /// Who.
    pub lost: Lost,
    /// Whom it let in, by approving or by an offer, and whom those let in, as long as they are paired.
    pub let_in: Vec<DeviceView>,
    /// From when on the log was looked at.
    pub since: UnixMillis,
    /// What it did and what was done about it since then: the newest [`LINES`] lines, oldest first.
    pub acts: Vec<AuditView>,
    /// How many lines there are before those.
    pub earlier: usize,
}

/// What the database says.
struct Found {
    lost: Result<DeviceRow, Tombstone>,
    let_in: Vec<DeviceRow>,
    acts: (Vec<AuditRow>, usize),
}

impl Host {
    /// What a device did since `since`, and whom it let in. A paired device of that name comes before a revoked one.
    ///
    /// # Errors
    /// [`HostError::NoDevice`], [`HostError::Ambiguous`], [`HostError::Store`].
    pub async fn loss(&self, selector: &str, since: UnixMillis) -> Result<LossView, HostError> {
        let (shared, wanted) = (&self.shared, selector.to_owned());
        let found = shared.book.db().read(move |connection| Ok(look(connection, &wanted, since))).await??;
        let count = |device| shared.book.registry.count(device);
        // The book knows of later sightings than the disk.
        let mut all = shared.book.rows();
        all.retain(|row| found.let_in.iter().any(|other| other.id == row.id) || found.is(row.id));
        Ok(found.view(since, shared.judged_now(), |row| {
            let row = all.iter().find(|newer| newer.id == row.id).unwrap_or(row);
            (row.clone(), count(row.id))
        }))
    }
}

impl OfflineHost {
    /// As [`Host::loss`].
    ///
    /// # Errors
    /// As there.
    pub fn loss(&self, selector: &str, since: UnixMillis) -> Result<LossView, HostError> {
        let wanted = selector.to_owned();
        let found = self.read(move |connection| Ok(look(connection, &wanted, since)))??;
        Ok(found.view(since, SystemClock.wall_ms(), |row| (row.clone(), 0)))
    }
}

impl Found {
    fn is(&self, id: DeviceId) -> bool {
        self.lost.as_ref().is_ok_and(|row| row.id == id)
    }

    fn view(self, since: UnixMillis, now: UnixMillis, newest: impl Fn(&DeviceRow) -> (DeviceRow, usize)) -> LossView {
        let shown = |row: &DeviceRow| {
            let (row, connected) = newest(row);
            rows::view(&row, connected, now)
        };
        LossView {
            lost: match &self.lost {
                Ok(row) => Lost::Paired(Box::new(shown(row))),
                Err(tombstone) => Lost::Revoked(Box::new(rows::tombstone_view(tombstone))),
            },
            let_in: self.let_in.iter().map(shown).collect(),
            since,
            acts: self.acts.0.into_iter().map(rows::audit_view).collect(),
            earlier: self.acts.1,
        }
    }
}

fn look(connection: &Connection, selector: &str, since: UnixMillis) -> Result<Found, HostError> {
    let lost = match rows::select(&devices::list(connection)?, selector) {
        Ok(row) => Ok(row),
        Err(error @ HostError::NoDevice(_)) => Err(buried(connection, selector)?.ok_or(error)?),
        Err(error) => return Err(error),
    };
    let id = match &lost {
        Ok(row) => row.id,
        Err(tombstone) => tombstone.device,
    };
    Ok(Found { lost, let_in: let_in_by(connection, &id)?, acts: audit::of_device(connection, &id, since, LINES)? })
}

/// The revoked device of this name or id, the latest of several.
fn buried(connection: &Connection, selector: &str) -> Result<Option<Tombstone>, StoreError> {
    let (id, name) = (DeviceId::parse(selector), name_key(selector.trim()));
    let fits = |tombstone: &Tombstone| id == Some(tombstone.device) || name_key(&tombstone.name) == name;
    Ok(tombstones::list(connection)?.into_iter().rev().find(fits))
}

/// The paired devices that `device` let in, and those that they let in, however far. One between that was revoked
/// meanwhile breaks no chain: the log knows whom it let in.
fn let_in_by(connection: &Connection, device: &DeviceId) -> Result<Vec<DeviceRow>, StoreError> {
    let sql = "WITH RECURSIVE step (by, device) AS (
                   SELECT let_in_device, id FROM devices WHERE let_in_device IS NOT NULL
                   UNION SELECT let_in_offer_device, id FROM devices WHERE let_in_offer_device IS NOT NULL
                   UNION SELECT by_device, device FROM audit
                       WHERE by_device IS NOT NULL AND kind IN ('let-in', 'paired')
                           AND device IN (SELECT device FROM tombstones)),
               chain (device) AS (
                   SELECT ?1 UNION SELECT step.device FROM chain JOIN step ON step.by = chain.device)
               SELECT device FROM chain WHERE device <> ?1";
    let mut statement = connection.prepare(sql)?;
    let ids: Vec<DeviceId> = statement.query_map(params![device], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for id in ids {
        rows.extend(devices::get(connection, &id)?);
    }
    rows.sort_by_key(|row| (row.paired_at, row.id));
    Ok(rows)
}
