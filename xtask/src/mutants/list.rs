//! The mutants, as cargo-mutants names them: which file, which piece of text, and what stands in its
//! place. Used by [`super`].

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::install;

/// The version whose list this reads.
const VERSION: &str = "27.1";

/// A place in a file: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// From one place to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: Place,
    /// Where it has ended.
    pub end: Place,
}

/// One change to the code that some test should notice.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What it does and where, for people.
    pub name: String,
    /// The file, from the workspace's root.
    pub file: String,
    /// The function it is in; none in a constant.
    pub function: Option<Span>,
    /// What goes.
    pub span: Span,
    /// What stands in its place.
    pub replacement: String,
}

impl Mutant {
    /// Its name without line and column: a name that outlives changes elsewhere in the file.
    pub fn lasting_name(&self) -> String {
        match self.name.split_once(": ") {
            Some((_, change)) => format!("{}: {change}", self.file),
            None => self.name.clone(),
        }
    }
}

/// Asks cargo-mutants for the mutants of `files` and of those that `.cargo/mutants.toml` names.
///
/// # Errors
/// cargo-mutants is not there and could not be installed, or says what this cannot read.
pub fn mutants(root: &Path, files: &[String]) -> Result<Vec<Mutant>, String> {
    let program = program()?;
    let mut command = Command::new(&program);
    command.args(["mutants", "--workspace", "--list", "--json"]).current_dir(root).stdin(Stdio::null());
    files.iter().for_each(|file| {
        command.args(["--file", file]);
    });
    let output = command.output().map_err(|error| format!("{} did not start: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("cargo mutants --list: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let list: Vec<Value> =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo mutants --list: {error}"))?;
    list.iter()
        .map(|value| mutant(value).ok_or_else(|| format!("cargo mutants lists what is new here: {value}")))
        .collect()
}

fn mutant(value: &Value) -> Option<Mutant> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Mutant {
        name: text("name")?,
        file: text("file")?,
        function: match value.get("function")? {
            Value::Null => None,
            function => Some(span(function.get("span")?)?),
        },
        span: span(value.get("span")?)?,
        replacement: text("replacement")?,
    })
}

fn span(value: &Value) -> Option<Span> {
    let place = |name: &str| {
        let number = |part: &str| usize::try_from(value.get(name)?.get(part)?.as_u64()?).ok();
        Some(Place { line: number("line")?, column: number("column")? })
    };
    Some(Span { start: place("start")?, end: place("end")? })
}

/// A cargo-mutants of our version: on the PATH, or from an earlier run, or installed now.
fn program() -> Result<PathBuf, String> {
    let home = install::cache()?;
    let ours = home.join("bin/cargo-mutants");
    if let Some(found) = install::find("cargo-mutants").into_iter().chain([ours.clone()]).find(|path| is_ours(path)) {
        return Ok(found);
    }
    eprintln!("xtask: cargo install cargo-mutants ~{VERSION} into {}: builds for some minutes, once", home.display());
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["install", "cargo-mutants", "--locked", "--version", &format!("~{VERSION}"), "--root"])
        .arg(&home)
        // Not in the checkout: its cargo settings are for our own code.
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    if status.success() && is_ours(&ours) {
        Ok(ours)
    } else {
        Err(format!("run: cargo install cargo-mutants --version '~{VERSION}' --locked"))
    }
}

fn is_ours(program: &Path) -> bool {
    let output = Command::new(program).args(["mutants", "--version"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| {
        let version = String::from_utf8_lossy(&output.stdout);
        version.trim().strip_prefix("cargo-mutants ").is_some_and(|version| version.starts_with(&format!("{VERSION}.")))
    })
}
