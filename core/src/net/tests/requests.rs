//! What a machine takes for a device's request, and the one answer to everything else.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::upgrade::{self, Stranger, UpgradeRequest};
use super::*;
use crate::wire::Flow;

/// What every stranger gets, whatever it sent.
const REFUSAL: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\nPairpin-Versions: 1\r\n\r\n";

/// A request as a device sends it, and the example of RFC 6455 section 1.3.
fn good() -> String {
    let mac = "A".repeat(43);
    let signature = "A".repeat(86);
    format!(
        "GET /rpc HTTP/1.1\r\nHost: pairpin\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: pairpin.v1\r\nPairpin-Flow: scan\r\nPairpin-Message: e30\r\n\
         Pairpin-Mac: {mac}\r\nPairpin-Signature: {signature}\r\n\r\n"
    )
}

/// The machine's side of one connection, as its engine does it.
async fn serve(mut stream: BoxedStream) -> Result<UpgradeRequest, Stranger> {
    let request = upgrade::read_request(&mut stream).await;
    match &request {
        Ok(request) => upgrade::accept(&mut stream, request).await.unwrap(),
        // A stranger that does not wait for its answer cuts it off, and that is its own affair.
        Err(_) => drop(upgrade::refuse_stranger(&mut stream).await),
    }
    request
}

