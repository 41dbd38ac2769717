//! From what a caller asks to what devices are shown: cleaned, bounded, the three kinds of facts apart.
//!
//! What the caller says is refused where it is too long: a question that was cut could be another question.
//! What the machine saw of it is cut, and says so. Called by `asking`.

use std::time::Duration;

use super::HostError;
use super::asks::TooMany;
use crate::clock::UnixMillis;
use crate::names::{clean_name, clean_showing, says_something};
use crate::wire::{AskClaimed, AskFresh, AskKnown, AskMessage, AskObserved, clean_lines, limits};

/// What somebody at the machine wants to know.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Who, by the kernel's word.
    pub known: AskKnown,
    /// What the machine saw of the process.
    pub observed: AskObserved,
    /// What the caller says.
    pub claimed: AskClaimed,
    /// How long it waits for an answer.
    pub time: Option<Duration>,
    /// The caller's own number, where it wants to check the answer itself.
    pub fresh: Option<AskFresh>,
}

/// Why nobody is asked. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No device is paired that may answer.
    #[error(
        "no device is paired that may answer: pair one as owner or operator with `pairpin pair`, which brings its \
         approval key"
    )]
    Nobody,
    /// See [`TooMany`].
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Too many within a minute.
    #[error("too many within a minute, wait a little and try again")]
    Often,
    /// The question is empty.
    #[error("the text is empty, say what it is about")]
    Empty,
    /// The question is too long.
    #[error("the text is longer than {} bytes, put the rest into --detail", limits::ASK_TEXT)]
    Text,
    /// The detail is too long.
    #[error("the detail is longer than {} bytes, shorten it", limits::ASK_DETAIL)]
    Detail,
    /// All of it together is too long: it has many characters that must be written as two.
    #[error("the question does not fit with all that is known of the caller, shorten the detail")]
    Message,
    /// The time makes no sense.
    #[error("an ask waits from 1 second to 24 hours")]
    Time,
    /// No ask of this id waits.
    #[error("no ask {0:?} is waiting, see `pairpin asks`")]
    NoAsk(String),
    /// The machine failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Question {
    /// How long it waits.
    pub(super) fn time(&self) -> Result<Duration, AskError> {
        let time = self.time.unwrap_or(limits::ASK_TIME);
        let fits = (Duration::from_secs(1)..=limits::ASK_TIME_MAX).contains(&time);
        if fits { Ok(time) } else { Err(AskError::Time) }
    }

    /// What is shown, and its text as it is sent.
    pub(super) fn shown(
        self,
        id: String,
        asked_at: UnixMillis,
        time: Duration,
    ) -> Result<(AskMessage, String), AskError> {
        let expires_at = asked_at.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let shown = AskMessage {
            id,
            asked_at,
            expires_at,
            known: known(self.known),
            observed: observed(self.observed),
            claimed: claimed(self.claimed)?,
            fresh: self.fresh,
        };
        let message = shown.encode().map_err(|_| AskError::Message)?;
        Ok((shown, message))
    }
}

/// The kernel's word; a name comes from the system's list of users, which others may write.
pub(super) fn known(known: AskKnown) -> AskKnown {
    AskKnown { user: known.user.as_deref().map(clean_name), ..known }
}

/// One line of the caller's.
pub(super) fn text(text: &str) -> Result<String, AskError> {
    let clean = clean_showing(text).filter(|text| says_something(text)).ok_or(AskError::Empty)?;
    if clean.len() > limits::ASK_TEXT { Err(AskError::Text) } else { Ok(clean) }
}

fn claimed(claimed: AskClaimed) -> Result<AskClaimed, AskError> {
    let detail = claimed.detail.as_deref().and_then(clean_lines);
    if detail.as_ref().is_some_and(|detail| detail.len() > limits::ASK_DETAIL) {
        return Err(AskError::Detail);
    }
    Ok(AskClaimed { text: text(&claimed.text)?, detail })
}

