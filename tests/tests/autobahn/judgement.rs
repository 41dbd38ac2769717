//! Which cases are left out, each with its reason, and what is well. Used by the tests in `main`.

use super::suite::{Verdict, Verdicts};

/// All that the suite has; another number is another suite, and the lists below must be read again.
const ALL: usize = 517;

/// Cases that are left out: what their names begin with, how many they are, and why.
const LEFT_OUT: &[(&[&str], usize, &str)] = &[
    (&["12.", "13."], 216, "compression: the upgrade offers and grants no extension (docs/protocol.md, section 2)"),
    (
        &["9.1.", "9.2.", "9.3.", "9.4.", "9.5.", "9.6."],
        40,
        "messages of 256 KiB to 16 MiB: a message is 64 KiB at most (docs/protocol.md, section 4); \
         `a_message_beyond_the_limit_is_refused_whole_or_in_fragments` shows the refusal",
    ),
];

/// The two that begin as those do and fit.
const KEPT: &[&str] = &["9.1.1", "9.2.1"];

/// Cases whose verdict is another than OK, with what it is and why that is well.
const OTHER: &[(&[&str], &str, &str, &str)] = &[
    (
        &["6.4.3", "6.4.4"],
        "NON-STRICT",
        "OK",
        "text that is no UTF-8 is refused when its frame is whole, not at its first wrong byte",
    ),
    (
        &["7.1.6", "7.13.1", "7.13.2"],
        "INFORMATIONAL",
        "INFORMATIONAL",
        "the suite judges nothing here: 256 KiB before a close, which our limit refuses, and close codes of no range",
    ),
];

/// Cases that even the broken twin passes.
pub const HOLDS: &[&str] = &["1.1.2", "1.2.2", "7.1.1"];

/// Cases that the broken twin must fail: the payload of a ping is not given back, reserved bits and
/// opcodes are passed, a control frame may be in fragments, what is no UTF-8 is echoed.
pub const BREAKS: &[&str] = &["2.2", "3.2", "4.1.1", "5.1", "6.3.1"];

/// What is to be run of all cases.
pub fn wanted(all: &[String]) -> Vec<String> {
    assert_eq!(all.len(), ALL, "another suite: its cases are not those that were judged");
    let group = |case: &str| {
        let begins = |starts: &[&str]| starts.iter().any(|start| case.starts_with(start));
        if KEPT.contains(&case) { None } else { LEFT_OUT.iter().position(|(starts, ..)| begins(starts)) }
    };
    for (number, (starts, count, why)) in LEFT_OUT.iter().enumerate() {
        let left_out = all.iter().filter(|case| group(case) == Some(number)).count();
        assert_eq!(left_out, *count, "{starts:?}: {why}");
        println!("left out: {count} cases {starts:?}, {why}");
    }
    all.iter().filter(|case| group(case).is_none()).cloned().collect()
}

/// Every case that did not run, or whose verdict is another than it has to be.
pub fn complaints(cases: &[String], found: &Verdicts) -> Vec<String> {
    let mut complaints = Vec::new();
    for case in cases {
        let (behavior, close) = OTHER
            .iter()
            .find(|(others, ..)| others.contains(&case.as_str()))
            .map_or(("OK", "OK"), |(_, behavior, close, _)| (*behavior, *close));
        let right = Verdict { behavior: behavior.to_owned(), close: close.to_owned() };
        match found.get(case) {
            None => complaints.push(format!("{case}: did not run")),
            Some(verdict) if *verdict != right => complaints.push(format!("{case}: {verdict:?}")),
            Some(_) => {}
        }
    }
    complaints.extend(found.keys().filter(|case| !cases.contains(case)).map(|case| format!("{case}: was not asked")));
    complaints
}

/// The broken twin is found out by [`complaints`] in every case of [`BREAKS`], and in no other.
pub fn assert_caught(cases: &[String], found: &Verdicts) {
    let complaints = complaints(cases, found);
    let is_of = |complaint: &str, case: &str| complaint.starts_with(&format!("{case}: Verdict"));
    for case in BREAKS {
        assert!(complaints.iter().any(|complaint| is_of(complaint, case)), "{case} is not caught: {complaints:#?}");
    }
    assert_eq!(complaints.len(), BREAKS.len(), "{complaints:#?}");
}
