//! Devices that asked to be let in, as a list outlives a restart: to be shown, and never to be decided on.
//!
//! Bounded: what is older than a join lives goes at each insertion, and the oldest where there are too many.

use rusqlite::{Connection, Row, params};

use crate::clock::UnixMillis;
use crate::identity::PublicKey;
use crate::store::StoreError;
use crate::wire::{AddressKind, JoinId, limits};

/// One that asked. All but the address is what it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedJoin {
    /// The join.
    pub join: JoinId,
    /// Its session public key, which it had proven.
    pub key: PublicKey,
    /// The name that it claimed.
    pub name: String,
    /// The platform that it claimed.
    pub platform: String,
    /// From where.
    pub from: String,
    /// What network that was.
    pub network: AddressKind,
    /// It was in the machine's own network.
    pub same_network: bool,
    /// When, by the wall clock.
    pub asked_at: UnixMillis,
}

/// How long one is worth showing, in milliseconds.
fn life() -> UnixMillis {
    i64::try_from(limits::JOIN_TIME.as_millis()).unwrap_or(i64::MAX)
}

impl AskedJoin {
    /// Milliseconds for which it is still shown at `now`; none where its time is over, or the clock was set
    /// back behind it.
    pub fn left(&self, now: UnixMillis) -> Option<UnixMillis> {
        let left = self.asked_at.saturating_add(life()).saturating_sub(now);
        (now >= self.asked_at && left > 0).then_some(left)
    }
}

fn kind(word: &str) -> Option<AddressKind> {
    let all = [AddressKind::Lan, AddressKind::Tailnet, AddressKind::Tunnel, AddressKind::Public];
    let rest = [AddressKind::Container, AddressKind::Loopback, AddressKind::Advertised];
    all.into_iter().chain(rest).find(|kind| kind.as_str() == word)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Option<AskedJoin>> {
    let (id, network): (Vec<u8>, String) = (row.get(0)?, row.get(5)?);
    let (Some(join), Some(network)) = (JoinId::from_slice(&id), kind(&network)) else { return Ok(None) };
    let (key, name, platform, from) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let (same_network, asked_at) = (row.get(6)?, row.get(7)?);
    Ok(Some(AskedJoin { join, key, name, platform, from, network, same_network, asked_at }))
}

/// Notes one, and lets go of those that are over by then or too many.
///
/// # Errors
/// The database.
pub fn insert(conn: &Connection, asked: &AskedJoin) -> Result<(), StoreError> {
    let (id, network) = (asked.join.as_bytes().as_slice(), asked.network.as_str());
    let AskedJoin { key, name, platform, from, same_network, asked_at, .. } = asked;
    conn.execute(
        "INSERT OR REPLACE INTO asked_joins (id, session_key, name, platform, asked_from, network, same_network, asked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![id, key, name, platform, from, network, same_network, asked_at],
    )?;
    let most = i64::try_from(limits::JOINS).unwrap_or(i64::MAX);
    conn.execute(
        "DELETE FROM asked_joins WHERE asked_at <= ?1 OR asked_at > ?2
         OR id NOT IN (SELECT id FROM asked_joins ORDER BY asked_at DESC, rowid DESC LIMIT ?3)",
        params![asked_at.saturating_sub(life()), asked_at, most],
    )?;
    Ok(())
}

/// It is decided, or asks no more.
///
/// # Errors
/// The database.
pub fn remove(conn: &Connection, join: JoinId) -> Result<(), StoreError> {
    conn.execute("DELETE FROM asked_joins WHERE id = ?1", [join.as_bytes().as_slice()])?;
    Ok(())
}

/// Those that are worth showing at `now`, oldest first.
///
/// # Errors
/// The database.
pub fn list(conn: &Connection, now: UnixMillis) -> Result<Vec<AskedJoin>, StoreError> {
    let sql = "SELECT id, session_key, name, platform, asked_from, network, same_network, asked_at FROM asked_joins
               ORDER BY asked_at, rowid LIMIT ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([i64::try_from(limits::JOINS).unwrap_or(i64::MAX)], from_row)?;
    let all = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().filter(|asked| asked.left(now).is_some()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;
    use crate::store::migrations::fresh;

    const MINUTE: UnixMillis = 60_000;

    fn asked(number: u8, asked_at: UnixMillis) -> AskedJoin {
        AskedJoin {
            join: JoinId::from_bytes([number; 5]),
            key: PublicKey::from_bytes([number; 65]),
            name: format!("laptop {number}"),
            platform: "Debian".into(),
            from: "192.168.1.7".into(),
            network: AddressKind::Lan,
            same_network: true,
            asked_at,
        }
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        fresh(Kind::Host, &connection);
        connection
    }

    #[test]
    fn what_was_asked_is_shown_for_as_long_as_a_join_lives() {
        let connection = database();
        let one = asked(1, 100 * MINUTE);
        insert(&connection, &one).unwrap();
        assert_eq!(list(&connection, 105 * MINUTE).unwrap(), std::slice::from_ref(&one));
        for over in [110 * MINUTE, 99 * MINUTE] {
            assert_eq!(list(&connection, over).unwrap(), [], "aged, or the clock was set back");
        }
        insert(&connection, &asked(2, 105 * MINUTE)).unwrap();
        remove(&connection, one.join).unwrap();
        assert_eq!(list(&connection, 105 * MINUTE).unwrap(), [asked(2, 105 * MINUTE)]);
    }

    #[test]
    fn nobody_makes_the_table_grow() {
        let connection = database();
        let count =
            || connection.query_row("SELECT count(*) FROM asked_joins", [], |row| row.get::<_, i64>(0)).unwrap();
        for number in 0..200 {
            insert(&connection, &asked(number, 100 * MINUTE + i64::from(number))).unwrap();
        }
        assert_eq!(usize::try_from(count()).unwrap(), limits::JOINS);
        assert_eq!(list(&connection, 101 * MINUTE).unwrap().last().unwrap().name, "laptop 199", "the oldest go");
        insert(&connection, &asked(201, 200 * MINUTE)).unwrap();
        assert_eq!(count(), 1);
    }
}
