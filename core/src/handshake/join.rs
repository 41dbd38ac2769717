//! Flow (c), a device without an offer asks to be let in: commit, nonce, reveal; then somebody decides.
//!
//! ```text
//! device                                          machine
//! JoinDraft                  --JoinCommit-->      JoinOpened --answer--> JoinAwaitReveal
//! JoinDraft --receive--> JoinSigning              (its place and slot are the machine's business)
//! JoinSigning --signed       --JoinReveal-->      JoinAwaitReveal --receive--> JoinMet
//! JoinWaiting: shows QR and number                JoinMet: somebody scans or types --grant
//! JoinWaiting --receive      <--Grant--           Granted, as in flow (a)
//! JoinHeld --typed--> GrantReceived               from there on it is flow (a)
//! ```
//!
//! Nothing is shared by the two sides beforehand, so no message has a MAC: what binds them is T, the hash of
//! the three messages on this channel, compared by people. The commitment covers the reveal *as it is sent*:
//! a middle that could still choose a space in it could look for a T with the number it wants.

use sha2::{Digest, Sha256};

use super::keys::{check_signature, proof_message};
use super::transcript::length_prefixed;
use super::{
    Channel, CheckDigits, DeviceDetails, GrantReceived, Granted, HandshakeError, Purpose, Transcript, TranscriptHash,
    check_version, choose_version,
};
use crate::identity::{PinPrefix, Signature};
use crate::join_qr::JoinQr;
use crate::wire::{
    Envelope, Flow, Grant, JoinCommit, JoinCommitment, JoinFresh, JoinId, JoinNonce, JoinNumber, JoinReveal,
    JoinTranscript, Refusal, VERSION,
};

/// What both sides make of T, each form under a label of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinFacts {
    transcript: JoinTranscript,
}

impl JoinFacts {
    fn of(hash: &TranscriptHash) -> Self {
        Self { transcript: JoinTranscript::from_bytes(*hash.as_bytes()) }
    }

    /// What would be made of this T.
    #[cfg(test)]
    pub(crate) fn of_transcript(transcript: JoinTranscript) -> Self {
        Self { transcript }
    }

    /// T itself: for the QR, and for the machine to compare with what was scanned.
    pub fn transcript(&self) -> JoinTranscript {
        self.transcript
    }

    /// The seven digits that the joiner shows.
    pub fn number(&self) -> JoinNumber {
        JoinNumber::of_bytes(self.first_bytes(b"pairpin v1 join number"))
    }

    /// The four digits that the approver sees once the machine has accepted.
    pub fn digits(&self) -> CheckDigits {
        CheckDigits::of_bytes(self.first_bytes(b"pairpin v1 join check digits"))
    }

    fn first_bytes(&self, label: &[u8]) -> [u8; 8] {
        let hash = Sha256::digest(length_prefixed(&[label, self.transcript.as_bytes()]));
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        first
    }
}

fn commitment(reveal: &Envelope) -> JoinCommitment {
    let message = length_prefixed(&[b"pairpin v1 join commitment", reveal.message.as_bytes()]);
    JoinCommitment::from_bytes(Sha256::digest(message).into())
}

/// Device: it has committed to its reveal.
#[derive(Debug)]
pub struct JoinDraft {
    reveal: Envelope,
    transcript: Transcript,
    pin: PinPrefix,
}

impl JoinDraft {
    /// Builds the commitment. `fresh` must be new for each join; nobody may know it before the reveal.
    ///
    /// # Errors
    /// [`HandshakeError::Message`]: the details are too long.
    pub fn new(
        channel: &Channel,
        details: &DeviceDetails,
        fresh: JoinFresh,
    ) -> Result<(Envelope, Self), HandshakeError> {
        let reveal = Envelope::of(&JoinReveal { nonce: fresh })?;
        let envelope = Envelope::of(&JoinCommit {
            versions: vec![VERSION],
            commit: commitment(&reveal),
            key: details.key,
            key_kind: details.key_kind,
            name: details.name.clone(),
            platform: details.platform.clone(),
        })?;
        let mut transcript = Transcript::new(Flow::Join, channel);
        transcript.absorb(&envelope.message);
        Ok((envelope, Self { reveal, transcript, pin: channel.pin.prefix() }))
    }

