//! A Debian 13 in the cache directory, which has a Swift compiler where ours has none: made once, entered for the
//! layer `ios` ([`crate::ios`]).
//!
//! What is mounted in it is mounted in a mount namespace of the one command that needs it, so it is gone with that
//! command, however it ends; so is every process that it left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::{self, Tool};

/// What is made. Another recipe makes it anew.
const RECIPE: &str = "3: trixie minbase, swiftlang libc6-dev g++ libssl-dev faketime sqlite3";

const PACKAGES: &[&str] = &["swiftlang", "libc6-dev", "g++", "libssl-dev", "faketime", "sqlite3"];

const TOOLS: &[Tool] =
    &[Tool { program: "debootstrap", package: "debootstrap", purpose: "makes the Debian that has Swift" }];

/// The directory inside that is ours.
const OURS: &str = "pairpin";

/// The made system, for one run at a time.
pub struct Chroot {
    root: PathBuf,
    _only: File,
}

impl Chroot {
    /// Finds it, or makes it.
    ///
    /// # Errors
    /// This is not Debian, or we are not root, or something could not be downloaded; the text says what to do.
    pub fn ensure() -> Result<Self, String> {
        if !install::is_root() {
            return Err("it makes a Debian system with Swift in a directory: run it as root, or run `swift test` \
                        as docs/new-shell.md says where Swift 6 is"
                .to_owned());
        }
        let mirror = mirror().ok_or(
            "it makes a Debian system from the mirror that apt uses, and apt names none of Debian here: run it on \
             Debian, or run `swift test` as docs/new-shell.md says where Swift 6 is",
        )?;
        install::ensure(TOOLS)?;
        let cache = install::cache()?;
        let only = lock(&cache.join("ios.lock"))?;
        let root = cache.join("ios-trixie");
        if !fs::read_to_string(root.join(OURS).join("recipe")).is_ok_and(|had| had == RECIPE) {
            remove(&root)?;
            make(&root, &mirror)?;
        }
        Ok(Self { root, _only: only })
    }

    /// A directory of ours inside, as it is called outside.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.root.join(OURS).join(name)
    }

    /// The same, as it is called inside.
    pub fn inside(name: &str) -> String {
        format!("/{OURS}/{name}")
    }

    /// A command inside, in the directory `at` of ours. `shown` are files and directories from outside, each with
    /// the name that it has among ours; they cannot be written to.
    ///
    /// # Errors
    /// Their places cannot be made.
    pub fn command(&self, at: &str, shown: &[(&Path, &str)], arguments: &[&str]) -> Result<Command, String> {
        let mut script = format!("mount -t proc proc {}\n", quoted(&self.root.join("proc")));
        for (from, name) in shown {
            let to = self.outside(name);
            place(from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
            let to = quoted(&to);
            script += &format!("mount --bind {} {to}\nmount -o remount,bind,ro {to}\n", quoted(from));
        }
        script += "exec \"$@\"";
        let mut command = entering(&script);
        command.args(["chroot", &self.root.to_string_lossy()]);
        command.args(["env", "-i", "-C", &Self::inside(at)]);
        command.args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LC_ALL=C.UTF-8"]).args(arguments);
        Ok(command)
    }
}

/// `sh` with mounts and processes of its own, which runs `script` with what is added as its arguments.
fn entering(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]);
    command.args(["sh", "-ec", script, "sh"]).stdin(Stdio::null());
    command
}

fn make(root: &Path, mirror: &str) -> Result<(), String> {
    let new = root.with_extension("new");
    remove(&new)?;
    eprintln!(
        "xtask: making {}: Debian 13 with Swift, about 0.6 GB to download and 2.7 GB on the disk, once",
        root.display()
    );
    let result = fill(&new, mirror);
    if result.is_err() {
        // Half of it is of no use to anybody.
        remove(&new)?;
        return result;
    }
    fs::rename(&new, root).map_err(|error| format!("{}: {error}", root.display()))
}

