//! From a parsed command line to the verb that was asked for. Called by `main`.

use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, Verb};
use crate::exit::Failure;
use crate::machine::recovery::RecoveryVerb;
use crate::{device, help, machine, platform};

/// Runs one verb to its end.
///
/// # Errors
/// What to tell the person, with the exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    // Before there is a secret in memory. `ask` and `notify` have none; a process that hides its memory hides its
    // program and directory too, which are shown to who answers, and what `ask` runs would inherit the limit.
    if !matches!(cli.verb, Verb::Ask(_) | Verb::Notify(_)) {
        platform::forbid_core_dumps().map_err(|error| {
            Failure::failed(format!(
                "cannot forbid core dumps, which would hold keys: {error}, check the limits of this process"
            ))
        })?;
    }
    #[cfg(feature = "fault-points")]
    machine::logging::start();
    // What needs no state comes before the state directory is looked for.
    let verb = match cli.verb {
        Verb::Completions { shell } => return help::completions(shell),
        Verb::Man { verb } => return help::man(&verb),
        verb => verb,
    };
    let state_dir = match cli.state_dir {
        Some(dir) => absolute(dir)?,
        None => match platform::default_state_dir() {
            // One that names another user's socket has no state, and under PAM no home either: `reach` says so
            // where it does need one.
            Err(_) if matches!(verb, Verb::Ask(_) | Verb::Notify(_)) => PathBuf::new(),
            found => found?,
        },
    };
    let dir = state_dir.as_path();
    runtime(&verb)?.block_on(async {
        match verb {
            Verb::Serve(args) => machine::serve::run(dir, args).await,
            Verb::Pair(args) => machine::pair::run(dir, args).await,
            Verb::Offers { verb, json } => machine::offers::run(dir, verb, json.json).await,
            Verb::Devices { verb, list } => machine::devices::run(dir, verb, list).await,
            Verb::Lost(args) => machine::lost::run(dir, args).await,
            Verb::Recovery { verb: RecoveryVerb::Print(args) } => machine::recovery::print(dir, args).await,
            Verb::Recovery { verb: RecoveryVerb::Use(args) } => device::run_recovery_use(args).await,
            Verb::Status(json) => machine::status::run(dir, json.json).await,
            Verb::Doctor(args) => machine::doctor::run(dir, args).await,
            Verb::Audit(args) => machine::audit::run(dir, args).await,
            Verb::Key { verb } => machine::key::run(dir, verb).await,
            Verb::Join(args) => device::run_join(dir, args).await,
            Verb::Invite(args) => device::run_invite(dir, args).await,
            Verb::Machines(args) => device::run_machines(dir, args).await,
            Verb::Ask(args) => machine::ask::run(dir, args).await,
            Verb::Asks { verb, json } => machine::asks::run(dir, verb, json.json).await,
            Verb::Notify(args) => machine::ask::notify(dir, args).await,
            Verb::Inbox(args) => device::run_inbox(dir, args).await,
            Verb::Approve(args) => device::run_approve(dir, args).await,
            Verb::Deny(args) => device::run_deny(dir, args).await,
            Verb::Completions { .. } | Verb::Man { .. } => Ok(()),
        }
    })
}

/// The daemon spreads over all cores; a verb talks to one socket.
fn runtime(verb: &Verb) -> Result<Runtime, Failure> {
    let mut builder = match verb {
        Verb::Serve(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.enable_all().build().map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))
}

/// Messages name the path, and the daemon may outlive the directory it was started in.
fn absolute(dir: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&dir).map_err(|error| Failure::usage(format!("--state-dir {}: {error}", dir.display())))
}
