//! Tests of [`super::offers`], beside it because they outgrew the file.

use std::time::Duration;

use proptest::prelude::*;

use super::offers::*;
use crate::handshake::MacKey;
use crate::identity::{DeviceId, PublicKey};
use crate::secrets::{KeyKind, RecognitionKey};
use crate::store::host::devices::PairedHow;
use crate::token::TokenHash;
use crate::wire::{OfferId, RefusalCode, limits};

const KEY: PublicKey = PublicKey::from_bytes([1; 65]);
const OTHER: PublicKey = PublicKey::from_bytes([2; 65]);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fresh(byte: u8) -> RecognitionKey {
    RecognitionKey::from_bytes([byte; 32])
}

fn grant(token: u8) -> ClaimGrant {
    let details = ClaimDetails {
        name: "phone".into(),
        platform: "Android".into(),
        key_kind: KeyKind::Hardware,
        how: PairedHow::Scan,
        from: [127, 0, 0, 1].into(),
        digits: None,
    };
    ClaimGrant { token: TokenHash::from_bytes([token; 32]), details }
}

fn minted(offers: &mut Offers, now: Duration) -> (OfferNumber, OfferId) {
    let request = OfferRequest { link: true, code: true, ..OfferRequest::default() };
    let minted = offers.mint(&request, now).unwrap();
    (minted.number, MacKey::of_offer(&minted.secret.unwrap()).offer_id())
}

fn refused(outcome: &ClaimOutcome) -> Option<(RefusalCode, bool)> {
    match outcome {
        ClaimOutcome::Refused { code, alarm, .. } => Some((*code, *alarm)),
        ClaimOutcome::Claimed { .. } => None,
    }
}

#[test]
fn an_offer_is_one_keys_and_the_same_key_may_try_again() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    let first = offers.claim(id, KEY, fresh(1), at(1));
    assert_eq!(first, ClaimOutcome::Claimed { number, recognition_key: fresh(1), again: false });
    let again = offers.claim(id, KEY, fresh(2), at(2));
    assert_eq!(again, ClaimOutcome::Claimed { number, recognition_key: fresh(1), again: true }, "R stays");
    let other = offers.claim(id, OTHER, fresh(3), at(3));
    assert_eq!(refused(&other), Some((RefusalCode::OfferUsed, true)));
}

#[test]
fn only_the_last_granted_token_acknowledges_and_only_once() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    offers.claim(id, KEY, fresh(1), at(1));
    assert!(offers.acknowledge(number, &TokenHash::from_bytes([1; 32]), at(1)).is_none(), "nothing granted yet");
    assert!(offers.granted(number, &KEY, grant(1)));
    assert!(offers.granted(number, &KEY, grant(2)));
    assert!(!offers.granted(number, &OTHER, grant(3)));
    assert!(offers.acknowledge(number, &TokenHash::from_bytes([1; 32]), at(2)).is_none(), "the old one is void");
    assert!(offers.acknowledge(number, &TokenHash::from_bytes([2; 32]), at(2)).is_some());
    assert!(offers.acknowledge(number, &TokenHash::from_bytes([2; 32]), at(2)).is_none());
    assert_eq!(refused(&offers.claim(id, KEY, fresh(1), at(3))), Some((RefusalCode::OfferUsed, false)), "its own");
    assert_eq!(refused(&offers.claim(id, OTHER, fresh(1), at(3))), Some((RefusalCode::OfferUsed, true)));
}

#[test]
fn an_unacknowledged_claim_ends_and_leaves_nothing() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    offers.claim(id, KEY, fresh(1), at(100));
    offers.granted(number, &KEY, grant(1));
    assert!(offers.claim_of(DeviceId::of(&KEY), &grant(1).token, at(101)).is_some());
    // A valid Proof gives 60 s, once: coming again does not give more.
    offers.claim(id, KEY, fresh(1), at(159));
    assert!(offers.acknowledge(number, &TokenHash::from_bytes([1; 32]), at(160)).is_none());
    assert!(offers.claim_of(DeviceId::of(&KEY), &grant(1).token, at(160)).is_none());
    assert_eq!(refused(&offers.claim(id, OTHER, fresh(1), at(161))), Some((RefusalCode::OfferExpired, false)));
}

