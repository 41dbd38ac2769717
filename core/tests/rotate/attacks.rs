//! What a device is shown as a change of its machine's key, by somebody who has the key that the machine announced,
//! and R too unless it says otherwise: each row of the matrix, at the real device engine, over real TLS.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairpin_core::client::{MachineState, Paired};
use pairpin_core::handshake::{Channel, ResumeOpened, RotateDraft};
use pairpin_core::identity::{KeyPair, MachineId, Pin, PublicKey, Signature};
use pairpin_core::net::socket::Socket;
use pairpin_core::net::{tls, upgrade};
use pairpin_core::role::Role;
use pairpin_core::secrets::{RecognitionKey, SecretBytes};
use pairpin_core::wire::*;
use rusqlite::Connection;
use tokio::net::TcpListener;

use crate::common::{Device, Machine, pair_of_both};
use crate::{known, planned, row_of, state};

/// A key from the file of a machine.
fn key_at(path: &Path) -> KeyPair {
    use base64::Engine as _;
    let pem = std::fs::read_to_string(path).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    KeyPair::from_pkcs8(SecretBytes::new(base64::engine::general_purpose::STANDARD.decode(body).unwrap())).unwrap()
}

fn pin(key: &KeyPair) -> Pin {
    Pin::of_key(&key.public_key().unwrap())
}

/// What a thief of a machine has, and a machine that is stopped for good; a device that was paired with it.
struct Scene {
    device: Device,
    _machine: Machine,
    /// The machine's key, and the one that it announced.
    old: KeyPair,
    next: KeyPair,
    id: MachineId,
    recognition: RecognitionKey,
    answers: Answers,
}

async fn scene() -> Scene {
    let (mut machine, device) = pair_of_both().await;
    let _: Paired = device.pair(&machine).await;
    assert!(matches!(state(&device).await, MachineState::Online { .. }));
    let id = machine.host().status().machine;
    machine.stop().await;
    let (old, next) = (key_at(&machine.state().join("identity.key")), key_at(&machine.state().join("next.key")));
    let conn = Connection::open(machine.state().join("machine.db")).unwrap();
    let (session_key, recognition) = conn
        .query_row("SELECT session_key, recognition_key FROM devices", [], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .unwrap();
    let session_key = PublicKey::from_slice(&session_key).unwrap();
    let recognition = RecognitionKey::from_bytes(recognition.try_into().unwrap());
    let answers = Answers::default();
    serve(machine.port, session_key, answers.clone()).await;
    Scene { device, _machine: machine, old, next, id, recognition, answers }
}

/// What the false machine answers.
#[derive(Clone)]
struct Shown {
    rotated: Option<Rotate>,
    /// Instead of a welcome.
    refusal: Option<RefusalCode>,
    /// The welcome's own JSON, changed.
    epoch: u64,
}

impl Scene {
    fn draft(&self) -> RotateDraft {
        let (old_key, new_key) = (self.old.public_key().unwrap(), self.next.public_key().unwrap());
        RotateDraft { machine: self.id, epoch: 1, old_key, new_key, next_pin: Pin::from_bytes([9; 32]) }
    }

    fn rotate(&self) -> Rotate {
        signed(self.draft(), &self.old, &self.next)
    }

    /// How the device takes what it is shown; whatever that is, nothing was stored unless it followed.
    async fn shown(&self, rotated: Option<Rotate>) -> MachineState {
        self.shown_by(&self.next, &self.recognition, Shown { rotated, refusal: None, epoch: 1 }).await
    }

    async fn shown_by(&self, key: &KeyPair, r: &RecognitionKey, shown: Shown) -> MachineState {
        let (row, secrets) = (known(&self.device), self.device.store.0.lock().unwrap().clone());
        let config = tls::machine_config(key, 1_800_000_000_000).unwrap();
        *self.answers.lock().unwrap() = Some((config, pin(key), r.clone(), shown));
        let state = state(&self.device).await;
        if !matches!(state, MachineState::Online { .. } | MachineState::Revoked(_)) {
            assert_eq!(known(&self.device), row, "something was stored");
            assert_eq!(*self.device.store.0.lock().unwrap(), secrets, "a token was stored");
        }
        state
    }
}

fn signed(draft: RotateDraft, old: &KeyPair, new: &KeyPair) -> Rotate {
    let message = draft.to_sign();
    draft.signed(old.sign(&message).unwrap(), new.sign(&message).unwrap())
}

type Answers = Arc<Mutex<Option<(Arc<rustls::ServerConfig>, Pin, RecognitionKey, Shown)>>>;

/// Answers at the machine's port, as it is told to, for as long as the test runs.
async fn serve(port: u16, session_key: PublicKey, answers: Answers) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (config, pin, r, shown) = answers.lock().unwrap().clone().expect("told before it is dialled");
            tokio::spawn(async move {
                let accepted = tls::accept(socket, config, pin, Duration::from_secs(10)).await.ok()?;
                say(accepted.stream, &accepted.channel, &session_key, &r, shown).await
            });
        }
    });
}

