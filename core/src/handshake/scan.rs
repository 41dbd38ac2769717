//! Flow (a), pairing by an offer's secret: Proof, Grant, acknowledgement.
//!
//! ```text
//! device                                machine
//! ScanDraft --signed--> AwaitGrant      ScanOpened --verify--> ScanProven --grant--> Granted
//! AwaitGrant --receive--> GrantReceived                             \--refuse
//! ```
//!
//! The offer itself (is it live, for whom is it claimed) is `host::offers`' business.

use super::keys::{check_signature, proof_message};
use super::{Channel, CheckDigits, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::{PublicKey, Signature};
use crate::secrets::{KeyKind, RecognitionKey};
use crate::token::TokenHash;
use crate::wire::{Acknowledge, Envelope, Flow, Grant, OfferId, Refusal, ScanRequest, VERSION};

/// What a device says of itself when it pairs.
#[derive(Debug, Clone)]
pub struct DeviceDetails {
    /// Its session public key for this machine.
    pub key: PublicKey,
    /// What holds that key.
    pub key_kind: KeyKind,
    /// Its name.
    pub name: String,
    /// Its platform.
    pub platform: String,
}

/// Device: the Proof, before the session key signed it.
#[derive(Debug)]
pub struct ScanDraft {
    envelope: Envelope,
    transcript: Transcript,
    offer: MacKey,
}

impl ScanDraft {
    /// Builds the Proof for an offer over a channel whose pin has been checked.
    ///
    /// # Errors
    /// [`HandshakeError::Message`]: the details are too long.
    pub fn new(channel: &Channel, offer: MacKey, details: &DeviceDetails) -> Result<Self, HandshakeError> {
        let mut envelope = Envelope::of(&ScanRequest {
            versions: vec![VERSION],
            offer: offer.offer_id(),
            key: details.key,
            key_kind: details.key_kind,
            name: details.name.clone(),
            platform: details.platform.clone(),
        })?;
        let mut transcript = Transcript::new(Flow::Scan, channel);
        transcript.absorb(&envelope.message);
        envelope.mac = Some(offer.mac(Purpose::ScanProof, &transcript.hash()));
        Ok(Self { envelope, transcript, offer })
    }

    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(Purpose::SessionKeyScan, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send.
    pub fn signed(mut self, signature: Signature) -> (Envelope, AwaitGrant) {
        self.envelope.signature = Some(signature);
        let wait = AwaitGrant {
            transcript: self.transcript,
            key: self.offer,
            grant: Purpose::ScanGrant,
            refusal: Purpose::ScanRefusal,
        };
        (self.envelope, wait)
    }
}

/// Device: the Proof is sent (or, in flow (b), the person's yes).
#[derive(Debug)]
pub struct AwaitGrant {
    pub(super) transcript: Transcript,
    pub(super) key: MacKey,
    pub(super) grant: Purpose,
    pub(super) refusal: Purpose,
}

/// Device: a Grant whose MAC holds. Store it, then acknowledge.
#[derive(Debug)]
pub struct GrantReceived {
    /// What was granted.
    pub grant: Grant,
    /// To be shown beside the machine's.
    pub digits: CheckDigits,
    transcript: Transcript,
    recognition: Option<crate::wire::Mac>,
}

impl AwaitGrant {
    /// Takes the machine's Grant.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the machine that made the offer.
    pub fn receive(mut self, envelope: &Envelope) -> Result<GrantReceived, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(self.grant, &self.transcript.hash(), envelope.mac.as_ref())?;
        let grant: Grant = envelope.read()?;
        check_version(grant.version)?;
        let digits = CheckDigits::of(&self.transcript.hash());
        Ok(GrantReceived { grant, digits, transcript: self.transcript, recognition: envelope.recognition })
    }

    /// Takes the machine's refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the machine; it says nothing.
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(self.refusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

impl GrantReceived {
    /// Of a join: a person has vouched for it.
    pub(super) fn unproven(grant: Grant, digits: CheckDigits, transcript: Transcript) -> Self {
        Self { grant, digits, transcript, recognition: None }
    }

    /// Whether the Grant also proves R, the recognition key of a row the device has: only then may
    /// that row be re-pinned.
    pub fn recognised(&self, key: &RecognitionKey) -> bool {
        MacKey::of_recognition(key)
            .check(Purpose::GrantRecognition, &self.transcript.hash(), self.recognition.as_ref())
            .is_ok()
    }

    /// The acknowledgement, to be sent once the Grant is stored.
    pub fn acknowledge(&self) -> Acknowledge {
        Acknowledge { token: TokenHash::of(&self.grant.token) }
    }
}

/// Machine: a Proof that can be read. Nothing in it is believed yet.
#[derive(Debug)]
pub struct ScanOpened {
    request: ScanRequest,
    transcript: Transcript,
    envelope: Envelope,
}

impl ScanOpened {
    /// Reads a device's Proof.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: Envelope) -> Result<Self, HandshakeError> {
        let request = envelope.read()?;
        let mut transcript = Transcript::new(Flow::Scan, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { request, transcript, envelope })
    }

    /// The offer it names.
    pub fn offer(&self) -> OfferId {
        self.request.offer
    }

    /// Checks the proofs under the named offer's key: the secret first, then the session key.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: a stranger.
    pub fn verify(self, offer: &MacKey) -> Result<ScanProven, HandshakeError> {
        let hash = self.transcript.hash();
        offer.check(Purpose::ScanProof, &hash, self.envelope.mac.as_ref())?;
        check_signature(&self.request.key, Purpose::SessionKeyScan, &hash, self.envelope.signature.as_ref())?;
        Ok(ScanProven { request: self.request, reply: Reply::scan(self.transcript, offer.clone()) })
    }
}

/// Machine: the device holds the offer's secret and the session key.
#[derive(Debug)]
pub struct ScanProven {
    request: ScanRequest,
    reply: Reply,
}

impl ScanProven {
    /// What the device says of itself.
    pub fn request(&self) -> &ScanRequest {
        &self.request
    }

    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(&self.request.versions)
    }

    /// Refuses, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply.refuse(refusal)
    }

    /// Grants. `row` is R of the row that this key has already, if it has one.
    ///
    /// # Errors
    /// The Grant is too long to send.
    pub fn grant(self, grant: &Grant, row: Option<&RecognitionKey>) -> Result<(Envelope, Granted), HandshakeError> {
        self.reply.grant(grant, row)
    }
}

