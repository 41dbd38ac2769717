//! Guessing gets nobody anywhere: of thousands of typed codes three are compared for each that is
//! live, and no answer's bytes or time tell what there is. The controls, a machine that counts no
//! tries and one that answers sooner where there is nothing, are in `panics.rs`.
//!
//! `cargo xtask guessing` runs the long form.

use std::env;
use std::time::Instant;

use pairpin_core::secrets::TypedCode;
use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::guess::{Answers, Questions, crowd, evaluated};
use pairpin_tests::machine::{Machine, Offer};
use pairpin_tests::peer::{Answer, Peer};

/// How often a code is opened again at the shell. Few enough for the audit log, which takes 60
/// failures an hour.
const REOPENED: usize = 12;
/// Codes, of the kind that does not open the door, until it closes: the last has one try.
const TRIES_UNTIL_CLOSED: [usize; 4] = [3, 3, 3, 1];

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn code_of(offer: &Offer) -> TypedCode {
    TypedCode::parse(offer.code()).unwrap()
}

#[test]
fn of_thousands_of_guesses_three_are_compared_for_each_code() {
    let guesses = number("PAIRPIN_GUESSES", 1000);
    let began = Instant::now();
    let machine = Machine::started();
    let refusal = block_on(async {
        match Peer::connect(machine.address).await.unwrap().ask_bytes(b"GET / HTTP/1.1\r\n\r\n").await.unwrap() {
            Answer::Stranger(head, 0) => head.raw,
            other => panic!("{other:?}"),
        }
    });
    let (mut spent, mut made, mut raced) = (0, 0, 0);
    let mut round = |offer: Option<&Offer>, wanted: usize| {
        let count = guesses.div_ceil(REOPENED + TRIES_UNTIL_CLOSED.len() + 1);
        let answers = crowd(machine.address, offer.map(code_of).as_ref(), count);
        let now = evaluated(&machine);
        assert_eq!(now - spent, wanted, "another number of guesses was compared: {answers:?}");
        raced += check(&answers, &refusal, count) - wanted;
        (spent, made) = (now, made + count);
    };
    for tries in TRIES_UNTIL_CLOSED {
        round(Some(&machine.offer(&[])), tries);
    }
    let closed = machine.offer(&[]);
    assert!(closed.record.get("code").is_none(), "the door is closed and there is a code: {}", closed.record);
    round(None, 0);
    for _ in 0..REOPENED {
        round(Some(&machine.offer(&["--code"])), 3);
    }
    println!(
        "{made} guesses in {:.1?}: {spent} compared over {} codes, {raced} came too late for a try",
        began.elapsed(),
        REOPENED + TRIES_UNTIL_CLOSED.len()
    );
    // The control: the right code is compared too, and holds.
    assert_eq!(machine.devices().len(), 0);
    let fresh = machine.offer(&["--code"]);
    Device::new().join_by_code(&machine.address.to_string(), fresh.code()).expect(0);
}

/// All answers are of the two shapes there are; gives how many confirmed their guess.
fn check(answers: &Answers, refusal: &str, count: usize) -> usize {
    assert!(answers.others.is_empty(), "{:?}", answers.others);
    assert!(answers.refusals.iter().all(|seen| seen == refusal), "another refusal: {:?}", answers.refusals);
    // Too late for a try, or wrong: the same close without a word.
    assert!(answers.closed.keys().all(|code| *code == Some(4005)), "{:?}", answers.closed);
    let confirmed = answers.closed.values().sum::<usize>();
    assert_eq!(answers.refused + confirmed, count);
    confirmed
}

/// Judged are differences of 30 µs, where the checking of one signature makes 50 or more, three times in
/// a row. Some microseconds are other paths of an unoptimised build; the long form judges the release build,
/// which has none to show, by a narrower bound.
#[test]
fn a_refusals_time_does_not_tell_what_there_is() {
    let pairs = number("PAIRPIN_PAIRS", 400);
    let judged = number("PAIRPIN_JUDGED_MICROS", 30) as f64;
    let machine = Machine::started();
    let questions = Questions::of(&machine);
    let mut told = Vec::new();
    for _ in 0..3 {
        let seen = questions.differences(machine.address, pairs, 3);
        for (what, difference) in &seen {
            println!("{what}: {:+.1} µs, t = {:.1}", difference.micros, difference.t);
        }
        told = seen.into_iter().filter(|(_, difference)| difference.is_told(judged)).collect();
        if told.is_empty() {
            return;
        }
    }
    panic!("the time of a refusal tells: {told:?}");
}
