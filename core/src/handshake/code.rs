//! Flow (b), pairing by a typed code: a PAKE over a provisional channel.
//!
//! ```text
//! device                                          machine
//! CodeAwaitShare::start        --CodeShare-->     CodeOpened --answer--> CodeAwaitConfirm
//! CodeAwaitShare --receive--> CodeConfirmDraft    (a run without confirmation costs no try)
//! CodeConfirmDraft --signed    --CodeConfirm-->   CodeAwaitConfirm --receive--> CodeConfirmReceived
//!                                                 spend a try, then CodeConfirmReceived --check--> CodeProven
//! CodeAwaitMachine --receive   <--CodeWelcome--   CodeProven --welcome--> CodeAwaitProceed
//! (the person is asked) CodeMet --proceed -->     CodeAwaitProceed --receive--> CodeAnswered --grant
//! CodeAwaitGrant is AwaitGrant of flow (a)        from the Grant on it is flow (a)
//! ```
//!
//! The machine sends nothing keyed before the device's confirmation holds, so a false device gets
//! one guess per try; the device stops after three failures, so a false machine gets one guess per
//! typing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::{check_signature, proof_message};
use super::pake::{Pake, Side};
use super::scan::Reply;
use super::{
    AwaitGrant, Channel, DeviceDetails, Granted, HandshakeError, MacKey, Purpose, Transcript, check_version,
    choose_version,
};
use crate::identity::Signature;
use crate::secrets::{RecognitionKey, Secret, TypedCode};
use crate::wire::{
    CodeConfirm, CodeProceed, CodeShare, CodeShareAnswer, CodeWelcome, Envelope, Flow, Grant, Refusal, VERSION,
};

/// Device, last step: the same as in flow (a).
pub type CodeAwaitGrant = AwaitGrant;

/// Device: its share is sent.
pub struct CodeAwaitShare {
    pake: Pake,
    transcript: Transcript,
}

impl CodeAwaitShare {
    /// Starts with the typed code. `entropy` must be fresh for each run.
    ///
    /// # Errors
    /// Never in practice: the message is short.
    pub fn start(
        channel: &Channel,
        code: &TypedCode,
        entropy: &Secret<32>,
    ) -> Result<(Envelope, Self), HandshakeError> {
        let (pake, share) = Pake::start(Side::Device, channel, code, entropy);
        let envelope = Envelope::of(&CodeShare { versions: vec![VERSION], share: URL_SAFE_NO_PAD.encode(share) })?;
        let mut transcript = Transcript::new(Flow::Code, channel);
        transcript.absorb(&envelope.message);
        Ok((envelope, Self { pake, transcript }))
    }

    /// Takes the machine's share and prepares the confirmation, with the session key in it.
    ///
    /// # Errors
    /// [`HandshakeError::Message`] or [`HandshakeError::Version`].
    pub fn receive(mut self, envelope: &Envelope, details: &DeviceDetails) -> Result<CodeConfirmDraft, HandshakeError> {
        let answer: CodeShareAnswer = envelope.read()?;
        check_version(answer.version)?;
        self.transcript.absorb(&envelope.message);
        let key = self.pake.finish(&decode(&answer.share)?)?;
        let mut confirm = Envelope::of(&CodeConfirm { key: details.key, key_kind: details.key_kind })?;
        self.transcript.absorb(&confirm.message);
        confirm.mac = Some(key.mac(Purpose::CodeDevice, &self.transcript.hash()));
        Ok(CodeConfirmDraft { envelope: confirm, transcript: self.transcript, key })
    }
}

/// Device: the confirmation, before the session key signed it.
#[derive(Debug)]
pub struct CodeConfirmDraft {
    envelope: Envelope,
    transcript: Transcript,
    key: MacKey,
}

impl CodeConfirmDraft {
    /// The bytes that the session key is to sign with ES256.
    pub fn to_sign(&self) -> Vec<u8> {
        proof_message(Purpose::SessionKeyCode, &self.transcript.hash())
    }

    /// Adds the signature; gives what to send.
    pub fn signed(mut self, signature: Signature) -> (Envelope, CodeAwaitMachine) {
        self.envelope.signature = Some(signature);
        (self.envelope, CodeAwaitMachine { transcript: self.transcript, key: self.key })
    }
}

/// Device: it has confirmed; now the machine must.
#[derive(Debug)]
pub struct CodeAwaitMachine {
    transcript: Transcript,
    key: MacKey,
}

impl CodeAwaitMachine {
    /// Takes the machine's confirmation.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the machine does not know the code. Count a failure.
    pub fn receive(mut self, envelope: &Envelope) -> Result<CodeMet, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::CodeMachine, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(CodeMet { machine: envelope.read()?, transcript: self.transcript, key: self.key })
    }

    /// Takes a refusal instead.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from a machine that knows the code.
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::CodeRefusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Device: both sides know the code. Ask the person.
#[derive(Debug)]
pub struct CodeMet {
    /// Who the machine is.
    pub machine: CodeWelcome,
    transcript: Transcript,
    key: MacKey,
}

impl CodeMet {
    /// The person said yes.
    ///
    /// # Errors
    /// The details are too long to send.
    pub fn proceed(mut self, details: &DeviceDetails) -> Result<(Envelope, CodeAwaitGrant), HandshakeError> {
        let proceed = CodeProceed { name: details.name.clone(), platform: details.platform.clone() };
        let mut envelope = Envelope::of(&proceed)?;
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(self.key.mac(Purpose::CodeProceed, &self.transcript.hash()));
        let wait = AwaitGrant {
            transcript: self.transcript,
            key: self.key,
            grant: Purpose::CodeGrant,
            refusal: Purpose::CodeRefusal,
        };
        Ok((envelope, wait))
    }
}

