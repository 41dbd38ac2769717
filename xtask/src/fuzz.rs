//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer, on the stable toolchain.
//!
//! Our own crates are compiled by `fuzz/instrument`, what they stand on is not; one binary holds every
//! target. Each starts from its kept corpus, in a copy, so that a run leaves the checkout alone. The
//! control runs first: a target with a planted bug, which must be found within the same time. The layer
//! `fuzz` of [`crate::layers`] is the short form.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::install::{self, Tool};
use crate::layers::Unready;
use crate::summary::Counts;

/// How long each target runs where nothing else is said.
const SECONDS: u64 = 30;
/// Memory that a target may take, in megabytes: pictures may unpack to 160.
const MEMORY: u64 = 768;
/// Seconds that one input may take.
const INPUT: u64 = 60;
/// The target whose bug has to be found.
const CONTROL: &str = "planted";

const COMPILER: &[Tool] = &[Tool { program: "g++", package: "g++", purpose: "compiles libFuzzer" }];

/// Runs the named target, or all of them. Says whether every property held and the control was found.
///
/// # Errors
/// The arguments cannot be understood, or the targets cannot be built.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let (mut named, mut seconds) = (None, SECONDS);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = arguments.next().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
                seconds = number.ok_or("--seconds wants a number from 1")?;
            }
            name if !name.starts_with('-') && named.is_none() => named = Some(name.to_owned()),
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    let root = crate::root();
    let known = targets(&root)?;
    let chosen = match named {
        Some(name) if name == CONTROL || known.contains(&name) => vec![name],
        Some(name) => return Err(format!("unknown target {name:?}, there are: {} and {CONTROL}", known.join(", "))),
        None => known,
    };
    let counts = fuzz(&root, &chosen, seconds).map_err(|unready| match unready {
        Unready::Missing(why) | Unready::Broken(why) => why,
    })?;
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(counts.failed == 0)
}

/// Every target for the time that CI has.
///
/// # Errors
/// The targets cannot be built.
pub fn short(root: &Path) -> Result<Counts, Unready> {
    fuzz(root, &targets(root).map_err(Unready::Broken)?, SECONDS)
}

/// The targets: those that have a corpus.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let corpus = root.join("fuzz/corpus");
    let entries = fs::read_dir(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

fn fuzz(root: &Path, chosen: &[String], seconds: u64) -> Result<Counts, Unready> {
    install::ensure(COMPILER).map_err(Unready::Missing)?;
    let began = Instant::now();
    let binary = build(root).map_err(Unready::Broken)?;
    println!("built in {} s; {seconds} s for each target", began.elapsed().as_secs());
    let place = Place { root, binary: &binary, seconds };
    let mut jobs: Vec<String> = vec![CONTROL.to_owned()];
    jobs.extend(chosen.iter().filter(|name| *name != CONTROL).cloned());
    jobs.reverse();
    let jobs = Mutex::new(jobs);
    let counts = Mutex::new(Counts::default());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let held = place.one(&target);
                    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                    if held { counts.passed += 1 } else { counts.failed += 1 }
                }
            });
        }
    });
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Builds the binary of all targets; gives its path.
fn build(root: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--locked", "--package", "pairpin-fuzz", "--features", "binaries", "--bin", "any"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("RUSTC_WORKSPACE_WRAPPER", root.join("fuzz/instrument"))
        .current_dir(root);
    crate::test::executable_of(&mut command)
}

struct Place<'a> {
    root: &'a Path,
    binary: &'a Path,
    seconds: u64,
}

