//! What a device sends, with a fault, to the real machine: real TLS, real SQLite. Each cell says what came, and
//! has checked that nothing changed on the disk and that the next honest run works.

use std::time::Duration;

use pairpin_core::handshake::*;
use pairpin_core::link::Link;
use pairpin_core::net::dial::Dialled;
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::{Secret, TypedCode};
use pairpin_core::wire::*;

use super::{Comes, Fault, spoilt};
use crate::peer::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Shows the message and checks everything around it.
pub async fn show(message: MessageKind, fault: Fault) -> Comes {
    let machine = Machine::new().await;
    let first = offer(&machine.host);
    let (link, code) = (first.link.unwrap(), first.code.unwrap());
    let phone = Device::new("phone");
    let came = match message {
        MessageKind::PreviewRequest => preview(&machine, &link, &phone, fault).await,
        MessageKind::ScanRequest => scan(&machine, &link, &phone, fault).await,
        MessageKind::Acknowledge => acknowledgement(&machine, &link, &phone, fault).await,
        MessageKind::CodeShare => share(&machine, &link, &code, fault).await,
        MessageKind::CodeConfirm => confirm(&machine, &link, &code, &phone, fault).await,
        MessageKind::CodeProceed => proceed(&machine, &link, &code, &phone, fault).await,
        MessageKind::JoinCommit | MessageKind::JoinReveal => {
            return super::joins::show(&machine, &phone, message, fault).await;
        }
        MessageKind::RecoveryRequest => return super::recovery::show(&machine, &phone, fault).await,
        MessageKind::ResumeRequest => return resume(&machine, &link, &phone, fault).await,
        MessageKind::HandBackRequest => return hand_back(&machine, &link, &phone, fault).await,
        other => panic!("{other:?} is the machine's"),
    };
    // Where the fault is in the bytes the offer must be as good as new.
    let spent = matches!(fault, Fault::Late | Fault::AfterBurn | Fault::AfterRevoke);
    let link = if spent { offer(&machine.host).link.unwrap() } else { link };
    let honest = if message == MessageKind::Acknowledge && !spent { phone } else { Device::new("honest") };
    match (message, fault) {
        (MessageKind::Acknowledge, Fault::Replayed) => {}
        _ => drop(honest.pair(&link).await.expect("the next honest run works")),
    }
    came
}

/// All that the disk says of devices.
pub(super) fn rows(machine: &Machine) -> Vec<String> {
    let conn = rusqlite::Connection::open(machine.dir.path().join("state/machine.db")).unwrap();
    let sql = "SELECT hex(id) || role || coalesce(suspended_at, '') FROM devices
               UNION ALL SELECT hex(hash) || state FROM tokens UNION ALL SELECT hex(device) FROM tombstones";
    let mut statement = conn.prepare(sql).unwrap();
    let all = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap);
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

/// The device has a row, by an offer of its own, and is revoked.
pub(super) async fn revoke(machine: &Machine, phone: &Device) {
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.host.revoke(phone.id(), pairpin_core::host::SHELL, None).await.unwrap();
}

/// What the fault does to the world, before the message is shown.
async fn befall(machine: &Machine, link: &Link, phone: &Device, fault: Fault) {
    match fault {
        Fault::Late => machine.clock.pass(Duration::from_secs(601)),
        Fault::AfterBurn => drop(Device::new("another").pair(link).await.unwrap()),
        Fault::AfterRevoke => revoke(machine, phone).await,
        _ => {}
    }
}

async fn to(link: &Link) -> Dialled {
    connect(&link.addresses, PinCheck::Prefix(link.pin)).await
}

fn told(response: Response, refused: impl FnOnce(&Envelope) -> Refusal) -> Comes {
    match response {
        Response::Answered(_) | Response::Switched => Comes::Answered,
        Response::Refused(envelope) => Comes::Told(refused(&envelope).code),
        Response::Stranger { .. } => Comes::Stranger,
    }
}