async fn say(
    mut stream: pairpin_core::net::BoxedStream,
    channel: &Channel,
    session_key: &PublicKey,
    r: &RecognitionKey,
    shown: Shown,
) -> Option<()> {
    let request = upgrade::read_request(&mut stream).await.ok()?;
    let proven = ResumeOpened::open(channel, &request.envelope).ok()?.verify(session_key).ok()?;
    let rotated = shown.rotated.map(Box::new);
    if let Some(code) = shown.refusal {
        let refusal = proven.refuse(r, &Refusal { rotated, ..Refusal::new(code, 1) }).ok()?;
        return upgrade::answer(&mut stream, upgrade::Answer::Refusal, &refusal).await.ok();
    }
    let welcome = Welcome {
        version: VERSION,
        role: Role::Owner,
        name: "homebox".into(),
        device_name: "laptop".into(),
        addresses: Vec::new(),
        token: Some(pairpin_core::token::SessionToken::generate().unwrap()),
        next_pin: Pin::from_bytes([9; 32]),
        epoch: shown.epoch,
        counter: 0,
        idle_seconds: 60,
        expires_at: i64::MAX,
        approvals: Vec::new(),
        approval_key: None,
        unsettled: false,
        approval_guard: None,
        standing: None,
        rotated,
    };
    let envelope = proven.welcome(r, &welcome).ok()?;
    upgrade::accept(&mut stream, &request).await.ok()?;
    let mut socket = Socket::machine(stream).await;
    socket.send(Frame::Handshake(envelope)).await.ok()?;
    while let Ok(Some(_)) = socket.recv().await {}
    Some(())
}

fn is_hard_stop(state: &MachineState) -> bool {
    state.identity_changed()
}

#[tokio::test]
async fn every_faulty_change_under_the_announced_key_is_a_hard_stop_that_leaves_nothing() {
    let scene = scene().await;
    let (old, next) = (&scene.old, &scene.next);
    let (good, draft) = (scene.rotate(), scene.draft());
    let own = KeyPair::generate().unwrap();
    let foreign = RotateDraft { machine: MachineId::from_bytes([8; 16]), ..draft };
    let rows: Vec<(&str, Option<Rotate>)> = vec![
        ("without a change", None),
        ("malformed: nothing signed", Some(Rotate { by_new: Signature::from_bytes([0; 64]), ..good })),
        ("another machine's", Some(signed(foreign, old, next))),
        ("of another session: the next one after it", Some(signed(RotateDraft { epoch: 2, ..draft }, old, next))),
        ("of an old epoch", Some(signed(RotateDraft { epoch: 0, ..draft }, old, next))),
        ("the old key alone", Some(signed(draft, old, old))),
        ("the new key alone", Some(signed(draft, next, next))),
        ("from a key that is not the machine's", {
            Some(signed(RotateDraft { old_key: own.public_key().unwrap(), ..draft }, &own, next))
        }),
        ("to a key that was not announced", {
            Some(signed(RotateDraft { new_key: own.public_key().unwrap(), ..draft }, old, &own))
        }),
        ("with another next pin than was signed", Some(Rotate { next_pin: Pin::from_bytes([1; 32]), ..good })),
    ];
    for (fault, rotate) in rows {
        let came = scene.shown(rotate).await;
        assert!(matches!(came, MachineState::KeyChanged { seen } if seen == pin(next)), "{fault}: {came:?}");
    }
    // The control: the same machine, the same welcome, and the change that both keys signed.
    let came = scene.shown(Some(good)).await;
    assert!(matches!(came, MachineState::Online { .. }), "{came:?}");
    assert_eq!(known(&scene.device), (pin(next), Some(Pin::from_bytes([9; 32])), 1));
    // Replayed over the key that it led to, it changes nothing and harms nothing.
    assert!(matches!(scene.shown(Some(good)).await, MachineState::Online { .. }));
    assert_eq!(known(&scene.device), (pin(next), Some(Pin::from_bytes([9; 32])), 1));
    // And the key of before is nobody any more.
    let before = Shown { rotated: None, refusal: None, epoch: 0 };
    let came = scene.shown_by(old, &scene.recognition, before).await;
    assert!(matches!(came, MachineState::KeyChanged { seen } if seen == pin(old)), "{came:?}");
}

