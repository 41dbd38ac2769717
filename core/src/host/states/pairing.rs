//! A first pairing: two devices, each with overlapping runs, and an offer that both hold; connections are lost,
//! processes and the machine crash, the disk fails, time passes, a key is revoked.
//!
//! Real: [`Offers`] and the acknowledgement's transaction over SQLite, the judge, the device's record. Restated
//! from `granting`, `reconnect` and `client::ledger`: which of them comes after which.

use super::disk::{Change, Disk, Sqlite, Went, id};
use super::explorer::{Model, Step};
use super::{grant_of, hash_of, holds, is_found, key_of, long, number_of, r_of, token};
use crate::client::record::Record;
use crate::host::offers::{Claim, ClaimOutcome, Offer, OfferNumber, OfferRequest, Offers};
use crate::host::sessions::Verdict;
use crate::token::TokenHash;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// How a twin is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    None,
    /// The machine looks whether the offer is free, and marks it later.
    ChecksThenMarks,
    /// The machine answers an acknowledgement, then writes it.
    AnswersFirst,
    /// The device keeps only the Grant that it stored last.
    Overwrites,
    /// Each claim of a key has an R of its own.
    FreshR,
}

struct Pairing {
    twin: Twin,
    /// Connections at once.
    lines: usize,
    /// Proofs in all, each with a token and an R of its own.
    proofs: u8,
    /// Offers that both devices hold.
    offers: u32,
    /// Of each kind: crashes of the machine, failures of its disk, revocations.
    mishaps: u8,
    sqlite: Sqlite,
}

#[derive(Debug, Clone)]
struct State {
    offers: Offers,
    now: Duration,
    disks: [Disk; 2],
    devices: [Device; 2],
    lines: Vec<Line>,
    proofs: u8,
    /// Crashes, failures of the disk, revocations so far.
    mishaps: [u8; 3],
    /// Which key each offer has made a device.
    paired: Vec<(OfferNumber, usize)>,
}

/// What a device has stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Device {
    tokens: Vec<u8>,
    r: u8,
    active: bool,
    /// Its person was told that it is paired.
    told: bool,
    /// It was told that it is revoked: key and record are erased.
    gone: bool,
}

#[derive(Debug, Clone)]
struct Line {
    of: usize,
    owned: bool,
    refused: Vec<u8>,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    Proof(OfferNumber),
    /// The twin's: it was free a moment ago.
    Looked(OfferNumber),
    Claimed {
        offer: OfferNumber,
        r: u8,
        row: bool,
    },
    Stored {
        offer: OfferNumber,
        r: u8,
        token: u8,
    },
    Grant {
        offer: OfferNumber,
        r: u8,
        token: u8,
    },
    Acknowledge {
        offer: OfferNumber,
        token: u8,
    },
    Writing {
        taken: Box<(Offer, Claim)>,
        token: u8,
        resume: bool,
    },
    Answer {
        token: u8,
    },
    Dial,
    Asked(u8),
    Promoting(u8),
    Welcome {
        token: u8,
        r: u8,
    },
    Refused(u8),
    Revoked,
}

impl State {
    fn known(&self) -> String {
        let mut lines: Vec<String> = self
            .lines
            .iter()
            .map(|line| {
                let at = match &line.at {
                    At::Writing { taken, token, resume } => {
                        format!("Writing {} {} {token} {resume}", taken.0.number, taken.1.recognition_key.expose()[0])
                    }
                    other => format!("{other:?}"),
                };
                format!("{} {} {:?} {at}", line.of, line.owned, line.refused)
            })
            .collect();
        lines.sort();
        format!(
            "{} {:?} {:?} {:?} {lines:?} {} {:?} {:?}",
            self.offers.known(self.now),
            self.now,
            self.disks,
            self.devices,
            self.proofs,
            self.mishaps,
            self.paired
        )
    }

    fn end(&mut self, line: usize) -> Option<String> {
        self.lines.remove(line);
        None
    }

