//! The daemon's log of unexpected things, on stderr: warnings, or what `PAIRPIN_LOG` asks for. No
//! secret is ever in it, whatever the level.
//!
//! While a picture stands on the terminal, lines are held back; `live` puts them above it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Crates whose log lines hold whole frames, and with them tokens. They log by the crate `log`, which
/// nothing here listens to; should a dependency's feature change that one day, they stay silent.
const SILENT: [&str; 2] = ["tungstenite", "tokio_tungstenite"];

/// Lines held back at most; later ones are dropped, as nobody reads that many above a picture.
const HELD: usize = 100;

/// Lines held back, while they are.
static HELD_BACK: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Starts it.
pub fn start() {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Log);
    let wanted = filter(std::env::var("PAIRPIN_LOG").ok().as_deref());
    let silent = filter_fn(|about| may_be_logged(about.target()));
    // Fails only where a log is set already, and then that one is it.
    let _ = tracing_subscriber::registry().with(lines.with_filter(wanted)).with(silent).try_init();
}

fn may_be_logged(target: &str) -> bool {
    // The control of the tests: without this rule they find tokens in the log.
    #[cfg(feature = "fault-points")]
    if std::env::var_os("PAIRPIN_FAULT_LOG").is_some() {
        return true;
    }
    let name = target.split("::").next().unwrap_or_default();
    !SILENT.contains(&name)
}

/// A level (`debug`), or levels by module (`warn,pairpin_core::net=debug`). What cannot be read is as
/// if it were not there.
fn filter(wanted: Option<&str>) -> Targets {
    let read = wanted.and_then(|text| text.parse::<Targets>().ok());
    read.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN))
}

/// Holds lines back until [`release`].
pub fn hold() {
    *held() = Some(Vec::new());
}

/// Takes the lines held back so far.
pub fn take() -> Vec<String> {
    held().as_mut().map(std::mem::take).unwrap_or_default()
}

/// Lets lines through again, beginning with those held back.
pub fn release() {
    let lines = held().take().unwrap_or_default();
    for line in lines {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

fn held() -> std::sync::MutexGuard<'static, Option<Vec<String>>> {
    HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match held().as_mut() {
            Some(lines) if lines.len() < HELD => lines.push(String::from_utf8_lossy(bytes).trim_end().to_owned()),
            Some(_) => {}
            None => io::stderr().lock().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_whole_frames_is_never_logged() {
        for silent in ["tungstenite", "tungstenite::protocol::frame", "tokio_tungstenite::compat"] {
            assert!(!may_be_logged(silent), "{silent}");
        }
        for target in ["pairpin_core::host::accept", "rustls::server", "tungstenites"] {
            assert!(may_be_logged(target), "{target}");
        }
    }

    #[test]
    fn the_log_says_what_its_variable_asks_for_and_warnings_otherwise() {
        use tracing::Level;
        let says = |wanted, module, level| filter(wanted).would_enable(module, &level);
        for wanted in [None, Some("pairpin=loud")] {
            assert!(
                says(wanted, "pairpin_core::net", Level::WARN) && !says(wanted, "pairpin", Level::INFO),
                "{wanted:?}"
            );
        }
        assert!(says(Some("debug"), "rustls", Level::DEBUG) && !says(Some("debug"), "rustls", Level::TRACE));
        let one = Some("warn,pairpin_core::net=debug");
        assert!(says(one, "pairpin_core::net::dial", Level::DEBUG) && !says(one, "pairpin_core::host", Level::INFO));
    }

    #[test]
    fn lines_are_held_back_bounded_and_given_out_once() {
        hold();
        for _ in 0..HELD + 5 {
            Log.write_all(b"a warning\n").unwrap();
        }
        let lines = take();
        assert!(lines.len() == HELD && lines[0] == "a warning");
        assert!(take().is_empty());
        release();
    }
}
