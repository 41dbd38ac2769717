//! The token state machine against a model small enough to be seen right, and against broken twins that
//! the same check must catch.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::{Connection, params};

use super::{key, new_device};
use crate::clock::UnixMillis;
use crate::identity::DeviceId;
use crate::store::StoreError;
use crate::store::host::tokens::TokenState::{Current, Pending, Superseded, Voided};
use crate::store::host::tokens::{self, TokenState};
use crate::store::host::{devices, tombstones};
use crate::token::TokenHash;
use crate::wire::limits;

fn hash(number: u8) -> TokenHash {
    TokenHash::from_bytes([number; 32])
}

fn device(number: u8) -> DeviceId {
    DeviceId::of(&key(number))
}

fn two_devices() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    crate::store::fresh(crate::store::Kind::Host, &conn);
    conn.pragma_update(None, "foreign_keys", true).unwrap();
    for number in 0..2 {
        devices::insert(&conn, &new_device(number, "phone")).unwrap();
    }
    conn
}

fn states(conn: &Connection, of: &DeviceId) -> Vec<(TokenHash, TokenState)> {
    tokens::of_device(conn, of).unwrap().into_iter().map(|row| (row.hash, row.state)).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Issue { device: u8, token: u8 },
    Present { device: u8, token: u8 },
    Pair { device: u8, token: u8 },
    Void { device: u8 },
    Prune { device: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    // Few tokens, so that the same one comes up again in every state.
    let (device, token) = (0..2_u8, 0..8_u8);
    prop_oneof![
        4 => (device.clone(), token.clone()).prop_map(|(device, token)| Step::Issue { device, token }),
        4 => (device.clone(), token.clone()).prop_map(|(device, token)| Step::Present { device, token }),
        1 => (device.clone(), token).prop_map(|(device, token)| Step::Pair { device, token }),
        1 => device.clone().prop_map(|device| Step::Void { device }),
        1 => device.prop_map(|device| Step::Prune { device }),
    ]
}

/// The rules of the protocol (reconnect), written as plainly as possible. Tokens stand in order of
/// issue.
#[derive(Default)]
struct Model(Vec<(u8, u8, TokenState)>);

impl Model {
    fn change(&mut self, device: u8, from: TokenState, to: TokenState) {
        for token in self.0.iter_mut().filter(|token| token.1 == device && token.2 == from) {
            token.2 = to;
        }
    }

    fn issue(&mut self, device: u8, token: u8) -> bool {
        if self.0.iter().any(|known| known.0 == token) {
            return false;
        }
        self.0.push((token, device, Pending));
        let pending = self.0.iter().filter(|known| known.1 == device && known.2 == Pending).count();
        if pending > limits::PENDING_TOKENS
            && let Some(oldest) = self.0.iter_mut().find(|known| known.1 == device && known.2 == Pending)
        {
            oldest.2 = Voided;
        }
        true
    }

    fn present(&mut self, device: u8, token: u8) -> bool {
        if !self.0.contains(&(token, device, Pending)) {
            return false;
        }
        self.0.retain(|known| known.0 != token || known.1 != device);
        self.change(device, Current, Superseded);
        self.change(device, Pending, Voided);
        self.0.push((token, device, Current));
        true
    }

    fn of(&self, device: u8) -> HashMap<TokenHash, TokenState> {
        self.0.iter().filter(|token| token.1 == device).map(|token| (hash(token.0), token.2)).collect()
    }
}

type Promote = fn(&Connection, &DeviceId, &TokenHash, UnixMillis) -> Result<bool, StoreError>;

/// Runs the steps on a database and on the model; what differs, or breaks a promise, is an error.
fn agrees(steps: &[Step], promote: Promote) -> Result<(), String> {
    let conn = two_devices();
    let mut model = Model::default();
    let mut ended: Vec<TokenHash> = Vec::new();
    for (now, step) in (0_i64..).zip(steps) {
        let (stored, modelled) = match *step {
            Step::Issue { device: d, token } => {
                (tokens::insert_pending(&conn, &device(d), &hash(token), now).is_ok(), model.issue(d, token))
            }
            Step::Present { device: d, token } => {
                let stored = promote(&conn, &device(d), &hash(token), now);
                (stored.map_err(|error| error.to_string())?, model.present(d, token))
            }
            Step::Pair { device: d, token } => {
                let stored = tokens::set_current(&conn, &device(d), &hash(token), now).is_ok();
                let fresh = model.0.iter().all(|known| known.0 != token);
                if fresh {
                    model.0.push((token, d, Pending));
                }
                (stored, fresh && model.present(d, token))
            }
            Step::Void { device: d } => {
                tokens::void_pending(&conn, &device(d), now).unwrap();
                model.change(d, Pending, Voided);
                (true, true)
            }
            // With eight tokens nothing is old enough: prune must leave all in place.
            Step::Prune { device: d } => (tokens::prune(&conn, &device(d)).unwrap() == 0, true),
        };
        if stored != modelled {
            return Err(format!("{step:?}: the store says {stored}, the model {modelled}"));
        }
        for d in 0..2 {
            let rows = states(&conn, &device(d));
            let count = |state| rows.iter().filter(|row| row.1 == state).count();
            if count(Current) > 1 || count(Pending) > limits::PENDING_TOKENS {
                return Err(format!("after {step:?}: {rows:?}"));
            }
            if let Some(back) = rows.iter().find(|row| ended.contains(&row.0) && matches!(row.1, Current | Pending)) {
                return Err(format!("after {step:?} a token came back: {back:?}"));
            }
            ended.extend(rows.iter().filter(|row| matches!(row.1, Superseded | Voided)).map(|row| row.0));
            if rows.into_iter().collect::<HashMap<_, _>>() != model.of(d) {
                return Err(format!("after {step:?} the states differ"));
            }
        }
    }
    Ok(())
}

fn all_agree(promote: Promote) -> Result<(), String> {
    let mut runner =
        TestRunner::new(Config { cases: 200, max_shrink_iters: 200, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(step(), 1..40), |steps| agrees(&steps, promote).map_err(TestCaseError::fail))
        .map_err(|error| error.to_string())
}

#[test]
fn tokens_follow_the_model_one_current_two_pending_and_nothing_comes_back() {
    all_agree(tokens::promote).unwrap();
}

#[test]
fn the_same_check_catches_broken_promotions() {
    // The schema would stop some of these by itself; here the check must.
    fn unguarded(conn: &Connection) {
        conn.execute_batch("DROP TRIGGER IF EXISTS tokens_never_return; DROP INDEX IF EXISTS tokens_one_current")
            .unwrap();
    }
    let forgets_the_other_pending: Promote = |conn, device, hash, now| {
        unguarded(conn);
        conn.execute(
            "UPDATE tokens SET state = 'superseded' WHERE device = ?1 AND state = 'current' AND EXISTS
                 (SELECT 1 FROM tokens WHERE hash = ?2 AND device = ?1 AND state = 'pending')",
            params![device, hash],
        )?;
        let sql = "UPDATE tokens SET state = 'current', changed_at = ?3
                   WHERE hash = ?2 AND device = ?1 AND state = 'pending'";
        Ok(conn.execute(sql, params![device, hash, now])? == 1)
    };
    let takes_a_replaced_one: Promote = |conn, device, hash, now| {
        unguarded(conn);
        let mine = tokens::find(conn, hash)?.is_some_and(|row| row.device == *device && row.state != Current);
        if !mine {
            return Ok(false);
        }
        conn.execute("UPDATE tokens SET state = 'superseded' WHERE device = ?1 AND state = 'current'", [device])?;
        conn.execute("UPDATE tokens SET state = 'current' WHERE hash = ?1", [hash])?;
        tokens::void_pending(conn, device, now)?;
        Ok(true)
    };
    let takes_anothers: Promote = |conn, _, hash, now| match tokens::find(conn, hash)? {
        Some(row) => tokens::promote(conn, &row.device, hash, now),
        None => Ok(false),
    };
    let keeps_two_current: Promote = |conn, device, hash, now| {
        unguarded(conn);
        let sql = "UPDATE tokens SET state = 'current', changed_at = ?3
                   WHERE hash = ?2 AND device = ?1 AND state = 'pending'";
        let did = conn.execute(sql, params![device, hash, now])? == 1;
        if did {
            tokens::void_pending(conn, device, now)?;
        }
        Ok(did)
    };
    for (name, broken) in [
        ("forgets the other pending", forgets_the_other_pending),
        ("takes a replaced one", takes_a_replaced_one),
        ("takes another's", takes_anothers),
        ("keeps two current", keeps_two_current),
    ] {
        assert!(all_agree(broken).is_err(), "{name} went unnoticed");
    }
}

#[test]
fn the_schema_itself_lets_no_replaced_token_back_and_no_second_current_in() {
    let conn = two_devices();
    tokens::set_current(&conn, &device(0), &hash(1), 1).unwrap();
    tokens::set_current(&conn, &device(0), &hash(2), 2).unwrap();
    let set = |state: TokenState, number: u8| {
        conn.execute("UPDATE tokens SET state = ?1 WHERE hash = ?2", params![state, hash(number)])
    };
    assert!(set(Pending, 1).unwrap_err().to_string().contains("does not come back"));
    tokens::insert_pending(&conn, &device(0), &hash(3), 3).unwrap();
    assert!(set(Current, 3).is_err(), "hash 2 is current");
}

#[test]
fn a_promotion_notes_when_each_token_changed() {
    let conn = two_devices();
    let id = device(0);
    tokens::set_current(&conn, &id, &hash(1), 10).unwrap();
    assert_eq!(tokens::insert_pending(&conn, &id, &hash(2), 20).unwrap(), None);
    assert_eq!(tokens::insert_pending(&conn, &id, &hash(3), 30).unwrap(), None);
    assert!(tokens::promote(&conn, &id, &hash(3), 40).unwrap());
    let rows = tokens::of_device(&conn, &id).unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.hash, row.state, row.created_at, row.changed_at)).collect();
    assert_eq!(seen, [(hash(1), Superseded, 10, 40), (hash(2), Voided, 20, 40), (hash(3), Current, 30, 40)]);
    assert!(!tokens::promote(&conn, &id, &hash(3), 50).unwrap(), "once");
    assert_eq!(tokens::of_device(&conn, &id).unwrap(), rows);
}

