//! What there is in the model of a first pairing: the machine with its offers and disks, two devices, and the
//! connections between them.

use super::super::disk::Disk;
use super::super::{number_of, r_of, token};
use crate::client::record::Record;
use crate::host::offers::{Claim, Offer, OfferNumber, Offers};
use crate::token::TokenHash;
use std::hash::{Hash, Hasher};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) offers: Offers,
    pub(super) now: Duration,
    pub(super) disks: [Disk; 2],
    pub(super) devices: [Device; 2],
    pub(super) lines: Vec<Line>,
    pub(super) proofs: u8,
    /// Crashes, failures of the disk, revocations so far.
    pub(super) mishaps: [u8; 3],
    /// Which key each offer has made a device.
    pub(super) paired: Vec<(OfferNumber, usize)>,
}

/// What a device has stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Device {
    pub(super) tokens: Vec<u8>,
    pub(super) r: u8,
    pub(super) active: bool,
    /// Its person was told that it is paired.
    pub(super) told: bool,
    /// It was told that it is revoked: key and record are erased.
    pub(super) gone: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) of: usize,
    pub(super) owned: bool,
    pub(super) refused: Vec<u8>,
    pub(super) at: At,
}

#[derive(Debug, Clone)]
pub(super) enum At {
    Proof(OfferNumber),
    /// The twin's: it was free a moment ago.
    Looked(OfferNumber),
    Claimed {
        offer: OfferNumber,
        r: u8,
        row: bool,
    },
    Stored(Granting),
    Grant(Granting),
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
    /// The claim was put back: the device is to come again.
    Unavailable,
    Revoked,
}

/// What a Grant says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granting {
    pub(super) offer: OfferNumber,
    pub(super) r: u8,
    pub(super) token: u8,
    /// The token that is current in the device's row.
    pub(super) current: Option<u8>,
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

    /// A connection is over.
    pub(super) fn end(&mut self, line: usize) -> Option<String> {
        self.lines.remove(line);
        None
    }

    /// A connection comes to its next point.
    pub(super) fn go(&mut self, line: usize, at: At) -> Option<String> {
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
pub(super) fn key(of: usize) -> u8 {
    of as u8 + 1
}

pub(super) fn record(device: &Device) -> Record {
    Record::of(device.tokens.iter().map(|number| token(*number)).collect(), r_of(device.r))
}

pub(super) fn numbers(record: &Record) -> Vec<u8> {
    record.tokens().iter().map(|token| number_of(&TokenHash::of(token))).collect()
}

impl State {
    /// Every token that was ever granted in this state's sight.
    pub(super) fn known_tokens(&self) -> Vec<u8> {
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
                At::Stored(Granting { token, .. })
                | At::Grant(Granting { token, .. })
                | At::Acknowledge { token, .. }
                | At::Writing { token, .. }
                | At::Answer { token, .. } => all.push(*token),
                _ => {}
            }
        }
        all
    }
}

impl At {
    /// Nothing but the device's taking it can come of it.
    pub(super) fn is_for_the_device(&self) -> bool {
        matches!(
            self,
            Self::Grant(_)
                | Self::Answer { .. }
                | Self::Dial
                | Self::Welcome { .. }
                | Self::Refused(_)
                | Self::Unavailable
                | Self::Revoked
        )
    }

    /// It belongs to a run of a pairing; an acknowledgement that is being written does in both flows.
    pub(super) fn is_scan(&self) -> bool {
        matches!(
            self,
            Self::Proof(_)
                | Self::Looked(_)
                | Self::Claimed { .. }
                | Self::Stored(_)
                | Self::Grant(_)
                | Self::Acknowledge { .. }
                | Self::Writing { .. }
                | Self::Answer { .. }
        )
    }
}
