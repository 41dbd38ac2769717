//! What a device holds of one machine besides its session key: tokens and R.
//!
//! The record is one secret in the [`SecretStore`](crate::secrets::SecretStore) under the row's
//! label. The rules about which token to dial with and when to let go of an older one are here, as
//! plain functions on a value; reading and writing it under the machine's lock is `ledger`'s.

use serde::{Deserialize, Serialize};

use crate::identity::Pin;
use crate::secrets::{RecognitionKey, SecretBytes, SecretStoreError};
use crate::token::{SessionToken, TokenHash};
use crate::wire::OfferId;

/// Tokens kept at once: the newest, the one that was current when it was granted until a welcome under the
/// newest, and where two runs of a pairing overlap the other one's: which of them the machine granted last,
/// and so takes, this device cannot know.
const TOKENS: usize = 3;

/// Tokens and R of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    v: u8,
    /// Newest first.
    tokens: Vec<SessionToken>,
    /// R.
    pub(crate) recognition_key: RecognitionKey,
    /// The check digits of the last Grant: a pairing that was interrupted shows them when it is
    /// taken up again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) digits: Option<String>,
    /// The offer of the last Grant, by which the same link is known again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) offer: Option<OfferId>,
    /// Whether the machine has answered the acknowledgement of that Grant.
    #[serde(default)]
    pub(crate) acknowledged: bool,
    /// A key change that the person agreed to and whose Grant has not come yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) repin: Option<Repin>,
}

/// The offer of a machine that proved R under another key, and that key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repin {
    pub(crate) offer: OfferId,
    pub(crate) pin: Pin,
}

/// The record is damaged, or from a later version.
fn unreadable() -> SecretStoreError {
    SecretStoreError("a stored session cannot be read, forget the machine here and pair again by scanning".into())
}

impl Record {
    /// The record of a first Grant.
    pub(crate) fn new(token: SessionToken, recognition_key: RecognitionKey) -> Self {
        Self { v: 1, tokens: vec![token], recognition_key, digits: None, offer: None, acknowledged: false, repin: None }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &SecretBytes) -> Result<Self, SecretStoreError> {
        let record: Self = serde_json::from_slice(bytes.expose()).map_err(|_| unreadable())?;
        if record.v != 1 || record.tokens.is_empty() || record.tokens.len() > TOKENS {
            return Err(unreadable());
        }
        Ok(record)
    }

    /// The bytes for the store.
    pub(crate) fn encode(&self) -> Result<SecretBytes, SecretStoreError> {
        serde_json::to_vec(self).map(SecretBytes::new).map_err(|_| unreadable())
    }

    /// The next token to dial with: the newest that has not been refused in this attempt.
    pub(crate) fn token_to_try(&self, refused: &[TokenHash]) -> Option<&SessionToken> {
        self.tokens.iter().find(|token| !refused.contains(&TokenHash::of(token)))
    }

    /// Takes in a Grant's token, with the one that was `current` at the machine then. Whatever was stored
    /// before that one is over, however many acknowledgements of this device went unanswered: it would look
    /// like theft, and must not take the place of one that works. (A `current` that is not here was let go of
    /// for good reason, or one side was restored; an old machine does not say it.)
    pub(crate) fn granted(&mut self, token: SessionToken, current: Option<&TokenHash>) {
        if let Some(current) = current {
            self.forget_before(current);
        }
        self.take_in(token);
    }

    /// The oldest token, which is known to work, stays until a welcome under a newer one, and so does the
    /// newest of those between: another run of the pairing may have stored it, and be about to acknowledge it.
    fn take_in(&mut self, token: SessionToken) {
        self.tokens.insert(0, token);
        while self.tokens.len() > TOKENS {
            self.tokens.remove(TOKENS - 1);
        }
    }

    /// The machine has answered the acknowledgement of `token`: it is current now, and those before it
    /// are superseded. To show one of them later would look like theft.
    pub(crate) fn acknowledged(&mut self, token: &TokenHash) {
        self.acknowledged = true;
        self.forget_before(token);
    }

    /// Lets go of what was stored before `token`. Whether it is here.
    fn forget_before(&mut self, token: &TokenHash) -> bool {
        let at = self.tokens.iter().position(|known| TokenHash::of(known) == *token);
        if let Some(at) = at {
            self.tokens.truncate(at + 1);
        }
        at.is_some()
    }

    /// Takes in a welcome under `used`, which may have brought a new token. Tokens that the machine
    /// refused in this attempt go, and so do those older than `used`. Where another process has stored
    /// a newer one meanwhile, ours is let go of: of many new ones the machine voids all but the last
    /// few, in an order that this device does not know, and the one that is known to work must stay.
    pub(crate) fn welcomed(&mut self, used: &TokenHash, refused: &[TokenHash], new: Option<SessionToken>) {
        if self.forget_before(used) {
            // Never `used` itself, so that one always stays.
            self.tokens.retain(|token| {
                let hash = TokenHash::of(token);
                hash == *used || !refused.contains(&hash)
            });
        }
        let newest = self.tokens.first().is_some_and(|token| TokenHash::of(token) == *used);
        if let Some(new) = new.filter(|_| newest) {
            self.take_in(new);
        }
    }
}

#[cfg(test)]
impl Record {
    /// A record with these tokens, newest first.
    pub(crate) fn of(tokens: Vec<SessionToken>, recognition_key: RecognitionKey) -> Self {
        let first = SessionToken::from_bytes([0; 32]);
        Self { tokens, ..Self::new(first, recognition_key) }
    }

