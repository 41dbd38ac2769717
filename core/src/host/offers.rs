//! Offers: what has been made, for whom it is claimed, what is spent. Pure state; time is handed in.
//!
//! `host::pairing` asks it at each step of flows (a) and (b); `Host::create_offer` and the like fill
//! and empty it. It lives in memory only, on the clock that counts sleep, so a restart withdraws
//! every offer. A one-time thing is consumed by one call under one lock: [`Offers::claim`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use subtle::ConstantTimeEq as _;

pub use super::claims::{Claim, ClaimDetails, ClaimGrant};
use super::codes::{CodeDoor, CodeTry, WrongTry};
use crate::error::RandomError;
use crate::handshake::MacKey;
use crate::identity::{DeviceId, PublicKey};
use crate::role::Role;
use crate::secrets::{OfferSecret, RecognitionKey, TypedCode};
use crate::token::TokenHash;
use crate::wire::{OfferId, RefusalCode, limits};

/// Names an offer to people at the machine: "offer 3". Counts from 1 in each run of the daemon.
pub type OfferNumber = u32;

/// What a new offer should be.
#[derive(Debug, Clone, Default)]
pub struct OfferRequest {
    /// With a link and so a QR.
    pub link: bool,
    /// With a typed code.
    pub code: bool,
    /// The role it gives; otherwise the rule of [`Role::for_new_device`] decides.
    pub role: Option<Role>,
    /// The name for the new device; otherwise its own.
    pub name: Option<String>,
    /// Its life; otherwise the default for its kind.
    pub lifetime: Option<Duration>,
    /// The owner device that makes it; none where it is made at the machine's shell.
    pub minted_by: Option<MintedBy>,
}

/// The owner device that made an offer from afar. The offer lives only as long as that device is an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintedBy {
    /// The device.
    pub device: DeviceId,
    /// Its name at the time.
    pub name: String,
}

/// An outstanding offer.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its number.
    pub number: OfferNumber,
    /// Whether it has a link.
    pub link: bool,
    /// Its typed code, while that is live.
    pub code: Option<TypedCode>,
    /// The role it gives, where one was named.
    pub role: Option<Role>,
    /// The name for the new device, where one was given.
    pub name: Option<String>,
    /// The owner device that made it, if one did.
    pub minted_by: Option<MintedBy>,
    /// When it ends, on the clock that counts sleep.
    pub ends: Duration,
    /// The device it is claimed for.
    pub claim: Option<Claim>,
    key: MacKey,
    id: OfferId,
    previewed: bool,
    /// Of its code.
    tries_left: u32,
}

/// A spent offer: kept to name the cause when somebody shows it again.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Spent {
    number: OfferNumber,
    id: OfferId,
    key: MacKey,
    cause: RefusalCode,
    used_by: Option<PublicKey>,
    /// What was granted to it: its row may not be written yet.
    recognition_key: Option<RecognitionKey>,
    /// That key's id: made once, since every stranger's reconnect asks for it.
    device: Option<DeviceId>,
    since: Duration,
}

impl Spent {
    /// Refuses a key whose proofs were valid. Another than the one that used the offer is an alarm,
    /// whether it came by the link or by the code.
    fn refuse(spent: Option<&Self>, key: PublicKey) -> ClaimOutcome {
        ClaimOutcome::Refused {
            number: spent.map(|spent| spent.number),
            code: spent.map_or(RefusalCode::OfferExpired, |spent| spent.cause),
            alarm: spent.is_some_and(|spent| spent.used_by.is_some_and(|by| by != key)),
        }
    }
}

/// How an offer was found by the id that a device named.
#[derive(Debug, Clone)]
pub enum Found {
    /// It is live: its key checks the proofs.
    Live(MacKey),
    /// It is spent: its key checks the proofs, then the cause is told.
    Spent(MacKey),
}

impl Found {
    /// The key that checks the device's proofs.
    pub fn key(&self) -> &MacKey {
        match self {
            Self::Live(key) | Self::Spent(key) => key,
        }
    }
}

/// What became of a claim whose proofs were all valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The offer is this key's now. `again` where it already was.
    Claimed {
        /// The offer.
        number: OfferNumber,
        /// The R to grant.
        recognition_key: RecognitionKey,
        /// Whether the same key had claimed it before.
        again: bool,
    },
    /// It is spent or another's. `alarm` where another device has used it.
    Refused {
        /// The offer, if it is remembered.
        number: Option<OfferNumber>,
        /// The cause.
        code: RefusalCode,
        /// Another key with a valid proof on a used offer: somebody else has seen the QR.
        alarm: bool,
    },
}

