//! The verbs at the machine's shell, a file each, called by `run`.
//!
//! Start at `serve` and `pair`; `screen` and `live` draw, `offering` has the words for what
//! happens to an offer. The other verbs ask the daemon, or the stopped machine, through
//! [`Machine`].

pub mod ask;
mod ask_cli;
pub mod asks;
pub mod audit;
pub mod devices;
pub mod doctor;
mod doctor_checks;
mod first_device;
pub mod joins;
pub mod key;
mod live;
pub mod logging;
pub mod lost;
mod offering;
pub mod offers;
pub mod pair;
mod pair_shown;
mod reach;
pub mod recovery;
mod root_ask;
mod screen;
pub mod serve;
mod signals;
pub mod status;

pub use ask_cli::{AskArgs, AsksVerb, NotifyArgs};
pub use reach::Machine;
