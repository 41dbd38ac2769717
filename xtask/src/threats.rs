//! The threat model names the tests that prove it: each must exist. Used by [`crate::files`].

/// Where the tests of the table are.
pub const TABLE: &str = "docs/threat-model.md";

/// The tests that the last column of the table names, by `path::function` in backticks, that are not in
/// `sources` (pairs of path and text). A row that names none must say `not covered`.
pub fn complaints(table: &str, sources: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut rows = 0_usize;
    for (number, line) in table.lines().enumerate().filter(|(_, line)| line.starts_with("| ")) {
        let proof = line.trim_end().trim_end_matches('|').rsplit(" | ").next().unwrap_or_default();
        let named: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if proof.contains("proven by") || line.starts_with("| ---") {
            continue; // the head of a table
        }
        rows += 1;
        if named.is_empty() && !proof.contains("not covered") {
            complaints.push(format!("line {}: names no test and does not say `not covered`", number + 1));
        }
        for test in named.iter().filter(|test| !exists(test, sources)) {
            complaints.push(format!("line {}: there is no test {test}", number + 1));
        }
    }
    if rows == 0 {
        complaints.push("has no table of threats".to_owned());
    }
    complaints
}

/// `core/tests/host.rs::name` is a test function of that file; `docs/models/a.vp` is a model;
/// `tests/behaviours.toml::id` is a behaviour, for which `cargo xtask behaviours` wants a test in both shells.
fn exists(test: &str, sources: &[(String, String)]) -> bool {
    let (path, function) = test.split_once("::").unwrap_or((test, ""));
    sources.iter().filter(|(name, _)| name == path).any(|(_, text)| match function {
        "" => path.ends_with(".vp"),
        id if path.ends_with(".toml") => text.lines().any(|line| line == format!("id = \"{id}\"")),
        function => is_test(function, text),
    })
}

/// Whether `text` has that function with a test attribute above it, be it in a macro of proptest's.
fn is_test(function: &str, text: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let heads = [format!("fn {function}("), format!("async fn {function}(")];
    lines.iter().enumerate().any(|(at, line)| {
        heads.iter().any(|head| line.starts_with(head.as_str()))
            && lines[..at]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
        // In proptest's macro the attribute stands above just the same.
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| asset | attacker | mitigation | proven by |\n| --- | --- | --- | --- |\n";

    fn sources() -> Vec<(String, String)> {
        let tests = "#[test]\nfn one() {}\n\n/// Why.\n#[tokio::test]\nasync fn two() {}\n\nfn helper() {}\n";
        let behaviours = "[[behaviour]]\nid = \"deep-link\"\n";
        vec![
            ("core/tests/a.rs".into(), tests.into()),
            ("docs/models/a.vp".into(), String::new()),
            ("tests/behaviours.toml".into(), behaviours.into()),
        ]
    }

    fn of(proof: &str) -> usize {
        complaints(&format!("{HEAD}| key | thief | pin | {proof} |\n"), &sources()).len()
    }

    #[test]
    fn a_test_that_exists_is_found() {
        assert_eq!(of("`core/tests/a.rs::one`, `core/tests/a.rs::two`, `docs/models/a.vp`"), 0);
        assert_eq!(of("`tests/behaviours.toml::deep-link`"), 0);
        assert_eq!(of("not covered: why"), 0);
    }

    #[test]
    fn control_a_test_that_is_missing_or_no_test_is_caught() {
        for proof in [
            "`core/tests/a.rs::three`",
            "`core/tests/b.rs::one`",
            "`core/tests/a.rs::helper`",
            "`docs/models/b.vp`",
            "`tests/behaviours.toml::deep`",
            "by thought",
        ] {
            assert_eq!(of(proof), 1, "{proof}");
        }
        assert_eq!(complaints(HEAD, &sources()).len(), 1);
    }
}
