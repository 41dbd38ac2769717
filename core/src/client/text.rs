//! Small texts for people.

use super::error::Tried;
use crate::clock::UnixMillis;
use crate::names;
use crate::role::Role;
use crate::wire::{Method, limits};

/// The day of a time, UTC, as 2026-01-31 (civil-from-days, Howard Hinnant's algorithm).
pub(super) fn day(at: UnixMillis) -> String {
    let days = at.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

// The parts of error texts (`error`).

pub(super) fn tried_text(tried: &[Tried]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let list: Vec<String> = tried.iter().map(|tried| format!("{} ({})", tried.address, tried.cause)).collect();
    format!(" at {}", list.join(", "))
}

pub(super) fn networks_text(networks: &[String]) -> String {
    if networks.is_empty() {
        return "; this device is in no network: connect it".to_owned();
    }
    format!("; this device is at {}", networks.join(", "))
}

pub(super) fn next_step(refused: bool) -> &'static str {
    if refused {
        "is pairpin serve running there, on that port?"
    } else {
        "bring both into the same network or tailnet, and check that pairpin serve runs and its firewall lets it in"
    }
}

pub(super) fn skew_text(skew: &Option<i64>) -> String {
    let Some(seconds) = skew else { return String::new() };
    let minutes = seconds.unsigned_abs() / 60;
    let direction = if *seconds > 0 { "ahead of" } else { "behind" };
    format!(" by its clock, which is {minutes} minutes {direction} this device's: set the wrong one right first")
}

/// What a machine that was restored got back.
pub(super) fn handed_text(taken: u64) -> String {
    match taken {
        0 => String::new(),
        1 => ", and a revocation that it had lost was handed back to it".to_owned(),
        taken => format!(", and {taken} revocations that it had lost were handed back to it"),
    }
}

pub(super) fn versions_text(machine: &Option<String>) -> String {
    machine
        .as_deref()
        .and_then(|versions| names::clean(versions, limits::NAME))
        .map(|versions| format!(" (the machine: {versions})"))
        .unwrap_or_default()
}

pub(super) fn tries_text(left: u32) -> String {
    match left {
        0 => "run pairpin pair --code on the machine for a new one".to_owned(),
        1 => "1 try left".to_owned(),
        left => format!("{left} tries left"),
    }
}

/// What a role is too low for, and how it gets higher.
pub(super) fn not_allowed(name: &str, role: Role, method: Method) -> String {
    let not = match method {
        Method::Inbox => "sees no inbox",
        Method::Accept | Method::Refuse => "answers no asks",
        Method::Joins | Method::ApproveJoin | Method::DenyJoin => "lets no device in",
        Method::Devices => "does not see the other devices",
        Method::Revoke => "takes nobody's access away",
        Method::SetRole | Method::Lift | Method::ForgetKey => "changes no device",
        Method::Mint => "invites nobody",
        // Everybody may, so this is for methods to come.
        _ => "may not do that",
    };
    let least = method.least_role();
    format!(
        "this device's role on {name} is {role}, which {not}: ask an owner to do it, or to raise the role, pairpin devices \
         set NAME --role {least}"
    )
}

/// How a recovery sheet ended.
pub(super) fn sheet_end(used: bool) -> &'static str {
    if used { "was used" } else { "is void, a newer one was printed" }
}

/// " on" and the day, where it is known.
pub(super) fn on_day(at: Option<UnixMillis>) -> String {
    at.map(|at| format!(" on {}", day(at))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at, day_text) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_767_139_200_000, "2025-12-31"),
            (-1, "1969-12-31"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(day(at), day_text);
        }
    }
}
