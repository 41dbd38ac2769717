//! Every message with every fault, in both directions, and the page that says what comes of each. See `faults`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod faults;
mod peer;

use std::sync::Arc;

use faults::false_machine::{FalseMachine, Manner};
use faults::{Comes, Fault, cell, is_the_machines, table, to_device, to_machine};
use pairpin_core::wire::MessageKind;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cells at once: each has a machine or two of its own.
const AT_ONCE: usize = 6;

/// Runs every cell of one direction that there is, and says which came out otherwise.
async fn run(from_machine: bool) -> usize {
    let (turn, mut cells) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for message in MessageKind::ALL.iter().copied().filter(|message| is_the_machines(*message) == from_machine) {
        for fault in Fault::ALL {
            let wanted = cell(message, fault);
            if matches!(wanted, Comes::Nothing(_)) {
                continue;
            }
            let turn = turn.clone();
            cells.spawn(async move {
                // Who waits for a device to lose patience takes no turn.
                let _turn = if from_machine && fault == Fault::Late { None } else { turn.acquire_owned().await.ok() };
                let came = if from_machine {
                    tokio::spawn(to_device::show(message, fault)).await
                } else {
                    tokio::spawn(to_machine::show(message, fault)).await
                };
                let came = came.unwrap_or_else(|error| panic!("{message:?}, {fault:?}: {error}"));
                (message, fault, wanted, came)
            });
        }
    }
    let mut count = 0;
    let mut complaints = Vec::new();
    while let Some(done) = cells.join_next().await {
        let (message, fault, wanted, came) = done.unwrap();
        count += 1;
        if !agrees(wanted, came) {
            complaints.push(format!("{message:?}, {fault:?}: {wanted:?} was wanted, {came:?} came"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{count} cells");
    count
}

/// The one comparison of all cells, and of the controls.
fn agrees(wanted: Comes, came: Comes) -> bool {
    wanted == came
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_device_with_every_fault_changes_nothing_at_the_real_machine() {
    assert!(run(false).await >= 45);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_machine_with_every_fault_is_not_believed_by_the_real_device() {
    assert!(run(true).await >= 30);
}

#[test]
fn the_page_of_the_matrix_is_what_the_cells_say() {
    table::check();
}

#[tokio::test]
async fn control_a_machine_that_checks_no_transcript_is_caught_by_the_same_cells() {
    let machine = FalseMachine::start().await;
    machine.set(Manner { careless: true, ..Manner::default() });
    for fault in [Fault::Replayed, Fault::OtherSession] {
        let came = to_machine::scan_at(&machine.link, &peer::Device::new("phone"), fault).await;
        assert!(!agrees(cell(MessageKind::ScanRequest, fault), came), "{fault:?}: {came:?}");
    }
}

#[tokio::test]
async fn control_a_device_that_checks_no_proof_is_caught_by_the_same_cells() {
    for fault in [Fault::Replayed, Fault::OtherSession] {
        let machine = FalseMachine::start().await;
        let came = to_device::careless(&machine, fault).await;
        assert!(!agrees(cell(MessageKind::Welcome, fault), came), "{fault:?}: {came:?}");
    }
}
