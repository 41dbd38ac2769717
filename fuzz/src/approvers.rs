//! Root's list of those whose answers it believes: it is read whole or not at all, and what is read is written
//! as the same keys.

use pairpin_core::host::{Approver, Approvers};

/// The text of the file, as it is read.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(list) = Approvers::parse(&text) else { return };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(list.all().len(), lines.clone().count(), "a line that is nobody's");
    for (line, approver) in lines.zip(list.all()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let written = approver.line();
        assert_eq!(written.split(' ').take(3).collect::<Vec<_>>(), words[..3], "another key than stands there");
        assert!(!approver.name.is_empty() && !approver.name.chars().any(char::is_control));
    }
    let written: Vec<String> = list.all().iter().map(Approver::line).collect();
    assert_eq!(Approvers::parse(&written.join("\n")).as_ref(), Ok(&list));
}
