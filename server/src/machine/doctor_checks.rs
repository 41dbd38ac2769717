//! The doctor's checks, each a function from what is there to what it found.

use std::fs;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use pairpin_core::clock::{Clock as _, SystemClock, UnixMillis};
use pairpin_core::host::{DATABASE_FILE, HostError, IDENTITY_KEY_FILE, NEXT_KEY_FILE, OfflineHost, unreadable_keys};
use pairpin_core::net::{addresses::local_addresses, listen};
use pairpin_core::wire::{AddressKind, DEFAULT_PORT};
use rustix::fs::StatVfsMountFlags;

use super::doctor::Check;
use super::status::LOOPBACK_ONLY;
use crate::admin::SOCKET;
use crate::admin::views::{DaemonRecord, MachineRecord};
use crate::output::style::printable;
use crate::output::time::Moment;
use crate::platform::{effective_uid, locale_is_not_utf8, system_id, terminal_size};

/// 2025-01-01 and 2100-01-01: a clock outside has lost its battery or its mind.
const SANE: std::ops::Range<UnixMillis> = 1_735_689_600_000..4_102_444_800_000;
/// How far the clock may be behind the latest welcome before it is said.
const BEHIND: UnixMillis = 60_000;

/// Whether anybody else can reach this machine, and where.
pub fn addresses(daemon: Option<&DaemonRecord>) -> Vec<Check> {
    let list: Vec<(String, AddressKind, String)> = match daemon {
        Some(daemon) => daemon.addresses.iter().map(|a| (a.address.to_string(), a.kind, a.interface.clone())).collect(),
        None => match local_addresses() {
            Ok(list) => list.into_iter().map(|a| (a.ip.to_string(), a.kind, a.interface)).collect(),
            Err(error) => {
                let text = format!("the network interfaces cannot be listed: {error}");
                return vec![Check::finding("address", text, "name an address with `pairpin serve --advertise`")];
            }
        },
    };
    let far = list.iter().any(|(_, kind, _)| !matches!(kind, AddressKind::Loopback | AddressKind::Container));
    let mut found: Vec<Check> = list
        .into_iter()
        .map(|(address, kind, interface)| {
            let interface = if interface.is_empty() { String::new() } else { format!(" ({})", printable(&interface)) };
            let text = format!("{address}  {}{interface}", kind.as_str());
            if matches!(kind, AddressKind::Loopback | AddressKind::Container) {
                Check::note("address", text)
            } else {
                Check::ok("address", text)
            }
        })
        .collect();
    if daemon.is_some_and(|daemon| daemon.loopback_only) {
        found.push(Check::finding("address", LOOPBACK_ONLY, "start serve without --bind, or with a LAN address"));
    } else if !far {
        let next = "connect this machine to a network, or name an address with `pairpin serve --advertise`";
        found.push(Check::finding("address", "no address that another machine could reach", next));
    }
    found
}

