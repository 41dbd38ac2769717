//! A first pairing: two devices, each with overlapping runs, and an offer that both hold; connections are lost,
//! processes and the machine crash, the disk fails, time passes, a key is revoked.
//!
//! Real: [`Offers`] and the acknowledgement's transaction over SQLite, the judge, the device's record. Restated
//! from `granting`, `reconnect` and `client::ledger`: which of them comes after which. [`state`] has what there
//! is, [`world`] what may happen to it, [`scan`] and [`reconnect`] the steps of a connection.

mod reconnect;
mod scan;
mod state;
mod tests;
mod world;

use super::disk::{Change, Sqlite, Went};
use super::explorer::{Model, Step};
use super::{hash_of, token};
use crate::host::offers::{Claim, Offer, OfferNumber, OfferRequest, Offers};
use state::{Device, Granting, State, key, numbers, record};
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
        for (number, line) in state.lines.iter().enumerate() {
            if line.at.is_scan() {
                self.scan(state, number, &mut add);
            } else {
                self.reconnect(state, number, &mut add);
            }
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

impl Pairing {
    fn new(twin: Twin, lines: usize, proofs: u8, offers: u32, mishaps: u8) -> Self {
        Self { twin, lines, proofs, offers, mishaps, sqlite: Sqlite::new() }
    }

    /// The device stores a Grant, as its ledger does.
    fn store(&self, device: &mut Device, granting: &Granting) -> Option<String> {
        let (r, new) = (granting.r, granting.token);
        if device.gone {
            return None;
        }
        let keeps = device.active || self.twin != Twin::Overwrites;
        if !device.tokens.is_empty() && device.r == r && keeps {
            let mut record = record(device);
            record.granted(token(new), granting.current.map(hash_of).as_ref());
            device.tokens = numbers(&record);
            return None;
        }
        if device.active {
            return Some("an honest machine's Grant is taken for a thief's".into());
        }
        (device.tokens, device.r) = (vec![new], r);
        None
    }

    /// The acknowledgement's transaction, and what becomes of the claim.
    fn activate(&self, to: &mut State, of: usize, taken: (Offer, Claim), token: u8) -> Went {
        let r = taken.1.recognition_key.expose()[0];
        let (disk, went) = self.sqlite.run(key(of), &to.disks[of], &Change::Activate(key(of), r, token));
        let number = taken.0.number;
        match went {
            Went::Well => {
                to.offers.written(number);
                to.paired.push((number, of));
            }
            Went::Revoked => assert!(to.offers.put_back(taken.0, None)),
            Went::Not => assert!(to.offers.put_back(taken.0, Some(Claim { granted: None, ..taken.1 }))),
            _ => assert!(to.offers.put_back(taken.0, Some(taken.1))),
        }
        to.disks[of] = disk;
        went
    }
}
