//! Tests of [`super::joins`], beside it because they outgrew the file: each limit alone, and random histories
//! against what must hold after every step, for the rules and for twins of them that are broken on purpose.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::authority::Authority;
use super::joins::*;
use crate::handshake::JoinFacts;
use crate::identity::PublicKey;
use crate::role::Role;
use crate::token::TokenHash;
use crate::wire::{AddressKind, DenyThen, JoinEnd, JoinHow, JoinId, JoinNumber, JoinTranscript, limits};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn id(number: u64) -> JoinId {
    let mut bytes = [0; 5];
    bytes.copy_from_slice(&number.to_be_bytes()[3..]);
    JoinId::from_bytes(bytes)
}

fn address(host: u8) -> IpAddr {
    Ipv4Addr::new(192, 168, 1, host).into()
}

fn source(host: u8) -> Source {
    Source::of(address(host))
}

fn asker(host: u8) -> Asker {
    Asker {
        key: PublicKey::from_bytes([host; 65]),
        name: "laptop".into(),
        platform: "Fedora".into(),
        from: address(host),
        network: AddressKind::Lan,
        same_network: true,
        asked_at: 0,
    }
}

fn facts(number: u64) -> JoinFacts {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    JoinFacts::of_transcript(JoinTranscript::from_bytes(bytes))
}

fn yes(how: JoinHow) -> LetInAs {
    LetInAs {
        by: Authority::Console("shell".into()),
        how,
        role: Role::Operator,
        role_by_default: false,
        name: None,
        absolute_seconds: None,
    }
}

fn number_of(number: u64) -> LetInAs {
    yes(JoinHow::Number(facts(number).number()))
}

fn wrong_number(number: u64) -> LetInAs {
    let right = facts(number).number().digits();
    let other = if right.starts_with('0') { "1" } else { "0" };
    yes(JoinHow::Number(JoinNumber::parse(&format!("{other}{}", &right[1..])).unwrap()))
}

/// A join that people are shown, from a host of its own unless said otherwise.
fn shown(joins: &mut Joins, number: u64, host: u8, now: Duration) -> Option<Begun> {
    let begun = joins.begin(id(number), source(host), now)?;
    joins.show(id(number), asker(host), facts(number), now).then_some(begun)
}

fn waiting(joins: &mut Joins, now: Duration) -> Vec<JoinId> {
    joins.pending(now).iter().map(|pending| pending.id).collect()
}

#[test]
fn the_number_lets_in_once_and_a_wrong_one_is_a_no() {
    let mut joins = Joins::default();
    shown(&mut joins, 1, 1, at(0)).unwrap();
    shown(&mut joins, 2, 2, at(0)).unwrap();
    assert!(matches!(joins.accept(id(1), wrong_number(1), at(1)), Err(NotLetIn::Wrong)));
    assert!(matches!(joins.accept(id(1), number_of(1), at(1)), Err(NotLetIn::Gone)), "one attempt");
    assert!(matches!(joins.fate(id(1), at(1)), Fate::Gone));
    assert_eq!(joins.end_of(id(1)), JoinEnd::Denied);
    assert!(joins.accept(id(2), number_of(2), at(1)).is_ok(), "the control");
    assert!(matches!(joins.accept(id(2), number_of(2), at(1)), Err(NotLetIn::Gone)), "twice");
}

#[test]
fn a_scan_lets_in_without_a_slot_and_only_by_the_machines_own_transcript() {
    let mut joins = Joins::default();
    for number in 1..=4 {
        let begun = shown(&mut joins, number, number as u8, at(0)).unwrap();
        assert_eq!(begun.slot, number <= limits::JOIN_SLOTS as u64);
    }
    assert!(
        matches!(joins.accept(id(4), number_of(4), at(1)), Err(NotLetIn::Wrong)),
        "there is no number without a slot"
    );
    assert!(joins.accept(id(3), yes(JoinHow::Scan(facts(3).transcript())), at(1)).is_ok());
    assert!(matches!(joins.accept(id(2), yes(JoinHow::Scan(facts(1).transcript())), at(1)), Err(NotLetIn::Wrong)));
}

