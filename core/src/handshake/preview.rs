//! Flow (a), the preview: before the person says yes, the device asks what an offer is for.
//!
//! It burns nothing. Where the device has a row of this machine under another pin, it asks again
//! with its device id, and the machine proves R: only then may the question be "replace the key?".

use super::{Channel, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::DeviceId;
use crate::secrets::RecognitionKey;
use crate::wire::{Envelope, Flow, Mac, OfferId, Preview, PreviewRequest, VERSION};

/// Device: the request is sent.
#[derive(Debug)]
pub struct AwaitPreview {
    transcript: Transcript,
    offer: MacKey,
}

impl AwaitPreview {
    /// Builds the request over a channel whose pin has been checked. `device` asks for the proof of
    /// R in the row where it has that id.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn request(
        channel: &Channel,
        offer: MacKey,
        device: Option<DeviceId>,
    ) -> Result<(Envelope, Self), HandshakeError> {
        let request = PreviewRequest { versions: vec![VERSION], offer: offer.offer_id(), device };
        let mut envelope = Envelope::of(&request)?;
        let mut transcript = Transcript::new(Flow::Preview, channel);
        transcript.absorb(&envelope.message);
        envelope.mac = Some(offer.mac(Purpose::PreviewRequest, &transcript.hash()));
        Ok((envelope, Self { transcript, offer }))
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the machine that made the offer.
    pub fn receive(mut self, envelope: &Envelope) -> Result<PreviewReceived, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.offer.check(Purpose::PreviewAnswer, &self.transcript.hash(), envelope.mac.as_ref())?;
        let preview: Preview = envelope.read()?;
        check_version(preview.version)?;
        Ok(PreviewReceived { preview, transcript: self.transcript, recognition: envelope.recognition })
    }
}

impl AwaitPreview {
    /// Takes a refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the machine; it says nothing.
    pub fn refused(mut self, envelope: &Envelope) -> Result<crate::wire::Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.offer.check(Purpose::ScanRefusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Device: an answer whose MAC holds.
#[derive(Debug)]
pub struct PreviewReceived {
    /// What the offer is for.
    pub preview: Preview,
    transcript: Transcript,
    recognition: Option<Mac>,
}

impl PreviewReceived {
    /// Whether the answer also proves R of the device's row.
    pub fn recognised(&self, key: &RecognitionKey) -> bool {
        MacKey::of_recognition(key)
            .check(Purpose::PreviewRecognition, &self.transcript.hash(), self.recognition.as_ref())
            .is_ok()
    }
}

/// Machine: a preview request that can be read.
#[derive(Debug)]
pub struct PreviewOpened {
    request: PreviewRequest,
    transcript: Transcript,
    mac: Option<Mac>,
}

impl PreviewOpened {
    /// Reads a device's request.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let mut transcript = Transcript::new(Flow::Preview, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { request: envelope.read()?, transcript, mac: envelope.mac })
    }

    /// The offer it names.
    pub fn offer(&self) -> OfferId {
        self.request.offer
    }

    /// Checks that the device holds the offer's secret.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: a stranger.
    pub fn verify(self, offer: &MacKey) -> Result<PreviewProven, HandshakeError> {
        offer.check(Purpose::PreviewRequest, &self.transcript.hash(), self.mac.as_ref())?;
        Ok(PreviewProven { request: self.request, transcript: self.transcript, offer: offer.clone() })
    }
}

/// Machine: the device holds the offer's secret.
#[derive(Debug)]
pub struct PreviewProven {
    request: PreviewRequest,
    transcript: Transcript,
    offer: MacKey,
}

impl PreviewProven {
    /// The row for which the device asks the proof of R.
    pub fn device(&self) -> Option<DeviceId> {
        self.request.device
    }

    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(&self.request.versions)
    }

    /// Answers; `row` is R of the row asked for, where there is one.
    ///
    /// # Errors
    /// The answer is too long to send.
    pub fn answer(mut self, preview: &Preview, row: Option<&RecognitionKey>) -> Result<Envelope, HandshakeError> {
        let mut envelope = Envelope::of(preview)?;
        self.transcript.absorb(&envelope.message);
        let hash = self.transcript.hash();
        envelope.mac = Some(self.offer.mac(Purpose::PreviewAnswer, &hash));
        envelope.recognition = row.map(|key| MacKey::of_recognition(key).mac(Purpose::PreviewRecognition, &hash));
        Ok(envelope)
    }

    /// Refuses, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(mut self, refusal: &crate::wire::Refusal) -> Result<Envelope, HandshakeError> {
        let mut envelope = Envelope::of(refusal)?;
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(self.offer.mac(Purpose::ScanRefusal, &self.transcript.hash()));
        Ok(envelope)
    }
}
