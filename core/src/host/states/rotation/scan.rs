//! The steps of a scan while paired: Proof, Grant, acknowledgement, answer, as `granting` on the machine and
//! `client::ledger` do them.

use super::super::disk::{Change, Went};
use super::super::{hash_of, key_of, r_of};
use super::state::{At, No, Offer, State};
use super::{KEY, Next, R, Rotation, Steps, Twin};
use crate::host::offers::ClaimOutcome;
use crate::store::host::tokens::TokenState;
use std::time::Duration;

impl Rotation {
    /// The next step of a scan.
    pub(super) fn scan(&self, state: &State, number: usize, steps: &mut Steps<'_>) {
        let line = &state.lines[number];
        match line.at {
            At::Proof => {
                let mut offers = Self::offers(state.offer);
                steps.add("the machine sees Proof".into(), true, false, |to| {
                    if to.disk.revoked {
                        return to.go(number, At::Refused(0, No::Revoked));
                    }
                    match offers.claim_number(1, key_of(KEY), r_of(R), Duration::ZERO) {
                        ClaimOutcome::Claimed { again, .. } => {
                            to.offer = if again { to.offer } else { Offer::Claimed };
                            to.go(number, At::Claimed)
                        }
                        ClaimOutcome::Refused { alarm, .. } => {
                            to.end(number);
                            alarm.then(|| "an honest device rings the alarm".into())
                        }
                    }
                });
            }
            At::Claimed => {
                let new = state.fresh();
                let (disk, went) = self.sqlite.run(KEY, &state.disk, &Change::GrantAgain(new));
                steps.add(format!("stores a Grant's {new}: {went:?}"), true, false, |to| {
                    to.disk = disk;
                    match went {
                        Went::Granted { current } => {
                            let says = self.twin != Twin::SaysNoCurrent;
                            to.go(number, At::GrantStored(new, current.filter(|_| says)))
                        }
                        _ => to.end(number),
                    }
                });
            }
            At::GrantStored(new, current) => {
                let mut offers = Self::offers(state.offer);
                let stands = offers.granted(1, &key_of(KEY), super::super::grant_of(new));
                steps.add(format!("grants {new}: {stands}"), true, false, |to| {
                    if !stands {
                        return to.end(number);
                    }
                    to.offer = Offer::Granted(new);
                    to.go(number, At::Grant(new, current))
                });
            }
            At::Grant(new, current) if line.owned => {
                let record = self.granted(&state.record, new, current);
                steps.add(format!("stores the Grant: {record:?}"), true, false, |to| {
                    // A row that was told meanwhile that it is revoked takes no Grant.
                    if to.record.is_empty() {
                        return to.end(number);
                    }
                    to.record = record;
                    to.go(number, At::Acknowledge(new))
                });
            }
            At::Acknowledge(token) => {
                let mut offers = Self::offers(state.offer);
                let taken = offers.acknowledge(1, &hash_of(token), Duration::ZERO).is_some();
                steps.add(format!("the machine takes the acknowledgement of {token}: {taken}"), true, false, |to| {
                    if !taken {
                        return to.end(number);
                    }
                    to.offer = Offer::Taken(token);
                    let answers_first = self.twin == Twin::AnswersFirst;
                    to.go(number, if answers_first { At::AnswerUnwritten(token) } else { At::Writing(token, None) })
                });
            }
            At::Answer(token) | At::AnswerUnwritten(token) if line.owned => {
                let record = match self.twin {
                    Twin::AnswersFirst => vec![token],
                    _ => Self::record(&state.record, |record| record.acknowledged(&hash_of(token))),
                };
                steps.add(format!("is told that it is paired, {record:?}"), true, false, |to| {
                    let known = to.disk.revoked || to.disk.state_of(token).is_some_and(|it| it != TokenState::Pending);
                    if !to.record.is_empty() {
                        to.record = record;
                    }
                    to.end(number);
                    (!known).then(|| "an acknowledged pairing is not on the disk".into())
                });
            }
            // On its way to nobody.
            At::Grant(..) | At::Answer(_) | At::AnswerUnwritten(_) => {}
            other => unreachable!("{other:?} is no step of a scan"),
        }
    }

    /// An acknowledgement is written: one that was sent, or a reconnect under the granted token.
    pub(super) fn write(&self, state: &State, number: usize, steps: &mut Steps<'_>) {
        let At::Writing(token, next) = state.lines[number].at else { return };
        let (disk, went) = self.sqlite.run(KEY, &state.disk, &Change::Activate(KEY, R, token));
        let went = if self.twin == Twin::VoidIsFailure && went == Went::Not { Went::Failed } else { went };
        steps.add(format!("writes the acknowledgement of {token}: {went:?}"), true, false, |to| {
            to.disk = disk;
            self.written(to, number, token, next, went)
        });
        steps.add("the disk fails".into(), false, false, |to| self.written(to, number, token, next, Went::Failed));
    }

    fn written(&self, to: &mut State, number: usize, token: u8, next: Option<Next>, went: Went) -> Option<String> {
        to.offer = match went {
            Went::Failed => Offer::Granted(token),
            Went::Not => Offer::Claimed,
            _ => Offer::None,
        };
        match (went, next) {
            (Went::Well, None) => to.go(number, At::Answer(token)),
            (Went::Well, Some(_)) => to.go(number, At::Registering(token, false)),
            // The claim was put back: the device is to come again.
            (Went::Failed, Some(_)) => to.go(number, At::Refused(token, No::Unavailable)),
            // A reconnect goes on as if it had acknowledged nothing.
            (_, Some(next)) => self.follow(to, number, token, next),
            (_, None) => to.end(number),
        }
    }
}
