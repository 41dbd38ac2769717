//! The `pairpin` binary: the daemon and the command line.
//!
//! `cli` is the tree of verbs and flags, `machine` runs the verbs of the machine's shell, `admin`
//! connects them to the daemon, `device` runs those of a device, with its keys in `secret_store`;
//! `exit` decides exit codes, `output` and `platform` are what they stand on. What is true on every
//! platform is in `pairpin-core`.

mod admin;
mod cli;
mod device;
mod exit;
mod machine;
mod output;
mod platform;
mod secret_store;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A usage error ends the process here, with exit code 2.
    exit::finish(machine::run(cli::Cli::parse()))
}
