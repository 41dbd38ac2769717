//! `cargo xtask mutants`: whether the tests of pairpin-core notice when the code that decides whom
//! to trust is changed.
//!
//! [`list`] asks cargo-mutants for the changes, [`switch`] puts them all into a copy of the workspace,
//! which is built once, and [`trial`] runs the tests under each. What no test noticed has to be
//! explained in `docs/evidence/mutants.md`; the explanations are the control: each of these mutants must
//! still go unnoticed.

mod list;
mod switch;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use list::Mutant;
use trial::Verdict;

use crate::test;

/// The page that explains what no test notices.
const EXPLAINED: &str = "docs/evidence/mutants.md";
/// Before each explained mutant there.
const MARK: &str = "- `core/";

/// Runs it. Says whether every mutant was noticed or is explained.
///
/// # Errors
/// The arguments cannot be understood, or something is in the way of running at all.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let mut files = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--file" => files.push(arguments.next().ok_or("--file wants a path, such as core/src/token.rs")?.clone()),
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    let root = crate::root();
    let mut mutants = list::mutants(&root, &files)?;
    if !files.is_empty() {
        // cargo-mutants adds the files that its settings name. In the order in which they were asked for.
        mutants.retain(|mutant| files.contains(&mutant.file));
        mutants.sort_by_key(|mutant| files.iter().position(|file| *file == mutant.file));
    }
    if mutants.is_empty() {
        return Err("no mutants: --file wants a path from the workspace's root".to_owned());
    }
    let page = fs::read_to_string(root.join(EXPLAINED)).unwrap_or_default();
    let explained: BTreeSet<&str> = explained(&page).collect();
    let copy = root.join("target/mutants");
    let built = build(&root, &copy, &mutants)?;
    let core = copy.join("core");
    println!("{} mutants; running every test once without any", mutants.len());
    let tests = trial::baseline(&built.binaries, &core, &copy)?;
    println!("{} tests; now the mutants", tests.len());

    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    let worker = || -> Result<(), String> {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let number = 1 + mutants.iter().position(|other| std::ptr::eq(other, mutant)).unwrap_or_default();
            let verdict = match built.of_mutant.get(&number) {
                Some(function) => Some(trial::judge(number, *function, &tests, &core)?),
                None => None,
            };
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let explained = explained.contains(mutant.lasting_name().as_str());
            match verdict {
                Some(verdict) => tally.take(mutant, &verdict, explained),
                None if built.unviable.contains(&number) => tally.unviable += 1,
                None => tally.left(mutant, explained),
            }
            if number % 50 == 0 {
                println!("{number} of {}", mutants.len());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err("a worker failed".to_owned())))
    })?;
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.vanished(&explained, &mutants, &files);
    Ok(tally.finish())
}

/// The mutants that the page explains, by their lasting names.
fn explained(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| line.starts_with(MARK)).filter_map(|line| line.split('`').nth(1))
}

/// What came out.
#[derive(Debug, Default)]
struct Tally {
    caught: usize,
    explained: usize,
    unviable: usize,
    failed: usize,
    /// Of the explained ones, by name: whether one of that name went unnoticed. Two changes of one kind in one
    /// function share their name.
    unnoticed: BTreeMap<String, bool>,
}

impl Tally {
    fn take(&mut self, mutant: &Mutant, verdict: &Verdict, explained: bool) {
        match (verdict, explained) {
            (Verdict::Caught(_) | Verdict::TimedOut(_), false) => self.caught += 1,
            (Verdict::Missed(_), true) => {
                self.explained += 1;
                self.unnoticed.insert(mutant.lasting_name(), true);
            }
            (Verdict::Missed(reaching), false) => {
                self.failed += 1;
                println!("MISSED by {reaching} tests: {}", mutant.name);
            }
            (Verdict::Caught(_) | Verdict::TimedOut(_), true) => {
                self.caught += 1;
                self.unnoticed.entry(mutant.lasting_name()).or_insert(false);
            }
        }
    }

    /// One that could not be built in with the others.
    fn left(&mut self, mutant: &Mutant, explained: bool) {
        if explained {
            self.explained += 1;
        } else {
            self.failed += 1;
            println!("NOT RUN, try `cargo mutants --workspace --file {}`: {}", mutant.file, mutant.name);
        }
    }

