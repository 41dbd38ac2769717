//! The layer `ios`: the Swift side on Linux, against the real core and the real `pairpin serve`.
//!
//! The Swift package of `ios/` is put together with its generated half in a Debian that has Swift
//! ([`crate::ios_chroot`]), and tested there; what only Apple's SDK could compile is parsed and its format checked
//! ([`crate::ios_app`]). [`crate::layers`] calls it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bindings::{self, Bindings};
use crate::ios_app;
use crate::ios_chroot::Chroot;
use crate::layers::Unready;
use crate::summary::Counts;
use crate::test;

/// Longer than all tests together take; each has its own deadline too.
const MINUTES: &str = "20m";

/// Builds everything and runs the tests of `ios/`.
///
/// # Errors
/// There is no Debian to be had here, or something of ours does not build.
pub fn check_all(root: &Path) -> Result<Counts, Unready> {
    // First what may be missing, then what takes long.
    let chroot = Chroot::ensure().map_err(Unready::Missing)?;
    let made = bindings::make(root).map_err(Unready::Broken)?;
    let binary = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    let package = chroot.outside("package");
    stage(&root.join("ios"), &made.swift, &package).map_err(Unready::Broken)?;
    let mut counts = ios_app::check(&chroot, &package).map_err(Unready::Broken)?;
    counts += swift_test(&chroot, root, &made, &binary).map_err(Unready::Broken)?;
    if counts.skipped > 0 {
        return Err(Unready::Broken(format!("{} tests were skipped: none is to be", counts.skipped)));
    }
    Ok(counts)
}

/// `swift test`, with its build kept for the next time.
fn swift_test(chroot: &Chroot, root: &Path, made: &Bindings, binary: &Path) -> Result<Counts, String> {
    let library = Chroot::inside("lib");
    let shown = [(made.library_dir.as_path(), "lib"), (binary, "bin/pairpin"), (&root.join("tests"), "tests")];
    let mut command = chroot.command(
        "package",
        &shown,
        &[
            "env",
            &format!("PAIRPIN_BIN={}", Chroot::inside("bin/pairpin")),
            &format!("PAIRPIN_TESTS={}", Chroot::inside("tests")),
            &format!("LD_LIBRARY_PATH={library}"),
            "timeout",
            "--kill-after=10s",
            MINUTES,
            "swift",
            "test",
            "--disable-xctest",
            // It would need namespaces of its own in ours, for scripts that we have none of.
            "--disable-sandbox",
            "--scratch-path",
            &Chroot::inside("build"),
            "-Xlinker",
            &format!("-L{library}"),
            // Swift 6.0's own Observation library wants a symbol that nothing has; it is for a fatal error alone.
            "-Xlinker",
            "--allow-shlib-undefined",
        ],
    )?;
    let mut seen = Seen::default();
    let well = test::stream(&mut command, |line| {
        println!("{line}");
        seen.line(line);
    })?;
    seen.counts(well)
}

/// What the output of Swift Testing has said so far.
#[derive(Default)]
struct Seen {
    counts: Counts,
    said: Option<u64>,
}

impl Seen {
    fn line(&mut self, line: &str) {
        let Some((_, told)) = line.split_once(' ') else { return };
        if let Some(rest) = told.strip_prefix("Test run with ") {
            self.said = rest.split(' ').next().and_then(|number| number.parse().ok());
        } else if told.starts_with("Test ") {
            // The name comes first, and may be anything; what became of it comes last.
            let after = |word: &str| told.rfind(word).is_some();
            if line.starts_with('✔') && after(" passed after ") {
                self.counts.passed += 1;
            } else if line.starts_with('✘') && after(" failed after ") {
                self.counts.failed += 1;
            } else if told.ends_with(" skipped.") || told.contains(" skipped: ") {
                self.counts.skipped += 1;
            }
        }
    }

    /// The numbers, if they are those that the run itself ends with.
    fn counts(self, well: bool) -> Result<Counts, String> {
        let Counts { passed, failed, skipped } = self.counts;
        let said = self.said.ok_or("the Swift side does not build, or a test ended its process")?;
        if ![passed + failed, passed + failed + skipped].contains(&said) {
            return Err(format!(
                "the tests say that {said} ran; {passed} passed, {failed} failed, {skipped} were skipped"
            ));
        }
        if !well && failed == 0 {
            return Err("swift test failed, and no test did".to_owned());
        }
        Ok(self.counts)
    }
}

/// Puts the package together: what is unchanged keeps its time, so that it is not compiled again.
fn stage(source: &Path, generated: &Path, package: &Path) -> Result<(), String> {
    let mut wanted = BTreeMap::new();
    files(source, Path::new(""), &mut wanted).map_err(|error| format!("{}: {error}", source.display()))?;
    for (name, at) in [("Pairpin.swift", "Sources/Pairpin"), ("PairpinFFI.h", "Sources/PairpinFFI")] {
        wanted.insert(Path::new(at).join(name), generated.join(name));
    }
    let mut there = BTreeMap::new();
    if package.exists() {
        files(package, Path::new(""), &mut there).map_err(|error| format!("{}: {error}", package.display()))?;
    }
    for (name, gone) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        fs::remove_file(gone).map_err(|error| format!("{}: {error}", name.display()))?;
    }
    for (name, from) in &wanted {
        renew(from, &package.join(name)).map_err(|error| format!("{}: {error}", name.display()))?;
    }
    Ok(())
}

fn renew(from: &Path, to: &Path) -> std::io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|had| had == bytes) {
        return Ok(());
    }
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(to, bytes)
}

/// Every file under `directory`, by its name from there.
fn files(directory: &Path, name: &Path, found: &mut BTreeMap<PathBuf, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory.join(name))? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files(directory, &name, found)?;
        } else {
            found.insert(name, entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        let mut seen = Seen::default();
        lines.iter().for_each(|line| seen.line(line));
        seen
    }

    const PASSED: &str = "✔ Test \"pair: a passed after b\" passed after 0.185 seconds.";
    const FAILED: &str = "✘ Test \"pair: x\" failed after 0.2 seconds with 1 issue.";

    #[test]
    fn tests_are_counted_and_suites_and_issues_are_not() {
        let lines = [
            "◇ Test \"pair: x\" started.",
            PASSED,
            "✘ Test \"pair: x\" recorded an issue at A.swift:3:5: Expectation failed",
            FAILED,
            "✔ Suite A passed after 0.3 seconds.",
            "✘ Test run with 2 tests failed after 0.4 seconds with 1 issue.",
        ];
        assert_eq!(seen(&lines).counts(false), Ok(Counts { passed: 1, failed: 1, skipped: 0 }));
    }

    #[test]
    fn a_run_that_ends_early_or_says_another_number_is_a_failure() {
        assert!(seen(&[PASSED]).counts(true).is_err(), "no last line");
        assert!(seen(&[PASSED, "✔ Test run with 2 tests passed after 1 seconds."]).counts(true).is_err());
        assert!(seen(&[PASSED, "✔ Test run with 1 test passed after 1 seconds."]).counts(false).is_err());
        assert!(seen(&[PASSED, "✔ Test run with 1 test passed after 1 seconds."]).counts(true).is_ok());
    }
}
