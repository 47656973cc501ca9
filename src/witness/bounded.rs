//! A connection of which only so much is read, and only for so long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, join};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that are read of one connection. A key exchange takes about three thousand.
pub const BYTES_MAX: u64 = 64 * 1024;

/// A connection that ends by itself. The library that speaks over it goes on in a task of its own, which
/// ends with it.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    ends: Pin<Box<Sleep>>,
}

/// `stream`, of which no more than [`BYTES_MAX`] bytes are read, and nothing after `ends_at`.
pub(super) fn bounded(
    stream: TcpStream,
    ends_at: Instant,
) -> Bounded<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let (reader, writer) = stream.into_split();
    Bounded {
        stream: join(reader.take(BYTES_MAX), writer),
        ends: Box::pin(sleep_until(ends_at)),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ends.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
