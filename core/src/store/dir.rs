//! The state directory: 0700, ours, and no symbolic link; its locks.
//!
//! Reading and writing single secret files in it is in `private`; the database beside them in `open`.
//! Every file operation goes through the directory's descriptor, so that what was checked is what is
//! used.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use super::error::StoreError;

/// An open state directory; clones share it.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
    handle: Arc<File>,
}

/// A held lock; dropping it, or the end of the process, releases it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl StateDir {
    /// Opens the directory, and makes it (0700, whatever the umask; missing parents too) where there is
    /// none.
    ///
    /// # Errors
    /// It is a symbolic link, belongs to another user, or others may enter it: nothing is changed then,
    /// the message says what to run.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = normal(path)?;
        let io = |error: io::Error| StoreError::from_io(&error, &path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
        }
        let made = match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(io(error)),
        };
        if made {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        Self::open_existing(path)
    }

    /// Opens the directory if there is one; makes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn find(path: &Path) -> Result<Option<Self>, StoreError> {
        let path = normal(path)?;
        match fs::symlink_metadata(&path) {
            Ok(_) => Self::open_existing(path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::from_io(&error, &path)),
        }
    }

    fn open_existing(path: PathBuf) -> Result<Self, StoreError> {
        let io = |error: io::Error| StoreError::from_io(&error, &path);
        let found = fs::symlink_metadata(&path).map_err(io)?;
        check_owned(&path, &found, "directory")?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = File::from(rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| io(error.into()))?);
        // What is open may be another one than what was just looked at.
        check_owned(&path, &handle.metadata().map_err(io)?, "directory")?;
        Ok(Self { path, handle: Arc::new(handle) })
    }

    /// The directory, as an absolute path.
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the lock `name`, a file in the directory, or says at once who holds it.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the process, or the file cannot be opened.
    pub fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.path(name);
        let mut file = self.open_private(name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                return Err(StoreError::Locked { path, holder: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::from_io(&error, &path)),
        }
        // For the message above, and for nothing else: the lock itself is the kernel's.
        let note = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        let _ = note(&mut file);
        Ok(Lock { _file: file })
    }

    /// Takes the lock `name` and waits for it: for short steps that processes take in turn. Blocks.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn wait_lock(&self, name: &str) -> Result<Lock, StoreError> {
        let file = self.open_private(name)?;
        file.lock().map_err(|error| StoreError::from_io(&error, &self.path(name)))?;
        Ok(Lock { _file: file })
    }

    /// Renames a file of the directory, durably. Says whether there was one.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn rename(&self, from: &str, to: &str) -> Result<bool, StoreError> {
        let io = |error: io::Error| StoreError::from_io(&error, &self.path(from));
        match fs::rename(self.path(from), self.path(to)) {
            Ok(()) => self.handle.sync_all().map(|()| true).map_err(io),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io(error)),
        }
    }

    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// Opens (or makes, 0600) a file in the directory for reading and writing, following no link.
    pub(super) fn open_private(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let mode = Mode::RUSR | Mode::WUSR;
        self.open_at(name, flags, mode)?
            .ok_or_else(|| StoreError::Io { path: self.path(name), cause: "it vanished".to_owned() })
    }

    /// Opens a file of the directory and checks it; `None` where there is none.
    pub(super) fn open_at(&self, name: &str, flags: OFlags, mode: Mode) -> Result<Option<File>, StoreError> {
        let path = self.path(name);
        check_name(name)?;
        // NONBLOCK: a pipe in the file's place is refused below and not waited for.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(&*self.handle, name, flags, mode) {
            Ok(descriptor) => File::from(descriptor),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::MLINK) => return Err(StoreError::Symlink { path }),
            Err(rustix::io::Errno::ISDIR) => return Err(StoreError::WrongType { path, wanted: "regular file" }),
            Err(error) => return Err(StoreError::from_io(&error.into(), &path)),
        };
        let found = file.metadata().map_err(|error| StoreError::from_io(&error, &path))?;
        check_private_file(&path, &found)?;
        Ok(Some(file))
    }
}

/// A name that stays in the directory.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err(StoreError::Internal(format!("{name:?} is no file name")));
    }
    Ok(())
}

/// The absolute path. Collecting the components drops a trailing slash, which would follow a link.
fn normal(path: &Path) -> Result<PathBuf, StoreError> {
    Ok(std::path::absolute(path).map_err(|error| StoreError::from_io(&error, path))?.components().collect())
}

/// Refuses what is not a regular file of ours that nobody else may use.
pub(super) fn check_private_file(path: &Path, found: &fs::Metadata) -> Result<(), StoreError> {
    check_owned(path, found, "regular file")
}

fn check_owned(path: &Path, found: &fs::Metadata, wanted: &'static str) -> Result<(), StoreError> {
    let path = path.to_path_buf();
    if found.is_symlink() {
        return Err(StoreError::Symlink { path });
    }
    let (right, fix) = if wanted == "directory" { (found.is_dir(), 0o700) } else { (found.is_file(), 0o600) };
    if !right {
        return Err(StoreError::WrongType { path, wanted });
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(StoreError::NotOwner { path, uid: found.uid() });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path, mode, fix });
    }
    Ok(())
}
