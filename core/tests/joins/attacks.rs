//! Flow (c) against whoever would be let in as another, or let somebody in who may not.

use pairpin_core::client::{ClientError, JoinTerms};
use pairpin_core::handshake::*;
use pairpin_core::identity::KeyPair;
use pairpin_core::link::Link;
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::role::Role;
use pairpin_core::secrets::OfferSecret;
use pairpin_core::wire::*;

use crate::common::{Device, pair_of_both};
use crate::faults::false_machine::FalseMachine;
use crate::owner::{Owner, Yes};
use crate::peer::{self, next_frame};
use crate::{another, approver, asks, secrets, shown};

/// A joiner made of parts, as far as the machine's nonce.
async fn begins(at: &[Address], device: &peer::Device) -> (Socket, JoinSigning) {
    let mut dialled = peer::connect(at, PinCheck::Provisional).await;
    let fresh = JoinFresh::from_bytes(rand32());
    let (commit, draft) = JoinDraft::new(&dialled.channel, &device.details(), fresh).unwrap();
    let response = request(&mut dialled.stream, Flow::Join, &commit).await.unwrap();
    assert!(matches!(response, Response::Switched), "{response:?}");
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(nonce)) = next_frame(&mut socket).await else { panic!("no nonce") };
    (socket, draft.receive(&nonce).unwrap())
}

fn rand32() -> [u8; 32] {
    *pairpin_core::secrets::Secret::<32>::generate().unwrap().expose()
}

/// The same, shown to people.
pub async fn waits(at: &[Address], device: &peer::Device) -> (Socket, JoinWaiting) {
    let (mut socket, signing) = begins(at, device).await;
    let signature = device.key.sign(&signing.to_sign()).unwrap();
    let (reveal, waiting) = signing.signed(signature);
    socket.send(Frame::Handshake(reveal)).await.unwrap();
    (socket, waiting)
}

pub fn yes(listed: &JoinListed, how: JoinHow) -> Yes {
    Yes { join: listed.join, key: listed.key, how, role: Role::Operator }
}

#[tokio::test]
async fn a_relaying_middle_shows_another_number_and_another_qr_than_the_machine_sees() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    // The person's laptop dials the middle, which asks the real machine as itself at the same time.
    let middle = FalseMachine::start().await;
    middle.grants_nothing();
    let laptop = Device::new(&machine.clock);
    let asked = laptop.client.ask_to_join(middle.address.clone()).await.unwrap();
    let spy = peer::Device::new("laptop");
    let (_spy_socket, spys) = waits(&[machine.address()], &spy).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    assert_eq!(listed.name, "laptop", "what it says of itself is no help");

    // By the scan: the pin is the middle's, and its T is of another channel.
    assert!(matches!(owner.client.machine_of_join(&asked.qr).await, Err(ClientError::NotOurMachine)));
    let refused = session.approve_scanned(&asked.qr, JoinTerms::default()).await;
    assert!(matches!(refused, Err(ClientError::NotOurMachine)), "{refused:?}");
    // By the number: one in ten million is the middle's luck, and that was its attempt.
    let number = asked.number.unwrap();
    assert_ne!(Some(number), spys.number());
    let act = session.approve_number(listed.join, number, JoinTerms::default()).await.unwrap();
    assert!(matches!(session.let_in_here(act).await, Err(ClientError::NotThatJoin)));
    assert_eq!(machine.host().devices().len(), 1);

    // The control: its own number would have let the spy in.
    let (_socket, spys) = waits(&[machine.address()], &spy).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    let act = session.approve_number(listed.join, spys.number().unwrap(), JoinTerms::default()).await.unwrap();
    session.let_in_here(act).await.unwrap();
}

