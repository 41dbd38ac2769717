//! Peers that no device and no machine is, over real TLS: proofs in another flow, other versions, echoes, silence,
//! frames that are none. `docs/evidence/adversaries.md` lists these with the peers that are tested elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod faults;
mod peer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::TestClock;
use faults::false_machine::{FalseMachine, Manner, Odd};
use pairpin_core::client::{ClientError, MachineState};
use pairpin_core::handshake::*;
use pairpin_core::link::Link;
use pairpin_core::net::dial::Dialled;
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::{Secret, TypedCode};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::*;
use peer::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longer than any wait of either side.
const PATIENCE: Duration = Duration::from_secs(120);

async fn to(link: &Link) -> Dialled {
    connect(&link.addresses, PinCheck::Prefix(link.pin)).await
}

/// The first message of a flow, good over this channel.
fn first(
    flow: Flow,
    (link, code, sheet): (&Link, &TypedCode, &[u8; 20]),
    (phone, session): (&Device, &Session),
    channel: &Channel,
) -> Envelope {
    match flow {
        Flow::Preview => AwaitPreview::request(channel, MacKey::of_offer(&link.secret), None).unwrap().0,
        Flow::Scan => {
            let draft = ScanDraft::new(channel, MacKey::of_offer(&link.secret), &phone.details()).unwrap();
            let signature = phone.key.sign(&draft.to_sign()).unwrap();
            draft.signed(signature).0
        }
        Flow::Code => CodeAwaitShare::start(channel, code, &Secret::generate().unwrap()).unwrap().0,
        Flow::Join => {
            JoinDraft::new(channel, &Device::new("laptop").details(), JoinFresh::from_bytes([1; 32])).unwrap().0
        }
        Flow::Recovery => {
            // Of a sheet that the caller's machine has printed.
            let keys = SheetKeys::of(&pairpin_core::secrets::RecoverySeed::from_bytes(*sheet)).unwrap();
            AwaitRecovery::request(channel, &keys, RecoveryAct::List).unwrap().0
        }
        Flow::Resume => {
            let draft = ResumeDraft::new(channel, session.device, &session.token).unwrap();
            let signature = phone.key.sign(&draft.to_sign()).unwrap();
            draft.signed(signature, &session.r).0
        }
        Flow::HandBack => {
            let draft = HandBackDraft::new(channel, session.device).unwrap();
            let signature = phone.key.sign(&draft.to_sign()).unwrap();
            draft.signed(signature, &session.r).0
        }
    }
}

#[tokio::test]
async fn a_proof_of_one_flow_is_a_strangers_in_every_other() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let fresh = offer(&machine.host);
    let (link, code) = (fresh.link.unwrap(), fresh.code.unwrap());
    // Scan last: in its own flow it uses the offer.
    let sheet = *machine.host.print_recovery(&[]).await.unwrap().seed.expose();
    let flows = [Flow::Preview, Flow::Code, Flow::Join, Flow::Resume, Flow::Recovery, Flow::HandBack, Flow::Scan];
    for of in flows {
        for shown in flows.into_iter().filter(|shown| *shown != of).chain([of]) {
            let mut dialled = to(&link).await;
            let envelope = first(of, (&link, &code, &sheet), (&phone, &session), &dialled.channel);
            let response = request(&mut dialled.stream, shown, &envelope).await.unwrap();
            let stranger = matches!(response, Response::Stranger { .. });
            // In its own flow it is good: that is the control.
            assert_eq!(stranger, shown != of, "{of:?} shown as {shown:?}: {response:?}");
        }
    }
}

#[tokio::test]
async fn versions_that_are_stripped_or_altered_are_a_strangers_and_other_versions_are_told() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let key = MacKey::of_offer(&link.secret);
    for (honest, versions) in [(false, vec![2]), (false, vec![1, 2]), (true, vec![2, 3]), (true, vec![1, 2])] {
        let mut dialled = to(&link).await;
        let (mut envelope, _) = AwaitPreview::request(&dialled.channel, key.clone(), None).unwrap();
        let offer = key.offer_id();
        envelope.message =
            Envelope::of(&PreviewRequest { versions: versions.clone(), offer, device: None }).unwrap().message.clone();
        let mut transcript = Transcript::new(Flow::Preview, &dialled.channel);
        transcript.absorb(&envelope.message);
        if honest {
            envelope.mac = Some(key.mac(Purpose::PreviewRequest, &transcript.hash()));
        }
        let response = request(&mut dialled.stream, Flow::Preview, &envelope).await.unwrap();
        match (honest, versions.contains(&VERSION)) {
            (false, _) => assert!(matches!(response, Response::Stranger { .. }), "{versions:?}: {response:?}"),
            (true, true) => assert!(matches!(response, Response::Answered(_)), "{versions:?}: {response:?}"),
            (true, false) => {
                let Response::Refused(refused) = response else { panic!("{versions:?}: {response:?}") };
                transcript.absorb(&refused.message);
                key.check(Purpose::ScanRefusal, &transcript.hash(), refused.mac.as_ref()).unwrap();
                assert_eq!(refused.read::<Refusal>().unwrap().code, RefusalCode::Version);
            }
        }
    }
    Device::new("honest").pair(&link).await.unwrap();
}

