//! What holds, and what is found in the broken twins.

use super::super::{holds, is_found, long};
use super::{Twin, Waiting};

fn waiting(twin: Twin) -> Waiting {
    Waiting { twin, joiners: 2, hosts: 2, numbers_before: 0, prompts_before: 0, passes: 2, lean: false }
}

/// Many joiners, who do little else.
fn crowd(twin: Twin) -> Waiting {
    Waiting { joiners: 4, hosts: 1, passes: 1, lean: true, ..waiting(twin) }
}

#[test]
fn nobody_is_let_in_but_by_its_own_scan_or_number_once_whatever_comes_between() {
    let one = Waiting { passes: if long() { 2 } else { 1 }, ..waiting(Twin::None) };
    assert!(holds("joins", &one).states > 1_000);
}

#[test]
fn three_slots_twenty_numbers_and_ten_prompts_hold_near_their_limits() {
    let crowd = crowd(Twin::None);
    let crowd = if long() { crowd } else { Waiting { passes: 0, ..crowd } };
    assert!(holds("joins, a crowd", &crowd).states > 1_000);
    let full = Waiting { numbers_before: 19, lean: !long(), ..waiting(Twin::None) };
    assert!(holds("joins near twenty numbers", &full).states > 1_000);
    let seen = Waiting { prompts_before: 9, lean: !long(), ..waiting(Twin::None) };
    assert!(holds("joins near ten prompts", &seen).states > 1_000);
}

#[test]
fn control_each_broken_twin_is_found() {
    is_found("slots that go with their joins", &crowd(Twin::SlotsGoWithTheirJoins), "three slots");
    let near = |twin| Waiting { numbers_before: 19, lean: true, ..waiting(twin) };
    is_found("numbers that are not counted", &near(Twin::NumbersAreFree), "twenty numbers");
    let near = |twin| Waiting { prompts_before: 9, lean: true, ..waiting(twin) };
    is_found("prompts that are not counted", &near(Twin::PromptsAreFree), "shown more");
    is_found("compares, then spends", &waiting(Twin::ComparesThenSpends), "second attempt");
    is_found("a wrong number may be typed again", &waiting(Twin::WrongNumbersAreFree), "second attempt");
    is_found("a number without a slot", &crowd(Twin::NumbersWithoutSlots), "without a slot");
    is_found("no time to acknowledge", &waiting(Twin::NoTimeToAcknowledge), "two minutes");
    is_found("silence is yes", &waiting(Twin::SilenceIsYes), "nobody let in");
    is_found("a restart keeps joins", &waiting(Twin::RestartKeeps), "no connection");
}