/// Machine: how a pairing flow ends, whichever way the key was proven.
#[derive(Debug)]
pub(super) struct Reply {
    transcript: Transcript,
    key: MacKey,
    grant: Purpose,
    refusal: Purpose,
}

impl Reply {
    fn scan(transcript: Transcript, key: MacKey) -> Self {
        Self { transcript, key, grant: Purpose::ScanGrant, refusal: Purpose::ScanRefusal }
    }

    pub(super) fn code(transcript: Transcript, key: MacKey) -> Self {
        Self { transcript, key, grant: Purpose::CodeGrant, refusal: Purpose::CodeRefusal }
    }

    pub(super) fn refuse(mut self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        let mut envelope = Envelope::of(refusal)?;
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(self.key.mac(self.refusal, &self.transcript.hash()));
        Ok(envelope)
    }

    pub(super) fn grant(
        mut self,
        grant: &Grant,
        row: Option<&RecognitionKey>,
    ) -> Result<(Envelope, Granted), HandshakeError> {
        let mut envelope = Envelope::of(grant)?;
        self.transcript.absorb(&envelope.message);
        let hash = self.transcript.hash();
        envelope.mac = Some(self.key.mac(self.grant, &hash));
        envelope.recognition = row.map(|key| MacKey::of_recognition(key).mac(Purpose::GrantRecognition, &hash));
        Ok((envelope, Granted { digits: CheckDigits::of(&hash), token: TokenHash::of(&grant.token) }))
    }
}

/// Machine: the Grant is sent; the device is active only after its acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    /// To be shown beside the device's.
    pub digits: CheckDigits,
    /// The hash of the token that was granted.
    pub token: TokenHash,
}

impl Granted {
    /// Checks that an acknowledgement names the granted token.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it names another.
    pub fn acknowledged(&self, message: &Acknowledge) -> Result<(), HandshakeError> {
        if self.token.ct_eq(&message.token) { Ok(()) } else { Err(HandshakeError::Proof) }
    }
}
