//! The pin and CertificateVerify: no application byte leaves before both hold.

use std::io;
use std::pin::Pin as StdPin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::super::dial::{DialError, dial};
use super::super::upgrade;
use super::*;
use crate::wire::Flow;

/// Keeps every byte that came in from the network.
struct Recorder {
    inner: TcpStream,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Recorder {
    fn poll_read(mut self: StdPin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(StdPin::new(&mut self.inner).poll_read(cx, buf))?;
        self.seen.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(mut self: StdPin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        StdPin::new(&mut self.inner).poll_write(cx, buf)
    }
    fn poll_flush(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: StdPin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What a machine got from one device: raw TLS records, and application bytes after decryption.
struct Recorded {
    raw: Vec<u8>,
    application: Vec<u8>,
}

impl Recorded {
    /// Encrypted records (outer type 23, RFC 8446 section 5.2) and their lengths.
    fn encrypted_records(&self) -> Vec<usize> {
        let (mut at, mut found) = (0, Vec::new());
        while at + 5 <= self.raw.len() {
            let length = usize::from(u16::from_be_bytes([self.raw[at + 3], self.raw[at + 4]]));
            if self.raw[at] == 23 {
                found.push(length);
            }
            at += 5 + length;
        }
        found
    }
}

/// One device's visit to a machine that reads a request and hangs up.
async fn recording_machine(config: Arc<ServerConfig>) -> (SocketAddr, JoinHandle<Recorded>) {
    let (listener, at) = listener().await;
    let visit = tokio::spawn(async move {
        let (inner, _) = listener.accept().await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder { inner, seen: seen.clone() };
        let mut application = Vec::new();
        if let Ok(mut stream) = TlsAcceptor::from(config).accept(recorder).await {
            let mut chunk = [0; 1024];
            while !application.ends_with(b"\r\n\r\n") {
                let Ok(read @ 1..) = stream.read(&mut chunk).await else { break };
                application.extend_from_slice(&chunk[..read]);
            }
        }
        let raw = seen.lock().unwrap().clone();
        Recorded { raw, application }
    });
    (at, visit)
}

/// What a device does: dial, and ask for the upgrade on what it got.
async fn dial_and_ask(at: SocketAddr, check: PinCheck) -> Result<(), DialError> {
    let mut dialled = dial(&[at.into()], check, FAST).await?;
    // The recording machine hangs up without an answer: what counts is what was sent.
    upgrade::request(&mut dialled.stream, Flow::Resume, &some_envelope()).await.unwrap_err();
    Ok(())
}

#[tokio::test]
async fn under_the_right_pin_the_request_is_sent() {
    let (key, pin) = new_key();
    for check in [PinCheck::Exact(vec![pin]), PinCheck::Prefix(pin.prefix()), PinCheck::Provisional] {
        let (at, visit) = recording_machine(config_of(&key)).await;
        dial_and_ask(at, check).await.unwrap();
        let recorded = visit.await.unwrap();
        let sent = String::from_utf8(recorded.application).unwrap();
        assert!(sent.starts_with("GET /rpc HTTP/1.1\r\nHost: pairpin\r\n"), "{sent}");
    }
}

#[tokio::test]
async fn under_a_wrong_pin_no_application_byte_leaves() {
    let ((key, seen), (_, expected)) = (new_key(), new_key());
    for check in [PinCheck::Exact(vec![expected]), PinCheck::Prefix(expected.prefix()), PinCheck::Exact(Vec::new())] {
        let (at, visit) = recording_machine(config_of(&key)).await;
        let error = dial_and_ask(at, check).await.unwrap_err();
        assert!(matches!(error, DialError::WrongKey { seen: pin, .. } if pin == seen), "{error:?}");
        let recorded = visit.await.unwrap();
        assert!(recorded.application.is_empty());
        // An alert is 2 bytes, its inner type and a tag of 16: nothing else went out encrypted.
        assert!(recorded.encrypted_records().iter().all(|length| *length <= 19), "{:?}", recorded.encrypted_records());
    }
}

#[tokio::test]
async fn control_a_verifier_that_takes_any_key_sends_the_request() {
    let (key, _) = new_key();
    let (at, visit) = recording_machine(config_of(&key)).await;
    let mut stream = careless_connect(at, careless_config(true)).await.unwrap();
    stream.write_all(b"GET /rpc HTTP/1.1\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let recorded = visit.await.unwrap();
    assert_eq!(recorded.application, b"GET /rpc HTTP/1.1\r\n");
    assert!(recorded.encrypted_records().iter().any(|length| *length > 19));
}

/// Shows one machine's certificate and signs with another key.
#[derive(Debug)]
struct Copied(Arc<CertifiedKey>);

impl ResolvesServerCert for Copied {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// The certificate of a running machine, as anybody who connects can take it.
async fn certificate_shown_at(at: SocketAddr) -> CertificateDer<'static> {
    let stream = careless_connect(at, careless_config(true)).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn copied_certificate_config(certificate: CertificateDer<'static>) -> Arc<ServerConfig> {
    let (thief, _) = new_key();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(thief.pkcs8().expose().to_vec()));
    let signing = rustls::crypto::ring::sign::any_ecdsa_type(&private).unwrap();
    let copied = Copied(Arc::new(CertifiedKey::new(vec![certificate], signing)));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(copied));
    Arc::new(config)
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_fails() {
    let machine = Machine::start().await;
    let config = copied_certificate_config(certificate_shown_at(machine.at).await).await;
    for check in [machine.check(), PinCheck::Prefix(machine.pin.prefix()), PinCheck::Provisional] {
        let (at, visit) = recording_machine(config.clone()).await;
        let error = dial_and_ask(at, check).await.unwrap_err();
        assert!(matches!(error, DialError::NotPairpin { .. }), "{error:?}");
        assert!(visit.await.unwrap().application.is_empty());
    }
}

#[tokio::test]
async fn a_copied_certificate_of_a_wrong_machine_accuses_nobody() {
    // "Another key" may only be said of a key that the other side proved: else anybody could make a
    // device report some third machine's fingerprint.
    let (machine, (_, expected)) = (Machine::start().await, new_key());
    let config = copied_certificate_config(certificate_shown_at(machine.at).await).await;
    let (at, _visit) = recording_machine(config).await;
    let error = dial_and_ask(at, PinCheck::Exact(vec![expected])).await.unwrap_err();
    assert!(matches!(error, DialError::NotPairpin { .. }), "{error:?}");
}

#[tokio::test]
async fn control_a_verifier_that_skips_certificate_verify_takes_a_copied_certificate() {
    let machine = Machine::start().await;
    let config = copied_certificate_config(certificate_shown_at(machine.at).await).await;
    let (at, visit) = recording_machine(config).await;
    let mut stream = careless_connect(at, careless_config(false)).await.unwrap();
    stream.write_all(b"leaked").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(visit.await.unwrap().application, b"leaked");
}
