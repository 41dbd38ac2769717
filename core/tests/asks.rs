//! Asks, from the question to the answer: a yes needs the approval key, its own words and its own nonce, and
//! nothing else ever becomes one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Device, Machine, TestClock};
use pairpin_core::client::{Act, AskItem, ClientError, InboxItem, MachineSession, answered};
use pairpin_core::host::{AskError, AskWaiting, DeviceChange, OfferRequest, Question, SHELL, TooMany};
use pairpin_core::identity::{KeyPair, Signature};
use pairpin_core::role::Role;
use pairpin_core::wire::{AskAnswered, AskClaimed, AskEnd, AskKnown, AskObserved, DeviceEvent, RequestHash, limits};

const DEADLINE: Duration = Duration::from_secs(20);

async fn machine() -> Machine {
    Machine::start(&Arc::new(TestClock::default())).await
}

/// A device of this role, with a session and, where wanted, an approval key there.
async fn device(machine: &Machine, role: Role, enrolled: bool) -> (Device, MachineSession) {
    let device = Device::new(&machine.clock);
    let request = OfferRequest { link: true, role: Some(role), ..OfferRequest::default() };
    let offer = machine.host().create_offer(request).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    let row = device.client.pair(preview).await.unwrap().machine.row;
    let mut session = device.client.open_session(row).await.unwrap();
    if enrolled {
        assert!(session.enrol_here().await.unwrap());
    }
    (device, session)
}

fn question(uid: u32, text: &str) -> Question {
    Question {
        known: AskKnown { uid, user: Some("ana".into()), process: Some(7) },
        observed: AskObserved { arguments: vec!["pairpin".into(), "ask".into()], ..AskObserved::default() },
        claimed: AskClaimed { text: text.into(), detail: None },
        time: None,
        fresh: None,
    }
}

async fn asked(machine: &Machine, text: &str) -> AskWaiting {
    machine.host().ask(question(1000, text)).await.unwrap()
}

async fn item(session: &mut MachineSession, waiting: &AskWaiting) -> AskItem {
    let items = session.inbox().await.unwrap();
    match items.into_iter().find(|item| item.id() == waiting.shown().id).expect("it waits") {
        InboxItem::Ask(ask) => ask,
        InboxItem::Join(join) => panic!("a join: {join:?}"),
    }
}

async fn end(waiting: &mut AskWaiting) -> AskEnd {
    tokio::time::timeout(DEADLINE, waiting.end()).await.expect("it ends")
}

/// Waits for the event that this ask is gone.
async fn gone(session: &mut MachineSession, wanted: &str) -> AskEnd {
    let waiting = async {
        loop {
            match session.event().await.unwrap() {
                DeviceEvent::AskGone { id, end } if id == wanted => return end,
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it is told")
}

/// The ask is as it was: it waits, and a proper yes is still possible.
async fn still_waits(machine: &Machine, session: &mut MachineSession, waiting: &mut AskWaiting) {
    assert!(machine.host().asks().iter().any(|ask| ask.shown.id == waiting.shown().id), "it waits on");
    let item = item(session, waiting).await;
    assert!(session.accept_here(&item).await.unwrap().taken, "the control");
    assert!(matches!(end(waiting).await, AskEnd::Yes { .. }));
}

#[tokio::test]
async fn a_yes_shows_the_facts_and_reaches_who_asked_and_every_device() {
    let machine = machine().await;
    let (_phone, mut session) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut other) = device(&machine, Role::Owner, true).await;
    let mut waiting = asked(&machine, "Deploy build 241?").await;
    let DeviceEvent::AskPending { ask } = other.event().await.unwrap() else { panic!("it is told at once") };
    let told = AskItem::of(&ask).unwrap();
    assert_eq!(&told.shown, waiting.shown());
    assert_eq!((told.shown.known.uid, told.shown.claimed.text.as_str()), (1000, "Deploy build 241?"));
    assert!(told.left <= limits::ASK_TIME && told.left > limits::ASK_TIME - DEADLINE);
    let item = item(&mut session, &waiting).await;
    let answer = session.accept_here(&item).await.unwrap();
    let yes = AskEnd::Yes { by: "laptop".into() };
    assert_eq!(answer, AskAnswered { taken: true, end: yes.clone() });
    assert_eq!(end(&mut waiting).await, yes);
    assert_eq!(gone(&mut other, &waiting.shown().id).await, yes);
    assert!(session.inbox().await.unwrap().is_empty() && machine.host().asks().is_empty());
    let lines = machine.host().audit_tail(10).await.unwrap();
    let text = |kind: &str| lines.iter().find(|line| line.kind == kind).map(|line| line.text.clone()).unwrap();
    assert!(text("asked").contains("ana (uid 1000, process 7) asks “Deploy build 241?”"), "{lines:?}");
    assert!(text("answered").contains("“laptop” answered yes to “Deploy build 241?”"), "{lines:?}");
}

#[tokio::test]
async fn a_no_needs_the_session_alone_and_is_never_a_yes() {
    let machine = machine().await;
    let (_phone, _online) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut bare) = device(&machine, Role::Operator, false).await;
    let mut waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut bare, &waiting).await;
    let no = AskEnd::No { by: "laptop 2".into() };
    assert_eq!(bare.deny(&item).await.unwrap(), AskAnswered { taken: true, end: no.clone() });
    assert_eq!(end(&mut waiting).await, no);
}

