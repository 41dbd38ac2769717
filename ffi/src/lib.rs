//! # pairpin-ffi
//!
//! The core as Android and iOS see it: types are translated here, nothing is decided. Kotlin and Swift are
//! generated from the built library (`cargo xtask bindings`) and never checked in; `api.txt` is what they see.
//!
//! Start reading at [`PairpinApp`]. One small file for each concept: the app, machines, pairing, errors, keys
//! and stores, camera frames. The rules are in `pairpin-core`, screens and texts in the shells.

mod app;
mod camera;
mod cancel;
mod decisions;
mod devices;
mod error;
mod inbox;
mod joining;
mod keys;
mod listener;
mod log;
mod machines;
mod news;
mod pairing;
mod picture;

pub use app::{AppSettings, PairpinApp, start_anew};
pub use camera::{Scanned, scan_luma, scan_text};
pub use decisions::{And, ApprovalStanding, Decision, Done, ScannedJoin, Terms};
pub use devices::{DeviceAction, DeviceHindrance, DevicePossible, DeviceView};
pub use error::{PairpinError, again_helps};
pub use inbox::{ClaimedFacts, EndedView, Ending, InboxItem, KnownFacts, ObservedFacts, Request};
pub use joining::{JoinAsked, JoinGrant, Joining};
pub use keys::{KeyHolder, SecretStore, SessionSigner, StoreError};
pub use listener::{ScreenState, StateListener};
pub use log::{Log, LogLevel};
pub use machines::{ActionView, AddressWord, Hindrance, MachineCondition, MachineView, Possible, RoleName};
pub use news::{News, NewsView};
pub use pairing::{Forgotten, PairPreview, PairQuestion, Paired, Pairing};
pub use picture::{QrModules, qr_modules};

uniffi::setup_scaffolding!("pairpin");

/// The version of this library and of the protocol that it speaks, as "0.1.0, protocol 1".
#[uniffi::export]
pub fn version() -> String {
    format!("{}, protocol {}", env!("CARGO_PKG_VERSION"), pairpin_core::wire::VERSION)
}