/// Somebody cuts the connection behind the acknowledgement: the joiner comes back before the disk has taken it in, and
/// were it told that nobody knows it, it would erase its key, and the machine's list would have a device without one.
#[tokio::test]
async fn a_joiner_that_is_cut_off_while_it_is_written_is_no_stranger_when_it_comes_back() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let device = peer::Device::new("laptop");
    let (mut socket, waiting) = waits(&[machine.address()], &device).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    let act = session.approve_number(listed.join, waiting.number().unwrap(), JoinTerms::default()).await.unwrap();
    let accepted = session.let_in_here(act).await.unwrap();
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no grant") };
    let received = waiting.receive(&grant).unwrap().typed(&accepted.digits).unwrap();
    let granted = peer::session(&received);

    let slow = rusqlite::Connection::open(machine.state().join("machine.db")).unwrap();
    slow.execute_batch("BEGIN IMMEDIATE").unwrap();
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    drop(socket);
    let written = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        slow.execute_batch("ROLLBACK").unwrap();
    };
    let (back, ()) = tokio::join!(device.resume(machine.host(), &granted), written);
    assert_eq!(back.map(|(_, welcome)| welcome.role), Ok(Role::Operator));
}

#[tokio::test]
async fn a_middle_that_grinds_its_reveal_for_a_number_is_cut_off() {
    let (machine, _) = pair_of_both().await;
    let spy = peer::Device::new("spy");
    // By hand: the committed reveal, then a search for another writing of it whose T ends as is wished.
    for grinds in [true, false] {
        let mut dialled = peer::connect(&[machine.address()], PinCheck::Provisional).await;
        let reveal = Envelope::of(&JoinReveal { nonce: JoinFresh::from_bytes(rand32()) }).unwrap();
        let commit = commitment(&reveal);
        let details = spy.details();
        let first = Envelope::of(&JoinCommit {
            versions: vec![VERSION],
            commit,
            key: details.key,
            key_kind: details.key_kind,
            name: details.name,
            platform: details.platform,
        })
        .unwrap();
        let mut transcript = Transcript::new(Flow::Join, &dialled.channel);
        transcript.absorb(&first.message);
        let Response::Switched = request(&mut dialled.stream, Flow::Join, &first).await.unwrap() else { panic!() };
        let mut socket = Socket::device(dialled.stream).await;
        let Some(Frame::Handshake(nonce)) = next_frame(&mut socket).await else { panic!("no nonce") };
        transcript.absorb(&nonce.message);
        let mut sent = reveal.clone();
        if grinds {
            let nonce = reveal.read::<JoinReveal>().unwrap().nonce;
            let found = (0_u32..100_000).find_map(|more| {
                let ground = Envelope::of_any(&serde_json::json!({ "nonce": nonce, "more": more })).unwrap();
                let mut with = transcript.clone();
                with.absorb(&ground.message);
                let number = number_of(&with.hash());
                number.ends_with("777").then_some(ground)
            });
            // It reads as the same reveal, and would have the number that is wanted.
            sent = found.expect("grinding would find it");
            assert_eq!(sent.read::<JoinReveal>().unwrap(), reveal.read::<JoinReveal>().unwrap());
        }
        transcript.absorb(&sent.message);
        let proof = length_prefixed(&[b"pairpin v1 session key join", transcript.hash().as_bytes()]);
        sent.signature = Some(spy.key.sign(&proof).unwrap());
        socket.send(Frame::Handshake(sent)).await.unwrap();
        if grinds {
            assert_eq!(next_frame(&mut socket).await, None, "cut off");
            assert!(machine.host().joins().is_empty());
        } else {
            // The control: the same without the search is shown.
            shown(machine.host(), 1).await;
        }
    }
}

/// As `docs/protocol.md` writes them, apart from the code that is tested.
fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

fn commitment(reveal: &Envelope) -> JoinCommitment {
    JoinCommitment::from_bytes(sha256(&length_prefixed(&[b"pairpin v1 join commitment", reveal.message.as_bytes()])))
}

fn number_of(transcript: &TranscriptHash) -> String {
    let hash = sha256(&length_prefixed(&[b"pairpin v1 join number", transcript.as_bytes()]));
    let first = u64::from_be_bytes(hash[..8].try_into().unwrap());
    format!("{:07}", first % 10_000_000)
}