#[test]
fn a_slot_is_held_for_its_ten_minutes_whatever_becomes_of_its_join() {
    let mut joins = Joins::default();
    for number in 1..=3 {
        assert!(shown(&mut joins, number, number as u8, at(0)).unwrap().slot);
    }
    assert!(joins.leave(id(1)), "aborted");
    assert_eq!(joins.deny(id(2), None, at(1)), [id(2)], "denied");
    let _ = joins.accept(id(3), wrong_number(3), at(1));
    assert!(!joins.begin(id(4), source(4), at(2)).unwrap().slot);
    assert!(!joins.begin(id(5), source(5), at(599)).unwrap().slot);
    assert!(joins.begin(id(6), source(6), limits::JOIN_TIME).unwrap().slot);
}

#[test]
fn twenty_numbers_are_begun_in_an_hour_and_no_more() {
    let mut joins = Joins::default();
    let (mut begun, mut now) = (0, at(0));
    for number in 0..60_u64 {
        // Never shown, so no prompt is spent: only the count of numbers holds.
        begun += u32::from(joins.begin(id(number), source(number as u8), now).unwrap().slot);
        joins.leave(id(number));
        now += at(59);
    }
    // Three at a time for ten minutes each is eighteen in an hour: the slots hold first.
    assert_eq!(begun, 18);
    let mut joins = Joins::default();
    let counts = (0..40_u64).filter(|number| {
        let slot = joins.begin(id(*number), source(*number as u8), at(0)).unwrap().slot;
        joins.leave(id(*number));
        joins.forget_slots();
        slot
    });
    assert_eq!(counts.count(), limits::JOIN_NUMBERS_AN_HOUR, "and without them the count does");
    assert!(!joins.begin(id(98), source(98), at(3_599)).unwrap().slot);
    assert!(joins.begin(id(99), source(99), at(3_600)).unwrap().slot);
}

#[test]
fn a_thousand_requests_are_three_prompts_from_a_source_and_ten_in_all() {
    let mut joins = Joins::default();
    let mut prompts = vec![0; 256];
    for number in 0..1_000_u64 {
        let (host, now) = ((number % 200) as u8, at(number * 3));
        prompts[usize::from(host)] += usize::from(shown(&mut joins, number, host, now).is_some());
        joins.leave(id(number));
    }
    assert_eq!(prompts.iter().sum::<usize>(), limits::JOIN_PROMPTS);
    let mut joins = Joins::default();
    let one = (0..1_000).filter(|number| shown(&mut joins, *number, 1, at(*number)).is_some()).count();
    assert_eq!(one, limits::JOIN_PROMPTS_PER_SOURCE);
    assert!(shown(&mut joins, 2_000, 1, at(3_599)).is_none());
    assert!(shown(&mut joins, 2_001, 1, at(3_602)).is_some(), "an hour later");
}

#[test]
fn who_will_not_be_shown_takes_no_slot() {
    let mut joins = Joins::default();
    for number in 0..3 {
        assert!(shown(&mut joins, number, 1, at(0)).is_some());
        joins.leave(id(number));
    }
    joins.forget_slots();
    assert!(!joins.begin(id(4), source(1), at(1)).unwrap().slot);
    assert!(joins.begin(id(5), source(2), at(1)).unwrap().slot, "the control");
}

#[test]
fn the_fifth_of_a_source_costs_its_oldest_and_the_thirty_third_the_oldest_of_the_busiest() {
    let mut joins = Joins::default();
    for number in 0..5 {
        joins.begin(id(number), source(1), at(number)).unwrap();
    }
    assert!(!joins.has_place(id(0), at(5)) && joins.has_place(id(1), at(5)));
    let mut number = 10;
    while joins.len() < limits::JOINS {
        joins.begin(id(number), source(number as u8), at(6)).unwrap();
        number += 1;
    }
    joins.begin(id(100), source(100), at(7)).unwrap();
    assert_eq!(joins.len(), limits::JOINS);
    assert!(!joins.has_place(id(1), at(7)), "the oldest of the busiest");
    assert!((10..number).all(|other| joins.has_place(id(other), at(7))));
}

