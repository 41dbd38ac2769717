//! The WebSocket after the upgrade.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::socket::{Incoming, Socket, SocketError};
use super::*;
use crate::wire::{CloseCode, Frame};

fn request(text: &str) -> Frame {
    Frame::Request { id: 1, method: "acknowledge".into(), params: Value::from(text) }
}

/// Both ends over real TLS.
async fn pair() -> (Socket, Socket) {
    let mut machine = Machine::start().await;
    let (device, _) = machine.connect().await;
    let accepted = machine.next().await.unwrap();
    accepted.limit.lift();
    (Socket::device(device).await, Socket::machine(accepted.stream).await)
}

/// A machine's socket, and the raw end of a device that may send anything.
async fn raw_pair() -> (WebSocketStream<DuplexStream>, Socket) {
    let (device, machine) = duplex(256 * 1024);
    let device = WebSocketStream::from_raw_socket(device, Role::Client, None).await;
    (device, Socket::machine(Box::new(machine)).await)
}

#[tokio::test]
async fn frames_arrive_in_both_directions_up_to_the_limit() {
    let (mut device, mut machine) = pair().await;
    let envelope = request("").encode().unwrap().len();
    for length in [0, 1000, limits::FRAME - envelope] {
        let frame = request(&"x".repeat(length));
        device.send(frame.clone()).await.unwrap();
        assert_eq!(machine.recv().await.unwrap(), Some(Incoming::Frame(frame.clone())));
        machine.send(frame.clone()).await.unwrap();
        assert_eq!(device.recv().await.unwrap(), Some(Incoming::Frame(frame)));
    }
    let error = device.send(request(&"x".repeat(limits::FRAME))).await.unwrap_err();
    assert!(matches!(error, SocketError::TooLong), "{error:?}");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_whole_or_in_fragments() {
    let (mut device, mut machine) = raw_pair().await;
    device.send(Message::text("x".repeat(limits::FRAME + 1))).await.unwrap();
    assert!(matches!(machine.recv().await, Err(SocketError::TooLong)));

    let (mut device, machine) = duplex(256 * 1024);
    let mut machine = Socket::machine(Box::new(machine)).await;
    // Two fragments of 40,000 bytes, masked with zeroes (RFC 6455 section 5.2).
    for first in [0x01, 0x80] {
        let length = 40_000_u16.to_be_bytes();
        device.write_all(&[first, 0xfe, length[0], length[1], 0, 0, 0, 0]).await.unwrap();
        device.write_all(&[b'x'; 40_000]).await.unwrap();
    }
    assert!(matches!(machine.recv().await, Err(SocketError::TooLong)));
}

#[tokio::test]
async fn what_is_no_frame_of_this_protocol_is_refused() {
    for message in [Message::text("hello"), Message::text("{}"), Message::binary(vec![1, 2, 3])] {
        let (mut device, mut machine) = raw_pair().await;
        device.send(message).await.unwrap();
        assert!(matches!(machine.recv().await, Err(SocketError::Unreadable)));
    }
    for bytes in [&[0x81, 0x00][..], &[0xff, 0x80, 0, 0, 0, 0], &[0x83, 0x80, 0, 0, 0, 0], b"GET / HTTP/1.1\r\n"] {
        let (mut device, machine) = duplex(1024);
        let mut machine = Socket::machine(Box::new(machine)).await;
        device.write_all(bytes).await.unwrap();
        assert!(matches!(machine.recv().await, Err(SocketError::Unreadable)), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (mut device, mut machine) = pair().await;
    device.ping().await.unwrap();
    assert_eq!(machine.recv().await.unwrap(), Some(Incoming::Ping));
    let answering = tokio::spawn(async move { machine.recv().await.unwrap() });
    assert_eq!(device.recv().await.unwrap(), Some(Incoming::Pong));
    drop(device);
    let _ = answering.await;
}

#[tokio::test]
async fn a_close_brings_its_code_and_then_the_end() {
    let (mut device, mut machine) = pair().await;
    // Something unread on the closing side must not overtake the close.
    device.send(request("in between")).await.unwrap();
    let long = "\u{20ac}".repeat(100);
    let closing = tokio::spawn(async move { machine.close(CloseCode::Revoked, &long).await });
    assert_eq!(device.recv().await.unwrap(), Some(Incoming::Closed { code: Some(4001) }));
    assert_eq!(device.recv().await.unwrap(), None);
    assert!(matches!(device.send(request("late")).await, Err(SocketError::Closed)));
    tokio::time::timeout(SOON, closing).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_for_who_does_not_read() {
    let (_device, machine) = duplex(16);
    let mut machine = Socket::machine(Box::new(machine)).await;
    let start = tokio::time::Instant::now();
    machine.close(CloseCode::Stopping, "the machine stops for a while").await;
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_lost_connection_is_no_orderly_end() {
    let (device, mut machine) = pair().await;
    drop(device);
    assert!(matches!(machine.recv().await, Err(SocketError::Lost(_))));
}

#[tokio::test(start_paused = true)]
async fn a_silent_other_side_is_pinged_and_then_called_dead() {
    let (_device, machine) = duplex(1024);
    let mut machine = Socket::machine(Box::new(machine)).await;
    let start = tokio::time::Instant::now();
    assert!(matches!(machine.recv().await, Err(SocketError::Silent)));
    assert_eq!(start.elapsed().as_secs(), (limits::HEARTBEAT + limits::HEARTBEAT_DEADLINE).as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_living_other_side_is_never_called_dead() {
    let (mut device, mut machine) = raw_pair().await;
    tokio::spawn(async move { while device.next().await.is_some() {} });
    let start = tokio::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(machine.recv().await.unwrap(), Some(Incoming::Pong));
    }
    assert_eq!(start.elapsed().as_secs(), 10 * limits::HEARTBEAT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recv_loses_nothing_and_gives_no_more_time() {
    let (_device, machine) = duplex(1024);
    let mut machine = Socket::machine(Box::new(machine)).await;
    let start = tokio::time::Instant::now();
    let error = loop {
        if let Ok(ended) = tokio::time::timeout(Duration::from_secs(2), machine.recv()).await {
            break ended.unwrap_err();
        }
    };
    assert!(matches!(error, SocketError::Silent));
    assert_eq!(start.elapsed().as_secs(), (limits::HEARTBEAT + limits::HEARTBEAT_DEADLINE).as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_given_up() {
    let (_device, machine) = duplex(1024);
    let mut machine = Socket::machine(Box::new(machine)).await;
    let error = machine.send(request(&"x".repeat(4000))).await.unwrap_err();
    assert!(matches!(error, SocketError::Silent), "{error:?}");
}
