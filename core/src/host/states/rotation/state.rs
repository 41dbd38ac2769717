//! What there is in the model of rotation: the machine's disk and offer, the device's record, and the
//! connections between them. [`State::settle`] brings states with the same future to one form.

use super::super::disk::{Disk, Token};
use crate::store::host::tokens::TokenState;

/// More than there ever are at once.
const NUMBERS: u8 = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) disk: Disk,
    pub(super) offer: Offer,
    /// The device's tokens, newest first; none once it was told that it is revoked.
    pub(super) record: Vec<u8>,
    pub(super) lines: Vec<Line>,
}

/// The one offer, as the real [`Offers`](crate::host::offers::Offers) sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Offer {
    None,
    Live,
    Claimed,
    Granted(u8),
    /// Taken out by an acknowledgement that is being written.
    Taken(u8),
}

/// One connection of the device, or what is left of it at the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Line {
    /// A process of the device waits for it.
    pub(super) owned: bool,
    pub(super) at: At,
    /// Refused in this attempt.
    pub(super) refused: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum At {
    /// Between two dials of one attempt.
    Between,
    /// The twin's: chosen, not dialled.
    Chosen(u8),
    /// The request is on its way.
    Asked(u8),
    Promoting(u8),
    Registering(u8, bool),
    Storing(u8),
    /// The welcome is on its way; with a new token.
    Welcome(u8, Option<u8>),
    /// A refusal is on its way.
    Refused(u8, No),
    /// Proof is on its way.
    Proof,
    Claimed,
    /// The Grant's token is on the disk; the other is the current one, as the Grant will say.
    GrantStored(u8, Option<u8>),
    Grant(u8, Option<u8>),
    Acknowledge(u8),
    /// The acknowledgement is being written; by a reconnect, which goes on with what the judge said.
    Writing(u8, Option<Next>),
    Answer(u8),
    /// The twin's: answered, not written.
    AnswerUnwritten(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Next {
    Promote,
    Welcome(bool),
    No(No),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum No {
    Other,
    Unavailable,
    Suspended,
    Revoked,
}

impl State {
    /// A number that no token has.
    pub(super) fn fresh(&self) -> u8 {
        let mut taken = self.numbers();
        taken.extend(self.disk.tokens.iter().map(|token| token.number));
        (1..NUMBERS).find(|number| !taken.contains(number)).unwrap()
    }

    /// A connection comes to its next point.
    pub(super) fn go(&mut self, line: usize, at: At) -> Option<String> {
        self.lines[line].at = at;
        None
    }

    /// A connection is over.
    pub(super) fn end(&mut self, line: usize) -> Option<String> {
        self.lines.remove(line);
        None
    }

    /// Every token that somebody still holds or will look at.
    fn numbers(&self) -> Vec<u8> {
        let mut all = self.record.clone();
        if let Offer::Granted(token) | Offer::Taken(token) = self.offer {
            all.push(token);
        }
        for line in &self.lines {
            let mut at = line.at;
            all.extend(at.tokens().into_iter().flatten().map(|token| *token));
            all.extend(&line.refused);
        }
        all
    }

    /// One form for states with the same future: tokens that are over and that nobody holds are forgotten,
    /// the others numbered in their order, connections sorted.
    pub(super) fn settle(&mut self) {
        self.lines.retain(|line| line.owned || !line.at.is_for_the_device());
        for line in &mut self.lines {
            let record = &self.record;
            line.refused.retain(|token| line.owned && record.contains(token));
            line.refused.sort_unstable();
            // A token that the device has let go of never comes back to it, so a Grant that names it names none.
            if let At::GrantStored(_, current) | At::Grant(_, current) = &mut line.at {
                *current = current.filter(|token| line.owned && record.contains(token));
            }
        }
        self.disk.forget_ages();
        let held = self.numbers();
        let over = |token: &Token| matches!(token.state, TokenState::Superseded | TokenState::Voided);
        self.disk.tokens.retain(|token| !over(token) || held.contains(&token.number));
        // By the record, oldest first. The order of issue matters among those that are not over; of the others
        // any order is as good.
        let by_record = self.record.iter().rev().copied();
        let on_disk = self.disk.tokens.iter().filter(|token| !over(token)).map(|token| token.number);
        let (mut names, mut named) = ([0; NUMBERS as usize], 0);
        for number in by_record.chain(on_disk).chain(held) {
            let name = &mut names[usize::from(number)];
            if *name == 0 {
                named += 1;
                *name = named;
            }
        }
        let renamed = |number: u8| names[usize::from(number)];
        self.disk.tokens.iter_mut().for_each(|token| token.number = renamed(token.number));
        self.record.iter_mut().for_each(|token| *token = renamed(*token));
        match &mut self.offer {
            Offer::Granted(token) | Offer::Taken(token) => *token = renamed(*token),
            _ => {}
        }
        for line in &mut self.lines {
            line.at.rename(renamed);
            line.refused.iter_mut().for_each(|token| *token = renamed(*token));
        }
        self.disk.tokens.sort_by_key(|token| if over(token) { token.number } else { 0 });
        self.lines.sort();
    }
}

impl At {
    /// The tokens of this point: its own, and another.
    fn tokens(&mut self) -> [Option<&mut u8>; 2] {
        match self {
            Self::Between | Self::Proof | Self::Claimed => [None, None],
            Self::Welcome(token, other) | Self::GrantStored(token, other) | Self::Grant(token, other) => {
                [Some(token), other.as_mut()]
            }
            Self::Chosen(token)
            | Self::Asked(token)
            | Self::Promoting(token)
            | Self::Registering(token, _)
            | Self::Storing(token)
            | Self::Refused(token, _)
            | Self::Acknowledge(token)
            | Self::Writing(token, _)
            | Self::Answer(token)
            | Self::AnswerUnwritten(token) => [Some(token), None],
        }
    }

    fn rename(&mut self, to: impl Fn(u8) -> u8) {
        self.tokens().into_iter().flatten().for_each(|token| *token = to(*token));
    }

    /// Nobody has been proven on it yet: it lives for seconds.
    pub(super) fn is_strangers(&self) -> bool {
        matches!(self, Self::Asked(_) | Self::Proof)
    }

    /// Nothing but the device's taking it can come of it.
    pub(super) fn is_for_the_device(&self) -> bool {
        matches!(
            self,
            Self::Between
                | Self::Chosen(_)
                | Self::Registering(_, false)
                | Self::Welcome(..)
                | Self::Refused(..)
                | Self::Grant(..)
                | Self::Answer(_)
                | Self::AnswerUnwritten(_)
        )
    }

    pub(super) fn is_scan(&self) -> bool {
        matches!(
            self,
            Self::Proof
                | Self::Claimed
                | Self::GrantStored(..)
                | Self::Grant(..)
                | Self::Acknowledge(_)
                | Self::Writing(_, None)
                | Self::Answer(_)
                | Self::AnswerUnwritten(_)
        )
    }
}