/// The real device engine at a machine that does something odd: an error each time, nothing stored.
async fn odd(odd: Odd) {
    let machine = FalseMachine::start().await;
    let clock = Arc::new(TestClock::default());
    let paired = common::Device::new(&clock);
    let preview = paired.client.preview(&machine.link).await.unwrap();
    paired.client.pair(preview).await.unwrap();
    let row = paired.client.machines().await.unwrap()[0].row;
    let before = paired.store.0.lock().unwrap().clone();
    let fresh = common::Device::new(&clock);
    let preview = fresh.client.preview(&machine.link).await.unwrap();

    machine.set(Manner { odd: Some(odd), ..Manner::default() });
    let seen = paired.client.check(row).await.unwrap();
    assert!(!matches!(seen.state, MachineState::Online { .. }), "{odd:?}: {seen:?}");
    assert_eq!(*paired.store.0.lock().unwrap(), before, "{odd:?}");
    let scanned = fresh.client.pair(preview.clone()).await;
    assert!(scanned.is_err(), "{odd:?}: {scanned:?}");
    let typed = fresh.client.begin_code(machine.address.clone(), machine.code.clone()).await;
    // Another version is named in the Grant alone, which comes after the question.
    let typed = match typed {
        Ok(preview) => preview.confirm().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(typed.is_err(), "{odd:?}");
    let previewed = common::Device::new(&clock).client.preview(&machine.link).await;
    match odd {
        Odd::Version => assert!(matches!(previewed, Err(ClientError::Version { .. })), "{previewed:?}"),
        Odd::Echo => assert!(previewed.is_err(), "{previewed:?}"),
        // There are no frames in a preview.
        Odd::Raw(_) | Odd::Revokes { .. } => assert!(previewed.is_ok(), "{previewed:?}"),
    }
    assert!(!fresh.store.names().iter().any(|name| name.starts_with("session-") && !name.starts_with("session-key-")));

    machine.set(Manner::default());
    fresh.client.pair(preview).await.expect("the next honest run works");
    let seen = paired.client.check(row).await.unwrap();
    assert!(matches!(seen.state, MachineState::Online { .. }), "{odd:?}: {seen:?}");
}

#[tokio::test]
async fn a_machine_that_gives_each_message_back_is_believed_in_no_flow() {
    odd(Odd::Echo).await;
}

#[tokio::test]
async fn a_machine_that_chooses_another_version_under_good_proofs_is_told_apart() {
    odd(Odd::Version).await;
}

#[tokio::test]
async fn frames_that_are_none_are_an_error_of_the_device_and_leave_nothing() {
    // RFC 6455 section 5.2: compressed (RSV1) though nobody agreed to it, reserved bits, masked by a server, binary,
    // a reserved opcode, a continuation of nothing, a terabyte to come, HTTP.
    let all: [&[u8]; 8] = [
        &[0xc1, 0x02, b'{', b'}'],
        &[0xb1, 0x02, b'{', b'}'],
        &[0x81, 0x82, 0, 0, 0, 0, b'{', b'}'],
        &[0x82, 0x02, 1, 2],
        &[0x83, 0x00],
        &[0x80, 0x02, b'{', b'}'],
        &[0x81, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0],
        b"HTTP/1.1 200 OK\r\n\r\n",
    ];
    let mut runs = tokio::task::JoinSet::new();
    for bytes in all {
        runs.spawn(odd(Odd::Raw(bytes)));
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
}

/// A connection that has switched, for a typed code: nothing is proven on it.
async fn switched(link: &Link, code: &TypedCode) -> Dialled {
    let mut dialled = to(link).await;
    let (envelope, _) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
    let response = request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap();
    assert!(matches!(response, Response::Switched));
    dialled
}

/// Reads until the machine hangs up; what it said.
async fn hangs_up(dialled: &mut Dialled) -> Vec<u8> {
    let mut said = Vec::new();
    let ended = async { while matches!(dialled.stream.read_buf(&mut said).await, Ok(1..)) {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the machine does not hang up");
    said
}

#[tokio::test]
async fn frames_that_are_none_end_the_connection_of_a_stranger_and_of_a_paired_device() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let fresh = offer(&machine.host);
    let (link, code) = (fresh.link.unwrap(), fresh.code.unwrap());
    // As above, from a device: unmasked, compressed, reserved bits, binary, a reserved opcode, a terabyte to come.
    let all: [&[u8]; 7] = [
        &[0x81, 0x02, b'{', b'}'],
        &[0xc1, 0x82, 0, 0, 0, 0, b'{', b'}'],
        &[0xb1, 0x82, 0, 0, 0, 0, b'{', b'}'],
        &[0x82, 0x82, 0, 0, 0, 0, 1, 2],
        &[0x83, 0x80, 0, 0, 0, 0],
        &[0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        b"GET /rpc HTTP/1.1\r\n\r\n",
    ];
    for bytes in all {
        for paired in [false, true] {
            let mut dialled =
                if paired { resumed(&link, &phone, &session).await } else { switched(&link, &code).await };
            dialled.stream.write_all(bytes).await.unwrap();
            dialled.stream.flush().await.unwrap();
            let said = hangs_up(&mut dialled).await;
            // A close (RFC 6455 section 5.5.1) with the code for this, behind the words for it; nothing to a stranger.
            let [high, low] = CloseCode::Protocol.number().to_be_bytes();
            let told = String::from_utf8_lossy(&said).contains(r#""protocol""#);
            assert_eq!((told, said.ends_with(&[0x88, 2, high, low])), (paired, paired), "{bytes:x?}: {said:x?}");
        }
    }
    // Fragments without end, and one message of one: however it is cut, 64 KiB is the most.
    for fragment in [4096_u16, 60_000] {
        let mut dialled = resumed(&link, &phone, &session).await;
        let mut bytes = vec![0x01, 0xfe];
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.resize(8 + usize::from(fragment), b'x');
        let mut sent = 0;
        while sent < 64 * 1024 * 1024 && dialled.stream.write_all(&bytes).await.is_ok() {
            bytes[0] = 0x00;
            sent += bytes.len();
        }
        assert!(sent < 64 * 1024 * 1024, "{sent} bytes of one message were taken");
    }
    phone.resume(&machine.host, &session).await.expect("the device is welcome after all that");
    Device::new("honest").pair(&link).await.expect("the offer is as good as new");
}

async fn resumed(link: &Link, phone: &Device, session: &Session) -> Dialled {
    let mut dialled = to(link).await;
    let draft = ResumeDraft::new(&dialled.channel, session.device, &session.token).unwrap();
    let signature = phone.key.sign(&draft.to_sign()).unwrap();
    let (envelope, _) = draft.signed(signature, &session.r);
    let response = request(&mut dialled.stream, Flow::Resume, &envelope).await.unwrap();
    assert!(matches!(response, Response::Switched));
    dialled
}

/// A request by hand, with more headers; gives the head of the answer.
async fn by_hand(link: &Link, code: &TypedCode, more: &str) -> String {
    let mut dialled = to(link).await;
    let (envelope, _) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
    let text = format!(
        "GET /rpc HTTP/1.1\r\nHost: pairpin\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: pairpin.v1\r\nPairpin-Flow: code\r\n\
         Pairpin-Message: {}\r\n{more}\r\n",
        envelope.message
    );
    dialled.stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = tokio::time::timeout(PATIENCE, dialled.stream.read(&mut byte)).await.unwrap();
        match read {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn compression_is_never_agreed_to_and_a_thousand_headers_are_a_strangers() {
    let machine = Machine::new().await;
    let fresh = offer(&machine.host);
    let (link, code) = (fresh.link.unwrap(), fresh.code.unwrap());
    let offered = by_hand(&link, &code, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(!offered.to_lowercase().contains("extensions"), "{offered}");
    let headers = |count| (0..count).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    let few = by_hand(&link, &code, &headers(10)).await;
    assert!(few.starts_with("HTTP/1.1 101 "), "the control: {few}");
    let many = by_hand(&link, &code, &headers(1000)).await;
    assert!(many.starts_with("HTTP/1.1 404 "), "{many}");
}

#[tokio::test]
async fn what_a_machine_said_is_worth_nothing_when_it_is_sent_back() {
    let machine = Machine::new().await;
    let fresh = offer(&machine.host);
    let (link, code) = (fresh.link.unwrap(), fresh.code.unwrap());
    // Its own share, and then its own words, as the device's confirmation.
    let mut socket = Socket::device(switched(&link, &code).await.stream).await;
    let Some(Frame::Handshake(share)) = next_frame(&mut socket).await else { panic!("no share") };
    socket.send(Frame::Handshake(share)).await.unwrap();
    assert_eq!(next_frame(&mut socket).await, None);
    // Its Grant, in place of the acknowledgement.
    let phone = Device::new("phone");
    let (dialled, response, _) = phone.prove(&link).await;
    assert!(matches!(response, Response::Switched));
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no Grant") };
    socket.send(Frame::Handshake(grant)).await.unwrap();
    assert_eq!(next_frame(&mut socket).await, None);
    assert!(machine.host.devices().is_empty());
    phone.pair(&link).await.expect("the device whose offer it is goes on");
}

#[tokio::test]
async fn a_device_that_stops_after_any_message_is_let_go_in_time_and_leaves_nothing() {
    let machine = Machine::new().await;
    let fresh = offer(&machine.host);
    let (link, code) = (fresh.link.unwrap(), fresh.code.unwrap());
    let (phone, laptop) = (Device::new("phone"), Device::new("laptop"));
    let began = Instant::now();
    // After TLS; after its share.
    let mut silent = to(&link).await;
    let mut shared = switched(&link, &code).await;
    // After its confirmation: the person never answers.
    let mut met = Socket::device(switched_as(&link, &code, &laptop).await).await;
    let Some(Frame::Handshake(_)) = next_frame(&mut met).await else { panic!("not confirmed") };
    // After the Grant: it is never acknowledged.
    let (mut granted, _) = phone.get_grant(&link).await.unwrap();
    tokio::join!(
        async {
            hangs_up(&mut silent).await;
            assert!(began.elapsed() < Duration::from_secs(40), "a stranger was kept for {:?}", began.elapsed());
        },
        async {
            hangs_up(&mut shared).await;
            assert!(began.elapsed() < Duration::from_secs(40), "a stranger was kept for {:?}", began.elapsed());
        },
        until_closed(&mut met),
        until_closed(&mut granted),
    );
    assert!(machine.host.devices().is_empty());
    assert_eq!(machine.count("SELECT (SELECT count(*) FROM devices) + (SELECT count(*) FROM tokens)"), 0);
    machine.clock.pass(Duration::from_secs(61));
    assert!(machine.host.offers().is_empty(), "the offer that was claimed and not acknowledged has ended");
    Device::new("honest").pair(&offer(&machine.host).link.unwrap()).await.unwrap();
}

/// Goes as far as its confirmation.
async fn switched_as(link: &Link, code: &TypedCode, device: &Device) -> pairpin_core::net::BoxedStream {
    let mut dialled = to(link).await;
    let (envelope, wait) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
    let response = request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap();
    assert!(matches!(response, Response::Switched));
    // By hand, so that the stream stays ours: the share is one frame.
    let mut head = [0; 4];
    dialled.stream.read_exact(&mut head[..2]).await.unwrap();
    let length = match head[1] {
        126 => {
            dialled.stream.read_exact(&mut head[2..]).await.unwrap();
            usize::from(u16::from_be_bytes([head[2], head[3]]))
        }
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    dialled.stream.read_exact(&mut text).await.unwrap();
    let Ok(Frame::Handshake(share)) = Frame::decode(std::str::from_utf8(&text).unwrap()) else { panic!("no share") };
    let draft = wait.receive(&share, &device.details()).unwrap();
    let signature = device.key.sign(&draft.to_sign()).unwrap();
    let text = Frame::Handshake(draft.signed(signature).0).encode().unwrap();
    let mut frame = vec![0x81, 0xfe];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    dialled.stream.write_all(&frame).await.unwrap();
    dialled.stream.flush().await.unwrap();
    dialled.stream
}

async fn until_closed(socket: &mut Socket) {
    let ended = async { while let Ok(Some(_)) = socket.recv().await {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the machine does not hang up");
}

/// The two checks above can fail: a machine that takes no notice is seen.
#[tokio::test]
#[should_panic(expected = "a stranger was kept")]
async fn control_a_machine_that_keeps_a_silent_stranger_is_noticed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut stranger = tokio::net::TcpStream::connect(address).await.unwrap();
    let _kept = listener.accept().await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(15), stranger.read(&mut [0])).await;
    assert!(read.is_ok(), "a stranger was kept");
}

/// A token of nobody's, to see that what is proven is the key and not the token.
#[tokio::test]
async fn a_session_token_without_its_key_is_a_strangers() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let thief = Device::new("thief");
    assert_eq!(thief.resume(&machine.host, &session).await.err(), Some(Refused::Stranger));
    let guessed = Session { token: SessionToken::generate().unwrap(), ..session.clone() };
    assert_eq!(phone.resume(&machine.host, &guessed).await.err(), Some(Refused::Told(RefusalCode::TokenUnknown)));
    phone.resume(&machine.host, &session).await.unwrap();
}
