//! Tokens and their rotation: one paired device with two processes that reconnect and scan again, in any
//! order, with connections that are lost, processes and machines that crash, and time that passes.
//!
//! Real: the judge, every transaction, [`Offers`](crate::host::offers::Offers), the device's record. Restated
//! from `reconnect`, `granting` and `client::resume`: which of them comes after which. [`state`] has what there
//! is, [`world`] what may happen to it, [`reconnect`] and [`scan`] the steps of a connection.

mod reconnect;
mod scan;
mod state;
mod tests;
mod world;

use super::disk::{Age, Disk, Sqlite, Token, id};
use super::explorer::{Model, Step};
use super::{grant_of, hash_of, key_of, number_of, offers_with_link, r_of, token};
use crate::client::record::Record;
use crate::host::offers::Offers;
use crate::host::sessions::Verdict;
use crate::store::host::tokens::TokenState;
use crate::token::{SessionToken, TokenHash};
use crate::wire::RefusalCode;
use state::{At, Next, No, Offer, State};
use std::time::Duration;

const KEY: u8 = 1;
const R: u8 = 9;

/// How a twin is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    None,
    /// The device chooses its token, then dials: it may sleep in between.
    ChoosesThenDials,
    /// The device keeps only the token that it got last.
    Overwrites,
    /// The device keeps two tokens where runs of a pairing overlap.
    KeepsTwo,
    /// The machine's promotion leaves the other pending token.
    PromotesAlone,
    /// The machine answers an acknowledgement, then writes it, and the device drops all else.
    AnswersFirst,
    /// The machine takes a superseded token for theft at once, without grace.
    NoGrace,
    /// The machine's Grants do not say which token is current.
    SaysNoCurrent,
    /// The machine takes a Grant that another one has voided for a failure of its disk.
    VoidIsFailure,
}

struct Rotation {
    twin: Twin,
    /// Connections at once, those that the device has given up included.
    lines: usize,
    /// Of them, runs of a pairing.
    scans: usize,
    sqlite: Sqlite,
}

/// The steps of one state, as they are gathered.
struct Steps<'a> {
    from: &'a State,
    all: Vec<Step<State>>,
}

impl Steps<'_> {
    fn add(&mut self, name: String, honest: bool, goal: bool, change: impl FnOnce(&mut State) -> Option<String>) {
        let mut to = self.from.clone();
        let wrong = change(&mut to);
        let wrong = wrong.or_else(|| self.from.disk.wrong_after(&to.disk));
        let wrong = wrong.or_else(|| to.disk.suspended.then(|| "an honest device was suspended as a thief".to_owned()));
        to.settle();
        self.all.push(Step { name, to, honest, goal, wrong });
    }
}

impl Model for Rotation {
    type State = State;

    fn initial(&self) -> State {
        let current = Token { number: 1, state: TokenState::Current, created: Age::New, changed: Age::New };
        let disk = Disk { row: Some(R), tokens: vec![current], ..Disk::default() };
        State { disk, offer: Offer::None, record: vec![1], lines: Vec::new() }
    }

    fn wants_goal(&self, state: &State) -> bool {
        !state.disk.revoked
    }

    fn steps(&self, state: &State) -> Vec<Step<State>> {
        let mut steps = Steps { from: state, all: Vec::new() };
        self.begin(state, &mut steps);
        for (number, line) in state.lines.iter().enumerate() {
            match line.at {
                At::Writing(..) => self.write(state, number, &mut steps),
                at if at.is_scan() => self.scan(state, number, &mut steps),
                _ => self.reconnect(state, number, &mut steps),
            }
        }
        self.world(state, &mut steps);
        steps.all
    }
}

/// What is real in it, on a state's values.
impl Rotation {
    fn new(twin: Twin, lines: usize, scans: usize) -> Self {
        Self { twin, lines, scans, sqlite: Sqlite::new() }
    }

    /// The real offers in this state.
    fn offers(offer: Offer) -> Offers {
        let mut offers = offers_with_link().0;
        match offer {
            Offer::None | Offer::Taken(_) => {
                offers.withdraw(1, Duration::ZERO);
            }
            Offer::Live => {}
            Offer::Claimed | Offer::Granted(_) => {
                offers.claim_number(1, key_of(KEY), r_of(R), Duration::ZERO);
            }
        }
        if let Offer::Granted(token) = offer {
            assert!(offers.granted(1, &key_of(KEY), grant_of(token)));
        }
        offers
    }

    fn record(tokens: &[u8], change: impl FnOnce(&mut Record)) -> Vec<u8> {
        let mut record = Record::of(tokens.iter().map(|number| token(*number)).collect(), r_of(R));
        change(&mut record);
        record.tokens().iter().map(number).collect()
    }

    fn token_to_try(record: &[u8], refused: &[u8]) -> Option<u8> {
        let refused: Vec<_> = refused.iter().map(|number| hash_of(*number)).collect();
        let record = Record::of(record.iter().map(|number| token(*number)).collect(), r_of(R));
        record.token_to_try(&refused).map(number)
    }

    fn welcomed(&self, record: &[u8], used: u8, refused: &[u8], new: Option<u8>) -> Vec<u8> {
        if let (Twin::Overwrites, Some(new)) = (self.twin, new) {
            return vec![new];
        }
        let refused: Vec<_> = refused.iter().map(|number| hash_of(*number)).collect();
        Self::record(record, |record| record.welcomed(&hash_of(used), &refused, new.map(token)))
    }

    fn granted(&self, record: &[u8], new: u8, current: Option<u8>) -> Vec<u8> {
        match self.twin {
            Twin::KeepsTwo => [Some(new), record.last().copied()].into_iter().flatten().collect(),
            Twin::Overwrites => vec![new],
            _ => Self::record(record, |record| record.granted(token(new), current.map(hash_of).as_ref())),
        }
    }

    fn judge(&self, disk: &Disk, presented: u8) -> Next {
        if disk.revoked {
            return Next::No(No::Revoked);
        }
        if self.twin == Twin::NoGrace && disk.state_of(presented) == Some(TokenState::Superseded) {
            return Next::No(No::Suspended);
        }
        match self.sqlite.judge(KEY, disk, presented) {
            Verdict::Welcome { rotate } => Next::Welcome(rotate),
            Verdict::Promote => Next::Promote,
            Verdict::Theft => Next::No(No::Suspended),
            Verdict::Refuse(RefusalCode::TokenReplaced | RefusalCode::TokenUnknown) => Next::No(No::Other),
            Verdict::Refuse(RefusalCode::Suspended) => Next::No(No::Suspended),
            Verdict::Refuse(other) => panic!("{other:?} is out of this model"),
        }
    }
}

fn number(token: &SessionToken) -> u8 {
    number_of(&TokenHash::of(token))
}
