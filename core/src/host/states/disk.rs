//! The machine's database in a model: what is in it as a value, and each transaction of the real code run
//! over real SQLite on that value. What a transaction does depends on nothing else, so it is run once for
//! each value and remembered.

use std::cell::RefCell;

use rusqlite::{Connection, params};

use super::explorer::QuickMap;
use super::{NOW, hash_of, key_of, number_of};
use crate::clock::UnixMillis;
use crate::host::offers::{Claim, Offer};
use crate::host::rows::{self, Activated};
use crate::host::sessions::{self, Verdict};
use crate::identity::DeviceId;
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::StoreError;
use crate::store::host::devices::{self, NewDevice, PairedHow};
use crate::store::host::tokens::{self, TokenState};
use crate::wire::limits;

/// How long ago something was, as far as any rule tells times apart: within the grace of a replaced token,
/// within the age at which a token is renewed, or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Age {
    New,
    Past,
    Old,
}

impl Age {
    fn at(self) -> UnixMillis {
        let ago = match self {
            Self::New => 0,
            Self::Past => limits::SUPERSEDED_GRACE.as_millis() as i64 + 1,
            Self::Old => limits::TOKEN_AGE.as_millis() as i64 + 1,
        };
        NOW - ago
    }

    fn of(at: UnixMillis) -> Self {
        [Self::New, Self::Past, Self::Old].into_iter().find(|age| age.at() <= at).unwrap_or(Self::Old)
    }
}

/// A token on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Token {
    pub(super) number: u8,
    pub(super) state: TokenState,
    pub(super) created: Age,
    pub(super) changed: Age,
}

/// What the disk holds of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    /// The R in its row, where there is a row.
    pub(super) row: Option<u8>,
    pub(super) suspended: bool,
    pub(super) revoked: bool,
    /// In the order of issue.
    pub(super) tokens: Vec<Token>,
}

impl Disk {
    pub(super) fn state_of(&self, number: u8) -> Option<TokenState> {
        self.tokens.iter().find(|token| token.number == number).map(|token| token.state)
    }

    pub(super) fn count(&self, state: TokenState) -> usize {
        self.tokens.iter().filter(|token| token.state == state).count()
    }

    /// Forgets how old a token is where no rule asks: a current one is renewed by its issue, a pending one may
    /// have just been issued, and of a superseded one it matters whether its grace is over.
    pub(super) fn forget_ages(&mut self) {
        for token in &mut self.tokens {
            (token.created, token.changed) = match token.state {
                TokenState::Current if token.created != Age::Old => (Age::New, Age::New),
                TokenState::Current | TokenState::Pending => (token.created, Age::New),
                TokenState::Superseded => (Age::New, token.changed.min(Age::Past)),
                TokenState::Voided => (Age::New, Age::New),
            };
        }
    }

    /// What the rules forbid of any disk.
    pub(super) fn wrong(&self) -> Option<String> {
        if self.count(TokenState::Current) > 1 {
            return Some("two current tokens".into());
        }
        if self.count(TokenState::Pending) > limits::PENDING_TOKENS {
            return Some("more than two pending tokens".into());
        }
        (self.revoked && (self.row.is_some() || !self.tokens.is_empty())).then(|| "a revoked key has a row".into())
    }

    /// What the rules forbid of a change: nothing that was replaced or voided comes back.
    pub(super) fn wrong_after(&self, after: &Self) -> Option<String> {
        let over = |state| matches!(state, Some(TokenState::Superseded | TokenState::Voided));
        let back = self.tokens.iter().any(|token| {
            over(Some(token.state))
                && after.tokens.iter().any(|now| now.number == token.number && !over(Some(now.state)))
        });
        if back {
            return Some("a replaced token came back".into());
        }
        if self.revoked && !after.revoked {
            return Some("a revoked key is not revoked any more".into());
        }
        after.wrong()
    }
}

