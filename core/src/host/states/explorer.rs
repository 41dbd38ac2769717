//! An explorer of all states: breadth first from one, each state once, to the end or to the first thing
//! that is wrong. The models beside it say what the states and the steps are.
//!
//! It answers two questions. *Never*: no step and no state is called wrong, on any path. *Never without a way
//! out*: from each state that asks for it some sequence of honest steps leads to the goal (a welcome). A
//! checker that knows "always" and "eventually" alone cannot ask the second.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What is explored.
pub(super) trait Model {
    /// Two states that are equal have the same future.
    type State: Clone + Eq + Hash + Debug;

    /// Where it begins.
    fn initial(&self) -> Self::State;

    /// Every step that may be taken from a state.
    fn steps(&self, state: &Self::State) -> Vec<Step<Self::State>>;

    /// Whether the goal must be in reach of a state.
    fn wants_goal(&self, state: &Self::State) -> bool;
}

/// One step.
#[derive(Debug)]
pub(super) struct Step<S> {
    /// What happens, for a counterexample.
    pub(super) name: String,
    /// The state after it.
    pub(super) to: S,
    /// An honest device and an unbroken machine take it: it counts as a way to the goal.
    pub(super) honest: bool,
    /// It reaches the goal.
    pub(super) goal: bool,
    /// What must never happen, and happens here.
    pub(super) wrong: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Report {
    /// Different states.
    pub(super) states: usize,
    /// Steps between them.
    pub(super) steps: usize,
    /// Steps from the beginning to the state that is farthest away.
    pub(super) depth: usize,
    /// The first thing that is wrong, with the shortest way to it.
    pub(super) found: Option<Found>,
}

/// A counterexample.
#[derive(Debug)]
pub(super) struct Found {
    /// What is wrong.
    pub(super) what: String,
    /// The steps to it.
    pub(super) path: Vec<String>,
}

/// A map whose keys are hashed quickly: they come from a model, not from an attacker.
pub(super) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// See [`QuickMap`].
#[derive(Default)]
pub(super) struct Quick(u64);

impl Quick {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// How a state was first reached.
struct Reached {
    from: Option<(usize, String)>,
    depth: usize,
    wants_goal: bool,
    at_goal: bool,
    /// The states from which an honest step leads here.
    back: Vec<usize>,
}

/// Explores a model; at most `limit` states, of which more is an error: what is not explored is not checked.
pub(super) fn explore<M: Model>(model: &M, limit: usize) -> Report {
    let first = model.initial();
    let mut index = QuickMap::default();
    index.insert(first.clone(), 0_usize);
    let reached = |from, depth, state: &M::State| Reached {
        from,
        depth,
        wants_goal: model.wants_goal(state),
        at_goal: false,
        back: Vec::new(),
    };
    let mut all = vec![reached(None, 0, &first)];
    let (mut queue, mut steps, mut depth) = (VecDeque::from([(0_usize, first)]), 0, 0);
    while let Some((number, state)) = queue.pop_front() {
        for step in model.steps(&state) {
            steps += 1;
            if let Some(what) = step.wrong {
                let found = Some(Found { what, path: path(&all, number, Some(step.name)) });
                return Report { states: all.len(), steps, depth, found };
            }
            let next = index.get(&step.to).copied().unwrap_or_else(|| {
                let next = all.len();
                depth = all[number].depth + 1;
                all.push(reached(Some((number, step.name.clone())), depth, &step.to));
                index.insert(step.to.clone(), next);
                queue.push_back((next, step.to.clone()));
                next
            });
            if step.honest {
                all[next].back.push(number);
                all[number].at_goal |= step.goal;
            }
        }
        assert!(all.len() <= limit, "more than {limit} states: the model is not bounded, or the limit too low");
    }
    Report { states: all.len(), steps, depth, found: stuck(&all) }
}

/// The nearest state that wants the goal and from which no honest steps lead to it.
fn stuck(all: &[Reached]) -> Option<Found> {
    let mut good: Vec<bool> = all.iter().map(|reached| reached.at_goal).collect();
    let mut todo: Vec<usize> = (0..all.len()).filter(|number| good[*number]).collect();
    while let Some(number) = todo.pop() {
        for before in &all[number].back {
            if !good[*before] {
                good[*before] = true;
                todo.push(*before);
            }
        }
    }
    let number = (0..all.len()).find(|number| all[*number].wants_goal && !good[*number])?;
    Some(Found { what: "no honest step leads to a welcome any more".into(), path: path(all, number, None) })
}

fn path(all: &[Reached], mut number: usize, last: Option<String>) -> Vec<String> {
    let mut path: Vec<String> = last.into_iter().collect();
    while let Some((before, name)) = &all[number].from {
        path.push(name.clone());
        number = *before;
    }
    path.reverse();
    path
}

/// Two counters that may meet, and a trap: to see that the explorer sees.
#[cfg(test)]
mod tests {
    use super::*;

    struct Walk {
        trap: bool,
        wrong_at: Option<u8>,
    }

    impl Model for Walk {
        type State = u8;

        fn initial(&self) -> u8 {
            0
        }

        fn steps(&self, at: &u8) -> Vec<Step<u8>> {
            let step = |to: u8, honest| Step {
                name: format!("to {to}"),
                to,
                honest,
                goal: to == 5,
                wrong: self.wrong_at.filter(|wrong| *wrong == to).map(|_| "there".to_owned()),
            };
            match at {
                0..5 => vec![step(at + 1, true), step(0, false)],
                5 if self.trap => vec![step(9, false)],
                _ => Vec::new(),
            }
        }

        fn wants_goal(&self, at: &u8) -> bool {
            *at != 5
        }
    }

    #[test]
    fn every_state_is_seen_once_and_the_goal_is_in_reach_of_each() {
        let report = explore(&Walk { trap: false, wrong_at: None }, 100);
        assert_eq!((report.states, report.steps, report.depth), (6, 10, 5));
        assert!(report.found.is_none());
    }

    #[test]
    fn control_what_is_wrong_and_what_is_stuck_are_found_by_the_shortest_way() {
        let wrong = explore(&Walk { trap: false, wrong_at: Some(3) }, 100).found.unwrap();
        assert_eq!((wrong.what.as_str(), wrong.path.len()), ("there", 3));
        let stuck = explore(&Walk { trap: true, wrong_at: None }, 100).found.unwrap();
        assert_eq!(stuck.path.last().map(String::as_str), Some("to 9"));
    }

    #[test]
    #[should_panic(expected = "more than 3 states")]
    fn control_an_exploration_that_is_cut_short_is_no_success() {
        explore(&Walk { trap: false, wrong_at: None }, 3);
    }
}
