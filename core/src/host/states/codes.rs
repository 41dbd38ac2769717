//! Typed codes: three guesses that run in parallel, offers that are made, withdrawn, claimed and opened between
//! any two of their steps. The machine's part is the real [`Offers`] with its door.

use super::explorer::{Model, Step};
use super::{holds, is_found, key_of, long, r_of};
use crate::host::codes::{CodeTry, WrongTry};
use crate::host::offers::{ClaimOutcome, OfferNumber, OfferRequest, Offers};
use crate::wire::limits;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// How a twin is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    None,
    /// The machine compares, then spends.
    ComparesThenSpends,
    /// Tries are counted at the door, whichever code is live: what [`Door`] does.
    TriesAtTheDoor,
    /// A try that held takes the latest failure away, whosever it is.
    GivesBackTheLatest,
}

struct Codes {
    twin: Twin,
    /// Guesses under way at once.
    runs: usize,
    /// Offers made in all.
    offers: u32,
    /// Failures that the hour has seen before: near the door's limit.
    before: usize,
    /// Before those a right guess was begun, and the door was opened.
    opened: bool,
}

#[derive(Debug, Clone)]
struct State {
    offers: Offers,
    now: Duration,
    runs: Vec<Run>,
    /// Guesses that were compared and wrong, for each code.
    wrong: BTreeMap<OfferNumber, u32>,
    /// All of them whose try was spent since the door was last opened.
    since_open: usize,
    opened: bool,
    made: u32,
    /// The twin's door.
    tries_at_door: u32,
}

/// A device that runs the PAKE for the code that was live when it began.
#[derive(Debug, Clone)]
enum Run {
    Begun {
        offer: OfferNumber,
        right: bool,
    },
    Spent {
        spent: CodeTry,
        right: bool,
        opened: bool,
    },
    /// The twin's: compared, not spent.
    Compared {
        offer: OfferNumber,
        right: bool,
    },
    Proven {
        offer: OfferNumber,
    },
}

impl State {
    fn known(&self) -> String {
        let mut runs: Vec<String> = self
            .runs
            .iter()
            .map(|run| match run {
                Run::Spent { spent, right, opened } => format!("Spent {} {right} {opened}", spent.offer),
                other => format!("{other:?}"),
            })
            .collect();
        runs.sort();
        let (offers, wrong) = (self.offers.known(self.now), &self.wrong);
        format!("{offers} {runs:?} {wrong:?} {} {} {} {}", self.since_open, self.opened, self.made, self.tries_at_door)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.known() == other.known()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known().hash(state);
    }
}

impl Codes {
    fn new(twin: Twin, runs: usize, offers: u32, before: usize) -> Self {
        Self { twin, runs, offers, before, opened: false }
    }

    fn mint(&self, state: &mut State, link: bool) {
        let request = OfferRequest { link, code: true, ..OfferRequest::default() };
        let minted = state.offers.mint(&request, state.now).unwrap();
        state.made += 1;
        if minted.code.is_some() {
            state.tries_at_door = limits::CODE_TRIES;
        }
        if !link {
            state.since_open = 0;
            state.opened = true;
        }
    }

    /// A comparison has happened. More of them than the rules allow is wrong.
    fn compared(&self, state: &mut State, offer: OfferNumber, opened: bool) -> Option<String> {
        let of_code = state.wrong.entry(offer).or_default();
        *of_code += 1;
        state.since_open += usize::from(opened == state.opened);
        if *of_code > limits::CODE_TRIES {
            return Some(format!("{of_code} wrong guesses at code {offer} were compared"));
        }
        (state.since_open > limits::CODE_FAILURES_AN_HOUR).then(|| "an eleventh failure in an hour".into())
    }
}

impl Model for Codes {
    type State = State;

    fn initial(&self) -> State {
        let mut state = State {
            offers: Offers::default(),
            now: Duration::from_secs(1000),
            runs: Vec::new(),
            wrong: BTreeMap::new(),
            since_open: 0,
            opened: false,
            made: 0,
            tries_at_door: 0,
        };
        if self.opened {
            self.mint(&mut state, true);
            let spent = state.offers.spend_try(1, state.now).unwrap();
            state.runs.push(Run::Spent { spent, right: true, opened: false });
            self.mint(&mut state, false);
        }
        for _ in 0..self.before {
            self.mint(&mut state, true);
            let number = state.offers.live().last().unwrap().number;
            let spent = state.offers.spend_try(number, state.now).unwrap();
            state.offers.try_failed(spent, state.now);
            state.offers.withdraw(number, state.now);
            state.since_open += 1;
        }
        self.mint(&mut state, true);
        state.made = 0;
        state
    }

    fn wants_goal(&self, _: &State) -> bool {
        false
    }

    fn steps(&self, state: &State) -> Vec<Step<State>> {
        let mut all = Vec::new();
        let mut add = |name: String, change: &dyn Fn(&mut State) -> Option<String>| {
            let mut to = state.clone();
            let wrong = change(&mut to);
            all.push(Step { name, to, honest: true, goal: false, wrong });
        };
        if state.runs.len() < self.runs
            && let Some((offer, _)) = state.offers.clone().code(state.now)
        {
            for right in [false, true] {
                add(format!("a run at code {offer} begins, right {right}"), &|to| {
                    to.runs.push(Run::Begun { offer, right });
                    None
                });
            }
        }
        if state.made < self.offers {
            for link in [true, false] {
                if link || !state.opened {
                    add(format!("an offer is made, link {link}"), &|to| {
                        self.mint(to, link);
                        None
                    });
                }
            }
        }
        for offer in state.offers.live() {
            add(format!("offer {} is withdrawn", offer.number), &|to| {
                to.offers.withdraw(offer.number, to.now);
                None
            });
        }
        for (number, run) in state.runs.iter().enumerate() {
            self.run(state, number, run, &mut add);
        }
        all
    }
}