#[test]
fn a_third_pending_token_voids_the_oldest_and_names_it() {
    let conn = two_devices();
    let id = device(0);
    for number in 1..=2 {
        tokens::insert_pending(&conn, &id, &hash(number), 5).unwrap();
    }
    // The clock went back: the order of issue counts.
    assert_eq!(tokens::insert_pending(&conn, &id, &hash(3), 1).unwrap(), Some(hash(1)));
    assert_eq!(states(&conn, &id), [(hash(1), Voided), (hash(2), Pending), (hash(3), Pending)]);
}

#[test]
fn pruning_keeps_the_newest_old_tokens_of_each_kind_and_every_live_one() {
    let conn = two_devices();
    let id = device(0);
    for number in 0..230 {
        tokens::set_current(&conn, &id, &hash(number), 100 - i64::from(number)).unwrap();
    }
    // Voided, one after the other.
    for number in 230..250 {
        tokens::insert_pending(&conn, &id, &hash(number), 1).unwrap();
    }
    let (superseded, voided) = (229 - limits::SUPERSEDED_TOKENS, 18 - limits::OLD_TOKENS);
    assert_eq!(tokens::prune(&conn, &id).unwrap(), superseded + voided);
    let rows = states(&conn, &id);
    let of = |state| rows.iter().filter(|row| row.1 == state).map(|row| row.0).collect::<Vec<_>>();
    let newest = |from: u8, count: usize| (from..).take(count).map(hash).collect::<Vec<_>>();
    assert_eq!(of(Superseded), newest(29, limits::SUPERSEDED_TOKENS), "the newest by order of issue");
    assert_eq!(of(Voided), newest(232, limits::OLD_TOKENS));
    assert_eq!((of(Current), of(Pending)), (vec![hash(229)], vec![hash(248), hash(249)]));
}

#[test]
fn tokens_go_with_their_device_and_cannot_be_issued_without_one() {
    let conn = two_devices();
    tokens::set_current(&conn, &device(0), &hash(1), 1).unwrap();
    tokens::set_current(&conn, &device(1), &hash(2), 1).unwrap();
    tombstones::bury(&conn, &device(0), 2, "the machine's shell", None).unwrap().unwrap();
    assert_eq!(tokens::find(&conn, &hash(1)).unwrap(), None);
    assert_eq!(tokens::all(&conn).unwrap().len(), 1);
    let error = tokens::insert_pending(&conn, &device(0), &hash(3), 3).unwrap_err();
    assert_eq!(error, StoreError::NotFound("device"));
}
