//! Tests over real TCP and TLS on 127.0.0.1, and the peers they need.

mod answers;
mod channel;
mod frames;
mod pin;
mod race;
mod requests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::BoxedStream;
use super::dial::Timeouts;
use super::tls::{self, Accepted, PinCheck, TlsError};
use crate::handshake::Channel;
use crate::identity::{KeyPair, Pin};
use crate::wire::{Address, Envelope, limits};

/// A deadline for what should be immediate. Nothing waits for it unless a test fails.
const SOON: Duration = Duration::from_secs(10);

const FAST: Timeouts =
    Timeouts { stagger: Duration::from_millis(150), step: Duration::from_secs(2), overall: Duration::from_secs(3) };

fn new_key() -> (KeyPair, Pin) {
    let key = KeyPair::generate().unwrap();
    let pin = tls::spki_pin(&key).unwrap();
    (key, pin)
}

fn config_of(key: &KeyPair) -> Arc<ServerConfig> {
    tls::machine_config(key, 1_800_000_000_000).unwrap()
}

fn some_envelope() -> Envelope {
    Envelope::of_any(&"the message that must not leak").unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// A machine that finishes TLS with whoever comes and hands the result over.
struct Machine {
    at: SocketAddr,
    pin: Pin,
    accepted: mpsc::UnboundedReceiver<Result<Accepted, TlsError>>,
}

impl Machine {
    async fn start() -> Self {
        let (key, pin) = new_key();
        Self::with(config_of(&key), pin).await
    }

    async fn with(config: Arc<ServerConfig>, pin: Pin) -> Self {
        let (listener, at) = listener().await;
        let (sender, accepted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (config, sender) = (config.clone(), sender.clone());
                tokio::spawn(async move {
                    let _ = sender.send(tls::accept(socket, config, pin, limits::STRANGER_TIME).await);
                });
            }
        });
        Self { at, pin, accepted }
    }

    fn address(&self) -> Address {
        self.at.into()
    }

    fn check(&self) -> PinCheck {
        PinCheck::Exact(vec![self.pin])
    }

    async fn next(&mut self) -> Result<Accepted, TlsError> {
        tokio::time::timeout(SOON, self.accepted.recv()).await.unwrap().unwrap()
    }

    async fn connect(&self) -> (BoxedStream, Channel) {
        let socket = TcpStream::connect(self.at).await.unwrap();
        tls::connect(socket, self.check(), SOON).await.unwrap()
    }
}

/// The broken twin of the pin verifier, for controls: any key, and CertificateVerify only on demand.
#[derive(Debug)]
struct Careless {
    checks_signature: bool,
}

impl ServerCertVerifier for Careless {
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
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.checks_signature {
            let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
            return verify_tls13_signature(message, cert, dss, &algorithms);
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn careless_config(checks_signature: bool) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Careless { checks_signature }))
        .with_no_client_auth()
}

async fn careless_connect(
    at: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let socket = TcpStream::connect(at).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("pairpin").unwrap(), socket).await
}
