//! `cargo xtask simulate`: the simulation of `tests/tests/simulation` for as many seeds as asked. CI runs twelve, as part
//! of the layer `e2e`.

use crate::crashes::succeeded;
use crate::test;

/// Runs it; says whether every seed kept the invariants, and every broken twin was found.
///
/// # Errors
/// The arguments cannot be understood.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (mut seeds, mut seed) = (200, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().ok_or_else(|| format!("{argument} wants a number"))?;
            text.parse::<u64>().map_err(|_| format!("{argument} wants a number, not {text:?}"))
        };
        match argument.as_str() {
            "--seeds" => seeds = number()?,
            "--seed" => seed = Some(number()?),
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    let mut command = test::cargo(&crate::root());
    command.args(["test", "--package", "pairpin-tests", "--test", "simulation", "--", "--nocapture"]);
    // One at a time: they wait for each other's processor otherwise, and deadlines are real.
    command.args(["--test-threads", "1"]).env("PAIRPIN_SEEDS", seeds.to_string());
    if let Some(seed) = seed {
        command.env("PAIRPIN_SEED", seed.to_string());
    }
    succeeded(&mut command)
}
