//! The nonces of one connection: numbers that the machine gave out for one statement each.
//!
//! They live with the connection, in memory: a statement that was made for another connection, before a
//! restart, or twice, finds no nonce. Called by `requests`.

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::error::RandomError;
use crate::secrets::random_bytes;
use crate::wire::{Nonce, NonceGiven, Signed, limits};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Nonces(Vec<Given>);

#[derive(Debug)]
struct Given {
    given: NonceGiven,
    /// By the clock that counts sleep and nobody sets.
    ends: Duration,
}

impl Nonces {
    /// Gives out one more; the oldest goes where there are too many.
    pub(super) fn give(&mut self, now: Duration, wall: UnixMillis) -> Result<NonceGiven, RandomError> {
        let life = i64::try_from(limits::NONCE_TIME.as_millis()).unwrap_or(i64::MAX);
        let given = NonceGiven { nonce: Nonce::from_bytes(random_bytes()?), expires_at: wall.saturating_add(life) };
        if self.0.len() >= limits::NONCES {
            self.0.remove(0);
        }
        self.0.push(Given { given, ends: now + limits::NONCE_TIME });
        Ok(given)
    }

    /// Takes the statement's nonce out, whatever becomes of the statement: none is good for a second try.
    /// `false` where it was not given here, was used, or is over.
    pub(super) fn take(&mut self, signed: &Signed, now: Duration) -> bool {
        let wanted = NonceGiven { nonce: signed.nonce, expires_at: signed.expires_at };
        let found = self.0.iter().position(|known| known.given == wanted);
        found.is_some_and(|at| now <= self.0.remove(at).ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Signature;

    fn signed(given: NonceGiven) -> Signed {
        Signed { nonce: given.nonce, expires_at: given.expires_at, signature: Signature::from_bytes([0; 64]) }
    }

    #[test]
    fn a_nonce_is_good_once_and_in_its_time_and_only_with_the_end_it_was_given() {
        let mut nonces = Nonces::default();
        let now = Duration::from_secs(5);
        let given = nonces.give(now, 1_000).unwrap();
        assert!(!nonces.take(&Signed { expires_at: given.expires_at + 1, ..signed(given) }, now));
        assert!(nonces.take(&signed(given), now + limits::NONCE_TIME), "the control");
        assert!(!nonces.take(&signed(given), now), "twice");
        let late = nonces.give(now, 1_000).unwrap();
        assert!(!nonces.take(&signed(late), now + limits::NONCE_TIME + Duration::from_millis(1)));
        assert!(!nonces.take(&signed(late), now), "spent by the attempt");
        assert!(!Nonces::default().take(&signed(given), now), "another connection's");
    }

    #[test]
    fn many_nonces_cost_the_oldest() {
        let mut nonces = Nonces::default();
        let all: Vec<_> = (0..=limits::NONCES).map(|_| nonces.give(Duration::ZERO, 0).unwrap()).collect();
        assert!(!nonces.take(&signed(all[0]), Duration::ZERO));
        assert!(nonces.take(&signed(all[1]), Duration::ZERO));
        assert!(nonces.0.len() < limits::NONCES);
    }
}
