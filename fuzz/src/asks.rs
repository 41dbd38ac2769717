//! Asks, from both sides of the daemon: what a caller sends to the second socket, what a machine sends to a
//! device, and what a daemon hands over as a yes to who does not believe it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairpin_core::client::AskItem;
use pairpin_core::host::{Approvers, Question};
use pairpin_core::identity::{MachineId, Pin, PublicKey, Signature};
use pairpin_core::wire::{
    AnswerProof, AskClaimed, AskFresh, AskKnown, AskMessage, Inbox, Nonce, PendingAsk, Signed, WaitingApproval, limits,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::{AskRequest, CallerRequest, Lines, REQUEST};
use crate::script::{Script, now};

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 8 {
        0 => caller(rest),
        // As a machine sends it, and as the JSON inside that.
        1 => device(&String::from_utf8_lossy(rest)),
        2 => device(&URL_SAFE_NO_PAD.encode(rest)),
        3 => yes(&String::from_utf8_lossy(rest)),
        4 => yes(&URL_SAFE_NO_PAD.encode(rest)),
        5 => same::<AnswerProof>(rest),
        6 => same::<Inbox>(rest),
        _ => same::<Vec<WaitingApproval>>(rest),
    }
}

/// The second socket: `ask` and `notify`, in one line, and of no line is more read than the limit.
fn caller(data: &[u8]) {
    let mut lines = Lines::new(tokio::io::BufReader::with_capacity(256, Script::of(data, 7)), REQUEST);
    let Ok(Some(request)) = now(lines.next::<CallerRequest>()) else { return };
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(line.len() <= REQUEST, "a line beyond the limit was read");
    let CallerRequest::Ask(AskRequest { text, detail, timeout_seconds, fresh }) = request else { return };
    // Nobody's key signs, so whatever is asked and answered is no yes.
    let claimed = AskClaimed { text, detail };
    let time = Some(std::time::Duration::from_secs(timeout_seconds));
    let asked = Question { claimed, time, fresh, ..Question::default() };
    assert!(approvers().check(&asked, &proof(String::from_utf8_lossy(data).into_owned())).is_err());
}

/// What a person is shown steers no screen, and is the same when it is read again.
fn device(text: &str) {
    let Some(item) = AskItem::of(&PendingAsk { message: text.to_owned(), left_ms: 1 }) else { return };
    assert!(text.len() <= limits::ASK_MESSAGE, "an ask beyond the limit was read");
    let shown = item.shown;
    let (observed, claimed) = (&shown.observed, &shown.claimed);
    let lines = [&shown.id, &claimed.text].into_iter().chain(&observed.executable).chain(&observed.directory);
    for line in lines.chain(&observed.arguments).chain(&shown.known.user) {
        assert!(steady(line), "{line:?}");
    }
    let detail = claimed.detail.as_deref().unwrap_or_default();
    assert!(detail.lines().all(steady) && !detail.contains('\r'), "{detail:?}");
    assert!(!claimed.text.is_empty());
    if let Ok(written) = shown.encode() {
        assert_eq!(AskMessage::decode(&written).as_ref(), Ok(&shown), "cleaned once is clean");
    }
}

fn steady(line: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    !line.chars().any(|c| c.is_control() || turns(c))
}

/// A message without its signature is no yes, whatever it says: also where it says just what was asked.
fn yes(message: &str) {
    let Ok(said) = AskMessage::decode(message) else { return };
    let time = u64::try_from(said.expires_at.saturating_sub(said.asked_at)).unwrap_or_default();
    let asked = Question {
        known: AskKnown { ..said.known },
        observed: said.observed,
        claimed: said.claimed,
        time: Some(std::time::Duration::from_millis(time)),
        fresh: said.fresh.or(Some(AskFresh::from_bytes([0; 16]))),
    };
    assert!(approvers().check(&asked, &proof(message.to_owned())).is_err(), "a yes that nobody signed");
}

fn proof(message: String) -> AnswerProof {
    let signature = Signature::from_bytes([1; 64]);
    let signed = Signed { nonce: Nonce::from_bytes([4; 16]), expires_at: 1, signature };
    AnswerProof { message, pin: Pin::from_bytes([1; 32]), machine: MACHINE, epoch: 0, key: KEY, signed }
}

const MACHINE: MachineId = MachineId::from_bytes([2; 16]);
const KEY: PublicKey = PublicKey::from_bytes([4; 65]);

fn approvers() -> Approvers {
    let one = pairpin_core::host::Approver { machine: MACHINE, key: KEY, name: "phone".into() };
    Approvers::parse(&one.line()).expect("a list of one")
}

fn same<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<M>(data) else { return };
    let written = serde_json::to_string(&value).expect("what was read can be written");
    assert_eq!(serde_json::from_str::<M>(&written).as_ref().ok(), Some(&value));
    assert!(written.len() <= 8 * data.len() + 4096);
}
