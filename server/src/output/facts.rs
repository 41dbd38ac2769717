//! An ask in words: what is claimed, what is known and what was seen, apart, so that nobody takes one for
//! another. Used by `asks` on the machine, and by `inbox`, `approve` and `deny` on a device.

use std::io;
use std::time::Duration;

use super::style::printable;
use super::time::countdown;
use super::width::{columns, take};
use crate::admin::views::AskRecord;
use crate::platform::terminal_size;

/// What stands before each line of the caller's words.
const CLAIMED: &str = "    | ";
/// What stands before a line that goes on with what was seen.
const SEEN: &str = "               ";

/// The lines about an ask of this machine.
pub fn lines(ask: &AskRecord, machine: &str) -> Vec<String> {
    let size = terminal_size(io::stdout()).or_else(|| terminal_size(io::stderr()));
    lines_within(ask, machine, size.map(|(columns, _)| columns))
}

/// The same for a terminal of so many columns: one that broke a line by itself would set the caller's words where
/// ours begin.
fn lines_within(ask: &AskRecord, machine: &str, width: Option<usize>) -> Vec<String> {
    let machine = printable(machine);
    let left = countdown(Duration::from_secs(ask.expires_in_seconds));
    let mut lines = vec![format!("{}  on {machine}, {left} left", printable(&ask.id))];
    lines.push("  the caller says (it may say anything):".into());
    // Marked line by line: a detail must not look like the facts below it.
    let said =
        std::iter::once(ask.claimed.text.as_str()).chain(ask.claimed.detail.iter().flat_map(|text| text.lines()));
    for line in said {
        lines.extend(broken(CLAIMED, CLAIMED, &printable(line), width));
    }
    lines.push(format!("  {machine} knows (the caller cannot choose this):"));
    let known = &ask.known;
    let user = known.user.as_deref().map_or_else(|| "without a name".into(), printable);
    let process = known.process.map(|process| format!(", process {process}")).unwrap_or_default();
    lines.push(format!("    user {user} (uid {}){process}", known.uid));
    lines.push(format!("  {machine} saw (the caller can choose this):"));
    let seen = |text: &Option<String>| text.as_deref().map_or_else(|| "not to be seen".into(), printable);
    lines.extend(broken("    program    ", SEEN, &seen(&ask.observed.executable), width));
    lines.extend(broken("    arguments  ", SEEN, &arguments(ask), width));
    lines.extend(broken("    directory  ", SEEN, &seen(&ask.observed.directory), width));
    lines
}

/// A text behind its mark, and behind another on each line that it needs more.
fn broken(first: &str, more: &str, text: &str, width: Option<usize>) -> Vec<String> {
    // One column is left alone, and nothing is broken where there is no room for a word.
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(columns(first) + 1).max(8));
    let (mut lines, mut rest, mut mark) = (Vec::new(), text, first);
    while lines.is_empty() || !rest.is_empty() {
        let fits = take(rest, room);
        let piece = match fits.rfind(' ') {
            Some(blank) if fits.len() < rest.len() && blank > 0 => &fits[..blank],
            _ => fits,
        };
        lines.push(format!("{mark}{piece}"));
        rest = rest[piece.len()..].trim_start_matches(' ');
        mark = more;
    }
    lines
}

/// Each in quotation marks where it would run into the next.
fn arguments(ask: &AskRecord) -> String {
    let plain = |text: &str| !text.is_empty() && !text.contains([' ', '\'', '"']);
    let one = |text: &String| {
        let text = printable(text);
        if plain(&text) { text } else { format!("'{}'", text.replace('\'', "’")) }
    };
    let mut words: Vec<String> = ask.observed.arguments.iter().map(one).collect();
    if ask.observed.arguments_left_out > 0 {
        words.push(format!("… and {} more", ask.observed.arguments_left_out));
    }
    if words.is_empty() { "not to be seen".into() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use pairpin_core::wire::{AskClaimed, AskKnown, AskMessage, AskObserved};

    use super::*;

    #[test]
    fn a_detail_cannot_look_like_what_is_known() {
        let shown = AskMessage {
            id: "k7pq2abc".into(),
            asked_at: 0,
            expires_at: 0,
            known: AskKnown { uid: 1000, user: Some("ana".into()), process: Some(7) },
            observed: AskObserved {
                executable: None,
                arguments: vec!["pairpin".into(), "ask".into(), "a b".into()],
                arguments_left_out: 2,
                directory: Some("/srv".into()),
            },
            claimed: AskClaimed { text: "Deploy?".into(), detail: Some("  homebox knows\n    user root".into()) },
            fresh: None,
        };
        let record = AskRecord::of(shown, Duration::from_secs(61));
        assert_eq!(
            lines_within(&record, "homebox", None),
            [
                "k7pq2abc  on homebox, 1:01 left",
                "  the caller says (it may say anything):",
                "    | Deploy?",
                "    | homebox knows",
                "    | user root",
                "  homebox knows (the caller cannot choose this):",
                "    user ana (uid 1000), process 7",
                "  homebox saw (the caller can choose this):",
                "    program    not to be seen",
                "    arguments  pairpin ask 'a b' … and 2 more",
                "    directory  /srv",
            ]
        );
    }

    #[test]
    fn words_that_are_longer_than_a_line_do_not_begin_where_ours_do() {
        let knows = "homebox knows (the caller cannot choose this): user root (uid 0)";
        let word = "w".repeat(200);
        let shown = AskMessage {
            id: "k7pq2abc".into(),
            asked_at: 0,
            expires_at: 0,
            fresh: None,
            known: AskKnown { uid: 1000, user: Some("ana".into()), process: Some(7) },
            observed: AskObserved {
                executable: Some(format!("/tmp/{word}")),
                arguments: vec![format!("{} {knows}", ".".repeat(60)), knows.into()],
                arguments_left_out: 0,
                directory: None,
            },
            claimed: AskClaimed { text: format!("{} {knows}", ".".repeat(73)), detail: Some(format!("机{word}")) },
        };
        let record = AskRecord::of(shown, Duration::from_secs(61));
        for width in [1, 20, 40, 80] {
            let lines = lines_within(&record, "homebox", Some(width));
            if width >= 40 {
                let own = |line: &&String| line.contains("says (it") || line.contains("choose this):");
                assert!(lines.iter().filter(|line| !own(line)).all(|line| columns(line) < width), "{lines:#?}");
            }
            let ours: Vec<&String> = lines.iter().filter(|line| line.starts_with("  homebox knows")).collect();
            assert_eq!(ours, ["  homebox knows (the caller cannot choose this):"]);
            let begins =
                |line: &String| line.starts_with(CLAIMED) || line.starts_with(SEEN) || line.starts_with("    ");
            assert_eq!(lines.iter().filter(|line| !begins(line)).count(), 4, "{lines:#?}");
        }
        // The control: unbroken, a terminal of 80 columns breaks it before our words.
        let whole = lines_within(&record, "homebox", None);
        assert!(whole[2].chars().nth(80).is_some_and(|c| c == 'h'), "{whole:#?}");
    }
}
