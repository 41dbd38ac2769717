//! Hand-back, in flow (f): a device whose token a restored machine has never seen gives it back what it has lost.
//!
//! As in `resume`, the device proves its session key and the machine R; but there is no token in it and no session
//! comes of it (docs/protocol.md, section 16).

use super::keys::{check_signature, proof_message};
use super::{Channel, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::{DeviceId, PublicKey, Signature};
use crate::secrets::RecognitionKey;
use crate::wire::{Envelope, Flow, HandBackReady, HandBackRequest, Refusal, VERSION};

/// Device: the request, before the session key signed it.
#[derive(Debug)]
pub struct HandBackDraft {
    envelope: Envelope,
    transcript: Transcript,
}

impl HandBackDraft {
    /// Builds the request over a channel whose pin has been checked.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn new(channel: &Channel, device: DeviceId) -> Result<Self, HandshakeError> {
        let envelope = Envelope::of(&HandBackRequest { versions: vec![VERSION], device })?;
        let mut transcript = Transcript::new(Flow::HandBack, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { envelope, transcript })
    }

    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(Purpose::SessionKeyHandBack, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send. `key` is the R by which the machine is recognised.
    pub fn signed(mut self, signature: Signature, key: &RecognitionKey) -> (Envelope, AwaitHandBackReady) {
        self.envelope.signature = Some(signature);
        (self.envelope, AwaitHandBackReady { transcript: self.transcript, key: MacKey::of_recognition(key) })
    }
}

/// Device: the request is sent.
#[derive(Debug)]
pub struct AwaitHandBackReady {
    transcript: Transcript,
    key: MacKey,
}

impl AwaitHandBackReady {
    /// Takes the machine's answer: only to one that proves R is anything given.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R.
    pub fn receive(mut self, envelope: &Envelope) -> Result<HandBackReady, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::HandBackReady, &self.transcript.hash(), envelope.mac.as_ref())?;
        let ready: HandBackReady = envelope.read()?;
        check_version(ready.version)?;
        Ok(ready)
    }

    /// Takes a refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R.
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::HandBackRefusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Machine: a request that can be read.
#[derive(Debug)]
pub struct HandBackOpened {
    request: HandBackRequest,
    transcript: Transcript,
    signature: Option<Signature>,
}

impl HandBackOpened {
    /// Reads a device's request.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let mut transcript = Transcript::new(Flow::HandBack, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { request: envelope.read()?, transcript, signature: envelope.signature })
    }

    /// The device it claims to be: a row or a tombstone, or else a stranger.
    pub fn device(&self) -> DeviceId {
        self.request.device
    }

    /// Checks the session key's proof.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: a stranger.
    pub fn verify(self, session_key: &PublicKey) -> Result<HandBackProven, HandshakeError> {
        let hash = self.transcript.hash();
        check_signature(session_key, Purpose::SessionKeyHandBack, &hash, self.signature.as_ref())?;
        Ok(HandBackProven { request: self.request, transcript: self.transcript })
    }
}

/// Machine: the device holds its session key.
#[derive(Debug)]
pub struct HandBackProven {
    request: HandBackRequest,
    transcript: Transcript,
}

impl HandBackProven {
    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(&self.request.versions)
    }

    /// Says what the machine has.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn ready(self, key: &RecognitionKey, ready: &HandBackReady) -> Result<Envelope, HandshakeError> {
        self.reply(key, Purpose::HandBackReady, Envelope::of(ready)?)
    }

    /// Refuses the device, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, key: &RecognitionKey, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply(key, Purpose::HandBackRefusal, Envelope::of(refusal)?)
    }

    fn reply(
        mut self,
        key: &RecognitionKey,
        purpose: Purpose,
        mut envelope: Envelope,
    ) -> Result<Envelope, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(MacKey::of_recognition(key).mac(purpose, &self.transcript.hash()));
        Ok(envelope)
    }
}
