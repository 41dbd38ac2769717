//! The admin socket itself: 0600 in the state directory, for the daemon's user and root only.
//!
//! The serve lock decides who is the daemon, so whoever holds it may replace a socket file that a
//! crashed daemon left behind. `server` listens on it, `client` connects to it.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::SOCKET;
use crate::platform::{ShortPath, effective_uid};

/// The daemon's end. Dropping it removes the socket file.
#[derive(Debug)]
pub struct AdminListener {
    listener: UnixListener,
    file: PathBuf,
}

impl AdminListener {
    /// Opens the socket in a state directory whose serve lock the caller holds.
    ///
    /// # Errors
    /// Something else has its name, or the system refuses.
    pub fn bind(state_dir: &Path) -> io::Result<Self> {
        let short = ShortPath::of(state_dir, SOCKET)?;
        match fs::symlink_metadata(short.path()) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(short.path())?,
            Ok(_) => {
                let file = state_dir.join(SOCKET);
                let message = format!("{} is not a socket, move it away", file.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(short.path())?;
        // The 0700 directory and the check of the peer hold until this has narrowed the mode.
        fs::set_permissions(short.path(), fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, file: state_dir.join(SOCKET) })
    }

    /// The next connection of somebody who may ask; others are dropped unheard.
    ///
    /// # Errors
    /// The system cannot accept at the moment, as when out of files.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let peer = stream.peer_cred()?.uid();
            if may_ask(peer, effective_uid()) {
                return Ok(stream);
            }
            tracing::warn!(uid = peer, "refused another user on the admin socket");
        }
    }
}

impl Drop for AdminListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// The daemon's own user, and root.
fn may_ask(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// Connects to the daemon of this state directory; `None` where none listens.
///
/// # Errors
/// There is one, but it may not be asked.
pub async fn connect(state_dir: &Path) -> io::Result<Option<UnixStream>> {
    connect_in(state_dir, SOCKET).await
}

/// Connects to a socket by its path; `None` where none listens.
///
/// # Errors
/// There is one, but it may not be asked.
pub async fn connect_to(file: &Path) -> io::Result<Option<UnixStream>> {
    match (file.parent(), file.file_name().and_then(|name| name.to_str())) {
        (Some(directory), Some(name)) => connect_in(directory, name).await,
        _ => Ok(None),
    }
}

async fn connect_in(directory: &Path, name: &str) -> io::Result<Option<UnixStream>> {
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
        )
    };
    let connected = match ShortPath::of(directory, name) {
        Ok(short) => UnixStream::connect(short.path()).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_user_and_root_may_ask() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }

    #[tokio::test]
    async fn the_socket_is_private_and_replaces_a_stale_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(connect(dir.path()).await.unwrap().is_none());
        // What a crashed daemon leaves: the file, and nobody listening.
        drop(std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap());
        assert!(connect(dir.path()).await.unwrap().is_none());
        let listener = AdminListener::bind(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(connect(dir.path()).await.unwrap().is_some());
        listener.accept().await.unwrap();
        drop(listener);
        assert!(!dir.path().join(SOCKET).exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(SOCKET), "mine").unwrap();
        assert!(AdminListener::bind(dir.path()).is_err());
        assert_eq!(fs::read_to_string(dir.path().join(SOCKET)).unwrap(), "mine");
    }
}
