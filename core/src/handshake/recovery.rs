//! Flow `recovery`: the holder of a printed sheet proves its key over T, in which the request is a message; the
//! machine answers under a key of which the sheet's seed is the origin too.
//!
//! From the seed come two things, apart: the signing key, of which the machine has the public half, and the key of
//! its answers, which it keeps. So neither the machine nor who has stolen its database can use a sheet, and who has
//! stolen the TLS key alone cannot answer one.

use hkdf::Hkdf;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::keys::proof_message;
use super::transcript::length_prefixed;
use super::{Channel, HandshakeError, MacKey, Purpose, Transcript, check_version, choose_version};
use crate::identity::Signature;
use crate::secrets::{RecoverySeed, Secret};
use crate::wire::{Envelope, Flow, RecoveryAct, RecoveryAnswer, RecoveryRequest, Refusal, SheetId, SheetKey, VERSION};

/// What follows from a sheet's seed.
pub struct SheetKeys {
    pair: Ed25519KeyPair,
    answers: Secret<32>,
}

impl std::fmt::Debug for SheetKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SheetKeys([secret])")
    }
}

/// What a machine keeps of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetHalf {
    /// The public half of its key.
    pub key: SheetKey,
    /// The key under which the machine answers its holder.
    pub answers: Secret<32>,
}

impl SheetKeys {
    /// Derives both: HKDF-SHA256 (RFC 5869) with the salt `pairpin v1 recovery`, the signing key's 32 bytes by the
    /// label `pairpin v1 recovery key`, the answers' by `pairpin v1 recovery answers`.
    ///
    /// # Errors
    /// Never in practice: every 32 bytes are a private key of Ed25519.
    pub fn of(seed: &RecoverySeed) -> Result<Self, HandshakeError> {
        let hkdf = Hkdf::<Sha256>::new(Some(b"pairpin v1 recovery"), seed.expose());
        let (mut private, mut answers) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        hkdf.expand(b"pairpin v1 recovery key", &mut *private).map_err(|_| HandshakeError::Proof)?;
        hkdf.expand(b"pairpin v1 recovery answers", &mut *answers).map_err(|_| HandshakeError::Proof)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*private).map_err(|_| HandshakeError::Proof)?;
        Ok(Self { pair, answers: Secret::from_bytes(*answers) })
    }

    /// What the machine keeps.
    ///
    /// # Errors
    /// Never in practice: a public key has 32 bytes.
    pub fn half(&self) -> Result<SheetHalf, HandshakeError> {
        let key = SheetKey::from_slice(self.pair.public_key().as_ref()).ok_or(HandshakeError::Proof)?;
        Ok(SheetHalf { key, answers: self.answers.clone() })
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, HandshakeError> {
        Signature::from_slice(self.pair.sign(message).as_ref()).ok_or(HandshakeError::Proof)
    }
}

impl SheetHalf {
    /// The sheet's id.
    pub fn id(&self) -> SheetId {
        let hash = Sha256::digest(length_prefixed(&[b"pairpin v1 recovery sheet", self.key.as_bytes()]));
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        SheetId::from_bytes(id)
    }

    fn mac_key(&self) -> MacKey {
        MacKey::of_answers(&self.answers)
    }
}

/// Holder: the request is sent.
#[derive(Debug)]
pub struct AwaitRecovery {
    transcript: Transcript,
    answers: MacKey,
}

impl AwaitRecovery {
    /// Builds the request over a channel whose pin has been checked against the sheet's.
    ///
    /// # Errors
    /// The name in it is too long to send.
    pub fn request(channel: &Channel, sheet: &SheetKeys, act: RecoveryAct) -> Result<(Envelope, Self), HandshakeError> {
        let half = sheet.half()?;
        let mut envelope = Envelope::of(&RecoveryRequest { versions: vec![VERSION], sheet: half.id(), act })?;
        let mut transcript = Transcript::new(Flow::Recovery, channel);
        transcript.absorb(&envelope.message);
        envelope.signature = Some(sheet.sign(&proof_message(Purpose::RecoveryUse, &transcript.hash()))?);
        Ok((envelope, Self { transcript, answers: half.mac_key() }))
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: it is not from the machine that printed the sheet, whatever key TLS proved.
    pub fn receive(mut self, envelope: &Envelope) -> Result<RecoveryAnswer, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.answers.check(Purpose::RecoveryAnswer, &self.transcript.hash(), envelope.mac.as_ref())?;
        let answer: RecoveryAnswer = envelope.read()?;
        check_version(answer.version)?;
        Ok(answer)
    }

    /// Takes a refusal instead.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn refused(mut self, envelope: &Envelope) -> Result<Refusal, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        self.answers.check(Purpose::RecoveryRefusal, &self.transcript.hash(), envelope.mac.as_ref())?;
        Ok(envelope.read()?)
    }
}

/// Machine: a request that can be read.
#[derive(Debug)]
pub struct RecoveryOpened {
    request: RecoveryRequest,
    transcript: Transcript,
    signature: Option<Signature>,
}

impl RecoveryOpened {
    /// Reads a holder's request.
    ///
    /// # Errors
    /// [`HandshakeError::Message`].
    pub fn open(channel: &Channel, envelope: &Envelope) -> Result<Self, HandshakeError> {
        let mut transcript = Transcript::new(Flow::Recovery, channel);
        transcript.absorb(&envelope.message);
        Ok(Self { request: envelope.read()?, transcript, signature: envelope.signature })
    }

