//! `cargo xtask files`: what no compiler checks. Called by `.ci/run`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{dependencies, threats};

/// Most source files fit in 300 lines; above this one needs a reason, given in [`LONG`].
const LINES: usize = 600;

/// The languages in which that holds.
const SOURCES: &[&str] = &[".rs", ".kt", ".swift"];

/// Source files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Checks every file that git has or would take. Says whether all are well.
///
/// # Errors
/// Git cannot list the files.
pub fn run() -> Result<bool, String> {
    let root = crate::root();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("git did not start: {error}"))?;
    if !listed.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&listed.stdout);
    let mut complaints = Vec::new();
    let mut texts = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // A file that was deleted and not yet committed is listed still; bytes that are not text are no concern.
        // The inputs of the fuzz targets are bytes, whatever they look like.
        if name.starts_with("fuzz/corpus/") {
            continue;
        }
        if let Some(text) = read(&root.join(name)) {
            complaints.extend(check(name, &text).into_iter().map(|complaint| format!("{name}: {complaint}")));
            texts.push((name.to_owned(), text));
        }
    }
    let table = texts.iter().find(|(name, _)| name == threats::TABLE).map_or("", |(_, text)| text);
    let missing = threats::complaints(table, &texts);
    complaints.extend(missing.into_iter().map(|complaint| format!("{}: {complaint}", threats::TABLE)));
    let text_of = |wanted: &str| texts.iter().find(|(name, _)| name == wanted).map_or("", |(_, text)| text);
    let manifests: Vec<(String, String)> = dependencies::members(text_of("Cargo.toml"))
        .into_iter()
        .map(|member| (member.clone(), text_of(&format!("{member}/Cargo.toml")).to_owned()))
        .collect();
    let unjustified = dependencies::complaints(text_of(dependencies::PAGE), &manifests);
    complaints.extend(unjustified.into_iter().map(|complaint| format!("{}: {complaint}", dependencies::PAGE)));
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    println!("{} files checked, {} complaints", texts.len(), complaints.len());
    Ok(complaints.is_empty())
}

fn read(path: &Path) -> Option<String> {
    if path.is_symlink() { None } else { fs::read_to_string(path).ok() }
}

fn check(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if SOURCES.iter().any(|end| name.ends_with(end)) && lines > LINES && LONG.iter().all(|(long, _)| *long != name) {
        complaints.push(format!("{lines} lines, at most {LINES}: split it, or give a reason in xtask/src/files.rs"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(path) = machine_path(line) {
            complaints.push(format!("line {}: {path:?} is a path of somebody's machine", number + 1));
        }
    }
    if text.contains('\r') && !name.ends_with(".bat") {
        complaints.push("has carriage returns".to_owned());
    }
    complaints
}

/// A path that is on one machine only. The words are put together here so that this file has none.
fn machine_path(line: &str) -> Option<String> {
    let roots = [["/ho", "me/"].concat(), ["/Us", "ers/"].concat(), ["/ro", "ot/"].concat(), ["/wo", "rk/"].concat()];
    roots.into_iter().find(|root| {
        line.match_indices(root.as_str()).any(|(at, _)| {
            // Only at the start of a path: `docs/home/` is one of ours.
            !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || "._-~*}".contains(before))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_and_one_of_ours_is_not() {
        let home = ["/ho", "me/ana/x"].concat();
        assert_eq!(check("a.md", &format!("see {home}")).len(), 1);
        assert_eq!(check("a.md", "see docs/home/x and ~/x").len(), 0);
    }

    #[test]
    fn a_long_source_file_needs_a_reason() {
        for name in ["a.rs", "a.kt", "a.swift"] {
            assert_eq!(check(name, &"\n".repeat(LINES + 1)).len(), 1, "{name}");
        }
        assert_eq!(check("a.rs", &"\n".repeat(LINES)).len(), 0);
        assert_eq!(check("a.json", &"\n".repeat(LINES + 1)).len(), 0);
    }

    #[test]
    fn carriage_returns_are_found() {
        assert_eq!(check("a.md", "a\r\nb").len(), 1);
    }
}
