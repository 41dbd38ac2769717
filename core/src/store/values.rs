//! How the project's types stand in columns: ids, keys and hashes as BLOBs of exact length, words as
//! the words that people see, lists of addresses as JSON.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

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

/// A count or number of seconds as SQLite has it. Above 2^63 - 1 it is that: nothing real comes near.
pub(crate) fn to_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reverse of [`to_integer`]; the schema allows no negative one.
pub(crate) fn from_integer(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
