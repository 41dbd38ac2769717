//! Each direct dependency has its line in `docs/dependencies.md`, and each line its dependency.
//! [`crate::files`] asks on every run; whether the licences in it are right is asked of cargo, by
//! [`crate::supply`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::supply::{Report, cargo};

/// Where they are justified.
pub const PAGE: &str = "docs/dependencies.md";

/// The workspace's members, by the name of their directory, as its manifest lists them.
pub fn members(workspace: &str) -> Vec<String> {
    let list = workspace.lines().find_map(|line| line.trim().strip_prefix("members = ["));
    let names = list.unwrap_or_default().split('"').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// A line of the table: in whose manifest, its licence, what it is for, what was considered instead.
struct Line<'a> {
    name: &'a str,
    members: BTreeSet<String>,
    licence: &'a str,
    empty: bool,
}

fn lines(page: &str) -> impl Iterator<Item = Line<'_>> {
    page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.trim_end().trim_end_matches('|').split(" | ").collect();
        let members = cells.get(1).map_or_else(BTreeSet::new, |cell| cell.split(", ").map(str::to_owned).collect());
        let empty = cells.len() != 5 || cells.iter().any(|cell| cell.trim().is_empty());
        let licence = cells.get(2).map_or("", |cell| cell.trim());
        Some(Line { name: cells[0].trim_end_matches('`'), members, licence, empty })
    })
}

/// What does not agree between the page and the manifests, which are pairs of member and text.
pub fn complaints(page: &str, manifests: &[(String, String)]) -> Vec<String> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (member, manifest) in manifests {
        for name in direct(manifest) {
            used.entry(name).or_default().insert(member.clone());
        }
    }
    let mut complaints = Vec::new();
    for line in lines(page) {
        if line.empty {
            complaints.push(format!("the line of {} has not its five cells", line.name));
        }
        match used.remove(line.name) {
            None => complaints.push(format!("{} is no dependency (any more), or has two lines", line.name)),
            Some(members) if members != line.members => {
                complaints.push(format!("{} is a dependency of {members:?}, not of {:?}", line.name, line.members));
            }
            Some(_) => {}
        }
    }
    complaints.extend(used.keys().map(|name| format!("{name} has no line: what is it for, and what else was there?")));
    complaints
}

/// The names of a manifest's dependencies of every kind, but for our own.
fn direct(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies") && !section.starts_with("workspace");
        } else if inside && !line.starts_with('#') && line.contains('=') {
            names.extend(line.split(['.', '=', ' ']).next().map(str::to_owned));
        }
    }
    names.retain(|name| !name.starts_with("pairpin"));
    names
}

/// The licences on the page are those that the crates give themselves.
///
/// # Errors
/// Cargo could not be asked.
pub fn check_licences(root: &Path, report: &mut Report) -> Result<(), String> {
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let metadata = cargo(root, &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    report.note("the licences in docs/dependencies.md are the crates' own", same_licences(&page, &metadata));
    let other = page.replace("| MIT OR Apache-2.0 |", "| MIT |");
    let caught = if same_licences(&other, &metadata).is_err() { Ok(()) } else { Err("it passes".to_owned()) };
    report.note("control: another licence is found", caught);
    Ok(())
}

fn same_licences(page: &str, metadata: &Value) -> Result<(), String> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let has = |line: &Line<'_>| {
        packages.iter().any(|package| package["name"] == line.name && package["license"] == line.licence)
    };
    let wrong: Vec<&str> = lines(page).filter(|line| !has(line)).map(|line| line.name).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("another licence: {}", wrong.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| crate | in | licence | for | instead |\n| --- | --- | --- | --- | --- |\n\
                        | `one` | core, tests | MIT | x | y |\n| `two-b` | core | MIT | x | y |\n";

    fn manifests() -> Vec<(String, String)> {
        let core = "[package]\nname = \"c\"\n[dependencies]\npairpin-core.workspace = true\none.workspace = true\n\
                    [dev-dependencies]\n# a word = b\ntwo-b = { version = \"1\" }\n[features]\nx = []\n";
        let tests = "[dependencies]\none = \"1\"\n";
        vec![("core".to_owned(), core.to_owned()), ("tests".to_owned(), tests.to_owned())]
    }

    #[test]
    fn the_members_are_those_of_the_workspace() {
        assert_eq!(
            members("[workspace]\nmembers = [\"core\", \"tests\"]\ndefault-members = [\"x\"]\n"),
            ["core", "tests"]
        );
        let workspace = fs::read_to_string(crate::root().join("Cargo.toml")).unwrap();
        assert!(members(&workspace).len() >= 4, "the workspace's list of members cannot be read");
    }

    #[test]
    fn a_page_with_every_dependency_is_well() {
        assert_eq!(complaints(PAGE, &manifests()), Vec::<String>::new());
    }

    #[test]
    fn a_missing_line_a_line_too_many_a_wrong_member_and_an_empty_cell_are_found() {
        let broken = [
            PAGE.replace("| `one` | core, tests | MIT | x | y |\n", ""),
            format!("{PAGE}| `three` | core | MIT | x | y |\n"),
            format!("{PAGE}| `one` | core, tests | MIT | x | y |\n"),
            PAGE.replace("core, tests", "core"),
            PAGE.replace("| `two-b` | core | MIT | x | y |", "| `two-b` | core | MIT | x | |"),
            PAGE.replace("| `two-b` | core | MIT | x | y |", "| `two-b` | core | MIT | x |"),
        ];
        for page in broken {
            assert_eq!(complaints(&page, &manifests()).len(), 1, "{page}");
        }
    }
}
