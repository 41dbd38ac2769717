//! The race of addresses, and what a lost one says.

use std::time::Instant;

use tokio::io::AsyncWriteExt as _;

use super::super::dial::{Cause, DialError, Dialled, dial};
use super::*;

/// Takes TCP connections and says nothing.
async fn hanging() -> (Address, tokio::task::JoinHandle<()>) {
    let (listener, at) = listener().await;
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            kept.push(socket);
        }
    });
    (at.into(), task)
}

/// An address where nothing listens.
async fn closed() -> Address {
    listener().await.1.into()
}

async fn web_server() -> Address {
    let (listener, at) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    at.into()
}

async fn try_dial(addresses: &[Address], check: PinCheck) -> Result<Dialled, DialError> {
    dial(addresses, check, FAST).await
}

async fn lost(addresses: &[Address], check: PinCheck) -> DialError {
    try_dial(addresses, check).await.expect_err("the dial must fail")
}

#[tokio::test]
async fn an_address_that_hangs_costs_a_head_start_and_no_more() {
    let machine = Machine::start().await;
    let (hanging, _task) = hanging().await;
    let start = Instant::now();
    let dialled = try_dial(&[hanging, machine.address()], machine.check()).await.unwrap();
    assert_eq!((dialled.address, dialled.peer), (machine.address(), machine.at));
    assert_eq!(dialled.channel.pin, machine.pin);
    let took = start.elapsed();
    assert!(took >= FAST.stagger && took < FAST.step, "{took:?}");
}

#[tokio::test]
async fn an_address_that_fails_gives_way_at_once() {
    let machine = Machine::start().await;
    let patient = Timeouts { stagger: Duration::from_secs(60), step: SOON, overall: SOON };
    let addresses = [closed().await, web_server().await, machine.address()];
    let dialled = dial(&addresses, machine.check(), patient).await.unwrap();
    assert_eq!(dialled.address, machine.address());
}

#[tokio::test]
async fn the_right_key_wins_over_a_wrong_one_that_answers_first() {
    let (machine, other) = (Machine::start().await, Machine::start().await);
    for addresses in [[other.address(), machine.address()], [machine.address(), other.address()]] {
        for check in [machine.check(), PinCheck::Prefix(machine.pin.prefix())] {
            let dialled = try_dial(&addresses, check).await.unwrap();
            assert_eq!(dialled.channel.pin, machine.pin);
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_reported_only_when_no_address_has_the_right_one() {
    let (machine, other) = (Machine::start().await, Machine::start().await);
    let (hanging, _task) = hanging().await;
    let addresses = [closed().await, web_server().await, hanging.clone(), other.address()];
    let error = lost(&addresses, machine.check()).await;
    let DialError::WrongKey { address, seen, causes } = &error else { panic!("{error:?}") };
    assert_eq!((address, seen), (&other.address(), &other.pin));
    assert_eq!(causes.len(), 4);
    assert!(causes.contains(&(hanging, Cause::TimedOut)));
    assert!(error.to_string().contains(&other.pin.fingerprint()), "{error}");
}

#[tokio::test]
async fn what_is_not_pairpin_is_told_apart_from_what_does_not_answer() {
    let machine = Machine::start().await;
    let web = web_server().await;
    let error = lost(&[closed().await, web.clone()], machine.check()).await;
    assert!(matches!(&error, DialError::NotPairpin { address, .. } if *address == web), "{error:?}");
    assert_eq!(error.to_string(), format!("what answers at {web} is not pairpin, check the address and the port"));
}

#[tokio::test]
async fn each_address_says_why_it_could_not_be_reached() {
    let (refusing, (hanging, _task)) = (closed().await, hanging().await);
    let unknown: Address = "no-such-machine.invalid".parse().unwrap();
    let hurried = Timeouts { step: Duration::from_millis(300), ..FAST };
    let addresses = [refusing.clone(), hanging.clone(), unknown.clone()];
    let error = dial(&addresses, PinCheck::Provisional, hurried).await.err().unwrap();
    let DialError::Unreachable { causes } = &error else { panic!("{error:?}") };
    let cause = |address: &Address| causes.iter().find(|(a, _)| a == address).map(|(_, cause)| cause.clone());
    assert_eq!(cause(&refusing), Some(Cause::Refused));
    assert_eq!(cause(&hanging), Some(Cause::TimedOut));
    // Without a resolver the answer may take longer than the test wants to wait.
    assert!(matches!(cause(&unknown), Some(Cause::UnknownName | Cause::TimedOut)));
    let text = error.to_string();
    let part = format!("; {refusing}: connection refused, nothing listens on this port");
    assert!(text.starts_with("the machine cannot be reached") && text.contains(&part), "{text}");
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let machine = Machine::start().await;
    let named = Address { host: "localhost".into(), port: machine.at.port() };
    let dialled = try_dial(std::slice::from_ref(&named), machine.check()).await.unwrap();
    assert_eq!((dialled.address, dialled.peer), (named, machine.at));
}

#[tokio::test]
async fn the_same_place_is_dialled_once_and_only_so_many_are() {
    let (listener, at) = listener().await;
    let dialling = tokio::spawn(async move {
        let named = Address { host: "localhost".into(), port: at.port() };
        dial(&[at.into(), at.into(), named], PinCheck::Provisional, FAST).await.err()
    });
    let (first, _) = listener.accept().await.unwrap();
    drop(first);
    let error = tokio::time::timeout(SOON, dialling).await.unwrap().unwrap();
    assert!(matches!(error, Some(DialError::Unreachable { .. })), "{error:?}");
    let again = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(again.is_err(), "the same place was dialled twice");
    assert!(matches!(dial(&[], PinCheck::Provisional, FAST).await.err(), Some(DialError::NoAddress)));
}

#[tokio::test]
async fn a_dial_ends_when_its_time_is_over_and_leaves_no_connection() {
    let (listener, at) = listener().await;
    let hurried = Timeouts { overall: Duration::from_millis(100), ..FAST };
    let error = dial(&[at.into()], PinCheck::Provisional, hurried).await.err();
    assert!(matches!(error, Some(DialError::Unreachable { causes }) if causes == [(at.into(), Cause::TimedOut)]));
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut hello = Vec::new();
    // Ends, because the loser was dropped.
    let _ = tokio::time::timeout(SOON, tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut hello)).await.unwrap();
}
