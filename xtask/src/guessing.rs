//! `cargo xtask guessing`: the tests of guessers at full length. CI runs the same code briefly, in the
//! layers `core` and `e2e`.

use crate::summary::Counts;
use crate::test;

/// Ten thousand guesses, and as many measurements as make a few microseconds visible, which are judged.
const LONG: [(&str, &str); 3] =
    [("PAIRPIN_GUESSES", "10000"), ("PAIRPIN_PAIRS", "2500"), ("PAIRPIN_JUDGED_MICROS", "5")];

/// Runs them against a release build and prints the totals. Says whether all went well.
///
/// # Errors
/// The binary does not build, or a test could not be run.
pub fn run() -> Result<bool, String> {
    let root = crate::root();
    let binary = test::build_binary(&root, &["--release"])?;
    let mut environment: Vec<_> = LONG.map(|(name, value)| (name, value.into())).into();
    environment.push(("PAIRPIN_BIN", binary.into()));
    let alone = ["--", "--nocapture", "--test-threads", "1"];
    let over_the_socket = [&["--package", "pairpin-tests", "--test", "guessing"][..], &alone].concat();
    let comparisons = [&["--package", "pairpin-core", "--release", "--test", "timing"][..], &alone].concat();
    let mut counts = Counts::default();
    for (arguments, environment) in [(over_the_socket, environment), (comparisons, Vec::new())] {
        let (more, complaint) = test::run_cargo(&root, &arguments, environment);
        counts += more;
        if let Some(why) = complaint {
            return Err(why);
        }
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(counts.failed == 0 && counts.passed > 0)
}
