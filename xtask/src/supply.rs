//! The layer `supply`: where what we build on comes from, and what ends up in the binary. Each check has
//! its control beside it.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::layers::Unready;
use crate::summary::Counts;
use crate::{deny, dependencies, sbom};

/// Checks that are counted as they are made.
#[derive(Debug, Default)]
pub struct Report {
    counts: Counts,
}

impl Report {
    /// Counts a check and prints how it went.
    pub fn note(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.counts.passed += 1;
                println!("{name}: ok");
            }
            Err(why) => {
                self.counts.failed += 1;
                println!("{name}: FAILED: {why}");
            }
        }
    }

    /// Prints the totals; says whether all is well.
    pub fn end(self) -> bool {
        println!("{} passed, {} failed", self.counts.passed, self.counts.failed);
        self.counts.failed == 0
    }
}

/// Everything that the layer checks.
///
/// # Errors
/// cargo-deny could not be installed, or cargo could not be asked.
pub fn check_all(root: &Path) -> Result<Counts, Unready> {
    let deny = deny::program().map_err(Unready::Missing)?;
    let mut report = Report::default();
    deny::check_all(root, &deny, &mut report).map_err(Unready::Broken)?;
    sbom::check_all(root, &mut report).map_err(Unready::Broken)?;
    dependencies::check_licences(root, &mut report).map_err(Unready::Broken)?;
    no_echo(root, &mut report).map_err(Unready::Broken)?;
    Ok(report.counts)
}

/// The core's feature `echo` lets anybody in: the binary's package must have no way to ask for it.
fn no_echo(root: &Path, report: &mut Report) -> Result<(), String> {
    let core = |arguments: &[&str]| -> Result<String, String> {
        let mut all = vec!["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{lib} {f}"];
        all.extend(arguments);
        let tree = cargo(root, &all)?;
        let line = tree.lines().find_map(|line| line.strip_prefix("pairpin_core "));
        line.map(|features| format!(" {} ", features.replace(',', " "))).ok_or_else(|| "no pairpin-core".to_owned())
    };
    let has_echo = |features: &str| features.contains(" echo ");
    let binary = core(&["--package", "pairpin", "--all-features"])?;
    let clean = if has_echo(&binary) { Err(format!("the core has the features{binary}")) } else { Ok(()) };
    report.note("no feature of the binary's package gives it the test echo", clean);
    let tests = core(&["--package", "pairpin-tests", "--features", "suites"])?;
    let seen = if has_echo(&tests) { Ok(()) } else { Err(format!("only the features{tests}")) };
    report.note("control: the test echo is found where it is", seen);
    Ok(())
}

/// What cargo prints.
///
/// # Errors
/// It failed; the text is what it said.
pub fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cargo did not start: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}
