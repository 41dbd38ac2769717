//! The verbs of a device: `join`, `machines`, `inbox`, `approve` and `deny`, `invite`, and `devices --on MACHINE`. They ask
//! and print; what is decided is decided in
//! `pairpin_core::client`.
//!
//! Called by the command's dispatcher with the state directory. `join` is a pairing, `machines` the
//! list of what is paired, `inbox` what waits for an answer and `answer` the answer, `ask` the questions, `secret_store` where keys are kept.

mod answer;
mod approving;
mod ask;
mod cli;
pub mod devices;
mod inbox;
mod invite;
mod join;
mod joining;
mod let_in;
mod link_in;
mod machines;
mod recovery;
mod views;
mod watch;

pub use answer::{run_approve, run_deny};
pub use cli::{ApproveArgs, DenyArgs, InboxArgs, InviteArgs, JoinArgs, MachinesArgs};
pub use inbox::run_inbox;
pub use invite::run_invite;
pub use join::run_join;
pub use machines::run_machines;
pub use recovery::{RecoveryUseArgs, run_recovery_use};

use std::path::Path;

use pairpin_core::client::{Client, ClientConfig, ClientError, ErrorKind};

use crate::exit::{Exit, Failure};
use crate::platform;
use crate::secret_store::{self, Choice};

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match error.kind() {
            ErrorKind::Failed => Exit::Failed,
            ErrorKind::Expired => Exit::Expired,
            ErrorKind::NotReachable => Exit::Nobody,
            ErrorKind::IdentityChanged => Exit::IdentityChanged,
        };
        Self::new(exit, error.to_string())
    }
}

/// The engine over this state directory, and what to say once when a machine is paired.
fn open(state_dir: &Path, store: Choice, name: Option<String>) -> Result<(Client, Option<String>), Failure> {
    let stores = {
        // The state directory is made and checked first; the store of files stands in it.
        pairpin_core::store::StateDir::open(state_dir).map_err(|error| Failure::failed(error.to_string()))?;
        secret_store::open(store, state_dir)?
    };
    let name = name.unwrap_or_else(host_name);
    let mut config = ClientConfig::new(state_dir.to_path_buf(), stores.new, name, platform::description());
    config.other_stores = stores.others;
    Ok((Client::open(config)?, stores.notice))
}

/// What this device calls itself unless `--name` says otherwise.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