/// What became of a wish to withdraw an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// Nobody can use it any more.
    Done,
    /// A device's acknowledgement of it is being written at this moment. If that fails, it is withdrawn.
    InUse,
    /// There is no such offer.
    NoOffer,
}

/// A new offer: the secrets are in it once and never again.
#[derive(Debug)]
pub struct Minted {
    /// Its number.
    pub number: OfferNumber,
    /// The secret for its link.
    pub secret: Option<OfferSecret>,
    /// Its typed code; none while the door for codes is closed.
    pub code: Option<TypedCode>,
    /// Its life.
    pub lifetime: Duration,
    /// An older offer whose code is no longer live because this one has a code.
    pub code_replaced: Option<OfferNumber>,
}

/// Why an offer cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// Too many are outstanding.
    #[error("{} offers are outstanding already, withdraw some with `pairpin offers cancel --all`", limits::OFFERS)]
    TooMany,
    /// The wanted life is out of bounds.
    #[error("an offer lives {}s at least and {}m at most", limits::OFFER_TIME_MIN.as_secs(), limits::OFFER_TIME_MAX.as_secs() / 60)]
    Lifetime,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// All offers of a machine.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub struct Offers {
    live: BTreeMap<OfferNumber, Offer>,
    spent: VecDeque<Spent>,
    last: OfferNumber,
    ended: Vec<OfferNumber>,
    /// Those whose acknowledgement is being written, and whether the person has withdrawn them meanwhile.
    writing: BTreeMap<OfferNumber, bool>,
    /// The door for typed codes.
    pub door: CodeDoor,
}

impl Offers {
    /// Makes an offer. One with a code takes the code from an older one: only one code is live at a
    /// time, because a device that types a code cannot say which offer it means.
    ///
    /// # Errors
    /// See [`MintError`].
    pub fn mint(&mut self, request: &OfferRequest, now: Duration) -> Result<Minted, MintError> {
        if self.live.len() >= limits::OFFERS {
            return Err(MintError::TooMany);
        }
        let default = if request.link { limits::OFFER_TIME } else { limits::CODE_TIME };
        let lifetime = request.lifetime.unwrap_or(default);
        if lifetime < limits::OFFER_TIME_MIN || lifetime > limits::OFFER_TIME_MAX {
            return Err(MintError::Lifetime);
        }
        let secret = OfferSecret::generate()?;
        if request.code && !request.link {
            // `pairpin pair --code` at the shell opens the door again.
            self.door.open();
        }
        // No code behind a closed door: nobody could use it.
        let code = if request.code && !self.door.is_closed(now) { Some(TypedCode::generate()?) } else { None };
        let mut code_replaced = None;
        if code.is_some() {
            for offer in self.live.values_mut().filter(|offer| offer.claim.is_none()) {
                if offer.code.take().is_some() {
                    code_replaced = Some(offer.number);
                }
            }
        }
        self.last += 1;
        let key = MacKey::of_offer(&secret);
        let offer = Offer {
            number: self.last,
            link: request.link,
            code: code.clone(),
            role: request.role,
            name: request.name.clone(),
            minted_by: request.minted_by.clone(),
            ends: now + lifetime,
            claim: None,
            id: key.offer_id(),
            key,
            previewed: false,
            tries_left: limits::CODE_TRIES,
        };
        self.live.insert(offer.number, offer);
        let secret = request.link.then_some(secret);
        Ok(Minted { number: self.last, secret, code, lifetime, code_replaced })
    }

    /// The outstanding offers, oldest first.
    pub fn live(&self) -> impl Iterator<Item = &Offer> {
        self.live.values()
    }

    /// The numbers of all that [`withdraw`](Self::withdraw) has something to say of.
    pub fn outstanding(&self) -> Vec<OfferNumber> {
        self.live.keys().chain(self.writing.keys()).copied().collect()
    }

    /// One outstanding offer.
    pub fn get(&self, number: OfferNumber) -> Option<&Offer> {
        self.live.get(&number)
    }