#[test]
fn no_crowd_takes_a_join_off_the_screen() {
    // From everywhere at once, each but once, so that none is busier than the one that is shown.
    let mut joins = Joins::default();
    shown(&mut joins, 1, 1, at(0)).unwrap();
    for number in 0..200_u64 {
        joins.begin(id(1_000 + number), source(10 + number as u8), at(1)).unwrap();
    }
    assert_eq!((waiting(&mut joins, at(2)), joins.len()), (vec![id(1)], limits::JOINS));
    // From its own source, as all of a network are one by IPv6.
    let mut joins = Joins::default();
    shown(&mut joins, 1, 1, at(0)).unwrap();
    shown(&mut joins, 2, 1, at(0)).unwrap();
    for number in 0..200_u64 {
        joins.begin(id(1_000 + number), source(1), at(1)).unwrap();
    }
    assert_eq!((waiting(&mut joins, at(2)), joins.len()), (vec![id(1), id(2)], limits::JOINS_PER_SOURCE));
    assert!(joins.accept(id(1), number_of(1), at(2)).is_ok());
    // The control: of those that have only committed the newest are there.
    assert!(joins.has_place(id(1_199), at(2)) && !joins.has_place(id(1_000), at(2)));
}

#[test]
fn an_ipv6_subscriber_is_one_source() {
    let of = |text: &str| Source::of(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_ne!(of("192.168.1.1"), of("192.168.1.2"));
    assert_eq!(of("::ffff:192.168.1.1"), of("192.168.1.1"));
}

#[test]
fn nobody_is_let_in_after_ten_minutes_and_nobody_acknowledges_after_two() {
    let mut joins = Joins::default();
    let token = TokenHash::from_bytes([1; 32]);
    shown(&mut joins, 1, 1, at(0)).unwrap();
    assert!(matches!(joins.accept(id(1), number_of(1), limits::JOIN_TIME), Err(NotLetIn::Gone)));
    shown(&mut joins, 2, 2, at(1_000)).unwrap();
    joins.accept(id(2), number_of(2), at(1_599)).unwrap();
    assert!(joins.acknowledge(id(2), &token, at(1_600)).is_none(), "nothing is granted yet");
    assert!(joins.granted(id(2), token));
    assert!(!joins.granted(id(2), TokenHash::from_bytes([2; 32])), "one Grant");
    assert!(joins.acknowledge(id(2), &TokenHash::from_bytes([2; 32]), at(1_600)).is_none(), "another token");
    // Its ten minutes do not count any more, its two do.
    assert!(matches!(joins.fate(id(2), at(1_601)), Fate::Accepted(_)));
    assert!(joins.acknowledge(id(2), &token, at(1_599) + limits::JOIN_ACKNOWLEDGE_TIME).is_none());
    shown(&mut joins, 3, 3, at(2_000)).unwrap();
    joins.accept(id(3), number_of(3), at(2_001)).unwrap();
    assert!(joins.granted(id(3), token));
    assert!(joins.acknowledge(id(3), &token, at(2_002)).is_some());
    assert!(joins.acknowledge(id(3), &token, at(2_002)).is_none(), "once");
}

#[test]
fn a_word_about_the_source_or_all_keeps_them_out_for_an_hour() {
    let mut joins = Joins::default();
    for (number, host) in [(1, 1), (2, 1), (3, 2), (4, 3)] {
        shown(&mut joins, number, host, at(0)).unwrap();
    }
    assert_eq!(joins.deny(id(1), Some(DenyThen::BlockSource), at(1)), [id(1), id(2)], "its other one too");
    assert_eq!(waiting(&mut joins, at(1)), [id(3), id(4)]);
    assert!(joins.begin(id(5), source(1), at(3_600)).is_none() && joins.begin(id(6), source(2), at(2)).is_some());
    assert!(joins.begin(id(7), source(1), at(3_601)).is_some());
    shown(&mut joins, 8, 4, at(4_000)).unwrap();
    assert_eq!(joins.deny(id(8), Some(DenyThen::Close), at(4_001)), [id(8)]);
    assert!(joins.begin(id(9), source(9), at(7_600)).is_none());
    assert!(joins.begin(id(9), source(9), at(7_601)).is_some());
    assert!(joins.deny(id(99), Some(DenyThen::Close), at(7_602)).is_empty(), "no join, no word");
    assert!(joins.begin(id(10), source(10), at(7_603)).is_some());
}

#[test]
fn at_the_cap_of_all_the_busiest_pays_wherever_it_stands_and_of_equals_the_first() {
    let mut joins = Joins::default();
    for number in 0..limits::JOINS as u64 {
        joins.begin(id(number), source(number as u8), at(0)).unwrap();
    }
    joins.begin(id(100), source(100), at(1)).unwrap();
    assert!(!joins.has_place(id(0), at(1)), "of equals the first");

    let mut joins = Joins::default();
    for number in 0..28 {
        joins.begin(id(number), source(number as u8), at(0)).unwrap();
    }
    // Somebody has let the busy one's first in: that one keeps its place.
    shown(&mut joins, 28, 200, at(0)).unwrap();
    let scan = yes(JoinHow::Scan(facts(28).transcript()));
    joins.accept(id(28), scan, at(0)).unwrap();
    for number in 29..32 {
        joins.begin(id(number), source(200), at(0)).unwrap();
    }
    joins.begin(id(100), source(100), at(1)).unwrap();
    let gone: Vec<u64> = (0..32).filter(|number| !joins.has_place(id(*number), at(1))).collect();
    assert_eq!(gone, [29], "the oldest of the busiest that nobody has let in");
}

#[test]
fn every_blocked_source_stays_out_and_of_too_many_the_first_is_let_go() {
    let mut joins = Joins::default();
    let blocked = limits::JOINS_BLOCKED as u8;
    for host in 0..=blocked {
        shown(&mut joins, host.into(), host, at(0)).unwrap();
        assert_eq!(joins.deny(id(host.into()), Some(DenyThen::BlockSource), at(0)), [id(host.into())]);
        joins.forget_prompts();
    }
    let kept_out = (0..=blocked).filter(|host| joins.begin(id(200), source(*host), at(1)).is_none());
    assert_eq!(kept_out.collect::<Vec<u8>>(), (1..=blocked).collect::<Vec<u8>>());
}

#[test]
fn who_leaves_takes_the_word_about_itself_along_and_nobody_elses() {
    let mut joins = Joins::default();
    for number in [1, 2] {
        shown(&mut joins, number, number as u8, at(0)).unwrap();
        joins.deny(id(number), None, at(0));
    }
    joins.leave(id(1));
    assert_eq!((joins.end_of(id(1)), joins.end_of(id(2))), (JoinEnd::Over, JoinEnd::Denied));
}

/// What somebody does in a random history.
#[derive(Debug, Clone)]
enum Step {
    Begin { host: u8 },
    Show { which: u64 },
    Leave { which: u64 },
    Deny { which: u64 },
    Accept { which: u64, right: bool, scan: bool },
    Pass { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0..12_u64;
    let step = prop_oneof![
        4 => (0..6_u8).prop_map(|host| Step::Begin { host }),
        4 => which.clone().prop_map(|which| Step::Show { which }),
        1 => which.clone().prop_map(|which| Step::Leave { which }),
        1 => which.clone().prop_map(|which| Step::Deny { which }),
        3 => (which, any::<bool>(), any::<bool>())
            .prop_map(|(which, right, scan)| Step::Accept { which, right, scan }),
        2 => (0..900_u64).prop_map(|seconds| Step::Pass { seconds }),
    ];
    prop::collection::vec(step, 1..200)
}

/// Rules that are broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    None,
    /// A slot is free as soon as its join is gone.
    SlotsGoWithTheirJoins,
    /// A wrong number may be tried again.
    WrongNumbersAreFree,
    /// Prompts are not counted.
    PromptsAreFree,
}

/// Runs a history; what was violated, if anything was.
fn run(steps: &[Step], twin: Twin) -> Result<(), &'static str> {
    let (mut joins, mut now, mut next) = (Joins::default(), at(0), 0_u64);
    let (mut slots, mut prompts, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    let mut of: Vec<(JoinId, u8)> = Vec::new();
    let pick = |of: &[(JoinId, u8)], which: u64| of.iter().rev().nth(which as usize).copied();
    for step in steps {
        match step {
            Step::Begin { host } => {
                next += 1;
                if let Some(begun) = joins.begin(id(next), source(*host), now) {
                    of.push((id(next), *host));
                    if begun.slot {
                        slots.push(now);
                    }
                }
            }
            Step::Show { which } => {
                if let Some((join, host)) = pick(&of, *which)
                    && joins.show(join, asker(host), facts(number(join)), now)
                {
                    prompts.push((now, host));
                }
            }
            Step::Leave { which } => {
                if let Some((join, _)) = pick(&of, *which) {
                    joins.leave(join);
                }
            }
            Step::Deny { which } => {
                if let Some((join, _)) = pick(&of, *which) {
                    joins.deny(join, None, now);
                }
            }
            Step::Accept { which, right, scan } => {
                if let Some((join, host)) = pick(&of, *which) {
                    let before = joins.find(join, now);
                    let what = match (scan, right) {
                        (true, true) => yes(JoinHow::Scan(facts(number(join)).transcript())),
                        (true, false) => yes(JoinHow::Scan(facts(number(join) + 1_000).transcript())),
                        (false, true) => number_of(number(join)),
                        (false, false) => wrong_number(number(join)),
                    };
                    let outcome = joins.accept(join, what, now);
                    if outcome.is_ok() && (!right || before.as_ref().is_none_or(|it| !scan && !it.slot)) {
                        return Err("let in by what is not its own");
                    }
                    if !matches!(outcome, Err(NotLetIn::Gone)) {
                        if attempts.contains(&join) {
                            return Err("a second attempt");
                        }
                        attempts.push(join);
                    }
                    if twin == Twin::WrongNumbersAreFree && matches!(outcome, Err(NotLetIn::Wrong)) {
                        joins.put_back(join, source(host), asker(host), facts(number(join)), now);
                    }
                }
            }
            Step::Pass { seconds } => now += at(*seconds),
        }
        match twin {
            Twin::SlotsGoWithTheirJoins => joins.free_slots_of_gone(),
            Twin::PromptsAreFree => joins.forget_prompts(),
            Twin::None | Twin::WrongNumbersAreFree => {}
        }
        let hour = |then: Duration| then + at(3_600) > now;
        if slots.iter().filter(|begun| **begun + limits::JOIN_TIME > now).count() > limits::JOIN_SLOTS {
            return Err("too many slots");
        }
        if slots.iter().filter(|begun| hour(**begun)).count() > limits::JOIN_NUMBERS_AN_HOUR {
            return Err("too many numbers");
        }
        let lately: Vec<u8> = prompts.iter().filter(|(then, _)| hour(*then)).map(|(_, host)| *host).collect();
        let of_one = (0..6).map(|host| lately.iter().filter(|other| **other == host).count()).max().unwrap_or(0);
        if lately.len() > limits::JOIN_PROMPTS || of_one > limits::JOIN_PROMPTS_PER_SOURCE {
            return Err("too many prompts");
        }
        if joins.len() > limits::JOINS {
            return Err("too many wait");
        }
    }
    Ok(())
}

fn number(join: JoinId) -> u64 {
    join.as_bytes().iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

proptest! {
    #[test]
    fn no_history_breaks_a_limit(steps in steps()) {
        prop_assert_eq!(run(&steps, Twin::None), Ok(()));
    }
}

#[test]
fn control_each_broken_twin_is_found() {
    for (twin, wanted) in [
        (Twin::SlotsGoWithTheirJoins, "too many slots"),
        (Twin::WrongNumbersAreFree, "a second attempt"),
        (Twin::PromptsAreFree, "too many prompts"),
    ] {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let found = (0..2_000).any(|_| {
            let history = steps().new_tree(&mut runner).unwrap().current();
            run(&history, twin) == Err(wanted)
        });
        assert!(found, "{twin:?} was not found");
    }
}
