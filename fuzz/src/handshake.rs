//! Handshake messages over a fixed channel, with fixed secrets: nothing is believed but what the other
//! side really said, and what has the right MAC and strange contents is refused without harm.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairpin_core::handshake::{
    AwaitGrant, AwaitPreview, AwaitWelcome, Channel, CodeAwaitShare, CodeOpened, DeviceDetails, MacKey, PreviewOpened,
    Purpose, ResumeDraft, ResumeOpened, ScanDraft, ScanOpened, Transcript,
};
use pairpin_core::identity::{DeviceId, KeyPair, MachineId, Pin};
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, OfferSecret, RecognitionKey, Secret, SecretBytes, TypedCode};
use pairpin_core::token::SessionToken;
use pairpin_core::wire::{Envelope, Flow, Grant, Preview, Refusal, RefusalCode, VERSION, Welcome};

use crate::bytes::Bytes;

/// Everything that is fixed, and what each side says in it.
pub struct Scene {
    channel: Channel,
    key: KeyPair,
    /// What the device says: preview, scan, resume.
    pub asked: [Envelope; 3],
    /// What the machine answers: preview, Grant, welcome, and a refusal of each.
    pub answered: [Envelope; 6],
}

/// A session key of tests alone (PKCS #8): it has to be the same in every run, for the corpus.
const KEY: &str = include_str!("session-key.txt");

fn offer() -> MacKey {
    MacKey::of_offer(&OfferSecret::from_bytes([4; 16]))
}

fn recognition() -> RecognitionKey {
    RecognitionKey::from_bytes([6; 32])
}

fn details(key: &KeyPair) -> DeviceDetails {
    DeviceDetails {
        key: key.public_key().expect("a key has a public half"),
        key_kind: KeyKind::File,
        name: "laptop".into(),
        platform: "Linux".into(),
    }
}

/// The scene; made once.
pub fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let pkcs8 = base64::engine::general_purpose::STANDARD.decode(KEY.trim()).expect("base64");
        let key = KeyPair::from_pkcs8(SecretBytes::new(pkcs8)).expect("a P-256 key");
        let channel = Channel { exporter: Secret::from_bytes([1; 32]), pin: Pin::from_bytes([9; 32]) };
        let refusal = Refusal::new(RefusalCode::OfferUsed, 5);
        let preview = request_preview(&channel).0;
        let (scan, _) = request_scan(&channel, &key);
        let (resume, _) = request_resume(&channel, &key);
        let opened = || PreviewOpened::open(&channel, &preview).and_then(|it| it.verify(&offer())).expect("proven");
        let proven = || ScanOpened::open(&channel, scan.clone()).and_then(|it| it.verify(&offer())).expect("proven");
        let public = key.public_key().expect("a public half");
        let back = || ResumeOpened::open(&channel, &resume).and_then(|it| it.verify(&public)).expect("proven");
        let said = Preview {
            version: VERSION,
            machine: MachineId::from_bytes([1; 16]),
            name: "homebox".into(),
            platform: "Debian".into(),
            role: Role::Operator,
        };
        let answered = [
            opened().answer(&said, Some(&recognition())).expect("short"),
            proven().grant(&grant(&key), Some(&recognition())).expect("short").0,
            back().welcome(&recognition(), &welcome()).expect("short"),
            opened().refuse(&refusal).expect("short"),
            proven().refuse(&refusal).expect("short"),
            back().refuse(&recognition(), &refusal).expect("short"),
        ];
        Scene { asked: [preview, scan, resume], answered, channel, key }
    })
}

fn request_preview(channel: &Channel) -> (Envelope, AwaitPreview) {
    AwaitPreview::request(channel, offer(), None).expect("short")
}

fn request_scan(channel: &Channel, key: &KeyPair) -> (Envelope, AwaitGrant) {
    let draft = ScanDraft::new(channel, offer(), &details(key)).expect("short");
    let signature = key.sign(&draft.to_sign()).expect("signed");
    draft.signed(signature)
}