    /// An explanation whose mutant is no more explains nothing: the code has changed, and so has what to say of it.
    fn vanished(&mut self, explained: &BTreeSet<&str>, mutants: &[Mutant], files: &[String]) {
        let names: BTreeSet<String> = mutants.iter().map(Mutant::lasting_name).collect();
        let asked = |name: &str| files.is_empty() || files.iter().any(|file| name.starts_with(&format!("{file}: ")));
        for name in explained.iter().filter(|name| asked(name) && !names.contains(**name)) {
            self.failed += 1;
            println!("EXPLAINED, yet there is no such mutant any more: {name}");
        }
    }

    fn finish(&mut self) -> bool {
        for (name, _) in self.unnoticed.iter().filter(|(_, unnoticed)| !**unnoticed) {
            self.failed += 1;
            println!("EXPLAINED, yet a test notices it: {name}");
        }
        println!(
            "{} noticed, {} explained in {EXPLAINED}, {} do not compile, {} missed or not run",
            self.caught, self.explained, self.unviable, self.failed
        );
        println!("{} passed, {} failed", self.caught + self.explained, self.failed);
        self.failed == 0
    }
}

/// The test binaries with all mutants in them.
#[derive(Debug, Default)]
struct Built {
    binaries: Vec<PathBuf>,
    of_mutant: BTreeMap<usize, usize>,
    unviable: BTreeSet<usize>,
}

/// Copies the workspace, puts the mutants in, and takes out what does not compile until the rest does.
fn build(root: &Path, copy: &Path, mutants: &[Mutant]) -> Result<Built, String> {
    copy_workspace(root, copy)?;
    let mut dropped = Dropped::default();
    loop {
        let written = write_mutants(root, copy, mutants, &dropped)?;
        let compiled = compile(root, copy)?;
        if compiled.errors.is_empty() {
            let of_mutant = written.iter().flat_map(|(_, switched)| switched.of_mutant.clone()).collect();
            return Ok(Built { binaries: compiled.binaries, of_mutant, unviable: dropped.mutants });
        }
        let known = (dropped.mutants.len(), dropped.functions.len());
        compiled.errors.iter().for_each(|error| dropped.blame(error, &written));
        println!("{} mutants do not compile", dropped.mutants.len());
        if known == (dropped.mutants.len(), dropped.functions.len()) {
            return Err(format!("the copy does not compile: {}", compiled.errors[0].text));
        }
    }
}

/// What was taken out.
#[derive(Debug, Default)]
struct Dropped {
    mutants: BTreeSet<usize>,
    /// Functions that cannot be written several times over, by the first of their mutants.
    functions: BTreeSet<usize>,
}

impl Dropped {
    fn blame(&mut self, error: &CompileError, written: &[(String, switch::Switched)]) {
        let hits = |lines: &Range<usize>, at: &Range<usize>| lines.start <= at.start && at.start < lines.end;
        for (file, at) in &error.places {
            let Some((_, switched)) = written.iter().find(|(name, _)| name == file) else { continue };
            if let Some((_, mutant)) = switched.arms.iter().find(|(lines, _)| hits(lines, at)) {
                self.mutants.insert(*mutant);
                return;
            }
        }
        for (file, at) in &error.places {
            let Some((_, switched)) = written.iter().find(|(name, _)| name == file) else { continue };
            if let Some((_, function)) = switched.functions.iter().find(|(lines, _)| hits(lines, at)) {
                let inside = switched.of_mutant.iter().filter(|(_, of)| *of == function).map(|(mutant, _)| *mutant);
                self.functions.extend(inside);
                return;
            }
        }
    }
}

fn write_mutants(
    root: &Path,
    copy: &Path,
    mutants: &[Mutant],
    dropped: &Dropped,
) -> Result<Vec<(String, switch::Switched)>, String> {
    let mut by_file: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (index, mutant) in mutants.iter().enumerate() {
        let list = by_file.entry(&mutant.file).or_default();
        if !dropped.mutants.contains(&(index + 1)) && !dropped.functions.contains(&(index + 1)) {
            list.push((index + 1, mutant));
        }
    }
    let mut written = Vec::new();
    let mut functions = 1;
    for (file, list) in by_file {
        let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let switched = switch::switch(&text, &list, functions);
        functions += switched.functions.len();
        fs::write(copy.join(file), &switched.text).map_err(|error| format!("{file}: {error}"))?;
        written.push((file.to_owned(), switched));
    }
    let lib = fs::read_to_string(root.join("core/src/lib.rs")).map_err(|error| format!("core/src/lib.rs: {error}"))?;
    let with = |text: &str, file: &str| fs::write(copy.join(file), text).map_err(|error| format!("{file}: {error}"));
    with(&format!("{lib}\nmod mutants_switch;\n"), "core/src/lib.rs")?;
    with(switch::MODULE, "core/src/mutants_switch.rs")?;
    Ok(written)
}

