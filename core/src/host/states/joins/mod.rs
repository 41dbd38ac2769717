//! Joins that wait for a person: joiners that begin, reveal, go away and acknowledge, people who scan or type the
//! right thing or another, twice and at once, say no and shut the door, time that passes and a restart, in
//! every order. The machine's part is the real [`Joins`](crate::host::joins::Joins).

mod state;
mod tests;

use std::time::Duration;

use super::explorer::{Model, Step};
use crate::host::joins::{Fate, NotLetIn};
use crate::wire::{DenyThen, limits};
use state::{Approval, Ground, State, asker, at, facts, id, number_of, other_number, scan_of, source, token_of};

/// How a twin is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    None,
    /// A slot is free as soon as its join is gone.
    SlotsGoWithTheirJoins,
    /// Numbers that were begun are not counted.
    NumbersAreFree,
    /// Prompts are not counted.
    PromptsAreFree,
    /// The machine compares what was typed, then spends the attempt.
    ComparesThenSpends,
    /// A wrong number may be typed again.
    WrongNumbersAreFree,
    /// A number lets in where the join has no slot for one.
    NumbersWithoutSlots,
    /// Who was let in may acknowledge as late as it likes.
    NoTimeToAcknowledge,
    /// Whoever was shown may acknowledge.
    SilenceIsYes,
    /// Joins outlive a restart.
    RestartKeeps,
}

/// What is explored, and how far.
struct Waiting {
    twin: Twin,
    /// Joiners in all, and from how many addresses.
    joiners: u64,
    hosts: u8,
    /// Numbers begun, and joins shown, within the last minutes before the exploration.
    numbers_before: usize,
    prompts_before: usize,
    /// How often time passes.
    passes: u8,
    /// Of decisions only the right number, and nothing after it: for many joiners.
    lean: bool,
}

/// Steps of time: what tells a join's two minutes, its ten, and an hour apart.
const PASSES: [u64; 3] = [119, 600, 3_600];

impl Model for Waiting {
    type State = State;

    fn initial(&self) -> State {
        let mut state = State::new();
        for number in 0..self.numbers_before.max(self.prompts_before) {
            // From addresses of their own, long gone: their slots are free again.
            let (join, host) = (1_000 + number as u64, 100 + number as u8);
            let begun = state.joins.begin(id(join), source(host), state.now).unwrap();
            if number < self.prompts_before {
                assert!(state.joins.show(id(join), asker(host), facts(join), state.now));
                state.prompts.push((state.now, host));
            }
            state.joins.leave(id(join));
            state.joins.forget_slots();
            if number < self.numbers_before {
                assert!(begun.slot);
                state.numbers.push(state.now);
            } else {
                state.joins.forget_numbers();
            }
            state.now += at(1);
        }
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
            self.break_after(&mut to);
            let wrong = wrong.or_else(|| to.wrong());
            all.push(Step { name, to, honest: true, goal: false, wrong });
        };
        if state.begun < self.joiners {
            for host in 0..self.hosts {
                add(format!("host {host} begins a join"), &|to| {
                    to.begin(host);
                    None
                });
            }
        }
        for ground in &state.ground {
            let Ground { join, host, .. } = *ground;
            if !ground.revealed {
                add(format!("join {join} reveals"), &|to| {
                    to.of(join).revealed = true;
                    if to.joins.show(id(join), asker(host), facts(join), to.now) {
                        to.prompts.push((to.now, host));
                    }
                    None
                });
            }
            add(format!("the connection of join {join} ends"), &|to| {
                to.joins.leave(id(join));
                to.ground.retain(|ground| ground.join != join);
                None
            });
            self.decisions(ground, &mut add);
            let let_in = matches!(state.joins.clone().fate(id(join), state.now), Fate::Accepted(_));
            if !self.lean && (let_in || ground.granted) {
                self.acknowledgement(ground, &mut add);
            } else if self.twin == Twin::SilenceIsYes && ground.revealed {
                add(format!("join {join} acknowledges, nobody said no"), &|to| to.made(join));
            }
        }
        for (number, approval) in state.approvals.iter().enumerate() {
            let approval = *approval;
            add(format!("the attempt at join {} is spent at last", approval.join), &|to| {
                to.approvals.remove(number);
                let _ = to.joins.accept(id(approval.join), approval.what(), to.now);
                None
            });
        }
        if state.passes < self.passes {
            for seconds in PASSES {
                add(format!("{seconds} s pass"), &|to| {
                    to.now += at(seconds);
                    to.passes += 1;
                    None
                });
            }
        }
        if !state.restarted && !self.lean {
            add("the machine restarts".into(), &|to| {
                to.restart(self.twin == Twin::RestartKeeps);
                (!to.joins.pending(to.now).is_empty()).then(|| "a join waits that no connection waits for".into())
            });
        }
        all
    }
}

