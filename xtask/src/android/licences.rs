//! What the app is made of: `raw/licences.txt`, which the settings show, names every crate of the core and every
//! library with its licence, a line each; `licence-texts.txt` beside it has the texts as their authors ship them. Made
//! at each build, never checked in. [`super::kit`] calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::catalogue::{Catalogue, Library};
use crate::test;

/// Licences of the Android side's libraries, by the beginning of their group.
const LIBRARIES: &[(&str, &str)] = &[
    ("androidx.", "Apache-2.0"),
    ("org.jetbrains", "Apache-2.0"),
    ("org.jspecify", "Apache-2.0"),
    ("com.google.guava", "Apache-2.0"),
    ("net.java.dev.jna", "Apache-2.0 OR LGPL-2.1-or-later"),
];

/// Writes both: the list among these resources, the texts among these assets.
///
/// # Errors
/// Cargo could not be asked, or a library's licence is not known.
pub fn write(root: &Path, catalogue: &Catalogue, resources: &Path, assets: &Path) -> Result<(), String> {
    let libraries = [catalogue.bundle("packaged-aars")?, catalogue.bundle("packaged-jars")?].concat();
    let jna = Library {
        group: "net.java.dev.jna".to_owned(),
        artifact: "jna".to_owned(),
        version: catalogue.version("jna")?.to_owned(),
    };
    let crates = crates(root)?;
    let raw = resources.join("raw");
    for directory in [&raw, &assets.to_path_buf()] {
        fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    super::tools::write(&raw.join("licences.txt"), &list(&crates, &[libraries, vec![jna]].concat())?)?;
    super::tools::write(&assets.join("licence-texts.txt"), &texts(&crates))
}

/// A crate that is in the core as phones have it.
struct Crate {
    name: String,
    version: String,
    licence: String,
    directory: PathBuf,
}

/// The crates of pairpin-ffi for a phone, without those that only build or test it, and without our own.
fn crates(root: &Path) -> Result<Vec<Crate>, String> {
    let mut tree = test::cargo(root);
    tree.args(["tree", "--locked", "--package", "pairpin-ffi", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--target", "aarch64-linux-android", "--format", "{p}"]);
    let tree = super::tools::run("cargo tree", &mut tree)?;
    let named: BTreeSet<(&str, &str)> = tree.lines().filter_map(package).collect();
    let mut metadata = test::cargo(root);
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&super::tools::run("cargo metadata", &mut metadata)?)
        .map_err(|error| error.to_string())?;
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten().filter(|package| !package["source"].is_null())
    {
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        if named.contains(&(name.as_str(), version.as_str())) {
            let directory = Path::new(&text("manifest_path")).parent().map(Path::to_path_buf).unwrap_or_default();
            crates.push(Crate { name, version, licence: text("license"), directory });
        }
    }
    if crates.len() < 20 { Err("cargo named hardly any crate".to_owned()) } else { Ok(crates) }
}

/// `name v1.2.3 (…)`.
fn package(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// A line for each: its name, a tab, its licence.
fn list(crates: &[Crate], libraries: &[Library]) -> Result<String, String> {
    let mut lines = String::from("Pairpin\tApache-2.0 OR MIT\n");
    for Library { group, artifact, version } in libraries {
        let known = LIBRARIES.iter().find(|(start, _)| group.starts_with(start));
        let (_, licence) =
            known.ok_or_else(|| format!("say the licence of {group} in xtask/src/android/licences.rs"))?;
        let _ = writeln!(lines, "{group}:{artifact} {version}\t{licence}");
    }
    for Crate { name, version, licence, .. } in crates {
        let _ = writeln!(lines, "{name} {version}\t{licence}");
    }
    Ok(lines)
}

/// The texts; the same text is that of many, and stands once, below all that it is of.
fn texts(crates: &[Crate]) -> String {
    let mut texts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for Crate { name, directory, .. } in crates {
        for file in licence_files(directory) {
            let text = fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
            texts.entry(text).or_default().insert(name);
        }
    }
    let mut texts: Vec<_> = texts.into_iter().filter(|(text, _)| !text.is_empty()).collect();
    texts.sort_by(|one, other| one.1.cmp(&other.1));
    let mut lines = String::new();
    for (text, of) in texts {
        let _ = write!(lines, "{}\n{}\n\n{text}\n\n", "-".repeat(40), of.into_iter().collect::<Vec<_>>().join(", "));
    }
    lines
}

fn licence_files(directory: &Path) -> Vec<PathBuf> {
    let starts = ["license", "licence", "copying", "notice", "unlicense"];
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        path.is_file() && starts.iter().any(|start| name.starts_with(start))
    });
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_has_a_licence_or_is_asked_for() {
        let of = |group: &str| Library { group: group.to_owned(), artifact: "a".to_owned(), version: "1".to_owned() };
        assert!(list(&[], &[of("androidx.core")]).unwrap().contains("androidx.core:a 1\tApache-2.0\n"));
        assert!(list(&[], &[of("com.example")]).unwrap_err().contains("com.example"));
    }

    #[test]
    fn a_line_of_cargos_tree_is_a_package() {
        assert_eq!(package("ring v0.17.14 (proc-macro)"), Some(("ring", "0.17.14")));
        assert_eq!(package(""), None);
    }
}
