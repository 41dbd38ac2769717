//! A stored record of any bytes; see [`crate::fuzzing`].

use super::record::Record;
use crate::secrets::SecretBytes;
use crate::token::{SessionToken, TokenHash};

/// It is refused, or it is written and read as the same, and whatever happens to it a token stays.
pub fn record(bytes: &[u8]) {
    let Ok(mut record) = Record::decode(&SecretBytes::new(bytes.to_vec())) else { return };
    let again = |record: &Record| record.encode().and_then(|bytes| Record::decode(&bytes)).ok();
    assert_eq!(again(&record).as_ref(), Some(&record), "a record that is two records");
    let first = record.token_to_try(&[]).map(TokenHash::of);
    let new = |byte: u8| SessionToken::from_bytes([byte; 32]);
    record.granted(new(0xA2), None);
    record.granted(new(0xA0), first.as_ref());
    let added = [0xA0, 0xA2].map(|byte| TokenHash::of(&new(byte)));
    let kept = record.token_to_try(&added).map(TokenHash::of);
    assert!(kept == first || first.is_some_and(|it| added.contains(&it)), "the one that works did not stay");
    if let Some(first) = first {
        record.welcomed(&first, &[TokenHash::of(&new(0xA0))], Some(new(0xA1)));
    }
    record.acknowledged(&TokenHash::of(&new(0xA1)));
    assert!(record.token_to_try(&[]).is_some(), "no token is left");
    assert_eq!(again(&record).as_ref(), Some(&record), "a record that cannot be read again");
}