    fn go(&mut self, line: usize, at: At) -> Option<String> {
        self.lines[line].at = at;
        None
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

/// The key of a device.
fn key(of: usize) -> u8 {
    of as u8 + 1
}

fn record(device: &Device) -> Record {
    Record::of(device.tokens.iter().map(|number| token(*number)).collect(), r_of(device.r))
}

fn numbers(record: &Record) -> Vec<u8> {
    record.tokens().iter().map(|token| number_of(&TokenHash::of(token))).collect()
}

impl Pairing {
    fn new(twin: Twin, lines: usize, proofs: u8, offers: u32, mishaps: u8) -> Self {
        Self { twin, lines, proofs, offers, mishaps, sqlite: Sqlite::new() }
    }

    /// The device stores a Grant, as its ledger does.
    fn store(&self, device: &mut Device, r: u8, new: u8) -> Option<String> {
        if device.gone {
            return None;
        }
        let keeps = device.active || self.twin != Twin::Overwrites;
        if !device.tokens.is_empty() && device.r == r && keeps {
            let mut record = record(device);
            record.granted(token(new));
            device.tokens = numbers(&record);
            return None;
        }
        if device.active {
            return Some("an honest machine's Grant is taken for a thief's".into());
        }
        (device.tokens, device.r) = (vec![new], r);
        None
    }

    fn write(&self, to: &mut State, of: usize, taken: (Offer, Claim), token: u8) -> Went {
        let r = taken.1.recognition_key.expose()[0];
        let (disk, went) = self.sqlite.run(key(of), &to.disks[of], &Change::Activate(key(of), r, token));
        let number = taken.0.number;
        match went {
            Went::Well => {
                to.offers.written(number);
                to.paired.push((number, of));
            }
            Went::Revoked => assert!(to.offers.put_back(taken.0, None)),
            _ => assert!(to.offers.put_back(taken.0, Some(taken.1))),
        }
        to.disks[of] = disk;
        went
    }
}

impl Model for Pairing {
    type State = State;

    fn initial(&self) -> State {
        let mut offers = Offers::default();
        for _ in 0..self.offers {
            offers.mint(&OfferRequest { link: true, ..OfferRequest::default() }, Duration::ZERO).unwrap();
        }
        State {
            offers,
            now: Duration::ZERO,
            disks: Default::default(),
            devices: Default::default(),
            lines: Vec::new(),
            proofs: 0,
            mishaps: [0; 3],
            paired: Vec::new(),
        }
    }

    /// The first device, once it was told: it must get in.
    fn wants_goal(&self, state: &State) -> bool {
        state.devices[0].told && !state.disks[0].revoked
    }

    fn steps(&self, state: &State) -> Vec<Step<State>> {
        let mut all = Vec::new();
        let mut add = |name: String, honest: bool, goal: bool, change: &dyn Fn(&mut State) -> Option<String>| {
            let mut to = state.clone();
            let wrong = change(&mut to);
            to.lines.retain(|line| line.owned || !line.at.is_for_the_device());
            let wrong = wrong.or_else(|| wrong_after(state, &to));
            all.push(Step { name, to, honest, goal, wrong });
        };
        self.begin(state, &mut add);
        self.world(state, &mut add);
        for number in 0..state.lines.len() {
            self.line(state, number, &mut add);
        }
        all
    }
}

type Add<'a> = &'a mut dyn FnMut(String, bool, bool, &dyn Fn(&mut State) -> Option<String>);

fn wrong_after(before: &State, after: &State) -> Option<String> {
    for of in 0..2 {
        if let Some(wrong) = before.disks[of].wrong_after(&after.disks[of]) {
            return Some(wrong);
        }
        let (device, disk) = (&after.devices[of], &after.disks[of]);
        if device.told && !disk.revoked && disk.row.is_none() {
            return Some("an acknowledged pairing is not on the disk".into());
        }
        if disk.suspended {
            return Some("an honest device was suspended".into());
        }
    }
    let two = |(offer, of): &(OfferNumber, usize)| after.paired.iter().any(|(other, by)| other == offer && by != of);
    after.paired.iter().any(two).then(|| "one offer has made two keys devices".into())
}

impl At {
    fn is_for_the_device(&self) -> bool {
        matches!(
            self,
            Self::Grant { .. }
                | Self::Answer { .. }
                | Self::Dial
                | Self::Welcome { .. }
                | Self::Refused(_)
                | Self::Revoked
        )
    }
}

impl Pairing {
    fn begin(&self, state: &State, add: Add<'_>) {
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
                        At::Dial | At::Asked(_) | At::Promoting(_) | At::Welcome { .. } | At::Refused(_)
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

    fn world(&self, state: &State, add: Add<'_>) {
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
                to.lines.retain(|line| !matches!(line.at, At::Proof(_) | At::Asked(_) | At::Grant { .. }));
                None
            });
        }
    }

