//! `cargo xtask sbom`: what the release binary is made of, as CycloneDX 1.6 in JSON. [`crate::supply`]
//! checks that it leaves nothing out.
//!
//! The packages are those of `cargo tree` for the binary's package alone (so with the features it is
//! built with), the rest comes from `cargo metadata` and `Cargo.lock`. It holds no time and no random
//! number: the same sources give the same text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::supply::{Report, cargo};

const BINARY: &str = "pairpin";

/// Name and version.
type Package = (String, String);

/// Prints the SBOM, for this machine's platform or another.
///
/// # Errors
/// The arguments cannot be understood, or cargo could not be asked.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let target = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => host()?,
        ["--target", target] => target.to_owned(),
        _ => return Err("sbom takes --target TRIPLE or nothing, see `cargo xtask help`".to_owned()),
    };
    let sbom = make(&crate::root(), &target)?;
    println!("{}", serde_json::to_string_pretty(&sbom).map_err(|error| error.to_string())?);
    Ok(true)
}

/// The SBOM against cargo's tree, and the same of one that leaves something out.
///
/// # Errors
/// Cargo could not be asked.
pub fn check_all(root: &Path, report: &mut Report) -> Result<(), String> {
    let target = host()?;
    let (sbom, tree) = (make(root, &target)?, tree(root, &target)?);
    let well = |sbom: &Value| match complaints(sbom, &tree).as_slice() {
        [] => Ok(()),
        complaints => Err(complaints.join("; ")),
    };
    report.note(&format!("the SBOM has each of the {} packages of the binary", tree.len()), well(&sbom));
    let mut caught = |name: &str, change: fn(&mut Vec<Value>)| {
        let mut broken = sbom.clone();
        if let Some(components) = broken["components"].as_array_mut() {
            change(components);
        }
        let outcome = if well(&broken).is_err() { Ok(()) } else { Err("it passes".to_owned()) };
        report.note(&format!("control: {name} is found"), outcome);
    };
    caught("a dropped package", |components| drop(components.remove(7)));
    caught("a package without its checksum", |components| components[7]["hashes"] = json!([]));
    caught("a package without its licence", |components| components[7]["licenses"] = json!([]));
    caught("a package that is not in the binary", |components| {
        let mut other = components[7].clone();
        other["name"] = "left-over".into();
        components.push(other);
    });
    Ok(())
}

/// What is wrong with an SBOM, by the binary's tree.
fn complaints(sbom: &Value, tree: &BTreeSet<Package>) -> Vec<String> {
    let mut complaints = Vec::new();
    let none = Vec::new();
    let components = sbom["components"].as_array().unwrap_or(&none);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut has: BTreeSet<Package> =
        components.iter().map(|component| (text(&component["name"]), text(&component["version"]))).collect();
    let application = &sbom["metadata"]["component"];
    has.insert((text(&application["name"]), text(&application["version"])));
    complaints.extend(tree.difference(&has).map(|(name, version)| format!("{name} {version} is missing")));
    let vendored = |name: &str| name == "sqlite";
    let extra = has.difference(tree).filter(|(name, _)| !vendored(name));
    complaints.extend(extra.map(|(name, version)| format!("{name} {version} is not in the binary")));
    for component in components {
        let name = text(&component["name"]);
        let licence = component["licenses"][0]["expression"].as_str().unwrap_or_default();
        if licence.is_empty() || licence.contains('/') {
            complaints.push(format!("{name} has no licence"));
        }
        let checksum = component["hashes"][0]["content"].as_str().unwrap_or_default();
        let ours = name.starts_with(BINARY);
        if checksum.len() != 64 && !ours && !vendored(&name) {
            complaints.push(format!("{name} has no checksum"));
        }
    }
    let refs: BTreeSet<&str> =
        components.iter().chain([application]).filter_map(|component| component["bom-ref"].as_str()).collect();
    let edges = sbom["dependencies"].as_array().unwrap_or(&none);
    let ends = edges.iter().flat_map(|edge| edge["dependsOn"].as_array().into_iter().flatten().chain([&edge["ref"]]));
    let lost = ends.filter_map(Value::as_str).filter(|end| !refs.contains(end));
    complaints.extend(lost.map(|end| format!("{end} is a dependency and no component")));
    complaints
}