    /// Its tokens, newest first.
    pub(crate) fn tokens(&self) -> &[SessionToken] {
        &self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(n: u8) -> SessionToken {
        SessionToken::from_bytes([n; 32])
    }

    fn hash(n: u8) -> TokenHash {
        TokenHash::of(&token(n))
    }

    fn record(tokens: &[u8]) -> Record {
        let mut record = Record::new(token(tokens[0]), RecognitionKey::from_bytes([9; 32]));
        record.tokens = tokens.iter().map(|n| token(*n)).collect();
        record
    }

    #[test]
    fn a_record_survives_the_store_and_a_damaged_one_is_an_error() {
        let written = record(&[2, 1]);
        assert_eq!(Record::decode(&written.encode().unwrap()).unwrap(), written);
        for bad in [&b""[..], b"{}", br#"{"v":2,"tokens":[],"recognition_key":""}"#] {
            assert!(Record::decode(&SecretBytes::new(bad.to_vec())).is_err());
        }
        // Each thing that is wrong, alone.
        for (v, tokens) in [(2, &[2, 1][..]), (0, &[1]), (1, &[]), (1, &[4, 3, 2, 1])] {
            let mut bad = record(&[1]);
            (bad.v, bad.tokens) = (v, tokens.iter().map(|n| token(*n)).collect());
            assert!(Record::decode(&bad.encode().unwrap()).is_err(), "version {v}, {} tokens", tokens.len());
        }
    }

    #[test]
    fn the_older_token_stays_until_a_welcome_under_the_newer() {
        let mut record = record(&[1]);
        record.welcomed(&hash(1), &[], Some(token(2)));
        assert_eq!(record.tokens, [token(2), token(1)]);
        assert_eq!(record.token_to_try(&[]), Some(&token(2)));
        assert_eq!(record.token_to_try(&[hash(2)]), Some(&token(1)), "a refused newest leaves the older to try");
        assert_eq!(record.token_to_try(&[hash(2), hash(1)]), None);
        record.welcomed(&hash(2), &[], None);
        assert_eq!(record.tokens, [token(2)]);
    }

    #[test]
    fn a_welcome_under_the_older_token_drops_the_one_the_machine_refused() {
        let mut record = record(&[2, 1]);
        record.welcomed(&hash(1), &[hash(2)], None);
        assert_eq!(record.tokens, [token(1)]);
    }

    #[test]
    fn a_token_that_another_process_stored_meanwhile_survives() {
        // This process was welcomed under 1; another has stored 3 since.
        let mut shared = record(&[3, 1]);
        shared.welcomed(&hash(1), &[], None);
        assert_eq!(shared.tokens, [token(3), token(1)]);
        // What this one is given under 1 does not push out the 1 that works.
        shared.welcomed(&hash(1), &[], Some(token(5)));
        assert_eq!(shared.tokens, [token(3), token(1)]);
        // Another has moved past the token that this one used.
        let mut moved = record(&[4]);
        moved.welcomed(&hash(1), &[], None);
        assert_eq!(moved.tokens, [token(4)]);
    }

    #[test]
    fn a_grant_keeps_the_token_that_is_current_however_many_go_unanswered() {
        // 2 came in a welcome under 1 and was never used; the machine voids it when it grants 3.
        let mut record = record(&[2, 1]);
        record.granted(token(3), Some(&hash(1)));
        assert_eq!(record.tokens, [token(3), token(2), token(1)]);
        // 3 was acknowledged and not answered, and 4 came: now 3 is current, and 1 would look like theft.
        record.granted(token(4), Some(&hash(3)));
        assert_eq!(record.tokens, [token(4), token(3)]);
        for n in 5..20 {
            record.granted(token(n), Some(&hash(3)));
            assert_eq!((record.tokens.first(), record.tokens.last()), (Some(&token(n)), Some(&token(3))));
        }
        assert_eq!(record.tokens.len(), TOKENS);
    }

    #[test]
    fn a_grant_that_does_not_say_which_token_is_current_leaves_the_oldest() {
        let mut record = record(&[1]);
        for n in 2..5 {
            record.granted(token(n), None);
        }
        assert_eq!(record.tokens, [token(4), token(3), token(1)]);
    }

    #[test]
    fn a_grant_that_is_stored_late_does_not_push_out_the_one_that_is_acknowledged() {
        // The machine granted 3 and then 4, to two runs; 4 was stored first, and is acknowledged.
        let mut overlapping = record(&[1]);
        overlapping.granted(token(4), Some(&hash(1)));
        overlapping.granted(token(3), Some(&hash(1)));
        overlapping.acknowledged(&hash(4));
        assert_eq!(overlapping.tokens, [token(3), token(4)], "4 is the machine's, and 1 would look like theft");
        // Another run has moved on to 5 under 4 since 3 was granted, when 1 was current.
        let mut moved = record(&[5, 4]);
        moved.granted(token(3), Some(&hash(1)));
        assert_eq!(moved.tokens, [token(3), token(5), token(4)]);
    }

    #[test]
    fn an_answered_acknowledgement_lets_go_of_what_would_look_like_theft() {
        let mut answered = record(&[3, 1]);
        answered.acknowledged(&hash(3));
        assert_eq!(answered.tokens, [token(3)]);
        // Another process was welcomed under it meanwhile and has a newer one.
        let mut newer = record(&[4, 3]);
        newer.acknowledged(&hash(3));
        assert_eq!(newer.tokens, [token(4), token(3)]);
    }
}