fn fill(new: &Path, mirror: &str) -> Result<(), String> {
    let place = new.to_string_lossy();
    run(entering("exec \"$@\"").args(["debootstrap", "--variant=minbase", "trixie", &place, mirror]))?;
    let proc = format!("mount -t proc proc {}\nexec \"$@\"", quoted(&new.join("proc")));
    let inside = |arguments: &[&str]| {
        let mut command = entering(&proc);
        command.args(["chroot", &place]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
        run(&mut command)
    };
    let install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"];
    inside(&[&install[..], PACKAGES].concat())?;
    inside(&["apt-get", "clean"])?;
    let ours = new.join(OURS);
    fs::create_dir_all(&ours)
        .and_then(|()| fs::write(ours.join("recipe"), RECIPE))
        .map_err(|error| format!("{}: {error}", ours.display()))
}

/// Where apt gets Debian from, by the host's own settings.
fn mirror() -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let more = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    files.extend(more.map(|entry| entry.path()));
    files.sort();
    files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        mirror_in(&text).or_else(|| listed_mirror(&fs::read_to_string(mirror_list(&text)?).ok()?))
    })
}

/// The file in which Debian's images for clouds name their mirrors, where the settings name that.
fn mirror_list(text: &str) -> Option<&str> {
    text.split_whitespace().find_map(|word| word.strip_prefix("mirror+file:")).filter(|file| !file.contains("security"))
}

/// The first mirror of such a file.
fn listed_mirror(text: &str) -> Option<String> {
    text.split_whitespace().find(|word| word.contains("://")).map(str::to_owned)
}

/// The first address of Debian itself: not of its security updates, nor of anybody else's packages.
fn mirror_in(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

/// Waits until nobody else uses what is beside the file.
fn lock(path: &Path) -> Result<File, String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::create(path).map_err(told)?;
    if file.try_lock().is_err() {
        eprintln!("xtask: another run of this layer is not over, waiting for it");
        file.lock().map_err(told)?;
    }
    Ok(file)
}

/// Makes what `from` can be mounted on.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        return fs::create_dir_all(to);
    }
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::options().create(true).append(true).open(to).map(|_| ())
}

fn remove(directory: &Path) -> Result<(), String> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    Ok(())
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.stdout(std::io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("debootstrap or apt-get failed, see above".to_owned()),
        Err(error) => Err(format!("unshare did not start: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_of_debian_is_found_in_both_forms_and_nobody_elses_is_taken() {
        let modern = "Types: deb\n# http://old.example/debian\nURIs: http://a.example/debian/\nSuites: bookworm\n";
        assert_eq!(mirror_in(modern).as_deref(), Some("http://a.example/debian/"));
        let old = "deb [arch=amd64] https://b.example/x/debian bookworm main\n";
        assert_eq!(mirror_in(old).as_deref(), Some("https://b.example/x/debian"));
        for other in ["URIs: http://a.example/debian-security", "deb http://a.example/ubuntu noble main", ""] {
            assert_eq!(mirror_in(other), None, "{other}");
        }
        // As in Debian's images for clouds.
        let cloud = "URIs: mirror+file:/etc/apt/mirrors/debian.list\nSuites: bookworm\n";
        assert_eq!((mirror_in(cloud), mirror_list(cloud)), (None, Some("/etc/apt/mirrors/debian.list")));
        assert_eq!(mirror_list("URIs: mirror+file:/etc/apt/mirrors/debian-security.list"), None);
        assert_eq!(listed_mirror("https://c.example/debian\n").as_deref(), Some("https://c.example/debian"));
    }

    #[test]
    fn what_is_mounted_for_a_command_is_gone_with_it_even_where_it_fails() {
        // Where namespaces are not ours to make, the layer is not run either.
        if !install::is_root() {
            return;
        }
        let place = tempfile();
        let script = format!("mount -t tmpfs none {0}\ntouch {0}/there\nexec \"$@\"", quoted(&place));
        let status = entering(&script).arg("false").status();
        assert!(status.is_ok_and(|status| status.code() == Some(1)));
        assert!(!place.join("there").exists());
        assert!(fs::remove_dir(&place).is_ok(), "nothing is mounted there");
    }

    fn tempfile() -> PathBuf {
        let place = std::env::temp_dir().join(format!("pairpin-mount-{}", std::process::id()));
        assert!(fs::create_dir(&place).is_ok());
        place
    }
}
