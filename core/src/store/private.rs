//! Single secret files in the state directory: the machine's identity key, a device's keys where no
//! keyring holds them. Read whole, written whole, 0600 or refused.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use rustix::fs::{AtFlags, Mode, OFlags, renameat, unlinkat};
use zeroize::Zeroizing;

use super::dir::{StateDir, check_name};
use super::error::StoreError;
use crate::secrets::SecretBytes;

/// The largest private file; a key has some hundred bytes.
const LARGEST: u64 = 64 * 1024;

impl StateDir {
    /// The content of the file `name`, or `None` where there is none.
    ///
    /// # Errors
    /// It is a symbolic link, no regular file, somebody else's, or open to other users: then it was not
    /// read, and the message says what to run.
    pub fn read_private(&self, name: &str) -> Result<Option<SecretBytes>, StoreError> {
        let Some(file) = self.open_at(name, OFlags::RDONLY, Mode::empty())? else { return Ok(None) };
        let io = |error: io::Error| StoreError::from_io(&error, &self.path(name));
        let length = file.metadata().map_err(io)?.len();
        if length > LARGEST {
            let cause = format!("it has {length} bytes, more than any file of pairpin's, move it away");
            return Err(StoreError::Io { path: self.path(name), cause });
        }
        // With room for all, so that no growth leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 1));
        file.take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
        Ok(Some(SecretBytes::new(std::mem::take(&mut *bytes))))
    }

    /// Replaces the file `name` in one step, mode 0600; on return it is on the disk. After a crash there
    /// is the old content or the new.
    ///
    /// # Errors
    /// The disk is full or cannot be written; the old content stands.
    pub fn write_private(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_name(name)?;
        let fresh = fresh_name(name);
        let io = |error: io::Error| StoreError::from_io(&error, &self.path(name));
        let mut file = self.lock_fresh(&fresh)?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(io)?;
        let written = file.set_len(0).and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
        let renamed = written.and_then(|()| Ok(renameat(self.handle(), &fresh, self.handle(), name)?));
        if let Err(error) = renamed {
            let _ = unlinkat(self.handle(), &fresh, AtFlags::empty());
            return Err(io(error));
        }
        self.handle().sync_all().map_err(io)
    }

    /// Whether there is the file `name`, or what a crash has left of a newer one.
    pub fn is_there(&self, name: &str) -> bool {
        [name, &fresh_name(name)].iter().any(|name| self.path(name).exists())
    }

    /// Removes the file `name`, and what a crash may have left of a newer one; no error if there is
    /// none. On return that is on the disk.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn delete_private(&self, name: &str) -> Result<(), StoreError> {
        check_name(name)?;
        for name in [name, &fresh_name(name)] {
            match unlinkat(self.handle(), name, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(StoreError::from_io(&error.into(), &self.path(name))),
            }
        }
        self.handle().sync_all().map_err(|error| StoreError::from_io(&error, &self.path(name)))
    }

    /// The temporary file, locked. One fixed name, so that a crash leaves one file at most and the next
    /// write reuses it; the lock makes writers take turns.
    fn lock_fresh(&self, fresh: &str) -> Result<File, StoreError> {
        loop {
            let file = self.open_private(fresh)?;
            let io = |error: io::Error| StoreError::from_io(&error, &self.path(fresh));
            file.lock().map_err(io)?;
            // The writer before may have renamed it while this one waited.
            let ours = file.metadata().map_err(io)?;
            match fs::symlink_metadata(self.path(fresh)) {
                Ok(found) if (found.dev(), found.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
    }
}

fn fresh_name(name: &str) -> String {
    format!(".{name}.new")
}
