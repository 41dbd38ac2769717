//! TLS 1.3 and nothing else: both configurations, and the channel that a handshake binds to.
//!
//! The machine's engine makes one [`machine_config`] at its start and gives it to [`accept`] with
//! every socket; [`super::dial`] calls [`connect`]. The provider is handed in everywhere: a library
//! must not choose the process's default. No resumption, tickets, pre-shared keys or early data on
//! either side: a resumed handshake skips the verifier, and early data can be replayed.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::BoxedStream;
use super::limited::{Limit, LimitedStream};
pub use super::verifier::PinCheck;
use super::verifier::{PinVerifier, pin_of};
use crate::clock::UnixMillis;
use crate::handshake::{Channel, EXPORTER_LABEL};
use crate::identity::{KeyPair, Pin};
use crate::secrets::Secret;
use crate::wire::limits;

/// The one name in every certificate. A machine's own name is nobody's business before pairing.
const NAME: &str = "pairpin";

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(provider()));

/// ring, for both sides. The suite that every TLS 1.3 speaks (RFC 8446 section 9.1) goes first: its SHA-256 is done by the processor
/// nearly everywhere, while the key schedule under SHA-384 is a tenth of the work of a connect.
pub fn provider() -> CryptoProvider {
    use rustls::crypto::ring::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    let cipher_suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    CryptoProvider { cipher_suites, ..rustls::crypto::ring::default_provider() }
}

/// TLS could not be set up, or a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The identity key cannot be used.
    #[error("the machine's key cannot be used for TLS, restore it from a backup ({0})")]
    Key(String),
    /// The other side holds another key than the one looked for, and has proven to hold it.
    #[error("the machine answered with another key, fingerprint {}", seen.fingerprint())]
    WrongKey {
        /// The pin of that key.
        seen: Pin,
    },
    /// The other side does not speak TLS 1.3, or not as a pairpin machine does.
    #[error("what answered is not pairpin ({0})")]
    NotPairpin(String),
    /// The connection ended in the middle of the handshake.
    #[error("the connection was closed before it was set up")]
    Closed,
    /// The handshake took too long.
    #[error("the other side did not answer in time")]
    TimedOut,
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
}

/// The pin of a machine's identity key.
///
/// # Errors
/// [`TlsError::Key`]: the key is damaged.
pub fn spki_pin(key: &KeyPair) -> Result<Pin, TlsError> {
    use rcgen::PublicKeyData as _;
    Ok(Pin::of_spki(&certificate_key(key)?.subject_public_key_info()))
}

/// The machine's side of TLS, with a certificate issued now from its identity key.
///
/// Devices pin the key and ignore the certificate's name and dates, so it is simply issued anew at
/// each start: valid from a day before `now` (clocks differ) for 397 days.
///
/// # Errors
/// [`TlsError::Key`]: the key is damaged.
pub fn machine_config(key: &KeyPair, now: UnixMillis) -> Result<Arc<ServerConfig>, TlsError> {
    let certificate = issue(key, now)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().expose().to_vec()));
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| TlsError::Key(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .map_err(|e| TlsError::Key(e.to_string()))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn certificate_key(key: &KeyPair) -> Result<rcgen::KeyPair, TlsError> {
    let der = PrivatePkcs8KeyDer::from(key.pkcs8().expose());
    rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|e| TlsError::Key(e.to_string()))
}

fn issue(key: &KeyPair, now: UnixMillis) -> Result<CertificateDer<'static>, TlsError> {
    const DAY: u64 = 24 * 60 * 60;
    // A clock outside 2020 to 2100 is absurd: the dates are then those of its nearest end.
    const SANE: (i64, i64) = (1_577_836_800, 4_102_444_800);
    let start = (now / 1000).clamp(SANE.0, SANE.1).unsigned_abs() - DAY;
    let key = certificate_key(key)?;
    let wrong = |e: rcgen::Error| TlsError::Key(e.to_string());
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).map_err(wrong)?;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(start);
    params.not_after = params.not_before + Duration::from_secs(398 * DAY);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params.self_signed(&key).map_err(wrong)?.into())
}

