//! The state directory and its private files: ours alone, or refused with the command to run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::secrets::SecretBytes;
use crate::store::{StateDir, StoreError};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn state() -> (TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(&dir.path().join("state")).unwrap();
    (dir, state)
}

#[test]
fn a_new_directory_is_made_with_its_parents_and_is_ours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/state");
    assert!(StateDir::find(&path).unwrap().is_none());
    assert!(!dir.path().join("a").exists(), "looking makes nothing");
    let state = StateDir::open(&path).unwrap();
    assert_eq!(state.as_path(), path);
    assert_eq!(mode(&path), 0o700);
    assert_eq!(StateDir::find(&path).unwrap().unwrap().as_path(), path);
}

#[test]
fn a_directory_that_others_may_enter_is_refused_with_the_command_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    fs::create_dir(&path).unwrap();
    for wide in [0o755, 0o750, 0o701, 0o770] {
        chmod(&path, wide);
        let error = StateDir::open(&path).unwrap_err();
        assert_eq!(error, StoreError::Exposed { path: path.clone(), mode: wide, fix: 0o700 });
        assert_eq!(mode(&path), wide, "it is left as it is");
        assert_eq!(
            error.to_string(),
            format!("{0} is open to other users (mode {wide:04o}), run: chmod 700 {0}", path.display())
        );
    }
    // The control: after that command it opens.
    chmod(&path, 0o700);
    StateDir::open(&path).unwrap();
}

#[test]
fn a_link_in_the_directorys_place_is_refused() {
    let (dir, state) = state();
    let link = dir.path().join("link");
    symlink(state.as_path(), &link).unwrap();
    for path in [link.clone(), link.join("")] {
        assert_eq!(StateDir::open(&path).unwrap_err(), StoreError::Symlink { path: link.clone() });
        assert!(matches!(StateDir::find(&path), Err(StoreError::Symlink { .. })));
    }
    // The control: a link further up is the person's own business.
    let above = tempfile::tempdir().unwrap();
    symlink(dir.path(), above.path().join("up")).unwrap();
    StateDir::open(&above.path().join("up/state")).unwrap();
}

#[test]
fn a_file_in_the_directorys_place_or_above_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = StateDir::open(&file).unwrap_err();
    assert_eq!(error, StoreError::WrongType { path: file.clone(), wanted: "directory" });
    let error = StateDir::open(&file.join("state")).unwrap_err();
    assert!(matches!(&error, StoreError::Io { path, .. } if *path == file.join("state")), "{error:?}");
}

#[test]
fn a_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a directory away.
    }
    let (_dir, state) = state();
    std::os::unix::fs::chown(state.as_path(), Some(65534), None).unwrap();
    let error = StateDir::open(state.as_path()).unwrap_err();
    assert_eq!(error, StoreError::NotOwner { path: state.as_path().to_path_buf(), uid: 65534 });
}

#[test]
fn a_private_file_is_written_whole_and_read_back() {
    let (_dir, state) = state();
    assert_eq!(state.read_private("key").unwrap(), None);
    for content in [b"first".as_slice(), b"a longer second", b"3", b""] {
        state.write_private("key", content).unwrap();
        assert_eq!(state.read_private("key").unwrap(), Some(SecretBytes::new(content.to_vec())));
        assert_eq!(mode(&state.path("key")), 0o600);
    }
    let names: Vec<_> = fs::read_dir(state.as_path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["key"], "nothing else is left");
    state.delete_private("key").unwrap();
    assert_eq!(state.read_private("key").unwrap(), None);
    state.delete_private("key").unwrap();
}

#[test]
fn a_private_file_that_others_may_use_is_not_read() {
    let (_dir, state) = state();
    state.write_private("key", b"secret").unwrap();
    let path = state.path("key");
    for wide in [0o640, 0o604, 0o620, 0o601, 0o666] {
        chmod(&path, wide);
        let error = state.read_private("key").unwrap_err();
        assert_eq!(error, StoreError::Exposed { path: path.clone(), mode: wide, fix: 0o600 });
        assert!(error.to_string().ends_with(&format!("run: chmod 600 {}", path.display())));
    }
    // The controls: 0600 and less are read.
    for narrow in [0o600, 0o400] {
        chmod(&path, narrow);
        assert_eq!(state.read_private("key").unwrap(), Some(SecretBytes::new(b"secret".to_vec())));
    }
}

