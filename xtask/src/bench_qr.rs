//! `cargo xtask bench-qr`: our QR reader on made camera frames, beside zxing-cpp. The measuring is
//! done in `tests/benches/qr.rs`; this finds what it needs.

use crate::{test, venv};

/// Frames and seed that the documentation's figures are of.
const FRAMES: u64 = 1000;
const SEED: u64 = 2;

/// Runs it with the arguments of the command line. Says whether the bars are met.
///
/// # Errors
/// The arguments cannot be understood, or the peer cannot be had.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (frames, seed) = parsed(arguments)?;
    bench(frames, seed)
}

/// Measures on `frames` frames from `seed`. Says whether the bars are met.
///
/// # Errors
/// The peer cannot be had, or cargo does not start.
pub fn bench(frames: u64, seed: u64) -> Result<bool, String> {
    let root = crate::root();
    let environment = venv::Environment {
        name: "qr-venv",
        requirements: &root.join("tests/python/requirements-qr.txt"),
        source: None,
        about: "zxing-cpp, about 1 MB to download",
        proof: "import zxingcpp",
    };
    let python = venv::python(&environment)?;
    let status = test::cargo(&root)
        .args(["bench", "--locked", "--package", "pairpin-tests", "--bench", "qr", "--"])
        .args([frames.to_string(), seed.to_string()])
        .env("PAIRPIN_QR_PYTHON", python)
        .status()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    Ok(status.success())
}

fn parsed(arguments: &[String]) -> Result<(u64, u64), String> {
    let (mut frames, mut seed) = (FRAMES, SEED);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = |least: u64| {
            let number = arguments.next().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number >= least);
            number.ok_or_else(|| format!("{argument} wants a number of at least {least}"))
        };
        match argument.as_str() {
            "--frames" => frames = number(1)?,
            "--seed" => seed = number(0)?,
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    Ok((frames, seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_seed_are_read_and_nothing_else() {
        let parsed = |text: &str| parsed(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parsed(""), Ok((FRAMES, SEED)));
        assert_eq!(parsed("--seed 0 --frames 60"), Ok((60, 0)));
        for wrong in ["--frames", "--frames 0", "--frames many", "--seed -1", "60"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
