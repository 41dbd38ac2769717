//! The device's engine: machines, pairing, reconnecting; what a phone embeds and `pairpin join` uses.
//!
//! Start at [`Client`]. A pairing is `preview` (what is this offer for, what do we have already),
//! then `pair`, `code` for a typed code, or `join` without an offer; `resume` is one reconnect, `watch` and `connection` a
//! live one, `session`, `inbox`, `joins` and `acts` ask a machine and decide on it, `machines` the list, `forget` its end. What is durable is in `ledger`; every method
//! may be dropped at any await, since its durable steps run to their end by themselves.

mod acts;
mod anew;
pub mod app;
mod code;
mod config;
mod connection;
mod error;
#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod fakes;
mod forget;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inbox;
mod join;
mod joins;
mod ledger;
mod line;
mod live;
mod machines;
mod own;
mod pair;
mod passphrase;
mod preview;
pub(crate) mod record;
mod recovery;
mod refused;
mod resume;
mod sealed;
mod session;
mod signer;
mod standing;
mod text;
mod used;
mod watch;

use std::sync::Arc;

use tokio::sync::watch as channel;

use crate::clock::Clock;
use crate::names;
use crate::wire::limits;
use code::CodeFailures;
use forget::Farewells;
use ledger::Ledger;

pub use crate::store::device::kept::Restored;
pub use acts::{Act, ApprovalStanding, Prepared, minted};
pub use anew::start_anew;
pub use code::CodePreview;
pub use config::ClientConfig;
pub use error::{ClientError, ErrorKind, Told, Tried};
pub use forget::Forgotten;
pub use inbox::{AskItem, InboxItem, JoinItem, answered, clean_end};
pub use join::{JoinAsked, JoinGranted};
pub use joins::{JoinApproval, JoinTerms, accepted};
pub use machines::{MachineState, MachineView};
pub use pair::Paired;
pub use passphrase::PassphraseSet;
pub use preview::{PairPreview, PairQuestion};
pub use recovery::use_sheet;
pub use sealed::Passphrase;
pub use session::MachineSession;
pub use signer::{SessionSigner, SoftwareSigner};
pub use watch::MachineWatch;

/// A device: its machines and what it does with them. Clones share it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    ledger: Arc<Ledger>,
    platform: String,
    clock: Arc<dyn Clock>,
    code_failures: CodeFailures,
    farewells: Farewells,
}

impl Client {
    /// Opens the device's state. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// The directory or the database cannot be used; the text says why and what to do.
    pub fn open(config: ClientConfig) -> Result<Self, ClientError> {
        let ledger = Arc::new(Ledger::open(&config)?);
        let platform = names::clean(&config.platform, limits::NAME).unwrap_or_default();
        let code_failures = CodeFailures::default();
        let clock = config.clock;
        let farewells = Farewells::default();
        Ok(Self { inner: Arc::new(Inner { ledger, platform, clock, code_failures, farewells }) })
    }

    /// The name that this device gives itself when it pairs from now on.
    pub fn device_name(&self) -> String {
        self.inner.ledger.device_name()
    }

    /// Changes that name; machines that are paired keep theirs for this device until it pairs again.
    pub fn set_device_name(&self, name: &str) {
        self.inner.ledger.set_device_name(name);
    }

    /// Told whenever a row has changed.
    fn changes(&self) -> channel::Receiver<u64> {
        self.inner.ledger.changes()
    }

    /// Runs one durable step on a blocking thread. It runs to its end even if this future is dropped.
    async fn durable<T, F>(&self, step: F) -> Result<T, ClientError>
    where
        T: Send + 'static,
        F: FnOnce(&Ledger) -> Result<T, ClientError> + Send + 'static,
    {
        let ledger = self.inner.ledger.clone();
        let done = tokio::task::spawn_blocking(move || step(&ledger)).await;
        done.unwrap_or_else(|_| Err(ClientError::State("a step of the engine failed, start pairpin again".into())))
    }
}
