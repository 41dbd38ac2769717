//! The verbs at the machine's shell, a file each. [`run`] is what `main` calls.
//!
//! Start at `serve` and `pair`; `screen` and `live` draw, `offering` has the words for what
//! happens to an offer. The other verbs ask the daemon, or the stopped machine, through
//! [`Machine`].

mod audit;
mod devices;
mod doctor;
mod doctor_checks;
mod first_device;
mod help;
mod key;
mod live;
mod logging;
mod offering;
mod offers;
mod pair;
mod pair_shown;
mod qr_out;
mod reach;
mod screen;
mod serve;
mod signals;
mod status;

pub use reach::Machine;

use std::path::PathBuf;

use crate::cli::{Cli, Verb};
use crate::exit::Failure;
use crate::{device, platform};

/// Runs one verb to its end.
///
/// # Errors
/// What to tell the person, with the exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.verb {
        Verb::Completions { shell } => return help::completions(shell),
        Verb::Man { verb } => return help::man(&verb),
        _ => {}
    }
    let state_dir = match cli.state_dir {
        Some(dir) => absolute(dir)?,
        None => platform::default_state_dir()?,
    };
    // The daemon spreads over all cores; a verb talks to one socket.
    let mut runtime = match cli.verb {
        Verb::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        match cli.verb {
            Verb::Serve(args) => serve::run(state_dir, args).await,
            Verb::Pair(args) => pair::run(&state_dir, args).await,
            Verb::Offers { verb, json } => offers::run(&state_dir, verb, json.json).await,
            Verb::Devices { verb, list } => devices::run(&state_dir, verb, list).await,
            Verb::Status(json) => status::run(&state_dir, json.json).await,
            Verb::Doctor(args) => doctor::run(&state_dir, args).await,
            Verb::Audit(args) => audit::run(&state_dir, args).await,
            Verb::Key { verb } => key::run(&state_dir, verb).await,
            Verb::Join(args) => device::run_join(&state_dir, args).await,
            Verb::Machines(args) => device::run_machines(&state_dir, args).await,
            Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
        }
    })
}

/// The daemon may outlive the directory it was started in, and messages name the path.
fn absolute(dir: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&dir).map_err(|error| Failure::usage(format!("--state-dir {}: {error}", dir.display())))
}
