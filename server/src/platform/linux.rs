//! Linux: memory kept from core dumps, `sd_notify`, other users' daemons from /proc, socket paths of any length.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::caller::ProcessLooks;
use super::{OtherServer, SOCKET_PATH};

/// What this system is called among all others: machine-id(5), the same after every start.
pub fn machine_id() -> Option<String> {
    let files = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    files.iter().find_map(|file| fs::read_to_string(file).ok()).map(|id| id.trim().to_owned())
}

/// Tells the service manager a state, as `READY=1` (sd_notify(3)); nothing where there is none.
///
/// # Errors
/// The socket that `NOTIFY_SOCKET` names does not take it.
pub fn notify(state: &str) -> io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(()) };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// Lets neither a core dump nor another process of the same user read this one's memory.
///
/// # Errors
/// None in practice.
pub fn hide_memory() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The distribution and its version, from os-release(5).
pub fn release() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release")).ok()?;
    release_of(&text)
}

fn release_of(text: &str) -> Option<String> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let name = field("NAME")?;
    Some(field("VERSION_ID").map_or(name.clone(), |version| format!("{name} {version}")))
}

/// Every `pairpin serve` on this machine but this process, from /proc.
pub fn other_servers() -> Vec<OtherServer> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    entries
        .flatten()
        .filter_map(|entry| {
            let process: u32 = entry.file_name().to_str()?.parse().ok()?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            if process == own || !is_serve(&command) {
                return None;
            }
            let uid = entry.metadata().ok()?.uid();
            Some(OtherServer { process, uid, user: user_name(uid) })
        })
        .collect()
}

/// Whether a zero-separated command line is `pairpin … serve …`.
fn is_serve(command: &[u8]) -> bool {
    let mut words = command.split(|byte| *byte == 0);
    let program = words.next().and_then(|word| word.rsplit(|byte| *byte == b'/').next());
    program == Some(b"pairpin".as_slice()) && words.any(|word| word == b"serve")
}

/// The name of a user, where the system has one for the id.
pub fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The id of a user, by its name, as /etc/passwd has it.
pub fn user_id(name: &str) -> Option<u32> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// The user who logged in, whoever this process runs as by now (proc_pid_loginuid): the kernel lets nobody
/// but root set it. `None` where nobody did, or the kernel does not say.
pub fn login_user() -> Option<u32> {
    fs::read_to_string("/proc/self/loginuid").ok()?.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// What a process looks like; `None` where there is none, or none to be seen.
pub fn looks(process: u32) -> Option<ProcessLooks> {
    let of = PathBuf::from(format!("/proc/{process}"));
    let link = |name: &str| Some(fs::read_link(of.join(name)).ok()?.to_string_lossy().into_owned());
    let mut command = Vec::new();
    fs::File::open(of.join("cmdline")).ok()?.take(COMMAND + 1).read_to_end(&mut command).ok()?;
    let cut = command.len() as u64 > COMMAND;
    let words = command.strip_suffix(b"\0").unwrap_or(&command).split(|byte| *byte == 0);
    Some(ProcessLooks {
        started: started(&fs::read_to_string(of.join("stat")).ok()?)?,
        executable: link("exe"),
        arguments: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        cut,
        directory: link("cwd"),
    })
}

/// Bytes of a command line that are looked at.
const COMMAND: u64 = 64 * 1024;

/// When a process was started: field 22 of proc_pid_stat(5). The second is its name, which it can choose.
fn started(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The id of a group, by its name or number.
pub fn group_id(group: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    named.or_else(|| group.parse().ok())
}

/// A path to a socket that fits a socket address, whatever the length of the real one: a long one
/// goes through the opened directory in /proc. Keep it until bind or connect has returned.
#[derive(Debug)]
pub struct ShortPath {
    path: PathBuf,
    _directory: Option<OwnedFd>,
}

impl ShortPath {
    /// A short path to `name` in `directory`.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn of(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        if path.as_os_str().len() <= SOCKET_PATH {
            return Ok(Self { path, _directory: None });
        }
        let directory = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }

    /// The path to bind or connect.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_serving_pairpin_is_a_server() {
        assert!(is_serve(b"/usr/bin/pairpin\0--state-dir\0/x\0serve\0"));
        assert!(!is_serve(b"/usr/bin/pairpin\0pair\0"));
        assert!(!is_serve(b"vim\0serve\0") && !is_serve(b""));
    }

    #[test]
    fn a_release_is_a_name_and_a_version() {
        assert_eq!(release_of("NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n").unwrap(), "Debian GNU/Linux 12");
        assert_eq!(release_of("ID=x\nNAME=Arch\n").unwrap(), "Arch");
        assert!(release_of("NAME=\n").is_none());
    }

    #[test]
    fn the_start_of_a_process_is_not_taken_from_its_name() {
        let fields: Vec<String> = (4..=30).map(|number| number.to_string()).collect();
        let stat = format!("7 (a) 1 2 3 b) S {}", fields.join(" "));
        assert_eq!(started(&stat), Some(22));
        assert_eq!(started("7 (a"), None);
    }

    #[test]
    fn a_group_is_found_by_name_or_number() {
        assert_eq!((group_id("root"), group_id("4711"), group_id("no such group")), (Some(0), Some(4711), None));
    }

    #[test]
    fn a_long_path_binds_and_connects() {
        let root = tempfile::tempdir().unwrap();
        let long = root.path().join("a".repeat(100)).join("b".repeat(100));
        fs::create_dir_all(&long).unwrap();
        assert!(std::os::unix::net::UnixListener::bind(long.join("s")).is_err());
        let short = ShortPath::of(&long, "s").unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(short.path()).unwrap();
        assert!(long.join("s").exists());
        std::os::unix::net::UnixStream::connect(ShortPath::of(&long, "s").unwrap().path()).unwrap();
    }
}
