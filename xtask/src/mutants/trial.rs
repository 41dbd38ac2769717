//! Runs the tests under a mutant. First all of them without one, each alone, to learn which functions
//! each test reaches and how long it takes; then, for each mutant, those that reach its function, the
//! quickest first, until one fails. Used by [`super`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// One test of one test binary.
#[derive(Debug, Clone)]
pub struct Test {
    binary: PathBuf,
    /// Its name.
    pub name: String,
    /// The functions that it reaches.
    pub reaches: BTreeSet<usize>,
    took: Duration,
}

/// How a mutant ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This test failed.
    Caught(String),
    /// This test did not come to its end.
    TimedOut(String),
    /// So many tests reach it, and none failed.
    Missed(usize),
}

/// Runs every test of the binaries alone, without a mutant.
///
/// # Errors
/// One fails, or a binary does not start.
pub fn baseline(binaries: &[PathBuf], core: &Path, scratch: &Path) -> Result<Vec<Test>, String> {
    let mut tests = Vec::new();
    let trace = scratch.join("trace.txt");
    for binary in binaries {
        let list = Command::new(binary)
            .args(["--list", "--format", "terse"])
            .current_dir(core)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{} did not start: {error}", binary.display()))?;
        for line in String::from_utf8_lossy(&list.stdout).lines() {
            let Some(name) = line.strip_suffix(": test") else { continue };
            // A trace of the test before must not count for this one.
            let _ = fs::remove_file(&trace);
            let began = Instant::now();
            let ended = run(binary, name, core, Duration::from_secs(300), |command| {
                command.env("PAIRPIN_MUTANTS_TRACE", &trace);
            })?;
            if ended != Some(true) {
                return Err(format!("the test {name} fails without any mutant"));
            }
            let reaches = fs::read_to_string(&trace).unwrap_or_default();
            let reaches = reaches.lines().filter_map(|line| line.parse().ok()).collect();
            tests.push(Test { binary: binary.clone(), name: name.to_owned(), reaches, took: began.elapsed() });
        }
    }
    tests.sort_by_key(|test| test.took);
    Ok(tests)
}

/// Tries one mutant.
///
/// # Errors
/// A test binary does not start.
pub fn judge(mutant: usize, function: usize, tests: &[Test], core: &Path) -> Result<Verdict, String> {
    let mut reaching = 0;
    for test in tests.iter().filter(|test| test.reaches.contains(&function)) {
        reaching += 1;
        // Long, because other work may be on the machine.
        let limit = (test.took * 10).max(Duration::from_secs(30));
        let with = |command: &mut Command| {
            command.env("PAIRPIN_MUTANT", mutant.to_string());
        };
        match run(&test.binary, &test.name, core, limit, with)? {
            Some(true) => {}
            // What fails must hold without the mutant, or it is no witness.
            Some(false) if run(&test.binary, &test.name, core, limit, |_| {})? == Some(true) => {
                return Ok(Verdict::Caught(test.name.clone()));
            }
            None => return Ok(Verdict::TimedOut(test.name.clone())),
            Some(false) => {}
        }
    }
    Ok(Verdict::Missed(reaching))
}

/// Runs one test: whether it passed, or `None` if it took too long.
fn run(
    binary: &Path,
    name: &str,
    core: &Path,
    limit: Duration,
    set: impl Fn(&mut Command),
) -> Result<Option<bool>, String> {
    let mut command = Command::new(binary);
    command.args(["--exact", name, "--test-threads", "1"]);
    command.current_dir(core).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env_remove("RUST_BACKTRACE");
    set(&mut command);
    let mut child = command.spawn().map_err(|error| format!("{} did not start: {error}", binary.display()))?;
    wait(&mut child, limit)
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<bool>, String> {
    let began = Instant::now();
    loop {
        match child.try_wait().map_err(|error| format!("a test was lost: {error}"))? {
            Some(status) => return Ok(Some(status.success())),
            None if began.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            None => thread::sleep(Duration::from_millis(3)),
        }
    }
}