/// Machine: a device's share that can be read.
#[derive(Debug)]
pub struct CodeOpened {
    share: Vec<u8>,
    versions: Vec<u16>,
    transcript: Transcript,
    channel: Channel,
}

impl CodeOpened {
    /// Reads a device's first message.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let message: CodeShare = envelope.read()?;
        let mut transcript = Transcript::new(Flow::Code, channel);
        transcript.absorb(&envelope.message);
        let share = decode(&message.share)?;
        Ok(Self { share, versions: message.versions, transcript, channel: channel.clone() })
    }

    /// Answers with the machine's share. `entropy` must be fresh for each run.
    ///
    /// # Errors
    /// [`HandshakeError::Message`]: the share is not one. [`HandshakeError::Version`].
    pub fn answer(
        mut self,
        code: &TypedCode,
        entropy: &Secret<32>,
    ) -> Result<(Envelope, CodeAwaitConfirm), HandshakeError> {
        let version = choose_version(&self.versions)?;
        let (pake, share) = Pake::start(Side::Machine, &self.channel, code, entropy);
        let key = pake.finish(&self.share)?;
        let envelope = Envelope::of(&CodeShareAnswer { version, share: URL_SAFE_NO_PAD.encode(share) })?;
        self.transcript.absorb(&envelope.message);
        Ok((envelope, CodeAwaitConfirm { transcript: self.transcript, key }))
    }
}

/// Machine: its share is sent.
#[derive(Debug)]
pub struct CodeAwaitConfirm {
    transcript: Transcript,
    key: MacKey,
}

impl CodeAwaitConfirm {
    /// Reads the device's confirmation without comparing anything: the try must be spent first.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn receive(mut self, envelope: Envelope) -> Result<CodeConfirmReceived, HandshakeError> {
        let message = envelope.read()?;
        self.transcript.absorb(&envelope.message);
        Ok(CodeConfirmReceived { message, envelope, transcript: self.transcript, key: self.key })
    }
}

/// Machine: a confirmation that has not been compared. Spend a try before [`check`](Self::check).
#[derive(Debug)]
pub struct CodeConfirmReceived {
    message: CodeConfirm,
    envelope: Envelope,
    transcript: Transcript,
    key: MacKey,
}

impl CodeConfirmReceived {
    /// Compares.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: the code was wrong (or the key is not the device's).
    pub fn check(self) -> Result<CodeProven, HandshakeError> {
        let hash = self.transcript.hash();
        self.key.check(Purpose::CodeDevice, &hash, self.envelope.mac.as_ref())?;
        check_signature(&self.message.key, Purpose::SessionKeyCode, &hash, self.envelope.signature.as_ref())?;
        Ok(CodeProven { confirm: self.message, transcript: self.transcript, key: self.key })
    }
}

/// Machine: the device knows the code and holds the session key.
#[derive(Debug)]
pub struct CodeProven {
    confirm: CodeConfirm,
    transcript: Transcript,
    key: MacKey,
}

impl CodeProven {
    /// The device's key.
    pub fn confirm(&self) -> &CodeConfirm {
        &self.confirm
    }

    /// Confirms in turn, and says who the machine is.
    ///
    /// # Errors
    /// The message is too long to send.
    pub fn welcome(mut self, machine: &CodeWelcome) -> Result<(Envelope, CodeAwaitProceed), HandshakeError> {
        let mut envelope = Envelope::of(machine)?;
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(self.key.mac(Purpose::CodeMachine, &self.transcript.hash()));
        Ok((envelope, CodeAwaitProceed { confirm: self.confirm, transcript: self.transcript, key: self.key }))
    }

    /// Refuses, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        Reply::code(self.transcript, self.key).refuse(refusal)
    }
}

/// Machine: the person at the device is being asked.
#[derive(Debug)]
pub struct CodeAwaitProceed {
    confirm: CodeConfirm,
    transcript: Transcript,
    key: MacKey,
}

impl CodeAwaitProceed {
    /// Takes the person's yes.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the device that confirmed.
    pub fn receive(mut self, envelope: &Envelope) -> Result<CodeAnswered, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.key.check(Purpose::CodeProceed, &self.transcript.hash(), envelope.mac.as_ref())?;
        let proceed: CodeProceed = envelope.read()?;
        let details = DeviceDetails {
            key: self.confirm.key,
            key_kind: self.confirm.key_kind,
            name: proceed.name,
            platform: proceed.platform,
        };
        Ok(CodeAnswered { details, reply: Reply::code(self.transcript, self.key) })
    }

    /// Refuses while the person is being asked, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        Reply::code(self.transcript, self.key).refuse(refusal)
    }
}

/// Machine: the person said yes. It goes on as flow (a) from the Grant.
#[derive(Debug)]
pub struct CodeAnswered {
    details: DeviceDetails,
    reply: Reply,
}

impl CodeAnswered {
    /// What the device says of itself.
    pub fn details(&self) -> &DeviceDetails {
        &self.details
    }

    /// Grants, as in flow (a).
    ///
    /// # Errors
    /// The Grant is too long to send.
    pub fn grant(self, grant: &Grant, row: Option<&RecognitionKey>) -> Result<(Envelope, Granted), HandshakeError> {
        self.reply.grant(grant, row)
    }

    /// Refuses, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply.refuse(refusal)
    }
}

fn decode(share: &str) -> Result<Vec<u8>, HandshakeError> {
    URL_SAFE_NO_PAD.decode(share).map_err(|_| HandshakeError::Message)
}