#[tokio::test]
async fn a_joiner_that_shows_anothers_key_is_cut_off() {
    let (machine, _) = pair_of_both().await;
    let (honest, thief) = (peer::Device::new("honest"), KeyPair::generate().unwrap());
    let (mut socket, signing) = begins(&[machine.address()], &honest).await;
    let signature = thief.sign(&signing.to_sign()).unwrap();
    socket.send(Frame::Handshake(signing.signed(signature).0)).await.unwrap();
    assert_eq!(next_frame(&mut socket).await, None);
    assert!(machine.host().joins().is_empty());
    let _control = waits(&[machine.address()], &honest).await;
    shown(machine.host(), 1).await;
}

#[tokio::test]
async fn an_approval_is_good_once_for_one_join_one_key_and_one_machine() {
    let (machine, _) = pair_of_both().await;
    let (other_machine, _) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let at = [machine.address()];
    let (_first, first) = waits(&at, &peer::Device::new("first")).await;
    shown(machine.host(), 1).await;
    let (_second, second) = waits(&at, &peer::Device::new("second")).await;
    let listed = shown(machine.host(), 2).await;
    let of = |join| listed.iter().find(|listed| listed.join == join).unwrap();
    let (first_yes, second_yes) = (
        yes(of(first.join()), JoinHow::Scan(first.qr().transcript)),
        yes(of(second.join()), JoinHow::Scan(second.qr().transcript)),
    );
    // What is said is not what was signed: another join, its key, its role.
    for said in [
        Yes { join: second_yes.join, ..yes(of(first.join()), first_yes.how) },
        Yes { key: second_yes.key, ..yes(of(first.join()), first_yes.how) },
        Yes { how: second_yes.how, ..yes(of(first.join()), first_yes.how) },
        Yes { role: Role::Owner, ..yes(of(first.join()), first_yes.how) },
        Yes { how: JoinHow::Number(first.number().unwrap()), ..yes(of(first.join()), first_yes.how) },
    ] {
        let signed = owner.signed_yes(&first_yes).await;
        assert_eq!(owner.say(&said, signed).await, Err(RequestError::Statement));
    }
    // Signed for the one key, of the other join.
    let swapped = Yes { key: second_yes.key, ..yes(of(first.join()), first_yes.how) };
    assert_eq!(owner.approve(&swapped).await, Err(RequestError::Gone));
    assert_eq!(machine.host().joins().len(), 2, "none of that was an attempt at a number");
    // Shown to a second machine, with its own nonce.
    let mut elsewhere = Owner::without_key(other_machine.host()).await;
    let stolen = owner.signed_with(elsewhere.nonce().await, &first_yes);
    assert_eq!(elsewhere.say(&first_yes, stolen).await, Err(RequestError::Statement));

    let signed = owner.signed_yes(&first_yes).await;
    owner.say(&first_yes, signed).await.expect("the control");
    assert_eq!(owner.say(&first_yes, signed).await, Err(RequestError::Nonce), "replayed");
    assert_eq!(owner.say(&second_yes, signed).await, Err(RequestError::Nonce), "re-targeted");
}

#[tokio::test]
async fn an_approval_of_the_same_key_at_a_second_machine_is_not_taken() {
    // One owner, enrolled with the same approval key at both, and one joiner asking both.
    let (machine, _) = pair_of_both().await;
    let (other, _) = pair_of_both().await;
    let owner = Owner::new(machine.host()).await;
    let mut there = Owner::without_key(other.host()).await;
    there.approval = KeyPair::from_pkcs8(owner.approval.pkcs8().clone()).unwrap();
    there.enrol().await;
    let joiner = peer::Device::new("laptop");
    let (_socket, waiting) = waits(&[other.address()], &joiner).await;
    let listed = shown(other.host(), 1).await.remove(0);
    let wanted = yes(&listed, JoinHow::Scan(waiting.qr().transcript));
    // Right in all but the machine it is addressed to.
    let given = there.nonce().await;
    let for_the_first = owner.signed_with(given, &wanted);
    assert_eq!(there.say(&wanted, for_the_first).await, Err(RequestError::Statement));
    there.approve(&wanted).await.expect("the control");
}

