//! What holds, and each broken twin found.

use super::super::{holds, is_found, long};
use super::{Rotation, Twin};

/// Connections at once, and runs of a pairing among them.
fn bounds() -> Vec<(usize, usize)> {
    if long() { vec![(2, 2), (3, 1)] } else { vec![(2, 2)] }
}

#[test]
fn tokens_rotate_and_no_order_of_events_locks_an_honest_device_out_or_makes_it_a_thief() {
    for (lines, scans) in bounds() {
        let model = Rotation::new(Twin::None, lines, scans);
        let report = holds(&format!("rotation, {lines} connections, {scans} scans"), &model);
        println!("  {} different transactions of SQLite", model.sqlite.transactions());
        assert!(report.states > 1000);
    }
}

#[test]
fn control_a_device_that_chooses_its_token_before_it_dials_is_found_suspended() {
    is_found("chooses, then dials", &Rotation::new(Twin::ChoosesThenDials, 2, 0), "suspended as a thief");
}

#[test]
fn control_a_device_that_overwrites_its_old_token_is_found_locked_out() {
    is_found("overwrites", &Rotation::new(Twin::Overwrites, 1, 1), "no honest step");
}

#[test]
fn control_a_device_that_keeps_two_tokens_of_overlapping_runs_is_found() {
    is_found("keeps two", &Rotation::new(Twin::KeepsTwo, 2, 2), "suspended as a thief");
}

#[test]
fn control_a_promotion_that_leaves_the_other_pending_token_is_found() {
    is_found("promotes alone", &Rotation::new(Twin::PromotesAlone, 2, 0), "another pending");
}

#[test]
fn control_a_machine_that_answers_before_it_writes_is_found() {
    is_found("answers first", &Rotation::new(Twin::AnswersFirst, 2, 1), "not on the disk");
}

#[test]
fn control_a_machine_without_grace_for_replaced_tokens_is_found() {
    is_found("no grace", &Rotation::new(Twin::NoGrace, 2, 0), "suspended as a thief");
}

#[test]
fn control_a_machine_whose_grants_do_not_say_which_token_is_current_is_found() {
    is_found("says no current", &Rotation::new(Twin::SaysNoCurrent, 1, 1), "suspended as a thief");
}

#[test]
fn control_a_machine_that_takes_a_void_grant_for_a_failure_of_its_disk_is_found() {
    is_found("void is failure", &Rotation::new(Twin::VoidIsFailure, 1, 1), "no honest step");
}
