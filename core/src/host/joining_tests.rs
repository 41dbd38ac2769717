//! What a joiner is to the machine's bounds before somebody is asked about it. The flow itself is tested over real
//! connections (tests/joins).

use std::sync::Arc;
use std::time::Duration;

use super::{Host, HostConfig};
use crate::clock::SystemClock;
use crate::handshake::{DeviceDetails, JoinDraft};
use crate::identity::KeyPair;
use crate::net::dial::{Timeouts, dial};
use crate::net::socket::{Incoming, Socket};
use crate::net::tls::PinCheck;
use crate::net::upgrade::{Response, request};
use crate::secrets::{KeyKind, random_bytes};
use crate::wire::{Flow, Frame, JoinFresh, limits};

async fn next(socket: &mut Socket) -> Frame {
    loop {
        match socket.recv().await.unwrap().expect("a frame") {
            Incoming::Frame(frame) => return frame,
            _ => continue,
        }
    }
}

/// Asks with a key that was just made, as anybody can, up to the reveal.
async fn asks(host: &Host) -> Socket {
    let key = KeyPair::generate().unwrap();
    let details = DeviceDetails {
        key: key.public_key().unwrap(),
        key_kind: KeyKind::File,
        name: "laptop".into(),
        platform: "test".into(),
    };
    let address = [host.status().listening[0].into()];
    let mut dialled = dial(&address, PinCheck::Provisional, Timeouts::default()).await.unwrap();
    let fresh = JoinFresh::from_bytes(random_bytes().unwrap());
    let (commit, draft) = JoinDraft::new(&dialled.channel, &details, fresh).unwrap();
    let answer = request(&mut dialled.stream, Flow::Join, &commit).await.unwrap();
    assert!(matches!(answer, Response::Switched), "{answer:?}");
    let mut socket = Socket::device(dialled.stream).await;
    let Frame::Handshake(nonce) = next(&mut socket).await else { panic!("no nonce") };
    let signing = draft.receive(&nonce).unwrap();
    let signature = key.sign(&signing.to_sign()).unwrap();
    let (reveal, _) = signing.signed(signature);
    socket.send(Frame::Handshake(reveal)).await.unwrap();
    socket
}

#[tokio::test]
async fn who_is_not_shown_stays_a_stranger_whatever_key_it_proves() {
    let dir = tempfile::tempdir().unwrap();
    let config = HostConfig {
        state_dir: dir.path().join("state"),
        bind: Some([127, 0, 0, 1].into()),
        port: 0,
        name: None,
        platform: "test".into(),
        advertise: Vec::new(),
        new_key: false,
        place: crate::host::Place::default(),
        join_from: "loopback".parse().unwrap(),
        clock: Arc::new(SystemClock),
    };
    let host = Host::start(config).await.unwrap();
    let proven = |count: u64| {
        let host = host.clone();
        async move {
            while host.shared.proven.admitted() < count {
                tokio::task::yield_now().await;
            }
        }
    };
    let mut shown = Vec::new();
    for _ in 0..limits::JOIN_PROMPTS_PER_SOURCE {
        shown.push(asks(&host).await);
    }
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, proven(shown.len() as u64)).await.expect("the control: these are no strangers");
    for _ in 0..4 {
        let mut refused = asks(&host).await;
        assert!(matches!(next(&mut refused).await, Frame::Refused(_)));
    }
    assert_eq!(host.shared.proven.admitted(), shown.len() as u64, "as many connections as one makes keys");
    host.stop().await;
}
