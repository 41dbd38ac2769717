//! What a device takes for a machine's answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::super::upgrade::{self, Answer, Response, UpgradeError};
use super::*;
use crate::identity::Signature;
use crate::wire::{Flow, Mac};

fn full_envelope() -> Envelope {
    let mut envelope = some_envelope();
    envelope.mac = Some(Mac::from_bytes([1; 32]));
    envelope.signature = Some(Signature::from_bytes([2; 64]));
    envelope.recognition = Some(Mac::from_bytes([3; 32]));
    envelope
}

#[tokio::test]
async fn every_flow_s_request_arrives_as_it_was_sent() {
    let mut machine = Machine::start().await;
    for flow in [Flow::Preview, Flow::Scan, Flow::Code, Flow::Resume] {
        let (mut device, _) = machine.connect().await;
        let mut accepted = machine.next().await.unwrap();
        let asking = tokio::spawn(async move {
            let response = upgrade::request(&mut device, flow, &full_envelope()).await.unwrap();
            (device, response)
        });
        let request = upgrade::read_request(&mut accepted.stream).await.unwrap();
        assert_eq!((request.flow, &request.envelope), (flow, &full_envelope()));
        upgrade::accept(&mut accepted.stream, &request).await.unwrap();
        let (_, response) = asking.await.unwrap();
        assert!(matches!(response, Response::Switched), "{response:?}");
    }
}

#[tokio::test]
async fn the_longest_message_fits_and_leaves_room_for_tls() {
    let mut machine = Machine::start().await;
    let (mut device, _) = machine.connect().await;
    let mut accepted = machine.next().await.unwrap();
    let mut envelope = full_envelope();
    envelope.message = "A".repeat(limits::MESSAGE);
    tokio::spawn(async move { upgrade::request(&mut device, Flow::Scan, &envelope).await });
    let request = upgrade::read_request(&mut accepted.stream).await.unwrap();
    assert_eq!(request.envelope.message.len(), limits::MESSAGE);
}

#[tokio::test]
async fn answers_without_an_upgrade_arrive_and_end_the_connection() {
    let mut machine = Machine::start().await;
    for answer in [Some(Answer::Preview), Some(Answer::Refusal), None] {
        let (mut device, _) = machine.connect().await;
        let mut accepted = machine.next().await.unwrap();
        let asking = tokio::spawn(async move {
            let response = upgrade::request(&mut device, Flow::Preview, &some_envelope()).await.unwrap();
            assert_eq!(device.read(&mut [0]).await.unwrap(), 0, "the machine went on");
            response
        });
        upgrade::read_request(&mut accepted.stream).await.unwrap();
        match answer {
            Some(answer) => upgrade::answer(&mut accepted.stream, answer, &full_envelope()).await.unwrap(),
            None => upgrade::refuse_stranger(&mut accepted.stream).await.unwrap(),
        }
        let response = asking.await.unwrap();
        let expected = match (&response, answer) {
            (Response::Answered(got), Some(Answer::Preview)) => *got == full_envelope(),
            (Response::Refused(got), Some(Answer::Refusal)) => *got == full_envelope(),
            (Response::Stranger { versions }, None) => versions.as_deref() == Some("1"),
            _ => false,
        };
        assert!(expected, "{answer:?}: {response:?}");
    }
}

/// Asks a server that answers with these bytes, where KEY stands for the right accept key.
async fn answered_with(answer: &str) -> Result<Response, UpgradeError> {
    let (mut device, mut server) = duplex(64 * 1024);
    let answer = answer.to_owned();
    tokio::spawn(async move {
        let request = upgrade::read_request(&mut server).await.unwrap();
        let _ = server.write_all(answer.replace("KEY", &request.accept_key).as_bytes()).await;
    });
    upgrade::request(&mut device, Flow::Resume, &some_envelope()).await
}

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: pairpin.v1\r\n\r\n";

#[tokio::test]
async fn an_answer_that_is_not_a_machine_s_is_refused() {
    assert!(matches!(answered_with(SWITCHED).await, Ok(Response::Switched)), "the control fails");
    let with = |from: &str, to: &str| SWITCHED.replacen(from, to, 1);
    let body = |headers: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}");
    let long = "x".repeat(17 * 1024);
    let cases = [
        ("another accept key", with("KEY", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
        ("no accept key", with("Sec-WebSocket-Accept: KEY\r\n", "")),
        ("another subprotocol", with("pairpin.v1", "pairpin.v2")),
        ("no subprotocol", with("Sec-WebSocket-Protocol: pairpin.v1\r\n", "")),
        ("an extension", with("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
        ("a header twice", with("\r\n\r\n", "\r\nUpgrade: websocket\r\n\r\n")),
        ("another upgrade", with("Upgrade: websocket", "Upgrade: h2c")),
        ("a bare line feed", with("\r\n", "\n")),
        ("another status", with("101", "301")),
        ("a chunked body", body("Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n")),
        ("no length", body("X: y", "{}")),
        ("a signed length", body("Content-Length: +2", "{}")),
        ("a length beyond the limit", body(&format!("Content-Length: {}", long.len()), &long)),
        ("a length beyond numbers", body("Content-Length: 99999999999999999999999", "{}")),
        ("a body that is no envelope", body("Content-Length: 2", "{}")),
        ("a body that is no JSON", body("Content-Length: 2", "xx")),
        ("an endless head", format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n")),
        ("no HTTP", "SSH-2.0-OpenSSH\r\n\r\n".to_owned()),
    ];
    for (what, answer) in cases {
        let response = answered_with(&answer).await;
        assert!(matches!(response, Err(UpgradeError::NotPairpin(_))), "{what}: {response:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_told_apart() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"] {
        let response = answered_with(answer).await;
        assert!(matches!(response, Err(UpgradeError::Cut(_))), "{answer:?}: {response:?}");
    }
}

#[tokio::test]
async fn a_stranger_s_answer_may_name_no_version() {
    for (headers, versions) in [("Content-Length: 0", None), ("Pairpin-Versions: 2,3", Some("2,3"))] {
        let response = answered_with(&format!("HTTP/1.1 404 Not Found\r\n{headers}\r\n\r\n")).await;
        assert!(
            matches!(&response, Ok(Response::Stranger { versions: v }) if v.as_deref() == versions),
            "{response:?}"
        );
    }
}