#[test]
fn a_preview_gives_a_minute_more_once() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    assert_eq!(offers.preview(id, at(10)).unwrap().ends, at(120), "there is time enough");
    let (late, late_id) = minted(&mut offers, at(0));
    assert_eq!(offers.preview(late_id, at(119)).unwrap().ends, at(179));
    assert_eq!(offers.preview(late_id, at(178)).unwrap().ends, at(179));
    assert_eq!(offers.expire(at(120)), [number]);
    assert_eq!(offers.expire(at(179)), [late]);
    assert_eq!(offers.preview(late_id, at(180)).err(), Some(RefusalCode::OfferExpired));
}

#[test]
fn a_spent_offer_names_its_cause_for_a_day() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    offers.withdraw(number, at(5));
    assert!(matches!(offers.find(id, at(6)), Some(Found::Spent(_))));
    assert_eq!(refused(&offers.claim(id, KEY, fresh(1), at(6))), Some((RefusalCode::OfferWithdrawn, false)));
    assert!(offers.find(id, at(5) + limits::SPENT_OFFER_TIME).is_none());
}

#[test]
fn one_code_is_live_at_a_time_and_a_claim_spends_link_and_code() {
    let mut offers = Offers::default();
    let (first, first_id) = minted(&mut offers, at(0));
    let (second, _) = minted(&mut offers, at(0));
    assert_eq!(offers.code(at(1)).unwrap().0, second);
    assert!(offers.preview(first_id, at(1)).is_ok(), "the older link lives on");
    offers.claim_number(second, KEY, fresh(1), at(1));
    offers.granted(second, &KEY, grant(1));
    offers.acknowledge(second, &TokenHash::from_bytes([1; 32]), at(2)).unwrap();
    assert!(offers.code(at(2)).is_none());
    assert!(offers.get(first).is_some());
}

#[test]
fn a_key_that_has_used_two_offers_comes_back_under_either_token() {
    let mut offers = Offers::default();
    let used: Vec<(OfferNumber, OfferId)> = (0..3).map(|_| minted(&mut offers, at(0))).collect();
    for (token, (number, id)) in (1..).zip(&used) {
        offers.claim(*id, KEY, fresh(1), at(0));
        assert!(offers.granted(*number, &KEY, grant(token)));
    }
    for (token, (number, _)) in (1..).zip(&used) {
        let found = offers.claim_of(DeviceId::of(&KEY), &grant(token).token, at(1));
        assert_eq!(found.map(|(found, _)| found), Some(*number));
    }
    assert!(offers.claim_of(DeviceId::of(&KEY), &grant(9).token, at(1)).is_some(), "its key is known all the same");
}

#[test]
fn what_strangers_or_scripts_can_make_grow_is_bounded() {
    let mut offers = Offers::default();
    let request = OfferRequest { link: true, ..OfferRequest::default() };
    for _ in 0..limits::OFFERS {
        offers.mint(&request, at(0)).unwrap();
    }
    assert_eq!(offers.mint(&request, at(0)).err(), Some(MintError::TooMany));
    let short = OfferRequest { lifetime: Some(at(1)), ..request };
    assert_eq!(Offers::default().mint(&short, at(0)).err(), Some(MintError::Lifetime));
}

proptest! {
    /// Whatever comes in whatever order, at most one key ever gets an acknowledgement through.
    #[test]
    fn at_most_one_key_is_ever_paired_by_an_offer(steps in prop::collection::vec((0u8..4, 0u8..3, 0u64..200), 1..40)) {
        let mut offers = Offers::default();
        let (number, id) = minted(&mut offers, at(0));
        let mut now = 0;
        let mut paired = Vec::new();
        for (step, who, wait) in steps {
            now += wait / 10;
            let key = PublicKey::from_bytes([who; 65]);
            match step {
                0 => { let _ = offers.preview(id, at(now)); }
                1 => { offers.claim(id, key, fresh(who), at(now)); }
                2 => { offers.granted(number, &key, grant(who)); }
                _ => {
                    if let Some((_, claim)) = offers.acknowledge(number, &TokenHash::from_bytes([who; 32]), at(now)) {
                        prop_assert_eq!(claim.key, key);
                        paired.push(who);
                    }
                }
            }
        }
        prop_assert!(paired.len() <= 1);
    }
}

#[test]
fn a_lifetime_is_from_ten_seconds_to_ten_minutes() {
    let (least, most) = (limits::OFFER_TIME_MIN, limits::OFFER_TIME_MAX);
    let short = Duration::from_millis(1);
    for (lifetime, made) in [(least - short, false), (least, true), (most, true), (most + short, false)] {
        let request = OfferRequest { link: true, lifetime: Some(lifetime), ..OfferRequest::default() };
        assert_eq!(Offers::default().mint(&request, at(0)).is_ok(), made, "{lifetime:?}");
    }
}

