//! `cargo xtask test`: runs the layers, shows their output as it comes, and counts.

use std::env;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::layers::{Environment, LAYERS, Layer, Unready, Work};
use crate::summary::{self, Counts, Outcome};

/// Runs the layers that `arguments` name; all of them if it names none. Says whether all went well.
///
/// # Errors
/// The arguments cannot be understood.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let mut named = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                LAYERS.iter().for_each(|layer| println!("{:<8}{}", layer.name, layer.about));
                return Ok(true);
            }
            "--layer" => named.push(arguments.next().ok_or("--layer wants a name, see `cargo xtask test --list`")?),
            other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
        }
    }
    if let Some(unknown) = named.iter().find(|name| LAYERS.iter().all(|layer| layer.name != name.as_str())) {
        return Err(format!("unknown layer {unknown:?}, see `cargo xtask test --list`"));
    }
    let root = crate::root();
    let chosen = |layer: &&Layer| named.is_empty() || named.iter().any(|name| name.as_str() == layer.name);
    let outcomes: Vec<(&str, Outcome)> =
        LAYERS.iter().filter(chosen).map(|layer| (layer.name, run_layer(layer, &root))).collect();
    let strict = env::var("CI").is_ok_and(|value| value == "true");
    let (text, well) = summary::text(&outcomes, strict);
    print!("{text}");
    Ok(well)
}

fn run_layer(layer: &Layer, root: &Path) -> Outcome {
    println!("\n=== {}: {}", layer.name, layer.about);
    let ran = match layer.work {
        Work::Cargo { arguments, prepare } => prepare(root).map(|environment| run_cargo(root, arguments, environment)),
        Work::Ours(work) => work(root).map(|counts| (counts, None)),
    };
    match ran {
        Ok((counts, complaint)) => {
            // A layer without tests would be green for ever.
            let complaint = complaint.or_else(|| (counts == Counts::default()).then(|| "no test was found".to_owned()));
            Outcome::Ran { counts, complaint }
        }
        Err(Unready::Missing(why)) => {
            println!("*** the layer {} does not run: {why}", layer.name);
            Outcome::NotRun(why)
        }
        Err(Unready::Broken(why)) => Outcome::Ran { counts: Counts::default(), complaint: Some(why) },
    }
}

/// Runs `cargo test`; gives its counts, and what went wrong beside the tests that failed.
pub fn run_cargo(root: &Path, arguments: &[&str], environment: Environment) -> (Counts, Option<String>) {
    let mut counts = Counts::default();
    let mut command = cargo(root);
    command.arg("test").arg("--no-fail-fast").args(arguments).envs(environment);
    let ended = stream(&mut command, |line| {
        println!("{line}");
        // Output that is looked at while it comes; a closed pipe shows at the next println.
        let _ = std::io::stdout().flush();
        if let Some(more) = Counts::of_line(line) {
            counts += more;
        }
    });
    let complaint = match ended {
        Ok(true) => None,
        Ok(false) if counts.failed > 0 => None,
        Ok(false) => Some("cargo test failed: it did not build, or a test ended its process".to_owned()),
        Err(why) => Some(why),
    };
    (counts, complaint)
}

