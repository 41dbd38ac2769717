//! What holds, and each broken twin found.

use super::super::{holds, is_found, long};
use super::{Pairing, Twin};

#[test]
fn one_offer_makes_one_key_a_device_and_no_acknowledged_pairing_is_lost_in_any_order_of_events() {
    let all = if long() { vec![(3, 3, 1, 1), (2, 3, 2, 1), (3, 4, 1, 0)] } else { vec![(2, 2, 1, 1), (2, 2, 2, 0)] };
    for (lines, proofs, offers, mishaps) in all {
        let name =
            format!("pairing, {lines} connections, {proofs} Proofs, {offers} offers, {mishaps} mishaps of each kind");
        assert!(holds(&name, &Pairing::new(Twin::None, lines, proofs, offers, mishaps)).states > 1000);
    }
}

#[test]
fn control_an_offer_that_is_checked_and_then_marked_is_found_used_twice() {
    is_found("checks, then marks", &Pairing::new(Twin::ChecksThenMarks, 2, 2, 1, 0), "two keys");
}

#[test]
fn control_a_machine_that_answers_before_it_writes_is_found_to_lose_a_pairing() {
    is_found("answers first", &Pairing::new(Twin::AnswersFirst, 1, 1, 1, 0), "not on the disk");
}

#[test]
fn control_a_device_that_keeps_only_its_last_grant_is_found_locked_out() {
    is_found("overwrites", &Pairing::new(Twin::Overwrites, 2, 2, 1, 0), "no honest step");
}

#[test]
fn control_two_keys_of_recognition_for_one_device_are_found() {
    is_found("a fresh R each time", &Pairing::new(Twin::FreshR, 2, 2, 2, 0), "thief");
}