#[tokio::test]
async fn a_join_qr_that_holds_the_digest_of_something_else_is_a_no() {
    let (machine, _) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let joiner = peer::Device::new("laptop");
    // A digest that somebody would like the approval key to have signed; and another join's T.
    for digest in [sha256(b"revoke everybody"), [0; 32]] {
        let (mut socket, waiting) = waits(&[machine.address()], &joiner).await;
        let listed = shown(machine.host(), 1).await.remove(0);
        let how = JoinHow::Scan(JoinTranscript::from_bytes(digest));
        assert_eq!(owner.approve(&yes(&listed, how)).await, Err(RequestError::NotThatJoin));
        assert!(matches!(next_frame(&mut socket).await, Some(Frame::Refused(_))));
        // And the right one comes too late.
        let how = JoinHow::Scan(waiting.qr().transcript);
        assert_eq!(owner.approve(&yes(&listed, how)).await, Err(RequestError::Gone));
    }
    let (_socket, waiting) = waits(&[machine.address()], &joiner).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    owner.approve(&yes(&listed, JoinHow::Scan(waiting.qr().transcript))).await.expect("the control");
    assert_eq!(machine.host().devices().len(), 1, "and nobody is paired by a yes alone");
}

#[tokio::test]
async fn who_is_no_owner_and_who_has_no_approval_key_lets_nobody_in() {
    let (machine, _) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let mut operator = Owner::new(machine.host()).await;
    let mut stolen = Owner::without_key(machine.host()).await;
    machine
        .host()
        .set_device(stolen.device, pairpin_core::host::DeviceChange { role: Some(Role::Owner), ..Default::default() })
        .await
        .unwrap();
    let (_socket, waiting) = waits(&[machine.address()], &peer::Device::new("laptop")).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    let wanted = yes(&listed, JoinHow::Number(waiting.number().unwrap()));
    assert_eq!(operator.joins().await.err(), Some(RequestError::Role.code()));
    assert_eq!(operator.approve(&wanted).await, Err(RequestError::Role));
    // The session key of an owner whose approval key is not there; it can see, and say no.
    assert_eq!(stolen.joins().await.unwrap().len(), 1);
    assert_eq!(stolen.approve(&wanted).await, Err(RequestError::Statement));
    let empty = serde_json::json!({ "join": wanted.join, "key": wanted.key, "how": wanted.how, "role": "owner" });
    assert_eq!(stolen.ask("approve-join", empty).await, Err(RequestError::Params.code()));
    assert_eq!(machine.host().joins().len(), 1, "no attempt was spent by that");
    owner.approve(&wanted).await.expect("the control");
}

#[tokio::test]
async fn an_owner_that_is_revoked_before_the_joiner_acknowledges_has_let_nobody_in() {
    for revoked in [true, false] {
        let (machine, _) = pair_of_both().await;
        let mut owner = Owner::new(machine.host()).await;
        let (joiner, asked) = asks(&machine).await;
        let listed = machine.host().joins().remove(0);
        let accepted = owner.approve(&yes(&listed, JoinHow::Number(asked.number.unwrap()))).await.unwrap();
        let granted = asked.wait().await.unwrap();
        if revoked {
            machine.host().revoke(owner.device, pairpin_core::host::SHELL, None).await.unwrap();
        }
        let typed = granted.typed(&accepted.digits).await;
        assert_eq!(typed.is_err(), revoked, "{typed:?}");
        assert_eq!(joiner.client.machines().await.unwrap().is_empty(), revoked);
        assert_eq!(
            machine.host().devices().iter().filter(|device| device.let_in.is_some()).count(),
            usize::from(!revoked)
        );
    }
}

/// A disk that fails keeps the revoke from being one; what the owner decided is kept out with it all the same.
#[tokio::test]
async fn an_owner_whose_revoke_could_not_be_stored_has_let_nobody_in() {
    for revoked in [true, false] {
        let (machine, _) = pair_of_both().await;
        let mut owner = Owner::new(machine.host()).await;
        let (joiner, asked) = asks(&machine).await;
        let listed = machine.host().joins().remove(0);
        let accepted = owner.approve(&yes(&listed, JoinHow::Number(asked.number.unwrap()))).await.unwrap();
        let granted = asked.wait().await.unwrap();
        if revoked {
            let beside = rusqlite::Connection::open(machine.state().join(pairpin_core::host::DATABASE_FILE)).unwrap();
            let fail = "CREATE TRIGGER fail BEFORE INSERT ON tombstones BEGIN SELECT RAISE(ABORT, 'no tombstone'); END";
            beside.execute_batch(fail).unwrap();
            let failed = machine.host().revoke(owner.device, pairpin_core::host::SHELL, None).await;
            assert!(failed.is_err(), "it was stored: {failed:?}");
        }
        let typed = granted.typed(&accepted.digits).await;
        assert_eq!(typed.is_err(), revoked, "{typed:?}");
        assert_eq!(joiner.client.machines().await.unwrap().is_empty(), revoked);
    }
}