fn make(root: &Path, target: &str) -> Result<Value, String> {
    let tree = tree(root, target)?;
    let metadata = cargo(root, &["metadata", "--format-version", "1", "--locked", "--filter-platform", target])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let lock = fs::read_to_string(root.join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let checksums = checksums(&lock);
    let mut refs = BTreeMap::new();
    let (mut components, mut application) = (Vec::new(), Value::Null);
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let field = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let of = (field("name"), field("version"));
        if !tree.contains(&of) {
            continue;
        }
        let component = component(package, checksums.get(&of));
        refs.insert(field("id"), field("name") + "@" + &field("version"));
        if of.0 == BINARY {
            application = component;
            continue;
        }
        components.push(component);
        if of.0 == "libsqlite3-sys" {
            components.push(sqlite(Path::new(&field("manifest_path")))?);
        }
    }
    let edges: Vec<Value> = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| {
            let of = refs.get(node["id"].as_str()?)?;
            let normal = |edge: &&Value| {
                edge["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            };
            let on = node["deps"].as_array()?.iter().filter(normal);
            let on: BTreeSet<String> =
                on.filter_map(|edge| refs.get(edge["pkg"].as_str()?)).map(|of| purl(of)).collect();
            Some(json!({ "ref": purl(of), "dependsOn": on }))
        })
        .collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": application,
            "properties": [{ "name": "pairpin:target", "value": target }],
        },
        "components": components,
        "dependencies": edges,
    }))
}

fn component(package: &Value, checksum: Option<&String>) -> Value {
    let field = |name: &str| package[name].as_str().unwrap_or_default();
    let purl = purl(&format!("{}@{}", field("name"), field("version")));
    let macros = package["targets"].as_array().into_iter().flatten().any(|target| target["kind"][0] == "proc-macro");
    let mut component = json!({
        "type": if field("name") == BINARY { "application" } else { "library" },
        "bom-ref": purl,
        "name": field("name"),
        "version": field("version"),
        // Before SPDX expressions cargo took a slash for OR.
        "licenses": [{ "expression": field("license").replace('/', " OR ") }],
        // A macro runs while the binary is built and is not in it.
        "scope": if macros { "excluded" } else { "required" },
        "purl": purl,
    });
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = package["repository"].as_str() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// SQLite is in the binary and is no package of cargo's: its source is part of `libsqlite3-sys`.
fn sqlite(manifest: &Path) -> Result<Value, String> {
    let header = manifest.with_file_name("sqlite3").join("sqlite3.h");
    let text = fs::read_to_string(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION ")?.trim().strip_prefix('"')?.strip_suffix('"'))
        .ok_or("sqlite3.h has no version")?;
    let purl = format!("pkg:generic/sqlite@{version}");
    Ok(json!({
        "type": "library", "bom-ref": purl, "name": "sqlite", "version": version, "purl": purl, "scope": "required",
        "licenses": [{ "expression": "blessing" }],
        "description": "the source that libsqlite3-sys has and compiles",
    }))
}

fn purl(name_and_version: &str) -> String {
    format!("pkg:cargo/{name_and_version}")
}

/// The packages that are built into the binary, by cargo for its package alone.
fn tree(root: &Path, target: &str) -> Result<BTreeSet<Package>, String> {
    let arguments = ["tree", "--locked", "--package", BINARY, "--edges", "normal", "--prefix", "none"];
    let text = cargo(root, &[&arguments[..], &["--format", "{p}", "--target", target]].concat())?;
    let packages = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    });
    Ok(packages.collect())
}

/// SHA-256 of each package of a registry, as it stands in `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Package, String> {
    let value = |text: &str, name: &str| {
        let start = format!("{name} = \"");
        text.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"').map(str::to_owned))
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|text| Some(((value(text, "name")?, value(text, "version")?), value(text, "checksum")?)))
        .collect()
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc did not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what it builds for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_registry_packages() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"00ff\"\n\
                    dependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        let found = checksums(lock);
        assert_eq!(found.get(&("a".to_owned(), "1.0.0".to_owned())), Some(&"00ff".to_owned()));
        assert_eq!(found.len(), 1);
    }
}
