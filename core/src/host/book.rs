//! The machine's devices in memory, in step with the database.
//!
//! A reconnect is judged here without touching the disk; every change is committed first and shows
//! here after. The order matters twice: a change holds the book's turn from before its transaction
//! until the book shows it, and a connection registers under the same lock that a revoke takes, so
//! that a device is either cut by the revoke or never let in.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rusqlite::Connection;

use super::registry::{Registration, Registry};
use super::rows;
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey};
use crate::role::Role;
use crate::store::host::devices::{self, DeviceRow};
use crate::store::host::tokens::{self, TokenRow};
use crate::store::host::tombstones::{self, Tombstone};
use crate::store::host::{audit, meta};
use crate::store::{Database, StoreError};
use crate::wire::limits;

/// A paired device and its tokens.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) row: DeviceRow,
    pub(super) tokens: Vec<TokenRow>,
}

/// What the book says about a device id.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Device(Box<Entry>),
    Tombstone(Box<Tombstone>),
}

#[derive(Debug, Default)]
struct Pages {
    devices: HashMap<DeviceId, Entry>,
    tombstones: HashMap<DeviceId, Tombstone>,
    latest_welcome: Option<UnixMillis>,
    /// What of it is on the disk.
    written_welcome: Option<UnixMillis>,
    counter: u64,
    seen: HashSet<DeviceId>,
    /// Devices whose revoke could not be stored.
    barred: HashSet<DeviceId>,
}

impl Pages {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        let latest_welcome = meta::latest_welcome(connection)?;
        let mut pages = Self {
            latest_welcome,
            written_welcome: latest_welcome,
            counter: meta::counter(connection)?,
            ..Self::default()
        };
        for row in devices::list(connection)? {
            let tokens = tokens::of_device(connection, &row.id)?;
            pages.devices.insert(row.id, Entry { row, tokens });
        }
        for tombstone in tombstones::list(connection)? {
            pages.tombstones.insert(tombstone.device, tombstone);
        }
        Ok(pages)
    }

    /// Shows a device as it is on the disk now.
    fn show(&mut self, device: DeviceId, row: Option<DeviceRow>, tokens: Vec<TokenRow>, tombstone: Option<Tombstone>) {
        match row {
            Some(mut row) => {
                // The book may know of a later sighting than the disk.
                if let Some(entry) = self.devices.get(&device)
                    && entry.row.last_seen > row.last_seen
                {
                    row.last_seen = entry.row.last_seen;
                    row.last_address.clone_from(&entry.row.last_address);
                }
                self.devices.insert(device, Entry { row, tokens });
            }
            None => {
                self.devices.remove(&device);
                self.seen.remove(&device);
                self.barred.remove(&device);
            }
        }
        if let Some(tombstone) = tombstone {
            self.tombstones.insert(device, tombstone);
        }
    }

    /// Of the newest, in that order, as many as devices keep.
    fn newest_tombstones(&self) -> Vec<&Tombstone> {
        let mut newest: Vec<&Tombstone> = self.tombstones.values().collect();
        newest.sort_unstable_by_key(|tombstone| (std::cmp::Reverse(tombstone.counter), tombstone.session_key));
        newest.truncate(limits::KEPT_TOMBSTONES);
        newest
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Book {
    db: Database,
    pages: Arc<RwLock<Pages>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) registry: Registry,
}

impl Book {
    /// Reads everything from the database.
    pub(super) fn open(db: Database) -> Result<Self, StoreError> {
        let pages = db.read_blocking(Pages::read)?;
        let pages = Arc::new(RwLock::new(pages));
        Ok(Self { db, pages, turn: Arc::default(), registry: Registry::default() })
    }

    pub(super) fn db(&self) -> &Database {
        &self.db
    }

    /// Changes something about one device: commits, and only then shows it. Finishes even when the
    /// caller is dropped, so that the book never lags behind the disk.
    pub(super) async fn change<T, F>(&self, device: DeviceId, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.change_all(vec![device], change).await
    }

