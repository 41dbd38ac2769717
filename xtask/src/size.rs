//! `cargo xtask size`: the release binary and the phones' library against their bars. Why they are built as they
//! are: `docs/decisions/binary-size.md`, `docs/decisions/mobile-profile.md`.

use std::fs;
use std::path::Path;

use crate::test;

/// Bytes that each may have.
const BINARY: u64 = 12_000_000;
const LIBRARY: u64 = 6_000_000;

/// Builds the release binary and the library of the phones for this computer, or the one that is named, and weighs
/// them. Says whether all are within their bars.
///
/// # Errors
/// The name is unknown; it does not build, or cannot be read.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (binary, library) = match arguments {
        [] => (true, true),
        [one] if one == "binary" => (true, false),
        [one] if one == "library" => (false, true),
        _ => return Err("size takes binary, library, or nothing".to_owned()),
    };
    let mut well = true;
    let mut weigh = |what: &str, path: &Path, bar: u64| {
        let (text, light) = verdict(what, bytes(path)?, bar);
        println!("{text}");
        well &= light;
        Ok::<(), String>(())
    };
    if library {
        weigh("the library of the phones", &test::build_mobile(&crate::root())?, LIBRARY)?;
    }
    if binary {
        weigh("the release binary", &test::build_release(&crate::root(), "pairpin", "pairpin")?, BINARY)?;
    }
    Ok(well)
}

/// The library's row in the table of figures.
///
/// # Errors
/// It cannot be read.
pub fn row(library: &Path) -> Result<String, String> {
    let size = bytes(library)?;
    let met = if size <= LIBRARY { "yes" } else { "**no**" };
    Ok(format!("| the library, stripped, for x86-64 | {:.2} MB | | | | at most {} | {met} |", mb(size), mb(LIBRARY)))
}

fn bytes(path: &Path) -> Result<u64, String> {
    Ok(fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len())
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn verdict(what: &str, size: u64, bar: u64) -> (String, bool) {
    let well = size > 0 && size <= bar;
    (format!("{what} has {:.2} MB, the bar is {:.2} MB", mb(size), mb(bar)), well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_its_bar_or_empty_fails() {
        assert!(verdict("it", BINARY, BINARY).1 && !verdict("it", BINARY + 1, BINARY).1 && !verdict("it", 0, BINARY).1);
        let told = "the release binary has 16.85 MB, the bar is 12.00 MB";
        assert_eq!(verdict("the release binary", 16_853_864, BINARY).0, told);
    }

    #[test]
    fn nothing_else_is_weighed() {
        assert!(run(&["everything".to_owned()]).is_err());
    }
}
