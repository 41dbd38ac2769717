//! What differs between systems, behind the same few functions: `linux` has them all, `other` the
//! portable answers. And what every Unix shares: directories, the terminal's size.
//!
//! Called by the commands and by `admin::socket`.

mod caller;
mod hidden;
#[cfg(target_os = "linux")]
mod linux;
mod owned;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use caller::{Caller, own_looks};
pub use hidden::hidden_line;
pub use owned::owned_by;
use pairpin_core::host::SystemId;
pub use system::{ShortPath, group_id, login_user, looks, notify, other_servers, user_id, user_name};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::exit::Failure;

/// A `pairpin serve` process found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherServer {
    /// Its process id.
    pub process: u32,
    /// Its user's id.
    pub uid: u32,
    /// Its user's name, where the id has one.
    pub user: Option<String>,
}

/// The longest path that a Unix socket address holds on the systems we know, in bytes, without
/// the closing zero (macOS; Linux has 107).
#[cfg(not(target_os = "linux"))]
pub const SOCKET_PATH: usize = 103;
/// The longest path that a Unix socket address holds, in bytes, without the closing zero.
#[cfg(target_os = "linux")]
pub const SOCKET_PATH: usize = 107;

/// Keeps what is in memory (keys, tokens) out of core dumps, whoever asks for one later.
///
/// # Errors
/// The system refuses, which it has no reason to: a limit may always be lowered.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A program that core dumps are piped to is not bound by that limit.
    system::hide_memory()
}

/// Where state lives unless `--state-dir` says otherwise: the XDG state directory.
///
/// # Errors
/// Neither `XDG_STATE_HOME` nor `HOME` is set to an absolute path.
pub fn default_state_dir() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("pairpin"))
        .ok_or_else(|| Failure::usage("neither XDG_STATE_HOME nor HOME is set, say where with --state-dir DIR"))
}

/// The terminal's columns and rows; 80×24 for one that does not know (a serial line), `None` where
/// the stream is no terminal.
pub fn terminal_size(stream: impl AsFd) -> Option<(usize, usize)> {
    match rustix::termios::tcgetwinsize(stream) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Some((size.ws_col.into(), size.ws_row.into())),
        Ok(_) => Some((80, 24)),
        Err(_) => None,
    }
}

/// What this machine is, for the devices that pair with it: "Debian GNU/Linux 12, x86_64".
pub fn description() -> String {
    let system = system::release().unwrap_or_else(|| std::env::consts::OS.to_owned());
    format!("{system}, {}", std::env::consts::ARCH)
}

/// The user to whom a path belongs that may be closed to this process: the owner of as much of it as can
/// be seen.
pub fn owner_of(path: &Path) -> Option<String> {
    let uid = path.ancestors().find_map(|part| std::fs::symlink_metadata(part).ok())?.uid();
    Some(user_name(uid).unwrap_or_else(|| format!("#{uid}")))
}

/// This system, as a machine's state remembers it; `None` where systems have no names, or this one has none yet.
pub fn system_id() -> Option<SystemId> {
    SystemId::of(&system::machine_id()?)
}

/// The user this process runs as.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the locale says that the terminal's text is not UTF-8. An unset or plain C locale says
/// nothing, and terminals of today are UTF-8.
pub fn locale_is_not_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_some_and(|locale| not_utf8(&locale))
}

fn not_utf8(locale: &str) -> bool {
    locale.split_once('.').is_some_and(|(_, charset)| {
        let charset: String = charset.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        !charset.starts_with("utf8")
    })
}

#[cfg(not(target_os = "linux"))]
/// An error for a path too long to be a socket's where there is no way around that.
pub fn socket_path_too_long(bytes: usize) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::InvalidFilename,
        format!(
            "the path of the admin socket has {bytes} bytes and this system takes {SOCKET_PATH}, use a shorter --state-dir"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_forbidden_for_good() {
        forbid_core_dumps().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }

    #[test]
    fn the_owner_of_what_cannot_be_seen_is_that_of_its_nearest_visible_parent() {
        let own = user_name(effective_uid()).unwrap_or_else(|| format!("#{}", effective_uid()));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(owner_of(&dir.path().join("not/there")), Some(own));
    }

    #[test]
    fn only_a_locale_that_names_another_charset_is_not_utf8() {
        for locale in ["en_US.UTF-8", "de_DE.utf8", "C", "POSIX", "en_US", "C.UTF-8@x"] {
            assert!(!not_utf8(locale), "{locale}");
        }
        for locale in ["en_US.ISO-8859-1", "ja_JP.eucJP"] {
            assert!(not_utf8(locale), "{locale}");
        }
    }
}
