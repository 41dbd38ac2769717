//! The channel, the versions, and what is left out of TLS.

use rustls::client::Resumption;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::dial::{DialError, dial};
use super::*;

#[tokio::test]
async fn both_ends_export_the_same_secret_and_every_connection_another() {
    let mut machine = Machine::start().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (_device, channel) = machine.connect().await;
        let accepted = machine.next().await.unwrap();
        assert_eq!(channel.exporter, accepted.channel.exporter);
        assert_eq!((channel.pin, accepted.channel.pin), (machine.pin, machine.pin));
        assert!(!seen.contains(channel.exporter.expose()));
        seen.push(*channel.exporter.expose());
    }
}

#[tokio::test]
async fn a_new_certificate_of_the_same_key_is_invisible() {
    let (key, pin) = new_key();
    // Also one issued by an absurd clock: 1970, and the year 292 million.
    for now in [1_800_000_000_000, 0, i64::MIN, i64::MAX] {
        let machine = Machine::with(tls::machine_config(&key, now).unwrap(), pin).await;
        let (_, channel) = machine.connect().await;
        assert_eq!(channel.pin, pin);
    }
}

/// A ClientHello that offers TLS 1.2 and nothing newer: no supported_versions extension.
fn tls12_hello() -> Vec<u8> {
    let extensions: &[&[u8]] = &[
        &[0, 10, 0, 4, 0, 2, 0, 23], // supported_groups: secp256r1
        &[0, 11, 0, 2, 1, 0],        // ec_point_formats: uncompressed
        &[0, 13, 0, 4, 0, 2, 4, 3],  // signature_algorithms: ecdsa_secp256r1_sha256
        &[0, 23, 0, 0],              // extended_master_secret
        &[0xff, 1, 0, 1, 0],         // renegotiation_info
    ];
    let extensions = extensions.concat();
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.push(0);
    body.extend_from_slice(&[0, 2, 0xc0, 0x2b]); // ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(&body);
    record
}

#[tokio::test]
async fn a_tls_1_2_device_is_refused() {
    let mut machine = Machine::start().await;
    let mut socket = TcpStream::connect(machine.at).await.unwrap();
    socket.write_all(&tls12_hello()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    // A fatal protocol_version alert (RFC 8446 section 6.2), and nothing else.
    assert_eq!((answer[0], &answer[3..]), (21, &[0, 2, 2, 70][..]), "{answer:?}");
    assert!(matches!(machine.next().await, Err(TlsError::NotPairpin(_))));
}

#[tokio::test]
async fn a_tls_1_2_machine_is_refused() {
    let (listener, at) = listener().await;
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut hello = [0; 64];
        socket.read_exact(&mut hello).await.unwrap();
        // A ServerHello of TLS 1.2: no supported_versions extension.
        let mut body = vec![3, 3];
        body.extend_from_slice(&[9; 32]);
        body.extend_from_slice(&[0, 0xc0, 0x2b, 0, 0, 0]);
        let mut record = vec![22, 3, 3, 0, body.len() as u8 + 4, 2, 0, 0, body.len() as u8];
        record.extend_from_slice(&body);
        socket.write_all(&record).await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    let error = dial(&[at.into()], PinCheck::Provisional, FAST).await.err().unwrap();
    assert!(matches!(error, DialError::NotPairpin { .. }), "{error:?}");
}

/// Tickets that a device which would take them gets from a machine with `config`.
async fn tickets_from(config: Arc<ServerConfig>) -> u32 {
    let (_, pin) = new_key();
    let mut machine = Machine::with(config, pin).await;
    let mut device = careless_config(true);
    device.resumption = Resumption::in_memory_sessions(8);
    let mut stream = careless_connect(machine.at, device).await.unwrap();
    let mut accepted = machine.next().await.unwrap();
    accepted.stream.write_all(b"x").await.unwrap();
    accepted.stream.flush().await.unwrap();
    // Tickets come right after Finished: whoever has read a byte has read them.
    stream.read_u8().await.unwrap();
    stream.get_ref().1.tls13_tickets_received()
}

#[tokio::test]
async fn no_ticket_is_sent() {
    let (key, _) = new_key();
    let config = config_of(&key);
    assert_eq!(tickets_from(config.clone()).await, 0);
    let mut generous = ServerConfig::clone(&config);
    generous.send_tls13_tickets = 2;
    generous.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    assert_eq!(tickets_from(Arc::new(generous)).await, 2, "the control sees none either");
}

#[tokio::test]
async fn no_name_is_sent() {
    let (listener, at) = listener().await;
    let device = tokio::spawn(async move { dial(&[at.into()], PinCheck::Provisional, FAST).await.err() });
    let (socket, _) = listener.accept().await.unwrap();
    let acceptor = tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), socket);
    let handshake = acceptor.await.unwrap();
    assert_eq!(handshake.client_hello().server_name(), None);
    assert!(handshake.client_hello().alpn().is_none());
    drop(handshake);
    device.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stranger_is_read_no_further_than_the_limit_until_it_is_lifted() {
    let mut machine = Machine::start().await;
    let (mut device, _) = machine.connect().await;
    let mut accepted = machine.next().await.unwrap();
    let flood = tokio::spawn(async move {
        let _ = device.write_all(&vec![b'x'; 64 * 1024]).await;
        device
    });
    let mut read = Vec::new();
    let error = tokio::time::timeout(SOON, accepted.stream.read_to_end(&mut read)).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("too much"), "{error}");
    assert!(read.len() < limits::STRANGER_BYTES);
    assert_eq!(accepted.limit.left(), Some(0));
    drop(flood.await);

    let (mut device, _) = machine.connect().await;
    let mut accepted = machine.next().await.unwrap();
    accepted.limit.lift();
    let flood = tokio::spawn(async move {
        device.write_all(&vec![b'x'; 64 * 1024]).await.unwrap();
        device.flush().await.unwrap();
        device
    });
    accepted.stream.read_exact(&mut vec![0; 64 * 1024]).await.unwrap();
    drop(flood.await);
}

#[tokio::test]
async fn a_silent_stranger_is_dropped_at_the_deadline() {
    let (listener, at) = listener().await;
    let (key, pin) = new_key();
    let _device = TcpStream::connect(at).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let accepted = tls::accept(socket, config_of(&key), pin, Duration::from_millis(50)).await;
    assert!(matches!(accepted, Err(TlsError::TimedOut)));
}
