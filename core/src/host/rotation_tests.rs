//! A crash between any two steps of a change of keys, of every kind: the next start is before it or after it, has
//! a key that the devices accept, and the change after that works.

use std::path::Path;

use rusqlite::Connection;

use super::identity::{self, STEPS, load_or_make, pin_of, read_outside};
use super::rotation::{KeyChange, KeyChangeKind, Plan, prepare};
use crate::handshake::KnownKeys;
use crate::identity::MachineId;
use crate::store::host::keys::{self, KeyState};
use crate::store::{Kind, StateDir, fresh};

const MACHINE: MachineId = MachineId::from_bytes([1; 16]);

struct Scene {
    temp: tempfile::TempDir,
    dir: StateDir,
    db: Connection,
}

impl Scene {
    /// A machine that was served, its next key here or in the file.
    fn new(kept: bool) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("state")).unwrap();
        let db = Connection::open_in_memory().unwrap();
        fresh(Kind::Host, &db);
        keys::put(&db, &load_or_make(&dir, false, None, false, 0).unwrap().state).unwrap();
        let scene = Self { temp, dir, db };
        if kept {
            scene.commit(&scene.prepare(KeyChangeKind::MoveNext, true), STEPS.len());
        }
        scene
    }

    fn state(&self) -> KeyState {
        keys::get(&self.db).unwrap().unwrap()
    }

    fn change(&self, kind: KeyChangeKind, file: bool) -> KeyChange {
        KeyChange { kind, next_key: file.then(|| self.temp.path().join("next.pem")) }
    }

    fn prepare(&self, kind: KeyChangeKind, file: bool) -> Plan {
        prepare(&self.dir, MACHINE, &self.state(), &self.change(kind, file), 5).unwrap()
    }

    /// The decision, and so many steps after it.
    fn commit(&self, plan: &Plan, steps: usize) {
        assert!(plan.commit(&self.db, 5).unwrap());
        STEPS.iter().take(steps).try_for_each(|step| step(&self.dir, &plan.after)).unwrap();
    }

    /// A start: the keys are those of the record, and nothing else is left.
    fn start(&self, said: &str) {
        let state = self.state();
        let keys =
            load_or_make(&self.dir, true, Some(&state), false, 9).unwrap_or_else(|error| panic!("{said}: {error}"));
        assert!(!keys.is_new && !keys.is_next_new && keys.state == state, "{said}: {keys:?} for {state:?}");
        assert_eq!(pin_of(&keys.identity).unwrap(), state.pin, "{said}");
        let next = match &state.next_kept {
            Some(path) => read_outside(Path::new(path)).unwrap(),
            None => identity::read_next(&self.dir).unwrap(),
        };
        assert_eq!(pin_of(&next.expect(said)).unwrap(), state.next_pin, "{said}");
        let left = std::fs::read_dir(self.dir.as_path()).unwrap().flatten();
        assert!(!left.map(|it| it.file_name()).any(|name| name.to_string_lossy().contains("coming")), "{said}");
    }
}

/// A crash in the middle of a write leaves a file that has no name yet: it holds a key, and goes too.
#[test]
fn what_a_crash_leaves_of_a_file_that_was_being_written_goes_at_the_next_start() {
    let scene = Scene::new(false);
    for file in [identity::COMING_IDENTITY_FILE, identity::COMING_NEXT_FILE] {
        std::fs::write(scene.dir.as_path().join(format!(".{file}.new")), b"half a key").unwrap();
        assert!(scene.dir.is_there(file) && !scene.dir.path(file).exists());
        scene.start("killed while a file was written");
    }
}

/// Every kind of change: of which kind, with a file, on a machine whose next key was there before.
const CHANGES: [(KeyChangeKind, bool, bool); 7] = [
    (KeyChangeKind::Planned, false, false),
    (KeyChangeKind::Planned, true, false),
    (KeyChangeKind::Planned, true, true),
    (KeyChangeKind::Compromised, false, false),
    (KeyChangeKind::Compromised, true, true),
    (KeyChangeKind::Compromised, false, true),
    (KeyChangeKind::MoveNext, true, false),
];

#[test]
fn a_crash_between_any_two_steps_leaves_a_machine_that_is_before_or_after() {
    for (kind, file, kept) in CHANGES {
        for steps in 0..=STEPS.len() {
            let said = format!("{kind:?}, file {file}, kept {kept}, {steps} steps");
            let scene = Scene::new(kept);
            let before = scene.state();
            let plan = scene.prepare(kind, file);
            // Before the decision: nothing has changed, whatever lies around.
            assert_eq!(scene.state(), before);
            scene.start(&said);
            let plan = if steps == 0 { plan } else { scene.prepare(kind, file) };
            if steps == 0 {
                // The keys that were prepared are gone: such a plan is not decided on any more.
                drop(plan);
            } else {
                scene.commit(&plan, steps - 1);
                assert_eq!(scene.state(), plan.after, "{said}");
            }
            scene.start(&said);
            scene.start(&said);
            // And the planned change after that is one that a device of now follows.
            let now = scene.state();
            let next = scene.prepare(KeyChangeKind::Planned, now.next_kept.is_some());
            scene.commit(&next, STEPS.len());
            scene.start(&said);
            let known = KnownKeys { machine: MACHINE, pin: now.pin, next_pin: Some(now.next_pin), epoch: now.epoch };
            let rotate = scene.state().rotated.expect("it was planned");
            assert_eq!(known.after(&rotate).expect(&said).pin, scene.state().pin, "{said}");
        }
    }
}

#[test]
fn a_crash_while_the_new_keys_are_written_leaves_what_was() {
    for (kind, file, kept) in CHANGES {
        let scene = Scene::new(kept);
        let before = scene.state();
        let names = [identity::COMING_IDENTITY_FILE, identity::COMING_NEXT_FILE];
        for name in names {
            let said = format!("{kind:?}, file {file}, kept {kept}, without {name}");
            scene.prepare(kind, file);
            scene.dir.delete_private(name).unwrap();
            scene.start(&said);
            assert_eq!(scene.state(), before);
        }
        // Half of a file elsewhere.
        if file {
            let fresh = crate::store::outside::fresh_beside(&scene.temp.path().join("next.pem"));
            let _ = std::fs::remove_file(&fresh);
            crate::store::outside::write_new(&fresh, b"-----BEGIN PRI").unwrap();
        }
        let plan = scene.prepare(kind, file);
        scene.commit(&plan, 0);
        scene.start("after it");
    }
}

/// The control: files that follow before the decision lock every device out, and the same check says so.
#[test]
fn the_check_finds_files_that_were_moved_before_the_decision() {
    let scene = Scene::new(false);
    let plan = scene.prepare(KeyChangeKind::Planned, false);
    let state = scene.state();
    STEPS.iter().try_for_each(|step| step(&scene.dir, &plan.after)).unwrap();
    let keys = load_or_make(&scene.dir, true, Some(&state), false, 9).unwrap();
    // A start takes that for a database from before the change, which it cannot be told from.
    assert!(keys.is_ahead && keys.state.rotated.is_none(), "no device that sleeps could follow");
}
