//! A secret file outside the state directory, at a place that the person named: a key kept on a stick or in
//! another safe. 0600 and ours, or refused; nothing that is there is ever overwritten but by
//! [`replace`], which the caller has to have asked about. Used by `host::identity`.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use zeroize::Zeroizing;

use super::dir::check_private_file;
use super::error::StoreError;
use crate::secrets::SecretBytes;

/// The largest such file; a key has some hundred bytes.
const LARGEST: u64 = 64 * 1024;

/// Where the next content of a file stands until it takes its place: beside it.
pub(crate) fn fresh_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.pairpin-new"))
}

/// The content; `None` where there is no such file.
///
/// # Errors
/// A symbolic link, no regular file, somebody else's, open to other users, or too long to be a key.
pub(crate) fn read(path: &Path) -> Result<Option<SecretBytes>, StoreError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::MLINK) => {
            return Err(StoreError::Symlink { path: path.to_owned() });
        }
        Err(error) => return Err(StoreError::from_io(&error.into(), path)),
    };
    let io = |error: io::Error| StoreError::from_io(&error, path);
    let found = file.metadata().map_err(io)?;
    check_private_file(path, &found)?;
    if found.len() > LARGEST {
        let cause = format!("it has {} bytes, more than any key", found.len());
        return Err(StoreError::Io { path: path.to_owned(), cause });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(found.len() as usize + 1));
    file.take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(SecretBytes::new(std::mem::take(&mut *bytes))))
}

/// Makes a file, 0600, on the disk on return; one that is there is an error.
///
/// # Errors
/// There is one, or the disk cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let io = |error: io::Error| StoreError::from_io(&error, path);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| io(error.into()))?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_parent(path));
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.map_err(io)
}

/// Puts one file in the place of another, in one step.
///
/// # Errors
/// The disk cannot be written; both stand as they were.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).and_then(|()| sync_parent(to)).map_err(|error| StoreError::from_io(&error, to))
}

/// Removes a file; no error if there is none.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_parent(path)).map_err(|error| StoreError::from_io(&error, path)),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_made_once_for_its_owner_and_what_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("next.pem");
        assert!(read(&path).unwrap().is_none());
        write_new(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().unwrap().expose(), b"secret");
        assert!(write_new(&path, b"other").is_err());
        assert_eq!(read(&path).unwrap().unwrap().expose(), b"secret");
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(StoreError::Symlink { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(StoreError::Exposed { .. })));
        assert!(matches!(read(dir.path()), Err(StoreError::WrongType { .. })));
    }

    #[test]
    fn the_next_content_takes_the_place_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("next.pem");
        let fresh = fresh_beside(&path);
        write_new(&path, b"old").unwrap();
        write_new(&fresh, b"new").unwrap();
        replace(&fresh, &path).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().expose(), b"new");
        assert!(read(&fresh).unwrap().is_none());
        remove(&fresh).unwrap();
    }
}
