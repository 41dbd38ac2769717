//! Flow (a), before the person says yes: what is this offer for, and what do we have already?
//!
//! A row is chosen by the full pin that TLS proved, or by R: never by a field of the QR, a name or
//! an address. What the person is then asked is a [`PairQuestion`]; `pair` does what was agreed.

use super::Client;
use super::error::ClientError;
use super::ledger::UsedBefore;
use super::line::{self, DialFailed, FirstAnswer};
use super::pair::Paired;
use super::refused::of_pairing_refusal;
use crate::handshake::{AwaitPreview, MacKey, PreviewReceived};
use crate::identity::{DeviceId, MachineId, Pin};
use crate::link::Link;
use crate::names;
use crate::net::tls::PinCheck;
use crate::role::Role;
use crate::store::device::machines::MachineState as RowState;
use crate::wire::{Address, Flow, Refusal, RefusalCode, limits};

/// Rows of one machine id under other pins that are asked for, at most.
const RECOGNITION_TRIES: usize = 4;

/// What the person is to be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum PairQuestion {
    /// Pair with a machine that this device has no row of?
    New,
    /// As [`New`](Self::New), with a warning: the machine claims the id of a paired machine, but
    /// has another key and could not prove that it is that machine.
    NewSameId {
        /// The name of the paired machine here.
        known_as: String,
    },
    /// Pair again with a machine that is paired already? The row stays.
    Again {
        /// Its name here.
        known_as: String,
    },
    /// Replace the key of a paired machine, which proved that it is that machine? Only an explicit
    /// yes may answer this.
    ReplaceKey {
        /// Its name here.
        known_as: String,
        /// The key it was known by.
        old_fingerprint: String,
    },
    /// Nothing: this very offer has paired this device already.
    AlreadyPaired(Box<Paired>),
}

/// What an offer is for, before anything is agreed.
#[derive(Debug, Clone)]
pub struct PairPreview {
    /// The machine's name, as it says.
    pub name: String,
    /// Its platform, as it says.
    pub platform: String,
    /// Its key, proven.
    pub pin: Pin,
    /// The address that answered.
    pub address: Address,
    /// The role that the offer gives.
    pub role: Role,
    /// What to ask the person.
    pub question: PairQuestion,
    pub(super) machine: MachineId,
    pub(super) replaces: Option<i64>,
    pub(super) offer: MacKey,
    pub(super) addresses: Vec<Address>,
}

impl PairPreview {
    /// The key fingerprint, to be compared with the machine's screen.
    pub fn fingerprint(&self) -> String {
        self.pin.fingerprint()
    }
}

impl Client {
    /// Asks the machine of a link what its offer is for. Nothing is used up.
    ///
    /// # Errors
    /// The machine cannot be reached, has another key, or does not know the offer.
    pub async fn preview(&self, link: &Link) -> Result<PairPreview, ClientError> {
        let offer = MacKey::of_offer(&link.secret);
        let (id, prefix) = (offer.offer_id(), link.pin);
        crate::fault_point!("device-link", link, offer);
        let own = self.durable(move |ledger| ledger.by_offer(id, prefix)).await?;
        // A pairing that was cut short after the Grant: the first reconnect is its acknowledgement.
        if let Some(used) = own.as_ref().filter(|used| used.take_up) {
            match self.take_up(&used.row).await {
                Ok(paired) => {
                    let known = PairPreview::of_row(used, offer, &link.addresses)?;
                    return Ok(PairPreview { question: PairQuestion::AlreadyPaired(Box::new(paired)), ..known });
                }
                // The offer is used, by a key that is erased now: another would ring the alarm.
                Err(error @ (ClientError::Revoked { .. } | ClientError::KeyCopied { .. })) => return Err(error),
                Err(_) => {}
            }
        }
        let asked = self.ask_preview(&link.addresses, PinCheck::Prefix(link.pin), &offer, None).await;
        let (pin, address, received) = match asked {
            Ok(asked) => asked,
            // The offer may be used by this very device, whose Grant got lost: the Proof will tell.
            Err(ClientError::OfferUsed | ClientError::OfferExpired) if own.is_some() => {
                let used = own.ok_or(ClientError::OfferUsed)?;
                return PairPreview::of_row(&used, offer, &link.addresses);
            }
            Err(error) => {
                if matches!(error, ClientError::OfferUsed) {
                    self.show_used(link, &offer).await;
                }
                return Err(error);
            }
        };
        let preview = &received.preview;
        let (question, replaces) = self.question(pin, &address, preview.machine, &offer).await?;
        Ok(PairPreview {
            name: names::clean_machine_name(&preview.name),
            platform: names::clean(&preview.platform, limits::NAME).unwrap_or_default(),
            pin,
            address,
            role: preview.role,
            question,
            machine: preview.machine,
            replaces,
            offer,
            addresses: link.addresses.clone(),
        })
    }

