//! The machine's engine: it listens, pairs devices, welcomes them back, and cuts them off.
//!
//! The daemon makes one [`Host`] and translates for people; nothing about trust is decided outside.
//! Read in this order: [`offers`] and [`codes`] (what may be used once), [`sessions`] (who may come
//! back), `rows` (how that becomes durable), `book` (memory in step with the disk), then the
//! connections: `accept`, `pairing` and `code_pairing`, `granting`, `joining` (who asks without an offer: `joins`), `reconnect`,
//! `live` and its `requests`, and `asking` with `answering` for what waits for an answer. On a stopped machine the same verbs are
//! [`OfflineHost`]'s.

mod accept;
mod answering;
mod approvers;
mod asking;
#[cfg(test)]
mod asking_tests;
mod asks;
mod authority;
mod book;
mod changing;
mod claims;
mod code_pairing;
pub mod codes;
mod decoys;
#[cfg(feature = "echo")]
pub mod echo;
mod endings;
mod engine;
mod error;
mod events;
mod failures;
mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod granting;
mod handing_back;
mod identity;
mod join_from;
mod join_requests;
mod join_verbs;
mod joining;
#[cfg(test)]
mod joining_tests;
mod joins;
#[cfg(test)]
mod joins_tests;
mod live;
mod loss;
mod marker;
mod nonces;
pub mod offers;
#[cfg(test)]
mod offers_tests;
mod offline;
mod pairing;
mod place;
mod proven;
mod questions;
mod reconnect;
mod recovery;
mod registry;
mod requests;
mod rotation;
#[cfg(test)]
mod rotation_tests;
mod rows;
#[cfg(test)]
mod rows_tests;
pub mod sessions;
mod shared;
mod standing;
#[cfg(test)]
mod standing_tests;
#[cfg(test)]
mod states;
mod verbs;
mod views;
mod visitor;

pub use crate::net::addresses::ReachableAddress;
pub use approvers::{Approver, Approvers, ApproversError, NotApproved};
pub use asking::{Answerers, AskView, AskWaiting};
pub use asks::TooMany;
pub use engine::{Host, HostConfig};
pub use error::HostError;
pub use events::{AlarmView, EventWatch, HostEvent, OfferEvent, OfferWatch};
pub use identity::{IDENTITY_KEY_FILE, NEXT_KEY_FILE, unreadable_keys};
pub use join_from::{JoinFrom, UnknownNetworks};
pub use loss::{LossView, Lost};
pub use offers::{MintedBy, OfferNumber, OfferRequest};
pub use offline::OfflineHost;
pub use place::{Place, SystemId, new_identity};
pub use questions::{AskError, Question};
pub use recovery::SHEET;
pub use rotation::{KeyChange, KeyChangeKind};
pub use rows::SHELL;
pub use views::{
    AuditView, DeviceChange, DeviceView, Ending, HostStatus, KeysChanged, KeysView, NewOffer, OfferView, PairedView,
    RevokedView, TombstoneView,
};

/// The database's file in the state directory.
pub const DATABASE_FILE: &str = "machine.db";

/// What SQLite has not moved into that file yet.
const WAL_FILE: &str = "machine.db-wal";

/// The file whose lock the running daemon holds.
pub const LOCK_FILE: &str = "serve.lock";