#[tokio::test]
async fn the_old_key_alone_moves_nobody_to_a_key_of_its_own() {
    let scene = scene().await;
    let own = KeyPair::generate().unwrap();
    let draft = RotateDraft { new_key: own.public_key().unwrap(), ..scene.draft() };
    let rotate = Some(signed(draft, &scene.old, &own));
    let came = scene.shown_by(&own, &scene.recognition, Shown { rotated: rotate, refusal: None, epoch: 1 }).await;
    assert!(matches!(came, MachineState::KeyChanged { seen } if seen == pin(&own)), "{came:?}");
    // Over the known key, as a field of a welcome that is believed, it is passed over.
    let came = scene.shown_by(&scene.old, &scene.recognition, Shown { rotated: rotate, refusal: None, epoch: 0 }).await;
    assert!(matches!(came, MachineState::Online { .. }), "the control: {came:?}");
    assert_eq!((known(&scene.device).0, known(&scene.device).2), (pin(&scene.old), 0));
}

#[tokio::test]
async fn a_thief_of_both_keys_without_r_is_a_hard_stop_with_the_true_change_in_hand() {
    let scene = scene().await;
    let guess = RecognitionKey::generate().unwrap();
    let shown = Shown { rotated: Some(scene.rotate()), refusal: None, epoch: 1 };
    let came = scene.shown_by(&scene.next, &guess, shown.clone()).await;
    assert!(is_hard_stop(&came) && !matches!(came, MachineState::Online { .. }), "{came:?}");
    let came = scene.shown_by(&scene.next, &scene.recognition, shown).await;
    assert!(matches!(came, MachineState::Online { .. }), "the control: {came:?}");
}

#[tokio::test]
async fn a_refusal_under_the_announced_key_is_believed_beside_the_change_alone() {
    let scene = scene().await;
    let refuses = |rotated| Shown { rotated, refusal: Some(RefusalCode::Revoked), epoch: 1 };
    let came = scene.shown_by(&scene.next, &scene.recognition, refuses(None)).await;
    assert!(matches!(came, MachineState::KeyChanged { .. }), "nothing is erased: {came:?}");
    let came = scene.shown_by(&scene.next, &scene.recognition, refuses(Some(scene.rotate()))).await;
    assert!(matches!(came, MachineState::Revoked(_)), "the control: {came:?}");
}

#[tokio::test]
async fn a_device_that_was_revoked_is_not_brought_back_by_a_change() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let (id, row) = (machine.host().devices()[0].id, row_of(&device).await);
    let mut session = device.client.open_session(row).await.unwrap();
    machine.host().revoke(id, "shell", None).await.unwrap();
    machine.host().change_keys(planned()).await.unwrap();
    while session.event().await.is_ok() {}
    assert!(matches!(device.client.check(row).await.unwrap().state, MachineState::Revoked(_)));
    assert!(!device.store.names().iter().any(|name| name.starts_with("session-")), "{:?}", device.store.names());
}
