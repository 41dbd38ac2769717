//! The [`Socket`] as an echo, for the WebSocket conformance suite: test builds only (feature `echo`).
//!
//! `tests/tests/autobahn.rs` holds both ends of it: the machine's through `host::echo`, the device's
//! after `upgrade::request`. Reading, writing, limits, heartbeat and close are those of every connection.

use tokio_tungstenite::tungstenite::Message;

use super::{Socket, SocketError};

impl Socket {
    /// Sends every text and binary message back as it came, until the other side closes.
    ///
    /// # Errors
    /// As [`Socket::recv`] and [`Socket::send`]. The connection is dropped then.
    pub async fn echo(mut self) -> Result<(), SocketError> {
        while let Some(message) = self.message().await? {
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                self.write(message).await?;
            }
        }
        Ok(())
    }
}