#[test]
fn a_link_pipe_or_directory_in_a_private_files_place_is_not_read() {
    let (dir, state) = state();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "secret").unwrap();
    chmod(&elsewhere, 0o600);
    symlink(&elsewhere, state.path("link")).unwrap();
    assert_eq!(state.read_private("link").unwrap_err(), StoreError::Symlink { path: state.path("link") });
    assert!(matches!(state.lock("link"), Err(StoreError::Symlink { .. })));

    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(state.path("pipe")).status().unwrap();
    assert!(made.success());
    assert!(matches!(state.read_private("pipe"), Err(StoreError::WrongType { .. })), "and it does not wait");
    fs::create_dir(state.path("directory")).unwrap();
    assert!(matches!(state.read_private("directory"), Err(StoreError::WrongType { .. })));

    // Writing replaces the link itself and leaves what it pointed to.
    state.write_private("link", b"new").unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"secret");
    assert_eq!(state.read_private("link").unwrap(), Some(SecretBytes::new(b"new".to_vec())));
}

#[test]
fn a_name_cannot_leave_the_directory() {
    let (_dir, state) = state();
    for name in ["", ".", "..", "../key", "a/b", "/etc/passwd"] {
        assert!(state.read_private(name).is_err(), "{name}");
        assert!(state.write_private(name, b"x").is_err(), "{name}");
        assert!(state.delete_private(name).is_err(), "{name}");
        assert!(state.lock(name).is_err(), "{name}");
    }
    assert_eq!(fs::read_dir(state.as_path()).unwrap().count(), 0);
    assert!(state.as_path().exists());
}

#[test]
fn a_huge_private_file_is_refused() {
    let (_dir, state) = state();
    state.write_private("key", &vec![7; 64 * 1024]).unwrap();
    assert!(state.read_private("key").is_ok());
    state.write_private("key", &vec![7; 64 * 1024 + 1]).unwrap();
    assert!(state.read_private("key").unwrap_err().to_string().contains("65537 bytes"));
}

#[test]
fn writers_take_turns_and_a_leftover_of_a_crash_is_reused() {
    let (_dir, state) = state();
    fs::write(state.path(".key.new"), "half of a secre").unwrap();
    chmod(&state.path(".key.new"), 0o600);
    std::thread::scope(|scope| {
        for number in 0..8_u8 {
            let state = &state;
            scope.spawn(move || {
                for _ in 0..10 {
                    state.write_private("key", &[number; 3000]).unwrap();
                    let read = state.read_private("key").unwrap().unwrap();
                    assert_eq!(read.expose().len(), 3000);
                    assert!(read.expose().windows(2).all(|pair| pair[0] == pair[1]), "a mixture of two writes");
                }
            });
        }
    });
    let names: Vec<_> = fs::read_dir(state.as_path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["key"]);
}

#[test]
fn deleting_takes_the_leftover_of_a_crash_too() {
    let (_dir, state) = state();
    state.write_private("key", b"old").unwrap();
    fs::write(state.path(".key.new"), "new").unwrap();
    state.delete_private("key").unwrap();
    assert_eq!(fs::read_dir(state.as_path()).unwrap().count(), 0);
}

#[test]
fn a_lock_has_one_holder_who_is_named_and_ends_with_it() {
    let (_dir, state) = state();
    let held = state.lock("serve.lock").unwrap();
    let error = state.lock("serve.lock").unwrap_err();
    let path = state.path("serve.lock");
    assert_eq!(error, StoreError::Locked { path: path.clone(), holder: Some(std::process::id()) });
    assert_eq!(
        error.to_string(),
        format!("{} is held by another pairpin (process {}), stop that one first", path.display(), std::process::id())
    );
    state.lock("other.lock").unwrap();
    drop(held);
    state.lock("serve.lock").unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_waiting_lock_waits() {
    let (_dir, state) = state();
    let held = state.wait_lock("record.lock").unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let other = state.clone();
    let thread = std::thread::spawn(move || {
        let _lock = other.wait_lock("record.lock").unwrap();
        done.send(()).unwrap();
    });
    assert!(is_done.try_recv().is_err());
    assert!(matches!(state.lock("record.lock"), Err(StoreError::Locked { holder: None, .. })));
    drop(held);
    is_done.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    thread.join().unwrap();
}
