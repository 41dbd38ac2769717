//! Programs that a layer needs from outside: found on the PATH, or installed where that is ours to
//! do (Debian and Ubuntu, as root); and where downloads go. Used by [`crate::layers`].

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What is looked for on the PATH.
    pub program: &'static str,
    /// The Debian package.
    pub package: &'static str,
    /// What it is for, shown before it is installed.
    pub purpose: &'static str,
}

/// Finds every tool, or installs the missing ones.
///
/// # Errors
/// Some are missing and could not be installed; the text says what to install.
pub fn ensure(tools: &[Tool]) -> Result<(), String> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| find(tool.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    for tool in &missing {
        eprintln!("xtask: {} is missing ({})", tool.program, tool.purpose);
    }
    packages_ensure(&packages)?;
    match missing.iter().find(|tool| find(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => Err(format!("{} was installed, yet {} is not on the PATH", tool.package, tool.program)),
    }
}

/// Installs Debian packages.
///
/// # Errors
/// This is not Debian, or we are not root, or apt-get failed.
pub fn packages_ensure(packages: &[&str]) -> Result<(), String> {
    let list = packages.join(" ");
    if !Path::new("/etc/debian_version").exists() || find("apt-get").is_none() {
        return Err(format!("install what Debian calls: {list}"));
    }
    if !is_root() {
        return Err(format!("run: sudo apt-get install {list}"));
    }
    if size(packages).is_none() {
        // A fresh system has no package lists yet.
        eprintln!("xtask: apt-get update (package lists, a few tens of megabytes)");
        apt(&["update", "--quiet"])?;
    }
    let size = size(packages).ok_or_else(|| format!("apt-get does not know all of: {list}"))?;
    eprintln!("xtask: apt-get install {list}\n{size}");
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments).or_else(|_| {
        // Old lists name packages that the mirror has replaced since.
        eprintln!("xtask: apt-get update, then once more");
        apt(&["update", "--quiet"])?;
        apt(&arguments)
    })
}

/// Where a program is on the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// The directory for what is downloaded, outside the checkout; made if need be.
///
/// # Errors
/// It cannot be made, or the environment does not say where it should be.
pub fn cache() -> Result<PathBuf, String> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let cache = base.ok_or("neither XDG_CACHE_HOME nor HOME is set, set one")?.join("pairpin");
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    Ok(cache)
}

/// What apt-get says of the sizes; `None` if it does not know a package.
fn size(packages: &[&str]) -> Option<String> {
    let output = apt_get()
        .args(["install", "--assume-no", "--no-install-recommends"])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sizes = |line: &&str| ["Need to get", "After this operation"].iter().any(|start| line.starts_with(start));
    let lines: Vec<String> = text.lines().filter(sizes).map(|line| format!("xtask:   {line}")).collect();
    // It succeeds where nothing is left to do: somebody else has installed them meanwhile.
    if lines.is_empty() && !output.status.success() { None } else { Some(lines.join("\n")) }
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    // apt-get's own chatter belongs to stderr: stdout ends with the summary.
    let status = apt_get()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("apt-get did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("apt-get {} failed", arguments.join(" "))) }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command
}

/// Whether this is root.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
