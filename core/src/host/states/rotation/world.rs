//! What may begin at any time, and what may happen to the world: loss, crash, time, the shell.

use super::super::disk::{Age, Change};
use super::state::{At, Line, Offer, State};
use super::{KEY, Rotation, Steps, Twin};

impl Rotation {
    /// What an idle process may begin.
    pub(super) fn begin(&self, state: &State, steps: &mut Steps<'_>) {
        let idle = state.lines.iter().filter(|line| line.owned).count() < 2;
        if !idle || state.lines.len() >= self.lines || state.record.is_empty() {
            return;
        }
        let new = |at| Line { owned: true, at, refused: Vec::new() };
        if let Some(token) = Self::token_to_try(&state.record, &[]) {
            let at = if self.twin == Twin::ChoosesThenDials { At::Chosen(token) } else { At::Asked(token) };
            steps.add(format!("dials with {token}"), true, false, |to| {
                to.lines.push(new(at));
                None
            });
        }
        if state.lines.iter().filter(|line| line.at.is_scan()).count() < self.scans {
            // To have to scan is to be locked out: it is no way to a welcome.
            steps.add("scans again".into(), false, false, |to| {
                to.lines.push(new(At::Proof));
                None
            });
        }
    }

    /// What may happen to the world.
    pub(super) fn world(&self, state: &State, steps: &mut Steps<'_>) {
        for (number, line) in state.lines.iter().enumerate() {
            if line.owned {
                steps.add(format!("the device gives up {:?}", line.at), false, false, |to| {
                    to.lines[number].owned = false;
                    None
                });
            } else {
                steps.add(format!("what is left of {:?} is lost", line.at), false, false, |to| to.end(number));
            }
        }
        if !state.lines.is_empty() || state.offer != Offer::None {
            steps.add("the machine crashes".into(), false, false, |to| {
                to.offer = Offer::None;
                to.lines.retain(|line| matches!(line.at, At::Between | At::Chosen(_)));
                None
            });
        }
        if state.offer == Offer::None && self.scans > 0 {
            steps.add("a fresh offer".into(), false, false, |to| {
                to.offer = Offer::Live;
                None
            });
        }
        for (name, day) in [("61 seconds pass", false), ("25 hours pass", true)] {
            steps.add(name.into(), false, false, |to| {
                to.lines.retain(|line| !line.at.is_strangers());
                if !matches!(to.offer, Offer::Taken(_)) {
                    to.offer = Offer::None;
                }
                for age in to.disk.tokens.iter_mut().flat_map(|token| [&mut token.created, &mut token.changed]) {
                    *age = if day { Age::Old } else { (*age).max(Age::Past) };
                }
                None
            });
        }
        if !state.disk.revoked {
            steps.add("revoked at the shell".into(), false, false, |to| {
                to.disk = self.sqlite.run(KEY, &to.disk, &Change::Revoke(KEY)).0;
                None
            });
        }
    }
}
