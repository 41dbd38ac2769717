//! Whether a reconnecting device may come in: the rules of flow (d), as pure functions.
//!
//! `host::resume` calls [`judge`] after the session key's proof has held, never before: without a
//! valid signature nothing changes state. Lifetimes are judged by the wall clock, but never by less
//! than the latest time at which a device got a welcome ([`judged_now`]).

use super::views::Ending;
use crate::clock::UnixMillis;
use crate::store::host::devices::DeviceRow;
use crate::store::host::tokens::{TokenRow, TokenState};
use crate::token::TokenHash;
use crate::wire::{RefusalCode, limits};

/// What to do with a device whose session key is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its current token: welcome. `rotate` where the token is old enough for a new one.
    Welcome {
        /// Whether the welcome should bring a new token.
        rotate: bool,
    },
    /// A pending token: promote it, then welcome.
    Promote,
    /// A superseded token too late: a copy is in use. Suspend.
    Theft,
    /// Refuse with this cause; nothing changes.
    Refuse(RefusalCode),
}

/// The time by which stored lifetimes are judged.
pub fn judged_now(wall: UnixMillis, latest_welcome: UnixMillis) -> UnixMillis {
    wall.max(latest_welcome)
}

/// When a device's session ends if it is not used: the earlier of its two lifetimes.
pub fn expires_at(device: &DeviceRow) -> UnixMillis {
    let used = device.last_seen.unwrap_or(device.session_started_at).max(device.session_started_at);
    let idle = used.saturating_add(seconds(device.idle_seconds));
    idle.min(ends_at(device))
}

/// When a device's session ends whatever happens.
pub fn ends_at(device: &DeviceRow) -> UnixMillis {
    device.session_started_at.saturating_add(seconds(device.absolute_seconds))
}

/// Whether a device's session has ended by the judged time.
pub fn is_expired(device: &DeviceRow, now: UnixMillis) -> bool {
    now > expires_at(device)
}

/// Whether a session ends soon by the judged time, and by which of its two ends; the one that no use moves counts
/// first. None for one that has ended.
pub fn ending(device: &DeviceRow, now: UnixMillis) -> Option<Ending> {
    if is_expired(device, now) {
        return None;
    }
    let near = |at: UnixMillis, lifetime| at.saturating_sub(now) <= limits::warned_before(seconds(lifetime));
    let (capped, unused) = (ends_at(device), expires_at(device));
    if near(capped, device.absolute_seconds) {
        return Some(Ending { at: capped, unused: false });
    }
    (unused < capped && near(unused, device.idle_seconds)).then_some(Ending { at: unused, unused: true })
}

/// Judges a presented token: the token first, then the device's state.
pub fn judge(device: &DeviceRow, tokens: &[TokenRow], presented: &TokenHash, now: UnixMillis) -> Verdict {
    let mut found = None;
    for token in tokens {
        // Every one is compared, in constant time.
        if token.hash.ct_eq(presented) {
            found = Some(token);
        }
    }
    let Some(token) = found else { return Verdict::Refuse(RefusalCode::TokenUnknown) };
    let grace = i64::try_from(limits::SUPERSEDED_GRACE.as_millis()).unwrap_or(i64::MAX);
    match token.state {
        TokenState::Superseded if now.saturating_sub(token.changed_at) > grace => return Verdict::Theft,
        TokenState::Superseded | TokenState::Voided => return Verdict::Refuse(RefusalCode::TokenReplaced),
        TokenState::Current | TokenState::Pending => {}
    }
    if device.suspended.is_some() {
        return Verdict::Refuse(RefusalCode::Suspended);
    }
    if is_expired(device, now) {
        return Verdict::Refuse(RefusalCode::Expired);
    }
    let age = i64::try_from(limits::TOKEN_AGE.as_millis()).unwrap_or(i64::MAX);
    match token.state {
        TokenState::Pending => Verdict::Promote,
        _ => Verdict::Welcome { rotate: now.saturating_sub(token.created_at) > age && !just_issued(tokens, now) },
    }
}

/// Whether all pending tokens are so new that the device may not have stored them yet. Another one
/// would void the oldest, and of many connections at once the device could be left with void ones.
fn just_issued(tokens: &[TokenRow], now: UnixMillis) -> bool {
    let grace = i64::try_from(limits::SUPERSEDED_GRACE.as_millis()).unwrap_or(i64::MAX);
    let new = |token: &&TokenRow| {
        token.state == TokenState::Pending && (0..=grace).contains(&now.saturating_sub(token.created_at))
    };
    tokens.iter().filter(new).count() >= limits::PENDING_TOKENS
}