    /// The same about several devices, in one transaction.
    pub(super) async fn change_all<T, F>(&self, changed: Vec<DeviceId>, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let book = self.clone();
        let task = tokio::spawn(async move {
            let _turn = book.turn.lock().await;
            let read_back = move |connection: &Connection| {
                let result = change(connection)?;
                let mut found = Vec::with_capacity(changed.len());
                for device in changed {
                    let row = devices::get(connection, &device)?;
                    let tokens = tokens::of_device(connection, &device)?;
                    found.push((device, row, tokens, tombstones::get(connection, &device)?));
                }
                Ok((result, found, meta::counter(connection)?, meta::latest_welcome(connection)?))
            };
            let (result, found, counter, latest_welcome) = book.db.write(read_back).await?;
            let mut pages = book.write();
            pages.counter = counter;
            // The book may know of a later welcome than the disk.
            pages.latest_welcome = pages.latest_welcome.max(latest_welcome);
            for (device, row, tokens, tombstone) in found {
                pages.show(device, row, tokens, tombstone);
            }
            Ok(result)
        });
        match task.await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Changes something about any number of devices, which only the change itself finds out: commits, and then
    /// reads everything anew. For what is rare.
    pub(super) async fn change_any<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let book = self.clone();
        let task = tokio::spawn(async move {
            let _turn = book.turn.lock().await;
            let change = move |connection: &Connection| Ok((change(connection)?, Pages::read(connection)?));
            let (result, mut fresh) = book.db.write(change).await?;
            let mut pages = book.write();
            // The book may know of later sightings, and of a later welcome, than the disk.
            for (id, entry) in &mut fresh.devices {
                if let Some(known) = pages.devices.get(id)
                    && known.row.last_seen > entry.row.last_seen
                {
                    entry.row.last_seen = known.row.last_seen;
                    entry.row.last_address.clone_from(&known.row.last_address);
                }
            }
            fresh.latest_welcome = fresh.latest_welcome.max(pages.latest_welcome);
            fresh.written_welcome = pages.written_welcome;
            fresh.seen = pages.seen.intersection(&fresh.devices.keys().copied().collect()).copied().collect();
            fresh.barred = pages.barred.intersection(&fresh.devices.keys().copied().collect()).copied().collect();
            *pages = fresh;
            Ok(result)
        });
        match task.await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Returns when the changes that were under way are shown here, or have failed.
    pub(super) async fn settled(&self) {
        drop(self.turn.lock().await);
    }

    /// What is known about an id.
    pub(super) fn find(&self, device: DeviceId) -> Option<Known> {
        let pages = self.read();
        // A tombstone wins over a row: a restored row does not let a revoked key in.
        if let Some(tombstone) = pages.tombstones.get(&device) {
            return Some(Known::Tombstone(Box::new(tombstone.clone())));
        }
        pages.devices.get(&device).map(|entry| Known::Device(Box::new(entry.clone())))
    }

    /// A device's role as it is now, while it is paired.
    pub(super) fn role(&self, device: DeviceId) -> Option<Role> {
        self.read().devices.get(&device).map(|entry| entry.row.role)
    }

    /// Registers a connection if the device is (still) paired, not suspended and not revoked.
    pub(super) fn register(&self, device: DeviceId, now: UnixMillis) -> Option<Registration> {
        let pages = self.read();
        let entry = pages.devices.get(&device)?;
        let out = pages.tombstones.contains_key(&device) || pages.barred.contains(&device);
        if out || entry.row.suspended.is_some() {
            return None;
        }
        Some(self.registry.register(device, now))
    }

    /// Keeps a device out from here on: its revoke was asked for and could not be stored. Forgotten by a
    /// restart, and by the revoke once it is stored.
    pub(super) fn bar(&self, device: DeviceId) {
        self.write().barred.insert(device);
    }

    /// Whether a device is kept out so.
    pub(super) fn is_barred(&self, device: DeviceId) -> bool {
        self.read().barred.contains(&device)
    }

    /// A device is connected now: moves its idle lifetime and, at a welcome, the clock's floor.
    /// Written to the disk by the next [`flush`](Self::flush).
    pub(super) fn saw(&self, device: DeviceId, from: IpAddr, now: UnixMillis, welcome: bool) {
        let mut pages = self.write();
        if welcome {
            pages.latest_welcome = pages.latest_welcome.max(Some(now));
        }
        if let Some(entry) = pages.devices.get_mut(&device) {
            entry.row.last_seen = entry.row.last_seen.max(Some(now));
            entry.row.last_address = Some(from.to_string());
            pages.seen.insert(device);
        }
    }

    /// Writes what [`saw`](Self::saw) noted, in one transaction.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let (seen, floor) = {
            let mut pages = self.write();
            let ids = std::mem::take(&mut pages.seen);
            let seen: Vec<_> = ids
                .into_iter()
                .filter_map(|id| {
                    let row = &pages.devices.get(&id)?.row;
                    Some((id, row.last_seen?, row.last_address.clone().unwrap_or_default()))
                })
                .collect();
            // Also where the device that was welcomed is none any more.
            (seen, pages.latest_welcome.filter(|latest| pages.written_welcome < Some(*latest)))
        };
        if seen.is_empty() && floor.is_none() {
            return Ok(());
        }
        let again: Vec<DeviceId> = seen.iter().map(|(id, ..)| *id).collect();
        let written = self
            .db
            .write(move |connection| {
                for (id, at, address) in &seen {
                    devices::touch(connection, id, *at, address)?;
                }
                if let Some(floor) = floor {
                    meta::raise_latest_welcome(connection, floor)?;
                }
                Ok(())
            })
            .await;
        let mut pages = self.write();
        match &written {
            Ok(()) => pages.written_welcome = floor.or(pages.written_welcome),
            Err(_) => pages.seen.extend(again),
        }
        drop(pages);
        written
    }

    /// Changes the machine's keys: commits, and only then shows what that means for the devices. `forget_tokens`:
    /// the change has deleted them all.
    pub(super) async fn change_keys<F>(&self, forget_tokens: bool, change: F) -> Result<(bool, bool), StoreError>
    where
        F: FnOnce(&Connection) -> Result<(bool, bool), StoreError> + Send + 'static,
    {
        let _turn = self.turn.lock().await;
        let changed = move |connection: &Connection| Ok((change(connection)?, meta::counter(connection)?));
        let ((done, sheet), counter) = self.db.write(changed).await?;
        let mut pages = self.write();
        pages.counter = counter;
        if done && forget_tokens {
            pages.devices.values_mut().for_each(|entry| entry.tokens.clear());
        }
        Ok((done, sheet))
    }

    /// Forgets the clock's floor: the clock was wrong and has been set right.
    pub(super) async fn reset_latest_welcome(&self, now: UnixMillis) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.db.write(move |connection| rows::reset_clock(connection, now)).await?;
        let mut pages = self.write();
        (pages.latest_welcome, pages.written_welcome) = (Some(now), Some(now));
        for Entry { row, tokens } in pages.devices.values_mut() {
            row.last_seen = row.last_seen.map(|seen| seen.min(now));
            row.session_started_at = row.session_started_at.min(now);
            for token in tokens {
                token.created_at = token.created_at.min(now);
                token.changed_at = token.changed_at.min(now);
            }
        }
        Ok(())
    }

    /// Appends to the audit log.
    pub(super) async fn append_audit(
        &self,
        at: UnixMillis,
        kind: &'static str,
        device: Option<DeviceId>,
        by: Option<DeviceId>,
        text: String,
    ) -> Result<i64, StoreError> {
        let append = move |connection: &Connection| {
            audit::append_by(connection, at, kind, device.as_ref(), by.as_ref(), &text).map(|row| row.seq)
        };
        self.db.write(append).await
    }

    /// Every paired device.
    pub(super) fn rows(&self) -> Vec<DeviceRow> {
        self.read().devices.values().map(|entry| entry.row.clone()).collect()
    }

    /// Those of them that `wanted` picks.
    pub(super) fn rows_where(&self, wanted: impl Fn(&DeviceRow) -> bool) -> Vec<DeviceRow> {
        self.read().devices.values().filter(|entry| wanted(&entry.row)).map(|entry| entry.row.clone()).collect()
    }

    /// Every tombstone.
    pub(super) fn tombstones(&self) -> Vec<Tombstone> {
        self.read().tombstones.values().cloned().collect()
    }

    /// The newest tombstones, as many as devices keep.
    pub(super) fn newest_tombstones(&self) -> Vec<Tombstone> {
        self.read().newest_tombstones().into_iter().cloned().collect()
    }

    /// The state counter, and the keys of the newest tombstones, as of one moment.
    pub(super) fn standing(&self) -> (u64, Vec<PublicKey>) {
        let pages = self.read();
        (pages.counter, pages.newest_tombstones().iter().map(|tombstone| tombstone.session_key).collect())
    }

    /// How many devices, and how many owners among them, are paired.
    pub(super) fn counts(&self) -> (usize, usize) {
        let pages = self.read();
        (pages.devices.len(), pages.devices.values().filter(|entry| entry.row.role == Role::Owner).count())
    }

    pub(super) fn latest_welcome(&self) -> Option<UnixMillis> {
        self.read().latest_welcome
    }

    pub(super) fn counter(&self) -> u64 {
        self.read().counter
    }

    fn read(&self) -> RwLockReadGuard<'_, Pages> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Pages> {
        self.pages.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;

    fn with_a_device() -> (tempfile::TempDir, Book, DeviceId) {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("machine.db"), Kind::Host).unwrap();
        let new = devices::NewDevice {
            session_key: crate::identity::PublicKey::from_bytes([1; 65]),
            name: "phone".to_owned(),
            platform: "Android 16".to_owned(),
            role: Role::Operator,
            key_kind: crate::secrets::KeyKind::File,
            recognition_key: crate::secrets::RecognitionKey::from_bytes([1; 32]),
            paired_at: 1_000,
            paired_how: devices::PairedHow::Scan,
            paired_from: "192.168.1.7".to_owned(),
            idle_seconds: 60,
            absolute_seconds: 600,
            let_in: None,
        };
        let id = db.write_blocking(move |connection| devices::insert(connection, &new)).unwrap().id;
        (dir, Book::open(db).unwrap(), id)
    }

    #[tokio::test]
    async fn who_is_suspended_or_revoked_is_not_registered() {
        let (_dir, book, id) = with_a_device();
        assert!(book.register(id, 0).is_some(), "the control");
        book.change(id, move |connection| devices::suspend(connection, &id, 5, "theft")).await.unwrap();
        assert!(book.register(id, 0).is_none(), "suspended");
        book.change(id, move |connection| devices::unsuspend(connection, &id)).await.unwrap();
        assert!(book.register(id, 0).is_some());
        // A row that came back beside the tombstone of its key.
        let row = book.rows().remove(0);
        book.change(id, move |connection| tombstones::bury(connection, &id, 9, "owner", None)).await.unwrap();
        book.write().devices.insert(id, Entry { row, tokens: Vec::new() });
        assert!(book.register(id, 0).is_none(), "revoked");
    }

    #[tokio::test]
    async fn what_was_seen_is_on_the_disk_after_a_flush() {
        let (_dir, book, id) = with_a_device();
        book.saw(id, [10, 0, 0, 1].into(), 5_000, true);
        book.flush().await.unwrap();
        let stored =
            move |connection: &Connection| Ok((devices::get(connection, &id)?, meta::latest_welcome(connection)?));
        let (row, floor) = book.db().read_blocking(stored).unwrap();
        assert_eq!((row.and_then(|row| row.last_seen), floor), (Some(5_000), Some(5_000)));
    }

    #[tokio::test]
    async fn a_flush_without_anything_new_writes_nothing() {
        let (dir, book, id) = with_a_device();
        book.saw(id, [10, 0, 0, 1].into(), 5_000, true);
        book.flush().await.unwrap();
        let fail = "CREATE TRIGGER fail BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'written'); END";
        book.db().write_blocking(move |connection| Ok(connection.execute_batch(fail)?)).unwrap();
        book.flush().await.unwrap();
        drop(book);
        let book = Book::open(Database::open(&dir.path().join("machine.db"), Kind::Host).unwrap()).unwrap();
        book.flush().await.unwrap();
        book.saw(id, [10, 0, 0, 1].into(), 6_000, true);
        assert!(book.flush().await.is_err(), "the control");
    }

    #[tokio::test]
    async fn a_change_keeps_the_later_sighting_whether_the_book_or_the_disk_has_it() {
        let (_dir, book, id) = with_a_device();
        let seen = || match book.find(id) {
            Some(Known::Device(entry)) => (entry.row.last_seen, entry.row.last_address.clone()),
            _ => panic!("no device"),
        };
        book.saw(id, [10, 0, 0, 1].into(), 5_000, true);
        book.change(id, move |connection| devices::set_role(connection, &id, Role::Viewer)).await.unwrap();
        assert_eq!(seen(), (Some(5_000), Some("10.0.0.1".to_owned())), "the book's");
        book.change(id, move |connection| devices::touch(connection, &id, 9_000, "10.0.0.2")).await.unwrap();
        assert_eq!(seen(), (Some(9_000), Some("10.0.0.2".to_owned())), "the disk's");
    }

    #[test]
    fn the_clocks_floor_and_the_counter_outlive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.db");
        let fresh = Book::open(Database::open(&path, Kind::Host).unwrap()).unwrap();
        assert_eq!((fresh.latest_welcome(), fresh.counter()), (None, 0));
        let note = |connection: &Connection| {
            meta::raise_latest_welcome(connection, 7_000)?;
            meta::raise_counter(connection, 3)
        };
        fresh.db().write_blocking(note).unwrap();
        drop(fresh);
        let again = Book::open(Database::open(&path, Kind::Host).unwrap()).unwrap();
        assert_eq!((again.latest_welcome(), again.counter()), (Some(7_000), 3));
    }
}
