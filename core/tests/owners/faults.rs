//! Every request that needs a statement, shown with every fault, as the fault matrix has it for the messages of a
//! handshake: each cell is refused with a cause of its own and changes nothing, and the last word is the control:
//! the same request without a fault is done. A request that is new has to say here what it means, or this fails.

use pairpin_core::handshake::Statement;
use pairpin_core::host::Question;
use pairpin_core::identity::{DeviceId, KeyPair, MachineId, Signature};
use pairpin_core::role::Role;
use pairpin_core::wire::*;
use serde_json::{Value, json};
use std::time::Duration;

use crate::common::Machine;
use crate::hand::{ByHand, addressee, device, kept, machine, question, rightly_made};

/// Faults of one statement, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Malformed,
    Truncated,
    AnotherSessions,
    AnotherMachines,
    AnotherEpochs,
    AnotherRequests,
    Late,
    Replayed,
}

const FAULTS: [Fault; 8] = [
    Fault::Malformed,
    Fault::Truncated,
    Fault::AnotherSessions,
    Fault::AnotherMachines,
    Fault::AnotherEpochs,
    Fault::AnotherRequests,
    Fault::Late,
    Fault::Replayed,
];

impl Fault {
    fn wanted(self) -> RequestError {
        match self {
            Self::Malformed => RequestError::Params,
            Self::Truncated | Self::AnotherMachines | Self::AnotherEpochs | Self::AnotherRequests => {
                RequestError::Statement
            }
            Self::AnotherSessions | Self::Late | Self::Replayed => RequestError::Nonce,
        }
    }
}

fn stated() -> Vec<Method> {
    Method::ALL.iter().copied().filter(|method| method.statement().is_some()).collect()
}

/// What any of them could have changed.
fn standing(machine: &Machine) -> Value {
    let devices = machine
        .host()
        .devices()
        .into_iter()
        .map(|device| json!([device.id, device.role, device.suspended, format!("{:?}", device.approval)]));
    json!([devices.collect::<Vec<_>>(), machine.host().offers().len(), machine.host().asks().len()])
}

/// Who sends it, and what it is about.
struct Scene {
    own: DeviceId,
    other: DeviceId,
    key: KeyPair,
    ask: String,
}

impl Scene {
    /// One request with one fault; the machine's answer.
    async fn show(
        &self,
        method: Method,
        fault: Fault,
        hand: &mut ByHand<'_>,
        elsewhere: NonceGiven,
        machine: &Machine,
    ) -> Option<RequestError> {
        let (words, params) = rightly_made(method, self.own, self.other, self.key.public_key().unwrap(), &self.ask);
        let given = match fault {
            Fault::AnotherSessions => elsewhere,
            _ => hand.nonce().await,
        };
        let mut addressee = hand.addressee;
        match fault {
            Fault::AnotherMachines => addressee.machine = MachineId::from_bytes([9; 16]),
            Fault::AnotherEpochs => addressee.epoch += 1,
            _ => {}
        }
        // Signed for another request: one label is not another's.
        let instead = if method == Method::Lift { Method::ForgetKey } else { Method::Lift };
        let (others, _) = rightly_made(instead, self.own, self.other, self.key.public_key().unwrap(), &self.ask);
        let words = if fault == Fault::AnotherRequests { others } else { words };
        let statement = Statement::new(&addressee, given, &words);
        let mut signed = statement.signed(self.key.sign(statement.to_sign()).unwrap());
        match fault {
            Fault::Malformed => {
                let answer = hand.session.ask_anything(method.as_str(), json!({ "signed": [1, 2] })).await.unwrap();
                return answer.err().map(|code| RequestError::of_code(code).unwrap());
            }
            Fault::Truncated => {
                let mut bytes = *signed.signature.as_bytes();
                bytes[40..].fill(0);
                signed.signature = Signature::from_bytes(bytes);
            }
            Fault::Late => machine.clock.advance(limits::NONCE_TIME),
            Fault::Replayed => {
                // Spent by a first one that does not hold.
                let flipped = Signed { signature: Signature::from_bytes([1; 64]), ..signed };
                let first = hand.send_signed(method, &params, &flipped).await;
                assert_eq!(first, Some(RequestError::Statement), "{method:?}");
            }
            _ => {}
        }
        hand.send_signed(method, &params, &signed).await
    }
}

#[tokio::test]
async fn every_statement_with_every_fault_changes_nothing() {
    let machine = machine().await;
    let (phone, mut there, own) = device(&machine, Role::Owner).await;
    let (_laptop, _, other) = device(&machine, Role::Operator).await;
    let (_tablet, mut elsewhere, _) = device(&machine, Role::Owner).await;
    // Longer than all of the late ones together.
    let time = Some(Duration::from_secs(60 * 60));
    let waiting = machine.host().ask(Question { time, ..question() }).await.unwrap();
    let scene = Scene { own, other, key: kept(&phone, "approval-key"), ask: waiting.shown().id.clone() };
    let before = standing(&machine);
    let mut cells = 0;
    for method in stated() {
        for fault in FAULTS {
            let foreign = ByHand { session: &mut elsewhere, addressee: addressee(&machine) }.nonce().await;
            let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
            let answer = scene.show(method, fault, &mut hand, foreign, &machine).await;
            assert_eq!(answer, Some(fault.wanted()), "{method:?}, {fault:?}");
            assert_eq!(standing(&machine), before, "{method:?}, {fault:?}");
            cells += 1;
        }
    }
    assert!(cells >= 8 * FAULTS.len(), "{cells} cells");
    // The control: rightly made they are taken, the revoke last of all. Two are about what is not there.
    let last = |method: &&Method| **method == Method::Revoke;
    let all = stated();
    for method in all.iter().filter(|method| !last(method)).chain(all.iter().filter(last)).copied() {
        let (words, params) = rightly_made(method, own, other, scene.key.public_key().unwrap(), &scene.ask);
        let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
        let answer = hand.send(method, &words, &params, &scene.key).await;
        let wanted = match method {
            Method::Accept => Some(RequestError::Statement),
            Method::ApproveJoin => Some(RequestError::Gone),
            _ => None,
        };
        assert_eq!(answer, wanted, "{method:?}");
    }
    assert_ne!(standing(&machine), before, "the control");
}

/// After the device was revoked its connection is cut: a statement that is signed already reaches nobody.
#[tokio::test]
async fn every_statement_after_a_revoke_reaches_nobody() {
    for method in stated() {
        let machine = machine().await;
        let (phone, mut there, own) = device(&machine, Role::Owner).await;
        let (_laptop, _, other) = device(&machine, Role::Operator).await;
        let waiting = machine.host().ask(question()).await.unwrap();
        let (key, ask) = (kept(&phone, "approval-key"), waiting.shown().id.clone());
        let (words, params) = rightly_made(method, own, other, key.public_key().unwrap(), &ask);
        let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
        let given = hand.nonce().await;
        let statement = Statement::new(&hand.addressee, given, &words);
        let signed = statement.signed(key.sign(statement.to_sign()).unwrap());
        machine.host().revoke(own, "a test", None).await.unwrap();
        let before = standing(&machine);
        let mut params = params.clone();
        params["signed"] = serde_json::to_value(signed).unwrap();
        assert!(there.ask_anything(method.as_str(), params).await.is_err(), "{method:?}: it was answered");
        assert_eq!(standing(&machine), before, "{method:?}");
    }
}
