//! The recovery sheet: the machine's half of the one that is live, and those that are over. The seed is on paper only.

use rusqlite::{Connection, params};

use super::meta;
use crate::clock::UnixMillis;
use crate::identity::{from_base64url, to_base64url};
use crate::secrets::Secret;
use crate::store::StoreError;
use crate::wire::{SheetKey, limits};

const KEY: &str = "recovery.key";
const ANSWERS: &str = "recovery.answers";
const PRINTED: &str = "recovery.printed_at";

/// The live sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSheet {
    /// The public half of its key.
    pub key: SheetKey,
    /// The key under which its holder is answered.
    pub answers: Secret<32>,
    /// When it was printed.
    pub printed_at: UnixMillis,
}

/// How a sheet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetEnd {
    /// Somebody used it.
    Used,
    /// A newer one was printed.
    Voided,
}

impl SheetEnd {
    /// The word stored in the database and told to its holder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Voided => "voided",
        }
    }
}

/// A sheet that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentSheet {
    /// The public half of its key.
    pub key: SheetKey,
    /// The key under which its holder is answered.
    pub answers: Secret<32>,
    /// How it ended.
    pub end: SheetEnd,
    /// When.
    pub at: UnixMillis,
}

/// The live sheet, where one was printed and not used.
///
/// # Errors
/// The database.
pub fn live(conn: &Connection) -> Result<Option<LiveSheet>, StoreError> {
    let read = |name| meta::setting(conn, name);
    let key = read(KEY)?.and_then(|text| from_base64url(&text)).map(SheetKey::from_bytes);
    let answers = read(ANSWERS)?.and_then(|text| from_base64url(&text)).map(Secret::from_bytes);
    let printed_at = read(PRINTED)?.and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(key.zip(answers).map(|(key, answers)| LiveSheet { key, answers, printed_at }))
}

/// A new sheet is printed: it is the live one, and the one before it is void.
///
/// # Errors
/// The database.
pub fn print(conn: &Connection, key: &SheetKey, answers: &Secret<32>, at: UnixMillis) -> Result<(), StoreError> {
    if let Some(before) = live(conn)? {
        end(conn, &before, SheetEnd::Voided, at)?;
    }
    meta::set_setting(conn, KEY, &to_base64url(key.as_bytes()))?;
    meta::set_setting(conn, ANSWERS, &answers.expose_text())?;
    meta::set_setting(conn, PRINTED, &at.to_string())
}

/// Uses the sheet up, in one statement: `false` where it is not the live one (any more), and nothing is changed.
///
/// # Errors
/// The database.
pub fn consume(conn: &Connection, sheet: &LiveSheet, at: UnixMillis) -> Result<bool, StoreError> {
    let sql = "DELETE FROM meta WHERE key = 'setting.recovery.key' AND value = ?1";
    if conn.execute(sql, [to_base64url(sheet.key.as_bytes())])? != 1 {
        return Ok(false);
    }
    conn.execute("DELETE FROM meta WHERE key IN ('setting.recovery.answers', 'setting.recovery.printed_at')", [])?;
    end(conn, sheet, SheetEnd::Used, at)?;
    Ok(true)
}

/// Remembers a sheet that is over; of those the newest [`limits::RECOVERY_SPENT`].
fn end(conn: &Connection, sheet: &LiveSheet, end: SheetEnd, at: UnixMillis) -> Result<(), StoreError> {
    conn.execute(
        "INSERT OR REPLACE INTO recovery_spent (key, answers, ended, ended_at) VALUES (?1, ?2, ?3, ?4)",
        params![sheet.key.as_bytes(), sheet.answers.expose(), end.as_str(), at],
    )?;
    let kept = i64::try_from(limits::RECOVERY_SPENT).unwrap_or(i64::MAX);
    let sql = "DELETE FROM recovery_spent WHERE rowid NOT IN
                   (SELECT rowid FROM recovery_spent ORDER BY rowid DESC LIMIT ?1)";
    conn.execute(sql, [kept])?;
    Ok(())
}

/// The sheets that are over and remembered.
///
/// # Errors
/// The database.
pub fn spent(conn: &Connection) -> Result<Vec<SpentSheet>, StoreError> {
    let mut statement = conn.prepare("SELECT key, answers, ended, ended_at FROM recovery_spent ORDER BY rowid")?;
    let rows = statement.query_map([], |row| {
        let (key, answers): ([u8; 32], [u8; 32]) = (row.get(0)?, row.get(1)?);
        let end = if row.get::<_, String>(2)? == "used" { SheetEnd::Used } else { SheetEnd::Voided };
        Ok(SpentSheet { key: SheetKey::from_bytes(key), answers: Secret::from_bytes(answers), end, at: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the live sheet was printed.
///
/// # Errors
/// The database.
pub fn printed_at(conn: &Connection) -> Result<Option<UnixMillis>, StoreError> {
    Ok(live(conn)?.map(|sheet| sheet.printed_at))
}

/// Whether this key is remembered as over, for tests.
#[cfg(test)]
pub(crate) fn is_spent(conn: &Connection, key: &SheetKey) -> Result<Option<String>, StoreError> {
    use rusqlite::OptionalExtension as _;
    let sql = "SELECT ended FROM recovery_spent WHERE key = ?1";
    Ok(conn.query_row(sql, [key.as_bytes()], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(number: u8) -> LiveSheet {
        LiveSheet {
            key: SheetKey::from_bytes([number; 32]),
            answers: Secret::from_bytes([number; 32]),
            printed_at: i64::from(number),
        }
    }

    fn print_one(conn: &Connection, number: u8) {
        print(conn, &sheet(number).key, &sheet(number).answers, i64::from(number)).unwrap();
    }

    #[test]
    fn a_sheet_is_used_once_and_a_new_print_voids_it() {
        let conn = Connection::open_in_memory().unwrap();
        crate::store::fresh(crate::store::Kind::Host, &conn);
        assert_eq!(live(&conn).unwrap(), None);
        print_one(&conn, 1);
        assert_eq!(live(&conn).unwrap(), Some(sheet(1)));
        print_one(&conn, 2);
        assert!(!consume(&conn, &sheet(1), 5).unwrap(), "void");
        assert_eq!((live(&conn).unwrap(), printed_at(&conn).unwrap()), (Some(sheet(2)), Some(2)));
        assert!(consume(&conn, &sheet(2), 6).unwrap());
        assert!(!consume(&conn, &sheet(2), 7).unwrap(), "used");
        assert_eq!(live(&conn).unwrap(), None);
        let ends: Vec<_> = spent(&conn).unwrap().iter().map(|spent| (spent.key, spent.end, spent.at)).collect();
        assert_eq!(ends, [(sheet(1).key, SheetEnd::Voided, 2), (sheet(2).key, SheetEnd::Used, 6)]);
        for number in 3..30 {
            print_one(&conn, number);
        }
        assert_eq!(spent(&conn).unwrap().len(), limits::RECOVERY_SPENT);
        assert_eq!(is_spent(&conn, &sheet(28).key).unwrap().as_deref(), Some("voided"), "the newest are kept");
    }
}
