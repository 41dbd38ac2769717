//! Schema versions and the steps between them.
//!
//! `PRAGMA user_version` is the version in a file, `PRAGMA application_id` says whose file it is. Step
//! n is `schema/KIND-n.sql` and sets `user_version = n` itself, so that each file run on its
//! predecessor's result makes a real database of that version: the fixtures of the tests. Released files
//! are never edited. Called by `open` alone.

use rusqlite::Connection;

use super::error::StoreError;

/// Whose database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The machine's (`machine.db`).
    Host,
    /// The device's (`device.db`).
    Device,
}

/// The identity and history of one kind of database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    pub application_id: i64,
    pub name: &'static str,
    pub steps: &'static [&'static str],
}

impl Kind {
    pub(super) fn schema(self) -> Schema {
        match self {
            Self::Host => {
                let steps = &[
                    include_str!("schema/host-1.sql"),
                    include_str!("schema/host-2.sql"),
                    include_str!("schema/host-3.sql"),
                ];
                Schema { application_id: 0x7070_6D01, name: "machine", steps }
            }
            Self::Device => {
                let steps = &[include_str!("schema/device-1.sql"), include_str!("schema/device-2.sql")];
                Schema { application_id: 0x7070_6401, name: "device", steps }
            }
        }
    }
}

impl Schema {
    /// The newest version that this build knows.
    pub fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX)
    }

    /// Refuses a newer file and somebody else's; changes nothing.
    pub fn check(&self, conn: &Connection) -> Result<i64, StoreError> {
        let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if application != self.application_id {
            return Err(StoreError::Foreign { path: Default::default(), wanted: self.name });
        }
        let found = user_version(conn)?;
        if found > self.version() {
            return Err(StoreError::NewerSchema { path: Default::default(), found, known: self.version() });
        }
        Ok(found)
    }

    /// Brings the file to the newest version, all steps in one transaction.
    pub fn migrate(&self, conn: &mut Connection) -> Result<(), StoreError> {
        if user_version(conn)? == self.version() {
            return Ok(());
        }
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have been faster.
        let mut at = user_version(&transaction)?;
        while let Some(step) = usize::try_from(at).ok().and_then(|at| self.steps.get(at)) {
            transaction.execute_batch(step)?;
            at += 1;
            if user_version(&transaction)? != at {
                return Err(StoreError::Internal(format!("migration step {at} does not set its version")));
            }
        }
        if at != self.version() {
            return Err(StoreError::NewerSchema { path: Default::default(), found: at, known: self.version() });
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Runs all steps on an empty database, for tests that need no file.
#[cfg(test)]
pub(crate) fn fresh(kind: Kind, conn: &Connection) {
    kind.schema().steps.iter().try_for_each(|step| conn.execute_batch(step)).unwrap_or_else(|error| panic!("{error}"));
}

fn user_version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
