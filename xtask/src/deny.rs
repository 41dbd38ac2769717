//! `cargo xtask deny`: runs cargo-deny with `deny.toml`, and then with policies that are too narrow or
//! graphs that are too wide, in which it has to find something. The layer `supply` runs it too, by
//! [`crate::supply`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::scratch::Scratch;
use crate::supply::Report;
use crate::tools::Tool;

/// Built without optimisation: it works for seconds, and building is what takes time.
const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20",
    arguments: &["--debug"],
    environment: &[
        ("CARGO_PROFILE_DEV_DEBUG", "0"),
        ("CARGO_PROFILE_DEV_OPT_LEVEL", "0"),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_NET_RETRY", "5"),
    ],
    takes: "builds for one to two minutes (200 crates)",
};

const CHECKS: &[&str] = &["licenses", "bans", "sources"];

/// What would make an entry of `deny.toml` stand there for nothing is an error too.
const STRICT: &[&str] = &[
    "unmatched-skip",
    "unnecessary-skip",
    "license-not-encountered",
    "license-exception-not-encountered",
    "no-license-field",
];

/// What is said wherever the other checks are well.
const NO_ADVISORIES: &str = "advisories were NOT checked: their database is another repository and is not part of this \
                             run; where there is a network, run: cargo xtask deny --advisories";

/// Runs the checks and prints the totals, or the advisories alone. Says whether all is well.
///
/// # Errors
/// The arguments cannot be understood, or there is no cargo-deny and it could not be installed.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let root = crate::root();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let mut report = Report::default();
            check_all(&root, &CARGO_DENY.ensure()?, &mut report)?;
            Ok(report.end())
        }
        ["--advisories"] => {
            let deny = CARGO_DENY.ensure()?;
            let mut command = Command::new(deny);
            command.args(["check", "advisories"]).current_dir(&root).stdin(Stdio::null());
            let status = command.status().map_err(|error| format!("cargo-deny did not start: {error}"))?;
            if !status.success() {
                eprintln!("xtask: an advisory applies, or the database could not be fetched: see above");
            }
            Ok(status.success())
        }
        _ => Err("deny takes --advisories or nothing, see `cargo xtask help`".to_owned()),
    }
}

/// Finds or installs cargo-deny.
///
/// # Errors
/// It could not be installed.
pub fn program() -> Result<PathBuf, String> {
    CARGO_DENY.ensure()
}

/// Our tree by our policy, and the controls.
///
/// # Errors
/// A control could not be set up.
pub fn check_all(root: &Path, deny: &Path, report: &mut Report) -> Result<(), String> {
    let policy = root.join("deny.toml");
    let ours = check(deny, &root.join("Cargo.toml"), &policy)?;
    report.note("licences, sources and duplicates are as deny.toml says", none(&ours));

    let text = fs::read_to_string(&policy).map_err(|error| format!("{}: {error}", policy.display()))?;
    let scratch = Scratch::new("deny")?;
    for (name, from, to, code, what) in CONTROLS {
        if text.matches(from).count() != 1 {
            return Err(format!("deny.toml has no line `{from}` for the control: {name}"));
        }
        let narrowed = scratch.write("deny.toml", &text.replacen(from, to, 1))?;
        let found = check(deny, &root.join("Cargo.toml"), &narrowed)?;
        report.note(&format!("control: {name} is found"), one(&found, code, what));
    }

    // A dependency from a git repository, which cargo takes from the disk without a network.
    let manifest = crate_with_git_dependency(&scratch)?;
    let found = check(deny, &manifest, &policy)?;
    report.note("control: a dependency from a git repository is found", one(&found, "source-not-allowed", "stranger"));
    println!("*** {NO_ADVISORIES}");
    Ok(())
}