async fn preview(machine: &Machine, link: &Link, phone: &Device, fault: Fault) -> Comes {
    let of = |dialled: &Dialled| {
        AwaitPreview::request(&dialled.channel, MacKey::of_offer(&link.secret), Some(phone.id())).unwrap()
    };
    let mut other = to(link).await;
    let (other_envelope, _) = of(&other);
    if fault == Fault::Replayed {
        let answered = request(&mut other.stream, Flow::Preview, &other_envelope).await.unwrap();
        assert!(matches!(answered, Response::Answered(_)));
    }
    befall(machine, link, phone, fault).await;
    let before = rows(machine);
    let mut here = to(link).await;
    let (envelope, wait) = of(&here);
    let envelope = spoilt(fault, envelope, &other_envelope);
    let response = request(&mut here.stream, Flow::Preview, &envelope).await.unwrap();
    assert_eq!(rows(machine), before);
    told(response, |refused| wait.refused(refused).unwrap())
}

fn proof(device: &Device, link: &Link, dialled: &Dialled) -> (Envelope, AwaitGrant) {
    let draft = ScanDraft::new(&dialled.channel, MacKey::of_offer(&link.secret), &device.details()).unwrap();
    let signature = device.key.sign(&draft.to_sign()).unwrap();
    draft.signed(signature)
}

async fn scan(machine: &Machine, link: &Link, phone: &Device, fault: Fault) -> Comes {
    befall(machine, link, phone, fault).await;
    let before = rows(machine);
    let came = scan_at(link, phone, fault).await;
    assert_eq!(rows(machine), before);
    came
}

/// Also for the control, whose machine has no disk.
pub async fn scan_at(link: &Link, phone: &Device, fault: Fault) -> Comes {
    let other = to(link).await;
    let (other_envelope, _) = proof(phone, link, &other);
    let mut here = to(link).await;
    let (envelope, wait) = proof(phone, link, &here);
    let envelope = spoilt(fault, envelope, &other_envelope);
    let response = request(&mut here.stream, Flow::Scan, &envelope).await.unwrap();
    told(response, |refused| wait.refused(refused).unwrap())
}

async fn acknowledgement(machine: &Machine, link: &Link, phone: &Device, fault: Fault) -> Comes {
    if fault == Fault::AfterRevoke {
        // It has a row, which an earlier offer gave it.
        phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    }
    let (mut socket, received) = phone.get_grant(link).await.unwrap();
    if fault == Fault::OtherSession {
        // The same key again, over another connection: only the later Grant counts.
        let (later, _) = phone.get_grant(link).await.unwrap();
        socket = later;
    }
    match fault {
        Fault::Late => machine.clock.pass(Duration::from_secs(61)),
        Fault::AfterRevoke => {
            machine.host.revoke(phone.id(), pairpin_core::host::SHELL, None).await.unwrap();
        }
        Fault::Replayed => drop(acknowledge(&mut socket, &received).await.unwrap()),
        _ => {}
    }
    let before = rows(machine);
    let good = serde_json::to_value(received.acknowledge()).unwrap();
    let params = match fault {
        Fault::Malformed => serde_json::json!("nonsense"),
        Fault::Truncated => {
            let text = good["token"].as_str().unwrap();
            serde_json::json!({ "token": &text[..text.len() / 2] })
        }
        _ => good,
    };
    let sent = socket.send(Frame::Request { id: 5, method: "acknowledge".into(), params }).await;
    assert!(sent.is_ok() || fault == Fault::AfterRevoke);
    let came = match next_frame(&mut socket).await {
        None => Comes::Closed,
        Some(Frame::Answer { result: Ok(_), .. }) => Comes::Answered,
        Some(Frame::Answer { result: Err((-32601, _)), .. }) => Comes::UnknownRequest,
        other => panic!("{other:?}"),
    };
    assert_eq!(rows(machine), before);
    came
}

