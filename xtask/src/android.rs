//! The layer `android`: the Kotlin side on a plain JVM, against the real core and the real `pairpin serve`.
//!
//! Maven compiles and runs it; versions are those of `android/gradle/libs.versions.toml`, and everything that is
//! made goes into the target directory. [`crate::layers`] calls it.
//!
//! Below it is what needs Android itself: [`kit`] makes what the app is compiled with, [`apk`] packs it, [`libs`]
//! builds the core for phones.

mod apk;
mod archive;
pub mod catalogue;
mod elf;
pub mod kit;
mod least;
mod libs;
mod licences;
mod maven;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::{self, Tool};
use crate::layers::Unready;
use crate::summary::Counts;
use crate::test;
use crate::{api, bindings};

/// What every module needs.
pub const TOOLS: &[Tool] = &[
    Tool { program: "javac", package: "openjdk-17-jdk-headless", purpose: "runs the Kotlin side" },
    Tool { program: "mvn", package: "maven", purpose: "compiles the Kotlin side" },
    Tool { program: "faketime", package: "faketime", purpose: "shows a daemon another wall clock" },
];

/// The oldest API level that the app is for; the catalogue's `min-sdk`, as a test sees to.
const MIN_API: &str = "28";

/// `cargo xtask android apk|libs|kit`.
///
/// # Errors
/// The arguments cannot be understood, something is missing, or does not build.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    match arguments.first().map(String::as_str) {
        Some("apk") => apk::make(&arguments[1..]),
        Some("libs") => libs::make(&arguments[1..]),
        Some("kit") if arguments.len() == 1 => {
            install::ensure(tools::TOOLS)?;
            println!("{}", kit::make(&crate::root(), &out()?)?.directory.display());
            Ok(true)
        }
        _ => Err("android takes apk, libs or kit, see `cargo xtask help`".to_owned()),
    }
}

/// Where all of it is made: beside this program, in cargo's target directory.
fn out() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    Ok(here.parent().unwrap_or(Path::new(".")).join("android"))
}

/// Builds everything and runs the tests of `android/`.
///
/// # Errors
/// A tool is missing, or something of ours does not build.
pub fn check_all(root: &Path) -> Result<Counts, Unready> {
    install::ensure(TOOLS).map_err(Unready::Missing)?;
    install::ensure(tools::TOOLS).map_err(Unready::Missing)?;
    let made = bindings::make(root).map_err(Unready::Broken)?;
    let binary = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    let kit = out().and_then(|out| kit::make(root, &out)).map_err(Unready::Broken)?;
    let out = made.library_dir.join("android/maven");
    // Reports of an earlier run are not to be counted.
    let _ = fs::remove_dir_all(&out);
    eprintln!("xtask: Robolectric fetches the framework that it runs once, 192 MB");
    let mut command = maven(root, &out, &made, &made.library_dir, &binary).map_err(Unready::Broken)?;
    command.arg(format!("-Dpairpin.kit={}", kit.directory.display()));
    // What fails is told by the reports: Maven goes on to the next module.
    command.arg("--fail-at-end");
    let well = command.status().map_err(|error| Unready::Missing(format!("mvn did not start: {error}")))?.success();
    let mut counts = reports(&out).map_err(Unready::Broken)?;
    if !well && counts.failed == 0 {
        return Err(Unready::Broken("the Kotlin side does not build".to_owned()));
    }
    counts += api::check(root, &made).map_err(Unready::Broken)?;
    if counts.skipped > 0 {
        return Err(Unready::Broken(format!("{} tests were skipped: none is to be", counts.skipped)));
    }
    Ok(counts)
}

/// Maven for the modules of `android/`, with the library that is in `library_dir` and the program at `binary`.
///
/// # Errors
/// The versions cannot be read.
pub fn maven(
    root: &Path,
    out: &Path,
    made: &bindings::Bindings,
    library_dir: &Path,
    binary: &Path,
) -> Result<Command, String> {
    let versions = catalogue::Catalogue::read(root)?.properties();
    eprintln!("xtask: Maven fetches the Kotlin compiler and libraries once, about 120 MB into its own cache");
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-ntp", "-Dstyle.color=never", "test"]).args(versions);
    for (name, path) in [("out", out), ("generated", &made.kotlin), ("lib", library_dir), ("bin", binary)] {
        command.arg(format!("-Dpairpin.{name}={}", path.display()));
    }
    command.current_dir(root.join("android")).stdin(Stdio::null());
    Ok(command)
}

/// Sums what the modules' reports say, and prints each test.
fn reports(out: &Path) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let modules = fs::read_dir(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut files: Vec<_> = modules
        .filter_map(|module| fs::read_dir(module.ok()?.path().join("surefire-reports")).ok())
        .flat_map(|reports| reports.filter_map(|report| Some(report.ok()?.path())))
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        counts += of_report(&text);
    }
    Ok(counts)
}

/// Counts the test cases of one report, printing each.
fn of_report(text: &str) -> Counts {
    let mut counts = Counts::default();
    // A case is a tag of its own, or one that holds why it failed or was left out.
    for case in text.split("<testcase ").skip(1) {
        let (tag, rest) = case.split_once('>').unwrap_or((case, ""));
        let inside = if tag.ends_with('/') { "" } else { rest.split("</testcase>").next().unwrap_or_default() };
        let outcome = if inside.contains("<failure") || inside.contains("<error") {
            counts.failed += 1;
            "FAILED"
        } else if inside.contains("<skipped") {
            counts.skipped += 1;
            "ignored"
        } else {
            counts.passed += 1;
            "ok"
        };
        let name = |attribute: &str| {
            let (_, rest) = tag.split_once(&format!("{attribute}=\""))?;
            rest.split('"').next()
        };
        let class = name("classname").unwrap_or_default();
        println!(
            "test {}: {} ... {outcome}",
            class.rsplit('.').next().unwrap_or(class),
            name(" name").or_else(|| name("name")).unwrap_or_default()
        );
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_level_is_the_catalogues() {
        assert_eq!(catalogue::Catalogue::read(&crate::root()).unwrap().version("min-sdk").unwrap(), MIN_API);
    }

    #[test]
    fn a_report_is_counted_case_by_case() {
        let report = r#"<testsuite tests="4"><testcase name="one" classname="a.B" time="1"/>
            <testcase name="two" classname="a.B"><failure message="x">y</failure></testcase>
            <testcase name="three" classname="a.B"><error/></testcase>
            <testcase name="four" classname="a.B"><skipped/></testcase>
            <testcase name="five" classname="a.B"><system-out>failure</system-out></testcase></testsuite>"#;
        assert_eq!(of_report(report), Counts { passed: 2, failed: 2, skipped: 1 });
        assert_eq!(of_report("<testsuite/>"), Counts::default());
    }
}
