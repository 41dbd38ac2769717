//! The device verbs on a stopped machine: the same transactions, without a running host.

use std::path::Path;

use super::approvers::{self, Approver};
use super::engine::take_lock;
use super::rotation::KeyChange;
use super::views::{AuditView, DeviceChange, DeviceView, KeysChanged, KeysView, RevokedView, TombstoneView};
use super::{DATABASE_FILE, HostError, SystemId, identity, place, rotation, rows};
use crate::clock::{Clock, SystemClock};
use crate::identity::DeviceId;
use crate::names::clean_sentence;
use crate::store::host::devices::{self, DeviceRow};
use crate::store::host::keys::{self as key_state, KeyState};
use crate::store::host::{audit, meta, tombstones};
use crate::store::{Database, Kind, Lock, StateDir, StoreError};

/// A stopped machine's state, held so that no daemon starts meanwhile. Its calls block.
pub struct OfflineHost {
    db: Database,
    dir: StateDir,
    /// Where this is, as far as it is known.
    system: Option<SystemId>,
    _lock: Lock,
}

impl OfflineHost {
    /// Opens the state of a stopped machine; `None` where there is none.
    ///
    /// # Errors
    /// [`HostError::AlreadyRunning`]: ask the daemon. [`HostError::Store`].
    pub fn open(state_dir: &Path) -> Result<Option<Self>, HostError> {
        if !state_dir.join(DATABASE_FILE).exists() {
            return Ok(None);
        }
        let dir = StateDir::open(state_dir)?;
        let lock = take_lock(&dir)?;
        let has_wal = dir.path(super::WAL_FILE).exists();
        let db = Database::open(&dir.path(DATABASE_FILE), Kind::Host)?;
        if has_wal {
            // What a crash left is read, and goes into the database when this closes.
            super::marker::take_away(&dir);
        }
        Ok(Some(Self { db, dir, system: None, _lock: lock }))
    }

    /// On this system: the state of another one can be read then, and not changed, for the machine that serves it
    /// would know nothing of that.
    pub fn on(self, system: Option<SystemId>) -> Self {
        Self { system, ..self }
    }

    /// Whether the state is this system's, or could be.
    ///
    /// # Errors
    /// [`HostError::OtherSystem`]; [`HostError::Store`].
    pub fn is_here(&self) -> Result<(), HostError> {
        place::refuse_elsewhere(&self.dir, &self.db, self.system)
    }

    /// The machine's keys.
    ///
    /// # Errors
    /// [`HostError::Key`]; [`HostError::KeyMissing`]; [`HostError::NextKeyMissing`]; [`HostError::KeyIsOther`].
    pub fn keys(&self) -> Result<KeysView, HostError> {
        Ok(rotation::view(&self.key_state()?))
    }

    /// The file with the next key, where it is not in the state directory. Touches no file.
    pub fn next_key_kept(&self) -> Option<String> {
        self.db.read_blocking(key_state::get).ok().flatten()?.next_kept
    }

    /// As at its start: what a crash has left half done is finished by that.
    fn key_state(&self) -> Result<KeyState, HostError> {
        let (known, now) = (self.db.read_blocking(key_state::get)?, SystemClock.wall_ms());
        Ok(identity::load_or_make(&self.dir, true, known.as_ref(), false, now)?.state)
    }

    /// As [`super::Host::change_keys`]; there is nobody to be told, devices learn it when they connect.
    ///
    /// # Errors
    /// As there.
    pub fn change_keys(&self, change: &KeyChange) -> Result<KeysChanged, HostError> {
        let (state, now) = (self.key_state()?, SystemClock.wall_ms());
        let (before, machine) = (state.clone(), self.db.write_blocking(meta::machine_id)?);
        self.db.write_blocking(move |connection| key_state::put(connection, &before))?;
        let plan = rotation::prepare(&self.dir, machine, &state, change, now)?;
        let after = plan.after.clone();
        let (done, recovery_sheet) = self
            .db
            .write_blocking(move |connection| Ok((plan.commit(connection, now)?, rotation::has_sheet(connection)?)))?;
        if !done {
            return Err(HostError::KeysChanged);
        }
        crate::fault_point!("rotate-committed", after);
        identity::settle(&self.dir, &after)?;
        let (keys, devices) = (rotation::view(&after), self.rows()?.len());
        Ok(KeysChanged {
            keys,
            devices,
            online: 0,
            offers_withdrawn: 0,
            joins_ended: 0,
            connections_cut: 0,
            recovery_sheet,
        })
    }

    /// As [`super::Host::approvers`].
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn approvers(&self) -> Result<Vec<(DeviceId, Approver)>, HostError> {
        let machine = self.db.write_blocking(meta::machine_id)?;
        Ok(approvers::of(&self.rows()?, machine, SystemClock.wall_ms()))
    }

