//! What is handed back to a machine by those who would rather it were something else: forged, another machine's,
//! altered, again and again, by a stranger's key. Nothing changes but by what the machine itself gave away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peer;

use pairpin_core::handshake::HandBackDraft;
use pairpin_core::host::{DATABASE_FILE, DeviceChange, IDENTITY_KEY_FILE, NEXT_KEY_FILE, SHELL};
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::role::Role;
use pairpin_core::wire::*;
use peer::*;
use serde_json::{Value, json};

/// Asks on a connection; events that come in between are passed over.
async fn ask(socket: &mut Socket, method: &str, params: Value) -> Result<Value, i64> {
    socket.send(Frame::Request { id: 9, method: method.into(), params }).await.unwrap();
    loop {
        match next_frame(socket).await {
            Some(Frame::Answer { result, .. }) => return result.map_err(|(code, _)| code),
            Some(_) => {}
            None => return Err(0),
        }
    }
}

async fn hand_back(socket: &mut Socket, handed: &HandBack) -> Result<HandedBack, i64> {
    let answer = ask(socket, "hand-back", serde_json::to_value(handed).unwrap()).await?;
    Ok(serde_json::from_value(answer).unwrap())
}

const NOT_OURS: Result<HandedBack, i64> = Err(30);

/// All that a hand-back could change.
fn everything(machine: &Machine) -> Vec<String> {
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    let sql = "SELECT 'row ' || hex(id) FROM devices UNION ALL SELECT 'stone ' || hex(device) || counter FROM tombstones
               UNION ALL SELECT 'meta ' || value FROM meta WHERE key = 'counter' UNION ALL SELECT 'audit ' || text FROM audit
               ORDER BY 1";
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A machine that was put back to before it revoked a device, which it has again; what it gave an owner since.
struct Scene {
    machine: Machine,
    owner: Device,
    session: Session,
    phone: Device,
    phones: Session,
    kept: HandBack,
}

async fn scene() -> Scene {
    let mut machine = Machine::new().await;
    let pair = async |name: &str, machine: &Machine| {
        let device = Device::new(name);
        let (socket, session, _) = device.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
        drop(socket);
        (device, session)
    };
    let (owner, session) = pair("owner", &machine).await;
    let (phone, phones) = pair("phone", &machine).await;
    let file = machine.dir.path().join("state").join(DATABASE_FILE);
    let backup = machine.dir.path().join("backup.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(conn);
    machine.host.revoke(phone.id(), SHELL, Some("lost it".into())).await.unwrap();
    let (mut socket, welcome) = owner.resume(&machine.host, &session).await.unwrap();
    let page = ask(&mut socket, "tombstones", json!({})).await.unwrap();
    let page: TombstonesPage = serde_json::from_value(page).unwrap();
    assert_eq!((page.tombstones.len(), page.more), (1, false));
    let kept = HandBack { counter: welcome.standing.map(|standing| standing.counter), tombstones: page.tombstones };
    machine.host.stop().await;
    // The old one's database is still open here.
    let (state, old) = (machine.dir.path().join("state"), machine.dir.path().join("old"));
    std::fs::rename(&state, &old).unwrap();
    drop(pairpin_core::store::StateDir::open(&state).unwrap());
    for key in [IDENTITY_KEY_FILE, NEXT_KEY_FILE, DATABASE_FILE] {
        std::fs::copy(old.join(key), state.join(key)).unwrap();
    }
    std::fs::write(&file, std::fs::read(&backup).unwrap()).unwrap();
    machine.host = start(&machine.dir.path().join("state"), &machine.clock).await;
    Scene { machine, owner, session, phone, phones, kept }
}

#[tokio::test]
async fn what_the_machine_did_not_give_away_changes_nothing_and_what_it_did_is_taken_once() {
    let Scene { machine, owner, session, phone, phones, kept } = scene().await;
    let (mut victim, _) = phone.resume(&machine.host, &phones).await.expect("the control: the backup brought it back");
    let (mut socket, _) = owner.resume(&machine.host, &session).await.unwrap();
    let before = everything(&machine);
    let good = kept.tombstones[0].clone();
    let counter = kept.counter.unwrap();

    let elsewhere = scene().await;
    let other_key = KeyPair::generate().unwrap().public_key().unwrap();
    let of = |tombstone| HandBack { counter: None, tombstones: vec![tombstone] };
    let count = |counter| HandBack { counter: Some(counter), tombstones: Vec::new() };
    let bad = [
        ("a forged MAC", of(TombstoneProof { mac: Mac::from_bytes([1; 32]), ..good.clone() })),
        ("the counter's MAC", of(TombstoneProof { mac: counter.mac, ..good.clone() })),
        ("another key", of(TombstoneProof { key: owner.key.public_key().unwrap(), ..good.clone() })),
        ("a key of nobody", of(TombstoneProof { key: other_key, ..good.clone() })),
        ("another counter", of(TombstoneProof { counter: 1 << 40, ..good.clone() })),
        ("another reason", of(TombstoneProof { reason: Some("found".into()), ..good.clone() })),
        ("another machine's", elsewhere.kept.clone()),
        ("another machine's counter", count(elsewhere.kept.counter.unwrap())),
        ("a higher counter", count(CounterProof { counter: counter.counter + 1, ..counter })),
        (
            "one bad among good",
            HandBack { tombstones: vec![good.clone(), elsewhere.kept.tombstones[0].clone()], ..kept.clone() },
        ),
    ];
    for (what, handed) in bad {
        assert_eq!(hand_back(&mut socket, &handed).await, NOT_OURS, "{what}");
        assert_eq!(everything(&machine), before, "{what}");
    }
    let many = HandBack { counter: None, tombstones: vec![good.clone(); limits::TOMBSTONES_PAGE + 1] };
    assert_eq!(hand_back(&mut socket, &many).await, Err(RequestError::Params.code()));
    assert_eq!(everything(&machine), before);

    // The control of all of these: whole, it is taken, and the device is out before the answer.
    let taken = hand_back(&mut socket, &kept).await.unwrap();
    assert_eq!((taken.taken, taken.revoked, taken.counter > counter.counter), (1, 1, true));
    let Some(Frame::Closing(closing)) = next_frame(&mut victim).await else { panic!("not told") };
    assert_eq!((closing.code, closing.reason.as_deref()), (CloseCode::Revoked, Some("lost it")));
    let refused = phone.resume(&machine.host, &phones).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Revoked)));

    // A flood of the same changes nothing and writes nothing.
    let after = everything(&machine);
    for _ in 0..300 {
        let again = hand_back(&mut socket, &kept).await.unwrap();
        assert_eq!(again, HandedBack { counter: taken.counter, taken: 0, revoked: 0 });
    }
    assert_eq!(everything(&machine), after);
}

