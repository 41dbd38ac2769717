//! Fetches libraries and tools by Maven, as a machine's ordinary client of Maven repositories: a small project file
//! is written beside the build, and its dependencies are copied next to it. [`super::kit`] calls it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::catalogue::Library;

/// Something to fetch: a library, and its kind of file.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its coordinates.
    pub library: Library,
    /// `jar` or `aar`.
    pub kind: &'static str,
}

impl Wanted {
    /// Names one that is no library of the app.
    pub fn new(group: &str, artifact: &str, version: &str, kind: &'static str) -> Self {
        let library = Library { group: group.to_owned(), artifact: artifact.to_owned(), version: version.to_owned() };
        Self { library, kind }
    }

    /// The name under which [`fetch`] lays it down.
    pub fn file(&self) -> String {
        let Library { group, artifact, version } = &self.library;
        format!("{group}.{artifact}-{version}.{}", self.kind)
    }
}

/// What comes along with what is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Nothing: the list is closed.
    Nothing,
    /// What it says it needs.
    Needs,
}

/// Fetches everything into `directory`, unless it is there, and gives every file. `what` tells a person what and how
/// large.
///
/// # Errors
/// Maven does not start or does not find something.
pub fn fetch(
    what: &str,
    directory: &Path,
    wanted: &[Wanted],
    along: Along,
    plugin: &str,
) -> Result<Vec<PathBuf>, String> {
    let project = project(wanted, along);
    let done = directory.join("fetched.xml");
    if fs::read_to_string(&done).is_ok_and(|text| text == project) {
        return files(directory);
    }
    eprintln!("xtask: Maven fetches {what}, once");
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    fs::write(directory.join("pom.xml"), &project).map_err(|error| format!("pom.xml: {error}"))?;
    let status = std::process::Command::new("mvn")
        .args(["-q", "-B", "-ntp", "-Dstyle.color=never"])
        .arg(format!("org.apache.maven.plugins:maven-dependency-plugin:{plugin}:copy-dependencies"))
        .args(["-Dmdep.prependGroupId=true", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", directory.display()))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("mvn did not start: {error}"))?;
    if !status.success() {
        return Err("Maven did not fetch what the app is built of".to_owned());
    }
    fs::rename(directory.join("pom.xml"), &done).map_err(|error| format!("{}: {error}", done.display()))?;
    files(directory)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jar" || extension == "aar"));
    files.sort();
    Ok(files)
}

fn project(wanted: &[Wanted], along: Along) -> String {
    let mut text = String::from(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>app.pairpin</groupId><artifactId>fetched</artifactId><version>1</version><packaging>pom</packaging>\n<dependencies>\n",
    );
    let nothing = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
    for Wanted { library: Library { group, artifact, version }, kind } in wanted {
        let alone = if along == Along::Nothing { nothing } else { "" };
        let _ = writeln!(
            text,
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             <type>{kind}</type>{alone}</dependency>"
        );
    }
    text + "</dependencies></project>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_list_brings_nothing_along() {
        let wanted = [Wanted::new("a.b", "c", "1", "aar")];
        assert!(project(&wanted, Along::Nothing).contains("<exclusion><groupId>*</groupId>"));
        assert!(!project(&wanted, Along::Needs).contains("exclusion"));
        assert_eq!(wanted[0].file(), "a.b.c-1.aar");
    }
}