    fn line(&self, state: &State, number: usize, add: Add<'_>) {
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
                if *row {
                    let (disk, went) = self.sqlite.run(device, &to.disks[of], &Change::GrantAgain(token));
                    to.disks[of] = disk;
                    if went != Went::Well {
                        return to.end(number);
                    }
                }
                to.go(number, At::Stored { offer: *offer, r: *r, token })
            }),
            At::Stored { offer, r, token } => add(format!("the machine grants {token}"), true, false, &|to| {
                if to.offers.granted(*offer, &key_of(device), grant_of(*token)) {
                    to.go(number, At::Grant { offer: *offer, r: *r, token: *token })
                } else {
                    to.end(number)
                }
            }),
            At::Grant { offer, r, token } if line.owned => {
                add(format!("device {of} stores {token}"), true, false, &|to| {
                    let wrong = self.store(&mut to.devices[of], *r, *token);
                    to.go(number, At::Acknowledge { offer: *offer, token: *token });
                    wrong
                })
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
            At::Writing { taken, token, resume } => {
                let after = |to: &mut State, went, r| match (went, resume) {
                    (Went::Well, false) => to.go(number, At::Answer { token: *token }),
                    (Went::Well, true) => to.go(number, At::Welcome { token: *token, r }),
                    (_, true) => to.go(number, At::Refused(*token)),
                    (_, false) => to.end(number),
                };
                add(format!("the machine writes device {of}"), true, false, &|to| {
                    let went = self.write(to, of, (**taken).clone(), *token);
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
            At::Dial => {
                let refused: Vec<_> = line.refused.iter().map(|number| hash_of(*number)).collect();
                let next = record(&state.devices[of]).token_to_try(&refused).map(|it| number_of(&TokenHash::of(it)));
                add(format!("device {of} asks with {next:?}"), true, false, &|to| match next {
                    Some(token) => to.go(number, At::Asked(token)),
                    None => to.end(number),
                });
            }
            At::Asked(token) => add(format!("the machine judges {token}"), true, false, &|to| {
                if disk.revoked {
                    return to.go(number, At::Revoked);
                }
                let claim = to.offers.claim_of(id(device), &hash_of(*token), to.now);
                let granted =
                    claim.filter(|(_, claim)| claim.granted.as_ref().is_some_and(|it| it.token == hash_of(*token)));
                if let Some((offer, _)) = granted
                    && let Some(taken) = to.offers.acknowledge(offer, &hash_of(*token), to.now)
                {
                    return to.go(number, At::Writing { taken: Box::new(taken), token: *token, resume: true });
                }
                let Some(r) = disk.row else { return to.go(number, At::Refused(*token)) };
                match self.sqlite.judge(device, disk, *token) {
                    Verdict::Welcome { .. } => to.go(number, At::Welcome { token: *token, r }),
                    Verdict::Promote => to.go(number, At::Promoting(*token)),
                    Verdict::Theft => Some("an honest device was suspended".into()),
                    Verdict::Refuse(_) => to.go(number, At::Refused(*token)),
                }
            }),
            At::Promoting(token) => add(format!("the machine promotes {token}"), true, false, &|to| {
                let (disk, went) = self.sqlite.run(device, &to.disks[of], &Change::Promote(*token));
                to.disks[of] = disk;
                let Some(r) = to.disks[of].row.filter(|_| went == Went::Well) else {
                    return to.go(number, At::Refused(*token));
                };
                to.go(number, At::Welcome { token: *token, r })
            }),
            At::Welcome { token, r } if line.owned => add(format!("device {of} is welcome"), true, of == 0, &|to| {
                if to.devices[of].gone {
                    return to.end(number);
                }
                let mut record = record(&to.devices[of]);
                let refused: Vec<_> = line.refused.iter().map(|number| hash_of(*number)).collect();
                record.welcomed(&hash_of(*token), &refused, None);
                let (tokens, device) = (numbers(&record), &mut to.devices[of]);
                let copied = device.r != *r;
                (device.tokens, device.active) = (tokens, true);
                to.end(number);
                copied.then(|| "an honest machine is taken for a thief".into())
            }),
            At::Refused(token) if line.owned => add(format!("device {of} is refused"), true, false, &|to| {
                to.lines[number].refused.push(*token);
                to.go(number, At::Dial)
            }),
            At::Revoked if line.owned => add(format!("device {of} is told that it is revoked"), true, false, &|to| {
                to.devices[of] = Device { gone: true, ..Device::default() };
                to.end(number)
            }),
            At::Grant { .. } | At::Answer { .. } | At::Welcome { .. } | At::Refused(_) | At::Revoked => {}
        }
    }
}

impl State {
    /// Every token that was ever granted in this state's sight.
    fn known_tokens(&self) -> Vec<u8> {
        let mut all: Vec<u8> =
            self.disks.iter().flat_map(|disk| disk.tokens.iter().map(|token| token.number)).collect();
        all.extend(self.devices.iter().flat_map(|device| device.tokens.iter().copied()));
        all.extend(
            self.offers
                .live()
                .filter_map(|offer| offer.claim.as_ref()?.granted.as_ref())
                .map(|it| number_of(&it.token)),
        );
        for line in &self.lines {
            match &line.at {
                At::Stored { token, .. }
                | At::Grant { token, .. }
                | At::Acknowledge { token, .. }
                | At::Writing { token, .. }
                | At::Answer { token, .. } => all.push(*token),
                _ => {}
            }
        }
        all
    }
}

#[test]
fn one_offer_makes_one_key_a_device_and_no_acknowledged_pairing_is_lost_in_any_order_of_events() {
    let all = if long() { vec![(3, 3, 1, 1), (2, 3, 2, 1), (3, 4, 1, 0)] } else { vec![(2, 2, 1, 1), (2, 2, 2, 0)] };
    for (lines, proofs, offers, mishaps) in all {
        let name =
            format!("pairing, {lines} connections, {proofs} Proofs, {offers} offers, {mishaps} mishaps of each kind");
        assert!(holds(&name, &Pairing::new(Twin::None, lines, proofs, offers, mishaps)).states > 1000);
    }
}

#[test]
fn control_an_offer_that_is_checked_and_then_marked_is_found_used_twice() {
    is_found("checks, then marks", &Pairing::new(Twin::ChecksThenMarks, 2, 2, 1, 0), "two keys");
}

#[test]
fn control_a_machine_that_answers_before_it_writes_is_found_to_lose_a_pairing() {
    is_found("answers first", &Pairing::new(Twin::AnswersFirst, 1, 1, 1, 0), "not on the disk");
}

#[test]
fn control_a_device_that_keeps_only_its_last_grant_is_found_locked_out() {
    is_found("overwrites", &Pairing::new(Twin::Overwrites, 2, 2, 1, 0), "no honest step");
}

#[test]
fn control_two_keys_of_recognition_for_one_device_are_found() {
    is_found("a fresh R each time", &Pairing::new(Twin::FreshR, 2, 2, 2, 0), "thief");
}
