//! The sources of the app for iOS: only Apple's SDK can compile them, so here they are parsed, and their format is
//! checked with that of the rest of the package. Each file and check is one test of the layer `ios` ([`crate::ios`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ios_chroot::Chroot;
use crate::summary::Counts;

/// What must be taken, and what must be refused, or the checks check nothing.
const GOOD: &str = "import SwiftUI\n\nstruct Whole: View { var body: some View { Text(verbatim: \"a\") } }\n";
const NOT_SWIFT: &str = "import SwiftUI\n\nstruct Broken: View { var body: some View { Text(verbatim: \"a\" } }\n";
const BAD_FORMAT: &str = "import SwiftUI\nlet a=1 ;\n";

/// Checks every source.
///
/// # Errors
/// The sources cannot be read, or the checks cannot be run.
pub fn check(chroot: &Chroot, package: &Path) -> Result<Counts, String> {
    let controls = chroot.outside("controls");
    fs::create_dir_all(&controls).map_err(|error| format!("{}: {error}", controls.display()))?;
    let mut counts = Counts::default();
    let mut tell = |name: &str, well: bool| {
        counts += Counts { passed: u64::from(well), failed: u64::from(!well), skipped: 0 };
        println!("test {name} ... {}", if well { "ok" } else { "FAILED" });
    };
    for (name, text) in [("good.swift", GOOD), ("broken.swift", NOT_SWIFT), ("unformatted.swift", BAD_FORMAT)] {
        fs::write(controls.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    let quiet = |mut command: Command| {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.map(|status| status.success()).map_err(|error| format!("swift: {error}"))
    };
    tell("control: a whole source is taken", quiet(parse(chroot, "controls", "good.swift")?)?);
    tell("control: its format is taken", quiet(lint(chroot, "controls", &["good.swift"])?)?);
    tell("control: a source that is not Swift is refused", !quiet(parse(chroot, "controls", "broken.swift")?)?);
    tell("control: another format is refused", !quiet(lint(chroot, "controls", &["unformatted.swift"])?)?);
    let sources = sources(package)?;
    let names: Vec<&str> = sources.iter().map(String::as_str).collect();
    for name in names.iter().filter(|name| name.starts_with("App/")) {
        tell(&format!("{name} parses"), status(parse(chroot, "package", name)?)?);
    }
    // One command for all: each start takes a second. What it finds, it names.
    tell(&format!("the format of {} sources", names.len()), status(lint(chroot, "package", &names)?)?);
    Ok(counts)
}

fn parse(chroot: &Chroot, at: &str, name: &str) -> Result<Command, String> {
    chroot.command(at, &[], &["swiftc", "-frontend", "-parse", "-swift-version", "6", name])
}

fn lint(chroot: &Chroot, at: &str, names: &[&str]) -> Result<Command, String> {
    let settings = Chroot::inside("package/.swift-format");
    let start = ["swift", "format", "lint", "--strict", "--configuration", &settings];
    chroot.command(at, &[], &[&start[..], names].concat())
}

fn status(mut command: Command) -> Result<bool, String> {
    let status = command.stdout(std::io::stderr()).status();
    status.map(|status| status.success()).map_err(|error| format!("swift: {error}"))
}

/// Every source of the package but the generated one, by its name in the package.
fn sources(package: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::from("App"), "Sources".into(), "Tests".into(), "Package.swift".into()];
    while let Some(name) = waiting.pop() {
        let path = package.join(&name);
        if path.is_dir() {
            let entries = fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            waiting.extend(entries.flatten().map(|entry| name.join(entry.file_name())));
        } else if name.extension().is_some_and(|extension| extension == "swift") && !name.ends_with("Pairpin.swift") {
            found.push(name.to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}
