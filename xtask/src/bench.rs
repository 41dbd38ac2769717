//! `cargo xtask bench` and `cargo xtask flood`: what is too long, or too much a matter of the machine,
//! for the tests that every change must pass. Both use the release build.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::install::{self, Tool};
use crate::phones;
use crate::test::{build_release, cargo, stream};

const NETWORK: &[Tool] = &[
    Tool { program: "ip", package: "iproute2", purpose: "a network of its own, with a delay" },
    Tool { program: "strace", package: "strace", purpose: "counts how often the daemon waits for the disk" },
];

/// Where the table stands, and between which lines.
const PAGE: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- figures: `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Measures; says whether every bar is met.
///
/// # Errors
/// The arguments cannot be understood, or something could not be built.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    if arguments.first().is_some_and(|subject| subject == "phones") {
        return phones::bench(&arguments[1..]);
    }
    let write = arguments.iter().any(|argument| argument == "--write");
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let named: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) =
        arguments.iter().find(|a| a.starts_with("--") && !["--write", "--quick"].contains(&a.as_str()))
    {
        return Err(format!("unknown argument {unknown:?}, see `cargo xtask help`"));
    }
    if write && (quick || !named.is_empty()) {
        return Err("--write wants everything measured in full".to_owned());
    }
    install::ensure(NETWORK)?;
    let root = crate::root();
    let binary = build_release(&root, "pairpin", "pairpin")?;
    let driver = build_release(&root, "pairpin-bench", "pairpin-bench")?;
    let estimates = root.join("target/criterion");
    if named.is_empty() || named.iter().any(|name| *name == "check") {
        let mut command = cargo(&root);
        command.args(["bench", "--package", "pairpin-bench", "--bench", "session_check", "--"]);
        command.args(if quick { &["--quick"][..] } else { &["--warm-up-time", "1", "--measurement-time", "5"] });
        command.env("CRITERION_HOME", &estimates).stdout(std::io::stderr());
        if !command.status().is_ok_and(|status| status.success()) {
            return Err("cargo bench failed".to_owned());
        }
    }
    let mut command = Command::new(driver);
    command.current_dir(&root).stdin(Stdio::null()).args(named);
    command.args(quick.then_some("--quick")).env("PAIRPIN_BIN", binary).env("CRITERION_HOME", &estimates);
    let mut table = String::new();
    let well = stream(&mut command, |line| {
        println!("{line}");
        if line.starts_with('|') {
            table.push_str(line);
            table.push('\n');
        }
    })?;
    if write {
        write_table(&root.join(PAGE), &table)?;
    }
    Ok(well)
}

/// Floods the release build; says whether all went well.
///
/// # Errors
/// It could not be built.
pub fn flood(arguments: &[String]) -> Result<bool, String> {
    if let Some(unknown) = arguments.first() {
        return Err(format!("unknown argument {unknown:?}, see `cargo xtask help`"));
    }
    let root = crate::root();
    let binary = build_release(&root, "pairpin", "pairpin")?;
    let mut command = cargo(&root);
    command.args(["test", "--release", "--package", "pairpin-tests", "--test", "floods", "--test", "owner_out"]);
    command.args(["--", "--nocapture", "--test-threads", "1"]);
    command.env("PAIRPIN_BIN", binary).env("PAIRPIN_FLOOD", "long");
    stream(&mut command, |line| println!("{line}"))
}

fn write_table(page: &Path, table: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", page.display());
    let text = fs::read_to_string(page).map_err(told)?;
    let text = with_figures(&text, (BEGIN, END), table)
        .ok_or_else(|| format!("{}: no place for the figures between {BEGIN} and {END}", page.display()))?;
    fs::write(page, text).map_err(told)
}

/// The page with these rows between those two lines, and when and where they were measured.
pub fn with_figures(text: &str, between: (&str, &str), table: &str) -> Option<String> {
    let place = format!("{} on {}, {}", said("date", &["+%F"]), said("uname", &["-sm"]), processor());
    with_table(text, between, &format!("{place}:\n\n{table}"))
}

fn with_table(text: &str, (begin, end): (&str, &str), table: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\nMeasured on {table}\n{end}{after}"))
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{cores} cores of {}", model.map_or(env::consts::ARCH, |(_, name)| name.trim()))
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_goes_where_the_last_one_was() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let written = with_table(&page, (BEGIN, END), "today:\n\n| new |\n").unwrap_or_default();
        assert_eq!(written, format!("a\n{BEGIN}\n\nMeasured on today:\n\n| new |\n\n{END}\nb\n"));
        assert_eq!(with_table("no place", (BEGIN, END), "x"), None);
    }

    #[test]
    fn a_table_is_written_from_a_full_run_only() {
        let run = |arguments: &[&str]| run(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for arguments in [&["--write", "--quick"][..], &["start", "--write"], &["--fast"]] {
            assert!(run(arguments).is_err(), "{arguments:?}");
        }
    }
}