fn request_resume(channel: &Channel, key: &KeyPair) -> (Envelope, AwaitWelcome) {
    let device = DeviceId::of(&key.public_key().expect("a public half"));
    let draft = ResumeDraft::new(channel, device, &SessionToken::from_bytes([5; 32])).expect("short");
    let signature = key.sign(&draft.to_sign()).expect("signed");
    draft.signed(signature, &recognition())
}

fn grant(key: &KeyPair) -> Grant {
    Grant {
        version: VERSION,
        token: SessionToken::from_bytes([5; 32]),
        current: None,
        device: DeviceId::of(&key.public_key().expect("a public half")),
        device_name: "laptop".into(),
        role: Role::Operator,
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        recognition_key: recognition(),
        addresses: vec!["192.168.1.2".parse().expect("an address")],
        next_pin: Pin::from_bytes([7; 32]),
        epoch: 0,
        counter: 3,
        idle_seconds: 60,
        expires_at: 1,
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: VERSION,
        role: Role::Operator,
        name: "homebox".into(),
        device_name: "laptop".into(),
        addresses: vec![],
        token: None,
        next_pin: Pin::from_bytes([7; 32]),
        epoch: 0,
        counter: 3,
        idle_seconds: 60,
        expires_at: 1,
        approvals: vec![],
        approval_key: None,
        approval_guard: None,
        unsettled: false,
        standing: None,
        rotated: None,
    }
}

/// The first byte says which step; the rest is an envelope as JSON, or, from the middle of the steps on,
/// a message to which the right MAC is added.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let step = bytes.byte() % 14;
    if step < 9 {
        let Ok(envelope) = serde_json::from_slice(bytes.0) else { return };
        as_sent(step, &envelope);
    } else {
        with_the_right_proof(step, bytes.0);
    }
}

/// Whatever stands in the envelope: it is believed only if it is what the other side said.
fn as_sent(step: u8, envelope: &Envelope) {
    let Scene { channel, key, asked, answered } = scene();
    let public = key.public_key().expect("a public half");
    let genuine = |ok: bool, said: &Envelope| {
        assert!(
            !ok || (envelope.message == said.message && envelope.mac == said.mac),
            "an altered message is believed"
        );
    };
    match step {
        0 => {
            let proven = PreviewOpened::open(channel, envelope).and_then(|opened| opened.verify(&offer()));
            genuine(proven.is_ok(), &asked[0]);
        }
        1 => {
            let proven = ScanOpened::open(channel, envelope.clone()).and_then(|opened| opened.verify(&offer()));
            genuine(proven.is_ok(), &asked[1]);
        }
        2 => {
            let proven = ResumeOpened::open(channel, envelope).and_then(|opened| opened.verify(&public));
            // Its proof is the signature: a MAC beside it is nothing.
            assert!(proven.is_err() || envelope.message == asked[2].message, "an altered message is believed");
        }
        3 => genuine(request_preview(channel).1.receive(envelope).is_ok(), &answered[0]),
        4 => genuine(device_awaits_grant(asked).receive(envelope).is_ok(), &answered[1]),
        5 => genuine(device_awaits_welcome(asked).receive(envelope).is_ok(), &answered[2]),
        6 => genuine(request_preview(channel).1.refused(envelope).is_ok(), &answered[3]),
        7 => genuine(device_awaits_grant(asked).refused(envelope).is_ok(), &answered[4]),
        _ => genuine(device_awaits_welcome(asked).refused(envelope).is_ok(), &answered[5]),
    }
}

/// A device that has sent the scene's Proof: the signature is beside the message, not in the transcript.
fn device_awaits_grant(asked: &[Envelope; 3]) -> AwaitGrant {
    let (_, wait) = ScanDraft::new(&scene().channel, offer(), &details(&scene().key))
        .expect("short")
        .signed(asked[1].signature.expect("signed"));
    wait
}