    /// Finds the offer a device names: live, or spent and remembered.
    pub fn find(&mut self, id: OfferId, now: Duration) -> Option<Found> {
        self.end(now);
        // Offers whose code alone was shown have a secret that nobody holds.
        // Strangers ask: how far an id fits must not show in the time.
        let fits = |known: &OfferId| bool::from(known.as_bytes().ct_eq(id.as_bytes()));
        if let Some(offer) = self.live.values().find(|offer| fits(&offer.id) && offer.link) {
            return Some(Found::Live(offer.key.clone()));
        }
        self.spent.iter().find(|spent| fits(&spent.id)).map(|spent| Found::Spent(spent.key.clone()))
    }

    /// A valid preview: gives the person time to say yes, once. The cause if the offer is spent.
    pub fn preview(&mut self, id: OfferId, now: Duration) -> Result<&Offer, RefusalCode> {
        self.end(now);
        let cause = self.cause(id);
        let offer = self.live.values_mut().find(|offer| offer.id == id).ok_or(cause)?;
        if offer.claim.is_some() {
            return Err(RefusalCode::OfferUsed);
        }
        if !offer.previewed {
            offer.previewed = true;
            offer.ends = offer.ends.max(now + limits::OFFER_EXTENSION);
        }
        Ok(offer)
    }

    /// Consumes the offer with this id for `key`, whose proofs were all valid. `fresh` is the R of
    /// the device's row, or a new one.
    pub fn claim(&mut self, id: OfferId, key: PublicKey, fresh: RecognitionKey, now: Duration) -> ClaimOutcome {
        self.end(now);
        match self.live.values().find(|offer| offer.id == id).map(|offer| offer.number) {
            Some(number) => self.claim_number(number, key, fresh, now),
            None => Spent::refuse(self.spent.iter().find(|spent| spent.id == id), key),
        }
    }

    /// Consumes an offer by its number, for a device that proved its code.
    pub fn claim_number(
        &mut self,
        number: OfferNumber,
        key: PublicKey,
        fresh: RecognitionKey,
        now: Duration,
    ) -> ClaimOutcome {
        self.end(now);
        let fresh = self.recognition_key_of(&key).unwrap_or(fresh);
        let Some(offer) = self.live.get_mut(&number) else {
            return Spent::refuse(self.spent.iter().find(|spent| spent.number == number), key);
        };
        match &offer.claim {
            Some(claim) if claim.key == key => {
                let recognition_key = claim.recognition_key.clone();
                ClaimOutcome::Claimed { number, recognition_key, again: true }
            }
            Some(_) => ClaimOutcome::Refused { number: Some(number), code: RefusalCode::OfferUsed, alarm: true },
            None => {
                offer.claim = Some(Claim { key, recognition_key: fresh.clone(), granted: None });
                // From the first valid Proof: time to acknowledge, given once.
                offer.ends = now + limits::OFFER_EXTENSION;
                ClaimOutcome::Claimed { number, recognition_key: fresh, again: false }
            }
        }
    }

    /// One R for a key, whichever of two offers it acknowledges first, and while that is being written.
    fn recognition_key_of(&self, key: &PublicKey) -> Option<RecognitionKey> {
        let claims = self.live.values().filter_map(|offer| offer.claim.as_ref());
        let mut claimed = claims.filter(|claim| claim.key == *key).map(|claim| claim.recognition_key.clone());
        let spent = || self.spent.iter().find(|spent| spent.used_by == Some(*key))?.recognition_key.clone();
        claimed.next().or_else(spent)
    }

    /// Remembers what was granted under a claim; an older Grant's token is void from now on.
    /// `false` if the claim is gone.
    pub fn granted(&mut self, number: OfferNumber, key: &PublicKey, grant: ClaimGrant) -> bool {
        let claim = self.live.get_mut(&number).and_then(|offer| offer.claim.as_mut());
        match claim.filter(|claim| claim.key == *key) {
            Some(claim) => {
                claim.granted = Some(grant);
                true
            }
            None => false,
        }
    }

    /// The key under which a device has claimed an offer, if it has.
    pub fn claimed_by(&mut self, device: DeviceId, now: Duration) -> Option<PublicKey> {
        self.end(now);
        let mut keys = self.live.values().filter_map(|offer| Some(offer.claim.as_ref()?.key));
        keys.find(|key| DeviceId::of(key) == device)
    }

