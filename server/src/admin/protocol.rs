//! What crosses the admin socket: one request a connection, as a line of JSON; then any number of
//! event lines, then one line that is the answer or an error.
//!
//! Both ends are this program, so an unknown word is an older or newer build and is said to be.

use std::io;

use pairpin_core::host::KeyChangeKind;
use pairpin_core::role::Role;
use pairpin_core::wire::{Address, AskFresh, DenyThen};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

/// The longest request, in bytes.
pub const REQUEST: usize = 16 * 1024;
/// The longest answer, in bytes: a listing of all devices that a machine may have.
pub const ANSWER: usize = 16 * 1024 * 1024;

/// What the shell asks of the daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The machine; a [`MachineRecord`](super::views::MachineRecord).
    Status,
    /// Make an offer. Its secrets come in the first event (waiting) or the answer (not).
    Pair(PairRequest),
    /// Outstanding offers.
    Offers,
    /// Withdraw one.
    CancelOffer {
        /// Its number.
        number: u32,
    },
    /// Withdraw all; the answer is how many.
    CancelOffers,
    /// Paired devices.
    Devices,
    /// Revoked devices.
    Tombstones,
    /// The devices that may answer, as lines of a list of approvers.
    Approvers,
    /// One device.
    Device {
        /// Name, id or beginning of the id.
        device: String,
    },
    /// Give a device another name.
    Rename {
        /// Name, id or beginning of the id.
        device: String,
        /// The new name.
        name: String,
    },
    /// Change a device's role or lifetimes.
    Set {
        /// Name, id or beginning of the id.
        device: String,
        /// What to change.
        change: Change,
    },
    /// Revoke a device; the answer comes when its connections are cut.
    Revoke {
        /// Its whole id: what was asked about is what goes.
        device: String,
        /// Why.
        reason: Option<String>,
    },
    /// What a device did, and whom it let in, before or after it is revoked; a
    /// [`LossRecord`](super::views::LossRecord).
    Loss {
        /// Name, id or beginning of the id; of a revoked one its name or whole id.
        device: String,
        /// From when on, in milliseconds since 1970.
        since: i64,
    },
    /// When the live recovery sheet was printed; null where there is none.
    RecoveryPrinted,
    /// Make a recovery sheet, which voids the one before; a [`SheetRecord`](super::views::SheetRecord).
    RecoveryPrint {
        /// Addresses to put first on it.
        hosts: Vec<Address>,
    },
    /// Devices that ask to be let in.
    Joins,
    /// Let one in; the answer has the digits for it.
    ApproveJoin {
        /// Its id, or the beginning of it.
        join: String,
        /// The seven digits on its screen.
        number: String,
        /// Its role.
        role: Option<Role>,
        /// Its name.
        name: Option<String>,
    },
    /// Say no to one; the answer is what it was.
    DenyJoin {
        /// Its id, or the beginning of it.
        join: String,
        /// And besides.
        then: Option<DenyThen>,
    },
    /// The last lines of the audit log.
    Audit {
        /// How many, at most.
        lines: usize,
    },
    /// Ask the devices, and wait: events follow, and closing the connection takes it back.
    Ask(AskRequest),
    /// Asks that wait.
    Asks,
    /// One ask.
    ShowAsk {
        /// Its id.
        id: String,
    },
    /// Take an ask back.
    CancelAsk {
        /// Its id.
        id: String,
    },
    /// Tell the devices something that needs no answer; the answer is how many are connected.
    Notify {
        /// What.
        text: String,
    },
    /// Forget the latest time at which a device was welcomed.
    ResetClock,
    /// Change the machine's keys; a [`KeysChangedRecord`](super::views::KeysChangedRecord).
    ChangeKeys(ChangeKeys),
    /// Audit lines from now on, one event each, until the connection is closed.
    FollowAudit {
        /// Lines after this number.
        after: i64,
    },
}

/// What a caller of another user may ask of the daemon, by its second socket: this and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CallerRequest {
    /// See [`Request::Ask`].
    Ask(AskRequest),
    /// See [`Request::Notify`].
    Notify {
        /// What.
        text: String,
    },
}

/// A question for the devices.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// The question.
    pub text: String,
    /// More about it.
    pub detail: Option<String>,
    /// How long it waits.
    pub timeout_seconds: u64,
    /// The caller's own number for this ask.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fresh: Option<AskFresh>,
}

/// What is to become of the machine's keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeKeys {
    /// What.
    pub kind: KeysKind,
    /// The file with the next key, where that is not in the state directory; its whole path.
    pub next_key: Option<String>,
}

/// See [`KeyChangeKind`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeysKind {
    /// As announced.
    Planned,
    /// Because it is known to others.
    Compromised,
    /// Only the next one's place.
    MoveNext,
}

impl From<KeyChangeKind> for KeysKind {
    fn from(kind: KeyChangeKind) -> Self {
        match kind {
            KeyChangeKind::Planned => Self::Planned,
            KeyChangeKind::Compromised => Self::Compromised,
            KeyChangeKind::MoveNext => Self::MoveNext,
        }
    }
}

