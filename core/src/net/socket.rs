//! The WebSocket after the upgrade: frames in, frames out, all of it bounded, and a heartbeat.
//!
//! Both engines hold one [`Socket`] for each connection and sit in [`Socket::recv`], which also asks
//! a silent other side whether it lives. Text frames are `wire::Frame`s.

use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WireCloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};

#[cfg(feature = "echo")]
mod echo;

use super::BoxedStream;
use super::heartbeat::{Beat, Heartbeat};
use crate::wire::{CloseCode, Frame, limits};

/// How long [`Socket::close`] waits for the other side to have read the close.
const CLOSE_TIME: Duration = Duration::from_millis(500);
/// Bytes that [`Socket::close`] reads behind what was no WebSocket, so that the close is not overtaken.
const REST: usize = 4 * limits::FRAME;
/// Bytes of reason that fit into a close frame (RFC 6455 section 5.5).
const REASON: usize = 123;

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A text frame.
    Frame(Frame),
    /// The other side asked whether we live; it has been answered.
    Ping,
    /// The other side lives.
    Pong,
    /// The other side closed. Call [`Socket::recv`] once more, which ends the connection in order.
    Closed {
        /// The close code it gave, see [`CloseCode::number`].
        code: Option<u16>,
    },
}

/// The connection is at its end, or must be brought to it.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The network failed, or the other side went away without a close.
    #[error("the connection was lost ({0})")]
    Lost(io::Error),
    /// Nothing came, not even the answer to a ping; or nothing could be sent.
    #[error("the other side has stopped answering")]
    Silent,
    /// More than [`limits::FRAME`] bytes in one message; see [`is_breach`](Self::is_breach).
    #[error("the other side sent a message that is too long")]
    TooLong,
    /// Not WebSocket, or not a frame of this protocol; see [`is_breach`](Self::is_breach).
    #[error("the other side sent a frame that this version cannot read")]
    Unreadable,
    /// It has been closed already.
    #[error("the connection is closed")]
    Closed,
}

impl SocketError {
    /// Whether what came in broke the protocol. A session is closed with [`CloseCode::Protocol`] then; who has
    /// no session yet is not told why the connection ends.
    pub fn is_breach(&self) -> bool {
        matches!(self, Self::TooLong | Self::Unreadable)
    }
}

impl From<WsError> for SocketError {
    fn from(error: WsError) -> Self {
        match error {
            WsError::ConnectionClosed | WsError::AlreadyClosed => Self::Closed,
            WsError::Io(error) => Self::Lost(error),
            WsError::Capacity(_) => Self::TooLong,
            WsError::WriteBufferFull(_) => Self::Silent,
            WsError::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Lost(io::ErrorKind::ConnectionReset.into())
            }
            _ => Self::Unreadable,
        }
    }
}

/// One established connection.
pub struct Socket {
    inner: WebSocketStream<BoxedStream>,
    heart: Heartbeat,
    closed: bool,
    /// What came in was no WebSocket: no more frames are read.
    broken: bool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Socket {
    /// The machine's end, after [`super::upgrade::accept`].
    pub async fn machine(stream: BoxedStream) -> Self {
        Self::over(stream, Role::Server).await
    }

    /// The device's end, after [`super::upgrade::Response::Switched`].
    pub async fn device(stream: BoxedStream) -> Self {
        Self::over(stream, Role::Client).await
    }

    async fn over(stream: BoxedStream, role: Role) -> Self {
        // The defaults cost 151 KiB for each idle connection. Reading in small pieces costs little: they
        // are copied out of TLS's buffer, not read from the system.
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * limits::FRAME)
            .max_message_size(Some(limits::FRAME))
            .max_frame_size(Some(limits::FRAME));
        let inner = WebSocketStream::from_raw_socket(stream, role, Some(config)).await;
        Self { inner, heart: Heartbeat::new(Instant::now()), closed: false, broken: false }
    }

