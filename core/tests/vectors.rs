//! The byte vectors in `tests/vectors/`: what this implementation makes of fixed inputs. Another
//! language repeats them (`tests/python/check_vectors.py` does, with nothing but its standard library).
//!
//! `PAIRPIN_WRITE_VECTORS=1 cargo test -p pairpin-core --test vectors` writes them anew: a change of
//! the protocol's bytes is then seen in review.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use pairpin_core::handshake::*;
use pairpin_core::identity::{DeviceId, KeyPair, MachineId, Pin, PublicKey, Signature};
use pairpin_core::link::Link;
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, OfferSecret, RecognitionKey, Secret};
use pairpin_core::token::{SessionToken, TokenHash};
use pairpin_core::wire::*;
use serde_json::{Value, json};

const EXPORTER: [u8; 32] = [0x11; 32];
const SECRET: [u8; 16] = [0x22; 16];
const R: [u8; 32] = [0x33; 32];
const TOKEN: [u8; 32] = [0x44; 32];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn channel() -> Channel {
    Channel { exporter: Secret::from_bytes(EXPORTER), pin: Pin::of_spki(b"a public key in DER") }
}

fn check(name: &str, made: Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name);
    if std::env::var_os("PAIRPIN_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(made, kept, "the bytes of {name} have changed");
}

