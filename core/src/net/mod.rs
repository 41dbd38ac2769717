//! Sockets: what carries a handshake's bytes, and what stands between the network and the engines.
//!
//! A device dials ([`dial`]) and asks for the upgrade ([`upgrade::request`]); a machine listens
//! ([`listen`]), admits ([`gate`]), accepts ([`tls::accept`]) and reads the request
//! ([`upgrade::read_request`]). After that both hold a [`socket::Socket`]. Nothing here knows what a
//! message means: that is `handshake`, and the engines (`host`, `client`) join the two.

pub mod addresses;
pub mod dial;
pub mod gate;
mod gateways;
mod heartbeat;
pub mod limited;
pub mod listen;
pub mod origin;
pub mod socket;
pub mod tls;
pub mod upgrade;
mod verifier;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A connection in both directions; what is below it is of no interest to the engines.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A TLS connection whose side and transport have been forgotten.
pub type BoxedStream = Box<dyn ByteStream>;

/// Ends a connection so that what was written last arrives: a socket closed with unread bytes is
/// reset by the kernel, and the reset overtakes the answer. Reads and drops at most 16 KiB more.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    const LINGER: Duration = Duration::from_millis(500);
    let ended = async {
        stream.shutdown().await?;
        let mut dropped = [0; 1024];
        for _ in 0..16 {
            // However the other side hangs up, the answer is out.
            if !matches!(stream.read(&mut dropped).await, Ok(1..)) {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(LINGER, ended).await.unwrap_or(Ok(()))
}
