//! The Python environments of the layers: pinned packages in the cache directory, outside the
//! checkout. Used by [`crate::layers`].

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install;

/// An environment of Python 3.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'a> {
    /// Its directory in the cache.
    pub name: &'a str,
    /// What is in it, all by hash; nothing is compiled.
    pub requirements: &'a Path,
    /// What has to come as source, of plain Python, and is built with what `requirements` brought.
    pub source: Option<&'a Path>,
    /// What it is for and how large, shown before it is made.
    pub about: &'a str,
    /// A program that runs if it is whole.
    pub proof: &'a str,
}

/// The Python of an environment, made if there is none yet.
///
/// # Errors
/// There is no Python 3, or the packages could not be downloaded; the text says which.
pub fn python(environment: &Environment<'_>) -> Result<PathBuf, String> {
    let Environment { name, requirements, source, about, proof } = *environment;
    let mut wanted = read(requirements)?;
    if let Some(source) = source {
        wanted += &read(source)?;
    }
    let home = install::cache()?.join(name);
    let python = home.join("bin/python");
    let stamp = home.join("requirements.txt");
    // The stamp is written last, so a half-made environment is made again. So is one whose Python
    // has gone with a system upgrade.
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) && works(&python, proof) {
        return Ok(python);
    }
    let base = system_python()?;
    eprintln!("xtask: making {} ({about})", home.display());
    remove(&home)?;
    run(Command::new(&base).args(["-m", "venv"]).arg(&home))?;
    run(pip(&python).args(["--only-binary", ":all:", "--requirement"]).arg(requirements))?;
    if let Some(source) = source {
        // Without its own build environment: that one would be of whatever version is the newest.
        run(pip(&python).args(["--no-build-isolation", "--no-deps", "--requirement"]).arg(source))?;
    }
    if !works(&python, proof) {
        return Err(format!("{} cannot run `{proof}` after its installation", python.display()));
    }
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

/// A Python 2.7 and the directory of the packages that `requirements` pins, filled if need be: the
/// Autobahn testsuite runs on nothing newer, and no such Python makes environments.
///
/// # Errors
/// There is no Python 2.7, or the packages could not be downloaded; the text says which.
pub fn python27(requirements: &Path) -> Result<(PathBuf, PathBuf), String> {
    let wanted = read(requirements)?;
    let python = old_python()?;
    let home = install::cache()?.join("autobahn-packages");
    let stamp = home.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok((python, home));
    }
    eprintln!("xtask: filling {} (the Autobahn testsuite for Python 2.7, about 10 MB to download)", home.display());
    remove(&home)?;
    run(pip(&python).args(["--no-deps", "--target"]).arg(&home).arg("--requirement").arg(requirements))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok((python, home))
}

/// A Python 2.7 with pip: on the PATH, or one of pyenv's. It cannot be installed from here: Debian has had
/// none since 12, PyPI, npm and crates.io have none, and PyPy's has left Debian too.
fn old_python() -> Result<PathBuf, String> {
    // The wheels are for the wide Unicode build of CPython on x86-64, which is what distributions made.
    let proof = "import sys, ssl, pip; assert sys.version_info[:2] == (2, 7) and sys.maxunicode > 0xffff";
    old_pythons().into_iter().find(|python| works(python, proof)).ok_or_else(|| {
        "no python2.7 with pip on the PATH or of pyenv, and the Autobahn testsuite runs on no other: install one, \
         for example by `pyenv install 2.7.18`"
            .to_owned()
    })
}

fn old_pythons() -> Vec<PathBuf> {
    let mut pythons: Vec<PathBuf> = install::find("python2.7").into_iter().collect();
    let homes = env::var_os("PYENV_ROOT").map(PathBuf::from).into_iter();
    let homes = homes.chain(env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    for home in homes {
        let versions = fs::read_dir(home.join("versions")).into_iter().flatten().flatten();
        let old = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("2.7"));
        pythons.extend(old.map(|entry| entry.path().join("bin/python2.7")));
    }
    pythons
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn remove(directory: &Path) -> Result<(), String> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    Ok(())
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]);
    command.env("PYTHONWARNINGS", OsString::from("ignore"));
    command
}

/// A Python that can make environments; installed where that is ours to do.
fn system_python() -> Result<PathBuf, String> {
    let usable = || {
        let found = install::find("python3")?;
        works(&found, "import venv, ensurepip").then_some(found)
    };
    if let Some(python) = usable() {
        return Ok(python);
    }
    install::packages_ensure(&["python3", "python3-venv"])?;
    // Another python3 may stand before the system's on the PATH.
    let system = PathBuf::from("/usr/bin/python3");
    usable().or_else(|| works(&system, "import venv, ensurepip").then_some(system)).ok_or_else(|| {
        "no python3 that can make virtual environments, install Python 3.9 or newer with its venv module".to_owned()
    })
}

fn works(python: &Path, program: &str) -> bool {
    let status = Command::new(python)
        .args(["-c", program])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("failed: {command:?}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
