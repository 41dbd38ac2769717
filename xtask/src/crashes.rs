//! `cargo xtask crashes`: the random kills of `tests/tests/kills` for as long as asked. CI runs the
//! same code, 40 cycles of each kind, as part of the layer `e2e`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::test;

/// Runs them; says whether all went well.
///
/// # Errors
/// The arguments cannot be understood, or the binary does not build.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (mut cycles, mut seed) = (1000, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().ok_or_else(|| format!("{argument} wants a number"))?;
            text.parse::<u64>().map_err(|_| format!("{argument} wants a number, not {text:?}"))
        };
        match argument.as_str() {
            "--cycles" => cycles = number()?,
            "--seed" => seed = Some(number()?),
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    kills(&crate::root(), cycles, seed)
}

fn kills(root: &Path, cycles: u64, seed: Option<u64>) -> Result<bool, String> {
    let binary = test::build_binary(root, &[])?;
    let mut command = test::cargo(root);
    command.args(["test", "--package", "pairpin-tests", "--test", "kills", "--", "--nocapture"]);
    command.env("PAIRPIN_BIN", binary).env("PAIRPIN_CYCLES", cycles.to_string());
    if let Some(seed) = seed {
        command.env("PAIRPIN_SEED", seed.to_string());
    }
    succeeded(&mut command)
}

/// Runs a command whose output is for the person.
pub fn succeeded(command: &mut Command) -> Result<bool, String> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("{command:?}: {error}"))?;
    Ok(status.success())
}
