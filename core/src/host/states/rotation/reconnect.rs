//! The steps of a reconnect: what `client::resume` and `reconnect` on the machine do, one after the other.

use super::super::disk::{Change, Went};
use super::super::hash_of;
use super::state::{At, No, Offer, State};
use super::{KEY, Next, Rotation, Steps, Twin, id};
use crate::store::host::tokens::TokenState;
use std::time::Duration;

impl Rotation {
    /// The next step of a reconnect.
    pub(super) fn reconnect(&self, state: &State, number: usize, steps: &mut Steps<'_>) {
        let line = &state.lines[number];
        let run = |change: &Change| self.sqlite.run(KEY, &state.disk, change);
        match line.at {
            At::Between => steps.add("dials again".into(), true, false, |to| {
                match Self::token_to_try(&to.record, &to.lines[number].refused) {
                    Some(token) if self.twin == Twin::ChoosesThenDials => to.go(number, At::Chosen(token)),
                    Some(token) => to.go(number, At::Asked(token)),
                    None => to.end(number),
                }
            }),
            At::Chosen(token) => {
                steps.add(format!("asks with {token}"), true, false, |to| to.go(number, At::Asked(token)));
            }
            At::Asked(token) => {
                let judged = self.judge(&state.disk, token);
                let mut offers = Self::offers(state.offer);
                let claim = offers.claim_of(id(KEY), &hash_of(token), Duration::ZERO);
                let granted = claim.and_then(|(_, claim)| claim.granted).is_some_and(|it| it.token == hash_of(token));
                steps.add(format!("the machine judges {token}: {judged:?}, granted {granted}"), true, false, |to| {
                    if granted && !to.disk.revoked && offers.acknowledge(1, &hash_of(token), Duration::ZERO).is_some() {
                        to.offer = Offer::Taken(token);
                        return to.go(number, At::Writing(token, Some(judged)));
                    }
                    self.follow(to, number, token, judged)
                });
            }
            At::Promoting(token) => {
                let twin = self.twin == Twin::PromotesAlone;
                let change = if twin { Change::PromoteAlone(token) } else { Change::Promote(token) };
                let (disk, went) = run(&change);
                steps.add(format!("promotes {token}: {went:?}"), true, false, |to| {
                    let changed = disk != to.disk;
                    to.disk = disk;
                    let left = changed && went == Went::Well && to.disk.count(TokenState::Pending) > 0;
                    match went {
                        Went::Well => to.go(number, At::Registering(token, false)),
                        _ if to.disk.revoked => to.go(number, At::Refused(token, No::Revoked)),
                        _ => to.go(number, At::Refused(token, No::Other)),
                    };
                    left.then(|| "a promotion left another pending token".into())
                });
                // It stays pending; the device is welcome, is told so, and keeps every token that it has.
                steps.add("the disk fails, it is welcome unsettled".into(), false, false, |to| to.end(number));
            }
            At::Registering(token, rotate) => steps.add("registers".into(), true, false, |to| {
                let no = if to.disk.revoked { Some(No::Revoked) } else { to.disk.suspended.then_some(No::Suspended) };
                let at = match no {
                    Some(no) => At::Refused(token, no),
                    None if rotate => At::Storing(token),
                    None => At::Welcome(token, None),
                };
                to.go(number, at)
            }),
            At::Storing(used) => {
                let new = state.fresh();
                let (disk, went) = run(&Change::NewToken(new));
                steps.add(format!("stores {new}: {went:?}"), true, false, |to| {
                    to.disk = disk;
                    // A welcome to a device that was revoked meanwhile is never sent.
                    if to.disk.revoked {
                        to.end(number)
                    } else {
                        to.go(number, At::Welcome(used, (went == Went::Well).then_some(new)))
                    }
                });
                steps.add("the disk fails".into(), false, false, |to| to.go(number, At::Welcome(used, None)));
            }
            At::Welcome(used, new) if line.owned => {
                let record = self.welcomed(&state.record, used, &line.refused, new);
                steps.add(format!("is welcome under {used}, {record:?}"), true, true, |to| {
                    to.record = record;
                    to.end(number)
                });
            }
            At::Refused(token, no) if line.owned => {
                steps.add(format!("is refused: {no:?}"), true, false, |to| match no {
                    No::Other => {
                        to.lines[number].refused.push(token);
                        to.go(number, At::Between)
                    }
                    No::Revoked => {
                        to.record.clear();
                        to.end(number);
                        (!to.disk.revoked).then(|| "told that it is revoked, and is not".into())
                    }
                    No::Unavailable | No::Suspended => to.end(number),
                });
            }
            // On its way to nobody.
            At::Welcome(..) | At::Refused(..) => {}
            other => unreachable!("{other:?} is no step of a reconnect"),
        }
    }

    /// Does what the judge said.
    pub(super) fn follow(&self, to: &mut State, number: usize, token: u8, next: Next) -> Option<String> {
        to.lines[number].at = match next {
            Next::Promote => At::Promoting(token),
            Next::Welcome(rotate) => At::Registering(token, rotate),
            Next::No(no) => At::Refused(token, no),
        };
        if next == Next::No(No::Suspended) {
            to.disk = self.sqlite.run(KEY, &to.disk, &Change::Suspend).0;
        }
        None
    }
}