/// Whether the port is the daemon's, or free for it.
pub fn port(daemon: Option<&DaemonRecord>) -> Vec<Check> {
    if let Some(daemon) = daemon {
        return daemon.listening.iter().map(|address| Check::ok("port", format!("listening on {address}"))).collect();
    }
    let asked = std::env::var("PAIRPIN_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
    vec![match listen::bind(None, asked) {
        Ok(_) => Check::ok("port", format!("{asked} is free")),
        Err(error) => Check::finding("port", error.to_string(), "or choose another with `pairpin serve --port`"),
    }]
}

/// Whether stored lifetimes can be judged by this clock.
pub fn clock(state_dir: &Path, daemon: Option<&DaemonRecord>) -> Vec<Check> {
    // A running daemon holds the database: it is asked.
    let latest = match daemon {
        Some(daemon) => daemon.latest_welcome.map(|Moment(latest)| latest),
        None => latest_welcome(state_dir),
    };
    vec![judge_clock(SystemClock.wall_ms(), latest)]
}

fn latest_welcome(state_dir: &Path) -> Option<UnixMillis> {
    OfflineHost::open(state_dir).ok()??.latest_welcome().ok()?
}

fn judge_clock(now: UnixMillis, latest_welcome: Option<UnixMillis>) -> Check {
    let shown = Moment(now).local();
    if !SANE.contains(&now) {
        return Check::finding(
            "clock",
            format!("it says {shown}"),
            "set it, with `timedatectl set-ntp true` or by hand",
        );
    }
    match latest_welcome.filter(|latest| now + BEHIND < *latest) {
        Some(latest) => Check::finding(
            "clock",
            format!("it says {shown}, but a device was welcomed at {}", Moment(latest).local()),
            "set the clock, or if it had leapt ahead then, run `pairpin doctor --reset-clock`",
        ),
        None => Check::ok("clock", shown),
    }
}

/// Bytes with which little can be stored.
const LITTLE: u64 = 128 * 1024;

/// Where the next key is, if not in the state directory; by the daemon or else by the stopped machine's state.
pub fn next_key_kept(state_dir: &Path, machine: Option<&MachineRecord>) -> Option<String> {
    match machine {
        Some(machine) => machine.next_key_kept.clone(),
        None => OfflineHost::open(state_dir).ok().flatten()?.next_key_kept(),
    }
}

/// Whether keys and database are their owner's alone. `next_kept`: the file elsewhere that has the next key.
pub fn permissions(state_dir: &Path, next_kept: Option<&str>) -> Vec<Check> {
    let Ok(directory) = fs::symlink_metadata(state_dir) else {
        return vec![Check::note("state", format!("{} is not there yet", state_dir.display()))];
    };
    if !directory.is_dir() {
        let text = format!("{} is not a directory", state_dir.display());
        return vec![Check::finding("state", text, "move it away, or give another --state-dir")];
    }
    let mut found = judge_mode(state_dir, &directory, "700");
    let database = |suffix: &str| format!("{DATABASE_FILE}{suffix}");
    let names = [
        IDENTITY_KEY_FILE.to_owned(),
        NEXT_KEY_FILE.to_owned(),
        database(""),
        database("-wal"),
        database("-shm"),
        SOCKET.to_owned(),
    ];
    for name in names {
        let path = state_dir.join(name);
        if let Ok(metadata) = fs::symlink_metadata(&path) {
            found.extend(judge_mode(&path, &metadata, "600"));
        }
    }
    let lost = [
        (IDENTITY_KEY_FILE, "and scan again on every device"),
        (NEXT_KEY_FILE, "and have every device connect before the next planned change of key"),
    ];
    for (key, cost) in lost.map(|(file, cost)| (state_dir.join(file), cost)) {
        let is_elsewhere = next_kept.is_some() && key.ends_with(NEXT_KEY_FILE);
        if state_dir.join(DATABASE_FILE).exists() && !key.exists() && !is_elsewhere {
            let text = format!("{} is missing beside a database", key.display());
            let next = format!("restore it from a backup, or run `pairpin serve --new-key` {cost}");
            found.push(Check::finding("key", text, next));
        }
    }
    if found.is_empty() {
        found.push(Check::ok("state", format!("{}, keys in files that only you can read", state_dir.display())));
    }
    if let Some(file) = next_kept {
        found
            .push(Check::note("next key", format!("kept in {}, where `pairpin key rotate` needs it", printable(file))));
    }
    found
}

/// Whether the keys can be read: a daemon that runs has them in memory, and would not start again.
pub fn keys(state_dir: &Path) -> Vec<Check> {
    let next = "or, if there is no backup, move it away: `pairpin serve` then says what a new one costs";
    unreadable_keys(state_dir).into_iter().map(|error| Check::finding("key", error.to_string(), next)).collect()
}

/// Whether the state can be written: a disk that is full or read-only keeps nobody out who is paired, and
/// nobody new gets in.
pub fn disk(state_dir: &Path) -> Vec<Check> {
    let Ok(found) = rustix::fs::statvfs(state_dir) else { return Vec::new() };
    let (shown, mut checks) = (state_dir.display(), Vec::new());
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let text = format!("the disk that holds {shown} is mounted read-only, nothing can be paired or revoked");
        checks.push(Check::finding("disk", text, "mount it for writing"));
    } else if found.f_bavail.saturating_mul(found.f_frsize) < LITTLE {
        let text = format!("the disk that holds {shown} is full, nothing can be paired or revoked");
        checks.push(Check::finding("disk", text, "free some space"));
    }
    checks
}

/// Whether the state is this system's own.
pub fn place(state_dir: &Path, runs: bool) -> Vec<Check> {
    let Some(system) = system_id() else {
        let text = "this system has no machine-id, so a copy of the state that serves on another one is not noticed";
        return vec![Check::note("place", text)];
    };
    if runs {
        // It looked when it started.
        return vec![Check::ok("place", "the state is this machine's own")];
    }
    match OfflineHost::open(state_dir).map(|host| host.map(|host| host.on(Some(system)).is_here())) {
        Ok(Some(Ok(()))) => vec![Check::ok("place", "the state is this machine's own")],
        Ok(Some(Err(error @ HostError::OtherSystem(_)))) => {
            vec![Check::finding("place", error.to_string(), "run one of the two")]
        }
        // There is none yet, or another check says what is wrong with it.
        _ => Vec::new(),
    }
}

/// Whether a daemon could open the state of a stopped machine.
pub fn database(state_dir: &Path) -> Vec<Check> {
    match OfflineHost::open(state_dir) {
        // One that is on its way up or down holds the lock.
        Ok(_) | Err(HostError::AlreadyRunning(_)) => Vec::new(),
        Err(error) => vec![Check::finding("database", error.to_string(), "then look again")],
    }
}

