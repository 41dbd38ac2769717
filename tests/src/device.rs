//! The real device side, `pairpin join` and `pairpin machines`, with a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::command;
use crate::process::{Background, Output, run};
use crate::scratch;

/// A laptop.
#[derive(Debug)]
pub struct Device {
    home: TempDir,
}

impl Device {
    /// A device that has never been paired.
    pub fn new() -> Self {
        Self { home: scratch::directory() }
    }

    /// A command on it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.home.path(), arguments)
    }

    /// Runs a command on it, without a terminal.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments), "")
    }

    /// Runs a command with a text on its stdin.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        run(&mut self.command(arguments), input)
    }

    /// Starts a command that goes on.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Background {
        Background::start(&mut self.command(arguments), None)
    }

    /// Pairs by a link, given on stdin.
    #[track_caller]
    pub fn join(&self, link: &str) -> Output {
        self.run_with(&["join", "-", "--yes"], &format!("{link}\n"))
    }

    /// Starts to pair by a link, given on stdin.
    #[track_caller]
    pub fn start_join(&self, link: &str) -> Background {
        Background::start(&mut self.command(&["join", "-", "--yes"]), Some(&format!("{link}\n")))
    }

    /// Starts to pair by a typed code, given on stdin.
    #[track_caller]
    pub fn start_join_by_code(&self, address: &str, code: &str) -> Background {
        Background::start(&mut self.command(&["join", address, "--code", "--yes"]), Some(&format!("{code}\n")))
    }

    /// Pairs by a typed code, given on stdin.
    #[track_caller]
    pub fn join_by_code(&self, address: &str, code: &str) -> Output {
        self.run_with(&["join", address, "--code", "--yes"], &format!("{code}\n"))
    }

    /// `machines list --json`: dials each.
    ///
    /// # Panics
    /// It is not a list.
    #[track_caller]
    pub fn machines(&self) -> Vec<Value> {
        let answer = self.run(&["machines", "list", "--json"]).json();
        answer["machines"].as_array().unwrap_or_else(|| panic!("no machines in {answer}")).clone()
    }

    /// The one machine that it knows.
    ///
    /// # Panics
    /// It knows none, or several.
    #[track_caller]
    pub fn only_machine(&self) -> Value {
        let machines = self.machines();
        assert_eq!(machines.len(), 1, "not one machine: {machines:#?}");
        machines[0].clone()
    }

    /// Whether the one machine that it knows can be reached and welcomes it.
    #[track_caller]
    pub fn is_welcome(&self) -> bool {
        is_online(&self.only_machine())
    }

    /// Everything it can write to: its state, and the directories for temporary files and sockets.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory with its keys and tokens alone.
    pub fn secrets(&self) -> PathBuf {
        self.state().join("secrets")
    }

    /// The directory with its keys and its database.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a machine in `machines --json` was reached and welcomed the device.
pub fn is_online(machine: &Value) -> bool {
    machine["state"] == "online"
}
