//! A cap on the bytes that are read from a stranger, TLS records included.
//!
//! [`super::tls::accept`] puts it under TLS; the machine's engine lifts it once the other side has
//! proven something. See [`super::gate`] for the caps on how many strangers there are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of which only so many bytes can be read until the limit is lifted.
#[derive(Debug)]
pub struct LimitedStream<S> {
    inner: S,
    limit: Limit,
}

/// The handle by which a [`LimitedStream`]'s limit is lifted; it outlives the layers above.
#[derive(Debug, Clone)]
pub struct Limit(Arc<AtomicUsize>);

const LIFTED: usize = usize::MAX;

/// A stranger sent more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side sent too much before it had proven anything")]
pub struct LimitReached;

impl Limit {
    /// Lets any number of bytes through from now on. It cannot be undone.
    pub fn lift(&self) {
        self.0.store(LIFTED, Ordering::Relaxed);
    }

    /// Bytes that may still be read; `None` once lifted.
    pub fn left(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|left| *left != LIFTED)
    }

    // A lift that comes in between must win, so this is no plain store.
    fn spend(&self, bytes: usize) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left != LIFTED).then(|| left.saturating_sub(bytes))
        });
    }
}

impl<S> LimitedStream<S> {
    /// Lets `bytes` be read from `inner`, then fails every read with [`LimitReached`].
    pub fn new(inner: S, bytes: usize) -> Self {
        Self { inner, limit: Limit(Arc::new(AtomicUsize::new(bytes.min(LIFTED - 1)))) }
    }

    /// The handle to lift the limit with.
    pub fn limit(&self) -> Limit {
        self.limit.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LimitedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(left) = self.limit.left() else { return Pin::new(&mut self.inner).poll_read(cx, buf) };
        if left == 0 && buf.remaining() > 0 {
            return Poll::Ready(Err(io::Error::other(LimitReached)));
        }
        let room = buf.remaining().min(left);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        self.limit.spend(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LimitedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn reads_end_at_the_limit_and_go_on_once_it_is_lifted() {
        let (mut far, near) = duplex(100);
        far.write_all(&[7; 30]).await.unwrap();
        let mut near = LimitedStream::new(near, 20);
        let limit = near.limit();
        let mut read = [0; 30];
        assert_eq!(near.read(&mut read).await.unwrap(), 20);
        assert_eq!(limit.left(), Some(0));
        let error = near.read(&mut read).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<LimitReached>());
        limit.lift();
        assert_eq!(near.read(&mut read).await.unwrap(), 10);
        assert_eq!(limit.left(), None);
    }

    #[tokio::test]
    async fn writes_are_not_limited() {
        let (mut far, near) = duplex(100);
        let mut near = LimitedStream::new(near, 0);
        near.write_all(&[7; 50]).await.unwrap();
        far.read_exact(&mut [0; 50]).await.unwrap();
    }
}