    /// The claim of a device that comes back under a token it was granted and never acknowledged: of
    /// several the one whose token that is, for its key may have used two offers.
    pub fn claim_of(&mut self, device: DeviceId, token: &TokenHash, now: Duration) -> Option<(OfferNumber, Claim)> {
        self.end(now);
        let is_granted = |claim: &Claim| claim.granted.as_ref().is_some_and(|grant| grant.token.ct_eq(token));
        let mut found = None;
        for offer in self.live.values() {
            let Some(claim) = offer.claim.as_ref().filter(|claim| DeviceId::of(&claim.key) == device) else { continue };
            if found.is_none() || is_granted(claim) {
                found = Some((offer.number, claim));
            }
        }
        found.map(|(number, claim)| (number, claim.clone()))
    }

    /// The device has acknowledged: takes the claim out and spends the offer, in one step. It is to be written
    /// next, and then [`written`](Self::written) or [`put_back`](Self::put_back) follows.
    /// `None` if the time was over, the token is not the last one granted, or it was done before.
    pub fn acknowledge(&mut self, number: OfferNumber, token: &TokenHash, now: Duration) -> Option<(Offer, Claim)> {
        self.end(now);
        let claim = self.live.get(&number)?.claim.as_ref()?;
        if !claim.granted.as_ref()?.token.ct_eq(token) {
            return None;
        }
        let mut offer = self.live.remove(&number)?;
        let claim = offer.claim.take()?;
        self.spend(&offer, RefusalCode::OfferUsed, Some(&claim), now);
        self.writing.insert(number, false);
        Some((offer, claim))
    }

    /// An acknowledgement is on the disk.
    pub fn written(&mut self, number: OfferNumber) {
        self.writing.remove(&number);
    }

    /// An acknowledgement came to nothing. Where it could not be written, the claim stands again as it
    /// was; where the key was revoked meanwhile, there is none, and another key may use the offer. `false` if
    /// the person has withdrawn the offer meanwhile: then it stays so.
    #[must_use]
    pub fn put_back(&mut self, mut offer: Offer, claim: Option<Claim>) -> bool {
        if self.writing.remove(&offer.number) == Some(true) {
            if let Some(spent) = self.spent.iter_mut().find(|spent| spent.number == offer.number) {
                spent.cause = RefusalCode::OfferWithdrawn;
                (spent.used_by, spent.recognition_key, spent.device) = (None, None, None);
            }
            return false;
        }
        self.spent.retain(|spent| spent.number != offer.number);
        offer.claim = claim;
        self.live.insert(offer.number, offer);
        true
    }

    /// A code was confirmed: gives the person time to say yes, once.
    pub fn extend_for_answer(&mut self, number: OfferNumber, now: Duration) {
        if let Some(offer) = self.live.get_mut(&number).filter(|offer| !offer.previewed) {
            offer.previewed = true;
            offer.ends = offer.ends.max(now + limits::OFFER_EXTENSION);
        }
    }

    /// The key of the device that used a spent offer.
    pub fn used_by(&self, number: OfferNumber) -> Option<PublicKey> {
        self.spent.iter().find(|spent| spent.number == number).and_then(|spent| spent.used_by)
    }

    /// Whether a device has acknowledged an offer that is remembered.
    pub fn is_spent_by(&self, device: DeviceId) -> bool {
        self.spent.iter().any(|spent| spent.device == Some(device))
    }

    /// Withdraws an offer at the machine.
    pub fn withdraw(&mut self, number: OfferNumber, now: Duration) -> Withdrawal {
        if let Some(offer) = self.live.remove(&number) {
            self.spend(&offer, RefusalCode::OfferWithdrawn, None, now);
            return Withdrawal::Done;
        }
        match self.writing.get_mut(&number) {
            Some(withdrawn) => {
                *withdrawn = true;
                Withdrawal::InUse
            }
            None => Withdrawal::NoOffer,
        }
    }

    /// The numbers of the offers that a device has made.
    pub fn minted_by(&self, device: DeviceId) -> Vec<OfferNumber> {
        let made = |offer: &&Offer| offer.minted_by.as_ref().is_some_and(|by| by.device == device);
        self.live.values().filter(made).map(|offer| offer.number).collect()
    }

    /// Spends what is over; gives the numbers of all that ended by time since the last call, so that
    /// who waits for them is told whichever call noticed first.
    pub fn expire(&mut self, now: Duration) -> Vec<OfferNumber> {
        self.end(now);
        std::mem::take(&mut self.ended)
    }

    fn end(&mut self, now: Duration) {
        let over: Vec<OfferNumber> =
            self.live.values().filter(|offer| offer.ends <= now).map(|offer| offer.number).collect();
        for number in over {
            if let Some(offer) = self.live.remove(&number) {
                self.spend(&offer, RefusalCode::OfferExpired, None, now);
                self.ended.push(number);
            }
        }
        self.spent.retain(|spent| now.saturating_sub(spent.since) < limits::SPENT_OFFER_TIME);
    }

