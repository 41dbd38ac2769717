//! What ends a process that waits: Ctrl-C, `kill`, or the terminal going away.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// Signals, caught from the moment this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot catch signals: {error}")));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Returns at the first of them. May be dropped at any time.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
