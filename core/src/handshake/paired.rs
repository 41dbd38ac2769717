//! What the flows of a paired device have in common: the device proves its session key over the channel, and the
//! machine answers under R. `resume` (flow d) and `hand_back` (flow f) say what is asked and answered.
//!
//! Each flow has labels of its own, so a proof of one is none in another, and each step is a type of its flow.

use std::fmt;
use std::marker::PhantomData;

use super::keys::{check_signature, proof_message};
use super::{Channel, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::{DeviceId, PublicKey, Signature};
use crate::secrets::RecognitionKey;
use crate::wire::{Envelope, Flow, Message, Refusal};

/// One of these flows.
pub trait PairedFlow: fmt::Debug {
    /// The device's message.
    type Request: Message + fmt::Debug;
    /// The machine's.
    type Answer: Message;
    /// Its name in the upgrade, and in the transcript.
    const FLOW: Flow;
    /// The label of the session key's proof.
    const PROOF: Purpose;
    /// The label of the machine's answer.
    const ANSWER: Purpose;
    /// The label of its refusal.
    const REFUSAL: Purpose;

    /// Versions the device speaks.
    fn versions(request: &Self::Request) -> &[u16];
    /// The device that it claims to be.
    fn device(request: &Self::Request) -> DeviceId;
    /// The version that the machine chose.
    fn version(answer: &Self::Answer) -> u16;
}

/// Device: the request, before the session key signed it.
#[derive(Debug)]
pub struct PairedDraft<F> {
    envelope: Envelope,
    transcript: Transcript,
    flow: PhantomData<F>,
}

impl<F: PairedFlow> PairedDraft<F> {
    /// Builds the request over a channel whose pin has been checked.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub(super) fn of(channel: &Channel, request: &F::Request) -> Result<Self, HandshakeError> {
        let envelope = Envelope::of(request)?;
        let mut transcript = Transcript::new(F::FLOW, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { envelope, transcript, flow: PhantomData })
    }

    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(F::PROOF, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send. `key` is the R by which the machine is recognised.
    pub fn signed(mut self, signature: Signature, key: &RecognitionKey) -> (Envelope, AwaitPaired<F>) {
        self.envelope.signature = Some(signature);
        let waits = AwaitPaired { transcript: self.transcript, key: MacKey::of_recognition(key), flow: PhantomData };
        (self.envelope, waits)
    }
}

/// Device: the request is sent.
#[derive(Debug)]
pub struct AwaitPaired<F> {
    transcript: Transcript,
    key: MacKey,
    flow: PhantomData<F>,
}

impl<F: PairedFlow> AwaitPaired<F> {
    /// Takes the machine's answer; nothing is believed or given before it.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R. Hard stop: the key was copied.
    pub fn receive(mut self, envelope: &Envelope) -> Result<F::Answer, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(F::ANSWER, &self.transcript.hash(), envelope.mac.as_ref())?;
        let answer: F::Answer = envelope.read()?;
        check_version(F::version(&answer))?;
        Ok(answer)
    }

    /// Takes a refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine has the TLS key but not R.
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(F::REFUSAL, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Machine: a request that can be read.
#[derive(Debug)]
pub struct PairedOpened<F: PairedFlow> {
    request: F::Request,
    transcript: Transcript,
    signature: Option<Signature>,
}

impl<F: PairedFlow> PairedOpened<F> {
    /// Reads a device's request.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let mut transcript = Transcript::new(F::FLOW, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { request: envelope.read()?, transcript, signature: envelope.signature })
    }

    /// The device it claims to be: a row or a tombstone, or else a stranger.
    pub fn device(&self) -> DeviceId {
        F::device(&self.request)
    }

    /// Checks the session key's proof.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: a stranger.
    pub fn verify(self, session_key: &PublicKey) -> Result<PairedProven<F>, HandshakeError> {
        let hash = self.transcript.hash();
        check_signature(session_key, F::PROOF, &hash, self.signature.as_ref())?;
        Ok(PairedProven { request: self.request, transcript: self.transcript })
    }
}

/// Machine: the device holds its session key. What it asks for is still to be judged.
#[derive(Debug)]
pub struct PairedProven<F: PairedFlow> {
    pub(super) request: F::Request,
    transcript: Transcript,
}

impl<F: PairedFlow> PairedProven<F> {
    /// The device.
    pub fn device(&self) -> DeviceId {
        F::device(&self.request)
    }

    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(F::versions(&self.request))
    }

    /// Answers the device.
    ///
    /// # Errors
    /// The answer is too long to send.
    pub(super) fn answer(self, key: &RecognitionKey, answer: &F::Answer) -> Result<Envelope, HandshakeError> {
        self.reply(key, F::ANSWER, Envelope::of(answer)?)
    }

    /// Refuses the device, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, key: &RecognitionKey, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply(key, F::REFUSAL, Envelope::of(refusal)?)
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