/// A key that the vectors keep: ECDSA is randomised, so its signatures are kept and only verified.
fn kept_signature() -> (PublicKey, Vec<u8>, Signature) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/signature.json");
    let message = b"a message as it is signed".to_vec();
    if std::env::var_os("PAIRPIN_WRITE_VECTORS").is_some() && !path.exists() {
        let key = KeyPair::generate().unwrap();
        let signature = key.sign(&message).unwrap();
        let public = key.public_key().unwrap();
        let made =
            json!({ "key": hex(public.as_bytes()), "message": hex(&message), "signature": hex(signature.as_bytes()) });
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let bytes = |field: &str| -> Vec<u8> {
        let text = kept[field].as_str().unwrap();
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let signature = Signature::from_slice(&bytes("signature")).unwrap();
    (PublicKey::from_slice(&bytes("key")).unwrap(), bytes("message"), signature)
}

#[test]
fn a_kept_signature_verifies() {
    let (key, message, signature) = kept_signature();
    assert!(key.verify(&message, &signature));
    assert!(!key.verify(b"another message", &signature));
}

#[test]
fn names_and_ids() {
    let (key, ..) = kept_signature();
    let pin = Pin::of_spki(b"a public key in DER");
    check(
        "identity.json",
        json!({
            "spki": hex(b"a public key in DER"),
            "pin": hex(pin.as_bytes()),
            "fingerprint": pin.fingerprint(),
            "session_key": hex(key.as_bytes()),
            "device": hex(DeviceId::of(&key).as_bytes()),
            "device_text": DeviceId::of(&key).text(),
            "token": hex(&TOKEN),
            "token_hash": hex(TokenHash::of(&SessionToken::from_bytes(TOKEN)).as_bytes()),
            "offer_secret": hex(&SECRET),
            "offer": hex(MacKey::of_offer(&OfferSecret::from_bytes(SECRET)).offer_id().as_bytes()),
        }),
    );
}

#[test]
fn transcripts_and_macs() {
    let mut cases = Vec::new();
    let offer = MacKey::of_offer(&OfferSecret::from_bytes(SECRET));
    let recognition = MacKey::of_recognition(&RecognitionKey::from_bytes(R));
    for flow in [Flow::Preview, Flow::Scan, Flow::Code, Flow::Resume] {
        let mut transcript = Transcript::new(flow, &channel());
        let mut messages = Vec::new();
        for message in ["", "eyJhIjoxfQ", "eyJiIjoyfQ"] {
            transcript.absorb(message);
            messages.push(message);
            let hash = transcript.hash();
            let macs = |key: &MacKey, purposes: &[Purpose]| -> Value {
                let of = |purpose: &Purpose| {
                    let label = String::from_utf8(purpose.label().to_vec()).unwrap();
                    (label, Value::from(hex(key.mac(*purpose, &hash).as_bytes())))
                };
                purposes.iter().map(of).collect::<serde_json::Map<_, _>>().into()
            };
            use Purpose::*;
            cases.push(json!({
                "flow": flow.as_str(),
                "messages": messages,
                "hash": hex(hash.as_bytes()),
                "offer_macs": macs(&offer, &[PreviewRequest, PreviewAnswer, ScanProof, ScanGrant, ScanRefusal]),
                "recognition_macs":
                    macs(&recognition, &[PreviewRecognition, GrantRecognition, ResumeWelcome, ResumeRefusal]),
            }));
        }
    }
    check(
        "transcripts.json",
        json!({
            "exporter": hex(&EXPORTER),
            "pin": hex(channel().pin.as_bytes()),
            "offer_secret": hex(&SECRET),
            "recognition_key": hex(&R),
            "cases": cases,
        }),
    );
}

#[test]
fn a_whole_scan() {
    let (key, ..) = kept_signature();
    let offer = || MacKey::of_offer(&OfferSecret::from_bytes(SECRET));
    let details =
        DeviceDetails { key, key_kind: KeyKind::File, name: "Ana’s Pixel 9".into(), platform: "Android 16".into() };
    let draft = ScanDraft::new(&channel(), offer(), &details).unwrap();
    let to_sign = draft.to_sign();
    let (request, wait) = draft.signed(Signature::from_bytes([0; 64]));
    let grant = Grant {
        version: VERSION,
        token: SessionToken::from_bytes(TOKEN),
        current: None,
        device: DeviceId::of(&key),
        device_name: "Ana’s Pixel 9".into(),
        role: Role::Owner,
        machine: MachineId::from_bytes([0x55; 16]),
        name: "homebox".into(),
        platform: "Debian 12".into(),
        recognition_key: RecognitionKey::from_bytes(R),
        addresses: vec!["192.168.1.34:7747".parse().unwrap(), "[fd7a::1]:7747".parse().unwrap()],
        next_pin: Pin::from_bytes([0x66; 32]),
        epoch: 0,
        counter: 7,
        idle_seconds: 2_592_000,
        expires_at: 1_800_000_000_000,
    };
    let mut answer = Envelope::of(&grant).unwrap();
    let mut transcript = Transcript::new(Flow::Scan, &channel());
    transcript.absorb(&request.message);
    transcript.absorb(&answer.message);
    answer.mac = Some(offer().mac(Purpose::ScanGrant, &transcript.hash()));
    let received = wait.receive(&answer).unwrap();
    check(
        "scan.json",
        json!({
            "exporter": hex(&EXPORTER),
            "pin": hex(channel().pin.as_bytes()),
            "offer_secret": hex(&SECRET),
            "request": request.message,
            "request_mac": hex(request.mac.unwrap().as_bytes()),
            "session_key_signs": hex(&to_sign),
            "grant": answer.message,
            "grant_mac": hex(answer.mac.unwrap().as_bytes()),
            "check_digits": received.digits.to_string(),
        }),
    );
}

#[test]
fn a_whole_join() {
    let (key, ..) = kept_signature();
    let details =
        DeviceDetails { key, key_kind: KeyKind::File, name: "Ana’s laptop".into(), platform: "Fedora 44".into() };
    let join = JoinId::from_bytes([0x77; 5]);
    let (commit, draft) = JoinDraft::new(&channel(), &details, JoinFresh::from_bytes([0x88; 32])).unwrap();
    let opened = JoinOpened::open(&channel(), &commit).unwrap();
    let (nonce, _) = opened.answer(join, JoinFresh::from_bytes([0x99; 32]), true).unwrap();
    let signing = draft.receive(&nonce).unwrap();
    let to_sign = signing.to_sign();
    let (reveal, waiting) = signing.signed(Signature::from_bytes([0; 64]));
    let (qr, number) = (waiting.qr(), waiting.number().unwrap());
    let grant = Grant {
        version: VERSION,
        token: SessionToken::from_bytes(TOKEN),
        current: None,
        device: DeviceId::of(&key),
        device_name: "Ana’s laptop".into(),
        role: Role::Viewer,
        machine: MachineId::from_bytes([0x55; 16]),
        name: "homebox".into(),
        platform: "Debian 12".into(),
        recognition_key: RecognitionKey::from_bytes(R),
        addresses: Vec::new(),
        next_pin: Pin::from_bytes([0x66; 32]),
        epoch: 3,
        counter: 7,
        idle_seconds: 604_800,
        expires_at: 1_800_000_000_000,
    };
    // The digits are T's, whatever the Grant says: those that hold are found by trying all.
    let holds = |digits: &str| waiting.receive(&Envelope::of(&grant).unwrap()).unwrap().typed(digits).is_ok();
    let digits: Vec<String> = (0..10_000).map(|n| format!("{n:04}")).filter(|digits| holds(digits)).collect();
    assert_eq!(digits.len(), 1);
    let addressee = Addressee { pin: channel().pin, machine: MachineId::from_bytes([0x55; 16]), epoch: 3 };
    let given = NonceGiven { nonce: Nonce::from_bytes([0xaa; 16]), expires_at: 1_800_000_000_000 };
    let statement = |how, role, name, absolute_seconds| {
        let stated = Stated::ApproveJoin(ApprovedJoin { join, key, how, role, name, absolute_seconds });
        hex(Statement::new(&addressee, given, &stated).to_sign())
    };
    check(
        "join.json",
        json!({
            "exporter": hex(&EXPORTER),
            "pin": hex(channel().pin.as_bytes()),
            "key": hex(key.as_bytes()),
            "join": hex(join.as_bytes()),
            "join_text": join.text(),
            "commit": commit.message,
            "nonce": nonce.message,
            "reveal": reveal.message,
            "transcript": hex(qr.transcript.as_bytes()),
            "session_key_signs": hex(&to_sign),
            "number": number.digits(),
            "check_digits": digits[0],
            "qr": qr.to_text(),
            "machine": hex(&[0x55; 16]),
            "statement_nonce": hex(&[0xaa; 16]),
            "statement_expires_at": given.expires_at,
            "statements": {
                "scan": statement(JoinHow::Scan(qr.transcript), Role::Operator, "", None),
                "number": statement(JoinHow::Number(number), Role::Viewer, "Ana’s laptop", Some(604_800)),
            },
        }),
    );
}

#[test]
fn statements() {
    let (key, ..) = kept_signature();
    let addressee = Addressee { pin: channel().pin, machine: MachineId::from_bytes([0x55; 16]), epoch: 3 };
    let given = NonceGiven { nonce: Nonce::from_bytes([0xaa; 16]), expires_at: 1_800_000_000_000 };
    let device = DeviceId::from_bytes([0xbb; 16]);
    let request = RequestHash::from_bytes([0xcc; 32]);
    let to_sign: serde_json::Map<String, Value> = [
        Stated::Enrol { device, key, guard: ApprovalGuard::Passphrase },
        Stated::Answer { ask: "k7pq", request },
        Stated::Revoke { device, reason: "left in a taxi" },
        Stated::Mint { role: Role::Viewer, name: "Ana’s tablet", lifetime_seconds: 120 },
        Stated::SetRole { device, role: Role::Operator },
        Stated::Lift { device },
        Stated::ForgetKey { device },
    ]
    .iter()
    .map(|stated| {
        let statement = Statement::new(&addressee, given, stated);
        (stated.kind().as_str().to_owned(), Value::from(hex(statement.to_sign())))
    })
    .collect();
    check(
        "statements.json",
        json!({
            "pin": hex(channel().pin.as_bytes()),
            "machine": hex(&[0x55; 16]),
            "epoch": 3,
            "nonce": hex(&[0xaa; 16]),
            "expires_at": given.expires_at,
            "key": hex(key.as_bytes()),
            "device": hex(device.as_bytes()),
            "request": hex(request.as_bytes()),
            "to_sign": to_sign,
        }),
    );
}

#[test]
fn links() {
    let link = |addresses: &[&str]| Link {
        pin: channel().pin.prefix(),
        secret: OfferSecret::from_bytes(SECRET),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    let cases: Vec<Value> = [
        vec!["192.168.1.34"],
        vec!["192.168.1.34", "100.64.0.7"],
        vec!["192.168.1.34:8000", "100.64.0.7:8000"],
        vec!["[fd7a:115c:a1e0::7]"],
        vec!["homebox.local"],
    ]
    .iter()
    .map(|addresses| json!({ "addresses": addresses, "text": link(addresses).to_text().as_str() }))
    .collect();
    check(
        "links.json",
        json!({ "pin_prefix": hex(channel().pin.prefix().as_bytes()), "offer_secret": hex(&SECRET), "cases": cases }),
    );
}

#[test]
fn recovery() {
    let seed = pairpin_core::secrets::RecoverySeed::from_bytes([0x77; 20]);
    let keys = SheetKeys::of(&seed).unwrap();
    let half = keys.half().unwrap();
    let act = RecoveryAct::Revoke("Ana’s Pixel 9".into());
    let (request, wait) = AwaitRecovery::request(&channel(), &keys, act.clone()).unwrap();
    let proven = || RecoveryOpened::open(&channel(), &request).unwrap().verify(&half).unwrap();
    let answer = RecoveryAnswer {
        version: VERSION,
        name: "homebox".into(),
        spent: true,
        revoked: vec![RecoveryRevoked {
            device: DeviceId::from_bytes([0x88; 16]),
            name: "Ana’s Pixel 9".into(),
            role: Role::Owner,
            connections_cut: 2,
        }],
        devices: Vec::new(),
        more_revoked: 0,
        more_devices: 0,
    };
    let answered = proven().answer(&answer).unwrap();
    assert_eq!(wait.receive(&answered).unwrap(), answer);
    let mut refusal = Refusal::new(RefusalCode::RecoverySpent, 1_800_000_000_000);
    (refusal.at, refusal.reason) = (Some(1_700_000_000_000), Some("used".into()));
    let refused = proven().refuse(&refusal).unwrap();
    let sheet = pairpin_core::recovery_sheet::RecoverySheet {
        pin: channel().pin,
        next_pin: Pin::from_bytes([0x66; 32]),
        seed,
        addresses: vec!["192.168.1.34:8000".parse().unwrap()],
    };
    let lines: Vec<String> = sheet.to_lines().iter().map(|line| line.to_string()).collect();
    check(
        "recovery.json",
        json!({
            "exporter": hex(&EXPORTER),
            "pin": hex(channel().pin.as_bytes()),
            "next_pin": hex(&[0x66; 32]),
            "seed": hex(&[0x77; 20]),
            "key": hex(half.key.as_bytes()),
            "answers": hex(half.answers.expose()),
            "sheet": hex(half.id().as_bytes()),
            "request": request.message,
            "signature": hex(request.signature.unwrap().as_bytes()),
            "answer": answered.message,
            "answer_mac": hex(answered.mac.unwrap().as_bytes()),
            "refusal": refused.message,
            "refusal_mac": hex(refused.mac.unwrap().as_bytes()),
            "address": "192.168.1.34:8000",
            "text": sheet.to_text().as_str(),
            "lines": lines,
        }),
    );
}

/// A planned change of the machine's key. Like [`kept_signature`], the keys and their signatures are kept.
#[test]
fn a_rotation() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/rotate.json");
    let (machine, next_pin, epoch) = (MachineId::from_bytes([0x55; 16]), Pin::from_bytes([0x66; 32]), 4);
    if std::env::var_os("PAIRPIN_WRITE_VECTORS").is_some() && !path.exists() {
        let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (old_key, new_key) = (old.public_key().unwrap(), new.public_key().unwrap());
        let draft = RotateDraft { machine, epoch, old_key, new_key, next_pin };
        let message = draft.to_sign();
        let rotate = draft.signed(old.sign(&message).unwrap(), new.sign(&message).unwrap());
        let kept = serde_json::to_string(&json!({ "rotate": rotate })).unwrap();
        std::fs::write(&path, kept).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let rotate: Rotate = serde_json::from_value(kept["rotate"].clone()).unwrap();
    let (old_key, new_key) = (rotate.old_key, rotate.new_key);
    let (old, new) = (Pin::of_key(&old_key), Pin::of_key(&new_key));
    let known = KnownKeys { machine, pin: old, next_pin: Some(new), epoch: epoch - 1 };
    assert_eq!(known.after(&rotate).unwrap(), KnownKeys { machine, pin: new, next_pin: Some(next_pin), epoch });
    assert!(KnownKeys { epoch, ..known }.after(&rotate).is_err(), "the control");
    check(
        "rotate.json",
        json!({
            "old_pin": hex(old.as_bytes()),
            "new_pin": hex(new.as_bytes()),
            "signs": hex(&RotateDraft { machine, epoch, old_key, new_key, next_pin }.to_sign()),
            "rotate": rotate,
        }),
    );
}
