//! Every bound of the protocol in one place, with its unit. `docs/protocol.md` lists them.

use std::time::Duration;

/// A stranger's connections in all, at most.
pub const STRANGERS: usize = 64;
/// A stranger's connections from one address (a /64 for IPv6), at most.
pub const STRANGERS_PER_SOURCE: usize = 8;
/// How long a stranger may take to stop being one.
pub const STRANGER_TIME: Duration = Duration::from_secs(10);
/// Bytes read from a stranger, TLS included.
pub const STRANGER_BYTES: usize = 16 * 1024;

/// Life of an offer with a link.
pub const OFFER_TIME: Duration = Duration::from_secs(120);
/// Life of an offer that is a typed code alone.
pub const CODE_TIME: Duration = Duration::from_secs(5 * 60);
/// The longest life that `--ttl` may give an offer.
pub const OFFER_TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// The shortest life that `--ttl` may give an offer.
pub const OFFER_TIME_MIN: Duration = Duration::from_secs(10);
/// Offers outstanding at once, at most.
pub const OFFERS: usize = 32;
/// What a valid preview, and then a valid Proof, each add once to an offer's life.
pub const OFFER_EXTENSION: Duration = Duration::from_secs(60);
/// How long a spent offer's key is kept to name the cause of a later refusal.
pub const SPENT_OFFER_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Spent offers remembered, at most; the oldest goes first.
pub const SPENT_OFFERS: usize = 256;

/// Digits of a typed code.
pub const CODE_DIGITS: usize = 8;
/// Wrong confirmations after which a code is burnt, on each side.
pub const CODE_TRIES: u32 = 3;
/// Failures an hour after which code pairing closes until `pairpin pair --code` is run again.
pub const CODE_FAILURES_AN_HOUR: usize = 10;
/// How long the person may take to answer after a code has been confirmed.
pub const CODE_ANSWER_TIME: Duration = Duration::from_secs(60);

/// How long a session may stay unused, unless the device is set otherwise.
pub const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a session may live in all, unless the device is set otherwise.
pub const ABSOLUTE_LIFETIME: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// The age at which a welcome brings a new token.
pub const TOKEN_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Pending tokens of a device, at most; a third replaces the oldest.
pub const PENDING_TOKENS: usize = 2;
/// After this long, a replaced token with a valid signature is a sign of theft.
pub const SUPERSEDED_GRACE: Duration = Duration::from_secs(60);
/// Superseded token hashes kept for each device, at most: one a day for as long as a session lives, so
/// that a token that comes back late is known, however often a thief has had it replaced.
pub const SUPERSEDED_TOKENS: usize = 200;
/// Voided token hashes kept for each device, at most.
pub const OLD_TOKENS: usize = 16;

/// A handshake message in its base64url form, at most (characters).
pub const MESSAGE: usize = 8 * 1024;
/// A WebSocket message of an established session, at most (bytes).
pub const FRAME: usize = 64 * 1024;
/// A device's or machine's name, at most (characters, after cleaning).
pub const NAME: usize = 40;
/// Addresses in a Grant or Welcome, at most.
pub const ADDRESSES: usize = 16;
/// Paired devices, at most; each costs a row and some memory.
pub const DEVICES: usize = 10_000;

/// Silence after which a side sends a ping.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Silence after a ping after which the connection counts as dead.
pub const HEARTBEAT_DEADLINE: Duration = Duration::from_secs(10);

/// Joins that wait for a decision, at most; the oldest of the busiest source goes.
pub const JOINS: usize = 32;
/// Joins of one source (a /64 for IPv6) that wait, at most.
pub const JOINS_PER_SOURCE: usize = 4;
/// How long a join waits for a decision, and how long a slot for a number is held.
pub const JOIN_TIME: Duration = Duration::from_secs(10 * 60);
/// Joins that may be let in by a number at once: a guess costs a slot for all of its time.
pub const JOIN_SLOTS: usize = 3;
/// Numbers begun in an hour from all sources together, at most: what a guesser has.
pub const JOIN_NUMBERS_AN_HOUR: usize = 20;
/// Joins of one source that are shown to people in an hour, at most.
pub const JOIN_PROMPTS_PER_SOURCE: usize = 3;
/// Joins of all sources that are shown to people in an hour, at most.
pub const JOIN_PROMPTS: usize = 10;
/// How long after it was let in a joiner may take to acknowledge: somebody types four digits.
pub const JOIN_ACKNOWLEDGE_TIME: Duration = Duration::from_secs(2 * 60);
/// How long a person's "nobody from there" or "nobody at all" holds.
pub const JOIN_CLOSED_TIME: Duration = Duration::from_secs(60 * 60);
/// Sources that are kept out by a person's word at once, at most; the oldest word goes.
pub const JOINS_BLOCKED: usize = 64;

