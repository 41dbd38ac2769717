//! Our WebSocket against the Autobahn testsuite, both ends of it, over real TLS. Run by the layer
//! `suites`.
//!
//! The suite dials a machine's engine that echoes ([`pairpin_core::host::echo`]), and our device's
//! side dials the suite. [`suite`] runs it, [`judgement`] says which cases are left out and why, and
//! what counts as well; [`broken`] is the twin that must not pass.

mod broken;
mod judgement;
mod suite;

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;

use pairpin_core::clock::SystemClock;
use pairpin_core::host::echo::{self, MARKER};
use pairpin_core::host::{Host, HostConfig};
use pairpin_core::identity::KeyPair;
use pairpin_core::net::socket::Socket;
use pairpin_tests::false_machine::{FalseMachine, behaviour};
use pairpin_tests::machine::binary;
use pairpin_tests::tls::Identity;
use pairpin_tests::{block_on, scratch};

use judgement::{BREAKS, HOLDS, complaints, wanted};
use suite::Suite;

#[test]
fn the_machine_passes_every_case() {
    let state = scratch::directory();
    block_on(async {
        let host = Host::start(HostConfig {
            state_dir: state.path().join("state"),
            bind: Some(Ipv4Addr::LOCALHOST.into()),
            port: 0,
            name: Some("homebox".into()),
            platform: "test".into(),
            advertise: Vec::new(),
            new_key: false,
            place: pairpin_core::host::Place::default(),
            join_from: Default::default(),
            clock: Arc::new(SystemClock),
        })
        .await
        .unwrap();
        let cases = wanted(&suite::all_cases().await);
        let port = host.status().listening[0].port();
        let found = suite::dial_machine(port, echo::request().unwrap(), &cases).await;
        host.stop().await;
        let complaints = complaints(&cases, &found);
        assert!(complaints.is_empty(), "{complaints:#?}");
        println!("{} cases at the machine's end", found.len());
    });
}

#[test]
fn the_device_passes_every_case() {
    block_on(async {
        let cases = wanted(&suite::all_cases().await);
        let found = Suite::run(&cases, |stream| async { drop(Socket::device(stream).await.echo().await) }).await;
        let complaints = complaints(&cases, &found);
        assert!(complaints.is_empty(), "{complaints:#?}");
        println!("{} cases at the device's end", found.len());
    });
}

#[test]
fn control_a_machine_that_breaks_the_rules_is_caught() {
    let act = behaviour(|mut visitor| async move {
        let (_, _, key) = visitor.request().await?;
        broken::echo(visitor.switch(&key).await?, broken::End::Machine).await
    });
    let identity = Identity::of(&KeyPair::generate().unwrap());
    let machine = FalseMachine::start((Ipv4Addr::LOCALHOST, 0).into(), &identity, act);
    let cases: Vec<String> = HOLDS.iter().chain(BREAKS).map(|case| (*case).to_owned()).collect();
    let found = block_on(suite::dial_machine(machine.address.port(), echo::request().unwrap(), &cases));
    judgement::assert_caught(&cases, &found);
}

#[test]
fn control_a_device_that_breaks_the_rules_is_caught() {
    let cases: Vec<String> = HOLDS.iter().chain(BREAKS).map(|case| (*case).to_owned()).collect();
    let found = block_on(Suite::run(&cases, |stream| async { drop(broken::echo(stream, broken::End::Device).await) }));
    judgement::assert_caught(&cases, &found);
}

#[test]
fn the_binary_has_no_echo_and_this_test_has() {
    let has = |path: &std::path::Path| {
        fs::read(path).unwrap().windows(MARKER.len()).any(|window| window == MARKER.as_bytes())
    };
    assert!(!has(&binary()), "the binary echoes: it was built with the core's feature `echo`");
    assert!(has(&std::env::current_exe().unwrap()), "the marker is not where it has to be: this check finds nothing");
}