fn judge_mode(path: &Path, metadata: &fs::Metadata, wanted: &str) -> Vec<Check> {
    let (shown, mut found) = (path.display(), Vec::new());
    if metadata.is_symlink() {
        found.push(Check::finding("state", format!("{shown} is a symbolic link"), "put the file itself there"));
        return found;
    }
    if metadata.uid() != effective_uid() {
        let text = format!("{shown} belongs to user {}", metadata.uid());
        found.push(Check::finding("state", text, "run pairpin as that user, or change its owner"));
    }
    if metadata.mode() & 0o077 != 0 {
        let text = format!("{shown} can be opened by others (mode {:o})", metadata.mode() & 0o777);
        found.push(Check::finding("state", text, format!("run `chmod {wanted} {shown}`")));
    }
    found
}

/// Whether a QR fits this terminal and can be read from it.
pub fn terminal() -> Vec<Check> {
    let stdout = std::io::stdout();
    let size = if stdout.is_terminal() { terminal_size(&stdout) } else { None };
    judge_terminal(size, locale_is_not_utf8())
}

fn judge_terminal(size: Option<(usize, usize)>, not_utf8: bool) -> Vec<Check> {
    let Some((columns, rows)) = size else {
        return vec![Check::note(
            "terminal",
            "stdout is none, a QR goes to a file with `pairpin pair --qr-out qr.png`",
        )];
    };
    let mut found = vec![if columns < 80 || rows < 24 {
        let next = "enlarge it to 80x24, or use `pairpin pair --qr-out qr.png`";
        Check::finding("terminal", format!("{columns}x{rows} is too small for QR and text"), next)
    } else {
        Check::ok("terminal", format!("{columns}x{rows}"))
    }];
    if not_utf8 {
        found.push(Check::note("terminal", "the locale is not UTF-8, so the QR is drawn in ASCII and is larger"));
    }
    found.push(Check::note("theme", "any: the QR is always dark on light, whatever the terminal's colours"));
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::machine::doctor::Level;

    #[test]
    fn an_absurd_clock_is_found_and_one_behind_the_latest_welcome_too() {
        let now = 1_800_000_000_000;
        assert_eq!(judge_clock(now, None).level, Level::Ok);
        assert_eq!(judge_clock(now, Some(now + 1_000)).level, Level::Ok);
        let behind = judge_clock(now, Some(now + 3_600_000));
        assert!(behind.level == Level::Finding && behind.next.unwrap().contains("--reset-clock"));
        for absurd in [0, -1, i64::MAX / 2] {
            assert_eq!(judge_clock(absurd, None).level, Level::Finding);
        }
    }

    #[test]
    fn a_readable_key_is_found_with_the_command_that_closes_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let key = dir.path().join(IDENTITY_KEY_FILE);
        fs::write(&key, "").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(permissions(dir.path(), None).iter().all(|check| check.level == Level::Ok));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let found = permissions(dir.path(), None);
        assert!(found.iter().any(|check| check.next.as_deref().is_some_and(|next| next.starts_with("run `chmod 600"))));
    }

    #[test]
    fn a_key_that_is_gone_beside_a_database_is_found_whichever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DATABASE_FILE), "").unwrap();
        let found = || {
            let found = permissions(dir.path(), None).into_iter().filter(|check| check.check == "key");
            found.map(|check| check.text).collect::<Vec<_>>()
        };
        assert_eq!(found().len(), 2);
        fs::write(dir.path().join(IDENTITY_KEY_FILE), "").unwrap();
        assert!(matches!(found().as_slice(), [one] if one.contains(NEXT_KEY_FILE)), "{:?}", found());
        let elsewhere = permissions(dir.path(), Some("/media/next.key"));
        assert!(elsewhere.iter().all(|check| check.check != "key"), "{elsewhere:?}");
        assert!(elsewhere.iter().any(|check| check.text.contains("/media/next.key")), "{elsewhere:?}");
        fs::write(dir.path().join(NEXT_KEY_FILE), "").unwrap();
        assert!(found().is_empty());
    }

    #[test]
    fn a_key_that_cannot_be_read_is_found_whichever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(keys(dir.path()).is_empty() && keys(&dir.path().join("none")).is_empty(), "there is none yet");
        for (found, file) in [(1, NEXT_KEY_FILE), (2, IDENTITY_KEY_FILE)] {
            let file = dir.path().join(file);
            fs::write(&file, "-----BEGIN PRIVATE KEY-----").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let checks = keys(dir.path());
            assert_eq!(checks.len(), found);
            let named = |check: &Check| check.text.starts_with(&file.display().to_string());
            assert!(checks.iter().any(|check| check.level == Level::Finding && named(check)), "{checks:?}");
        }
    }

    #[test]
    fn a_small_terminal_is_found() {
        assert_eq!(judge_terminal(Some((80, 24)), false)[0].level, Level::Ok);
        assert_eq!(judge_terminal(Some((79, 24)), false)[0].level, Level::Finding);
        assert_eq!(judge_terminal(None, false)[0].level, Level::Note);
    }
}
