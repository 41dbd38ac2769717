//! The portable answers, for systems other than Linux.

use std::io;
use std::path::{Path, PathBuf};

use super::caller::ProcessLooks;
use super::{OtherServer, SOCKET_PATH, socket_path_too_long};

/// Systems have no names here.
pub fn machine_id() -> Option<String> {
    None
}

/// No service manager to tell.
///
/// # Errors
/// None.
pub fn notify(_state: &str) -> io::Result<()> {
    Ok(())
}

/// The limit on core dumps is all there is.
///
/// # Errors
/// None.
pub fn hide_memory() -> io::Result<()> {
    Ok(())
}

/// No more than the system's name is known.
pub fn release() -> Option<String> {
    None
}

/// Other users' processes are not looked at.
pub fn other_servers() -> Vec<OtherServer> {
    Vec::new()
}

/// Names are not looked up.
pub fn user_name(_uid: u32) -> Option<String> {
    None
}

/// Names are not looked up.
pub fn user_id(_name: &str) -> Option<u32> {
    None
}

/// Not told.
pub fn login_user() -> Option<u32> {
    None
}

/// Other processes are not looked at.
pub fn looks(_process: u32) -> Option<ProcessLooks> {
    None
}

/// Groups are taken by their number.
pub fn group_id(group: &str) -> Option<u32> {
    group.parse().ok()
}

/// A path to a socket that fits a socket address.
#[derive(Debug)]
pub struct ShortPath {
    path: PathBuf,
}

impl ShortPath {
    /// The path to `name` in `directory`.
    ///
    /// # Errors
    /// It is too long for this system.
    pub fn of(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        let bytes = path.as_os_str().len();
        if bytes <= SOCKET_PATH { Ok(Self { path }) } else { Err(socket_path_too_long(bytes)) }
    }

    /// The path to bind or connect.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
