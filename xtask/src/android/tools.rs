//! Runs the tools that an APK is made with, and says what one of them said where it failed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::Tool;

/// What `cargo xtask android` and its layer need from Debian.
pub const TOOLS: &[Tool] = &[
    Tool { program: "javac", package: "openjdk-17-jdk-headless", purpose: "runs the compilers of the app" },
    Tool { program: "mvn", package: "maven", purpose: "fetches libraries and compilers" },
    Tool { program: "unzip", package: "unzip", purpose: "unpacks the libraries" },
];

/// What an APK needs besides.
pub const SIGNERS: &[Tool] = &[
    Tool { program: "zipalign", package: "zipalign", purpose: "aligns what is in an APK" },
    Tool { program: "apksigner", package: "apksigner", purpose: "signs an APK and verifies it" },
];

/// Runs a command; its output is passed on only where it fails.
///
/// # Errors
/// It does not start, or fails; the text is what it said.
pub fn run(what: &str, command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{what} did not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaints = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    // A compiler goes on for long; what it says first is what counts.
    let first: Vec<&str> = complaints.lines().take(60).collect();
    Err(format!("{what} failed:\n{}", first.join("\n")))
}

/// A Java program on this class path.
pub fn java(heap: &str, class_path: &[PathBuf], main: &str) -> Command {
    let mut command = Command::new("java");
    command.arg(format!("-Xmx{heap}")).arg("-cp").arg(joined(class_path)).arg(main);
    command
}

/// A class path.
pub fn joined<P: AsRef<Path>>(paths: &[P]) -> String {
    paths.iter().map(|path| path.as_ref().to_string_lossy()).collect::<Vec<_>>().join(":")
}

/// Every file under `directory` with this extension, in order.
pub fn under(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for path in std::fs::read_dir(next).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension() == Some(OsStr::new(extension)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Makes an empty directory, whatever was there.
///
/// # Errors
/// It cannot be made.
pub fn empty(directory: &Path) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(directory);
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}

/// Writes a file.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The JDK's `jar` in this mode (`--create`, `--update`) on a file.
pub fn jar_of(mode: &str, file: &Path) -> Command {
    let mut command = Command::new("jar");
    command.args([mode, "--no-manifest", "--file"]).arg(file);
    command
}
