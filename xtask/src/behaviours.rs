//! `cargo xtask behaviours`: what the phone's app does is told once, in `tests/behaviours.toml`, and each of it has a
//! test in the Kotlin suite and one in the Swift suite, whose name begins with its id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the behaviours are told.
const LIST: &str = "tests/behaviours.toml";

/// Where a suite's tests are, and how one begins.
struct Suite {
    name: &'static str,
    directories: &'static [&'static str],
    extension: &'static str,
    tests: fn(&str) -> Vec<Named>,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "Kotlin",
        directories: &["android/shell/src/test", "android/app/src/test"],
        extension: "kt",
        tests: kotlin_tests,
    },
    Suite { name: "Swift", directories: &["ios/Tests"], extension: "swift", tests: swift_tests },
];

/// A test whose name begins as one of a behaviour does.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    id: String,
    /// Why it would not run, where it would not.
    idle: Option<&'static str>,
}

/// Looks whether every behaviour has its tests, and every such test its behaviour.
///
/// # Errors
/// A file cannot be read.
pub fn run() -> Result<bool, String> {
    let root = crate::root();
    let list = fs::read_to_string(root.join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
    let (ids, mut complaints) = read(&list);
    for suite in SUITES {
        let named = tests_of(&root, suite)?;
        let tests: usize = named.values().map(Vec::len).sum();
        println!("{}: {} of {} behaviours have a test, {tests} tests", suite.name, covered(&ids, &named), ids.len());
        complaints.extend(compare(suite, &ids, &named));
    }
    for complaint in &complaints {
        println!("behaviours: {complaint}");
    }
    println!("{} behaviours, {} complaints", ids.len(), complaints.len());
    Ok(complaints.is_empty())
}

/// The tests of a suite, by file.
fn tests_of(root: &Path, suite: &Suite) -> Result<BTreeMap<String, Vec<Named>>, String> {
    let mut left: Vec<PathBuf> = suite.directories.iter().map(|directory| root.join(directory)).collect();
    let mut tests = BTreeMap::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            left.extend(inside.filter_map(|entry| Some(entry.ok()?.path())));
        } else if path.extension().is_some_and(|extension| extension == suite.extension) {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            tests.insert(name, (suite.tests)(&text));
        }
    }
    Ok(tests)
}

fn covered(ids: &BTreeSet<String>, named: &BTreeMap<String, Vec<Named>>) -> usize {
    let tested: BTreeSet<&String> = running(named).collect();
    ids.iter().filter(|id| tested.contains(id)).count()
}

fn running(named: &BTreeMap<String, Vec<Named>>) -> impl Iterator<Item = &String> {
    named.values().flatten().filter(|test| test.idle.is_none()).map(|test| &test.id)
}

/// What is missing in a suite, or unknown, or would not run.
fn compare(suite: &Suite, ids: &BTreeSet<String>, named: &BTreeMap<String, Vec<Named>>) -> Vec<String> {
    if named.is_empty() {
        return vec![format!("there is no {} suite in {}", suite.name, suite.directories.join(", "))];
    }
    let tested: BTreeSet<&String> = running(named).collect();
    let missing = ids.iter().filter(|id| !tested.contains(id));
    let mut complaints: Vec<String> =
        missing.map(|id| format!("{id} has no test in the {} suite", suite.name)).collect();
    for (path, tests) in named {
        for test in tests {
            if !ids.contains(&test.id) {
                complaints.push(format!("{path}: a test of {}, which is not in {LIST}", test.id));
            }
            if let Some(why) = test.idle {
                complaints.push(format!("{path}: the test of {} would not run: {why}", test.id));
            }
        }
    }
    complaints
}

/// The ids of the list, and what is wrong with it. It is the part of TOML that the list needs and no more.
fn read(text: &str) -> (BTreeSet<String>, Vec<String>) {
    const KEYS: [&str; 4] = ["id", "given", "when", "then"];
    let mut ids = BTreeSet::new();
    let mut complaints = Vec::new();
    let mut entries: Vec<(usize, BTreeMap<&str, &str>)> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[[behaviour]]" {
            entries.push((number, BTreeMap::new()));
            continue;
        }
        let key_and_value = line.split_once(" = ").and_then(|(key, value)| Some((key, quoted(value)?)));
        match (key_and_value, entries.last_mut()) {
            (Some((key, value)), Some((_, entry))) if KEYS.contains(&key) => {
                if entry.insert(key, value).is_some() {
                    complaints.push(format!("{LIST}:{number}: a second {key}"));
                }
            }
            _ => complaints.push(format!("{LIST}:{number}: not `key = \"text\"` of {}", KEYS.join(", "))),
        }
    }
    for (number, entry) in &entries {
        for key in KEYS {
            if entry.get(key).is_none_or(|value| value.trim().is_empty()) {
                complaints.push(format!("{LIST}:{number}: no {key}"));
            }
        }
        let id = entry.get("id").copied().unwrap_or_default();
        if !id.is_empty() && !is_id(id) {
            complaints.push(format!("{LIST}:{number}: {id:?} is no id, which has small letters, digits and hyphens"));
        }
        if !ids.insert(id.to_owned()) {
            complaints.push(format!("{LIST}:{number}: {id} is there twice"));
        }
    }
    if entries.is_empty() {
        complaints.push(format!("{LIST} tells of no behaviour"));
    }
    (ids, complaints)
}

/// What stands between the quotation marks, which do not occur inside.
fn quoted(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains(['"', '\\'])).then_some(inside)
}