    /// The offer whose code is live, and the code, unless the door for codes is closed.
    pub fn code(&mut self, now: Duration) -> Option<(OfferNumber, TypedCode)> {
        self.end(now);
        if self.door.is_closed(now) {
            return None;
        }
        self.live.values().rev().find_map(|offer| Some((offer.number, offer.code.clone()?)))
    }

    /// Spends a try of an offer's code; none if there is none left, or if that code is not the live
    /// one any more: a run that was begun before must not be a guess at a burnt code, nor at the
    /// cost of its successor.
    pub fn spend_try(&mut self, number: OfferNumber, now: Duration) -> Option<CodeTry> {
        let (live, _) = self.code(now)?;
        let offer = self.live.get_mut(&number).filter(|offer| offer.number == live && offer.tries_left > 0)?;
        let spent = self.door.enter(number, now)?;
        if !CodeDoor::counts_nothing() {
            offer.tries_left -= 1;
        }
        Some(spent)
    }

    /// The try held: its code has it back. The same key may run the exchange again.
    pub fn try_held(&mut self, held: CodeTry) {
        self.door.held(&held);
        if let Some(offer) = self.live.get_mut(&held.offer) {
            offer.tries_left = (offer.tries_left + 1).min(limits::CODE_TRIES);
        }
    }

    /// The try did not hold. A code without tries is burnt, and every one where the door is closed.
    pub fn try_failed(&mut self, failed: CodeTry, now: Duration) -> WrongTry {
        let left = self.live.get(&failed.offer).filter(|offer| offer.code.is_some()).map_or(0, |it| it.tries_left);
        let outcome = match (self.door.is_closed(now), left) {
            (true, _) => WrongTry::Closed,
            (false, 0) => WrongTry::Burnt,
            (false, left) => return WrongTry::TriesLeft(left),
        };
        self.burn_code(failed.offer, now);
        outcome
    }

    /// Takes a burnt code from its offer; an offer that was its code alone is spent.
    fn burn_code(&mut self, number: OfferNumber, now: Duration) {
        if let Some(offer) = self.live.get_mut(&number) {
            offer.code = None;
            if !offer.link {
                self.withdraw(number, now);
            }
        }
    }

    fn cause(&self, id: OfferId) -> RefusalCode {
        self.spent.iter().find(|spent| spent.id == id).map_or(RefusalCode::OfferExpired, |spent| spent.cause)
    }

    fn spend(&mut self, offer: &Offer, cause: RefusalCode, used: Option<&Claim>, now: Duration) {
        if self.spent.len() >= limits::SPENT_OFFERS {
            self.spent.pop_front();
        }
        let (number, id, key) = (offer.number, offer.id, offer.key.clone());
        let (used_by, recognition_key) = used.map(|claim| (claim.key, claim.recognition_key.clone())).unzip();
        let device = used_by.as_ref().map(DeviceId::of);
        self.spent.push_back(Spent { number, id, key, cause, used_by, recognition_key, device, since: now });
    }

    /// What a broken twin does that has looked before: claims without looking again.
    #[cfg(test)]
    pub(super) fn mark(&mut self, number: OfferNumber, key: PublicKey, recognition_key: RecognitionKey) {
        if let Some(offer) = self.live.get_mut(&number) {
            offer.claim = Some(Claim { key, recognition_key, granted: None });
        }
    }

    /// All that decides what happens next, without what is random: by this the explorer of states tells
    /// two of them apart.
    #[cfg(test)]
    pub(super) fn known(&self, now: Duration) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{:?} {:?}", self.door.known(now), self.writing);
        for offer in self.live.values() {
            let claim = offer.claim.as_ref().map(|claim| {
                let granted = claim.granted.as_ref().map(|granted| granted.token);
                (claim.key.as_bytes()[0], claim.recognition_key.expose()[0], granted)
            });
            let (code, left) = (offer.code.is_some(), offer.ends.saturating_sub(now));
            let _ =
                write!(text, " {} {code} {left:?} {claim:?} {} {}", offer.number, offer.previewed, offer.tries_left);
        }
        for spent in &self.spent {
            let _ =
                write!(text, " {} {:?} {:?}", spent.number, spent.cause, spent.used_by.map(|key| key.as_bytes()[0]));
        }
        text
    }
}
