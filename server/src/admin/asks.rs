//! An ask of somebody at one of the two sockets, while the caller waits: its going away takes the ask back.

use std::time::Duration;

use pairpin_core::host::{AskView, Host, Question};
use pairpin_core::wire::AskClaimed;
use tokio::io::{AsyncBufRead, AsyncWrite};

use super::protocol::{AdminError, AskRequest, Lines};
use super::server::{Answer, event, json};
use super::views::AskEvent;
use crate::platform::Caller;

/// Asks, and waits for the end.
pub(super) async fn ask(
    host: &Host,
    caller: &Caller,
    request: AskRequest,
    reader: &mut Lines<impl AsyncBufRead + Unpin>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Answer {
    let observed = caller.observed().map_err(|changed| AdminError::failed(changed.to_string()))?;
    let time = Duration::from_secs(request.timeout_seconds);
    let question = Question {
        known: caller.known().clone(),
        observed,
        claimed: AskClaimed { text: request.text, detail: request.detail },
        time: Some(time),
        fresh: request.fresh,
    };
    let mut waiting = host.ask(question).await?;
    let (answerers, view) = (host.answerers(), AskView { shown: waiting.shown().clone(), left: time });
    let asked = AskEvent::Asked { ask: Box::new(view.into()), may_answer: answerers.paired, online: answerers.online };
    if event(writer, &asked).await.is_none() {
        return Ok(None);
    }
    tokio::select! {
        end = waiting.end() => json(&AskEvent::of(end, waiting.proof().cloned())).map(Some),
        () = reader.closed() => Ok(None),
    }
}

/// Tells the devices something; the answer is how many are connected.
pub(super) fn notify(host: &Host, caller: &Caller, text: &str) -> Answer {
    json(&host.notify(caller.known().clone(), text)?).map(Some)
}

/// The kernel does not say who calls, so nobody is asked.
pub(super) fn unknown_caller(error: &std::io::Error) -> AdminError {
    AdminError::failed(format!("the system does not say who asks: {error}"))
}