/// A transaction of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// `reconnect`: a pending token was presented.
    Promote(u8),
    /// The broken twin of it: the other pending one stays.
    PromoteAlone(u8),
    /// `reconnect`: a welcome brings a new token.
    NewToken(u8),
    /// `granting`: a Grant to a key with a row.
    GrantAgain(u8),
    /// `granting`: an acknowledgement; the key, R and the token.
    Activate(u8, u8, u8),
    /// A revoke at the shell.
    Revoke(u8),
    /// A token that was replaced came late.
    Suspend,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It changed what it should, or found it so.
    Well,
    /// A Grant's token is stored, and this one is current, as the Grant will say.
    Granted { current: Option<u8> },
    /// It changed nothing, and says so.
    Not,
    /// The key is revoked.
    Revoked,
    /// It could not be written.
    Failed,
}

/// A transaction on the rows of the device with this key.
type Asked = (u8, Disk, Change);

/// Real SQLite, and what is known already of what it does.
pub(super) struct Sqlite {
    connection: Connection,
    known: RefCell<QuickMap<Asked, (Disk, Went)>>,
    judged: RefCell<QuickMap<(u8, Disk, u8), Verdict>>,
}

impl Sqlite {
    pub(super) fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        crate::store::fresh(crate::store::Kind::Host, &connection);
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        Self { connection, known: RefCell::default(), judged: RefCell::default() }
    }

    /// How many different transactions were run.
    pub(super) fn transactions(&self) -> usize {
        self.known.borrow().len()
    }

    /// Runs one on the rows of the device with this key. It commits, or changes nothing.
    pub(super) fn run(&self, key: u8, disk: &Disk, change: &Change) -> (Disk, Went) {
        let asked = (key, disk.clone(), change.clone());
        if let Some(known) = self.known.borrow().get(&asked) {
            return known.clone();
        }
        self.write(key, disk);
        let began = self.connection.unchecked_transaction().unwrap();
        let went = apply(&began, key, change);
        match &went {
            Ok(_) => began.commit().unwrap(),
            Err(_) => began.rollback().unwrap(),
        }
        let done = (self.read(key), went.unwrap_or(Went::Failed));
        self.known.borrow_mut().insert(asked, done.clone());
        done
    }

    /// What the real judge says of a token; the device has a row.
    pub(super) fn judge(&self, key: u8, disk: &Disk, token: u8) -> Verdict {
        let asked = (key, disk.clone(), token);
        if let Some(verdict) = self.judged.borrow().get(&asked) {
            return *verdict;
        }
        self.write(key, disk);
        let row = devices::get(&self.connection, &id(key)).unwrap().unwrap();
        let rows = tokens::of_device(&self.connection, &id(key)).unwrap();
        let verdict = sessions::judge(&row, &rows, &hash_of(token), NOW);
        self.judged.borrow_mut().insert(asked, verdict);
        verdict
    }

    fn write(&self, key: u8, disk: &Disk) {
        let conn = &self.connection;
        conn.execute_batch("DELETE FROM tokens; DELETE FROM devices; DELETE FROM tombstones; DELETE FROM audit")
            .unwrap();
        if let Some(r) = disk.row {
            insert_row(conn, key, r);
            for token in &disk.tokens {
                let sql =
                    "INSERT INTO tokens (hash, device, state, created_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)";
                let (created, changed) = (token.created.at(), token.changed.at());
                conn.execute(sql, params![hash_of(token.number), id(key), token.state, created, changed]).unwrap();
            }
            if disk.suspended {
                devices::suspend(conn, &id(key), NOW, "copied").unwrap();
            }
        } else if disk.revoked {
            insert_row(conn, key, 1);
            rows::revoke(conn, id(key), rows::SHELL, None, NOW).unwrap();
        }
    }

    fn read(&self, key: u8) -> Disk {
        let conn = &self.connection;
        let row = devices::get(conn, &id(key)).unwrap();
        let tokens = tokens::of_device(conn, &id(key)).unwrap().into_iter().map(|row| Token {
            number: number_of(&row.hash),
            state: row.state,
            created: Age::of(row.created_at),
            changed: Age::of(row.changed_at),
        });
        Disk {
            tokens: tokens.collect(),
            suspended: row.as_ref().is_some_and(|row| row.suspended.is_some()),
            row: row.map(|row| row.recognition_key.expose()[0]),
            revoked: crate::store::host::tombstones::get(conn, &id(key)).unwrap().is_some(),
        }
    }
}