    /// Sends a frame and flushes it. Dropped halfway, the rest of the frame goes out with the next.
    ///
    /// # Errors
    /// [`SocketError::Silent`] where the other side has not read for [`limits::HEARTBEAT_DEADLINE`].
    pub async fn send(&mut self, frame: Frame) -> Result<(), SocketError> {
        let text = frame.encode().map_err(|_| SocketError::Unreadable)?;
        if text.len() > limits::FRAME {
            return Err(SocketError::TooLong);
        }
        self.write(Message::text(text)).await
    }

    /// Asks the other side whether it lives. If nothing comes in for
    /// [`limits::HEARTBEAT_DEADLINE`], [`recv`](Self::recv) says [`SocketError::Silent`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn ping(&mut self) -> Result<(), SocketError> {
        self.heart.asked(Instant::now());
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), SocketError> {
        match timeout(limits::HEARTBEAT_DEADLINE, self.inner.send(message)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(SocketError::Silent),
        }
    }

    /// The next thing that comes in; `None` at the end. Pings by itself after
    /// [`limits::HEARTBEAT`] of silence. May be dropped and called again without losing anything.
    ///
    /// # Errors
    /// See [`SocketError`]; the connection is then of no further use but for [`close`](Self::close).
    pub async fn recv(&mut self) -> Result<Option<Incoming>, SocketError> {
        Ok(match self.message().await? {
            None => None,
            Some(Message::Text(text)) => {
                Some(Incoming::Frame(Frame::decode(&text).map_err(|_| SocketError::Unreadable)?))
            }
            Some(Message::Ping(_)) => Some(Incoming::Ping),
            Some(Message::Pong(_)) => Some(Incoming::Pong),
            Some(Message::Close(frame)) => Some(Incoming::Closed { code: frame.map(|frame| frame.code.into()) }),
            // Streams of data are not in version 1: who sends some does not speak it.
            Some(Message::Binary(_) | Message::Frame(_)) => return Err(SocketError::Unreadable),
        })
    }

    /// The next message, whatever is in it.
    async fn message(&mut self) -> Result<Option<Message>, SocketError> {
        loop {
            let message = match timeout_at(self.heart.next(), self.inner.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => {
                    return match SocketError::from(error) {
                        SocketError::Closed => Ok(None),
                        // After a close it does not matter how the other side hangs up.
                        _ if self.closed => Ok(None),
                        error => {
                            self.broken = error.is_breach();
                            Err(error)
                        }
                    };
                }
                Ok(None) => return Ok(None),
                Err(_) => match self.heart.beat(Instant::now()) {
                    Beat::Wait => continue,
                    Beat::Ping => {
                        self.ping().await?;
                        continue;
                    }
                    Beat::Dead => return Err(SocketError::Silent),
                },
            };
            self.heart.heard(Instant::now());
            self.closed |= message.is_close();
            return Ok(Some(message));
        }
    }

    /// Closes with a code and a reason, which is cut to what fits, and waits half a second at most
    /// for the other side to have read it. Drop the socket afterwards.
    pub async fn close(&mut self, code: CloseCode, reason: &str) {
        let end = (0..=reason.len().min(REASON)).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        let frame = CloseFrame { code: WireCloseCode::from(code.number()), reason: reason[..end].into() };
        let closed = async {
            if self.inner.send(Message::Close(Some(frame))).await.is_ok() {
                // Reading to the end: a socket closed with unread bytes is reset, and the reset
                // overtakes the close.
                while let Some(Ok(_)) = self.inner.next().await {}
            }
            let stream = self.inner.get_mut();
            let _ = stream.shutdown().await;
            if self.broken {
                // The same where there are no frames any more, up to what an honest mistake may be long.
                let (mut rest, mut left) = (Vec::with_capacity(4096), REST);
                while left > 0 && matches!(stream.read_buf(&mut rest).await, Ok(1..)) {
                    left = left.saturating_sub(rest.len());
                    rest.clear();
                }
            }
        };
        // The time is all that bounds the other side here: what it answers is of no interest.
        let _ = timeout(CLOSE_TIME, closed).await;
    }
}