fn observed(observed: AskObserved) -> AskObserved {
    let path = |path: Option<String>| path.and_then(|path| clean_showing(&path)).map(|path| cut(&path));
    let (mut arguments, mut room) = (Vec::new(), limits::ASK_ARGUMENTS);
    let mut rest = observed.arguments.into_iter().map(|argument| clean_showing(&argument).unwrap_or_default());
    let mut left_out = observed.arguments_left_out;
    for argument in rest.by_ref() {
        // Each costs its quotation marks too.
        let argument = cut(&argument);
        if argument.len() + 3 > room {
            left_out = left_out.saturating_add(1);
            break;
        }
        room -= argument.len() + 3;
        arguments.push(argument);
    }
    left_out = left_out.saturating_add(u32::try_from(rest.count()).unwrap_or(u32::MAX));
    AskObserved {
        executable: path(observed.executable),
        arguments,
        arguments_left_out: left_out,
        directory: path(observed.directory),
    }
}

/// As much as fits, with `…` where something is missing.
fn cut(text: &str) -> String {
    const MARK: &str = "…";
    if text.len() <= limits::ASK_PATH {
        return text.to_owned();
    }
    let mut end = limits::ASK_PATH - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

/// How a caller is named in the audit log.
pub(super) fn caller(known: &AskKnown) -> String {
    let user = known.user.clone().unwrap_or_else(|| "a user without a name".into());
    let process = known.process.map(|process| format!(", process {process}")).unwrap_or_default();
    format!("{user} (uid {}{process})", known.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Question {
        Question { claimed: AskClaimed { text: text.into(), detail: None }, ..Question::default() }
    }

    fn shown(question: Question) -> Result<(AskMessage, String), AskError> {
        question.shown("k7pq2abc".into(), 0, limits::ASK_TIME)
    }

    #[test]
    fn what_is_shown_is_what_a_device_reads_back() {
        let mut asked = question("  Deploy\u{202E} build\n241? ");
        asked.claimed.detail = Some("one\n\n\x1b[31mtwo".into());
        asked.observed.arguments = vec!["sh".into(), "a\u{200B}b".into(), String::new()];
        let (shown, message) = shown(asked).unwrap();
        assert_eq!(shown.claimed.text, "Deploy� build 241?");
        assert_eq!(shown.claimed.detail.as_deref(), Some("one\n�[31mtwo"));
        assert_eq!(AskMessage::decode(&message).unwrap(), shown, "cleaning again changes nothing");
    }

    #[test]
    fn a_claim_that_is_too_long_is_refused_and_never_cut() {
        assert!(shown(question(&"x".repeat(limits::ASK_TEXT))).is_ok());
        assert!(matches!(shown(question(&"x".repeat(limits::ASK_TEXT + 1))), Err(AskError::Text)));
        assert!(matches!(shown(question(" \u{200B}")), Err(AskError::Empty)));
        let mut long = question("x");
        long.claimed.detail = Some("x".repeat(limits::ASK_DETAIL + 1));
        assert!(matches!(shown(long), Err(AskError::Detail)));
        for time in [Duration::ZERO, limits::ASK_TIME_MAX + Duration::from_secs(1)] {
            assert!(matches!(Question { time: Some(time), ..question("x") }.time(), Err(AskError::Time)));
        }
    }

    #[test]
    fn what_was_observed_is_cut_and_says_so() {
        let mut asked = question(&"ä".repeat(limits::ASK_TEXT / 2));
        asked.claimed.detail = Some("d".repeat(limits::ASK_DETAIL));
        asked.fresh = Some(AskFresh::from_bytes([255; 16]));
        asked.observed = AskObserved {
            executable: Some("ü".repeat(limits::ASK_PATH)),
            arguments: (0..50).map(|number| format!("argument-{number}-{}", "x".repeat(20))).collect(),
            arguments_left_out: 3,
            directory: Some("/d".into()),
        };
        let (shown, message) = shown(asked).unwrap();
        assert!(message.len() <= limits::ASK_MESSAGE);
        let observed = shown.observed;
        assert!(observed.executable.is_some_and(|path| path.ends_with('…') && path.len() <= limits::ASK_PATH));
        assert_eq!(observed.arguments.len() + observed.arguments_left_out as usize, 53, "none goes unsaid");
        assert!(!observed.arguments.is_empty() && observed.directory.as_deref() == Some("/d"));
    }
}
