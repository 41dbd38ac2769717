//! A directory for what one run makes and nobody needs after it. `deny` and `phones` use it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

/// The directory, gone when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// One of this process, for `what`.
    ///
    /// # Errors
    /// It cannot be made, and which.
    pub fn new(what: &str) -> Result<Self, String> {
        let path = env::temp_dir().join(format!("pairpin-{what}-{}", process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of that name into it, with the directories above it.
    ///
    /// # Errors
    /// The file system.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        let directory = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
