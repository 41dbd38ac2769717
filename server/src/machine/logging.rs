//! The daemon's log of unexpected things, on stderr: warnings, or what `PAIRPIN_LOG` asks for. No
//! secret is ever in it, whatever the level.
//!
//! While a picture stands on the terminal, lines are held back; `live` puts them above it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

/// Lines held back at most; later ones are dropped, as nobody reads that many above a picture.
const HELD: usize = 100;

/// Lines held back, while they are.
static HELD_BACK: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Starts it.
pub fn start() {
    let filter = EnvFilter::try_from_env("PAIRPIN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Log);
    // Fails only where a log is set already, and then that one is it.
    let _ = logging.try_init();
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