/// How long a nonce for a statement is good: the person reads, and finds a finger.
pub const NONCE_TIME: Duration = Duration::from_secs(2 * 60);
/// Nonces that a connection may hold at once; the oldest goes.
pub const NONCES: usize = 4;
/// How long before its end a session is warned of; one that lives for less than four times that, in its last quarter.
pub const ENDING_WARNING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long before its end a session is warned of that lives for `lifetime` milliseconds in all; in milliseconds.
pub fn warned_before(lifetime: i64) -> i64 {
    i64::try_from(ENDING_WARNING.as_millis()).unwrap_or(i64::MAX).min(lifetime / 4)
}

/// How often the same session is warned of, on one connection.
pub const ENDING_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Sessions that one connection is warned of at a time, those that end first.
pub const ENDINGS: usize = 32;
/// Tombstones of a machine that owner devices keep for it, at most: the newest.
pub const KEPT_TOMBSTONES: usize = 1_024;
/// Tombstones in one page, and in one request that hands some back: they fit into one [`FRAME`].
pub const TOMBSTONES_PAGE: usize = 24;
/// How long a hand-back without a session may take in all.
pub const HAND_BACK_TIME: Duration = Duration::from_secs(30);
/// Requests in one hand-back without a session, at most.
pub const HAND_BACKS: usize = KEPT_TOMBSTONES.div_ceil(TOMBSTONES_PAGE) + 1;
/// Devices in one page of the list that owner devices see.
pub const DEVICES_PAGE: usize = 100;

/// An ask as it is sent, at most (characters of its base64url text): [`ASKS`] of them fit into one [`FRAME`].
pub const ASK_MESSAGE: usize = 3_500;
/// Asks that wait for an answer, in all.
pub const ASKS: usize = 16;
/// Asks that wait for an answer, of one user.
pub const ASKS_PER_USER: usize = 4;
/// How long an ask waits unless told otherwise.
pub const ASK_TIME: Duration = Duration::from_secs(5 * 60);
/// How long an ask may wait.
pub const ASK_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The question of an ask, at most (bytes after cleaning).
pub const ASK_TEXT: usize = 240;
/// The detail of an ask, at most (bytes after cleaning).
pub const ASK_DETAIL: usize = 1_000;
/// Each of an ask's observed paths (bytes); longer ones are cut.
pub const ASK_PATH: usize = 160;
/// An ask's observed arguments in all (bytes); those that do not fit are counted.
pub const ASK_ARGUMENTS: usize = 320;
/// Asks that have ended and whose end is remembered, to tell who answers late.
pub const ASKS_ENDED: usize = 64;
/// Asks begun within a minute, of one user.
pub const ASKS_A_MINUTE_PER_USER: usize = 30;
/// Asks begun within a minute, in all.
pub const ASKS_A_MINUTE: usize = 120;
/// What waits for an answer, as far as a Welcome says it, at most: the rest is in `inbox` and `joins`.
pub const WELCOME_APPROVALS: usize = 32;
/// Notices a minute, of one user.
pub const NOTICES_PER_USER: usize = 6;
/// Notices a minute, in all.
pub const NOTICES: usize = 24;

/// Devices listed in an answer to a recovery sheet, at most; fewer where their names are long. The others are counted.
pub const RECOVERY_LISTED: usize = 24;
/// Recovery sheets that are used or void and of which it is remembered, to name the cause.
pub const RECOVERY_SPENT: usize = 8;