/// A run of the PAKE as far as the machine's share.
async fn begin(link: &Link, code: &TypedCode, device: &Device) -> (Socket, Envelope, CodeAwaitMachine) {
    let mut dialled = to(link).await;
    let (envelope, wait) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
    let response = request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap();
    assert!(matches!(response, Response::Switched));
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(share)) = next_frame(&mut socket).await else { panic!("no share") };
    let draft = wait.receive(&share, &device.details()).unwrap();
    let signature = device.key.sign(&draft.to_sign()).unwrap();
    let (confirm, wait) = draft.signed(signature);
    (socket, confirm, wait)
}

/// The same as far as the machine's confirmation.
async fn met(link: &Link, code: &TypedCode, device: &Device) -> (Socket, Envelope, CodeAwaitGrant) {
    let (mut socket, confirm, wait) = begin(link, code, device).await;
    socket.send(Frame::Handshake(confirm)).await.unwrap();
    let Some(Frame::Handshake(machine)) = next_frame(&mut socket).await else { panic!("not confirmed") };
    let (proceed, wait) = wait.receive(&machine).unwrap().proceed(&device.details()).unwrap();
    (socket, proceed, wait)
}

/// Three wrong codes.
async fn burn(machine: &Machine, code: &TypedCode) {
    let wrong = if code.expose() == b"00000000" { "00000001" } else { "00000000" };
    for _ in 0..limits::CODE_TRIES {
        assert!(Device::new("thief").type_code(&machine.host, &TypedCode::parse(wrong).unwrap()).await.is_none());
    }
}

async fn share(machine: &Machine, link: &Link, code: &TypedCode, fault: Fault) -> Comes {
    let other = to(link).await;
    let of = |dialled: &Dialled| CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap().0;
    let other_envelope = of(&other);
    match fault {
        Fault::AfterBurn => burn(machine, code).await,
        Fault::Late => machine.clock.pass(Duration::from_secs(601)),
        _ => {}
    }
    let mut here = to(link).await;
    let envelope = spoilt(fault, of(&here), &other_envelope);
    let before = rows(machine);
    let response = request(&mut here.stream, Flow::Code, &envelope).await.unwrap();
    assert_eq!(rows(machine), before);
    told(response, |_| panic!("nothing is proven that early"))
}

/// What a socket says next.
async fn next(socket: &mut Socket, refused: impl FnOnce(&Envelope) -> Refusal) -> Comes {
    match next_frame(socket).await {
        None => Comes::Closed,
        Some(Frame::Handshake(_)) => Comes::Answered,
        Some(Frame::Refused(envelope)) => Comes::Told(refused(&envelope).code),
        other => panic!("{other:?}"),
    }
}

async fn confirm(machine: &Machine, link: &Link, code: &TypedCode, phone: &Device, fault: Fault) -> Comes {
    let (mut link, mut code) = (link.clone(), code.clone());
    if fault == Fault::AfterRevoke {
        revoke(machine, phone).await;
        // That took another offer, and the newest code is the live one.
        let newest = offer(&machine.host);
        (link, code) = (newest.link.unwrap(), newest.code.unwrap());
    }
    let (_other, other_envelope, _) = begin(&link, &code, phone).await;
    let (mut socket, envelope, wait) = begin(&link, &code, phone).await;
    match fault {
        Fault::AfterBurn => burn(machine, &code).await,
        Fault::Late => machine.clock.pass(Duration::from_secs(601)),
        _ => {}
    }
    let before = rows(machine);
    socket.send(Frame::Handshake(spoilt(fault, envelope, &other_envelope))).await.unwrap();
    let came = next(&mut socket, |refused| wait.refused(refused).unwrap()).await;
    assert_eq!(rows(machine), before);
    came
}

