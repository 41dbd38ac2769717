//! What a joiner sends, with a fault, to the real machine. As in `to_machine`: nothing changes on the disk, and
//! the next honest run works.

use std::time::Duration;

use pairpin_core::handshake::*;
use pairpin_core::net::dial::Dialled;
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::Secret;
use pairpin_core::wire::*;

use super::to_machine::{revoke, rows};
use super::{Comes, Fault, spoilt};
use crate::peer::*;

fn draft(dialled: &Dialled, device: &Device) -> (Envelope, JoinDraft) {
    let fresh = JoinFresh::from_bytes(*Secret::<32>::generate().unwrap().expose());
    JoinDraft::new(&dialled.channel, &device.details(), fresh).unwrap()
}

async fn to(machine: &Machine) -> Dialled {
    connect(&addresses(&machine.host), PinCheck::Provisional).await
}

/// As far as the reveal, which is not sent.
async fn begin(machine: &Machine, device: &Device) -> (Socket, Envelope, JoinWaiting) {
    let mut dialled = to(machine).await;
    let (commit, draft) = draft(&dialled, device);
    let response = request(&mut dialled.stream, Flow::Join, &commit).await.unwrap();
    assert!(matches!(response, Response::Switched), "{response:?}");
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(nonce)) = next_frame(&mut socket).await else { panic!("no nonce") };
    let signing = draft.receive(&nonce).unwrap();
    let signature = device.key.sign(&signing.to_sign()).unwrap();
    let (reveal, waiting) = signing.signed(signature);
    (socket, reveal, waiting)
}

async fn is_shown(machine: &Machine, join: JoinId) -> bool {
    for _ in 0..2_000 {
        if machine.host.joins().iter().any(|listed| listed.join == join) {
            return true;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

/// Shows the message and checks everything around it.
pub async fn show(machine: &Machine, phone: &Device, message: MessageKind, fault: Fault) -> Comes {
    if fault == Fault::AfterRevoke {
        revoke(machine, phone).await;
    }
    let before = rows(machine);
    let came = match message {
        MessageKind::JoinCommit => commit(machine, phone, fault).await,
        _ => reveal(machine, phone, fault).await,
    };
    assert_eq!(rows(machine), before);
    // What was held is free again, so that this is about the fault alone.
    machine.clock.pass(Duration::from_secs(3_601));
    let honest = Device::new("honest");
    let (mut socket, reveal, waiting) = begin(machine, &honest).await;
    socket.send(Frame::Handshake(reveal)).await.unwrap();
    assert!(is_shown(machine, waiting.join()).await);
    machine
        .host
        .approve_join(waiting.join(), waiting.number().unwrap(), None, None)
        .await
        .expect("the next honest run");
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no Grant") };
    let digits = waiting.receive(&grant).unwrap();
    let (message, right) = (digits.grant().token.clone(), digits.grant().device);
    assert_eq!(right, honest.id());
    let params = serde_json::json!({ "token": pairpin_core::token::TokenHash::of(&message) });
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    assert!(matches!(next_frame(&mut socket).await, Some(Frame::Answer { result: Ok(_), .. })));
    came
}

async fn commit(machine: &Machine, phone: &Device, fault: Fault) -> Comes {
    let mut other = to(machine).await;
    let (other_envelope, _) = draft(&other, phone);
    if fault == Fault::Replayed {
        let answered = request(&mut other.stream, Flow::Join, &other_envelope).await.unwrap();
        assert!(matches!(answered, Response::Switched));
    }
    let mut held = Vec::new();
    if fault == Fault::AfterBurn {
        for _ in 0..limits::JOIN_SLOTS {
            held.push(begin(machine, &Device::new("another")).await);
        }
    }
    let mut here = to(machine).await;
    let (envelope, draft) = draft(&here, phone);
    let envelope = spoilt(fault, envelope, &other_envelope);
    match request(&mut here.stream, Flow::Join, &envelope).await.unwrap() {
        Response::Stranger { .. } => Comes::Stranger,
        Response::Switched => {
            let mut socket = Socket::device(here.stream).await;
            let Some(Frame::Handshake(nonce)) = next_frame(&mut socket).await else { return Comes::Closed };
            let nonce_number = nonce.read::<JoinNonce>().unwrap().number;
            assert_eq!(nonce_number, fault != Fault::AfterBurn, "a slot where there is one");
            if matches!(fault, Fault::Replayed | Fault::OtherSession) {
                // And no further: what it commits to on this channel nobody can sign for.
                let signing = draft.receive(&nonce).unwrap();
                let signature = phone.key.sign(&signing.to_sign()).unwrap();
                socket.send(Frame::Handshake(signing.signed(signature).0)).await.unwrap();
                assert_eq!(next_frame(&mut socket).await, None);
            }
            Comes::Answered
        }
        other => panic!("{other:?}"),
    }
}

async fn reveal(machine: &Machine, phone: &Device, fault: Fault) -> Comes {
    let (_other, other_envelope, _) = begin(machine, phone).await;
    let (mut socket, envelope, waiting) = begin(machine, phone).await;
    let mut held = Vec::new();
    match fault {
        Fault::Late => machine.clock.pass(Duration::from_secs(601)),
        // Newer ones of the same source have pushed it out.
        Fault::AfterBurn => {
            for _ in 0..limits::JOINS_PER_SOURCE {
                held.push(begin(machine, &Device::new("another")).await);
            }
        }
        _ => {}
    }
    socket.send(Frame::Handshake(spoilt(fault, envelope, &other_envelope))).await.unwrap();
    if fault == Fault::AfterRevoke {
        assert!(is_shown(machine, waiting.join()).await);
        assert!(machine.host.joins()[0].revoked_by.is_some());
        return Comes::Answered;
    }
    match next_frame(&mut socket).await {
        None => Comes::Closed,
        Some(Frame::Refused(refused)) => Comes::Told(waiting.refused(&refused).unwrap().code),
        other => panic!("{other:?}"),
    }
}
