//! Modes under any umask, and places that cannot be written.
//!
//! A umask and a user id belong to the whole process, so these tests run themselves again in a child
//! that has others.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::new_device;
use crate::store::host::devices;
use crate::store::{Database, Kind, StateDir, StoreError};

const PLACE: &str = "PAIRPIN_TEST_PLACE";
const NOBODY: u32 = 65534;

/// The place a parent test gave, in the child; `None` in an ordinary run, where a child test does
/// nothing.
fn place_from_parent() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

/// Runs the child test `name` with `umask`, as `uid` where one is given.
fn run_child(name: &str, place: &Path, umask: &str, uid: Option<u32>) {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask \"$1\" && shift && exec \"$@\"", "sh", umask])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &format!("store::tests::modes::{name}"), "--nocapture"])
        .env(PLACE, place)
        .current_dir("/");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "the child test was not found: {text}");
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn everything_is_private_whatever_the_umask() {
    for umask in ["0000", "0022", "0077", "0277"] {
        let dir = tempfile::tempdir().unwrap();
        run_child("child_makes_everything", dir.path(), umask, None);
    }
}

#[test]
fn child_makes_everything() {
    let Some(place) = place_from_parent() else { return };
    let state = StateDir::open(&place.join("state")).unwrap();
    assert_eq!(mode(state.as_path()), 0o700);
    let path = state.path("machine.db");
    let database = Database::open(&path, Kind::Host).unwrap();
    database.write_blocking(|conn| devices::insert(conn, &new_device(1, "phone"))).unwrap();
    state.write_private("machine.key", b"secret").unwrap();
    let _lock = state.lock("serve.lock").unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(state.as_path()).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        let found = mode(&path);
        // A lock file holds nothing; a narrow umask may take the owner's bits of it.
        assert!(found == 0o600 || (found & 0o077 == 0 && path.ends_with("serve.lock")), "{path:?}: {found:o}");
    }
    names.sort();
    assert_eq!(names, ["machine.db", "machine.db-shm", "machine.db-wal", "machine.key", "serve.lock"]);
}

#[test]
fn a_database_that_others_may_use_is_refused_with_the_command_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.db");
    drop(Database::open(&path, Kind::Host).unwrap());
    for wide in [0o644, 0o640, 0o606] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
        let error = Database::open(&path, Kind::Host).unwrap_err();
        assert_eq!(error, StoreError::Exposed { path: path.clone(), mode: wide, fix: 0o600 });
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Database::open(&path, Kind::Host).unwrap();
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(Database::open(&link, Kind::Host).unwrap_err(), StoreError::Symlink { path: link });
}

/// Root may write anywhere, so as root the child gives its rights up.
fn somebody_else() -> Option<u32> {
    rustix::process::geteuid().is_root().then_some(NOBODY)
}

fn give(path: &Path) {
    if let Some(uid) = somebody_else() {
        std::os::unix::fs::chown(path, Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let path = place.join("machine.db");
    drop(Database::open(&path, Kind::Host).unwrap());
    give(&path);
    give(&place);
    // The control: with its rights, the same child test's open succeeds.
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
    run_child("child_opens", &place, "0022", somebody_else());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    run_child("child_cannot_write", &place, "0022", somebody_else());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o500)).unwrap();
    run_child("child_cannot_write", &place, "0022", somebody_else());
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn child_opens() {
    let Some(place) = place_from_parent() else { return };
    Database::open(&place.join("machine.db"), Kind::Host).unwrap();
}

#[test]
fn child_cannot_write() {
    let Some(place) = place_from_parent() else { return };
    let path = place.join("machine.db");
    let error = Database::open(&path, Kind::Host).unwrap_err();
    assert_eq!(error, StoreError::ReadOnly { path });
    if mode(&place) == 0o500 {
        let error = Database::open(&place.join("new.db"), Kind::Host).unwrap_err();
        assert_eq!(error, StoreError::ReadOnly { path: place.join("new.db") });
        let error = StateDir::open(&place.join("new")).unwrap_err();
        assert_eq!(error, StoreError::ReadOnly { path: place.join("new") });
        let state = StateDir::open(&place);
        assert!(state.is_ok(), "{state:?}");
        let error = state.unwrap().write_private("key", b"x").unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
}
