//! Rows with arbitrary values in every column, in tables without any constraint: each is an error or a
//! row that says what stands there, and the rules that are asked about it have an answer.
//!
//! The schema would refuse most of these rows; this is about what reads them. `database` is about both.

use std::cell::RefCell;

use pairpin_core::host::sessions::{self, Verdict};
use pairpin_core::identity::{DeviceId, PublicKey};
use pairpin_core::role::Role;
use pairpin_core::store::device::machines;
use pairpin_core::store::host::{audit, devices, meta, tokens, tombstones};
use pairpin_core::token::TokenHash;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::bytes::Bytes;

/// Tables and their columns, as in `core/src/store/schema`.
pub const TABLES: &[(&str, &[&str])] = &[
    (
        "devices",
        &[
            "id",
            "session_key",
            "name",
            "name_key",
            "platform",
            "role",
            "key_kind",
            "recognition_key",
            "paired_at",
            "paired_how",
            "paired_from",
            "last_seen",
            "last_address",
            "idle_seconds",
            "absolute_seconds",
            "session_started_at",
            "suspended_at",
            "suspended_why",
        ],
    ),
    ("tokens", &["seq", "hash", "device", "state", "created_at", "changed_at"]),
    (
        "tombstones",
        &[
            "device",
            "session_key",
            "name",
            "platform",
            "role",
            "recognition_key",
            "paired_at",
            "revoked_at",
            "revoked_by",
            "reason",
            "counter",
        ],
    ),
    ("meta", &["key", "value"]),
    ("audit", &["seq", "at", "kind", "device", "text"]),
    (
        "machines",
        &[
            "row",
            "label",
            "machine_id",
            "name",
            "name_key",
            "machine_name",
            "platform",
            "pin",
            "next_pin",
            "epoch",
            "device_id",
            "device_name",
            "role",
            "state",
            "offer_id",
            "addresses",
            "last_address",
            "paired_at",
            "last_online",
            "offline_since",
            "offline_reason",
            "revoked_by",
            "revoked_at",
            "revoked_reason",
            "erased",
            "secret_store",
            "counter",
            "idle_seconds",
            "expires_at",
            "key_changed_at",
            "key_changed_seen",
        ],
    ),
];

/// A value as SQLite may hold it; its text need not be text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// What calls itself text.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A row to be written.
#[derive(Debug)]
pub struct Line {
    /// Its table.
    pub table: &'static str,
    /// The table's columns.
    pub columns: &'static [&'static str],
    /// What stands in them.
    pub cells: Vec<Cell>,
}

impl Line {
    /// Takes a row off the input: a table, a number from which everything else follows, and the cells that
    /// are something else.
    pub fn read(bytes: &mut Bytes<'_>) -> Self {
        let (table, columns) = TABLES[usize::from(bytes.byte()) % TABLES.len()];
        let number = bytes.byte();
        let mut cells: Vec<Cell> = columns.iter().map(|column| plausible(table, column, number)).collect();
        for _ in 0..bytes.byte() % 8 {
            let at = usize::from(bytes.byte()) % columns.len();
            cells[at] = cell(bytes);
        }
        Self { table, columns, cells }
    }

    /// Writes it; whether the database took it.
    pub fn insert(&self, conn: &Connection) -> bool {
        let marks: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        let sql = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({})",
            self.table,
            self.columns.join(", "),
            marks.join(", ")
        );
        conn.prepare_cached(&sql).is_ok_and(|mut it| it.execute(params_from_iter(&self.cells)).is_ok())
    }
}

/// The key of a device by number: devices of the same number are the same.
pub fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number % 8; 65])
}

fn plausible(table: &str, column: &str, number: u8) -> Cell {
    let text = |text: &str| Cell::Text(text.as_bytes().to_vec());
    let id = || Cell::Blob(DeviceId::of(&key(number)).as_bytes().to_vec());
    match (table, column) {
        ("devices", "id") | (_, "device" | "device_id") => id(),
        (_, "session_key") => Cell::Blob(key(number).as_bytes().to_vec()),
        (_, "recognition_key" | "hash" | "pin") => Cell::Blob(vec![number; 32]),
        (_, "machine_id") => Cell::Blob(vec![number; 16]),
        (_, "role") => text(["owner", "operator", "viewer"][usize::from(number % 3)]),
        ("tokens", "state") => text(["current", "pending", "superseded", "voided"][usize::from(number % 4)]),
        ("machines", "state") => text(["unfinished", "granted", "active"][usize::from(number % 3)]),
        (_, "key_kind" | "secret_store") => text("file"),
        (_, "paired_how") => text("scan"),
        (_, "addresses") => text("[\"192.168.1.2:7747\"]"),
        ("meta", "key") => text(["counter", "latest_welcome", "machine_id", "mac_key"][usize::from(number % 4)]),
        ("devices" | "machines", "last_seen" | "last_address" | "suspended_at" | "suspended_why" | "next_pin")
        | ("machines", "offer_id" | "revoked_by" | "revoked_at" | "revoked_reason" | "key_changed_at")
        | ("machines", "key_changed_seen" | "offline_since" | "offline_reason" | "paired_at" | "last_online")
        | ("tombstones", "reason")
        | (_, "seq" | "row") => Cell::Null,
        (_, "name" | "name_key" | "platform" | "paired_from" | "revoked_by" | "kind" | "text" | "label")
        | (_, "machine_name" | "device_name") => Cell::Text(format!("{column} {number}").into_bytes()),
        (_, "erased" | "epoch") => Cell::Integer(0),
        _ => Cell::Integer(i64::from(number)),
    }
}

