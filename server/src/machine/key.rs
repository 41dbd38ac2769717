//! `pairpin key`: the identity key, to compare with what a device shows.

use std::path::Path;

use serde::Serialize;

use super::Machine;
use crate::admin::protocol::Request;
use crate::admin::views::{KeyRecord, MachineRecord};
use crate::cli::KeyVerb;
use crate::exit::Failure;
use crate::output::{json, say, say_lines, table};

#[derive(Serialize)]
struct Keys {
    key: KeyRecord,
    next_key: KeyRecord,
}

/// Runs it.
///
/// # Errors
/// The machine cannot be asked.
pub async fn run(state_dir: &Path, verb: KeyVerb) -> Result<(), Failure> {
    let KeyVerb::Show(options) = verb;
    let machine: MachineRecord = Machine::find(state_dir).await?.ask(Request::Status).await?;
    if options.json {
        return say(json::line(&Keys { key: machine.key, next_key: machine.next_key })?);
    }
    say_lines(&table::fields(&[
        ("key fingerprint", machine.key.fingerprint),
        ("next key", machine.next_key.fingerprint),
    ]))
}