    /// Takes the machine's nonce: T is complete, and waits for the session key's proof.
    ///
    /// # Errors
    /// [`HandshakeError::Message`] or [`HandshakeError::Version`].
    pub fn receive(mut self, envelope: &Envelope) -> Result<JoinSigning, HandshakeError> {
        let nonce: JoinNonce = envelope.read()?;
        check_version(nonce.version)?;
        self.transcript.absorb(&envelope.message);
        self.transcript.absorb(&self.reveal.message);
        Ok(JoinSigning { nonce, reveal: self.reveal, transcript: self.transcript, pin: self.pin })
    }
}

/// Device: the reveal, before the session key signed it.
#[derive(Debug)]
pub struct JoinSigning {
    nonce: JoinNonce,
    reveal: Envelope,
    transcript: Transcript,
    pin: PinPrefix,
}

impl JoinSigning {
    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(Purpose::SessionKeyJoin, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send.
    pub fn signed(mut self, signature: Signature) -> (Envelope, JoinWaiting) {
        self.reveal.signature = Some(signature);
        let facts = JoinFacts::of(&self.transcript.hash());
        (self.reveal, JoinWaiting { nonce: self.nonce, facts, transcript: self.transcript, pin: self.pin })
    }
}

/// Device: it has asked, and shows what a person scans or types.
#[derive(Debug)]
pub struct JoinWaiting {
    nonce: JoinNonce,
    facts: JoinFacts,
    transcript: Transcript,
    pin: PinPrefix,
}

impl JoinWaiting {
    /// The join's name, as what answers says.
    pub fn join(&self) -> JoinId {
        self.nonce.join
    }

    /// What its QR holds.
    pub fn qr(&self) -> JoinQr {
        JoinQr { pin: self.pin, join: self.nonce.join, transcript: self.facts.transcript() }
    }

    /// The number to show, where the join has a slot for one.
    pub fn number(&self) -> Option<JoinNumber> {
        self.nonce.number.then(|| self.facts.number())
    }

    /// Takes a Grant. It proves nothing by itself: whoever answers can make one, and knows this T too.
    ///
    /// # Errors
    /// [`HandshakeError::Message`] or [`HandshakeError::Version`].
    pub fn receive(&self, envelope: &Envelope) -> Result<JoinHeld, HandshakeError> {
        let grant: Grant = envelope.read()?;
        check_version(grant.version)?;
        let mut transcript = self.transcript.clone();
        transcript.absorb(&envelope.message);
        Ok(JoinHeld { grant, digits: self.facts.digits(), transcript })
    }

    /// Reads a refusal instead. It is a claim as much as a Grant is, and costs the joiner nothing.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn refused(&self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        Ok(envelope.read()?)
    }
}

/// Device: a Grant that nobody has vouched for yet. It is kept in memory alone.
#[derive(Debug)]
pub struct JoinHeld {
    grant: Grant,
    digits: CheckDigits,
    transcript: Transcript,
}

impl JoinHeld {
    /// What was granted: claims, to be shown while the digits are asked for.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The person has typed the four digits that the approver's screen shows. One attempt: this is gone
    /// afterwards, whatever was typed.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: what answered is not the machine that was asked to let this device in.
    pub fn typed(self, digits: &str) -> Result<GrantReceived, HandshakeError> {
        if digits.trim() != self.digits.to_string() {
            return Err(HandshakeError::Proof);
        }
        Ok(GrantReceived::unproven(self.grant, self.digits, self.transcript))
    }
}

/// Machine: a commitment that can be read. Its key is a claim until the reveal.
#[derive(Debug)]
pub struct JoinOpened {
    commit: JoinCommit,
    transcript: Transcript,
}

