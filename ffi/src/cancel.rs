//! A call that can be ended from outside, where a shell cannot drop its future.

use tokio::sync::watch;

use crate::error::PairpinError;

/// Ends the calls of one object, those that run and those to come.
pub(crate) struct Cancel(watch::Sender<bool>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Cancel {
    /// Ends them.
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }

    /// What `call` comes to, or [`PairpinError::Cancelled`].
    pub(crate) async fn or<T>(&self, call: impl Future<Output = Result<T, PairpinError>>) -> Result<T, PairpinError> {
        let mut cancelled = self.0.subscribe();
        tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(PairpinError::Cancelled),
            outcome = call => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_ends_when_it_is_cancelled_and_none_begins_after() {
        let cancel = Cancel::default();
        assert_eq!(cancel.or(async { Ok(7) }).await, Ok(7));
        let (ended, ()) = tokio::join!(cancel.or::<u32>(std::future::pending()), async { cancel.now() });
        assert_eq!(ended, Err(PairpinError::Cancelled));
        assert_eq!(cancel.or(async { Ok(7) }).await, Err(PairpinError::Cancelled));
    }
}
