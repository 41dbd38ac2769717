//! Messages, envelopes and frames: what is read is written and read as the same, in one way, and
//! takes no more room than it came in.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairpin_core::wire::{
    Acknowledge, Acknowledged, CodeConfirm, CodeProceed, CodeShare, CodeShareAnswer, CodeWelcome, Envelope, Frame,
    Grant, HandBackReady, HandBackRequest, JoinCommit, JoinNonce, JoinReveal, Preview, PreviewRequest, Refusal,
    ResumeRequest, ScanRequest, Welcome,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte says what the rest is to be read as.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 23 {
        0 => frame(rest),
        1 => json::<Envelope>(rest),
        2 => message::<PreviewRequest>(rest),
        3 => message::<Preview>(rest),
        4 => message::<ScanRequest>(rest),
        5 => message::<Grant>(rest),
        6 => message::<Acknowledge>(rest),
        7 => message::<Acknowledged>(rest),
        8 => message::<CodeShare>(rest),
        9 => message::<CodeShareAnswer>(rest),
        10 => message::<CodeConfirm>(rest),
        11 => message::<CodeWelcome>(rest),
        12 => message::<CodeProceed>(rest),
        13 => message::<ResumeRequest>(rest),
        14 => message::<Welcome>(rest),
        15 => message::<Refusal>(rest),
        // The text of a message as it travels, which may be no base64url at all.
        16 => sent::<Grant>(rest),
        17 => sent::<Welcome>(rest),
        18 => message::<JoinCommit>(rest),
        19 => message::<JoinNonce>(rest),
        20 => message::<JoinReveal>(rest),
        21 => message::<HandBackRequest>(rest),
        _ => message::<HandBackReady>(rest),
    }
}

fn frame(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(frame) = Frame::decode(text) else { return };
    match frame.encode() {
        Err(_) => assert_eq!(frame, Frame::Unknown, "a frame that was read cannot be written"),
        // Numbers with a point are in no message of ours, and their last digit is not kept.
        Ok(_) if has_fraction(&frame) => {}
        Ok(written) => {
            bounded(data, written.len());
            assert_eq!(Frame::decode(&written).as_ref(), Ok(&frame));
            assert_eq!(Frame::decode(&written).ok().and_then(|again| again.encode().ok()), Some(written));
        }
    }
}

fn has_fraction(frame: &Frame) -> bool {
    match frame {
        Frame::Request { params, .. } => fraction(params),
        Frame::Answer { result: Ok(value), .. } => fraction(value),
        _ => false,
    }
}

fn fraction(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.is_f64(),
        serde_json::Value::Array(list) => list.iter().any(fraction),
        serde_json::Value::Object(map) => map.values().any(fraction),
        _ => false,
    }
}

fn json<M: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<M>(data) else { return };
    let written = serde_json::to_string(&value).expect("what was read can be written");
    bounded(data, written.len());
    let again: M = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, value);
    assert_eq!(serde_json::to_string(&again).expect("as before"), written, "two texts for one message");
}

fn message<M: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    json::<M>(data);
    sent::<M>(URL_SAFE_NO_PAD.encode(data).as_bytes());
}

fn sent<M: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let envelope = Envelope { message: text.to_owned(), mac: None, signature: None, recognition: None };
    let Ok(message) = envelope.read_any::<M>() else { return };
    assert!(text.len() <= pairpin_core::wire::limits::MESSAGE, "a message beyond the limit was read");
    // base64url without padding, and its unused bits are zero: the text is the only one for its bytes.
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("what was read is base64url");
    assert_eq!(URL_SAFE_NO_PAD.encode(bytes), text, "two texts for the same bytes");
    if let Ok(again) = Envelope::of_any(&message) {
        assert_eq!(again.read_any::<M>().as_ref(), Ok(&message));
    }
}

fn bounded(data: &[u8], written: usize) {
    assert!(written <= 8 * data.len() + 4096, "{} bytes became {written}", data.len());
}
