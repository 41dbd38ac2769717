//! `cargo xtask size`: the release binary against its bar. Why it is built as it is:
//! `docs/decisions/binary-size.md`.

use std::fs;

use crate::test;

/// Bytes that the binary may have.
const BAR: u64 = 12_000_000;

/// Builds the release binary and weighs it. Says whether it is within the bar.
///
/// # Errors
/// It does not build, or cannot be read.
pub fn run() -> Result<bool, String> {
    let binary = test::build_release(&crate::root(), "pairpin", "pairpin")?;
    let size = fs::metadata(&binary).map_err(|error| format!("{}: {error}", binary.display()))?.len();
    let (text, well) = verdict(size);
    println!("{text}");
    Ok(well)
}

fn verdict(size: u64) -> (String, bool) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let well = size > 0 && size <= BAR;
    (format!("the release binary has {:.2} MB, the bar is {:.2} MB", mb(size), mb(BAR)), well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_above_the_bar_or_empty_fails() {
        assert!(verdict(BAR).1 && !verdict(BAR + 1).1 && !verdict(0).1);
        assert_eq!(verdict(16_853_864).0, "the release binary has 16.85 MB, the bar is 12.00 MB");
    }
}
