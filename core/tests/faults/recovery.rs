//! The messages of the recovery sheet with every fault: its use at the real machine, the answer at the real holder.

use pairpin_core::client::{ClientError, use_sheet};
use pairpin_core::handshake::{AwaitRecovery, SheetKeys};
use pairpin_core::net::dial::Dialled;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::recovery_sheet::RecoverySheet;
use pairpin_core::secrets::RecoverySeed;
use pairpin_core::wire::*;

use super::false_machine::{FalseMachine, Manner};
use super::to_machine::rows;
use super::{Comes, Fault, spoilt};
use crate::peer::*;

/// The seed of the false machine's sheet.
pub const SEED: [u8; 20] = [7; 20];

async fn to(sheet: &RecoverySheet) -> Dialled {
    connect(&sheet.addresses, PinCheck::Exact(vec![sheet.pin])).await
}

/// What a holder sends.
pub async fn show(machine: &Machine, phone: &Device, fault: Fault) -> Comes {
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let sheet = machine.host.print_recovery(&[]).await.unwrap();
    let keys = SheetKeys::of(&sheet.seed).unwrap();
    let act = RecoveryAct::Revoke("phone".into());
    let of =
        |dialled: &Dialled, act: &RecoveryAct| AwaitRecovery::request(&dialled.channel, &keys, act.clone()).unwrap();
    let mut other = to(&sheet).await;
    let list = RecoveryAct::List;
    // What is replayed went well and spent nothing; what is of another session was never sent.
    let (other_envelope, _) = of(&other, if fault == Fault::Replayed { &list } else { &act });
    match fault {
        Fault::Replayed => {
            let answered = request(&mut other.stream, Flow::Recovery, &other_envelope).await.unwrap();
            assert!(matches!(answered, Response::Answered(_)));
        }
        Fault::AfterBurn => {
            Device::new("tablet").pair(&offer(&machine.host).link.unwrap()).await.unwrap();
            use_sheet(&sheet, &[], RecoveryAct::Revoke("tablet".into())).await.unwrap();
        }
        Fault::AfterRevoke => {
            machine.host.revoke(phone.id(), pairpin_core::host::SHELL, None).await.unwrap();
        }
        _ => {}
    }
    let before = rows(machine);
    let mut here = to(&sheet).await;
    let (envelope, wait) = of(&here, &act);
    let envelope = spoilt(fault, envelope, &other_envelope);
    let came = match request(&mut here.stream, Flow::Recovery, &envelope).await.unwrap() {
        Response::Answered(answer) => {
            assert!(!wait.receive(&answer).unwrap().spent);
            Comes::Answered
        }
        Response::Refused(refused) => Comes::Told(wait.refused(&refused).unwrap().code),
        Response::Stranger { .. } => Comes::Stranger,
        Response::Switched => panic!("there is nothing to say in frames"),
    };
    assert_eq!(rows(machine), before);
    if matches!(fault, Fault::AfterBurn | Fault::AfterRevoke) {
        return came;
    }
    let done = use_sheet(&sheet, &[], act).await.expect("the next honest use works");
    assert_eq!((done.spent, done.revoked.len()), (true, 1));
    came
}

/// What a machine answers.
pub async fn answer(machine: &FalseMachine, fault: Fault) -> Comes {
    let pin = connect(&machine.link.addresses, PinCheck::Prefix(machine.link.pin)).await.channel.pin;
    let seed = RecoverySeed::from_bytes(SEED);
    let sheet = RecoverySheet { pin, next_pin: pin, seed, addresses: machine.link.addresses.clone() };
    use_sheet(&sheet, &[], RecoveryAct::All).await.expect("it goes well once");
    machine.set(Manner { fault: Some((MessageKind::RecoveryAnswer, fault)), ..Manner::default() });
    let error = use_sheet(&sheet, &[], RecoveryAct::All).await.expect_err("a faulty answer was believed");
    // Whoever has the TLS key alone is named as that.
    let proof = matches!(fault, Fault::Replayed | Fault::OtherSession);
    assert!(!proof || error == ClientError::SheetUnproven, "{error:?}");
    machine.set(Manner::default());
    use_sheet(&sheet, &[], RecoveryAct::All).await.expect("the next honest use works");
    Comes::NotBelieved
}
