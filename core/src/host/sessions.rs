//! Whether a reconnecting device may come in: the rules of flow (d), as pure functions.
//!
//! `host::resume` calls [`judge`] after the session key's proof has held, never before: without a
//! valid signature nothing changes state. Lifetimes are judged by the wall clock, but never by less
//! than the latest time at which a device got a welcome ([`judged_now`]).

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