/// Policies that are too narrow: what they are, the text and what stands in its place, and the code and
/// the word of the error that must come.
const CONTROLS: &[(&str, &str, &str, &str, &str)] = &[
    ("a licence that is not allowed", "\"BSD-3-Clause\", ", "", "rejected", "BSD-3-Clause"),
    ("a crate that is there twice and not listed", "{ crate = \"syn@2\"", "{ crate = \"syn@1\"", "duplicate", "'syn'"),
    ("an entry that stands for nothing", "{ crate = \"syn@2\"", "{ crate = \"serde@2\"", "unmatched-skip", "serde"),
    ("a crate that is forbidden", "{ crate = \"openssl-sys\"", "{ crate = \"rustls\"", "banned", "rustls"),
    (
        "a registry that is not allowed",
        "https://github.com/rust-lang/crates.io-index",
        "https://registry.example/index",
        "source-not-allowed",
        "serde",
    ),
];

/// An error of cargo-deny: its code, and all that it says.
type Found = (String, String);

fn check(deny: &Path, manifest: &Path, policy: &Path) -> Result<Vec<Found>, String> {
    let mut command = Command::new(deny);
    command.args(["--format", "json", "--log-level", "error"]);
    command.arg("--manifest-path").arg(manifest).arg("--config").arg(policy).arg("check");
    for code in STRICT {
        command.args(["--deny", code]);
    }
    let output = command.args(CHECKS).stdin(Stdio::null()).output();
    found(&output.map_err(|error| format!("cargo-deny did not start: {error}"))?)
}

/// The errors in cargo-deny's output, which is a line of JSON for each.
fn found(output: &Output) -> Result<Vec<Found>, String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut errors = Vec::new();
    for line in text.lines() {
        let told: Value = serde_json::from_str(line).map_err(|_| format!("cargo-deny says: {}", text.trim()))?;
        let fields = &told["fields"];
        match told["type"].as_str() {
            Some("diagnostic") if fields["severity"] == "error" => {
                errors.push((fields["code"].as_str().unwrap_or_default().to_owned(), fields.to_string()));
            }
            Some("log") => return Err(format!("cargo-deny says: {}", fields["message"])),
            _ => {}
        }
    }
    // Its exit code must say the same, or this reads it wrongly.
    if output.status.success() == errors.is_empty() {
        Ok(errors)
    } else {
        Err(format!("cargo-deny ended with {}, yet told of {} errors", output.status, errors.len()))
    }
}

fn none(found: &[Found]) -> Result<(), String> {
    if found.is_empty() {
        return Ok(());
    }
    let said = |(code, fields): &Found| {
        let fields: Value = serde_json::from_str(fields).unwrap_or_default();
        let labels = fields["labels"].as_array().into_iter().flatten();
        let spans: Vec<&str> = labels.filter_map(|label| label["span"].as_str()).collect();
        format!("{code}: {} {}", fields["message"].as_str().unwrap_or_default(), spans.join(", "))
    };
    Err(format!("{}; run: cargo deny check", found.iter().map(said).collect::<Vec<_>>().join("; ")))
}

fn one(found: &[Found], code: &str, what: &str) -> Result<(), String> {
    if found.iter().any(|(its, said)| its == code && said.contains(what)) {
        return Ok(());
    }
    let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
    Err(format!("no {code} about {what}, only {codes:?}"))
}

fn crate_with_git_dependency(scratch: &Scratch) -> Result<PathBuf, String> {
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\nlicense = \"MIT\"\n")
    };
    scratch.write("stranger/Cargo.toml", &package("stranger"))?;
    scratch.write("stranger/src/lib.rs", "")?;
    let repository = scratch.path().join("stranger");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message", "x"],
    ] {
        let done = Command::new("git").args(arguments).current_dir(&repository).stdin(Stdio::null()).output();
        let done = done.map_err(|error| format!("git did not start: {error}"))?;
        if !done.status.success() {
            return Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr).trim()));
        }
    }
    let dependency =
        format!("[workspace]\n[dependencies]\nstranger = {{ git = \"file://{}\" }}\n", repository.display());
    scratch.write("ours/src/lib.rs", "")?;
    scratch.write("ours/Cargo.toml", &format!("{}{dependency}", package("ours")))
}
