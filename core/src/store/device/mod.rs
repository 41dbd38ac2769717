//! The device's side of the store: what `device.db` holds.
//!
//! Called by `client` inside [`Database::write`](super::Database::write) or
//! [`read`](super::Database::read). Session keys, tokens and recognition keys are not here but in the
//! secret store, under the row's label.

pub mod kept;
pub mod machines;
mod updates;
