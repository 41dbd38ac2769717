//! MACs and signatures over a transcript, each purpose with its own label and its own key.

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::HandshakeError;
use super::transcript::{TranscriptHash, length_prefixed};
use crate::identity::{PublicKey, Signature};
use crate::secrets::{OfferSecret, RecognitionKey, Secret};
use crate::wire::{Mac, OfferId};

/// What a proof is for. Each direction and purpose has its own label, so that no proof serves twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Device: I hold this offer; what is it for?
    PreviewRequest,
    /// Machine: this is what it is for.
    PreviewAnswer,
    /// Machine: I am the machine of your row (under R).
    PreviewRecognition,
    /// Device: I hold this offer and use it.
    ScanProof,
    /// Machine: the Grant of a scan.
    ScanGrant,
    /// Machine: a scan is refused, and why.
    ScanRefusal,
    /// Machine: the Grant comes from the machine of your row (under R).
    GrantRecognition,
    /// Device: I know the code.
    CodeDevice,
    /// Machine: I know the code too.
    CodeMachine,
    /// Device: the person said yes.
    CodeProceed,
    /// Machine: the Grant of a code.
    CodeGrant,
    /// Machine: a code pairing is refused, and why.
    CodeRefusal,
    /// Machine: the welcome (under R).
    ResumeWelcome,
    /// Machine: a reconnect is refused, and why (under R).
    ResumeRefusal,
    /// Holder of a recovery sheet: this is what is to be done (a signature).
    RecoveryUse,
    /// Machine: it is done (under the key of the sheet's answers).
    RecoveryAnswer,
    /// Machine: it is refused, and why (under the key of the sheet's answers).
    RecoveryRefusal,
    /// Device: this session key is mine (a signature).
    SessionKeyScan,
    /// Device: this session key is mine (a signature).
    SessionKeyCode,
    /// Device: this session key is mine (a signature).
    SessionKeyJoin,
    /// Device: this session key is mine (a signature).
    SessionKeyResume,
    /// Device: this session key is mine (a signature).
    SessionKeyHandBack,
    /// Machine: what it has before something is handed back (under R).
    HandBackReady,
    /// Machine: it takes nothing back from this device, and why (under R).
    HandBackRefusal,
}

impl Purpose {
    /// The label in the bytes.
    pub fn label(self) -> &'static [u8] {
        match self {
            Self::PreviewRequest => b"pairpin v1 preview request",
            Self::PreviewAnswer => b"pairpin v1 preview answer",
            Self::PreviewRecognition => b"pairpin v1 preview recognition",
            Self::ScanProof => b"pairpin v1 scan proof",
            Self::ScanGrant => b"pairpin v1 scan grant",
            Self::ScanRefusal => b"pairpin v1 scan refusal",
            Self::GrantRecognition => b"pairpin v1 grant recognition",
            Self::CodeDevice => b"pairpin v1 code device confirms",
            Self::CodeMachine => b"pairpin v1 code machine confirms",
            Self::CodeProceed => b"pairpin v1 code proceed",
            Self::CodeGrant => b"pairpin v1 code grant",
            Self::CodeRefusal => b"pairpin v1 code refusal",
            Self::ResumeWelcome => b"pairpin v1 resume welcome",
            Self::ResumeRefusal => b"pairpin v1 resume refusal",
            Self::RecoveryUse => b"pairpin v1 recovery use",
            Self::RecoveryAnswer => b"pairpin v1 recovery answer",
            Self::RecoveryRefusal => b"pairpin v1 recovery refusal",
            Self::SessionKeyScan => b"pairpin v1 session key scan",
            Self::SessionKeyCode => b"pairpin v1 session key code",
            Self::SessionKeyJoin => b"pairpin v1 session key join",
            Self::SessionKeyResume => b"pairpin v1 session key resume",
            Self::SessionKeyHandBack => b"pairpin v1 session key hand back",
            Self::HandBackReady => b"pairpin v1 hand back ready",
            Self::HandBackRefusal => b"pairpin v1 hand back refusal",
        }
    }
}