#[test]
fn a_code_that_was_confirmed_gives_a_minute_to_say_yes_once() {
    let mut offers = Offers::default();
    let request = OfferRequest { code: true, ..OfferRequest::default() };
    let number = offers.mint(&request, at(0)).unwrap().number;
    offers.extend_for_answer(number, at(299));
    assert!(offers.code(at(358)).is_some());
    offers.extend_for_answer(number, at(358));
    assert!(offers.code(at(359)).is_none());
}

/// Spends every try of an offer's code on wrong ones.
fn burn(offers: &mut Offers, number: OfferNumber, now: Duration) {
    while let Some(wrong) = offers.spend_try(number, now) {
        offers.try_failed(wrong, now);
    }
}

#[test]
fn a_burnt_code_takes_an_offer_that_was_nothing_else_and_leaves_a_link() {
    let mut offers = Offers::default();
    let (number, id) = minted(&mut offers, at(0));
    burn(&mut offers, number, at(1));
    assert!(offers.code(at(1)).is_none());
    assert!(offers.preview(id, at(1)).is_ok(), "the link lives on");
    let alone = offers.mint(&OfferRequest { code: true, ..OfferRequest::default() }, at(1)).unwrap().number;
    assert_eq!(offers.code(at(1)).map(|(number, _)| number), Some(alone));
    burn(&mut offers, alone, at(2));
    assert!(offers.code(at(2)).is_none());
    assert_eq!(offers.withdraw(alone, at(2)), Withdrawal::NoOffer);
}

#[test]
fn what_is_put_back_is_not_spent_and_what_others_used_stays_so() {
    let mut offers = Offers::default();
    let mut used = |key: PublicKey| {
        let (number, id) = minted(&mut offers, at(0));
        offers.claim(id, key, fresh(1), at(1));
        assert!(offers.granted(number, &key, grant(1)));
        (number, offers.acknowledge(number, &TokenHash::from_bytes([1; 32]), at(2)).unwrap())
    };
    let (first, (offer, claim)) = used(KEY);
    let (second, _) = used(OTHER);
    let device = |key: &PublicKey| DeviceId::of(key);
    assert!(offers.is_spent_by(device(&KEY)) && offers.is_spent_by(device(&OTHER)));
    assert!(offers.put_back(offer, Some(claim)));
    assert_eq!((offers.used_by(first), offers.used_by(second)), (None, Some(OTHER)));
    assert!(!offers.is_spent_by(device(&KEY)) && offers.is_spent_by(device(&OTHER)));
    assert!(offers.claim_of(device(&KEY), &grant(1).token, at(2)).is_some());
}

#[test]
fn what_is_withdrawn_while_it_is_written_stays_withdrawn_if_that_fails() {
    let mut offers = Offers::default();
    let used = |offers: &mut Offers| {
        let (number, id) = minted(offers, at(0));
        offers.claim(id, KEY, fresh(1), at(1));
        assert!(offers.granted(number, &KEY, grant(1)));
        let taken = offers.acknowledge(number, &grant(1).token, at(2)).unwrap();
        assert_eq!(offers.outstanding(), [number]);
        (number, id, taken)
    };
    let withdrawn = Some((RefusalCode::OfferWithdrawn, false));
    for claim_stands in [true, false] {
        let (number, id, (offer, claim)) = used(&mut offers);
        assert_eq!(offers.withdraw(number, at(3)), Withdrawal::InUse);
        assert_eq!(offers.withdraw(number, at(3)), Withdrawal::InUse, "again is no other matter");
        assert!(!offers.put_back(offer, Some(claim).filter(|_| claim_stands)));
        assert!(offers.get(number).is_none() && offers.used_by(number).is_none());
        assert!(offers.claim_of(DeviceId::of(&KEY), &grant(1).token, at(4)).is_none());
        for key in [KEY, OTHER] {
            assert_eq!(refused(&offers.claim(id, key, fresh(2), at(4))), withdrawn);
        }
        assert_eq!(offers.withdraw(number, at(4)), Withdrawal::NoOffer);
    }
    // Written, it is used, whatever was wished meanwhile.
    let (number, id, _) = used(&mut offers);
    assert_eq!(offers.withdraw(number, at(3)), Withdrawal::InUse);
    offers.written(number);
    assert_eq!(refused(&offers.claim(id, OTHER, fresh(2), at(4))), Some((RefusalCode::OfferUsed, true)));
    assert_eq!(offers.withdraw(number, at(4)), Withdrawal::NoOffer);
    assert!(offers.outstanding().is_empty());
}
