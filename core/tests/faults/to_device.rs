//! What a machine sends, with a fault, to the real device engine: real TLS, its real state. Each cell says what
//! came, and has checked that nothing was stored and that the next honest run works.

use std::sync::Arc;
use std::time::Duration;

use pairpin_core::client::{Client, ClientError, MachineState};
use pairpin_core::handshake::ResumeDraft;
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::*;

use super::false_machine::{FalseMachine, Manner};
use super::{Comes, Fault};
use crate::common::{Device, TestClock};

/// Shows the message and checks everything around it.
pub async fn show(message: MessageKind, fault: Fault) -> Comes {
    let machine = FalseMachine::start().await;
    if message == MessageKind::RecoveryAnswer {
        return super::recovery::answer(&machine, fault).await;
    }
    let clock = Arc::new(TestClock::default());
    let by = match message {
        MessageKind::CodeShareAnswer | MessageKind::CodeWelcome => Flow::Code,
        MessageKind::JoinNonce => Flow::Join,
        _ => Flow::Scan,
    };
    // It goes well once, with another device: what is replayed is from there, and the machine is no dud.
    let good = Manner { refuses: message == MessageKind::Refusal, ..Manner::default() };
    machine.set(good);
    let other = Device::new(&clock);
    let first = pair(&other.client, &machine, by).await;
    assert_eq!(first.is_err(), good.refuses, "{first:?}");
    let device = Device::new(&clock);
    if message == MessageKind::Welcome {
        return welcome(&machine, &device, fault).await;
    }
    if message == MessageKind::HandBackReady {
        return ready(&machine, &device, fault).await;
    }
    machine.set(Manner { fault: Some((message, fault)), ..good });
    let failed = pair(&device.client, &machine, by).await;
    let error = failed.expect_err("a faulty message was believed");
    assert!(!matches!(error, ClientError::State(_) | ClientError::Secrets(_) | ClientError::OfferUsed), "{error:?}");
    // A Grant that was stored before its answer came is no session yet; nothing else is stored at all.
    let is_record = |name: &String| name.starts_with("session-") && !name.starts_with("session-key-");
    let stored = device.store.names().iter().filter(|name| is_record(name)).count();
    assert_eq!(stored, usize::from(message == MessageKind::Acknowledged), "{:?}", device.store.names());
    let online = device.client.machines().await.unwrap();
    assert!(!online.iter().any(|view| matches!(view.state, MachineState::Online { .. })), "{online:?}");
    machine.set(Manner::default());
    pair(&device.client, &machine, by).await.expect("the next honest run works");
    Comes::NotBelieved
}

async fn pair(client: &Client, machine: &FalseMachine, by: Flow) -> Result<(), ClientError> {
    match by {
        Flow::Code => {
            let preview = client.begin_code(machine.address.clone(), machine.code.clone()).await?;
            preview.confirm().await?;
        }
        // The person types what the machine's approver would see.
        Flow::Join => {
            let granted = client.ask_to_join(machine.address.clone()).await?.wait().await?;
            granted.typed(&machine.join_digits().unwrap()).await?;
        }
        _ => {
            let preview = client.preview(&machine.link).await?;
            client.pair(preview).await?;
        }
    }
    Ok(())
}

async fn welcome(machine: &FalseMachine, device: &Device, fault: Fault) -> Comes {
    pair(&device.client, machine, Flow::Scan).await.unwrap();
    let row = device.client.machines().await.unwrap()[0].row;
    let seen = device.client.check(row).await.unwrap();
    assert!(matches!(seen.state, MachineState::Online { .. }), "{seen:?}");
    let before = device.store.0.lock().unwrap().clone();
    machine.set(Manner { fault: Some((MessageKind::Welcome, fault)), ..Manner::default() });
    let seen = device.client.check(row).await.unwrap();
    assert_eq!(*device.store.0.lock().unwrap(), before, "a welcome that is not believed leaves a token");
    let came = match seen.state {
        state if state.identity_changed() => Comes::HardStop,
        MachineState::Online { .. } => Comes::Answered,
        _ => Comes::NotBelieved,
    };
    machine.set(Manner::default());
    let again = device.client.check(row).await.unwrap();
    assert!(matches!(again.state, MachineState::Online { .. }), "the next honest run works: {again:?}");
    came
}

/// A device that keeps a counter for the machine, which then says that it has never seen its token.
async fn ready(machine: &FalseMachine, device: &Device, fault: Fault) -> Comes {
    machine.set(Manner { counter: Some(5), ..Manner::default() });
    pair(&device.client, machine, Flow::Scan).await.unwrap();
    let row = device.client.machines().await.unwrap()[0].row;
    let seen = device.client.check(row).await.unwrap();
    assert!(matches!(seen.state, MachineState::Online { .. }), "{seen:?}");
    let restored = Manner { never_seen: true, ..Manner::default() };
    machine.set(restored);
    let seen = device.client.check(row).await.unwrap();
    assert!(matches!(seen.state, MachineState::Lost { .. }) && machine.handed() == 1, "the control: {seen:?}");
    machine.set(Manner { fault: Some((MessageKind::HandBackReady, fault)), ..restored });
    let seen = device.client.check(row).await.unwrap();
    assert_eq!(machine.handed(), 1, "something was handed to who does not prove R");
    let came = if seen.state.identity_changed() { Comes::HardStop } else { Comes::NotBelieved };
    machine.set(Manner::default());
    let again = device.client.check(row).await.unwrap();
    assert!(matches!(again.state, MachineState::Online { .. }), "the next honest run works: {again:?}");
    came
}

/// A device that takes a welcome as it comes, without its proof: the control.
pub async fn careless(machine: &FalseMachine, fault: Fault) -> Comes {
    let clock = Arc::new(TestClock::default());
    let honest = Device::new(&clock);
    pair(&honest.client, machine, Flow::Scan).await.unwrap();
    let row = honest.client.machines().await.unwrap()[0].row;
    honest.client.check(row).await.unwrap();
    // Its key is of no interest to a machine that asks nobody.
    let key = KeyPair::generate().unwrap();
    let id = DeviceId::of(&key.public_key().unwrap());
    machine.know(id, key.public_key().unwrap());
    machine.set(Manner { fault: Some((MessageKind::Welcome, fault)), ..Manner::default() });
    let mut dialled = crate::peer::connect(&machine.link.addresses, PinCheck::Prefix(machine.link.pin)).await;
    let draft = ResumeDraft::new(&dialled.channel, id, &SessionToken::generate().unwrap()).unwrap();
    let signature = key.sign(&draft.to_sign()).unwrap();
    let (envelope, _) = draft.signed(signature, &pairpin_core::secrets::RecognitionKey::generate().unwrap());
    let answered = request(&mut dialled.stream, Flow::Resume, &envelope).await.unwrap();
    assert!(matches!(answered, Response::Switched));
    let mut socket = Socket::device(dialled.stream).await;
    let next = tokio::time::timeout(Duration::from_secs(20), crate::peer::next_frame(&mut socket)).await.unwrap();
    match next {
        Some(Frame::Handshake(envelope)) if envelope.read::<Welcome>().is_ok() => Comes::Answered,
        _ => Comes::NotBelieved,
    }
}
