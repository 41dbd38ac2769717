//! A machine's key file and database of any bytes; see [`crate::fuzzing`].

use std::path::Path;

use super::book::{Book, Known};
use super::identity::{from_pem, to_pem};
use crate::identity::{KeyPair, PublicKey};
use crate::role::Role;
use crate::store::{Database, Kind, StoreError};

/// It is refused, or the key in it is written and read as the same.
pub fn key_file(bytes: &[u8]) {
    let Some(pkcs8) = from_pem(bytes) else { return };
    let written = to_pem(&pkcs8);
    assert!(from_pem(written.as_bytes()).is_some_and(|again| again == pkcs8), "a key file that is two keys");
    if let Ok(key) = KeyPair::from_pkcs8(pkcs8) {
        assert!(super::identity::pin_of(&key).is_ok(), "a key without a pin");
    }
}

/// The devices that a machine with this database lets in, and their roles.
///
/// # Errors
/// The database is refused.
pub fn admitted(path: &Path) -> Result<Vec<(PublicKey, Role)>, StoreError> {
    let book = Book::open(Database::open(path, Kind::Host)?)?;
    let known = book.rows().into_iter().filter_map(|row| book.find(row.id));
    let device = |known| match known {
        Known::Device(entry) => Some((entry.row.session_key, entry.row.role)),
        Known::Tombstone(_) => None,
    };
    Ok(known.filter_map(device).collect())
}