fn cell(bytes: &mut Bytes<'_>) -> Cell {
    const WORDS: &[&str] = &[
        "owner",
        "operator",
        "viewer",
        "Owner",
        "owner ",
        "current",
        "pending",
        "superseded",
        "voided",
        "unfinished",
        "granted",
        "active",
        "revoked",
        "hardware",
        "keyring",
        "file",
        "scan",
        "code",
        "counter",
        "latest_welcome",
        "[]",
        "[1]",
        "",
    ];
    match bytes.byte() % 8 {
        0 => Cell::Null,
        1 => Cell::Integer(bytes.long()),
        2 => Cell::Integer(i64::from(bytes.byte())),
        3 => Cell::Real(f64::from_bits(bytes.long() as u64)),
        4 => Cell::Text(words(bytes)),
        5 => Cell::Blob(words(bytes)),
        6 => Cell::Text(WORDS[usize::from(bytes.byte()) % WORDS.len()].as_bytes().to_vec()),
        _ => {
            let length = [8, 16, 32, 65][usize::from(bytes.byte() % 4)];
            Cell::Blob(vec![bytes.byte(); length])
        }
    }
}

fn words(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let length = usize::from(bytes.byte() % 80);
    bytes.slice(length).to_vec()
}

/// The whole input is rows.
pub fn run(data: &[u8]) {
    thread_local! {
        static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    CONNECTION.with_borrow_mut(|slot| {
        let conn = slot.get_or_insert_with(open);
        conn.execute_batch("BEGIN").expect("a transaction in memory");
        let mut bytes = Bytes(data);
        for _ in 0..8 {
            if bytes.is_empty() {
                break;
            }
            Line::read(&mut bytes).insert(conn);
        }
        judge(conn, bytes.long());
        conn.execute_batch("ROLLBACK").expect("the end of a transaction");
    });
}

fn open() -> Connection {
    let conn = Connection::open_in_memory().expect("memory");
    for (table, columns) in TABLES {
        conn.execute_batch(&format!("CREATE TABLE {table} ({})", columns.join(", "))).expect("a table");
    }
    conn
}

/// What the readers and the rules say about whatever stands there.
fn judge(conn: &Connection, now: i64) {
    let raw = |sql: &str| -> Vec<(ValueBytes, ValueBytes)> {
        let mut statement = conn.prepare(sql).expect("our own query");
        let rows = statement.query_map([], |row| Ok((bytes_of(row.get_ref(0)?), bytes_of(row.get_ref(1)?))));
        rows.expect("our own query").filter_map(Result::ok).collect()
    };
    let all_tokens = tokens::all(conn).unwrap_or_default();
    if let Ok(list) = devices::list(conn) {
        let stored = raw("SELECT id, role FROM devices");
        assert_eq!(list.len(), stored.len(), "a device vanished");
        for device in &list {
            assert_eq!(device.id, DeviceId::of(&device.session_key), "a row under the id of another key");
            let says = |role: Role| (device.id.as_bytes().to_vec(), role.as_str().as_bytes().to_vec());
            assert!(stored.contains(&says(device.role)), "a role that nobody gave");
            let tokens: Vec<_> = all_tokens.iter().filter(|token| token.device == device.id).copied().collect();
            for token in &tokens {
                let verdict = sessions::judge(device, &tokens, &token.hash, now);
                let welcomed = matches!(verdict, Verdict::Welcome { .. } | Verdict::Promote);
                assert!(!welcomed || device.suspended.is_none(), "a suspended device is welcomed");
                assert!(!welcomed || now <= sessions::ends_at(device), "a session that has ended is welcomed");
            }
            let unknown = sessions::judge(device, &tokens, &TokenHash::from_bytes([0xEE; 32]), now);
            assert!(matches!(unknown, Verdict::Refuse(_)) || tokens.iter().any(|it| it.hash.as_bytes() == &[0xEE; 32]));
            let _ = sessions::expires_at(device);
        }
    }
    if let Ok(list) = tombstones::list(conn) {
        assert_eq!(list.len(), raw("SELECT device, role FROM tombstones").len(), "a tombstone vanished");
        for tombstone in list {
            assert_eq!(tombstone.device, DeviceId::of(&tombstone.session_key), "a tombstone under another key's id");
        }
    }
    if let Ok(list) = machines::list(conn) {
        for machine in list {
            let again = machine.addresses.iter().all(|it| it.to_string().parse().as_ref() == Ok(it));
            assert!(again, "an address that is two addresses");
        }
    }
    let _ = (meta::counter(conn), meta::latest_welcome(conn), meta::machine_id(conn), meta::mac_key(conn));
    let _ = (audit::last(conn, 8), audit::after(conn, now, 8), devices::owners(conn), devices::count(conn));
}

type ValueBytes = Vec<u8>;

fn bytes_of(value: ValueRef<'_>) -> ValueBytes {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Integer(number) => number.to_be_bytes().to_vec(),
        ValueRef::Real(_) | ValueRef::Null => Vec::new(),
    }
}
