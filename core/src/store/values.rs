//! How the project's types stand in columns: ids, keys and hashes as BLOBs of exact length, words as
//! the words that people see, lists of addresses as JSON.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, ToSql};

use crate::identity::{DeviceId, MachineId, Pin, PublicKey};
use crate::role::Role;
use crate::secrets::{KeyKind, Secret};
use crate::token::TokenHash;
use crate::wire::OfferId;

macro_rules! blob_column {
    ($($name:ty),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::from_slice(value.as_blob()?).ok_or(FromSqlError::InvalidType)
            }
        }
    )+ };
}

blob_column!(Pin, MachineId, DeviceId, PublicKey, TokenHash, OfferId);

impl<const N: usize> ToSql for Secret<N> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.expose())))
    }
}

impl<const N: usize> FromSql for Secret<N> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_slice(value.as_blob()?).ok_or(FromSqlError::InvalidType)
    }
}

/// Implements the column form of an enum that has `as_str` and a way to read it back.
macro_rules! word_column {
    ($name:ty, $parse:expr) => {
        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(rusqlite::types::ToSqlOutput::from(self.as_str()))
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                $parse(value.as_str()?).ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
        }
    };
}
pub(crate) use word_column;

word_column!(Role, |text: &str| text.parse().ok());
word_column!(KeyKind, KeyKind::parse);

/// A device's id and session key from two columns. The id is a hash of the key, and what guards a key
/// (its tombstone, its tokens) is found by the id: a row that says another one is damaged.
pub(crate) fn device_and_key(row: &Row<'_>, id: usize, key: usize) -> rusqlite::Result<(DeviceId, PublicKey)> {
    let (device, session_key): (DeviceId, PublicKey) = (row.get(id)?, row.get(key)?);
    if device != DeviceId::of(&session_key) {
        let cause = "a device's id is not that of its key".into();
        return Err(rusqlite::Error::FromSqlConversionFailure(id, Type::Blob, cause));
    }
    Ok((device, session_key))
}

/// A count or number of seconds as SQLite has it. Above 2^63 - 1 it is that: nothing real comes near.
pub(crate) fn to_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reverse of [`to_integer`]; the schema allows no negative one.
pub(crate) fn from_integer(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