impl JoinOpened {
    /// Reads a device's first message.
    ///
    /// # Errors
    /// [`HandshakeError::Message`], [`HandshakeError::Version`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let commit: JoinCommit = envelope.read()?;
        choose_version(&commit.versions)?;
        let mut transcript = Transcript::new(Flow::Join, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { commit, transcript })
    }

    /// Answers. `fresh` must be new for each join.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn answer(
        mut self,
        join: JoinId,
        fresh: JoinFresh,
        number: bool,
    ) -> Result<(Envelope, JoinAwaitReveal), HandshakeError> {
        let envelope = Envelope::of(&JoinNonce { version: VERSION, join, nonce: fresh, number })?;
        self.transcript.absorb(&envelope.message);
        Ok((envelope, JoinAwaitReveal { commit: self.commit, transcript: self.transcript }))
    }
}

/// Machine: its nonce is sent.
#[derive(Debug)]
pub struct JoinAwaitReveal {
    commit: JoinCommit,
    transcript: Transcript,
}

impl JoinAwaitReveal {
    /// Takes the reveal: it is what was committed to, and the session key stands behind T.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]; [`HandshakeError::Message`].
    pub fn receive(mut self, envelope: &Envelope) -> Result<JoinMet, HandshakeError> {
        if commitment(envelope) != self.commit.commit {
            return Err(HandshakeError::Proof);
        }
        let _: JoinReveal = envelope.read()?;
        self.transcript.absorb(&envelope.message);
        let hash = self.transcript.hash();
        check_signature(&self.commit.key, Purpose::SessionKeyJoin, &hash, envelope.signature.as_ref())?;
        let details = DeviceDetails {
            key: self.commit.key,
            key_kind: self.commit.key_kind,
            name: self.commit.name,
            platform: self.commit.platform,
        };
        Ok(JoinMet { details, facts: JoinFacts::of(&hash) })
    }
}

/// Machine: a joiner that holds its key. Somebody has to decide.
#[derive(Debug)]
pub struct JoinMet {
    details: DeviceDetails,
    facts: JoinFacts,
}

impl JoinMet {
    /// What the device says of itself.
    pub fn details(&self) -> &DeviceDetails {
        &self.details
    }

    /// What the machine makes of T.
    pub fn facts(&self) -> JoinFacts {
        self.facts
    }

    /// Grants: somebody let it in.
    ///
    /// # Errors
    /// The Grant is too long to send.
    pub fn grant(&self, grant: &Grant) -> Result<(Envelope, Granted), HandshakeError> {
        let envelope = Envelope::of(grant)?;
        let token = crate::token::TokenHash::of(&grant.token);
        Ok((envelope, Granted { digits: self.facts.digits(), token }))
    }

    /// Says no, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(&self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        Ok(Envelope::of(refusal)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceId, KeyPair, MachineId, Pin};
    use crate::role::Role;
    use crate::secrets::{KeyKind, RecognitionKey, Secret};
    use crate::token::SessionToken;

    fn channel(exporter: u8) -> Channel {
        Channel { exporter: Secret::from_bytes([exporter; 32]), pin: Pin::from_bytes([2; 32]) }
    }

    fn details(key: &KeyPair) -> DeviceDetails {
        DeviceDetails {
            key: key.public_key().unwrap(),
            key_kind: KeyKind::File,
            name: "laptop".into(),
            platform: "test".into(),
        }
    }

    fn grant(key: &KeyPair) -> Grant {
        Grant {
            version: VERSION,
            token: SessionToken::from_bytes([4; 32]),
            current: None,
            device: DeviceId::of(&key.public_key().unwrap()),
            device_name: "laptop".into(),
            role: Role::Operator,
            machine: MachineId::from_bytes([5; 16]),
            name: "homebox".into(),
            platform: "test".into(),
            recognition_key: RecognitionKey::from_bytes([6; 32]),
            addresses: Vec::new(),
            next_pin: Pin::from_bytes([7; 32]),
            epoch: 0,
            counter: 0,
            idle_seconds: 60,
            expires_at: 1,
        }
    }

    /// As far as the reveal: what is sent, and both sides.
    fn asked(key: &KeyPair, device: u8, machine: u8) -> (Envelope, JoinWaiting, JoinAwaitReveal) {
        let fresh = JoinFresh::from_bytes([8; 32]);
        let (commit, draft) = JoinDraft::new(&channel(device), &details(key), fresh).unwrap();
        let opened = JoinOpened::open(&channel(machine), &commit).unwrap();
        let (nonce, wait) = opened.answer(JoinId::from_bytes([1; 5]), JoinFresh::from_bytes([9; 32]), true).unwrap();
        let signing = draft.receive(&nonce).unwrap();
        let signature = key.sign(&signing.to_sign()).unwrap();
        let (reveal, waiting) = signing.signed(signature);
        (reveal, waiting, wait)
    }

