//! What can go wrong with stored state: few variants, each with its cause and the next step.
//!
//! Messages are for people and are tested. SQLite's own errors become these by `From`; the
//! [`Database`](super::Database) adds the file's path on the way out.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

/// A failure of the state directory or the database. Nothing of the failed step was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database was written by a later version of pairpin. It was left untouched.
    #[error("{} was written by a newer pairpin (schema {found}, this one knows {known}), update pairpin", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest that this build knows.
        known: i64,
    },
    /// The database is damaged. It was left untouched.
    #[error(
        "{} is damaged ({detail}) and was left as it is, restore it from a backup or move it away and pair again",
        path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite, or the check, said.
        detail: String,
    },
    /// A database, but not this one: the state directory of something else.
    #[error("{} is not a pairpin {wanted} database, check --state-dir", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
        /// "machine" or "device".
        wanted: &'static str,
    },
    /// The file or its directory cannot be written.
    #[error(
        "{} cannot be written, check the owner and mode of its directory and that the disk is not mounted read-only",
        path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
    },
    /// No space is left.
    #[error("the disk that holds {} is full, free some space and try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk failed: not full, but broken, or gone.
    #[error("the disk that holds {} fails ({cause}), look for disk errors in the system's log (dmesg)", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What SQLite, or the system, said.
        cause: String,
    },
    /// The process, or the system, may open no more files.
    #[error("{} cannot be opened: too many files are open, raise the limit (ulimit -n) or close some", path.display())]
    TooManyFiles {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the database for longer than this one waits.
    #[error("{} is in use by another process, wait for it or stop it and try again", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The lock is held: another pairpin works on this state directory.
    #[error("{} is held by another pairpin{}, stop that one first", path.display(), holder_text(*holder))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, as it said.
        holder: Option<u32>,
    },
    /// Others than the owner may use the file or directory.
    #[error("{} is open to other users (mode {mode:04o}), run: chmod {fix:o} {}", path.display(), path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        fix: u32,
    },
    /// A symbolic link where none is followed.
    #[error("{} is a symbolic link, which is not followed here, put the real one in its place", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The file or directory belongs to somebody else.
    #[error("{} belongs to user {uid}, run pairpin as that user or choose another --state-dir", path.display())]
    NotOwner {
        /// The file or directory.
        path: PathBuf,
        /// The owner's user id.
        uid: u32,
    },
    /// Something else stands where a file or directory should.
    #[error("{} is not a {wanted}, move it away", path.display())]
    WrongType {
        /// The path.
        path: PathBuf,
        /// "directory" or "regular file".
        wanted: &'static str,
    },
    /// Any other failure of the system.
    #[error("cannot use {}: {cause}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// There is no such row.
    #[error("no such {0}, it may have been removed meanwhile")]
    NotFound(&'static str),
    /// Another live row has this name, in some case of letters.
    #[error("the name {0:?} is taken, choose another")]
    NameTaken(String),
    /// Nothing printable is in the name.
    #[error("the name has no printable character, choose another")]
    NameEmpty,
    /// The session key has a tombstone: it stays out for ever.
    #[error("this device key was revoked, pair the device again with a new key")]
    KeyRevoked,
    /// The session key, pin or token is in the store already.
    #[error("this {0} is stored already")]
    Exists(&'static str),
    /// As many devices as a machine holds.
    #[error("{0} devices are paired, the most a machine holds, revoke one first")]
    TooManyDevices(usize),
    /// The system has no random source.
    #[error(transparent)]
    Random(#[from] crate::error::RandomError),
    /// The database has been closed.
    #[error("the database is closed, start pairpin again")]
    Closed,
    /// A mistake in pairpin: a statement that SQLite does not take, or a panic.
    #[error("the store failed unexpectedly ({0}), report this")]
    Internal(String),
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

impl StoreError {
    /// Names the file, where the error does not name one yet.
    pub(crate) fn at(mut self, file: &Path) -> Self {
        match &mut self {
            Self::NewerSchema { path, .. }
            | Self::Corrupt { path, .. }
            | Self::Foreign { path, .. }
            | Self::ReadOnly { path }
            | Self::Full { path }
            | Self::Busy { path }
            | Self::Disk { path, .. }
            | Self::TooManyFiles { path }
            | Self::Io { path, .. }
                if path.as_os_str().is_empty() =>
            {
                *path = file.to_path_buf();
            }
            _ => {}
        }
        match self {
            // SQLite says the same of a disk that fails and of one that was mounted read-only meanwhile.
            Self::Disk { path, .. } if is_read_only(&path) => Self::ReadOnly { path },
            other => other,
        }
    }

    /// What a failed system call on `path` means.
    pub(crate) fn from_io(error: &io::Error, path: &Path) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            _ => match Errno::from_io_error(error) {
                Some(Errno::IO) => Self::Disk { path, cause: error.to_string() },
                Some(Errno::MFILE | Errno::NFILE) => Self::TooManyFiles { path },
                _ => Self::Io { path, cause: error.to_string() },
            },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sql;
        let path = PathBuf::new();
        match &error {
            Sql::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Corrupt { path, detail: error.to_string() }
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { path },
                ErrorCode::DiskFull => Self::Full { path },
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { path },
                // Making room for the index of the WAL is the one step whose full disk has another name.
                ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Self::Full { path },
                ErrorCode::SystemIoFailure => Self::Disk { path, cause: error.to_string() },
                ErrorCode::CannotOpen => {
                    let next = "look whether its directory is there and can be written, and at the limit of open files";
                    Self::Io { path, cause: format!("{error}, {next} (ulimit -n)") }
                }
                ErrorCode::FileLockingProtocolFailed => Self::Io { path, cause: error.to_string() },
                _ => Self::Internal(error.to_string()),
            },
            // The schema's CHECKs allow no such value: somebody else wrote it.
            Sql::FromSqlConversionFailure(..) | Sql::IntegralValueOutOfRange(..) | Sql::InvalidColumnType(..) => {
                Self::Corrupt { path, detail: error.to_string() }
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_names_the_file_the_cause_and_the_next_step() {
        let path = || PathBuf::from("/s/machine.db");
        for (error, text) in [
            (
                StoreError::NewerSchema { path: path(), found: 3, known: 1 },
                "/s/machine.db was written by a newer pairpin (schema 3, this one knows 1), update pairpin",
            ),
            (
                StoreError::Corrupt { path: path(), detail: "file is not a database".to_owned() },
                "/s/machine.db is damaged (file is not a database) and was left as it is, restore it from a backup or \
                 move it away and pair again",
            ),
            (
                StoreError::Foreign { path: path(), wanted: "machine" },
                "/s/machine.db is not a pairpin machine database, check --state-dir",
            ),
            (
                StoreError::ReadOnly { path: path() },
                "/s/machine.db cannot be written, check the owner and mode of its directory and that the disk is not \
                 mounted read-only",
            ),
            (
                StoreError::Full { path: path() },
                "the disk that holds /s/machine.db is full, free some space and try again",
            ),
            (
                StoreError::Disk { path: path(), cause: "disk I/O error".to_owned() },
                "the disk that holds /s/machine.db fails (disk I/O error), look for disk errors in the system's log \
                 (dmesg)",
            ),
            (
                StoreError::TooManyFiles { path: path() },
                "/s/machine.db cannot be opened: too many files are open, raise the limit (ulimit -n) or close some",
            ),
            (
                StoreError::Busy { path: path() },
                "/s/machine.db is in use by another process, wait for it or stop it and try again",
            ),
            (
                StoreError::Locked { path: path(), holder: Some(7) },
                "/s/machine.db is held by another pairpin (process 7), stop that one first",
            ),
            (
                StoreError::Exposed { path: path(), mode: 0o640, fix: 0o600 },
                "/s/machine.db is open to other users (mode 0640), run: chmod 600 /s/machine.db",
            ),
            (
                StoreError::Symlink { path: path() },
                "/s/machine.db is a symbolic link, which is not followed here, put the real one in its place",
            ),
            (
                StoreError::NotOwner { path: path(), uid: 1000 },
                "/s/machine.db belongs to user 1000, run pairpin as that user or choose another --state-dir",
            ),
            (
                StoreError::WrongType { path: path(), wanted: "regular file" },
                "/s/machine.db is not a regular file, move it away",
            ),
            (StoreError::NotFound("device"), "no such device, it may have been removed meanwhile"),
            (StoreError::NameTaken("phone".to_owned()), "the name \"phone\" is taken, choose another"),
            (StoreError::NameEmpty, "the name has no printable character, choose another"),
            (StoreError::KeyRevoked, "this device key was revoked, pair the device again with a new key"),
            (
                StoreError::TooManyDevices(10_000),
                "10000 devices are paired, the most a machine holds, revoke one first",
            ),
            (StoreError::Closed, "the database is closed, start pairpin again"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_path_is_added_once() {
        let full = StoreError::Full { path: PathBuf::new() }.at(Path::new("/first")).at(Path::new("/second"));
        assert_eq!(full, StoreError::Full { path: "/first".into() });
    }
}