#[tokio::test]
async fn an_owners_session_key_without_its_approval_key_says_no_yes() {
    let machine = machine().await;
    let (_phone, mut good) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut owner) = device(&machine, Role::Owner, false).await;
    let mut waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut owner, &waiting).await;
    assert!(matches!(owner.prepare(item.accept()).await, Err(ClientError::NoApprovalKey { .. })));
    // Its own approval key is there, and what signs is another key.
    owner.enrol_here().await.unwrap();
    let prepared = owner.prepare(item.accept()).await.unwrap();
    let forged = KeyPair::generate().unwrap().sign(prepared.to_sign()).unwrap();
    assert!(matches!(owner.submit(prepared, forged).await, Err(ClientError::StatementRefused { .. })));
    still_waits(&machine, &mut good, &mut waiting).await;
}

/// Prepares and signs a yes; what is sent is up to the test.
async fn signed(session: &mut MachineSession, act: Act) -> (pairpin_core::client::Prepared, Signature) {
    let prepared = session.prepare(act).await.unwrap();
    let signature = session.sign_here(&prepared).await.unwrap();
    (prepared, signature)
}

#[tokio::test]
async fn a_statement_is_good_for_its_ask_its_words_and_once() {
    let machine = machine().await;
    let (_phone, mut session) = device(&machine, Role::Operator, true).await;
    let (mut one, mut two) = (asked(&machine, "Deploy?").await, asked(&machine, "Deploy?").await);
    let Act::Answer { ask, request } = item(&mut session, &one).await.accept() else { panic!("an answer") };
    let other = two.shown().id.clone();
    // For another ask: its id with these words, and these words under its id.
    let (prepared, signature) = signed(&mut session, Act::Answer { ask: other, request }).await;
    assert!(matches!(session.submit(prepared, signature).await, Err(ClientError::StatementRefused { .. })));
    // Other words.
    let wrong = Act::Answer { ask: ask.clone(), request: RequestHash::from_bytes([9; 32]) };
    let (prepared, signature) = signed(&mut session, wrong).await;
    assert!(matches!(session.submit(prepared, signature).await, Err(ClientError::StatementRefused { .. })));
    // A signature made for another nonce.
    let (_, signature) = signed(&mut session, Act::Answer { ask: ask.clone(), request }).await;
    let (prepared, _) = signed(&mut session, Act::Answer { ask: ask.clone(), request }).await;
    assert!(matches!(session.submit(prepared, signature).await, Err(ClientError::StatementRefused { .. })));
    // Too late by the machine's clock.
    let (prepared, signature) = signed(&mut session, Act::Answer { ask, request }).await;
    machine.clock.advance(limits::NONCE_TIME + Duration::from_secs(1));
    assert!(matches!(session.submit(prepared, signature).await, Err(ClientError::StatementTooLate { .. })));
    still_waits(&machine, &mut session, &mut one).await;
    still_waits(&machine, &mut session, &mut two).await;
}