impl Place<'_> {
    /// Runs one target and prints how it went; whether that is well.
    fn one(&self, target: &str) -> bool {
        let outcome = self.try_one(target).unwrap_or_else(|why| Outcome { crash: None, said: why, runs: None });
        let Outcome { crash, said, runs } = outcome;
        match (target == CONTROL, crash, runs) {
            (true, Some(_), _) => println!("{target:<12} the planted bug was found, as it must be"),
            (true, None, _) => {
                println!("{target:<12} FAILED: the planted bug was not found, so nothing else would be\n{said}")
            }
            (false, Some(input), _) => {
                let input = input.strip_prefix(self.root).unwrap_or(&input).display();
                println!("{target:<12} FAILED: {said}\n{:<12} again: cargo xtask fuzz-again {target} {input}", "");
            }
            (false, None, Some(runs)) => println!("{target:<12} held for {runs} inputs"),
            (false, None, None) => println!("{target:<12} FAILED: {said}"),
        }
        // libFuzzer ends without a count where it did not come to its end.
        if target == CONTROL { said.contains("the planted bug") } else { runs.is_some() }
    }

    fn try_one(&self, target: &str) -> Result<Outcome, String> {
        let at = |path: &Path, error| format!("{}: {error}", path.display());
        let artifacts = self.root.join("fuzz/artifacts").join(target);
        let grown = self.root.join("target/fuzz").join(target);
        for directory in [&artifacts, &grown] {
            let _ = fs::remove_dir_all(directory);
            fs::create_dir_all(directory).map_err(|error| at(directory, error))?;
        }
        let log = self.root.join("target/fuzz").join(format!("{target}.log"));
        let file = File::create(&log).map_err(|error| at(&log, error))?;
        let mut command = self.command(target);
        command
            .args([format!("-max_total_time={}", self.seconds), format!("-timeout={INPUT}")])
            .args([
                format!("-rss_limit_mb={MEMORY}"),
                "-print_final_stats=1".to_owned(),
                "-use_value_profile=1".to_owned(),
            ])
            // Above the largest message, head or frame, so that the limits are crossed too.
            .args(["-max_len=20000".to_owned(), format!("-artifact_prefix={}/", artifacts.display())])
            .arg(&grown);
        // The control starts from nothing: its bug has to be found by what an input reaches.
        let kept = self.root.join("fuzz/corpus").join(target);
        if kept.is_dir() {
            command.arg(&kept);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{} did not start: {error}", self.binary.display()))?;
        let ended = wait(&mut child, Duration::from_secs(self.seconds + 4 * INPUT))?;
        let text = String::from_utf8_lossy(&fs::read(&log).map_err(|error| at(&log, error))?).into_owned();
        let crash = fs::read_dir(&artifacts).ok().and_then(|mut entries| Some(entries.next()?.ok()?.path()));
        Ok(Outcome { crash, said: cause(&text, ended), runs: if ended { runs(&text) } else { None } })
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(self.binary);
        command.env("PAIRPIN_FUZZ_TARGET", target).env("RUST_BACKTRACE", "0").current_dir(self.root);
        command
    }
}

/// Runs one input again, with everything that it prints. Says whether the property holds.
///
/// # Errors
/// The arguments are not a target and a file, or the targets cannot be built.
pub fn again(arguments: &[String]) -> Result<bool, String> {
    let [target, input] = arguments else { return Err("fuzz-again wants a target and a file".to_owned()) };
    let root = crate::root();
    let binary = build(&root)?;
    let place = Place { root: &root, binary: &binary, seconds: 0 };
    let status = place.command(target).arg(input).env("RUST_BACKTRACE", "1").status();
    status.map(|status| status.success()).map_err(|error| format!("{} did not start: {error}", binary.display()))
}

struct Outcome {
    crash: Option<PathBuf>,
    said: String,
    runs: Option<u64>,
}

/// Whether it ended well; a run that does not end is stopped.
fn wait(child: &mut Child, limit: Duration) -> Result<bool, String> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| format!("a target was lost: {error}"))? {
            return Ok(status.success());
        }
        if began.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// How many inputs were tried, as libFuzzer says at its end.
fn runs(log: &str) -> Option<u64> {
    log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

/// What a panic or libFuzzer said.
fn cause(log: &str, ended: bool) -> String {
    let mut lines = log.lines();
    if let Some(place) = lines.by_ref().find(|line| line.contains("panicked at")) {
        let place = place.split("panicked at ").nth(1).unwrap_or(place);
        let said: Vec<&str> = lines.take(3).take_while(|line| !line.starts_with("note:")).collect();
        return format!("{place} {}", said.join("; "));
    }
    let error = log.lines().find(|line| line.contains("ERROR: libFuzzer"));
    match error.or(log.lines().last()) {
        Some(line) if !ended => line.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_from_what_libfuzzer_says() {
        let ended = "Done 9 runs in 1 second(s)\nstat::number_of_executed_units: 9\nstat::peak_rss_mb: 31\n";
        assert_eq!(runs(ended), Some(9));
        assert_eq!(cause(ended, true), "");
        let crashed =
            "#2 NEW\nthread '<unnamed>' panicked at fuzz/src/planted.rs:26:9:\nthe planted bug\nnote: run\n==7==";
        assert_eq!(cause(crashed, false), "fuzz/src/planted.rs:26:9: the planted bug");
        assert_eq!(runs(crashed), None);
        assert_eq!(cause("#2\n==7== ERROR: libFuzzer: out-of-memory", false), "==7== ERROR: libFuzzer: out-of-memory");
    }

    #[test]
    fn unknown_targets_and_times_are_refused() {
        for arguments in [&["nothing"][..], &["link", "qr"], &["--seconds"], &["--seconds", "0"], &["--fast"]] {
            let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
            assert!(run(&arguments).is_err(), "{arguments:?}");
        }
    }
}