#[tokio::test]
async fn whoever_holds_it_may_hand_it_back_and_only_owners_are_given_any() {
    for role in [Role::Viewer, Role::Operator] {
        let Scene { machine, kept, .. } = scene().await;
        let third = Device::new("third");
        let (_, session, _) = third.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
        let change = DeviceChange { role: Some(role), ..DeviceChange::default() };
        machine.host.set_device(third.id(), change).await.unwrap();
        let (mut socket, welcome) = third.resume(&machine.host, &session).await.unwrap();
        assert_eq!(welcome.standing, None, "{role}");
        assert_eq!(ask(&mut socket, "tombstones", json!({})).await, Err(RequestError::Role.code()), "{role}");
        assert_eq!(hand_back(&mut socket, &kept).await.unwrap().revoked, 1, "{role}");
    }
}

/// Begins a hand-back without a session; the machine's answer.
async fn begin(machine: &Machine, device: &Device, session: &Session) -> (Response, Option<Socket>) {
    let mut dialled = connect(&addresses(&machine.host), PinCheck::Exact(vec![machine.host.status().pin])).await;
    let draft = HandBackDraft::new(&dialled.channel, session.device).unwrap();
    let signature = device.key.sign(&draft.to_sign()).unwrap();
    let (envelope, wait) = draft.signed(signature, &session.r);
    let response = request(&mut dialled.stream, Flow::HandBack, &envelope).await.unwrap();
    if !matches!(response, Response::Switched) {
        return (response, None);
    }
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(ready)) = next_frame(&mut socket).await else { panic!("not ready") };
    wait.receive(&ready).unwrap();
    (response, Some(socket))
}