fn device_awaits_welcome(asked: &[Envelope; 3]) -> AwaitWelcome {
    let device = DeviceId::of(&scene().key.public_key().expect("a public half"));
    let draft = ResumeDraft::new(&scene().channel, device, &SessionToken::from_bytes([5; 32])).expect("short");
    draft.signed(asked[2].signature.expect("signed"), &recognition()).1
}

/// Contents of anybody's choice under a MAC that holds: a machine or device that has gone mad.
fn with_the_right_proof(step: u8, contents: &[u8]) {
    let Scene { channel, asked, .. } = scene();
    let message = URL_SAFE_NO_PAD.encode(contents);
    let mac = |flow, before: Option<&Envelope>, key: &MacKey, purpose| {
        let mut transcript = Transcript::new(flow, channel);
        before.iter().for_each(|envelope| transcript.absorb(&envelope.message));
        transcript.absorb(&message);
        Some(key.mac(purpose, &transcript.hash()))
    };
    let with = |mac| Envelope { message: message.clone(), mac, signature: None, recognition: None };
    let r = MacKey::of_recognition(&recognition());
    match step {
        9 => {
            let envelope = with(mac(Flow::Preview, None, &offer(), Purpose::PreviewRequest));
            if let Ok(proven) = PreviewOpened::open(channel, &envelope).and_then(|opened| opened.verify(&offer())) {
                let _ = (proven.device(), proven.version());
            }
        }
        10 => {
            let envelope = with(mac(Flow::Scan, Some(&asked[1]), &offer(), Purpose::ScanGrant));
            if let Ok(received) = device_awaits_grant(asked).receive(&envelope) {
                assert_eq!(received.grant.version, VERSION);
                assert!(!received.recognised(&recognition()), "R is proven by nothing");
            }
        }
        11 => {
            let envelope = with(mac(Flow::Resume, Some(&asked[2]), &r, Purpose::ResumeWelcome));
            if let Ok(welcome) = device_awaits_welcome(asked).receive(&envelope) {
                assert_eq!(welcome.version, VERSION);
            }
            // The same message is no refusal: its label is another.
            assert!(device_awaits_welcome(asked).refused(&envelope).is_err());
        }
        12 => machine_meets_share(contents),
        _ => device_meets_share(contents),
    }
}

/// The machine of flow (b) against a share of anybody's choice: no confirmation without the code holds.
fn machine_meets_share(contents: &[u8]) {
    let Scene { channel, .. } = scene();
    let code = TypedCode::parse("12345678").expect("a code");
    let envelope =
        Envelope { message: URL_SAFE_NO_PAD.encode(contents), mac: None, signature: None, recognition: None };
    let Ok(opened) = CodeOpened::open(channel, &envelope) else { return };
    let Ok((_, wait)) = opened.answer(&code, &Secret::from_bytes([3; 32])) else { return };
    let Ok(received) = wait.receive(scene().asked[1].clone()) else { return };
    assert!(received.check().is_err(), "a confirmation without the code holds");
}

/// The device of flow (b) against an answer of anybody's choice.
fn device_meets_share(contents: &[u8]) {
    let Scene { channel, key, .. } = scene();
    let code = TypedCode::parse("12345678").expect("a code");
    let (_, wait) = CodeAwaitShare::start(channel, &code, &Secret::from_bytes([2; 32])).expect("short");
    let envelope =
        Envelope { message: URL_SAFE_NO_PAD.encode(contents), mac: None, signature: None, recognition: None };
    let Ok(draft) = wait.receive(&envelope, &details(key)) else { return };
    let signature = key.sign(&draft.to_sign()).expect("signed");
    let (_, wait) = draft.signed(signature);
    assert!(wait.receive(&scene().answered[0]).is_err(), "a machine without the code is believed");
}
