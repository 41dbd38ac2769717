//! Tests of [`super::rows`]: what a transaction leaves, on a real schema.

use std::time::Duration;

use rusqlite::Connection;

use super::authority::Authority;
use super::offers::{Claim, ClaimDetails, ClaimGrant, MintedBy, Offer, OfferRequest, Offers};
use super::rows::*;
use super::{DeviceChange, HostError};
use crate::identity::PublicKey;
use crate::role::Role;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::host::devices::{self, DeviceRow, NewDevice, PairedHow};
use crate::store::host::{audit, meta, tokens};
use crate::token::TokenHash;

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    crate::store::fresh(crate::store::Kind::Host, &connection);
    connection
}

fn device(connection: &Connection, number: u8, role: Role) -> DeviceRow {
    let new = NewDevice {
        session_key: PublicKey::from_bytes([number; 65]),
        name: format!("phone {number}"),
        platform: "Android 16".to_owned(),
        role,
        key_kind: KeyKind::File,
        recognition_key: RecognitionKey::from_bytes([number; 32]),
        paired_at: 1_000,
        paired_how: PairedHow::Scan,
        paired_from: "192.168.1.7".to_owned(),
        idle_seconds: 3_600,
        absolute_seconds: 7_200,
        let_in: None,
    };
    devices::insert(connection, &new).unwrap()
}

fn lifetimes(idle: Option<u64>, absolute: Option<u64>) -> DeviceChange {
    DeviceChange {
        idle: idle.map(Duration::from_secs),
        absolute: absolute.map(Duration::from_secs),
        ..DeviceChange::default()
    }
}

fn said(connection: &Connection) -> Vec<String> {
    audit::last(connection, 100).unwrap().into_iter().map(|row| row.text).collect()
}

#[test]
fn a_token_is_current_only_if_it_is_this_one() {
    let connection = database();
    let row = device(&connection, 1, Role::Owner);
    let hash = |number| TokenHash::from_bytes([number; 32]);
    tokens::set_current(&connection, &row.id, &hash(1), 10).unwrap();
    tokens::insert_pending(&connection, &row.id, &hash(2), 20).unwrap();
    tokens::insert_pending(&connection, &row.id, &hash(3), 30).unwrap();
    assert!(make_current(&connection, &row.id, &hash(2), 40).unwrap());
    assert!(make_current(&connection, &row.id, &hash(2), 50).unwrap(), "another connection did it already");
    assert!(!make_current(&connection, &row.id, &hash(3), 50).unwrap(), "voided by the other");
    assert!(!make_current(&connection, &row.id, &hash(1), 50).unwrap(), "superseded");
    assert!(!make_current(&connection, &row.id, &hash(9), 50).unwrap(), "never seen");
    assert_eq!(tokens::find(&connection, &hash(2)).unwrap().map(|row| row.hash), Some(hash(2)));
    assert_eq!(tokens::find(&connection, &hash(9)).unwrap(), None);
}

#[test]
fn only_the_last_owners_revocation_says_so() {
    let connection = database();
    let rows = [(1, Role::Owner), (2, Role::Owner), (3, Role::Operator)].map(|(n, role)| device(&connection, n, role));
    let revoked = |row: &DeviceRow| revoke(&connection, row.id, SHELL, None, 50).unwrap().map(|(_, last)| last);
    assert_eq!(revoked(&rows[0]), Some(false), "another owner is left");
    assert_eq!(revoked(&rows[1]), Some(true));
    assert_eq!(revoked(&rows[2]), Some(false), "it was none");
    assert_eq!(revoked(&rows[2]), None);
}

