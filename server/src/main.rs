//! The `pairpin` binary: the daemon and the command line.
//!
//! `cli` is the tree of verbs and flags, `machine` runs the verbs of the machine's shell, `admin`
//! connects them to the daemon, `exit` decides exit codes, `output` and `platform` are what they
//! stand on. What is true on every platform is in `pairpin-core`.

mod admin;
mod cli;
mod exit;
mod machine;
mod output;
mod platform;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A usage error ends the process here, with exit code 2.
    exit::finish(machine::run(cli::Cli::parse()))
}