#[tokio::test]
async fn a_viewer_sees_nothing_and_answers_nothing() {
    let machine = machine().await;
    let (_phone, mut good) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut viewer) = device(&machine, Role::Operator, true).await;
    let mut waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut viewer, &waiting).await;
    let (prepared, signature) = signed(&mut viewer, item.accept()).await;
    // It was an operator when it signed, and is told so by its welcome still.
    let devices = machine.host().devices();
    let id = devices.iter().find(|device| device.name == "laptop 2").unwrap().id;
    let change = DeviceChange { role: Some(Role::Viewer), ..DeviceChange::default() };
    machine.host().set_device(id, change).await.unwrap();
    assert!(matches!(viewer.submit(prepared, signature).await, Err(ClientError::NotAllowed { .. })));
    assert!(matches!(viewer.deny(&item).await, Err(ClientError::NotAllowed { .. })));
    assert!(matches!(viewer.inbox().await, Err(ClientError::NotAllowed { .. })));
    assert_eq!(machine.host().answerers().paired, 1);
    still_waits(&machine, &mut good, &mut waiting).await;
}

#[tokio::test]
async fn a_device_revoked_after_it_signed_has_said_nothing() {
    let machine = machine().await;
    let (_phone, mut good) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut lost) = device(&machine, Role::Owner, true).await;
    let mut waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut lost, &waiting).await;
    let (prepared, signature) = signed(&mut lost, item.accept()).await;
    let devices = machine.host().devices();
    let id = devices.iter().find(|device| device.name == "laptop 2").unwrap().id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    assert!(lost.submit(prepared, signature).await.is_err());
    still_waits(&machine, &mut good, &mut waiting).await;
}

#[tokio::test]
async fn a_revoke_that_races_an_answer_is_before_it_or_after_it() {
    let machine = machine().await;
    let (_phone, mut good) = device(&machine, Role::Operator, true).await;
    for round in 0..8 {
        let (_tablet, mut lost) = device(&machine, Role::Owner, true).await;
        let mut waiting = asked(&machine, "Deploy?").await;
        let item = item(&mut lost, &waiting).await;
        let (prepared, signature) = signed(&mut lost, item.accept()).await;
        let devices = machine.host().devices();
        let id = devices.iter().find(|device| device.name == "laptop 2").unwrap().id;
        let (answer, revoked) = tokio::join!(lost.submit(prepared, signature), machine.host().revoke(id, SHELL, None));
        revoked.unwrap();
        let lines = machine.host().audit_tail(20).await.unwrap();
        let seq =
            |kind: &str| lines.iter().find(|line| line.kind == kind && line.device == Some(id)).map(|line| line.seq);
        match seq("answered") {
            Some(answered) => {
                assert!(answered < seq("revoked").unwrap(), "round {round}: answered when it was revoked");
                assert_eq!(end(&mut waiting).await, AskEnd::Yes { by: "laptop 2".into() });
            }
            None => {
                assert!(answer.is_err(), "round {round}: told of a yes that is not written");
                still_waits(&machine, &mut good, &mut waiting).await;
            }
        }
    }
}

#[tokio::test]
async fn of_two_devices_that_answer_at_once_one_wins_and_the_other_is_told_who() {
    let machine = machine().await;
    let (_phone, mut one) = device(&machine, Role::Operator, true).await;
    let (_tablet, mut two) = device(&machine, Role::Operator, true).await;
    for _ in 0..10 {
        let mut waiting = asked(&machine, "Deploy?").await;
        let (first, second) = (item(&mut one, &waiting).await, item(&mut two, &waiting).await);
        let (prepared, signature) = signed(&mut one, first.accept()).await;
        let (yes, no) = tokio::join!(one.submit(prepared, signature), two.deny(&second));
        let (yes, no) = (answered(yes.unwrap()).unwrap(), no.unwrap());
        assert_ne!(yes.taken, no.taken, "one counts");
        assert_eq!(yes.end, no.end, "and both are told the same");
        let wanted = if yes.taken { AskEnd::Yes { by: "laptop".into() } } else { AskEnd::No { by: "laptop 2".into() } };
        assert_eq!((end(&mut waiting).await, yes.end), (wanted.clone(), wanted));
    }
}

#[tokio::test]
async fn an_ask_that_nobody_waits_for_is_withdrawn_everywhere() {
    let machine = machine().await;
    let (_phone, mut session) = device(&machine, Role::Operator, true).await;
    let waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut session, &waiting).await;
    let id = waiting.shown().id.clone();
    let (prepared, signature) = signed(&mut session, item.accept()).await;
    drop(waiting);
    assert_eq!(gone(&mut session, &id).await, AskEnd::Withdrawn);
    let late = answered(session.submit(prepared, signature).await.unwrap()).unwrap();
    assert_eq!(late, AskAnswered { taken: false, end: AskEnd::Withdrawn });
    // And so is one that is taken back at the shell.
    let mut waiting = asked(&machine, "Deploy?").await;
    machine.host().cancel_ask(&waiting.shown().id).unwrap();
    assert_eq!(end(&mut waiting).await, AskEnd::Withdrawn);
    assert!(matches!(machine.host().cancel_ask("nothing"), Err(AskError::NoAsk(_))));
}

