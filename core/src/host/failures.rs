//! How much of the audit log strangers may fill. Kept by `shared`, asked by `visitor`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many failures of strangers the audit log takes in an hour: what they can make grow is bounded.
#[derive(Debug, Default)]
pub(super) struct FailureLog(Mutex<(Duration, u32)>);

impl FailureLog {
    const AN_HOUR: u32 = 60;

    pub(super) fn admit(&self, now: Duration) -> bool {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(hour.0) >= Duration::from_secs(3600) {
            *hour = (now, 0);
        }
        hour.1 += 1;
        hour.1 <= Self::AN_HOUR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_audit_log() {
        let log = FailureLog::default();
        let admitted = (0..10_000).filter(|_| log.admit(Duration::from_secs(5000))).count();
        assert_eq!(admitted, FailureLog::AN_HOUR as usize);
        assert!(log.admit(Duration::from_secs(9000)));
    }
}
