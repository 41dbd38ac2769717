//! Programs that come as crates: found on the PATH or from an earlier run, or installed by cargo into
//! the cache directory. Used by [`crate::models`] and [`crate::deny`].

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install;

/// A program that `cargo install` brings.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The crate, which its program is named for.
    pub name: &'static str,
    /// The first two numbers of its version.
    pub version: &'static str,
    /// More arguments of `cargo install`.
    pub arguments: &'static [&'static str],
    /// Its environment.
    pub environment: &'static [(&'static str, &'static str)],
    /// What it takes, shown before it is installed.
    pub takes: &'static str,
}

impl Tool {
    /// The program, of our version.
    ///
    /// # Errors
    /// There is none and it could not be installed; the text says what to run.
    pub fn ensure(&self) -> Result<PathBuf, String> {
        let home = install::cache()?;
        let ours = home.join("bin").join(self.name);
        if let Some(found) = install::find(self.name).into_iter().chain([ours.clone()]).find(|path| self.is(path)) {
            return Ok(found);
        }
        let Self { name, version, takes, .. } = self;
        eprintln!("xtask: cargo install {name} ~{version} into {}: {takes}, once", home.display());
        let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["install", name, "--locked", "--version", &format!("~{version}")])
            .args(self.arguments)
            .arg("--root")
            .arg(&home)
            .envs(self.environment.iter().copied())
            // Not in the checkout: its cargo settings are for our own code.
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| format!("cargo did not start: {error}"))?;
        if status.success() && self.is(&ours) {
            Ok(ours)
        } else {
            let arguments = self.arguments.join(" ");
            Err(format!("run: cargo install {name} --version '~{version}' --locked {arguments}"))
        }
    }

    fn is(&self, program: &Path) -> bool {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        output.is_ok_and(|output| self.names(&String::from_utf8_lossy(&output.stdout)))
    }

    fn names(&self, said: &str) -> bool {
        let version = said.trim().strip_prefix(self.name).map_or("", str::trim_start);
        version.starts_with(&format!("{}.", self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_version_or_name_is_not_taken() {
        let tool = Tool { name: "a-b", version: "1.3", arguments: &[], environment: &[], takes: "" };
        assert!(tool.names("a-b 1.3.9\n"));
        for other in ["a-b 1.4.0", "a-b 1.30", "b 1.3.9", "", "a-b"] {
            assert!(!tool.names(other), "{other}");
        }
    }
}
