//! Every flow of the handshake, both roles, without I/O: what is right goes through, and each single
//! thing that is wrong is refused. Controls show that the tables can fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pairpin_core::handshake::*;
use pairpin_core::identity::{DeviceId, KeyPair, MachineId, Pin};
use pairpin_core::role::Role;
use pairpin_core::secrets::{KeyKind, OfferSecret, RecognitionKey, Secret, TypedCode};
use pairpin_core::token::{SessionToken, TokenHash};
use pairpin_core::wire::*;

fn channel(exporter: u8) -> Channel {
    Channel { exporter: Secret::from_bytes([exporter; 32]), pin: Pin::from_bytes([9; 32]) }
}

fn other_pin() -> Channel {
    Channel { pin: Pin::from_bytes([8; 32]), ..channel(1) }
}

fn details(key: &KeyPair) -> DeviceDetails {
    DeviceDetails {
        key: key.public_key().unwrap(),
        key_kind: KeyKind::File,
        name: "laptop".into(),
        platform: "Linux".into(),
    }
}

fn grant(device: DeviceId) -> Grant {
    Grant {
        version: VERSION,
        token: SessionToken::from_bytes([5; 32]),
        current: None,
        device,
        device_name: "laptop".into(),
        role: Role::Owner,
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        recognition_key: RecognitionKey::from_bytes([6; 32]),
        addresses: vec!["192.168.1.2".parse().unwrap()],
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
        role: Role::Owner,
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

fn secret() -> OfferSecret {
    OfferSecret::from_bytes([4; 16])
}

fn offer() -> MacKey {
    MacKey::of_offer(&secret())
}

/// A Proof for `offer()` over `on`, with the device that waits for the Grant.
fn proof(on: &Channel, key: &KeyPair) -> (Envelope, AwaitGrant) {
    let draft = ScanDraft::new(on, offer(), &details(key)).unwrap();
    let signature = key.sign(&draft.to_sign()).unwrap();
    draft.signed(signature)
}

/// The text of another message with one field changed.
fn altered(envelope: &Envelope, from: &str, to: &str) -> Envelope {
    let mut value: serde_json::Value = envelope.read_any().unwrap();
    let text = value.to_string().replace(from, to);
    value = serde_json::from_str(&text).unwrap();
    let mut changed = envelope.clone();
    changed.message = Envelope::of_any(&value).unwrap().message.clone();
    changed
}

#[test]
fn a_scan_pairs_and_both_ends_show_the_same_digits() {
    let key = KeyPair::generate().unwrap();
    let (request, wait) = proof(&channel(1), &key);
    let opened = ScanOpened::open(&channel(1), request).unwrap();
    assert_eq!(opened.offer(), offer().offer_id());
    let proven = opened.verify(&offer()).unwrap();
    assert_eq!(proven.version(), Ok(VERSION));
    let message = grant(DeviceId::of(&key.public_key().unwrap()));
    let (answer, granted) = proven.grant(&message, None).unwrap();
    let received = wait.receive(&answer).unwrap();
    assert_eq!(received.grant, message);
    assert_eq!(received.digits, granted.digits);
    granted.acknowledged(&received.acknowledge()).unwrap();
    let other = Acknowledge { token: TokenHash::from_bytes([0; 32]) };
    assert_eq!(granted.acknowledged(&other), Err(HandshakeError::Proof));
}

#[test]
fn a_proof_with_any_one_thing_wrong_is_a_strangers() {
    let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let judge = |on: &Channel, envelope: Envelope, offer: &MacKey| {
        ScanOpened::open(on, envelope).and_then(|opened| opened.verify(offer)).map(|_| ())
    };
    let good = || proof(&channel(1), &key).0;
    assert_eq!(judge(&channel(1), good(), &offer()), Ok(()), "the control: nothing wrong");

    let mut no_mac = good();
    no_mac.mac = None;
    let mut no_signature = good();
    no_signature.signature = None;
    let mut others_signature = good();
    others_signature.signature = proof(&channel(1), &other_key).0.signature;
    let mut others_mac = good();
    others_mac.mac = proof(&channel(2), &key).0.mac;
    let other_secret = MacKey::of_offer(&OfferSecret::from_bytes([0; 16]));
    for (what, on, envelope, offer) in [
        ("no mac", channel(1), no_mac, offer()),
        ("no signature", channel(1), no_signature, offer()),
        ("another key's signature", channel(1), others_signature, offer()),
        ("a mac of another session", channel(1), others_mac, offer()),
        ("relayed into another session", channel(2), good(), offer()),
        ("seen under another pin", other_pin(), good(), offer()),
        ("another secret", channel(1), good(), other_secret),
        ("an altered name", channel(1), altered(&good(), "laptop", "laptip"), offer()),
        ("altered versions", channel(1), altered(&good(), "[1]", "[1,2]"), offer()),
    ] {
        assert_eq!(judge(&on, envelope, &offer), Err(HandshakeError::Proof), "{what}");
    }
}

#[test]
fn a_proof_that_leaves_out_the_session_could_be_relayed_and_ours_cannot() {
    // The broken twin binds its MAC to the message alone: the relay that fails above succeeds.
    let key = KeyPair::generate().unwrap();
    let (request, _) = proof(&channel(1), &key);
    let unbound = |message: &str| {
        let mut transcript = Transcript::new(Flow::Scan, &channel(0));
        transcript.absorb(message);
        offer().mac(Purpose::ScanProof, &transcript.hash())
    };
    let (seen_by_relay, seen_by_machine) = (unbound(&request.message), unbound(&request.message));
    assert_eq!(seen_by_relay, seen_by_machine, "the twin does not notice the relay");
    let bound = |on: &Channel| {
        let mut transcript = Transcript::new(Flow::Scan, on);
        transcript.absorb(&request.message);
        offer().mac(Purpose::ScanProof, &transcript.hash())
    };
    assert_ne!(bound(&channel(1)), bound(&channel(2)), "ours does");
}

#[test]
fn a_grant_that_is_not_the_offering_machines_is_not_believed() {
    let key = KeyPair::generate().unwrap();
    let message = grant(DeviceId::of(&key.public_key().unwrap()));
    let answer_to = |request: Envelope| {
        let opened = ScanOpened::open(&channel(1), request).unwrap();
        opened.verify(&offer()).unwrap().grant(&message, None).unwrap().0
    };
    let (request, wait) = proof(&channel(1), &key);
    let good = answer_to(request.clone());
    assert!(wait.receive(&good).is_ok(), "the control: nothing wrong");

    let mut no_mac = good.clone();
    no_mac.mac = None;
    let mut reflected = request.clone();
    reflected.mac = request.mac;
    let other_answer = answer_to(proof(&channel(1), &key).0);
    for (what, answer) in [
        ("no mac", no_mac),
        ("the device's own message, reflected", reflected),
        ("an altered role", altered(&good, "owner", "viewer")),
        ("the Grant of another Proof", {
            // Another Proof has the same message here (same key and details), so alter its request.
            let draft = ScanDraft::new(&channel(1), offer(), &DeviceDetails { name: "other".into(), ..details(&key) });
            let draft = draft.unwrap();
            let signature = key.sign(&draft.to_sign()).unwrap();
            answer_to(draft.signed(signature).0)
        }),
    ] {
        let (_, wait) = proof(&channel(1), &key);
        assert_eq!(wait.receive(&answer).err(), Some(HandshakeError::Proof), "{what}");
    }
    // ECDSA is randomised but stands beside the message: the same message gives the same Grant.
    let (_, wait) = proof(&channel(1), &key);
    assert!(wait.receive(&other_answer).is_ok());
}

#[test]
fn a_refusal_is_no_grant_and_a_grant_no_refusal() {
    let key = KeyPair::generate().unwrap();
    let (request, wait) = proof(&channel(1), &key);
    let refusal = Refusal::new(RefusalCode::OfferUsed, 7);
    let proven = ScanOpened::open(&channel(1), request.clone()).unwrap().verify(&offer()).unwrap();
    let refused = proven.refuse(&refusal).unwrap();
    assert!(proof(&channel(1), &key).1.receive(&refused).is_err());
    assert_eq!(wait.refused(&refused).unwrap(), refusal);
    // Nobody but the machine refuses: not without a MAC, not with another's, not in other words.
    let mut unsigned = refused.clone();
    unsigned.mac = None;
    let another = ScanOpened::open(&channel(2), proof(&channel(2), &key).0).unwrap().verify(&offer()).unwrap();
    for forged in [unsigned, another.refuse(&refusal).unwrap(), altered(&refused, "offer_used", "revoked")] {
        assert_eq!(proof(&channel(1), &key).1.refused(&forged).err(), Some(HandshakeError::Proof));
    }

    let proven = ScanOpened::open(&channel(1), request).unwrap().verify(&offer()).unwrap();
    let (granted, _) = proven.grant(&grant(DeviceId::from_bytes([0; 16])), None).unwrap();
    assert!(proof(&channel(1), &key).1.refused(&granted).is_err());
}

#[test]
fn a_device_that_speaks_no_version_of_ours_is_told_so_after_it_proved_the_secret() {
    let key = KeyPair::generate().unwrap();
    let (good, _) = proof(&channel(1), &key);
    let mut request = altered(&good, "[1]", "[2]");
    let mut transcript = Transcript::new(Flow::Scan, &channel(1));
    transcript.absorb(&request.message);
    request.mac = Some(offer().mac(Purpose::ScanProof, &transcript.hash()));
    // The signature is over the transcript too; without it the device stays a stranger.
    assert!(ScanOpened::open(&channel(1), request.clone()).unwrap().verify(&offer()).is_err());
    request.signature = Some(key.sign(&to_sign(Purpose::SessionKeyScan, &transcript)).unwrap());
    let proven = ScanOpened::open(&channel(1), request).unwrap().verify(&offer()).unwrap();
    assert_eq!(proven.version(), Err(HandshakeError::Version));
}

#[test]
fn a_device_of_another_version_is_told_so_in_a_preview_and_at_a_reconnect() {
    let key = KeyPair::generate().unwrap();
    let public = key.public_key().unwrap();
    for (versions, verdict) in [
        ("[1]", Ok(VERSION)),
        ("[2,1]", Ok(VERSION)),
        ("[2]", Err(HandshakeError::Version)),
        ("[]", Err(HandshakeError::Version)),
    ] {
        let (good, _) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
        let mut request = altered(&good, "[1]", versions);
        let mut transcript = Transcript::new(Flow::Preview, &channel(1));
        transcript.absorb(&request.message);
        request.mac = Some(offer().mac(Purpose::PreviewRequest, &transcript.hash()));
        let proven = PreviewOpened::open(&channel(1), &request).unwrap().verify(&offer()).unwrap();
        assert_eq!(proven.version(), verdict, "preview {versions}");

        let draft = ResumeDraft::new(&channel(1), DeviceId::of(&public), &SessionToken::from_bytes([5; 32])).unwrap();
        let signature = key.sign(&draft.to_sign()).unwrap();
        let (good, _) = draft.signed(signature, &RecognitionKey::from_bytes([6; 32]));
        let mut request = altered(&good, "[1]", versions);
        let mut transcript = Transcript::new(Flow::Resume, &channel(1));
        transcript.absorb(&request.message);
        request.signature = Some(key.sign(&to_sign(Purpose::SessionKeyResume, &transcript)).unwrap());
        let proven = ResumeOpened::open(&channel(1), &request).unwrap().verify(&public).unwrap();
        assert_eq!(proven.version(), verdict, "resume {versions}");
    }
}

/// What a session key signs, as `docs/protocol.md` says.
fn to_sign(purpose: Purpose, transcript: &Transcript) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [purpose.label(), transcript.hash().as_bytes()] {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[test]
fn a_machine_that_chooses_another_version_is_refused_though_its_proof_holds() {
    let (key, r) = (KeyPair::generate().unwrap(), RecognitionKey::from_bytes([6; 32]));
    for (version, verdict) in
        [(VERSION, Ok(())), (VERSION + 1, Err(HandshakeError::Version)), (0, Err(HandshakeError::Version))]
    {
        let (request, wait) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
        let proven = PreviewOpened::open(&channel(1), &request).unwrap().verify(&offer()).unwrap();
        let preview = Preview {
            version,
            machine: MachineId::from_bytes([1; 16]),
            name: "homebox".into(),
            platform: "Debian".into(),
            role: Role::Owner,
        };
        let answer = proven.answer(&preview, None).unwrap();
        assert_eq!(wait.receive(&answer).map(|_| ()), verdict, "preview {version}");

        let (request, wait) = proof(&channel(1), &key);
        let proven = ScanOpened::open(&channel(1), request).unwrap().verify(&offer()).unwrap();
        let message = Grant { version, ..grant(DeviceId::from_bytes([0; 16])) };
        let (answer, _) = proven.grant(&message, None).unwrap();
        assert_eq!(wait.receive(&answer).map(|_| ()), verdict, "grant {version}");

        let public = key.public_key().unwrap();
        let draft = ResumeDraft::new(&channel(1), DeviceId::of(&public), &SessionToken::from_bytes([5; 32])).unwrap();
        let signature = key.sign(&draft.to_sign()).unwrap();
        let (request, wait) = draft.signed(signature, &r);
        let proven = ResumeOpened::open(&channel(1), &request).unwrap().verify(&public).unwrap();
        let answer = proven.welcome(&r, &Welcome { version, ..welcome() }).unwrap();
        assert_eq!(wait.receive(&answer).map(|_| ()), verdict, "welcome {version}");
    }
}

#[test]
fn only_the_machine_with_r_is_recognised() {
    let key = KeyPair::generate().unwrap();
    let r = RecognitionKey::from_bytes([6; 32]);
    let not_r = RecognitionKey::from_bytes([7; 32]);
    for (held, recognised) in [(Some(&r), true), (Some(&not_r), false), (None, false)] {
        let (request, wait) = AwaitPreview::request(&channel(1), offer(), Some(DeviceId::from_bytes([1; 16]))).unwrap();
        let preview = Preview {
            version: VERSION,
            machine: MachineId::from_bytes([1; 16]),
            name: "homebox".into(),
            platform: "Debian".into(),
            role: Role::Owner,
        };
        let proven = PreviewOpened::open(&channel(1), &request).unwrap().verify(&offer()).unwrap();
        assert_eq!(proven.device(), Some(DeviceId::from_bytes([1; 16])));
        let received = wait.receive(&proven.answer(&preview, held).unwrap()).unwrap();
        assert_eq!(received.recognised(&r), recognised, "preview");

        let (request, wait) = proof(&channel(1), &key);
        let proven = ScanOpened::open(&channel(1), request).unwrap().verify(&offer()).unwrap();
        let (answer, _) = proven.grant(&grant(DeviceId::from_bytes([0; 16])), held).unwrap();
        assert_eq!(wait.receive(&answer).unwrap().recognised(&r), recognised, "grant");
    }
}

#[test]
fn a_preview_is_for_who_holds_the_secret_and_from_who_made_it() {
    let (request, _) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
    let other = MacKey::of_offer(&OfferSecret::from_bytes([0; 16]));
    let open = |on: &Channel| PreviewOpened::open(on, &request).unwrap();
    assert!(open(&channel(1)).verify(&offer()).is_ok());
    assert_eq!(open(&channel(1)).verify(&other).err(), Some(HandshakeError::Proof));
    assert_eq!(open(&channel(2)).verify(&offer()).err(), Some(HandshakeError::Proof));
    let preview = Preview {
        version: VERSION,
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        role: Role::Owner,
    };
    let answer = open(&channel(1)).verify(&offer()).unwrap().answer(&preview, None).unwrap();
    let (_, wait) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
    assert_eq!(wait.receive(&altered(&answer, "homebox", "homebix")).err(), Some(HandshakeError::Proof));
    let (_, wait) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
    assert_eq!(wait.receive(&answer).unwrap().preview, preview);
}

/// A reconnect request over `on`, with the device that waits for the welcome.
fn comeback(on: &Channel, key: &KeyPair, r: &RecognitionKey) -> (Envelope, AwaitWelcome) {
    let device = DeviceId::of(&key.public_key().unwrap());
    let draft = ResumeDraft::new(on, device, &SessionToken::from_bytes([5; 32])).unwrap();
    let signature = key.sign(&draft.to_sign()).unwrap();
    draft.signed(signature, r)
}

#[test]
fn a_reconnect_needs_the_session_key_over_this_very_session() {
    let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let public = key.public_key().unwrap();
    let r = RecognitionKey::from_bytes([6; 32]);
    let judge = |on: &Channel, envelope: &Envelope| {
        ResumeOpened::open(on, envelope).and_then(|opened| opened.verify(&public)).map(|_| ())
    };
    let good = comeback(&channel(1), &key, &r).0;
    assert_eq!(judge(&channel(1), &good), Ok(()), "the control: nothing wrong");
    let mut unsigned = good.clone();
    unsigned.signature = None;
    let mut crossed = good.clone();
    crossed.signature = proof(&channel(1), &key).0.signature;
    let mut others = good.clone();
    others.signature = comeback(&channel(1), &other_key, &r).0.signature;
    for (what, on, envelope) in [
        ("no signature", channel(1), unsigned),
        ("the proof of a scan", channel(1), crossed),
        ("another key's", channel(1), others),
        ("relayed or replayed into another session", channel(2), good.clone()),
        ("under another pin", other_pin(), good),
    ] {
        assert_eq!(judge(&on, &envelope), Err(HandshakeError::Proof), "{what}");
    }
}

#[test]
fn a_welcome_without_r_is_not_believed() {
    let key = KeyPair::generate().unwrap();
    let (r, not_r) = (RecognitionKey::from_bytes([6; 32]), RecognitionKey::from_bytes([7; 32]));
    let proven = |request: &Envelope| {
        ResumeOpened::open(&channel(1), request).unwrap().verify(&key.public_key().unwrap()).unwrap()
    };
    let (request, wait) = comeback(&channel(1), &key, &r);
    assert_eq!(wait.receive(&proven(&request).welcome(&r, &welcome()).unwrap()).unwrap(), welcome());
    let (request, wait) = comeback(&channel(1), &key, &r);
    let thief = proven(&request).welcome(&not_r, &welcome()).unwrap();
    assert_eq!(wait.receive(&thief).err(), Some(HandshakeError::Proof));
    let (request, wait) = comeback(&channel(1), &key, &r);
    let refused = proven(&request).refuse(&r, &Refusal::new(RefusalCode::Revoked, 1)).unwrap();
    assert_eq!(wait.receive(&refused).err(), Some(HandshakeError::Proof), "a refusal is no welcome");
    let (request, wait) = comeback(&channel(1), &key, &r);
    let forged = proven(&request).refuse(&not_r, &Refusal::new(RefusalCode::Revoked, 1)).unwrap();
    assert!(wait.refused(&forged).is_err(), "who has not R cannot tell a device that it is revoked");
}

/// Both ends of a code pairing up to the device's confirmation.
fn code_run(
    device_on: &Channel,
    machine_on: &Channel,
    typed: &str,
    shown: &str,
    key: &KeyPair,
) -> (Result<CodeProven, HandshakeError>, CodeAwaitMachine) {
    let code = |text| TypedCode::parse(text).unwrap();
    let (share, wait) = CodeAwaitShare::start(device_on, &code(typed), &Secret::from_bytes([1; 32])).unwrap();
    let opened = CodeOpened::open(machine_on, &share).unwrap();
    let (answer, machine) = opened.answer(&code(shown), &Secret::from_bytes([2; 32])).unwrap();
    let draft = wait.receive(&answer, &details(key)).unwrap();
    let signature = key.sign(&draft.to_sign()).unwrap();
    let (confirm, device) = draft.signed(signature);
    (machine.receive(confirm).unwrap().check(), device)
}

#[test]
fn a_typed_code_pairs() {
    let key = KeyPair::generate().unwrap();
    let (proven, device) = code_run(&channel(1), &channel(1), "12345678", "12345678", &key);
    let machine = CodeWelcome {
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        role: Role::Operator,
    };
    let (answer, wait_yes) = proven.unwrap().welcome(&machine).unwrap();
    let met = device.receive(&answer).unwrap();
    assert_eq!(met.machine, machine);
    let (yes, wait_grant) = met.proceed(&details(&key)).unwrap();
    let answered = wait_yes.receive(&yes).unwrap();
    assert_eq!(answered.details().name, "laptop");
    let message = grant(DeviceId::of(&key.public_key().unwrap()));
    let (envelope, granted) = answered.grant(&message, None).unwrap();
    let received = wait_grant.receive(&envelope).unwrap();
    assert_eq!((received.grant.clone(), received.digits), (message, granted.digits));
}

#[test]
fn a_wrong_code_or_a_middle_learns_nothing_and_proves_nothing() {
    let key = KeyPair::generate().unwrap();
    for (what, device_on, machine_on, typed) in [
        ("wrong code", channel(1), channel(1), "12345679"),
        ("a middle with two sessions", channel(1), channel(2), "12345678"),
        ("a machine of another pin", other_pin(), channel(1), "12345678"),
    ] {
        let (proven, _) = code_run(&device_on, &machine_on, typed, "12345678", &key);
        assert_eq!(proven.err(), Some(HandshakeError::Proof), "{what}");
    }
}

#[test]
fn a_false_machine_that_does_not_know_the_code_is_not_believed() {
    let key = KeyPair::generate().unwrap();
    let machine = CodeWelcome {
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        role: Role::Operator,
    };
    // It runs the exchange with a guess of its own and confirms under what it got.
    let (_, device) = code_run(&channel(1), &channel(1), "12345678", "87654321", &key);
    let (proven, _) = code_run(&channel(1), &channel(1), "87654321", "87654321", &key);
    let (answer, _) = proven.unwrap().welcome(&machine).unwrap();
    assert_eq!(device.receive(&answer).err(), Some(HandshakeError::Proof));
}

#[test]
fn garbage_is_refused_and_never_panics() {
    let on = channel(1);
    for message in ["", "!", "e30", "bnVsbA", "W10", &"A".repeat(100_000)] {
        let envelope = Envelope { message: message.to_owned(), mac: None, signature: None, recognition: None };
        assert!(PreviewOpened::open(&on, &envelope).is_err());
        assert!(ScanOpened::open(&on, envelope.clone()).is_err());
        assert!(CodeOpened::open(&on, &envelope).is_err());
        assert!(ResumeOpened::open(&on, &envelope).is_err());
        assert!(proof(&on, &KeyPair::generate().unwrap()).1.receive(&envelope).is_err());
    }
}

/// One letter of a message changed to another of its alphabet.
fn one_letter_off(text: &str, at: usize) -> String {
    let at = at % text.len();
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// One bit of a proof flipped.
fn one_bit_off<const N: usize>(bytes: &[u8; N], bit: usize) -> [u8; N] {
    let mut changed = *bytes;
    changed[bit / 8 % N] ^= 1 << (bit % 8);
    changed
}

/// Every way in which one thing about a message in flight can be altered, by number.
fn altered_in_flight(envelope: &Envelope, part: u8, at: usize) -> Option<Envelope> {
    let mut changed = envelope.clone();
    match part {
        0 => changed.message = one_letter_off(&envelope.message, at),
        1 => changed.mac = Some(Mac::from_bytes(one_bit_off(envelope.mac?.as_bytes(), at))),
        2 => {
            let signature = envelope.signature?;
            changed.signature =
                Some(pairpin_core::identity::Signature::from_bytes(one_bit_off(signature.as_bytes(), at)));
        }
        3 => changed.message.truncate(at % envelope.message.len()),
        _ => changed.message.push('A'),
    }
    Some(changed)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    /// Whatever single thing a middle alters in whatever message, the side that gets it says no.
    #[test]
    fn nothing_altered_in_flight_is_believed(part in 0u8..5, at in 0usize..4096, victim in 0u8..5) {
        let key = KeyPair::generate().unwrap();
        let r = RecognitionKey::from_bytes([6; 32]);
        let (request, wait) = proof(&channel(1), &key);
        let refused = match victim {
            0 => altered_in_flight(&request, part, at).map(|changed| {
                ScanOpened::open(&channel(1), changed).and_then(|opened| opened.verify(&offer())).is_err()
            }),
            1 => {
                let proven = ScanOpened::open(&channel(1), request).unwrap().verify(&offer()).unwrap();
                let (answer, _) = proven.grant(&grant(DeviceId::from_bytes([0; 16])), None).unwrap();
                altered_in_flight(&answer, part, at).map(|changed| wait.receive(&changed).is_err())
            }
            2 => {
                let (request, _) = comeback(&channel(1), &key, &r);
                let public = key.public_key().unwrap();
                altered_in_flight(&request, part, at).map(|changed| {
                    ResumeOpened::open(&channel(1), &changed).and_then(|opened| opened.verify(&public)).is_err()
                })
            }
            3 => {
                let (request, wait) = comeback(&channel(1), &key, &r);
                let public = key.public_key().unwrap();
                let proven = ResumeOpened::open(&channel(1), &request).unwrap().verify(&public).unwrap();
                let answer = proven.welcome(&r, &welcome()).unwrap();
                altered_in_flight(&answer, part, at).map(|changed| wait.receive(&changed).is_err())
            }
            _ => {
                let (request, _) = AwaitPreview::request(&channel(1), offer(), None).unwrap();
                altered_in_flight(&request, part, at).map(|changed| {
                    PreviewOpened::open(&channel(1), &changed).and_then(|opened| opened.verify(&offer())).is_err()
                })
            }
        };
        // A message without that proof has nothing to alter there.
        proptest::prop_assert!(refused.unwrap_or(true));
    }
}

#[test]
fn the_check_of_altered_messages_can_fail() {
    // The control: beside nothing altered, the same judges say yes.
    let key = KeyPair::generate().unwrap();
    let (request, _) = proof(&channel(1), &key);
    assert!(ScanOpened::open(&channel(1), request.clone()).and_then(|opened| opened.verify(&offer())).is_ok());
    assert_ne!(altered_in_flight(&request, 0, 7).unwrap().message, request.message);
    assert_ne!(altered_in_flight(&request, 1, 7).unwrap().mac, request.mac);
    assert_ne!(altered_in_flight(&request, 2, 7).unwrap().signature, request.signature);
}