    /// Every paired device, by name.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, HostError> {
        let now = SystemClock.wall_ms();
        let mut views: Vec<_> = self.rows()?.iter().map(|row| rows::view(row, 0, now)).collect();
        views.sort_by_key(|view| view.name.to_lowercase());
        Ok(views)
    }

    /// Every device that was revoked, newest first.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn tombstones(&self) -> Result<Vec<TombstoneView>, HostError> {
        let mut all = self.db.read_blocking(tombstones::list)?;
        all.sort_by_key(|tombstone| std::cmp::Reverse(tombstone.revoked_at));
        Ok(all.iter().map(rows::tombstone_view).collect())
    }

    /// As [`super::Host::find_device`].
    ///
    /// # Errors
    /// [`HostError::NoDevice`], [`HostError::Ambiguous`], [`HostError::Store`].
    pub fn find_device(&self, selector: &str) -> Result<DeviceView, HostError> {
        Ok(rows::view(&rows::select(&self.rows()?, selector)?, 0, SystemClock.wall_ms()))
    }

    /// As [`super::Host::rename_device`].
    ///
    /// # Errors
    /// As there.
    pub fn rename_device(&self, device: DeviceId, name: &str) -> Result<DeviceView, HostError> {
        let (name, now) = (name.to_owned(), SystemClock.wall_ms());
        self.change(move |connection| rows::rename(connection, device, &name, now))?;
        self.find_device(&device.text())
    }

    /// As [`super::Host::set_device`].
    ///
    /// # Errors
    /// As there.
    pub fn set_device(&self, device: DeviceId, change: DeviceChange) -> Result<DeviceView, HostError> {
        let now = SystemClock.wall_ms();
        self.change(move |connection| rows::set(connection, device, &change, now))?;
        self.find_device(&device.text())
    }

    /// As [`super::Host::revoke`]; there are no sockets to cut.
    ///
    /// # Errors
    /// [`HostError::NoDevice`], [`HostError::OtherSystem`], [`HostError::Store`].
    pub fn revoke(&self, device: DeviceId, by: &str, reason: Option<String>) -> Result<RevokedView, HostError> {
        self.is_here()?;
        let (by, now) = (by.to_owned(), SystemClock.wall_ms());
        let reason = reason.as_deref().and_then(clean_sentence);
        let revoked =
            self.db.write_blocking(move |connection| rows::revoke(connection, device, &by, reason.as_deref(), now))?;
        let (row, last_owner) = revoked.ok_or_else(|| HostError::NoDevice(device.text()))?;
        // What waits for a device lives in a running host only.
        let (offers_withdrawn, joins_taken_back) = (0, 0);
        let device = rows::view(&row, 0, now);
        Ok(RevokedView { device, connections_cut: 0, last_owner, offers_withdrawn, joins_taken_back })
    }

    /// The last lines of the audit log, oldest first.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn audit_tail(&self, limit: usize) -> Result<Vec<AuditView>, HostError> {
        let lines = self.db.read_blocking(move |connection| audit::last(connection, limit))?;
        Ok(lines.into_iter().map(rows::audit_view).collect())
    }

    /// The latest time at which a device was welcomed, below which the clock is not believed.
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn latest_welcome(&self) -> Result<Option<i64>, HostError> {
        Ok(self.db.read_blocking(meta::latest_welcome)?)
    }

    /// As [`super::Host::reset_clock`].
    ///
    /// # Errors
    /// [`HostError::Store`].
    pub fn reset_clock(&self) -> Result<(), HostError> {
        self.is_here()?;
        let now = SystemClock.wall_ms();
        Ok(self.db.write_blocking(move |connection| {
            rows::reset_clock(connection, now)?;
            audit::append(connection, now, "clock", None, "the clock's floor was reset at the machine's shell")?;
            Ok(())
        })?)
    }

    /// Reads in one piece.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HostError> {
        Ok(self.db.read_blocking(read)?)
    }

    /// Writes in one transaction.
    pub(super) fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HostError> {
        Ok(self.db.write_blocking(write)?)
    }

    fn rows(&self) -> Result<Vec<DeviceRow>, HostError> {
        Ok(self.db.read_blocking(devices::list)?)
    }

    fn change<F>(&self, change: F) -> Result<(), HostError>
    where
        F: FnOnce(&rusqlite::Connection) -> Result<(), HostError> + Send + 'static,
    {
        self.is_here()?;
        self.db.write_blocking(move |connection| match change(connection) {
            Err(HostError::Store(error)) => Err(error),
            other => Ok(other),
        })?
    }
}