fn copy_workspace(root: &Path, copy: &Path) -> Result<(), String> {
    if copy.exists() {
        fs::remove_dir_all(copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    }
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git did not start: {error}"))?;
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), copy.join(name));
        if !from.is_file() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        fs::copy(&from, &to).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

struct CompileError {
    text: String,
    /// Files and lines, the primary ones first.
    places: Vec<(String, Range<usize>)>,
}

struct Compiled {
    binaries: Vec<PathBuf>,
    errors: Vec<CompileError>,
}

fn compile(root: &Path, copy: &Path) -> Result<Compiled, String> {
    // A target directory of its own: cargo would take the copy's crates for ours, which have no mutants.
    let output = test::cargo(copy)
        .args(["test", "--package", "pairpin-core", "--lib", "--tests", "--no-run", "--locked"])
        .args(["--message-format", "json"])
        .env("CARGO_TARGET_DIR", root.join("target/mutants-build"))
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    let mut compiled = Compiled { binaries: Vec::new(), errors: Vec::new() };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if let Some(binary) = message.get("executable").and_then(Value::as_str) {
            compiled.binaries.push(binary.into());
        }
        compiled.errors.extend(message.get("message").and_then(compile_error));
    }
    if !output.status.success() && compiled.errors.is_empty() {
        return Err("cargo test --no-run fails in the copy without an error of the compiler".to_owned());
    }
    Ok(compiled)
}

fn compile_error(message: &Value) -> Option<CompileError> {
    if message.get("level")?.as_str()? != "error" {
        return None;
    }
    let mut places = Vec::new();
    for primary in [true, false] {
        for span in message.get("spans")?.as_array()? {
            if span.get("is_primary")?.as_bool()? != primary {
                continue;
            }
            let line = |name: &str| usize::try_from(span.get(name)?.as_u64()?).ok();
            places.push((span.get("file_name")?.as_str()?.to_owned(), line("line_start")?..line("line_end")? + 1));
        }
    }
    let text = message.get("message")?.as_str()?.to_owned();
    // "Aborting due to errors" has no place.
    (!places.is_empty()).then_some(CompileError { text, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replacing() -> Mutant {
        let span = list::Span { start: list::Place { line: 1, column: 1 }, end: list::Place { line: 1, column: 2 } };
        Mutant {
            name: "core/src/a.rs:1:1: replace".to_owned(),
            file: "core/src/a.rs".to_owned(),
            function: None,
            span,
            replacement: String::new(),
        }
    }

    #[test]
    fn the_page_names_mutants_that_exist_by_file_and_change() {
        let page = "text\n- `core/src/a.rs: replace a -> bool with true`: why\n- another `thing`\n";
        assert_eq!(explained(page).collect::<Vec<_>>(), ["core/src/a.rs: replace a -> bool with true"]);
    }

    #[test]
    fn an_explanation_whose_mutant_is_no_more_is_a_failure_unless_its_file_was_not_asked_for() {
        let explained = BTreeSet::from(["core/src/a.rs: replace", "core/src/b.rs: replace"]);
        for (files, failed) in
            [(vec![], 1), (vec!["core/src/a.rs".to_owned()], 0), (vec!["core/src/b.rs".to_owned()], 1)]
        {
            let mut tally = Tally::default();
            tally.vanished(&explained, &[replacing()], &files);
            assert_eq!(tally.failed, failed, "{files:?}");
        }
    }

    #[test]
    fn an_explained_mutant_that_a_test_notices_is_a_failure_and_so_is_an_unexplained_one() {
        let mutant = replacing();
        for (verdict, explained, failed) in [
            (Verdict::Missed(3), true, 0),
            (Verdict::Missed(3), false, 1),
            (Verdict::Caught("a".to_owned()), true, 1),
            (Verdict::Caught("a".to_owned()), false, 0),
        ] {
            let mut tally = Tally::default();
            tally.take(&mutant, &verdict, explained);
            tally.finish();
            assert_eq!(tally.failed, failed, "{verdict:?}");
        }
    }
}
