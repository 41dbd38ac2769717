//! What outlives a process: the state directory, its private files, and the SQLite database.
//!
//! Both engines stand on this room. Start at [`StateDir`] (a 0700 directory, 0600 files, locks) and
//! [`Database`] (one writer thread, group commit, answers only after COMMIT). What is stored is in one
//! file per aggregate, free functions over a `rusqlite::Connection`, to be called inside
//! [`Database::write`] or [`Database::read`]: [`host`] is the machine's side, [`device`] the device's.
//! The tables are in `schema/`; a schema file is never edited once released, only followed by a step.

mod database;
pub mod device;
mod dir;
mod error;
pub mod host;
mod migrations;
mod open;
pub(crate) mod outside;
mod private;
#[cfg(test)]
mod tests;
mod values;

pub use database::Database;
pub use dir::{Lock, StateDir};
pub use error::StoreError;
pub use migrations::Kind;
#[cfg(test)]
pub(crate) use migrations::fresh;
