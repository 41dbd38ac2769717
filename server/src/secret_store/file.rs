//! Secrets as 0600 files in a 0700 directory, by the rules of the core's state directory: replaced
//! in one step, on the disk on return, refused where others may read them.

use std::path::Path;

use pairpin_core::secrets::{KeyKind, SecretBytes, SecretStore, SecretStoreError};
use pairpin_core::store::{StateDir, StoreError};

/// One file for each secret.
pub struct FileStore {
    dir: StateDir,
}

impl FileStore {
    /// Opens the directory, and makes it where there is none.
    ///
    /// # Errors
    /// It is open to other users, a link, or somebody else's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { dir: StateDir::open(path)? })
    }
}

/// Names come from the engine (letters, digits, hyphens); nothing else becomes a path.
fn checked(name: &str) -> Result<&str, SecretStoreError> {
    let fit = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fit { Ok(name) } else { Err(SecretStoreError("the name of a secret cannot be a file's, report this".into())) }
}

fn said(error: StoreError) -> SecretStoreError {
    SecretStoreError(error.to_string())
}

impl SecretStore for FileStore {
    fn kind(&self) -> KeyKind {
        KeyKind::File
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        self.dir.read_private(checked(name)?).map_err(said)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        self.dir.write_private(checked(name)?, secret.expose()).map_err(said)
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.dir.delete_private(checked(name)?).map_err(said)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_kept_in_a_file_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let store = FileStore::open(&path).unwrap();
        assert_eq!(store.get("session-a").unwrap(), None);
        store.put("session-a", &SecretBytes::new(vec![1, 2])).unwrap();
        store.put("session-a", &SecretBytes::new(vec![3])).unwrap();
        assert_eq!(store.get("session-a").unwrap().unwrap().expose(), [3]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("session-a"))), (0o700, 0o600));
        store.delete("session-a").unwrap();
        store.delete("session-a").unwrap();
        assert_eq!(store.get("session-a").unwrap(), None);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let store = FileStore::open(&path).unwrap();
        store.put("session-a", &SecretBytes::new(vec![1])).unwrap();
        std::fs::set_permissions(path.join("session-a"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(store.get("session-a").unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_name_never_leaves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(&dir.path().join("secrets")).unwrap();
        for name in ["", "../x", "a/b", "a.b", "\0"] {
            assert!(store.put(name, &SecretBytes::new(vec![1])).is_err(), "{name:?}");
        }
    }
}
