//! What may begin at any time, and what may happen to the world: loss, crash, time, the shell.

use super::super::disk::Change;
use super::state::{At, Line, State, key};
use super::{Add, Pairing};
use crate::host::offers::Offers;
use std::time::Duration;

impl Pairing {
    /// What a device may begin.
    pub(super) fn begin(&self, state: &State, add: Add<'_>) {
        if state.lines.len() >= self.lines {
            return;
        }
        for of in 0..2 {
            let line = |at| Line { of, owned: true, refused: Vec::new(), at };
            for offer in 1..=self.offers {
                if state.proofs < self.proofs && !state.devices[of].gone {
                    add(format!("device {of} sends Proof for offer {offer}"), true, false, &|to| {
                        to.lines.push(line(At::Proof(offer)));
                        to.proofs += 1;
                        None
                    });
                }
            }
            let busy = state.lines.iter().any(|line| {
                line.of == of
                    && line.owned
                    && matches!(
                        line.at,
                        At::Dial
                            | At::Asked(_)
                            | At::Promoting(_)
                            | At::Welcome { .. }
                            | At::Refused(_)
                            | At::Unavailable
                    )
            });
            if !state.devices[of].tokens.is_empty() && !busy {
                add(format!("device {of} reconnects"), true, false, &|to| {
                    to.lines.push(line(At::Dial));
                    None
                });
            }
        }
    }

    /// What may happen to the world.
    pub(super) fn world(&self, state: &State, add: Add<'_>) {
        for (number, line) in state.lines.iter().enumerate().filter(|(_, line)| line.owned) {
            add(format!("device {} gives up", line.of), false, false, &|to| {
                to.lines[number].owned = false;
                if matches!(to.lines[number].at, At::Proof(_) | At::Asked(_)) { to.end(number) } else { None }
            });
        }
        if state.mishaps[0] < self.mishaps {
            add("the machine crashes".into(), false, false, &|to| {
                to.mishaps[0] += 1;
                to.offers = Offers::default();
                to.lines.clear();
                None
            });
        }
        if state.mishaps[2] < self.mishaps && state.disks[0].row.is_some() {
            add("device 0 is revoked".into(), false, false, &|to| {
                to.mishaps[2] += 1;
                to.disks[0] = self.sqlite.run(key(0), &to.disks[0], &Change::Revoke(key(0))).0;
                None
            });
        }
        if state.offers.live().next().is_some() {
            add("61 seconds pass".into(), false, false, &|to| {
                to.now += Duration::from_secs(61);
                to.offers.expire(to.now);
                // Strangers are gone by then, and a device stores a Grant at once or not at all: one that it
                // had for a minute while another of its runs was paired by another offer is left out.
                to.lines.retain(|line| !matches!(line.at, At::Proof(_) | At::Asked(_) | At::Grant(_)));
                None
            });
        }
    }
}
