//! A connection that is an echo, for the WebSocket conformance suite: test builds only (feature `echo`).
//!
//! `accept` asks after each request whether it is one. It came in as every connection does: through the
//! gate, TLS, the bounds of a stranger and the upgrade.

use super::visitor::{Gone, Visitor};
use crate::net::upgrade::UpgradeRequest;
use crate::wire::{Envelope, Flow};

/// Stands in every build that has the echo: `tests/tests/autobahn.rs` looks for it in binaries.
pub const MARKER: &str = "pairpin test build: anybody may have an echo";

/// The request that gets an echo.
pub fn request() -> Option<(Flow, Envelope)> {
    Some((Flow::Resume, Envelope::of_any(&MARKER).ok()?))
}

pub(super) fn is_asked_for(asked: &UpgradeRequest) -> bool {
    request().is_some_and(|(flow, envelope)| asked.flow == flow && asked.envelope.message == envelope.message)
}

pub(super) async fn run(visitor: Visitor, request: UpgradeRequest) -> Result<(), Gone> {
    visitor.limit.lift();
    visitor.settle();
    let socket = visitor.switch(&request).await?;
    Ok(socket.echo().await?)
}
