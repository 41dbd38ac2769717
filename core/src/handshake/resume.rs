//! Flow (d), reconnect: device id, token and the session key's proof; then the welcome under R.
//!
//! The machine checks in this order: the id is known, the signature holds, then token and state
//! (`host::sessions`). Without a valid signature nothing changes state and nothing is told.

use super::keys::{check_signature, proof_message};
use super::{Channel, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::{DeviceId, PublicKey, Signature};
use crate::secrets::RecognitionKey;
use crate::token::{SessionToken, TokenHash};
use crate::wire::{Envelope, Flow, Refusal, ResumeRequest, VERSION, Welcome};

/// Device: the request, before the session key signed it.
#[derive(Debug)]
pub struct ResumeDraft {
    envelope: Envelope,
    transcript: Transcript,
}

impl ResumeDraft {
    /// Builds the request over a channel whose pin has been checked.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn new(channel: &Channel, device: DeviceId, token: &SessionToken) -> Result<Self, HandshakeError> {
        let envelope = Envelope::of(&ResumeRequest { versions: vec![VERSION], device, token: token.clone() })?;
        let mut transcript = Transcript::new(Flow::Resume, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { envelope, transcript })
    }

    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(Purpose::SessionKeyResume, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send. `key` is the R by which the machine is recognised.
    pub fn signed(mut self, signature: Signature, key: &RecognitionKey) -> (Envelope, AwaitWelcome) {
        self.envelope.signature = Some(signature);
        (self.envelope, AwaitWelcome { transcript: self.transcript, key: MacKey::of_recognition(key) })
    }
}

/// Device: the request is sent.
#[derive(Debug)]
pub struct AwaitWelcome {
    transcript: Transcript,
    key: MacKey,
}

impl AwaitWelcome {
    /// Takes the welcome.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R. Hard stop: the key was
    /// copied.
    pub fn receive(mut self, envelope: &Envelope) -> Result<Welcome, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::ResumeWelcome, &self.transcript.hash(), envelope.mac.as_ref())?;
        let welcome: Welcome = envelope.read()?;
        check_version(welcome.version)?;
        Ok(welcome)
    }

    /// Takes a refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R.
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::ResumeRefusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Machine: a request that can be read.
#[derive(Debug)]
pub struct ResumeOpened {
    request: ResumeRequest,
    transcript: Transcript,
    signature: Option<Signature>,
}

impl ResumeOpened {
    /// Reads a device's request.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let mut transcript = Transcript::new(Flow::Resume, channel);
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
    pub fn verify(self, session_key: &PublicKey) -> Result<ResumeProven, HandshakeError> {
        let hash = self.transcript.hash();
        check_signature(session_key, Purpose::SessionKeyResume, &hash, self.signature.as_ref())?;
        Ok(ResumeProven { request: self.request, transcript: self.transcript })
    }
}

/// Machine: the device holds its session key. Its token is still to be judged.
#[derive(Debug)]
pub struct ResumeProven {
    request: ResumeRequest,
    transcript: Transcript,
}

impl ResumeProven {
    /// The device.
    pub fn device(&self) -> DeviceId {
        self.request.device
    }

    /// The hash of the token it presents.
    pub fn token(&self) -> TokenHash {
        TokenHash::of(&self.request.token)
    }

    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(&self.request.versions)
    }

    /// Welcomes the device.
    ///
    /// # Errors
    /// The welcome is too long to send.
    pub fn welcome(self, key: &RecognitionKey, welcome: &Welcome) -> Result<Envelope, HandshakeError> {
        self.reply(key, Purpose::ResumeWelcome, Envelope::of(welcome)?)
    }

    /// Refuses the device, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, key: &RecognitionKey, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply(key, Purpose::ResumeRefusal, Envelope::of(refusal)?)
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
