//! Time as people write and read it: `90s`, `10m`, "2 min ago"; and as `--json` has it (RFC 3339).

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pairpin_core::clock::UnixMillis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, RFC 3339 in UTC with milliseconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub UnixMillis);

impl Moment {
    /// A clock that is centuries off must not make a listing fail: the nearest time that exists.
    fn timestamp(self) -> Timestamp {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(end)
    }

    /// The date and time where this machine is, as `2026-11-21 10:51:14`.
    pub fn local(self) -> String {
        self.timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// How long ago this was, in the largest unit that says enough; the date beyond a month.
    pub fn ago(self, now: UnixMillis) -> String {
        let seconds = now.saturating_sub(self.0) / 1000;
        match seconds {
            i64::MIN..-60 => self.local(),
            -60..5 => "just now".into(),
            5..60 => format!("{seconds} s ago"),
            60..3_600 => format!("{} min ago", seconds / 60),
            3_600..86_400 => format!("{} h ago", seconds / 3_600),
            86_400..172_800 => "1 day ago".into(),
            172_800..2_592_000 => format!("{} days ago", seconds / 86_400),
            2_592_000.. => self.timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string(),
        }
    }

    /// How far ahead this is, or when it was.
    pub fn ahead(self, now: UnixMillis) -> String {
        let ahead = self.0.saturating_sub(now);
        match u64::try_from(ahead) {
            Ok(ms) if ms > 0 => format!("in {}", span(Duration::from_millis(ms))),
            _ => self.ago(now),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.timestamp()))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<Timestamp>().map(|time| Self(time.as_millisecond())).map_err(serde::de::Error::custom)
    }
}

/// Reads `90s`, `10m`, `2h` or `30d`. For clap.
///
/// # Errors
/// Anything else, a zero, or more than fits in a century.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const CENTURY: u64 = 100 * 366 * 86_400;
    let wrong = || "use a number and a unit: 90s, 10m, 2h, 30d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let scale = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    match seconds {
        Some(0) => Err("a duration of nothing makes no sense here".into()),
        Some(seconds) if seconds <= CENTURY => Ok(Duration::from_secs(seconds)),
        _ => Err("that is longer than a century".into()),
    }
}

/// A length of time in words, rounded to one unit.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let rounded = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", rounded(60)),
        7_200..172_800 => format!("{} h", rounded(3_600)),
        _ => format!("{} days", rounded(86_400)),
    }
}

/// A countdown, as `1:58`. Rounded up, so that `0:00` means over.
pub fn countdown(left: Duration) -> String {
    let seconds = left.as_millis().div_ceil(1000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_documented_and_nothing_else_does() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("30d", 2_592_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "90", "s", "-1s", "+1s", "1.5h", "0s", "1w", "10 m", "99999999999999999999d", "1é", "40000d"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_said_in_one_unit() {
        let now = 1_800_000_000_000;
        for (seconds, text) in
            [(0, "just now"), (59, "59 s ago"), (150, "2 min ago"), (7_300, "2 h ago"), (90_000, "1 day ago")]
        {
            assert_eq!(Moment(now - seconds * 1000).ago(now), text);
        }
        assert_eq!(Moment(now + 29 * 60_000).ahead(now), "in 29 min");
        assert_eq!(Moment(now + 30 * 86_400_000 - 1_000).ahead(now), "in 30 days");
    }

    #[test]
    fn a_moment_survives_json_and_an_absurd_one_does_not_fail() {
        let moment = Moment(1_800_000_000_123);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"2027-01-15T08:00:00.123Z\"");
        assert_eq!(serde_json::from_str::<Moment>(&text).unwrap(), moment);
        for absurd in [i64::MIN, i64::MAX] {
            assert!(serde_json::to_string(&Moment(absurd)).is_ok());
            let _ = (Moment(absurd).local(), Moment(absurd).ago(0), Moment(absurd).ahead(0));
        }
    }

    #[test]
    fn a_countdown_reaches_zero_only_at_the_end() {
        assert_eq!(countdown(Duration::from_millis(118_200)), "1:59");
        assert_eq!(countdown(Duration::from_millis(1)), "0:01");
        assert_eq!(countdown(Duration::ZERO), "0:00");
    }
}
