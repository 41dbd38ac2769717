//! The engine's own lines, for a shell that keeps a log. They name machines, never a secret.

use std::fmt::{self, Write as _};
use std::panic::Location;
use std::sync::{Arc, Once, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd, and was gone around.
    Warn,
    /// Something happened.
    Info,
    /// For whoever works on pairpin.
    Debug,
}

/// Where a shell keeps the engine's lines. Called from any of the engine's threads, never twice at once.
#[uniffi::export(foreign)]
pub trait Log: Send + Sync {
    /// A line.
    fn line(&self, level: LogLevel, text: String);
}

/// Where they go now: one for the whole process, as the engine's own lines are.
static SINK: RwLock<Option<Arc<dyn Log>>> = RwLock::new(None);
static STARTED: Once = Once::new();
static QUIET: Once = Once::new();

/// A panic becomes an exception of the call; where it happened is told, and never what it says: that may be the
/// shell's own exception, with whatever stood in it.
fn told(place: Option<&Location<'_>>) {
    let log = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let (Some(log), Some(place)) = (log, place) {
        log.line(LogLevel::Error, format!("a step failed at {}:{}", place.file(), place.line()));
    }
}

/// Sends the engine's lines to `log` from now on, or nowhere.
pub(crate) fn send_to(log: Option<Arc<dyn Log>>) {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|panic| told(panic.location()))));
    let wanted = log.is_some();
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = log;
    if wanted {
        // Where the shell's process has a subscriber already, that one keeps the lines.
        STARTED.call_once(|| drop(tracing::subscriber::set_global_default(Lines)));
    }
}

/// Makes a line of each event of ours.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("pairpin")
    }

    fn event(&self, event: &Event<'_>) {
        let log = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(log) = log else { return };
        let mut line = Line::default();
        event.record(&mut line);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => LogLevel::Error,
            tracing::Level::WARN => LogLevel::Warn,
            tracing::Level::INFO => LogLevel::Info,
            _ => LogLevel::Debug,
        };
        log.line(level, line.0);
    }

    // There are no spans of ours to follow.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message first, then each field as name=value.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(LogLevel, String)>>);

    impl Log for Kept {
        fn line(&self, level: LogLevel, text: String) {
            self.0.lock().unwrap().push((level, text));
        }
    }

    #[test]
    fn a_shell_sees_our_lines_with_their_fields_and_nobody_elses() {
        let kept = Arc::new(Kept::default());
        send_to(Some(kept.clone()));
        tracing::warn!(target: "pairpin_core::x", machine = "homebox", "it was odd");
        tracing::warn!(target: "rustls", "not ours");
        send_to(None);
        tracing::warn!(target: "pairpin_core::x", "nobody listens any more");
        let lines = kept.0.lock().unwrap().clone();
        let ours: Vec<_> = lines.iter().filter(|(_, text)| text.contains("odd") || text.contains("ours")).collect();
        assert_eq!(ours, [&(LogLevel::Warn, "it was odd machine=\"homebox\"".to_owned())]);
        assert!(lines.iter().all(|(_, text)| !text.contains("nobody")));
    }
}