pub(super) fn id(key: u8) -> DeviceId {
    DeviceId::of(&key_of(key))
}

fn insert_row(conn: &Connection, key: u8, r: u8) {
    let new = NewDevice {
        session_key: key_of(key),
        name: format!("phone {key}"),
        platform: "test".into(),
        role: Role::Operator,
        key_kind: KeyKind::File,
        recognition_key: RecognitionKey::from_bytes([r; 32]),
        paired_at: NOW,
        paired_how: PairedHow::Scan,
        paired_from: "127.0.0.1".into(),
        idle_seconds: 10_000_000,
        absolute_seconds: 10_000_000,
        let_in: None,
    };
    devices::insert(conn, &new).unwrap();
}

/// The real code of each transaction.
fn apply(conn: &Connection, key: u8, change: &Change) -> Result<Went, StoreError> {
    let device = id(key);
    let well = |done| if done { Went::Well } else { Went::Not };
    match change {
        Change::Promote(token) => rows::make_current(conn, &device, &hash_of(*token), NOW).map(well),
        Change::PromoteAlone(token) => promote_alone(conn, &device, *token).map(well),
        Change::NewToken(token) => {
            crate::host::reconnect::store_new(conn, &device, &hash_of(*token), NOW).map(|()| Went::Well)
        }
        Change::GrantAgain(token) => {
            let current = crate::host::granting::grant_again(conn, &device, &hash_of(*token), NOW)?;
            Ok(Went::Granted { current: current.as_ref().map(number_of) })
        }
        Change::Activate(of, r, token) => {
            let (offer, claim) = claimed(*of, *r, *token);
            let details = claim.granted.as_ref().map(|granted| granted.details.clone()).unwrap();
            let outcome = rows::activate(conn, &offer, &claim, hash_of(*token), &details, NOW)?;
            Ok(match outcome {
                Activated::Revoked => Went::Revoked,
                Activated::Replaced | Activated::NotInvited => Went::Not,
                Activated::New | Activated::Again => Went::Well,
            })
        }
        Change::Revoke(of) => rows::revoke(conn, id(*of), rows::SHELL, None, NOW).map(|row| well(row.is_some())),
        Change::Suspend => devices::suspend(conn, &device, NOW, "copied").map(well),
    }
}

/// An offer that this key has claimed and was granted this token under, as the real one hands it out.
fn claimed(key: u8, r: u8, token: u8) -> (Offer, Claim) {
    let mut offers = super::offers_with_link().0;
    let fresh = RecognitionKey::from_bytes([r; 32]);
    offers.claim_number(1, key_of(key), fresh, std::time::Duration::ZERO);
    assert!(offers.granted(1, &key_of(key), super::grant_of(token)));
    offers.acknowledge(1, &hash_of(token), std::time::Duration::ZERO).unwrap()
}

fn promote_alone(conn: &Connection, device: &DeviceId, token: u8) -> Result<bool, StoreError> {
    conn.execute(
        "UPDATE tokens SET state = 'superseded', changed_at = ?2 WHERE device = ?1 AND state = 'current'",
        params![device, NOW],
    )?;
    let changed = conn.execute(
        "UPDATE tokens SET state = 'current', changed_at = ?3 WHERE device = ?1 AND hash = ?2
        AND state = 'pending'",
        params![device, hash_of(token), NOW],
    )?;
    Ok(changed == 1)
}