    #[test]
    fn both_sides_make_the_same_of_one_channel_and_nothing_of_two() {
        let key = KeyPair::generate().unwrap();
        let (reveal, waiting, wait) = asked(&key, 1, 1);
        let met = wait.receive(&reveal).unwrap();
        assert_eq!(met.facts().transcript(), waiting.qr().transcript);
        assert_eq!(Some(met.facts().number()), waiting.number());
        assert_eq!((waiting.join(), waiting.qr().pin), (JoinId::from_bytes([1; 5]), Pin::from_bytes([2; 32]).prefix()));
        let (reveal, _, wait) = asked(&key, 1, 3);
        assert_eq!(wait.receive(&reveal).unwrap_err(), HandshakeError::Proof, "two channels with a middle between");
    }

    #[test]
    fn a_reveal_is_taken_only_as_it_was_committed_to_and_signed() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let good = asked(&key, 1, 1).0;
        let written_otherwise = {
            let nonce = good.read::<JoinReveal>().unwrap().nonce;
            let mut envelope = Envelope::of_any(&serde_json::json!({ "nonce": nonce, "more": 1 })).unwrap();
            envelope.signature = good.signature;
            envelope
        };
        assert_eq!(written_otherwise.read::<JoinReveal>(), good.read::<JoinReveal>(), "the same to a reader");
        let another = Envelope::of(&JoinReveal { nonce: JoinFresh::from_bytes([0; 32]) }).unwrap();
        let (mut by_other, mut unsigned) = (good.clone(), good.clone());
        by_other.signature = Some(other.sign(b"x").unwrap());
        unsigned.signature = None;
        for wrong in [written_otherwise, another, by_other, unsigned] {
            let (_, _, wait) = asked(&key, 1, 1);
            assert_eq!(wait.receive(&wrong).unwrap_err(), HandshakeError::Proof);
        }
        let (reveal, _, wait) = asked(&key, 1, 1);
        wait.receive(&reveal).expect("the control");
    }

    #[test]
    fn a_grant_is_nothing_without_the_four_digits_of_the_machines_t() {
        let key = KeyPair::generate().unwrap();
        let (reveal, waiting, wait) = asked(&key, 1, 1);
        let met = wait.receive(&reveal).unwrap();
        let (envelope, granted) = met.grant(&grant(&key)).unwrap();
        let digits = met.facts().digits().to_string();
        assert_eq!(granted.digits.to_string(), digits);
        let held = || waiting.receive(&envelope).unwrap();
        let received = held().typed(&format!(" {digits}\n")).expect("the control");
        granted.acknowledged(&received.acknowledge()).expect("and its token is the one that was granted");
        let wrong = (0..10_000).map(|n| format!("{n:04}")).filter(|other| *other != digits);
        assert!(wrong.chain([String::new(), format!("{digits}0")]).all(|typed| held().typed(&typed).is_err()));
    }

    #[test]
    fn number_digits_and_qr_are_told_apart_by_their_labels() {
        let facts = JoinFacts::of_transcript(JoinTranscript::from_bytes([3; 32]));
        assert_ne!(facts.first_bytes(b"pairpin v1 join number"), facts.first_bytes(b"pairpin v1 join check digits"));
        assert!(!facts.number().digits().ends_with(&facts.digits().to_string()));
    }

    #[test]
    fn a_device_of_another_version_is_told_apart_before_anything_is_kept() {
        let key = KeyPair::generate().unwrap();
        let (commit, _) = JoinDraft::new(&channel(1), &details(&key), JoinFresh::from_bytes([8; 32])).unwrap();
        let mut other: JoinCommit = commit.read().unwrap();
        other.versions = vec![VERSION + 1];
        let other = Envelope::of(&other).unwrap();
        assert_eq!(JoinOpened::open(&channel(1), &other).unwrap_err(), HandshakeError::Version);
    }
}