async fn proceed(machine: &Machine, link: &Link, code: &TypedCode, phone: &Device, fault: Fault) -> Comes {
    // The key gets its row by another offer, made before: only the newest code is live.
    let (_other, other_envelope, _) = met(link, code, phone).await;
    let (mut socket, envelope, wait) = met(link, code, phone).await;
    befall(machine, link, phone, fault).await;
    let before = rows(machine);
    socket.send(Frame::Handshake(spoilt(fault, envelope, &other_envelope))).await.unwrap();
    let came = next(&mut socket, |refused| wait.refused(refused).unwrap()).await;
    assert_eq!(rows(machine), before);
    came
}

async fn resume(machine: &Machine, link: &Link, phone: &Device, fault: Fault) -> Comes {
    let (_, old, _) = phone.pair(link).await.unwrap();
    let mut honest = old.clone();
    match fault {
        Fault::AfterBurn => {
            machine.clock.pass(25 * HOUR);
            honest.token = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
            phone.resume(&machine.host, &honest).await.unwrap();
        }
        Fault::AfterRevoke => {
            machine.host.revoke(phone.id(), pairpin_core::host::SHELL, None).await.unwrap();
        }
        Fault::Late => {
            disconnected(&machine.host).await;
            machine.clock.pass(24 * 31 * HOUR);
        }
        _ => {}
    }
    let of = |dialled: &Dialled| {
        let draft = ResumeDraft::new(&dialled.channel, old.device, &old.token).unwrap();
        let signature = phone.key.sign(&draft.to_sign()).unwrap();
        draft.signed(signature, &old.r)
    };
    let mut other = to(link).await;
    let (other_envelope, _) = of(&other);
    if fault == Fault::Replayed {
        let answered = request(&mut other.stream, Flow::Resume, &other_envelope).await.unwrap();
        assert!(matches!(answered, Response::Switched));
    }
    let before = rows(machine);
    let mut here = to(link).await;
    let (envelope, wait) = of(&here);
    let envelope = spoilt(fault, envelope, &other_envelope);
    let response = request(&mut here.stream, Flow::Resume, &envelope).await.unwrap();
    assert_eq!(rows(machine), before);
    let came = told(response, |refused| wait.refused(refused).unwrap());
    match fault {
        Fault::AfterRevoke => drop(Device::new("new").pair(&offer(&machine.host).link.unwrap()).await.unwrap()),
        Fault::Late => drop(phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap()),
        _ => drop(phone.resume(&machine.host, &honest).await.expect("the next honest run works")),
    }
    came
}

async fn hand_back(machine: &Machine, link: &Link, phone: &Device, fault: Fault) -> Comes {
    let (_, old, _) = phone.pair(link).await.unwrap();
    match fault {
        Fault::AfterBurn => {
            machine.clock.pass(25 * HOUR);
            let token = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
            phone.resume(&machine.host, &Session { token, ..old.clone() }).await.unwrap();
        }
        Fault::AfterRevoke => {
            machine.host.revoke(phone.id(), pairpin_core::host::SHELL, None).await.unwrap();
        }
        Fault::Late => {
            disconnected(&machine.host).await;
            machine.clock.pass(24 * 31 * HOUR);
        }
        _ => {}
    }
    let of = |dialled: &Dialled| {
        let draft = HandBackDraft::new(&dialled.channel, old.device).unwrap();
        let signature = phone.key.sign(&draft.to_sign()).unwrap();
        draft.signed(signature, &old.r)
    };
    let mut other = to(link).await;
    let (other_envelope, _) = of(&other);
    if fault == Fault::Replayed {
        let answered = request(&mut other.stream, Flow::HandBack, &other_envelope).await.unwrap();
        assert!(matches!(answered, Response::Switched));
    }
    let before = rows(machine);
    let mut here = to(link).await;
    let (envelope, wait) = of(&here);
    let envelope = spoilt(fault, envelope, &other_envelope);
    let response = request(&mut here.stream, Flow::HandBack, &envelope).await.unwrap();
    assert_eq!(rows(machine), before);
    let came = told(response, |refused| wait.refused(refused).unwrap());
    let honest = Device::new("honest");
    drop(honest.pair(&offer(&machine.host).link.unwrap()).await.expect("the next honest run works"));
    came
}