fn seconds(seconds: u64) -> UnixMillis {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceId, PublicKey};
    use crate::role::Role;
    use crate::secrets::{KeyKind, RecognitionKey};
    use crate::store::host::devices::{PairedHow, Suspension};

    const NOW: UnixMillis = 1_000_000_000;
    const MINUTE: UnixMillis = 60_000;
    const DAY: UnixMillis = 24 * 60 * MINUTE;

    fn device(last_seen: Option<UnixMillis>) -> DeviceRow {
        let session_key = PublicKey::from_bytes([1; 65]);
        DeviceRow {
            id: DeviceId::of(&session_key),
            session_key,
            name: "phone".to_owned(),
            platform: "Android 16".to_owned(),
            role: Role::Operator,
            key_kind: KeyKind::File,
            recognition_key: RecognitionKey::from_bytes([1; 32]),
            paired_at: NOW - 3 * DAY,
            paired_how: PairedHow::Scan,
            paired_from: "192.168.1.7".to_owned(),
            last_seen,
            last_address: None,
            idle_seconds: 2 * 24 * 60 * 60,
            absolute_seconds: 5 * 24 * 60 * 60,
            session_started_at: NOW - 3 * DAY,
            suspended: None,
            approval: None,
            let_in: None,
        }
    }

    fn token(number: u8, state: TokenState, age: UnixMillis) -> TokenRow {
        let device = device(None).id;
        TokenRow { hash: hash(number), device, state, created_at: NOW - age, changed_at: NOW - age }
    }

    fn hash(number: u8) -> TokenHash {
        TokenHash::from_bytes([number; 32])
    }

    #[test]
    fn a_session_ends_the_moment_after_its_idle_time_or_its_cap() {
        assert_eq!(expires_at(&device(Some(NOW))), NOW + 2 * DAY, "both ends are the same day");
        assert_eq!(expires_at(&device(Some(NOW - DAY))), NOW + DAY, "by idle time");
        assert_eq!(expires_at(&device(None)), NOW - DAY, "unused since it began");
        assert_eq!(expires_at(&device(Some(NOW + DAY))), NOW + 2 * DAY, "by the cap");
        assert_eq!(ends_at(&device(None)), NOW + 2 * DAY);
        for (at, expired) in [(NOW + DAY - 1, false), (NOW + DAY, false), (NOW + DAY + 1, true)] {
            assert_eq!(is_expired(&device(Some(NOW - DAY)), at), expired, "{at}");
        }
        assert_eq!((judged_now(5, 9), judged_now(9, 5)), (9, 9));
    }

    #[test]
    fn a_replaced_token_is_theft_from_a_minute_on_and_a_void_one_never() {
        for (state, age, verdict) in [
            (TokenState::Superseded, MINUTE, Verdict::Refuse(RefusalCode::TokenReplaced)),
            (TokenState::Superseded, MINUTE + 1, Verdict::Theft),
            (TokenState::Superseded, -DAY, Verdict::Refuse(RefusalCode::TokenReplaced)),
            (TokenState::Voided, DAY, Verdict::Refuse(RefusalCode::TokenReplaced)),
            (TokenState::Pending, DAY, Verdict::Promote),
        ] {
            let tokens = [token(1, TokenState::Current, 0), token(2, state, age)];
            assert_eq!(judge(&device(Some(NOW)), &tokens, &hash(2), NOW), verdict, "{state:?} {age}");
        }
        let unknown = judge(&device(Some(NOW)), &[token(1, TokenState::Current, 0)], &hash(9), NOW);
        assert_eq!(unknown, Verdict::Refuse(RefusalCode::TokenUnknown));
    }

    #[test]
    fn theft_is_told_before_suspension_and_suspension_before_expiry() {
        let suspended = DeviceRow { suspended: Some(Suspension { at: NOW, why: "theft".to_owned() }), ..device(None) };
        let tokens = [token(1, TokenState::Current, 0), token(2, TokenState::Superseded, DAY)];
        assert_eq!(judge(&suspended, &tokens, &hash(2), NOW), Verdict::Theft);
        assert_eq!(judge(&suspended, &tokens, &hash(1), NOW), Verdict::Refuse(RefusalCode::Suspended));
        assert_eq!(judge(&device(None), &tokens, &hash(1), NOW), Verdict::Refuse(RefusalCode::Expired));
    }

    #[test]
    fn a_token_rotates_after_a_day_unless_two_new_ones_are_on_their_way() {
        let rotate = |age, pending: &[UnixMillis]| {
            let mut tokens = vec![token(1, TokenState::Current, age)];
            tokens.extend(pending.iter().zip(2..).map(|(age, number)| token(number, TokenState::Pending, *age)));
            judge(&device(Some(NOW)), &tokens, &hash(1), NOW)
        };
        for (age, pending, rotates) in [
            (DAY, &[][..], false),
            (DAY + 1, &[], true),
            (DAY + 1, &[0], true),
            (DAY + 1, &[0, MINUTE], false),
            (DAY + 1, &[0, MINUTE + 1], true),
            (DAY + 1, &[-1, 0], true),
        ] {
            assert_eq!(rotate(age, pending), Verdict::Welcome { rotate: rotates }, "{age} {pending:?}");
        }
    }
}
