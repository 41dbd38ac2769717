//! The machine's side of the store: what `machine.db` holds, one file per aggregate.
//!
//! Free functions over a connection, called by `host` inside
//! [`Database::write`](super::Database::write) or [`read`](super::Database::read): several of them in
//! one closure are one transaction. The functions keep what the schema and the state machines promise
//! (one current token, a revoked key stays out); who may call them is the engine's matter.

pub mod asked_joins;
pub mod audit;
mod device_updates;
pub mod devices;
pub mod keys;
pub mod meta;
pub mod recovery;
pub mod tokens;
pub mod tombstones;