#[tokio::test]
async fn time_gives_no_yes_whether_or_not_anybody_has_looked() {
    let machine = machine().await;
    let (_phone, mut session) = device(&machine, Role::Operator, true).await;
    let question = Question { time: Some(Duration::from_secs(60)), ..question(1000, "Deploy?") };
    let mut waiting = machine.host().ask(question).await.unwrap();
    let item = item(&mut session, &waiting).await;
    let (prepared, signature) = signed(&mut session, item.accept()).await;
    machine.clock.advance(Duration::from_secs(61));
    let late = answered(session.submit(prepared, signature).await.unwrap()).unwrap();
    assert_eq!(late, AskAnswered { taken: false, end: AskEnd::Expired });
    assert_eq!(end(&mut waiting).await, AskEnd::Expired);
    assert_eq!(gone(&mut session, &waiting.shown().id).await, AskEnd::Expired);
}

#[tokio::test]
async fn a_restart_leaves_no_ask_and_who_waited_hears_no_yes() {
    let mut machine = machine().await;
    let (phone, mut session) = device(&machine, Role::Operator, true).await;
    let row = session_row(&phone).await;
    let mut waiting = asked(&machine, "Deploy?").await;
    let item = item(&mut session, &waiting).await;
    machine.restart(false, |_| ()).await;
    assert_eq!(end(&mut waiting).await, AskEnd::Withdrawn);
    let mut session = phone.client.open_session(row).await.unwrap();
    assert!(session.inbox().await.unwrap().is_empty());
    assert!(matches!(session.accept_here(&item).await, Err(ClientError::NotThere { .. })));
}

async fn session_row(device: &Device) -> i64 {
    device.client.machines().await.unwrap()[0].row
}

#[tokio::test]
async fn asks_and_notices_are_bounded_and_nobody_is_asked_where_nobody_may_answer() {
    let machine = machine().await;
    let nobody = machine.host().ask(question(1, "Deploy?")).await;
    assert!(matches!(nobody, Err(AskError::Nobody)), "none is paired");
    let (_viewer, _) = device(&machine, Role::Viewer, true).await;
    let (_bare, _) = device(&machine, Role::Owner, false).await;
    assert!(
        matches!(machine.host().ask(question(1, "x")).await, Err(AskError::Nobody)),
        "a viewer, and one without key"
    );
    let (_phone, mut session) = device(&machine, Role::Operator, true).await;
    assert_eq!(machine.host().answerers().paired, 1);
    let mut waiting = Vec::new();
    let long = "d".repeat(limits::ASK_DETAIL);
    for number in 0..limits::ASKS {
        let uid = u32::try_from(number / limits::ASKS_PER_USER).unwrap();
        let mut question = question(uid, &"t".repeat(limits::ASK_TEXT));
        question.claimed.detail = Some(long.clone());
        waiting.push(machine.host().ask(question).await.unwrap());
        if number + 1 == limits::ASKS_PER_USER {
            let more = machine.host().ask(self::question(0, "x")).await;
            assert!(matches!(more, Err(AskError::TooMany(TooMany::OfUser))));
        }
    }
    assert!(matches!(machine.host().ask(question(99, "x")).await, Err(AskError::TooMany(TooMany::InAll))));
    assert_eq!(session.inbox().await.unwrap().len(), limits::ASKS, "all of it in one frame");
    waiting.clear();
    for _ in 0..limits::ASKS_A_MINUTE_PER_USER {
        drop(machine.host().ask(question(77, "x")).await.unwrap());
    }
    assert!(matches!(machine.host().ask(question(77, "x")).await, Err(AskError::Often)), "asked and taken back");
    machine.clock.advance(Duration::from_secs(60));
    drop(machine.host().ask(question(77, "x")).await.unwrap());
    for _ in 0..limits::NOTICES_PER_USER {
        machine.host().notify(AskKnown::default(), "done").unwrap();
    }
    assert!(matches!(machine.host().notify(AskKnown::default(), "done"), Err(AskError::Often)));
    let other = AskKnown { uid: 1, ..AskKnown::default() };
    assert_eq!(machine.host().notify(other, "done").unwrap(), 1, "one that may know is connected");
}
