//! An ask in words: what is claimed, what is known and what was seen, apart, so that nobody takes one for
//! another. Used by `asks` on the machine, and by `inbox`, `approve` and `deny` on a device.

use std::time::Duration;

use super::style::printable;
use super::time::countdown;
use crate::admin::views::AskRecord;

/// The lines about an ask of this machine.
pub fn lines(ask: &AskRecord, machine: &str) -> Vec<String> {
    let machine = printable(machine);
    let left = countdown(Duration::from_secs(ask.expires_in_seconds));
    let mut lines = vec![format!("{}  on {machine}, {left} left", printable(&ask.id))];
    lines.push("  the caller says (it may say anything):".into());
    // Marked line by line: a detail must not look like the facts below it.
    lines.push(format!("    | {}", printable(&ask.claimed.text)));
    let detail = ask.claimed.detail.iter().flat_map(|detail| detail.lines());
    lines.extend(detail.map(|line| format!("    | {}", printable(line))));
    lines.push(format!("  {machine} knows (the caller cannot choose this):"));
    let known = &ask.known;
    let user = known.user.as_deref().map_or_else(|| "without a name".into(), printable);
    let process = known.process.map(|process| format!(", process {process}")).unwrap_or_default();
    lines.push(format!("    user {user} (uid {}){process}", known.uid));
    lines.push(format!("  {machine} saw (the caller can choose this):"));
    let seen = |text: &Option<String>| text.as_deref().map_or_else(|| "not to be seen".into(), printable);
    lines.push(format!("    program    {}", seen(&ask.observed.executable)));
    lines.push(format!("    arguments  {}", arguments(ask)));
    lines.push(format!("    directory  {}", seen(&ask.observed.directory)));
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
        let lines = lines(&AskRecord::of(shown, Duration::from_secs(61)), "homebox");
        assert_eq!(
            lines,
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
}