impl From<KeysKind> for KeyChangeKind {
    fn from(kind: KeysKind) -> Self {
        match kind {
            KeysKind::Planned => Self::Planned,
            KeysKind::Compromised => Self::Compromised,
            KeysKind::MoveNext => Self::MoveNext,
        }
    }
}

/// What to change about a device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its new role.
    pub role: Option<Role>,
    /// How long its session may stay unused.
    pub idle_seconds: Option<u64>,
    /// How long its session may live.
    pub absolute_seconds: Option<u64>,
    /// Lift its suspension.
    #[serde(default)]
    pub lift: bool,
    /// Forget its approval key.
    #[serde(default)]
    pub forget_approval_key: bool,
}

/// An offer to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairRequest {
    /// With a link.
    pub link: bool,
    /// The role it gives.
    pub role: Option<Role>,
    /// What to call the device.
    pub name: Option<String>,
    /// Its life.
    pub ttl_seconds: Option<u64>,
    /// Stay connected: events follow, and closing the connection withdraws the offer.
    pub wait: bool,
}

/// A line from the daemon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Something happened; more follows.
    Event(serde_json::Value),
    /// The answer; nothing follows.
    Ok(serde_json::Value),
    /// It failed; nothing follows.
    Error(AdminError),
}

/// A failure, for a person and for an exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// What kind.
    pub kind: ErrorKind,
    /// Cause and next step.
    pub message: String,
}

/// Kinds of failure that have different exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// It failed.
    Failed,
    /// The request makes no sense.
    Usage,
    /// No device is paired that may answer.
    Nobody,
    /// It needs a running daemon.
    NotRunning,
}

impl AdminError {
    /// It failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Failed, message: message.into() }
    }
}

/// Reads lines of JSON, each of at most so many bytes.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    limit: usize,
    // Kept between calls, so that a reading that was dropped half way loses nothing.
    partial: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads from here.
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, partial: Vec::new() }
    }

    /// The next line; `None` at the end of the stream. May be dropped at any time.
    ///
    /// # Errors
    /// The line is longer, is not JSON of a `T`, or the stream fails.
    pub async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let invalid = |cause: &str| io::Error::new(io::ErrorKind::InvalidData, cause);
        let room = (self.limit + 1).saturating_sub(self.partial.len());
        (&mut self.reader).take(room as u64).read_until(b'\n', &mut self.partial).await?;
        let mut line = Zeroizing::new(std::mem::take(&mut self.partial));
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => serde_json::from_slice(&line).map(Some).map_err(|error| invalid(&error.to_string())),
            Some(_) if line.len() >= self.limit => Err(invalid("the line is too long")),
            Some(_) => Err(invalid("the line was cut off")),
        }
    }

    /// Returns when the other side has closed, or says more than it should.
    pub async fn closed(&mut self) {
        let _ = self.reader.fill_buf().await;
    }
}

/// Writes one line.
///
/// # Errors
/// The stream fails.
pub async fn write_line<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    // Offers pass here: the buffer is wiped.
    let mut line = Zeroizing::new(serde_json::to_vec(value).map_err(io::Error::other)?);
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<Request>> {
        Lines::new(bytes, REQUEST).next().await
    }

    #[tokio::test]
    async fn a_request_survives_the_socket() {
        let mut bytes = Vec::new();
        write_line(&mut bytes, &Request::Revoke { device: "x".into(), reason: None }).await.unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(matches!(read(&bytes).await.unwrap(), Some(Request::Revoke { .. })));
        assert!(read(b"").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_of_any_length_costs_at_most_the_limit() {
        let endless = vec![b'a'; 10 * REQUEST];
        let mut lines = Lines::new(&endless[..], REQUEST);
        assert!(lines.next::<Request>().await.is_err());
        assert_eq!(endless.len() - lines.reader.len(), REQUEST + 1);
    }

    #[tokio::test]
    async fn a_reading_that_was_dropped_half_way_loses_nothing() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut lines = Lines::new(tokio::io::BufReader::new(near), REQUEST);
        far.write_all(b"{\"do\":\"sta").await.unwrap();
        {
            let mut reading = Box::pin(lines.next::<Request>());
            assert!(poll_once(&mut reading).await.is_none());
        }
        far.write_all(b"tus\"}\n").await.unwrap();
        assert!(matches!(lines.next().await.unwrap(), Some(Request::Status)));
    }

    /// Polls once, and gives what was ready.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn what_is_not_a_request_is_refused() {
        for line in [
            "{}\n",
            "[]\n",
            "{\"do\":\"fly\"}\n",
            "{\"do\":\"cancel-offer\",\"number\":1,\"more\":2}\n",
            "{\"do\":\"status\"}",
            "\n",
            "\u{fffd}\n",
        ] {
            assert!(read(line.as_bytes()).await.is_err(), "{line:?}");
        }
        assert!(read(b"{\"do\":\"status\"}\n").await.is_ok());
    }
}
