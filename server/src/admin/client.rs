//! The shell's side of the admin socket: asks the running daemon one thing.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{ANSWER, AdminError, ErrorKind, Lines, Reply, Request, write_line};
use super::socket;
use crate::exit::{Exit, Failure};
use crate::platform::owner_of;

/// A daemon that was there a moment ago.
#[derive(Debug)]
pub struct AdminClient {
    place: Place,
}

/// Where a daemon listens.
#[derive(Debug, Clone)]
pub enum Place {
    /// In its state directory, for its own user.
    State(PathBuf),
    /// At its second socket, for callers of other users.
    Socket(PathBuf),
}

/// The lines that answer one request. Dropping it closes the connection, which ends what waits.
#[derive(Debug)]
pub struct Replies {
    lines: Lines<BufReader<OwnedReadHalf>>,
    // Closing it would tell the daemon that nobody waits any more.
    writer: OwnedWriteHalf,
}

/// One line of the answer.
#[derive(Debug)]
pub enum Line<E, T> {
    /// Something happened, more follows.
    Event(E),
    /// The answer.
    Last(T),
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let exit = match error.kind {
            ErrorKind::Failed => Exit::Failed,
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Nobody => Exit::Nobody,
            ErrorKind::NotRunning => Exit::NotRunning,
        };
        Self::new(exit, error.message)
    }
}

async fn connect(place: &Place) -> Result<Option<UnixStream>, Failure> {
    let (connected, path) = match place {
        Place::State(dir) => (socket::connect(dir).await, dir),
        Place::Socket(file) => (socket::connect_to(file).await, file),
    };
    connected.map_err(|error| match (error.kind(), place) {
        (io::ErrorKind::PermissionDenied, Place::State(dir)) => {
            let owner = owner_of(dir).unwrap_or_else(|| "another user".into());
            let place = dir.display();
            Failure::failed(format!("{place} belongs to {owner}, run this as that user, as with `sudo -H -u {owner}`"))
        }
        (io::ErrorKind::PermissionDenied, Place::Socket(file)) => Failure::failed(format!(
            "{} is not open to you: its group is the one that `pairpin serve --ask-group` names, ask who runs it to \
             put you in",
            file.display()
        )),
        _ => Failure::failed(format!("cannot talk to pairpin serve through {}: {error}", path.display())),
    })
}

impl AdminClient {
    /// The daemon of this state directory, if it runs.
    ///
    /// # Errors
    /// It runs, but as another user.
    pub async fn find(state_dir: &Path) -> Result<Option<Self>, Failure> {
        Self::find_at(Place::State(state_dir.to_owned())).await
    }

    /// The daemon that listens there, if it runs.
    ///
    /// # Errors
    /// It runs, but this user may not ask it.
    pub async fn find_at(place: Place) -> Result<Option<Self>, Failure> {
        Ok(connect(&place).await?.map(|_| Self { place }))
    }

    /// Sends a request; the answer is read from what this returns.
    ///
    /// # Errors
    /// The daemon has gone away.
    pub async fn send(&self, request: &Request) -> Result<Replies, Failure> {
        self.send_to(request, |_| Ok(())).await
    }

    /// The same, once the caller has looked at the user whose daemon this is: on the very connection that
    /// is then used.
    ///
    /// # Errors
    /// What the caller says, or that the daemon has gone away.
    pub async fn send_to(
        &self,
        request: &Request,
        daemon: impl FnOnce(Option<u32>) -> Result<(), Failure>,
    ) -> Result<Replies, Failure> {
        let stream = connect(&self.place).await?.ok_or_else(gone)?;
        daemon(stream.peer_cred().ok().map(|peer| peer.uid()))?;
        let (reader, mut writer) = stream.into_split();
        write_line(&mut writer, request).await.map_err(|_| gone())?;
        Ok(Replies { lines: Lines::new(BufReader::new(reader), ANSWER), writer })
    }

    /// Asks something that does not wait.
    ///
    /// # Errors
    /// What the daemon says, or that it has gone away.
    pub async fn ask(&self, request: &Request) -> Result<Value, Failure> {
        let mut replies = self.send(request).await?;
        loop {
            if let Line::Last(answer) = replies.next::<Value, Value>().await? {
                return Ok(answer);
            }
        }
    }
}

impl Replies {
    /// The user whose daemon answers, by the kernel's word.
    pub fn daemon(&self) -> Option<u32> {
        Some(self.writer.as_ref().peer_cred().ok()?.uid())
    }

    /// The next line. May be dropped at any time.
    ///
    /// # Errors
    /// What the daemon says, or that it has gone away.
    pub async fn next<E: DeserializeOwned, T: DeserializeOwned>(&mut self) -> Result<Line<E, T>, Failure> {
        match self.lines.next().await {
            Ok(Some(Reply::Event(event))) => parse(event).map(Line::Event),
            Ok(Some(Reply::Ok(answer))) => parse(answer).map(Line::Last),
            Ok(Some(Reply::Error(error))) => Err(error.into()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(misread(&error)),
            Ok(None) | Err(_) => Err(gone()),
        }
    }
}

/// Reads an answer of the daemon, which may be another build.
///
/// # Errors
/// It is another build.
pub fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| misread(&error))
}

fn misread(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the running pairpin serve is another version, restart it ({error})"))
}

fn gone() -> Failure {
    Failure::new(Exit::NotRunning, "pairpin serve has stopped, start it again with `pairpin serve`")
}