    /// One preview over a connection of its own.
    async fn ask_preview(
        &self,
        addresses: &[Address],
        check: PinCheck,
        offer: &MacKey,
        device: Option<DeviceId>,
    ) -> Result<(Pin, Address, PreviewReceived), ClientError> {
        const NAME: &str = "the machine";
        let dialled = line::dial(NAME, addresses, check).await.map_err(|failed| match failed {
            DialFailed::WrongKey { address, seen, .. } => ClientError::OtherKey { address, seen },
            DialFailed::Other(error) => error,
        })?;
        let (pin, address) = (dialled.channel.pin, dialled.address.clone());
        let (envelope, wait) = AwaitPreview::request(&dialled.channel, offer.clone(), device)?;
        match line::ask(NAME, dialled, Flow::Preview, &envelope).await? {
            FirstAnswer::Answered(answer) => Ok((pin, address, wait.receive(&answer)?)),
            FirstAnswer::Refused(refused) => Err(of_pairing_refusal(&wait.refused(&refused)?, NAME)),
            FirstAnswer::Stranger { versions } => Err(stranger(versions)),
            FirstAnswer::Opened(..) => Err(ClientError::Protocol),
        }
    }

    /// What to ask the person about a machine with this proven pin and this claimed id.
    async fn question(
        &self,
        pin: Pin,
        address: &Address,
        machine: MachineId,
        offer: &MacKey,
    ) -> Result<(PairQuestion, Option<i64>), ClientError> {
        let by_pin = self.durable(move |ledger| ledger.live_by_pin(&pin)).await?;
        if let Some(row) = by_pin.filter(|row| row.state == RowState::Active) {
            return Ok((PairQuestion::Again { known_as: row.name }, None));
        }
        let same_id = self.durable(move |ledger| ledger.live_by_machine(&machine, &pin)).await?;
        let mut unproven = None;
        for row in same_id.into_iter().take(RECOGNITION_TRIES) {
            let device = row.device_id;
            let asked_row = row.clone();
            let record = self.durable(move |ledger| ledger.record(&asked_row)).await?;
            let here = std::slice::from_ref(address);
            let (_, _, received) = self.ask_preview(here, PinCheck::Exact(vec![pin]), offer, Some(device)).await?;
            if received.recognised(&record.recognition_key) {
                let old_fingerprint = row.pin.fingerprint();
                return Ok((PairQuestion::ReplaceKey { known_as: row.name, old_fingerprint }, Some(row.row)));
            }
            unproven.get_or_insert(row.name);
        }
        Ok((unproven.map_or(PairQuestion::New, |known_as| PairQuestion::NewSameId { known_as }), None))
    }
}

impl PairPreview {
    /// What a row knows of an offer that the machine will not preview again.
    fn of_row(used: &UsedBefore, offer: MacKey, addresses: &[Address]) -> Result<Self, ClientError> {
        let (row, replaces) = (&used.row, used.pin != used.row.pin);
        let address = row.last_address.clone().or_else(|| addresses.first().cloned()).ok_or(ClientError::NoAddress)?;
        Ok(Self {
            name: row.machine_name.clone(),
            platform: row.platform.clone(),
            pin: used.pin,
            address,
            role: row.role,
            question: match row.state {
                // It proved R when it was asked before, and its Grant must prove it again.
                RowState::Active if replaces => {
                    let old_fingerprint = row.pin.fingerprint();
                    PairQuestion::ReplaceKey { known_as: row.name.clone(), old_fingerprint }
                }
                RowState::Active => PairQuestion::Again { known_as: row.name.clone() },
                _ => PairQuestion::New,
            },
            machine: row.machine_id,
            replaces: replaces.then_some(row.row),
            offer,
            addresses: addresses.to_vec(),
        })
    }
}

/// The refusal to strangers, given to a device that holds an offer.
pub(super) fn stranger(versions: Option<String>) -> ClientError {
    match versions {
        Some(versions) if !speaks_ours(&versions) => ClientError::Version { machine: Some(versions) },
        _ => ClientError::OfferUnknown,
    }
}

/// Whether a list as "1" or "1, 2" holds this build's version.
pub(super) fn speaks_ours(versions: &str) -> bool {
    versions.split(',').any(|version| version.trim().parse() == Ok(crate::wire::VERSION))
}

/// Whether a refusal ends an unfinished pairing for good.
pub(super) fn ends_pairing(refusal: &Refusal) -> bool {
    !matches!(refusal.code, RefusalCode::Unavailable | RefusalCode::Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_another_version_is_told_from_one_that_does_not_know_the_offer() {
        let told = |versions: Option<&str>| stranger(versions.map(str::to_owned));
        assert!(matches!(told(Some("2")), ClientError::Version { machine: Some(_) }));
        assert!(matches!(told(Some("x")), ClientError::Version { machine: Some(_) }));
        assert!(matches!(told(Some("2, 1")), ClientError::OfferUnknown));
        assert!(matches!(told(None), ClientError::OfferUnknown));
    }

    #[test]
    fn a_machine_that_is_full_or_cannot_write_leaves_the_pairing_to_be_tried_again() {
        for (code, ends) in [
            (RefusalCode::Full, false),
            (RefusalCode::Unavailable, false),
            (RefusalCode::OfferUsed, true),
            (RefusalCode::OfferExpired, true),
        ] {
            assert_eq!(ends_pairing(&Refusal::new(code, 0)), ends, "{code:?}");
        }
    }
}
