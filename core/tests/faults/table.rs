//! The matrix as a page: `docs/evidence/fault-matrix.md` is written by the test that runs it.

use std::fmt::Write as _;
use std::path::PathBuf;

use pairpin_core::wire::MessageKind;

use super::{Comes, Fault, cell, is_the_machines};

/// Set, the page is written; else it is compared.
const WRITE: &str = "PAIRPIN_WRITE_EVIDENCE";

fn head(fault: Fault) -> &'static str {
    match fault {
        Fault::Malformed => "malformed",
        Fault::Truncated => "truncated",
        Fault::Replayed => "replayed",
        Fault::OtherSession => "another session's",
        Fault::Late => "late",
        Fault::AfterBurn => "after burn",
        Fault::AfterRevoke => "after revoke",
    }
}

/// The page.
pub fn page() -> String {
    let mut text = String::from(include_str!("page-head.md"));
    let mut reasons: Vec<&str> = Vec::new();
    for (title, from_machine) in [("What a device sends", false), ("What a machine sends", true)] {
        let heads: Vec<&str> = Fault::ALL.map(head).into();
        let _ =
            write!(text, "\n## {title}\n\n| message | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
        for message in MessageKind::ALL.iter().filter(|message| is_the_machines(**message) == from_machine) {
            let cells = Fault::ALL.map(|fault| match cell(*message, fault) {
                Comes::Stranger => "404".to_owned(),
                Comes::Told(code) => format!("told `{}`", serde_json::to_value(code).unwrap().as_str().unwrap()),
                Comes::Closed => "closed".to_owned(),
                Comes::Answered => "answered".to_owned(),
                Comes::UnknownRequest => "−32601".to_owned(),
                Comes::NotBelieved => "error".to_owned(),
                Comes::HardStop => "hard stop".to_owned(),
                Comes::Nothing(why) => {
                    let number = reasons.iter().position(|known| *known == why).unwrap_or_else(|| {
                        reasons.push(why);
                        reasons.len() - 1
                    });
                    format!("– ({})", number + 1)
                }
            });
            let _ = writeln!(text, "| `{message:?}` | {} |", cells.join(" | "));
        }
    }
    text.push_str("\n## No such cell\n\n");
    for (number, why) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {why}", number + 1);
    }
    text
}

/// Compares the page with the file, or writes it.
pub fn check() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/evidence/fault-matrix.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/evidence/fault-matrix.md is stale: run this test again with {WRITE}=1");
}