type Add<'a> = &'a mut dyn FnMut(String, Change<'_>);
type Change<'a> = &'a dyn Fn(&mut State) -> Option<String>;

impl Codes {
    fn run(&self, state: &State, number: usize, run: &Run, add: Add<'_>) {
        match run {
            Run::Begun { offer, right } if self.twin == Twin::ComparesThenSpends => {
                let (offer, right) = (*offer, *right);
                // It looks whether there is a try, compares, and spends it afterwards.
                if state.offers.clone().spend_try(offer, state.now).is_some() {
                    add(format!("code {offer} is compared, right {right}"), &|to| {
                        to.runs[number] = Run::Compared { offer, right };
                        if right { None } else { self.compared(to, offer, to.opened) }
                    });
                }
            }
            Run::Begun { offer, right } => {
                let (offer, right) = (*offer, *right);
                add(format!("a try of code {offer} is spent, right {right}"), &|to| {
                    let mut spent = to.offers.spend_try(offer, to.now);
                    if self.twin == Twin::TriesAtTheDoor {
                        // As if each code had tries without end, and the door alone counted.
                        let live = to.offers.code(to.now).is_some_and(|(live, _)| live == offer);
                        spent = (live && to.tries_at_door > 0).then(|| to.offers.door.enter(offer, to.now)).flatten();
                        to.tries_at_door -= u32::from(spent.is_some());
                    }
                    match spent {
                        Some(spent) => to.runs[number] = Run::Spent { spent, right, opened: to.opened },
                        None => drop(to.runs.remove(number)),
                    }
                    None
                });
            }
            Run::Spent { spent, right, opened } => {
                add(format!("code {} is compared and judged, right {right}", spent.offer), &|to| {
                    if *right {
                        match self.twin {
                            Twin::TriesAtTheDoor => {
                                to.offers.door.held(spent);
                                to.tries_at_door = (to.tries_at_door + 1).min(limits::CODE_TRIES);
                            }
                            Twin::GivesBackTheLatest => to.offers.door.forget_latest(),
                            _ => to.offers.try_held(spent.clone()),
                        }
                        to.runs[number] = Run::Proven { offer: spent.offer };
                        return None;
                    }
                    let outcome = to.offers.try_failed(spent.clone(), to.now);
                    to.runs.remove(number);
                    let wrong = self.compared(to, spent.offer, *opened);
                    let closed = to.since_open >= limits::CODE_FAILURES_AN_HOUR && outcome != WrongTry::Closed;
                    wrong.or_else(|| (closed && !to.opened).then(|| "ten failures did not close the door".into()))
                });
            }
            Run::Compared { offer, right } => add(format!("the try of code {offer} is spent at last"), &|to| {
                if let Some(spent) = to.offers.spend_try(*offer, to.now) {
                    if *right {
                        to.offers.try_held(spent);
                    } else {
                        to.offers.try_failed(spent, to.now);
                    }
                }
                to.runs.remove(number);
                None
            }),
            Run::Proven { offer } => {
                add(format!("offer {offer} is claimed by its code"), &|to| {
                    let claimed = to.offers.claim_number(*offer, key_of(1), r_of(1), to.now);
                    to.runs.remove(number);
                    let again = matches!(claimed, ClaimOutcome::Refused { alarm: true, .. });
                    again.then(|| "the one key that knows the code rings the alarm".into())
                });
                add("the person says no".into(), &|to| {
                    to.runs.remove(number);
                    None
                });
            }
        }
    }
}

#[test]
fn at_most_three_wrong_guesses_at_a_code_are_compared_however_they_run_and_whatever_is_minted() {
    let (runs, offers) = if long() { (3, 2) } else { (2, 1) };
    assert!(holds("codes", &Codes::new(Twin::None, runs, offers, 0)).states > 1000);
}

#[test]
fn ten_failures_close_the_door_however_they_run_and_whatever_is_minted() {
    let (runs, offers) = if long() { (3, 2) } else { (2, 1) };
    assert!(holds("codes near the limit", &Codes::new(Twin::None, runs, offers, 8)).states > 1000);
    let opened = Codes { opened: true, ..Codes::new(Twin::None, runs, offers, 8) };
    assert!(holds("codes near the limit of an opened door", &opened).states > 1000);
}

#[test]
fn control_comparing_before_a_try_is_spent_is_found() {
    is_found("compares, then spends", &Codes::new(Twin::ComparesThenSpends, 2, 0, 0), "were compared");
}

#[test]
fn control_tries_that_are_counted_at_the_door_are_found() {
    is_found("tries at the door", &Codes::new(Twin::TriesAtTheDoor, 2, 1, 0), "were compared");
}

#[test]
fn control_a_try_that_takes_anothers_failure_away_is_found() {
    let twin = Codes { opened: true, ..Codes::new(Twin::GivesBackTheLatest, 2, 0, 8) };
    is_found("gives back the latest", &twin, "eleventh");
}
