//! What the app calls of Android is there on the oldest phone that it is for. Its Kotlin is compiled a second time,
//! against the framework of the least API level: a newer call is an error there. Those that are meant stand in files
//! `Since31.kt`, in an object of that name, which the second compilation takes as they are; and each use of such an
//! object stands behind the question whether the phone is as new.

use std::fs;
use std::path::{Path, PathBuf};

use super::kit::{self, Kit};
use super::tools::{empty, run, under};

/// Compiles the app again, and reads how newer calls are guarded.
///
/// # Errors
/// A newer call stands outside of such a file, or is not guarded; the text says where.
pub fn check(root: &Path, kit: &Kit, classes: &Path, work: &Path) -> Result<(), String> {
    let sources = under(&root.join("android/app/src/main/kotlin"), "kt");
    for source in &sources {
        let text = fs::read_to_string(source).map_err(|error| format!("{}: {error}", source.display()))?;
        if let Some(line) = unguarded(&text).first() {
            return Err(format!("{}: this needs `SDK_INT >=` before it: {line}", source.display()));
        }
    }
    let (newer, rest): (Vec<PathBuf>, Vec<PathBuf>) = sources.into_iter().partition(|path| is_newer(path));
    let out = work.join("least");
    empty(&out)?;
    // Everything that is not the app's own, and its newer calls: as compiled before.
    let taken = work.join("taken");
    empty(&taken)?;
    copy_taken(classes, &taken, &newer)?;
    kit::jar(&work.join("taken.jar"), &taken)?;
    let mut class_path = vec![kit.framework_least.clone(), kit.r_jar(), work.join("taken.jar")];
    class_path.extend(kit.jars.iter().cloned());
    let mut command = kit.compile(&rest, &class_path, &out);
    // They are of the same module, so that what is internal is no secret.
    command.arg(format!("-Xfriend-paths={}", work.join("taken.jar").display()));
    run("kotlinc, against the least API level,", &mut command).map(drop)
}

fn is_newer(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| level(stem).is_some())
}

/// `Since31` is 31.
fn level(name: &str) -> Option<u32> {
    name.strip_prefix("Since")?.parse().ok()
}

/// Copies the compiled classes without the app's own, but with those of the newer calls.
fn copy_taken(classes: &Path, to: &Path, newer: &[PathBuf]) -> Result<(), String> {
    let names: Vec<String> = newer.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    for class in under(classes, "class").into_iter().chain(under(classes, "kotlin_module")) {
        let inside = class.strip_prefix(classes).map_err(|error| error.to_string())?;
        let own = inside.starts_with("app/pairpin/app");
        let name = inside.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if own && !names.iter().any(|newer| name == newer || name.starts_with(&format!("{newer}$"))) {
            continue;
        }
        let place = to.join(inside);
        fs::create_dir_all(place.parent().unwrap_or(to)).map_err(|error| error.to_string())?;
        fs::copy(&class, &place).map_err(|error| format!("{}: {error}", class.display()))?;
    }
    Ok(())
}

/// The lines that use a newer call without asking first: the question stands in the same line, or opened the block.
fn unguarded(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(at) = line.find("Since").filter(|_| !line.starts_with("import ") && !line.trim().starts_with("//"))
        else {
            continue;
        };
        let digits: String = line[at + 5..].chars().take_while(char::is_ascii_digit).collect();
        let Some(needed) = digits.parse::<u32>().ok().filter(|_| line[at + 5 + digits.len()..].starts_with('.')) else {
            continue;
        };
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut depth = indent(line);
        let mut guarded = asks(line, needed);
        for above in lines[..number].iter().rev().filter(|above| !above.trim().is_empty()) {
            if indent(above) < depth {
                depth = indent(above);
                guarded |= asks(above, needed);
            }
        }
        if !guarded {
            found.push(line.trim());
        }
    }
    found
}

/// Whether a line asks for at least this level.
fn asks(line: &str, needed: u32) -> bool {
    let level = line
        .split_once("SDK_INT >= ")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    level.and_then(|level| level.parse::<u32>().ok()).is_some_and(|level| level >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_call_is_asked_for_first() {
        let well = "if (SDK_INT >= 31) Since31.call()\nif (SDK_INT >= 33) {\n    one()\n    Since31.call()\n}\n";
        assert_eq!(unguarded(well), [""; 0]);
        let ill = "Since31.call()\nif (SDK_INT >= 30) Since31.call()\nif (SDK_INT >= 31) {\n}\n    Since31.other()";
        assert_eq!(unguarded(ill), ["Since31.call()", "if (SDK_INT >= 30) Since31.call()", "Since31.other()"]);
        assert_eq!(unguarded("import a.Since31\n// Since31.call\nval revokedSince = 1"), [""; 0]);
    }

    #[test]
    fn files_of_newer_calls_are_known_by_their_names() {
        assert!(is_newer(Path::new("a/Since31.kt")));
        assert!(!["a/Since.kt", "a/Sinceever.kt", "a/Keys31.kt"].iter().any(|path| is_newer(Path::new(path))));
    }
}
