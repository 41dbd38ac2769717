//! The machine's database file, damaged: bytes changed anywhere in it, or rows written with the checks
//! off. It is refused, or what it lets in is what it let in before.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pairpin_core::identity::{DeviceId, PublicKey};
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, RecognitionKey};
use pairpin_core::store::host::devices::{self, NewDevice, PairedHow};
use pairpin_core::store::host::{meta, tokens, tombstones};
use pairpin_core::store::{Database, Kind, StoreError};
use pairpin_core::token::TokenHash;
use rusqlite::Connection;

use crate::bytes::Bytes;
use crate::rows::{Line, key};

/// A database with devices 1 to 3, of which 3 was revoked.
struct Template {
    dir: PathBuf,
    bytes: Vec<u8>,
}

const REVOKED: u8 = 3;

/// The first byte says whether bytes are changed or rows written.
pub fn run(data: &[u8]) {
    let Template { dir, bytes } = template();
    let mut input = Bytes(data);
    let path = dir.join("machine.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(dir.join(format!("machine.db{suffix}")));
    }
    let mut file = bytes.clone();
    let by_hand = input.byte().is_multiple_of(2);
    if !by_hand {
        for _ in 0..32 {
            if input.is_empty() {
                break;
            }
            let at = usize::from(input.short()) % file.len();
            file[at] ^= input.byte();
        }
    }
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    options.and_then(|mut it| it.write_all(&file)).expect("a file in the scratch directory");
    if by_hand {
        write_rows(&path, &mut input);
    }
    if let Ok(admitted) = admitted(&path) {
        judge(&admitted, &path, by_hand);
    }
}

/// Writes rows as somebody does who knows SQL and has turned off what the schema guards.
fn write_rows(path: &Path, input: &mut Bytes<'_>) {
    let conn = Connection::open(path).expect("the template opens");
    conn.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
         DROP TRIGGER devices_stay_revoked; DROP TRIGGER tokens_never_return;",
    )
    .expect("the template has these triggers");
    for _ in 0..6 {
        if input.is_empty() {
            break;
        }
        Line::read(input).insert(&conn);
    }
}

fn judge(admitted: &[(PublicKey, Role)], path: &Path, by_hand: bool) {
    assert!(admitted.iter().all(|(admitted, _)| *admitted != key(REVOKED)), "a revoked key is in");
    if !by_hand {
        return;
    }
    // What was read says what stands there.
    let conn = Connection::open(path).expect("it opened before");
    for (key, role) in admitted {
        let sql = "SELECT count(*) FROM devices WHERE session_key = ?1 AND id = ?2 AND role = ?3";
        let id = DeviceId::of(key);
        let row = (key.as_bytes().as_slice(), id.as_bytes().as_slice(), role.as_str());
        let found: i64 = conn.query_row(sql, row, |row| row.get(0)).expect("our own query");
        assert_eq!(found, 1, "a device or a role that nobody wrote");
    }
}

/// The devices that a machine with this database would let in.
#[cfg(fuzzing)]
fn admitted(path: &Path) -> Result<Vec<(PublicKey, Role)>, StoreError> {
    pairpin_core::fuzzing::admitted(path)
}

/// Without the core's inside: rows without a tombstone of their key.
#[cfg(not(fuzzing))]
fn admitted(path: &Path) -> Result<Vec<(PublicKey, Role)>, StoreError> {
    let database = Database::open(path, Kind::Host)?;
    let (devices, tombstones) = database.read_blocking(|conn| Ok((devices::list(conn)?, tombstones::list(conn)?)))?;
    let revoked = |key: &PublicKey| tombstones.iter().any(|tombstone| tombstone.session_key == *key);
    Ok(devices.iter().filter(|it| !revoked(&it.session_key)).map(|it| (it.session_key, it.role)).collect())
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        // In memory where there is such a place: every input makes a file.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let dir = base.join(format!("pairpin-fuzz-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::DirBuilder::new().mode(0o700).create(&dir).expect("a scratch directory");
        let path = dir.join("template.db");
        let database = Database::open(&path, Kind::Host).expect("a new database");
        database.write_blocking(fill).expect("written");
        drop(database);
        let bytes = fs::read(&path).expect("the template");
        Template { dir, bytes }
    })
}

fn fill(conn: &Connection) -> Result<(), StoreError> {
    meta::machine_id(conn)?;
    for number in 1..=REVOKED {
        let new = NewDevice {
            session_key: key(number),
            name: format!("device {number}"),
            platform: "Linux".to_owned(),
            role: if number == 1 { Role::Owner } else { Role::Viewer },
            key_kind: KeyKind::File,
            recognition_key: RecognitionKey::from_bytes([number; 32]),
            paired_at: 1_000,
            paired_how: PairedHow::Scan,
            paired_from: "192.168.1.7".to_owned(),
            idle_seconds: 60,
            absolute_seconds: 600,
            let_in: None,
        };
        let row = devices::insert(conn, &new)?;
        tokens::set_current(conn, &row.id, &TokenHash::from_bytes([number; 32]), 1_000)?;
        if number == REVOKED {
            tombstones::bury(conn, &row.id, 2_000, "the machine's shell", None)?;
        }
    }
    Ok(())
}
