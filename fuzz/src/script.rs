//! A stream that plays a script: it gives bytes in pieces of given sizes, keeps what is written to it,
//! and counts what was read. It never waits, so that a future over it is ready at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The script.
#[derive(Debug, Default)]
pub struct Script {
    /// What is read.
    pub bytes: Vec<u8>,
    /// How much of it was.
    pub read: usize,
    /// What was written.
    pub written: Vec<u8>,
    /// Pieces of so many bytes; 0 for as much as is wanted.
    pub piece: usize,
    /// Put in place of `@ACCEPT@` in what is read: what a machine answers to the key that was written.
    pub accept: bool,
}

impl Script {
    /// Gives these bytes.
    pub fn of(bytes: &[u8], piece: usize) -> Self {
        Self { bytes: bytes.to_vec(), piece, ..Self::default() }
    }
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.accept) {
            let key = crate::answer::accept_key(&self.written);
            self.bytes = crate::answer::put(&self.bytes, &key);
        }
        let left = &self.bytes[self.read..];
        let piece = if self.piece == 0 { left.len() } else { self.piece.min(left.len()) };
        let piece = piece.min(buffer.remaining());
        buffer.put_slice(&left[..piece]);
        self.read += piece;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The output of a future that never waits.
pub fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("a script never waits")
}