#[tokio::test]
async fn a_hand_back_without_a_session_is_nothing_else_and_a_key_without_a_row_is_a_strangers() {
    let Scene { machine, owner, session, phone, phones, kept } = scene().await;
    let before = everything(&machine);
    // No row: as any stranger, whatever key is behind it.
    let stranger = Device::new("stranger");
    let unknown = Session { device: stranger.id(), ..session.clone() };
    assert!(matches!(begin(&machine, &stranger, &unknown).await.0, Response::Stranger { .. }));
    // A known id under another key.
    assert!(matches!(begin(&machine, &stranger, &session).await.0, Response::Stranger { .. }));
    // What a session may do is not to be had.
    for method in ["nonce", "devices", "tombstones", "unpair", "acknowledge"] {
        let (_, socket) = begin(&machine, &owner, &session).await;
        assert_eq!(ask(&mut socket.unwrap(), method, json!({})).await, Err(0), "{method}");
    }
    // What is not the machine's ends it.
    let (_, socket) = begin(&machine, &owner, &session).await;
    let mut socket = socket.unwrap();
    let forged = CounterProof { mac: Mac::from_bytes([1; 32]), ..kept.counter.unwrap() };
    let forged = HandBack { counter: Some(forged), tombstones: Vec::new() };
    assert_eq!(hand_back(&mut socket, &forged).await, NOT_OURS);
    assert_eq!(ask(&mut socket, "hand-back", json!({})).await, Err(0), "the connection goes on");
    // Nor does it go on for ever.
    let (_, socket) = begin(&machine, &owner, &session).await;
    let mut socket = socket.unwrap();
    for _ in 0..limits::HAND_BACKS {
        hand_back(&mut socket, &HandBack::default()).await.unwrap();
    }
    assert_eq!(ask(&mut socket, "hand-back", json!({})).await, Err(0), "it has no end");
    assert_eq!(everything(&machine), before);

    // The control.
    let (_, socket) = begin(&machine, &owner, &session).await;
    assert_eq!(hand_back(&mut socket.unwrap(), &kept).await.unwrap().revoked, 1);
    // And whom it revoked may not.
    assert!(matches!(begin(&machine, &phone, &phones).await.0, Response::Refused(_)));
}

#[tokio::test]
async fn a_device_that_hands_back_its_own_end_meets_it() {
    let Scene { machine, phone, phones, kept, .. } = scene().await;
    let (mut socket, _) = phone.resume(&machine.host, &phones).await.unwrap();
    // Its own answer may still come; then it is out.
    let _ = hand_back(&mut socket, &kept).await;
    while next_frame(&mut socket).await.is_some() {}
    assert_eq!(phone.resume(&machine.host, &phones).await.err(), Some(Refused::Told(RefusalCode::Revoked)));
}

#[tokio::test]
async fn the_longest_page_fits_into_a_frame_and_pages_go_on_to_the_end() {
    let Scene { machine, owner, session, .. } = scene().await;
    machine.host.stop().await;
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    let long = |count: usize| "\u{1F980}".repeat(count);
    for number in 0..60_u8 {
        let key = pairpin_core::identity::PublicKey::from_bytes([number; 65]);
        let sql = "INSERT INTO tombstones VALUES (?1, ?2, ?3, ?4, 'owner', zeroblob(32), 9, 9, ?3, ?5, ?6)";
        let id = DeviceId::of(&key);
        let values = rusqlite::params![&id.as_bytes()[..], &key.as_bytes()[..], long(40), long(80), long(200), number];
        conn.execute(sql, values).unwrap();
    }
    drop(conn);
    let host = start(&machine.dir.path().join("state"), &machine.clock).await;
    let (mut socket, welcome) = owner.resume(&host, &session).await.unwrap();
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = ask(&mut socket, "tombstones", json!({ "after": after })).await.unwrap();
        let page: TombstonesPage = serde_json::from_value(page).unwrap();
        after = page.tombstones.last().map(TombstoneProof::device);
        keys.extend(page.tombstones.iter().map(|tombstone| tombstone.key));
        // It may all come back in one frame too.
        let back = HandBack { counter: None, tombstones: page.tombstones };
        assert_eq!(hand_back(&mut socket, &back).await.unwrap().taken, 0);
        if !page.more {
            break;
        }
    }
    assert_eq!(keys.len(), 60);
    assert_eq!(pairpin_core::handshake::tombstones_hash(keys), welcome.standing.unwrap().tombstones);
}
