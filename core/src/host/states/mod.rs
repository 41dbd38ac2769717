//! The parts of pairpin that remember, explored state by state: offers, typed codes, joins, the
//! rotation of tokens. `docs/evidence/states.md` says what is claimed and what was found.
//!
//! The steps of each model are the real code: [`Offers`], the real joins, the real judge, the transactions over
//! real SQLite, the device's real record. Between them every interleaving, loss and crash is tried. Each model has broken
//! twins, and each twin must be found by the same exploration. `PAIRPIN_STATES=long` (`cargo xtask states`)
//! widens the bounds.

mod codes;
mod disk;
mod explorer;
mod joins;
mod pairing;
mod rotation;

use std::sync::LazyLock;
use std::time::Duration;

use super::offers::{ClaimDetails, ClaimGrant, OfferRequest, Offers};
use crate::clock::UnixMillis;
use crate::identity::PublicKey;
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::host::devices::PairedHow;
use crate::token::{SessionToken, TokenHash};
use crate::wire::OfferId;
use explorer::{Model, Report, explore};

/// The wall clock in every model; what was before is told by its age.
const NOW: UnixMillis = 1_800_000_000_000;

/// More states than this are a mistake of the model's.
const LIMIT: usize = 20_000_000;

fn long() -> bool {
    std::env::var("PAIRPIN_STATES").is_ok_and(|value| value == "long")
}

/// Tokens are small numbers in a model, and real tokens wherever real code sees them.
fn token(number: u8) -> SessionToken {
    SessionToken::from_bytes([number; 32])
}

static HASHES: LazyLock<Vec<TokenHash>> =
    LazyLock::new(|| (0..64).map(|number| TokenHash::of(&token(number))).collect());

fn hash_of(number: u8) -> TokenHash {
    HASHES[usize::from(number)]
}

fn number_of(hash: &TokenHash) -> u8 {
    u8::try_from(HASHES.iter().position(|known| known == hash).unwrap()).unwrap()
}

fn key_of(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 65])
}

fn r_of(number: u8) -> RecognitionKey {
    RecognitionKey::from_bytes([number; 32])
}

/// A machine with one live offer, number 1.
fn offers_with_link() -> (Offers, OfferId) {
    let mut offers = Offers::default();
    let request = OfferRequest { link: true, ..OfferRequest::default() };
    let minted = offers.mint(&request, Duration::ZERO).unwrap();
    let id = crate::handshake::MacKey::of_offer(&minted.secret.unwrap()).offer_id();
    (offers, id)
}

fn grant_of(token: u8) -> ClaimGrant {
    let details = ClaimDetails {
        name: "phone".into(),
        platform: "test".into(),
        key_kind: KeyKind::File,
        how: PairedHow::Scan,
        from: [127, 0, 0, 1].into(),
        digits: None,
    };
    ClaimGrant { token: hash_of(token), details }
}

/// Explores what should hold, and says how much that was.
#[track_caller]
fn holds<M: Model>(name: &str, model: &M) -> Report {
    let report = explore(model, LIMIT);
    println!("{name}: {} states, {} steps, depth {}", report.states, report.steps, report.depth);
    if let Some(found) = &report.found {
        panic!("{name}: {}\n  {}", found.what, found.path.join("\n  "));
    }
    report
}

/// Explores a broken twin, which must be found.
#[track_caller]
fn is_found<M: Model>(name: &str, model: &M, what: &str) {
    let report = explore(model, LIMIT);
    let found = report.found.unwrap_or_else(|| panic!("{name} was not found in {} states", report.states));
    println!("{name}: found after {} states: {}\n  {}", report.states, found.what, found.path.join("\n  "));
    assert!(found.what.contains(what), "{name}: {what:?} was expected");
}