#[test]
fn lifetimes_have_bounds_and_nothing_is_written_unless_all_of_it_may_be() {
    const TEN_YEARS: u64 = 316_224_000;
    let connection = database();
    let row = device(&connection, 1, Role::Viewer);
    let stored = || {
        let row = devices::get(&connection, &row.id).unwrap().unwrap();
        (row.role, row.idle_seconds, row.absolute_seconds)
    };
    for (idle, absolute) in [
        (Some(59), None),
        (Some(7_201), None),
        (None, Some(3_599)),
        (None, Some(TEN_YEARS + 1)),
        (Some(59), Some(TEN_YEARS + 1)),
    ] {
        let change = DeviceChange { role: Some(Role::Owner), ..lifetimes(idle, absolute) };
        let refused = set(&connection, row.id, &change, 10);
        assert!(matches!(refused, Err(HostError::Lifetime)), "{idle:?} {absolute:?}");
        assert_eq!(stored(), (Role::Viewer, 3_600, 7_200));
    }
    for (idle, absolute, now) in [
        (Some(60), None, (60, 7_200)),
        (Some(7_200), None, (7_200, 7_200)),
        (None, Some(TEN_YEARS), (7_200, TEN_YEARS)),
        (Some(61), Some(7_200), (61, 7_200)),
    ] {
        set(&connection, row.id, &lifetimes(idle, absolute), 10).unwrap();
        assert_eq!(stored(), (Role::Viewer, now.0, now.1));
    }
    assert_eq!(said(&connection).last().unwrap(), "set “phone 1” to unused at most 61 seconds, in all at most 2 hours");
}

#[test]
fn a_change_is_said_once_and_what_changes_nothing_is_not() {
    let connection = database();
    let row = device(&connection, 1, Role::Viewer);
    // Lifetimes from before there were bounds stay as they are while something else is changed.
    devices::set_lifetimes(&connection, &row.id, Some(5), Some(4)).unwrap();
    set(&connection, row.id, &DeviceChange { role: Some(Role::Operator), ..lifetimes(None, None) }, 10).unwrap();
    set(&connection, row.id, &DeviceChange { role: Some(Role::Operator), ..lifetimes(Some(5), Some(4)) }, 10).unwrap();
    rename(&connection, row.id, " Ana's \t phone ", 10).unwrap();
    assert_eq!(said(&connection), ["set “phone 1” to role operator", "renamed “phone 1” to “Ana's phone”"]);
    assert_eq!(devices::get(&connection, &row.id).unwrap().unwrap().name, "Ana's phone");
    set(&connection, row.id, &lifetimes(Some(86_400), Some(2 * 86_400)), 10).unwrap();
    set(&connection, row.id, &lifetimes(Some(180), None), 10).unwrap();
    let last = said(&connection).split_off(2);
    assert_eq!(
        last,
        [
            "set “Ana's phone” to unused at most 1 days, in all at most 2 days",
            "set “Ana's phone” to unused at most 3 minutes, in all at most 2 days",
        ]
    );
}

#[test]
fn a_clock_that_is_set_right_leaves_nothing_of_the_wrong_one() {
    let connection = database();
    let row = device(&connection, 1, Role::Viewer);
    meta::raise_latest_welcome(&connection, 9_000_000).unwrap();
    devices::touch(&connection, &row.id, 9_000_000, "10.0.0.1").unwrap();
    reset_clock(&connection, 2_000).unwrap();
    assert_eq!(meta::latest_welcome(&connection).unwrap(), Some(2_000));
    assert_eq!(devices::get(&connection, &row.id).unwrap().unwrap().last_seen, Some(2_000));
}

/// An offer that this device made, used and acknowledged by a key.
fn used(by: &DeviceRow, number: u8) -> (Offer, Claim, TokenHash, ClaimDetails) {
    let mut offers = Offers::default();
    let minted_by = Some(MintedBy { device: by.id, name: by.name.clone() });
    let request = OfferRequest { link: true, role: Some(Role::Owner), minted_by, ..OfferRequest::default() };
    let minted = offers.mint(&request, Duration::ZERO).unwrap();
    let (key, token) = (PublicKey::from_bytes([number; 65]), TokenHash::from_bytes([number; 32]));
    let details = ClaimDetails {
        name: "tablet".to_owned(),
        platform: "iOS 20".to_owned(),
        key_kind: KeyKind::Hardware,
        how: PairedHow::Scan,
        from: [192, 168, 1, 9].into(),
        digits: None,
    };
    offers.claim_number(minted.number, key, RecognitionKey::from_bytes([number; 32]), Duration::ZERO);
    assert!(offers.granted(minted.number, &key, ClaimGrant { token, details: details.clone() }));
    let (offer, claim) = offers.acknowledge(minted.number, &token, Duration::ZERO).unwrap();
    (offer, claim, token, details)
}

