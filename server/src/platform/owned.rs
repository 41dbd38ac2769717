//! Whether a file is in the hands of those only whom it should be: it and every directory above it belong to
//! one of them, and nobody else may write there. Then nobody else can put another in its place either.
//!
//! Used by `machine::root_ask`, for the list of approvers and the sockets it talks to.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::user_name;

/// Somebody else could have written it, or could put another in its place.
#[derive(Debug, thiserror::Error)]
pub enum NotOwned {
    /// It cannot be looked at.
    #[error("{0}: {1}")]
    Unseen(PathBuf, #[source] io::Error),
    /// The path is not absolute, or has `..` in it.
    #[error("{0} is not a whole path")]
    Path(PathBuf),
    /// A link may point elsewhere tomorrow.
    #[error("{0} is a symbolic link, name what it points to")]
    Link(PathBuf),
    /// It belongs to somebody else.
    #[error("{0} belongs to {1}")]
    Owner(PathBuf, String),
    /// Others may write there.
    #[error("{0} can be written by others, take that away: chmod go-w {0}")]
    Writable(PathBuf),
}

/// Checks `path` and every directory above it: each belongs to one of `owners`, and no other user may write to
/// it. Whether others may write to the thing itself, as to a socket, is looked at only where `closed` says so.
///
/// # Errors
/// The first that is otherwise.
pub fn owned_by(path: &Path, owners: &[u32], closed: bool) -> Result<(), NotOwned> {
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) {
        return Err(NotOwned::Path(path.to_owned()));
    }
    // From the top: below a directory that others may write to nothing means anything.
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    for part in parts {
        let found = fs::symlink_metadata(part).map_err(|error| NotOwned::Unseen(part.to_owned(), error))?;
        if found.is_symlink() {
            return Err(NotOwned::Link(part.to_owned()));
        }
        if !owners.contains(&found.uid()) {
            let owner = user_name(found.uid()).unwrap_or_else(|| format!("#{}", found.uid()));
            return Err(NotOwned::Owner(part.to_owned(), owner));
        }
        // A sticky directory is no exception: whoever comes first takes a name that is free. A list of access
        // rights (acl(5)) that lets others write shows here as the group's right.
        let own = part == path && !closed;
        if found.mode() & 0o022 != 0 && !own {
            return Err(NotOwned::Writable(part.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::platform::effective_uid;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_could_write_or_replace_is_not_ours() {
        // Not below /tmp, where everybody makes what he likes.
        let root = if effective_uid() == 0 { PathBuf::from("/run") } else { return };
        let root = tempfile::tempdir_in(root).unwrap();
        let (dir, file) = (root.path().join("dir"), root.path().join("dir/list"));
        fs::create_dir(&dir).unwrap();
        fs::write(&file, "x").unwrap();
        mode(&dir, 0o755);
        mode(&file, 0o644);
        let check = |path: &Path| owned_by(path, &[0], true);
        check(&file).unwrap();
        for (part, bad, good) in
            [(&file, 0o664, 0o644), (&file, 0o646, 0o644), (&dir, 0o775, 0o755), (&dir, 0o1777, 0o755)]
        {
            mode(part, bad);
            assert!(matches!(check(&file), Err(NotOwned::Writable(found)) if found == *part), "{bad:o}");
            mode(part, good);
            check(&file).unwrap();
        }
        mode(&file, 0o666);
        owned_by(&file, &[0], false).unwrap();
        mode(&file, 0o644);
        let link = root.path().join("link");
        symlink(&dir, &link).unwrap();
        assert!(matches!(check(&link.join("list")), Err(NotOwned::Link(_))));
        assert!(matches!(owned_by(&file, &[1000], true), Err(NotOwned::Owner(..))));
        assert!(matches!(check(&dir.join("other")), Err(NotOwned::Unseen(..))));
        assert!(matches!(check(&dir.join("../dir/list")), Err(NotOwned::Path(_))));
        assert!(matches!(check(Path::new("list")), Err(NotOwned::Path(_))));
        for part in [&file, &dir] {
            std::os::unix::fs::chown(part, Some(65_534), None).unwrap();
            assert!(matches!(check(&file), Err(NotOwned::Owner(found, _)) if found == *part));
            std::os::unix::fs::chown(part, Some(0), None).unwrap();
        }
        check(&file).unwrap();
    }
}
