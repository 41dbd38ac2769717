//! `cargo xtask api`: what Kotlin and Swift see of the core, as a text that a review sees change. The layer
//! `android` of [`crate::layers`] compares it, since it has the library built.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bindings::{self, Bindings};
use crate::summary::Counts;

/// The listing that is kept.
const KEPT: &str = "ffi/api.txt";

/// Compares the kept listing with the built library, or with `--write` makes it anew. Says whether they agree.
///
/// # Errors
/// The argument is unknown, or the library does not build.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let write = match arguments {
        [] => false,
        [one] if one == "--write" => true,
        _ => return Err("cargo xtask api takes --write, or nothing".to_owned()),
    };
    let root = crate::root();
    let made = listing(&root, &bindings::make(&root)?)?;
    if write {
        let path = root.join(KEPT);
        fs::write(&path, &made).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{KEPT} has {} lines", made.lines().count());
        return Ok(true);
    }
    Ok(agrees(&kept(&root)?, &made))
}

/// Compares for a layer: two tests, that the listing is that of the library, and that one changed line is seen.
///
/// # Errors
/// The library cannot be read.
pub fn check(root: &Path, bindings: &Bindings) -> Result<Counts, String> {
    let made = listing(root, bindings)?;
    let well = agrees(&kept(root)?, &made);
    // The control: without one of its lines it is refused, by that line.
    let lines: Vec<&str> = made.lines().collect();
    let (before, after) = lines.split_at(lines.len() / 2);
    let (taken, after) = after.split_first().ok_or("the listing is empty")?;
    let refused = difference(&[before, after].concat().join("\n"), &made) == [format!("+ {taken}")];
    let mut counts = Counts::default();
    for (name, well) in [("the surface is the one in ffi/api.txt", well), ("a missing line of it is seen", refused)] {
        println!("test api: {name} ... {}", if well { "ok" } else { "FAILED" });
        if well { counts.passed += 1 } else { counts.failed += 1 }
    }
    Ok(counts)
}

fn kept(root: &Path) -> Result<String, String> {
    let path = root.join(KEPT);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}: run cargo xtask api --write", path.display()))
}

fn listing(root: &Path, bindings: &Bindings) -> Result<String, String> {
    let mut command = Command::new(&bindings.generator);
    command.arg("api").arg(&bindings.library).current_dir(root).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("uniffi-bindgen did not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| format!("the listing is no text: {error}"))
}

fn agrees(kept: &str, made: &str) -> bool {
    let lines = difference(kept, made);
    if !lines.is_empty() {
        println!("{KEPT} is not what the library offers (- is kept, + is offered):");
        lines.iter().for_each(|line| println!("{line}"));
        println!("If the change is meant: cargo xtask api --write");
    }
    lines.is_empty()
}

/// The lines that only one of the two has, in their order, with `-` and `+`.
fn difference(kept: &str, made: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), made.lines().collect());
    // What both have longest in common, from each pair of places to the ends.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (a, old) in old.iter().enumerate().rev() {
        for (b, new) in new.iter().enumerate().rev() {
            common[a][b] = if old == new { common[a + 1][b + 1] + 1 } else { common[a + 1][b].max(common[a][b + 1]) };
        }
    }
    let (mut a, mut b, mut lines) = (0, 0, Vec::new());
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] {
            (a, b) = (a + 1, b + 1);
        } else if b == new.len() || (a < old.len() && common[a + 1][b] >= common[a][b + 1]) {
            lines.push(format!("- {}", old[a]));
            a += 1;
        } else {
            lines.push(format!("+ {}", new[b]));
            b += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "# head\n\nobject App\n    fn state() -> State\n    fn cancel()\n";

    #[test]
    fn the_same_listing_is_taken() {
        assert!(agrees(LISTING, LISTING));
        assert_eq!(difference(LISTING, LISTING), Vec::<String>::new());
    }

    #[test]
    fn one_changed_line_is_refused_and_shown() {
        let made = LISTING.replace("fn state() -> State", "async fn state() -> State?");
        assert!(!agrees(LISTING, &made));
        assert_eq!(difference(LISTING, &made), ["-     fn state() -> State", "+     async fn state() -> State?"]);
    }

    #[test]
    fn a_line_more_a_line_less_and_lines_that_changed_places_are_refused() {
        assert_eq!(difference(LISTING, &format!("{LISTING}    fn more()\n")), ["+     fn more()"]);
        assert_eq!(difference(LISTING, &LISTING.replace("    fn cancel()\n", "")), ["-     fn cancel()"]);
        assert_eq!(difference("a\nb\n", "b\na\n").len(), 2);
        assert_eq!(difference("", LISTING).len(), 5);
    }

    #[test]
    fn unknown_arguments_are_refused() {
        for arguments in [&["--wirte"][..], &["--write", "now"]] {
            assert!(run(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).is_err());
        }
    }
}