#[tokio::test]
async fn a_false_machine_that_grants_by_itself_is_never_stored() {
    let machine = FalseMachine::start().await;
    let clock = std::sync::Arc::new(crate::common::TestClock::default());
    let joiner = Device::new(&clock);
    let asked = joiner.client.ask_to_join(machine.address.clone()).await.unwrap();
    let granted = asked.wait().await.unwrap();
    assert_eq!(granted.name, "homebox", "it says what it likes");
    // Nobody has let this device in, so nobody has digits for it: whatever is typed is a guess.
    let right = machine.join_digits().unwrap();
    let guess = if right == "1234" { "4321" } else { "1234" };
    let error = granted.typed(guess).await.unwrap_err();
    assert!(matches!(error, ClientError::JoinDigitsWrong), "{error:?}");
    assert!(secrets(&joiner).is_empty() && joiner.client.machines().await.unwrap().is_empty());
    // The control: a joiner that did not ask for digits, or took the false machine's word for them, would
    // have it in its list.
    let granted = joiner.client.ask_to_join(machine.address.clone()).await.unwrap().wait().await.unwrap();
    let paired = granted.typed(&machine.join_digits().unwrap()).await.unwrap();
    assert_eq!(paired.machine.name, "homebox");
    assert_eq!(secrets(&joiner).len(), 2);
}

#[tokio::test]
async fn a_revoked_key_is_shown_with_who_revoked_it_and_is_not_let_in() {
    let (machine, _) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let device = peer::Device::new("laptop");
    device.pair(&peer::offer(machine.host()).link.unwrap()).await.unwrap();
    machine.host().revoke(device.id(), "Ana", None).await.unwrap();
    let (_socket, waiting) = waits(&[machine.address()], &device).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    assert_eq!(listed.revoked_by.as_deref(), Some("Ana"));
    let wanted = yes(&listed, JoinHow::Scan(waiting.qr().transcript));
    assert_eq!(owner.approve(&wanted).await, Err(RequestError::KeyRevoked));
    let error = machine.host().approve_join(listed.join, waiting.number().unwrap(), None, None).await.unwrap_err();
    assert!(error.to_string().contains("Ana"), "{error}");
}

#[tokio::test]
async fn a_wrong_number_from_afar_is_the_one_attempt_too() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (joiner, asked) = asks(&machine).await;
    let number = asked.number.unwrap();
    let wrong = session.approve_number(asked.qr.join, another(number), JoinTerms::default()).await.unwrap();
    let right = session.approve_number(asked.qr.join, number, JoinTerms::default()).await.unwrap();
    assert!(matches!(session.let_in_here(wrong).await, Err(ClientError::NotThatJoin)));
    assert!(matches!(session.let_in_here(right).await, Err(ClientError::NotThere { .. })));
    assert!(matches!(asked.wait().await, Err(ClientError::JoinDenied)));
    assert!(secrets(&joiner).is_empty());
}

#[tokio::test]
async fn an_offers_link_is_no_join_and_a_join_is_no_link() {
    let (machine, _) = pair_of_both().await;
    let (_joiner, asked) = asks(&machine).await;
    assert!(Link::parse(&asked.qr.to_text()).unwrap_err().to_string().contains("not an offer"));
    let link = Link { pin: asked.qr.pin, secret: OfferSecret::generate().unwrap(), addresses: vec![] };
    let error = pairpin_core::join_qr::JoinQr::parse(&link.to_text()).unwrap_err();
    assert!(error.to_string().contains("this is an offer"), "{error}");
}