/// Builds the binary that panics on request; gives the path of a copy, since its place is that of the
/// ordinary one.
///
/// # Errors
/// It does not build, or cannot be copied.
pub fn build_faulty_binary(root: &Path) -> Result<PathBuf, String> {
    let built = build_binary(root, &["--features", "fault-points"])?;
    let copy = built.with_file_name("pairpin-fault-points");
    std::fs::copy(&built, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    // The ordinary one takes its place again, so that nobody runs the other one by mistake.
    build_binary(root, &[])?;
    Ok(copy)
}

/// Builds the binary; gives its path as cargo tells it, wherever its target directory is.
///
/// # Errors
/// It does not build.
pub fn build_binary(root: &Path, features: &[&str]) -> Result<PathBuf, String> {
    build(root, &[&["--package", "pairpin", "--bin", "pairpin"], features].concat())
}

/// The same for any binary, in its release build.
///
/// # Errors
/// It does not build.
pub fn build_release(root: &Path, package: &str, binary: &str) -> Result<PathBuf, String> {
    build(root, &["--release", "--locked", "--package", package, "--bin", binary])
}

/// Builds the core as an app carries it, for this computer; gives the path of its shared library.
///
/// # Errors
/// It does not build.
pub fn build_mobile(root: &Path) -> Result<PathBuf, String> {
    let mut shared = None;
    let mut command = cargo(root);
    command.args(MOBILE).args(["--message-format", "json-render-diagnostics"]);
    if !stream(&mut command, |line| shared = library(line).or(shared.take()))? {
        return Err("the core did not build as an app carries it".to_owned());
    }
    shared.ok_or_else(|| "cargo did not say where the library is".to_owned())
}

/// The shared library alone: with the other kinds of library beside it, cargo leaves link-time optimisation out.
pub const MOBILE: &[&str] =
    &["rustc", "--locked", "--profile", "mobile", "--package", "pairpin-ffi", "--lib", "--crate-type", "cdylib"];

/// Builds a package with a feature; gives the paths of its shared library and of its one program.
///
/// # Errors
/// It does not build, or has no such two.
pub fn build_library(root: &Path, package: &str, feature: &str) -> Result<(PathBuf, PathBuf), String> {
    let (mut shared, mut program) = (None, None);
    let mut command = cargo(root);
    command.args(["build", "--package", package, "--features", feature]);
    command.args(["--message-format", "json-render-diagnostics"]).stdin(Stdio::null());
    let built = stream(&mut command, |line| {
        shared = library(line).or(shared.take());
        program = executable(line).or(program.take());
    })?;
    if !built {
        return Err(format!("{package} did not build"));
    }
    shared.zip(program).ok_or_else(|| format!("cargo did not say where the library of {package} is"))
}

/// The path of a shared library in a line of cargo's JSON.
pub fn library(line: &str) -> Option<PathBuf> {
    let (_, files) = line.split_once("\"filenames\":[")?;
    let (files, _) = files.split_once(']')?;
    let mut files = files.split(',').map(|file| file.trim_matches('"'));
    files
        .find(|file| file.ends_with(".so") || file.ends_with(".dylib"))
        .filter(|file| file.contains("pairpin"))
        .map(PathBuf::from)
}

fn build(root: &Path, arguments: &[&str]) -> Result<PathBuf, String> {
    executable_of(cargo(root).arg("build").args(arguments).args(["--message-format", "json-render-diagnostics"]))
}

/// Runs a build that tells of itself in JSON; gives the path of its executable.
///
/// # Errors
/// It does not build.
pub fn executable_of(command: &mut Command) -> Result<PathBuf, String> {
    let mut path = None;
    let built = stream(command.stdin(Stdio::null()), |line| path = executable(line).or(path.take()))?;
    if !built {
        return Err("the binary did not build".to_owned());
    }
    path.ok_or_else(|| "cargo did not say where the binary is".to_owned())
}

/// The path in a line of cargo's JSON that tells of a finished executable.
fn executable(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once("\"executable\":\"")?;
    let mut path = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(path.into()),
            '\\' => path.push(letters.next()?),
            letter => path.push(letter),
        }
    }
}

/// Cargo, in the workspace.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    // What cargo told this program about its own package is not for the next cargo: a build script that
    // looks at it (ring's does) would run again, and all that stands on it be compiled again.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command and hands over each line of its stdout; says whether it succeeded.
///
/// # Errors
/// It does not start.
pub fn stream(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool, String> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} did not start: {error}", command.get_program().display()))?;
    if let Some(output) = child.stdout.take() {
        each_line(output, &mut line);
    }
    let status = child.wait().map_err(|error| format!("a program was lost: {error}"))?;
    Ok(status.success())
}

// Lines are read as bytes: a test may print what is not UTF-8.
fn each_line(output: impl Read, line: &mut impl FnMut(&str)) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_where_cargo_says() {
        let line = r#"{"reason":"compiler-artifact","fresh":true,"executable":"/a \"b\"/pairpin","x":1}"#;
        assert_eq!(executable(line), Some(PathBuf::from("/a \"b\"/pairpin")));
        assert_eq!(executable(r#"{"reason":"compiler-artifact","executable":null}"#), None);
    }

    #[test]
    fn a_library_is_where_cargo_says_and_nobody_elses_is_taken() {
        let line = r#"{"reason":"compiler-artifact","filenames":["/t/libpairpin_ffi.a","/t/libpairpin_ffi.so"],"x":1}"#;
        assert_eq!(library(line), Some(PathBuf::from("/t/libpairpin_ffi.so")));
        assert_eq!(library(r#"{"filenames":["/t/libserde_derive.so"]}"#), None);
        assert_eq!(library(r#"{"reason":"build-finished"}"#), None);
    }

    #[test]
    fn lines_come_whole_and_whatever_their_bytes() {
        let mut lines = Vec::new();
        each_line(&b"one\r\n\xFFtwo\nend"[..], &mut |line: &str| lines.push(line.to_owned()));
        assert_eq!(lines, ["one", "\u{FFFD}two", "end"]);
    }

    #[test]
    fn unknown_layers_and_arguments_are_refused() {
        let run = |arguments: &[&str]| run(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for arguments in [&["--layer"][..], &["--layer", "nothing"], &["--fast"]] {
            assert!(run(arguments).is_err(), "{arguments:?}");
        }
    }
}
