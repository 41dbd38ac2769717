//! TLS for hostile peers: a client that believes any certificate, and a server that shows any.
//! Used by [`crate::peer`] and [`crate::false_machine`].

use std::sync::Arc;

use pairpin_core::handshake::{Channel, EXPORTER_LABEL};
use pairpin_core::identity::{KeyPair, Pin};
use pairpin_core::net::tls;
use pairpin_core::secrets::Secret;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ConnectionCommon, DigitallySignedStruct, ServerConfig, SignatureScheme, version};

/// What every P-256 SubjectPublicKeyInfo begins with (RFC 5480 section 2); 65 bytes of point follow.
const SPKI_START: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The pin of a certificate, found without our own code.
///
/// # Panics
/// It is not a P-256 certificate.
pub fn pin_of(certificate: &[u8]) -> Pin {
    let length = SPKI_START.len() + 65;
    let spki = certificate.windows(length).find(|window| window.starts_with(&SPKI_START));
    Pin::of_spki(spki.unwrap_or_else(|| panic!("no P-256 key in the certificate")))
}

/// The channel of a TLS connection, as the side with this pin in view sees it.
///
/// # Panics
/// The handshake is not complete.
pub fn channel<D>(connection: &ConnectionCommon<D>, pin: Pin) -> Channel {
    let exporter = connection
        .export_keying_material([0; 32], EXPORTER_LABEL, None)
        .unwrap_or_else(|error| panic!("no exporter: {error}"));
    Channel { exporter: Secret::from_bytes(exporter), pin }
}

/// A client that believes any certificate, as long as its key is really there.
pub fn credulous() -> Arc<ClientConfig> {
    let provider = Arc::new(tls::provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .unwrap_or_else(|error| panic!("no TLS 1.3: {error}"))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What a machine shows (a certificate) and proves (a key): the two need not belong together.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    /// A key and a fresh certificate of it.
    ///
    /// # Panics
    /// The key cannot make a certificate.
    pub fn of(key: &KeyPair) -> Self {
        let pkcs8 = key.pkcs8().expose().to_vec();
        let made = rcgen::KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.clone())).and_then(|key| {
            let params = rcgen::CertificateParams::new(vec!["somebody.example".to_owned()])?;
            params.self_signed(&key)
        });
        let certificate = made.unwrap_or_else(|error| panic!("no certificate: {error}")).der().clone();
        Self { certificate, key: pkcs8 }
    }

    /// Somebody's certificate, shown by one who has another key.
    pub fn copied(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { certificate, key: key.pkcs8().expose().to_vec() }
    }

    /// The certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The pin of the certificate.
    pub fn pin(&self) -> Pin {
        pin_of(&self.certificate)
    }

    /// A server that shows and proves this.
    ///
    /// # Panics
    /// The key is not one.
    pub fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let key = ring::sign::any_supported_type(&key).unwrap_or_else(|error| panic!("no key: {error}"));
        // Not checked here whether the two belong together: that is the client's work.
        let shown = Shown(Arc::new(CertifiedKey::new(vec![self.certificate.clone()], key)));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap_or_else(|error| panic!("no TLS 1.3: {error}"))
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