type Add<'a> = &'a mut dyn FnMut(String, Change<'_>);
type Change<'a> = &'a dyn Fn(&mut State) -> Option<String>;

impl Waiting {
    /// Somebody decides: by the right scan or number, by those of another join, or says no.
    fn decisions(&self, ground: &Ground, add: Add<'_>) {
        let join = ground.join;
        for right in [true, false] {
            for scan in [true, false] {
                if self.lean && (scan || !right) {
                    continue;
                }
                add(format!("somebody lets join {join} in, by scan {scan}, right {right}"), &|to| {
                    let approval = Approval { join, right, scan };
                    if self.twin == Twin::ComparesThenSpends {
                        // It looks whether there is an attempt, compares, and spends it in another step.
                        let (mut looked, now) = (to.joins.clone(), to.now);
                        let outcome = looked.accept(id(join), approval.what(), now);
                        if to.approvals.len() < 2 && !matches!(outcome, Err(NotLetIn::Gone)) {
                            to.approvals.push(approval);
                            return to.compared(approval, outcome.is_ok());
                        }
                        return None;
                    }
                    let before = to.joins.find(id(join), to.now);
                    let mut outcome = to.joins.accept(id(join), approval.what(), to.now);
                    if self.twin == Twin::NumbersWithoutSlots && right && !scan && outcome.is_err() && before.is_some()
                    {
                        to.put_back(join);
                        outcome = to.joins.accept(id(join), approval.what(), to.now);
                    }
                    if self.twin == Twin::WrongNumbersAreFree && matches!(outcome, Err(NotLetIn::Wrong)) {
                        to.put_back(join);
                    }
                    if matches!(outcome, Err(NotLetIn::Gone)) { None } else { to.compared(approval, outcome.is_ok()) }
                });
            }
        }
        let nos: &[Option<DenyThen>] = &[None, Some(DenyThen::BlockSource), Some(DenyThen::Close)];
        for then in nos.iter().take(if self.lean { 0 } else { nos.len() }).copied() {
            add(format!("somebody says no to join {join}, {then:?}"), &|to| {
                let accepted: Vec<u64> = to.let_in_and_in_time();
                for denied in to.joins.deny(id(join), then, to.now) {
                    if accepted.iter().any(|known| id(*known) == denied) {
                        return Some("a no to one join takes back another's yes".into());
                    }
                }
                None
            });
        }
    }

    /// The joiner that was let in is granted a token, and names it.
    fn acknowledgement(&self, ground: &Ground, add: Add<'_>) {
        let join = ground.join;
        if ground.granted {
            for right in [true, false] {
                add(format!("join {join} acknowledges, its token {right}"), &|to| {
                    let token = if right { token_of(join) } else { token_of(join + 1) };
                    let now = match self.twin {
                        Twin::NoTimeToAcknowledge => to.of(join).accepted.unwrap_or(to.now),
                        _ => to.now,
                    };
                    match to.joins.acknowledge(id(join), &token, now) {
                        Some(_) if !right => Some("it acknowledged what it was not granted".into()),
                        Some(_) => to.made(join),
                        None => None,
                    }
                });
            }
        } else {
            add(format!("join {join} is granted a token"), &|to| {
                to.of(join).granted = to.joins.granted(id(join), token_of(join));
                None
            });
        }
    }

    fn break_after(&self, to: &mut State) {
        match self.twin {
            Twin::SlotsGoWithTheirJoins => to.joins.free_slots_of_gone(),
            Twin::NumbersAreFree => to.joins.forget_numbers(),
            Twin::PromptsAreFree => to.joins.forget_prompts(),
            _ => {}
        }
    }
}

impl Approval {
    fn what(self) -> crate::host::joins::LetInAs {
        match (self.scan, self.right) {
            (true, right) => scan_of(if right { self.join } else { self.join + 1 }),
            (false, true) => number_of(self.join),
            (false, false) => other_number(self.join),
        }
    }
}

/// Its time from acceptance to acknowledgement.
const TO_ACKNOWLEDGE: Duration = limits::JOIN_ACKNOWLEDGE_TIME;
