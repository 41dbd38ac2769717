//! The flags of `ask`, `asks` and `notify`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::Json;
use crate::output::time::parse_duration;

/// `pairpin ask`. Exit codes: 0 yes, 1 no, 3 nobody answered in time, 4 no device is paired that may answer, 5 the
/// daemon is not running; with a command, its own once there is a yes. This help is no yes either: 2.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question, one line
    pub text: String,
    /// More about it: a text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", env = "PAIRPIN_ASK_DETAIL", hide_env = true)]
    pub detail: Option<String>,
    /// How long to wait for an answer
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m", env = "PAIRPIN_ASK_TIMEOUT", hide_env = true)]
    pub timeout: Duration,
    /// The daemon of another user, by the socket that its `serve --ask-group` names
    #[arg(long, value_name = "FILE", env = "PAIRPIN_SOCKET", hide_env = true)]
    pub socket: Option<PathBuf>,
    /// As root: whose answers are believed, whatever the daemon says [default: /etc/pairpin/approvers]
    #[arg(long, value_name = "FILE", env = "PAIRPIN_ASK_APPROVERS", hide_env = true)]
    pub approvers: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
    /// Run this on a yes, and only then; its exit code is the result
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `pairpin asks …`.
#[derive(Debug, Subcommand)]
pub enum AsksVerb {
    /// List the asks that wait
    List(Json),
    /// Show everything about one: what is known, what was seen, what is claimed
    Show {
        /// Its id, as `pairpin asks` lists it
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Take one back: who asked hears no
    Cancel {
        /// Its id, as `pairpin asks` lists it
        id: String,
    },
}

/// `pairpin notify`.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// What to tell, one line
    pub text: String,
    /// The daemon of another user, by the socket that its `serve --ask-group` names
    #[arg(long, value_name = "FILE", env = "PAIRPIN_SOCKET", hide_env = true)]
    pub socket: Option<PathBuf>,
}