    /// The sheet it names.
    pub fn sheet(&self) -> SheetId {
        self.request.sheet
    }

    /// Checks the proof of the sheet's key.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`]: a stranger.
    pub fn verify(self, sheet: &SheetHalf) -> Result<RecoveryProven, HandshakeError> {
        let signature = self.signature.ok_or(HandshakeError::Proof)?;
        let message = proof_message(Purpose::RecoveryUse, &self.transcript.hash());
        let key = UnparsedPublicKey::new(&ED25519, sheet.key.as_bytes());
        key.verify(&message, signature.as_bytes()).map_err(|_| HandshakeError::Proof)?;
        Ok(RecoveryProven { request: self.request, transcript: self.transcript, answers: sheet.mac_key() })
    }
}

/// Machine: the request is its who holds the sheet. Whether the sheet is spent is still to be looked at.
#[derive(Debug)]
pub struct RecoveryProven {
    request: RecoveryRequest,
    transcript: Transcript,
    answers: MacKey,
}

impl RecoveryProven {
    /// What is to be done.
    pub fn act(&self) -> &RecoveryAct {
        &self.request.act
    }

    /// The version both speak.
    ///
    /// # Errors
    /// [`HandshakeError::Version`]: refuse with that cause.
    pub fn version(&self) -> Result<u16, HandshakeError> {
        choose_version(&self.request.versions)
    }

    /// Answers.
    ///
    /// # Errors
    /// The answer is too long to send.
    pub fn answer(self, answer: &RecoveryAnswer) -> Result<Envelope, HandshakeError> {
        self.reply(Purpose::RecoveryAnswer, Envelope::of(answer)?)
    }

    /// Refuses, with the cause.
    ///
    /// # Errors
    /// The refusal is too long to send.
    pub fn refuse(self, refusal: &Refusal) -> Result<Envelope, HandshakeError> {
        self.reply(Purpose::RecoveryRefusal, Envelope::of(refusal)?)
    }

    fn reply(mut self, purpose: Purpose, mut envelope: Envelope) -> Result<Envelope, HandshakeError> {
        self.transcript.absorb(&envelope.message);
        envelope.mac = Some(self.answers.mac(purpose, &self.transcript.hash()));
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Pin;

    fn channel(number: u8) -> Channel {
        Channel { exporter: Secret::from_bytes([number; 32]), pin: Pin::from_bytes([2; 32]) }
    }

    fn sheet(number: u8) -> SheetKeys {
        SheetKeys::of(&RecoverySeed::from_bytes([number; 20])).unwrap()
    }

    fn answer() -> RecoveryAnswer {
        RecoveryAnswer {
            version: VERSION,
            name: "homebox".into(),
            spent: true,
            revoked: Vec::new(),
            devices: Vec::new(),
            more_revoked: 0,
            more_devices: 0,
        }
    }

    #[test]
    fn a_use_holds_for_its_sheet_on_its_channel_and_says_what_was_asked() {
        let act = RecoveryAct::Revoke("phone".into());
        let (envelope, wait) = AwaitRecovery::request(&channel(1), &sheet(1), act.clone()).unwrap();
        let open = |on| RecoveryOpened::open(&channel(on), &envelope).unwrap();
        assert!(open(2).verify(&sheet(1).half().unwrap()).is_err(), "on another connection");
        assert!(open(1).verify(&sheet(2).half().unwrap()).is_err(), "of another sheet");
        let mut other = envelope.clone();
        other.message = AwaitRecovery::request(&channel(1), &sheet(1), RecoveryAct::All).unwrap().0.message.clone();
        let other = RecoveryOpened::open(&channel(1), &other).unwrap();
        assert!(other.verify(&sheet(1).half().unwrap()).is_err(), "for something else");
        let proven = open(1).verify(&sheet(1).half().unwrap()).unwrap();
        assert_eq!(proven.act(), &act);
        let answered = proven.answer(&answer()).unwrap();
        assert_eq!(wait.receive(&answered).unwrap(), answer());
    }

    /// Who has stolen the machine's TLS key sees the request and can say anything but what is believed.
    #[test]
    fn an_answer_without_the_sheets_own_key_is_not_believed_and_a_refusal_is_none() {
        let begin = || AwaitRecovery::request(&channel(1), &sheet(1), RecoveryAct::All).unwrap();
        let (envelope, wait) = begin();
        let half = sheet(1).half().unwrap();
        let forged = SheetHalf { answers: Secret::from_bytes([9; 32]), ..half.clone() };
        let proven = |by: &SheetHalf| RecoveryOpened::open(&channel(1), &envelope).unwrap().verify(by).unwrap();
        assert_eq!(wait.receive(&proven(&forged).answer(&answer()).unwrap()), Err(HandshakeError::Proof));
        let (envelope, wait) = begin();
        let refused = RecoveryOpened::open(&channel(1), &envelope).unwrap().verify(&half).unwrap();
        let refused = refused.refuse(&Refusal::new(crate::wire::RefusalCode::RecoverySpent, 0)).unwrap();
        assert_eq!(wait.receive(&refused), Err(HandshakeError::Proof));
        assert!(begin().1.refused(&refused).is_ok(), "the control");
    }
}