fn is_id(id: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    id.split('-').all(part)
}

/// Tests as ``fun `id - what it proves`()`` below `@Test`.
fn kotlin_tests(text: &str) -> Vec<Named> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut tests = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, name)) = line.split_once("fun `") else { continue };
        let Some((id, rest)) = name.split_once(" - ").filter(|(id, _)| is_id(id)) else { continue };
        let above = || lines[..at].iter().rev().take_while(|line| line.starts_with('@') || line.starts_with("//"));
        let idle = if !above().any(|line| *line == "@Test") && !line.starts_with("@Test ") {
            Some("@Test does not stand above it")
        } else if above().chain([line]).any(|line| line.contains("@Disabled") || line.contains("@Ignore")) {
            Some("it is switched off")
        } else if rest.contains("= runBlocking {") {
            // JUnit leaves out a method that returns something, without a word.
            Some("it returns a value, write runBlocking<Unit>")
        } else {
            None
        };
        tests.push(Named { id: id.to_owned(), idle });
    }
    tests
}

/// Tests as `@Test("id: what it proves")`.
fn swift_tests(text: &str) -> Vec<Named> {
    let mut tests = Vec::new();
    for attribute in text.split("@Test(").skip(1) {
        let Some(name) = attribute.trim_start().strip_prefix('"') else { continue };
        let Some((name, rest)) = name.split_once('"') else { continue };
        let Some((id, _)) = name.split_once(": ").filter(|(id, _)| is_id(id)) else { continue };
        let traits = rest.split("func ").next().unwrap_or_default();
        let idle = traits.contains(".disabled(").then_some("it is switched off");
        tests.push(Named { id: id.to_owned(), idle });
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[behaviour]]\nid = \"offer-used\"\ngiven = \"a\"\nwhen = \"b\"\nthen = \"c\"\n";

    fn wrong(list: &str) -> usize {
        read(list).1.len()
    }

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// What is said of a Kotlin suite of that one file.
    fn kotlin(known: &[&str], source: &str) -> Vec<String> {
        let named = BTreeMap::from([("a.kt".to_owned(), kotlin_tests(source))]);
        compare(&SUITES[0], &ids(known), &named)
    }

    #[test]
    fn a_whole_list_is_read_and_our_own_is_whole() {
        assert_eq!(read(&format!("# why\n\n{ONE}")), (ids(&["offer-used"]), vec![]));
        let ours = fs::read_to_string(crate::root().join(LIST)).unwrap();
        assert_eq!(read(&ours).1, Vec::<String>::new());
    }

    #[test]
    fn control_each_fault_of_a_list_is_told() {
        assert_eq!(wrong(ONE), 0);
        for part in ["offer-used", "a", "b", "c"] {
            assert!(wrong(&ONE.replace(&format!("\"{part}\""), "\" \"")) > 0, "empty: {part}");
        }
        for line in ["given = \"a\"\n", "then = \"c\"\n"] {
            assert_eq!(wrong(&ONE.replace(line, "")), 1, "left out: {line}");
        }
        assert_eq!(wrong(&ONE.repeat(2)), 1, "twice");
        assert_eq!(wrong(&ONE.replace("given", "givne")), 2, "mistyped");
        assert_eq!(wrong(&format!("{ONE}then = \"d\"\n")), 1, "a second then");
        assert_eq!(wrong(&ONE.replace("offer-used", "Offer used")), 1, "no id");
        assert_eq!(wrong(""), 1, "empty");
    }

    #[test]
    fn tests_are_known_by_how_their_names_begin() {
        let source = "    @Test\n    fun `offer-used - it says so`() = runBlocking<Unit> {\n\n    @Test\n    \
            fun `the rest - of it`() {}\n\n    fun `not one`() {}\n";
        assert_eq!(kotlin(&["offer-used"], source), Vec::<String>::new());
        let source = "@Test(\"offer-used: it says so\", .timeLimit(.minutes(1)))\n func a() {}\n@Test func b() {}\n\
            @Test(\"other: words\") func c() {}";
        let named: Vec<String> = swift_tests(source).into_iter().map(|test| test.id).collect();
        assert_eq!(named, ["offer-used", "other"]);
    }

    #[test]
    fn control_a_missing_test_and_an_unknown_one_are_told() {
        let source = "@Test\nfun `offer-used - it says so`() {}\n";
        assert_eq!(kotlin(&["offer-used"], source).len(), 0);
        assert_eq!(kotlin(&["offer-used", "pair"], source), ["pair has no test in the Kotlin suite"]);
        assert_eq!(kotlin(&[], source).len(), 1, "unknown");
        assert_eq!(compare(&SUITES[1], &ids(&["pair"]), &BTreeMap::new()).len(), 1, "no suite");
    }

    #[test]
    fn control_a_test_that_would_not_run_does_not_count() {
        for source in [
            "fun `pair - it works`() {}",
            "@Test\n@Disabled\nfun `pair - it works`() {}",
            "@Test\nfun `pair - it works`() = runBlocking {",
        ] {
            assert_eq!(kotlin(&["pair"], source).len(), 2, "{source}");
        }
        let source = "@Test(\"pair: it works\", .disabled(\"later\")) func a() {}";
        let named = BTreeMap::from([("a.swift".to_owned(), swift_tests(source))]);
        assert_eq!(compare(&SUITES[1], &ids(&["pair"]), &named).len(), 2);
    }
}
