//! What a device accepts as a machine: a key, never a name or a date.
//!
//! Used by [`super::tls::connect`], one verifier for each connection, because it records what it
//! saw. The pin is checked **and** the crypto provider verifies CertificateVerify (RFC 8446 section
//! 4.4.3): a copied certificate without its key must fail.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};

use crate::identity::{Pin, PinPrefix};

/// Which machine key a device will talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinCheck {
    /// One of these keys. An empty list accepts nothing.
    Exact(Vec<Pin>),
    /// A key whose pin begins so: what a link carries.
    Prefix(PinPrefix),
    /// Any key that the other side proves to hold: for the typed code, whose PAKE binds the pin.
    Provisional,
}

impl PinCheck {
    /// Whether this key may be talked to.
    pub fn allows(&self, pin: &Pin) -> bool {
        match self {
            Self::Exact(pins) => pins.contains(pin),
            Self::Prefix(prefix) => pin.prefix() == *prefix,
            Self::Provisional => true,
        }
    }
}

/// The verifier of one connection.
#[derive(Debug)]
pub(super) struct PinVerifier {
    check: PinCheck,
    provider: Arc<CryptoProvider>,
    wrong: Mutex<Option<Pin>>,
}

impl PinVerifier {
    pub(super) fn new(check: PinCheck, provider: Arc<CryptoProvider>) -> Self {
        Self { check, provider, wrong: Mutex::new(None) }
    }

    /// The key that the other side **proved** to hold and that is not the one looked for.
    pub(super) fn wrong_key(&self) -> Option<Pin> {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this pin is the one looked for.
    pub(super) fn allows(&self, pin: &Pin) -> bool {
        self.check.allows(pin)
    }
}

/// The pin of a certificate's key.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> Result<Pin, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Pin::of_spki(parsed.subject_public_key_info().as_ref()))
}

impl ServerCertVerifier for PinVerifier {
    /// Reads the certificate only. The verdict comes with CertificateVerify, right after it and
    /// before anything is sent, so that a wrong key is reported only by who really holds it.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        pin_of(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if dss.scheme != SignatureScheme::ECDSA_NISTP256_SHA256 {
            return Err(CertificateError::BadSignature.into());
        }
        let valid = verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)?;
        let pin = pin_of(cert)?;
        if self.allows(&pin) {
            Ok(valid)
        } else {
            *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin);
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
