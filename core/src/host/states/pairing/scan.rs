//! The steps of a scan: Proof, Grant, acknowledgement, answer, as `granting` on the machine and
//! `client::ledger` do them.

use super::super::disk::{Change, Went};
use super::super::{grant_of, hash_of, key_of, r_of};
use super::state::{At, Granting, State, key, numbers, record};
use super::{Add, Pairing, Twin};
use crate::host::offers::ClaimOutcome;

impl Pairing {
    /// The next step of a scan.
    pub(super) fn scan(&self, state: &State, number: usize, add: Add<'_>) {
        let line = &state.lines[number];
        let (of, disk) = (line.of, &state.disks[line.of]);
        let device = key(of);
        match &line.at {
            At::Proof(offer) => add(format!("the machine sees device {of}'s Proof"), true, false, &|to| {
                if disk.revoked {
                    return to.go(number, At::Revoked);
                }
                if self.twin == Twin::ChecksThenMarks {
                    let free = to.offers.get(*offer).is_some_and(|offer| offer.claim.is_none());
                    return if free { to.go(number, At::Looked(*offer)) } else { to.end(number) };
                }
                let fresh = match disk.row {
                    Some(r) => r,
                    // No two claims have the same, if the machine does not see to it.
                    None => 10 + to.proofs + if self.twin == Twin::FreshR { *offer as u8 * 10 } else { 0 },
                };
                match to.offers.claim_number(*offer, key_of(device), r_of(fresh), to.now) {
                    ClaimOutcome::Claimed { recognition_key, .. } => {
                        let r = if self.twin == Twin::FreshR { fresh } else { recognition_key.expose()[0] };
                        to.go(number, At::Claimed { offer: *offer, r, row: disk.row.is_some() })
                    }
                    ClaimOutcome::Refused { alarm, .. } => {
                        to.end(number);
                        let own = to.offers.used_by(*offer) == Some(key_of(device));
                        (alarm && own).then(|| "the alarm rings for the device that used the offer".into())
                    }
                }
            }),
            At::Looked(offer) => add(format!("the machine marks offer {offer} for device {of}"), true, false, &|to| {
                to.offers.mark(*offer, key_of(device), r_of(1));
                to.go(number, At::Claimed { offer: *offer, r: 1, row: disk.row.is_some() })
            }),
            At::Claimed { offer, r, row } => add("the machine makes a Grant".into(), true, false, &|to| {
                let token = (1..60).find(|token| !to.known_tokens().contains(token)).unwrap();
                let mut current = None;
                if *row {
                    let (disk, went) = self.sqlite.run(device, &to.disks[of], &Change::GrantAgain(token));
                    to.disks[of] = disk;
                    let Went::Granted { current: says } = went else { return to.end(number) };
                    current = says;
                }
                to.go(number, At::Stored(Granting { offer: *offer, r: *r, token, current }))
            }),
            At::Stored(granting) => add(format!("the machine grants {}", granting.token), true, false, &|to| {
                if to.offers.granted(granting.offer, &key_of(device), grant_of(granting.token)) {
                    to.go(number, At::Grant(*granting))
                } else {
                    to.end(number)
                }
            }),
            At::Grant(granting) if line.owned => {
                add(format!("device {of} stores {}", granting.token), true, false, &|to| {
                    let wrong = self.store(&mut to.devices[of], granting);
                    to.go(number, At::Acknowledge { offer: granting.offer, token: granting.token });
                    wrong
                });
            }
            At::Acknowledge { offer, token } => {
                add(format!("the machine takes the acknowledgement of {token}"), true, false, &|to| {
                    let Some(taken) = to.offers.acknowledge(*offer, &hash_of(*token), to.now) else {
                        return to.end(number);
                    };
                    if self.twin == Twin::AnswersFirst {
                        return to.go(number, At::Answer { token: *token });
                    }
                    if self.twin == Twin::ChecksThenMarks {
                        let (offer, claim) = taken.clone();
                        assert!(to.offers.put_back(offer, Some(claim)));
                    }
                    to.go(number, At::Writing { taken: Box::new(taken), token: *token, resume: false })
                });
            }
            At::Writing { .. } => self.write(state, number, add),
            At::Answer { token, .. } if line.owned => add(format!("device {of} is told"), true, false, &|to| {
                if to.devices[of].gone {
                    return to.end(number);
                }
                let mut record = record(&to.devices[of]);
                record.acknowledged(&hash_of(*token));
                let tokens = numbers(&record);
                let device = &mut to.devices[of];
                (device.tokens, device.active, device.told) = (tokens, true, true);
                to.end(number)
            }),
            // On its way to nobody.
            At::Grant(_) | At::Answer { .. } => {}
            other => unreachable!("{other:?} is no step of a scan"),
        }
    }

    /// An acknowledgement is written: one that was sent, or a reconnect under the granted token.
    fn write(&self, state: &State, number: usize, add: Add<'_>) {
        let At::Writing { taken, token, resume } = &state.lines[number].at else { return };
        let of = state.lines[number].of;
        let after = |to: &mut State, went, r| match (went, resume) {
            (Went::Well, false) => to.go(number, At::Answer { token: *token }),
            (Went::Well, true) => to.go(number, At::Welcome { token: *token, r }),
            (Went::Failed, true) => to.go(number, At::Unavailable),
            (_, true) => to.go(number, At::Refused(*token)),
            (_, false) => to.end(number),
        };
        add(format!("the machine writes device {of}"), true, false, &|to| {
            let went = self.activate(to, of, (**taken).clone(), *token);
            let r = to.disks[of].row.unwrap_or_default();
            after(to, went, r)
        });
        if state.mishaps[1] < self.mishaps {
            add("the disk fails".into(), false, false, &|to| {
                to.mishaps[1] += 1;
                let (offer, claim) = (**taken).clone();
                assert!(to.offers.put_back(offer, Some(claim)));
                after(to, Went::Failed, 0)
            });
        }
    }
}