#[test]
fn an_offer_of_a_device_that_is_no_owner_any_more_pairs_nobody() {
    let connection = database();
    let (owner, _other) = (device(&connection, 1, Role::Owner), device(&connection, 2, Role::Owner));
    let pairs = |number| {
        let (offer, claim, token, details) = used(&owner, number);
        activate(&connection, &offer, &claim, token, &details, 50).unwrap()
    };
    assert_eq!(pairs(11), Activated::New, "the control");
    assert!(said(&connection).last().unwrap().ends_with("invited by “phone 1”"), "{:?}", said(&connection));
    devices::suspend(&connection, &owner.id, 60, "theft").unwrap();
    assert_eq!(pairs(12), Activated::NotInvited, "suspended");
    devices::unsuspend(&connection, &owner.id).unwrap();
    devices::set_role(&connection, &owner.id, Role::Operator).unwrap();
    assert_eq!(pairs(12), Activated::NotInvited, "demoted");
    revoke(&connection, owner.id, SHELL, None, 70).unwrap();
    assert_eq!(pairs(12), Activated::NotInvited, "revoked");
    assert_eq!(devices::count(&connection).unwrap(), 2);
}

/// Whether the act that an owner stated before the change is done after it.
fn done_after(fall: impl Fn(&Connection, &DeviceRow)) -> bool {
    let connection = database();
    let (owner, other) = (device(&connection, 1, Role::Owner), device(&connection, 2, Role::Viewer));
    device(&connection, 3, Role::Owner);
    let key = PublicKey::from_bytes([7; 65]);
    assert!(devices::enrol(&connection, &owner.id, &key, crate::wire::ApprovalGuard::Lock, 5).unwrap());
    fall(&connection, &owner);
    let by = Authority::Owner { device: owner.id, name: owner.name, key: Some(key) };
    let change =
        DeviceChange { role: Some(Role::Owner), lift: true, forget_approval_key: true, ..lifetimes(None, None) };
    let outcome = set_by(&connection, other.id, &change, &by, 20);
    let row = devices::get(&connection, &other.id).unwrap().unwrap();
    assert_eq!(row.role == Role::Owner, outcome.is_ok());
    assert!(matches!(outcome, Ok(true) | Err(HostError::NotAnOwner)), "{outcome:?}");
    outcome.is_ok()
}

#[test]
fn what_an_owner_stated_is_done_only_while_it_stands_with_that_very_key() {
    assert!(done_after(|_, _| ()), "the control");
    assert!(!done_after(|connection, owner| devices::set_role(connection, &owner.id, Role::Operator).unwrap()));
    assert!(!done_after(|connection, owner| assert!(devices::suspend(connection, &owner.id, 9, "theft").unwrap())));
    assert!(!done_after(|connection, owner| devices::forget_approval_key(connection, &owner.id).unwrap()));
    assert!(!done_after(|connection, owner| {
        devices::forget_approval_key(connection, &owner.id).unwrap();
        let another = PublicKey::from_bytes([8; 65]);
        assert!(devices::enrol(connection, &owner.id, &another, crate::wire::ApprovalGuard::Lock, 9).unwrap());
    }));
    assert!(!done_after(|connection, owner| {
        revoke(connection, owner.id, SHELL, None, 9).unwrap();
    }));
}

/// Two owners that look first and write then, in whichever order: with the look in the statement one is left, and
/// with a look of its own before it none is.
#[test]
fn the_last_owner_is_kept_by_the_statement_and_not_by_a_look_before_it() {
    let owners = |guarded: bool| {
        let connection = database();
        let both = [device(&connection, 1, Role::Owner), device(&connection, 2, Role::Owner)];
        let looked: Vec<bool> = both.iter().map(|_| devices::owners(&connection).unwrap() > 1).collect();
        for (owner, another) in both.iter().zip(looked) {
            if guarded {
                devices::set_role_guarded(&connection, &owner.id, Role::Viewer).unwrap();
            } else if another {
                devices::set_role(&connection, &owner.id, Role::Viewer).unwrap();
            }
        }
        devices::owners(&connection).unwrap()
    };
    assert_eq!((owners(true), owners(false)), (1, 0));
}