/// An accepted connection, TLS finished.
pub struct Accepted {
    /// The connection.
    pub stream: BoxedStream,
    /// What the handshake binds to.
    pub channel: Channel,
    /// At most [`limits::STRANGER_BYTES`] are read, TLS included, until this is lifted.
    pub limit: Limit,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Machine: finishes TLS on an accepted socket, within `deadline`. `pin` is that of the key in
/// `config` ([`spki_pin`]).
///
/// # Errors
/// The other side does not speak TLS 1.3, sent too much, went away or was too slow. Say nothing.
pub async fn accept(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    pin: Pin,
    deadline: Duration,
) -> Result<Accepted, TlsError> {
    socket.set_nodelay(true).map_err(TlsError::Io)?;
    let socket = LimitedStream::new(socket, limits::STRANGER_BYTES);
    let limit = socket.limit();
    let stream = tokio::time::timeout(deadline, TlsAcceptor::from(config).accept(socket))
        .await
        .map_err(|_| TlsError::TimedOut)?
        .map_err(|e| handshake_failure(e, None))?;
    let exporter = exporter(|out| stream.get_ref().1.export_keying_material(out, EXPORTER_LABEL, None))?;
    Ok(Accepted { stream: Box::new(stream), channel: Channel { exporter, pin }, limit })
}

/// Device: TLS over a connected socket, up to and with the pin check, within `deadline`. Nothing
/// but TLS's own messages has been sent when this returns.
///
/// # Errors
/// See [`TlsError`]; the key is none of `check`'s in [`TlsError::WrongKey`].
pub async fn connect(
    socket: TcpStream,
    check: PinCheck,
    deadline: Duration,
) -> Result<(BoxedStream, Channel), TlsError> {
    let verifier = Arc::new(PinVerifier::new(check, PROVIDER.clone()));
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| TlsError::NotPairpin(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    // The names a device dials are hints and stay its own: no name is sent.
    config.enable_sni = false;
    let name = ServerName::try_from(NAME).map_err(|e| TlsError::NotPairpin(e.to_string()))?;

    socket.set_nodelay(true).map_err(TlsError::Io)?;
    let stream = tokio::time::timeout(deadline, TlsConnector::from(Arc::new(config)).connect(name, socket))
        .await
        .map_err(|_| TlsError::TimedOut)?
        .map_err(|e| handshake_failure(e, verifier.wrong_key()))?;
    let connection = stream.get_ref().1;
    // Asked once more of the finished connection: what is bound is what was verified.
    let pin = connection
        .peer_certificates()
        .and_then(|chain| chain.first())
        .and_then(|certificate| pin_of(certificate).ok())
        .ok_or_else(|| TlsError::NotPairpin("it showed no certificate".to_owned()))?;
    if !verifier.allows(&pin) {
        return Err(TlsError::WrongKey { seen: pin });
    }
    let exporter = exporter(|out| connection.export_keying_material(out, EXPORTER_LABEL, None))?;
    Ok((Box::new(stream), Channel { exporter, pin }))
}

fn exporter(export: impl FnOnce([u8; 32]) -> Result<[u8; 32], rustls::Error>) -> Result<Secret<32>, TlsError> {
    export([0; 32]).map(Secret::from_bytes).map_err(|e| TlsError::NotPairpin(e.to_string()))
}

/// One cause for a person out of what tokio-rustls wraps into an I/O error.
fn handshake_failure(error: io::Error, wrong_key: Option<Pin>) -> TlsError {
    if let Some(seen) = wrong_key {
        return TlsError::WrongKey { seen };
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => TlsError::NotPairpin(inner.to_string()),
        None if matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ) =>
        {
            TlsError::Closed
        }
        None => TlsError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(der: &[u8], part: &[u8]) -> bool {
        der.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_certificate_names_nobody_is_no_authority_and_ends() {
        let key = KeyPair::generate().unwrap();
        let der = issue(&key, 1_800_000_000_000).unwrap();
        assert_eq!(pin_of(&der).unwrap(), spki_pin(&key).unwrap());
        let (subject_alt_name, authority_key, constraints) = ([0x55, 29, 17], [0x55, 29, 35], [0x55, 29, 19]);
        assert!(holds(&der, &subject_alt_name) && holds(&der, &authority_key));
        // basicConstraints: critical, and an empty sequence, so cA is false (RFC 5280 section 4.2.1.9).
        assert!(holds(&der, &[&constraints[..], &[1, 1, 0xff, 4, 2, 0x30, 0]].concat()));
        assert!(holds(&der, b"270114080000Z") && holds(&der, b"280216080000Z"), "not 398 days from the day before");
    }

    #[test]
    fn there_are_three_suites_and_the_one_that_everybody_has_goes_first() {
        use rustls::CipherSuite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
        let suites: Vec<_> = provider().cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(suites, [TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256]);
    }

    #[test]
    fn an_absurd_clock_gives_sane_dates() {
        let key = KeyPair::generate().unwrap();
        assert!(holds(&issue(&key, i64::MIN).unwrap(), b"191231000000Z"));
        assert!(holds(&issue(&key, i64::MAX).unwrap(), b"20991231000000Z"));
    }

    #[test]
    fn the_pin_of_a_public_key_is_that_of_its_certificate() {
        let key = KeyPair::generate().unwrap();
        assert_eq!(Pin::of_key(&key.public_key().unwrap()), spki_pin(&key).unwrap());
    }

    #[test]
    fn two_certificates_of_one_key_have_one_pin_and_another_key_another() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let pins = [0, 1_800_000_000_000].map(|now| pin_of(&issue(&key, now).unwrap()).unwrap());
        assert_eq!(pins[0], pins[1]);
        assert_ne!(pins[0], spki_pin(&other).unwrap());
    }
}
