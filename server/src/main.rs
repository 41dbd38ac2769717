//! The `pairpin` binary: the daemon and the command line.
//!
//! `cli` is the tree of verbs and flags and `run` calls them: `machine` has the verbs at the
//! machine's shell, which `admin` connects to the daemon, `device` those of a device. `exit` decides
//! exit codes; `output`, `platform` and `secret_store` are what the verbs stand on. What is true on
//! every platform is in `pairpin-core`.

mod admin;
mod cli;
mod device;
mod exit;
mod help;
mod machine;
mod output;
mod platform;
mod run;
mod secret_store;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => exit::finish(run::run(cli)),
        Err(error) => exit::unparsed(&error, std::env::args_os().skip(1)),
    }
}
