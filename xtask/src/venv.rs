//! Python environments: pinned packages in the cache directory, outside the checkout. Used by
//! [`crate::layers`] for the `pake` layer and by [`crate::bench_qr`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install;

/// An environment.
pub struct Venv {
    /// Its directory in the cache.
    pub name: &'static str,
    /// The module by whose import it is known to work.
    pub module: &'static str,
    /// What is downloaded, and how large it is, for who waits for it.
    pub brings: &'static str,
}

/// What the typed code's PAKE and the byte vectors are compared with.
pub const PAKE: Venv =
    Venv { name: "pake-venv", module: "spake2", brings: "spake2 and cryptography, about 5 MB to download" };

/// The QR reader that ours is measured against.
pub const QR: Venv = Venv { name: "qr-venv", module: "zxingcpp", brings: "zxing-cpp, about 1 MB to download" };

/// The Python of an environment that has what `requirements` pins, made if there is none yet.
///
/// # Errors
/// There is no Python 3, or the packages could not be downloaded; the text says which.
pub fn python(venv: &Venv, requirements: &Path) -> Result<PathBuf, String> {
    let import = format!("import {}", venv.module);
    let wanted = fs::read_to_string(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let home = install::cache()?.join(venv.name);
    let python = home.join("bin/python");
    let stamp = home.join("requirements.txt");
    // The stamp is written last, so a half-made environment is made again. So is one whose Python
    // has gone with a system upgrade.
    let complete = fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) && works(&python, &import);
    if complete {
        return Ok(python);
    }
    let base = system_python()?;
    eprintln!("xtask: making {} ({})", home.display(), venv.brings);
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    run(Command::new(&base).args(["-m", "venv"]).arg(&home))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
        .arg(requirements))?;
    if !works(&python, &import) {
        return Err(format!("{} cannot {import} after its installation", python.display()));
    }
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
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