/// Sends bytes over a fresh TLS connection in `parts`; gives the answer and the machine's verdict.
async fn ask(machine: &mut Machine, parts: &[&[u8]]) -> (Vec<u8>, Result<UpgradeRequest, Stranger>) {
    let (mut device, _) = machine.connect().await;
    let accepted = machine.next().await.unwrap();
    let serving = tokio::spawn(serve(accepted.stream));
    for part in parts {
        device.write_all(part).await.unwrap();
        device.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    // A connection that is cut rather than closed still gave its answer.
    let _ = tokio::time::timeout(SOON, device.read_to_end(&mut answer)).await.unwrap();
    drop(device);
    (answer, serving.await.unwrap())
}

#[tokio::test]
async fn a_device_s_request_is_taken_whole_or_in_pieces() {
    let mut machine = Machine::start().await;
    let good = good();
    let (first, last) = good.as_bytes().split_at(good.len() - 2);
    let pieces: Vec<&[u8]> = good.as_bytes().chunks(7).collect();
    for parts in [vec![good.as_bytes()], vec![first, last], pieces] {
        let (answer, request) = ask(&mut machine, &parts).await;
        let request = request.unwrap();
        assert_eq!((request.flow, request.envelope.message.as_str()), (Flow::Scan, "e30"));
        assert!(request.envelope.mac.is_some() && request.envelope.signature.is_some());
        assert!(request.envelope.recognition.is_none());
        assert_eq!(request.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

/// Everything that is off in one way, each beginning from a good request.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let good = good();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "the table is stale: {from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let add = |header: &str| with("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"));
    let long = "A".repeat(limits::MESSAGE + 1);
    let mut cases = vec![
        ("another method", with("GET ", "POST ")),
        ("a lower-case method", with("GET ", "get ")),
        ("another path", with("/rpc", "/")),
        ("a path with a query", with("/rpc", "/rpc?x=1")),
        ("an absolute URL", with("/rpc", "https://pairpin/rpc")),
        ("HTTP/1.0", with("HTTP/1.1", "HTTP/1.0")),
        ("no Host", with("Host: pairpin\r\n", "")),
        ("the Host that was dialled", with("Host: pairpin", "Host: 127.0.0.1:7747")),
        ("a rebound Host", with("Host: pairpin", "Host: pairpin.evil.example")),
        ("a Host with a port", with("Host: pairpin", "Host: pairpin:7747")),
        ("two Hosts", add("Host: pairpin")),
        ("an Origin", add("Origin: https://pairpin")),
        ("a null Origin", add("Origin: null")),
        ("no Upgrade", with("Upgrade: websocket\r\n", "")),
        ("another Upgrade", with("Upgrade: websocket", "Upgrade: h2c")),
        ("another Connection", with("Connection: Upgrade", "Connection: keep-alive")),
        ("another WebSocket version", with("Version: 13", "Version: 8")),
        ("a WebSocket key that is too short", with("dGhlIHNhbXBsZSBub25jZQ==", "dGhl")),
        ("another subprotocol", with("pairpin.v1", "pairpin.v2")),
        ("two subprotocols", with("pairpin.v1", "pairpin.v1, chat")),
        ("no flow", with("Pairpin-Flow: scan\r\n", "")),
        ("another flow", with("Pairpin-Flow: scan", "Pairpin-Flow: admin")),
        ("no message", with("Pairpin-Message: e30\r\n", "")),
        ("an empty message", with("Pairpin-Message: e30", "Pairpin-Message: ")),
        ("a message that is not base64url", with("e30", "{}")),
        ("a message that is too long", with("e30", &long)),
        ("two messages", add("pairpin-message: e30")),
        ("a MAC that is too short", with("Pairpin-Mac: A", "Pairpin-Mac: ")),
        ("a MAC with padding", with("Pairpin-Mac: A", "Pairpin-Mac: A=")),
        ("a signature that is too long", with("Pairpin-Signature: ", "Pairpin-Signature: AA")),
        ("a Content-Length", add("Content-Length: 0")),
        ("a chunked body", add("Transfer-Encoding: chunked")),
        ("an Expect", add("Expect: 100-continue")),
        ("bytes after the head", with("\r\n\r\n", "\r\n\r\nx")),
        ("a bare line feed", with("Host: pairpin\r\n", "Host: pairpin\n")),
        ("a folded header", with("Host: pairpin\r\n", "Host: pairpin\r\n folded\r\n")),
        ("a space before the colon", with("Host:", "Host :")),
        ("an empty first line", [b"\r\n", good.as_bytes()].concat()),
        ("a value that is not ASCII", add("X-Name: caf\u{e9}")),
        ("a NUL", add("X-Name: \0")),
        ("too many headers", add(&(0..40).map(|n| format!("X-{n}: 1")).collect::<Vec<_>>().join("\r\n"))),
        ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n".to_vec()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("nothing but an end", b"\r\n\r\n".to_vec()),
    ];
    cases.push(("what a browser's page sends", browser("pairpin", "https://homebox.example")));
    cases.push(("what a page on a rebound name sends", browser("evil.example:7747", "https://evil.example:7747")));
    cases
}

/// A WebSocket handshake as Chromium writes it for `new WebSocket(url, "pairpin.v1")`.
fn browser(host: &str, origin: &str) -> Vec<u8> {
    format!(
        "GET /rpc HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
         User-Agent: Mozilla/5.0\r\nUpgrade: websocket\r\nOrigin: {origin}\r\nSec-WebSocket-Version: 13\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
         Sec-WebSocket-Protocol: pairpin.v1\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn whatever_is_off_gets_the_same_bytes() {
    let mut machine = Machine::start().await;
    let cases = malformed();
    assert!(cases.len() >= 25);
    for (what, bytes) in cases {
        let (answer, request) = ask(&mut machine, &[&bytes]).await;
        assert!(request.is_err(), "{what} was taken");
        assert_eq!(answer, REFUSAL, "{what}: {}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn a_page_is_refused_for_its_origin_and_a_rebound_name_for_its_host() {
    // The Pairpin headers are what a page could not set anyway: give them, so that one thing decides.
    let page = |host: &str, origin: &str| {
        let text = String::from_utf8(browser(host, origin)).unwrap();
        text.replace("\r\n\r\n", "\r\nPairpin-Flow: scan\r\nPairpin-Message: e30\r\n\r\n")
    };
    let mut machine = Machine::start().await;
    for text in [page("pairpin", "https://pairpin"), page("evil.example", "https://evil.example")] {
        let (answer, _) = ask(&mut machine, &[text.as_bytes()]).await;
        assert_eq!(answer, REFUSAL);
    }
    let rebound = page("evil.example", "x").replace("Origin: x\r\n", "");
    assert_eq!(ask(&mut machine, &[rebound.as_bytes()]).await.0, REFUSAL);
    let control = page("pairpin", "x").replace("Origin: x\r\n", "");
    assert!(ask(&mut machine, &[control.as_bytes()]).await.1.is_ok(), "something else decided");
}

#[tokio::test]
async fn a_flood_of_headers_is_read_no_further_than_the_limit() {
    let mut machine = Machine::start().await;
    let (mut device, _) = machine.connect().await;
    let accepted = machine.next().await.unwrap();
    let limit = accepted.limit.clone();
    let serving = tokio::spawn(serve(accepted.stream));
    let flood = tokio::spawn(async move {
        // Ends, because the machine hangs up.
        for _ in 0..10_000 {
            if device.write_all(b"X-Flood: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n").await.is_err() {
                break;
            }
        }
    });
    let request = tokio::time::timeout(SOON, serving).await.unwrap().unwrap();
    assert!(request.is_err());
    assert_eq!(limit.left(), Some(0));
    tokio::time::timeout(SOON, flood).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_is_bounded_even_where_the_stream_is_not() {
    let (mut device, mut machine) = tokio::io::duplex(1024);
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while device.write_all(&[b'x'; 1024]).await.is_ok() {
            sent += 1024;
        }
        sent
    });
    assert_eq!(upgrade::read_request(&mut machine).await.unwrap_err(), Stranger("the head is too long"));
    drop(machine);
    assert!(flood.await.unwrap() <= 16 * 1024 + 1024);
}