/// A key from which each purpose's MAC key is derived (HKDF-SHA256, RFC 5869).
#[derive(Debug, Clone)]
pub struct MacKey(Secret<32>);

impl MacKey {
    /// The key of an offer's secret.
    pub fn of_offer(secret: &OfferSecret) -> Self {
        Self::extract(b"pairpin v1 offer", secret.expose())
    }

    /// The key of a pair's recognition key R.
    pub fn of_recognition(key: &RecognitionKey) -> Self {
        Self::extract(b"pairpin v1 recognition", key.expose())
    }

    /// The key that a PAKE run agreed on.
    pub(super) fn of_pake(shared: &[u8]) -> Self {
        Self::extract(b"pairpin v1 code", shared)
    }

    /// The key of a recovery sheet's answers, which was derived from its seed.
    pub(super) fn of_answers(key: &Secret<32>) -> Self {
        Self::extract(b"pairpin v1 recovery answers", key.expose())
    }

    /// The key of what a machine gives away of its state.
    pub(super) fn of_standing(key: &Secret<32>) -> Self {
        Self::extract(b"pairpin v1 standing", key.expose())
    }

    fn extract(salt: &[u8], secret: &[u8]) -> Self {
        let (mut prk, _) = Hkdf::<Sha256>::extract(Some(salt), secret);
        let key = Self(Secret::from_bytes(prk.into()));
        zeroize::Zeroize::zeroize(prk.as_mut_slice());
        key
    }

    /// The offer's id: derived, so that it needs no room in the QR and says nothing of the secret.
    pub fn offer_id(&self) -> OfferId {
        OfferId::from_bytes(*self.expand::<8>(b"pairpin v1 offer id"))
    }

    /// The MAC of `purpose` over a transcript.
    pub fn mac(&self, purpose: Purpose, transcript: &TranscriptHash) -> Mac {
        self.mac_of(purpose.label(), &[transcript.as_bytes()])
    }

    /// A MAC of another purpose, over parts of its own.
    pub(super) fn mac_of(&self, label: &[u8], parts: &[&[u8]]) -> Mac {
        let key = self.expand::<32>(label);
        let message = length_prefixed(&[&[label], parts].concat());
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*key), &message);
        let mut mac = [0; 32];
        mac.copy_from_slice(tag.as_ref());
        Mac::from_bytes(mac)
    }

    /// Checks a MAC in constant time; a missing one does not hold.
    ///
    /// # Errors
    /// [`HandshakeError::Proof`].
    pub fn check(
        &self,
        purpose: Purpose,
        transcript: &TranscriptHash,
        mac: Option<&Mac>,
    ) -> Result<(), HandshakeError> {
        let expected = self.mac(purpose, transcript);
        let given = mac.ok_or(HandshakeError::Proof)?;
        if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) { Ok(()) } else { Err(HandshakeError::Proof) }
    }

    fn expand<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        let mut key = Zeroizing::new([0; N]);
        let derived = Hkdf::<Sha256>::from_prk(self.0.expose()).is_ok_and(|hkdf| hkdf.expand(label, &mut *key).is_ok());
        // A short key would be a hole; with 32 bytes in and at most 32 out HKDF-SHA256 cannot refuse.
        assert!(derived, "HKDF-SHA256 gives up to 8160 bytes from a key of 32");
        key
    }
}

/// The bytes that a session key signs: its digest is SHA-256(purpose label, T), both length-prefixed.
pub(super) fn proof_message(purpose: Purpose, transcript: &TranscriptHash) -> Vec<u8> {
    length_prefixed(&[purpose.label(), transcript.as_bytes()])
}

/// Checks a session key's proof.
pub(super) fn check_signature(
    key: &PublicKey,
    purpose: Purpose,
    transcript: &TranscriptHash,
    signature: Option<&Signature>,
) -> Result<(), HandshakeError> {
    let signature = signature.ok_or(HandshakeError::Proof)?;
    if key.verify(&proof_message(purpose, transcript), signature) { Ok(()) } else { Err(HandshakeError::Proof) }
}
