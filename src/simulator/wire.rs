//! The connection itself: what a handler cannot do through HTTP.
//!
//! A handler that wants its connection reset or closed says so on its [`Link`]; the [`Connection`] then
//! refuses the write of the answer, whatever that was, and the server drops the connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

const OPEN: u8 = 0;
const RESET: u8 = 1;
const CLOSED: u8 = 2;

/// Lines that are no headers. A client that follows the specification to the letter refuses the
/// whole answer for them.
const NOISE: &[u8] = b"X-Cache Status: HIT\r\nserved by node 7\r\n: nameless\r\n";
const STATUS_LINE: &[u8] = b"HTTP/1.1 ";

/// A handler's hold on the connection its request came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Link(Arc<Hold>);

#[derive(Debug, Default)]
struct Hold {
    state: AtomicU8,
    /// The next answer's head has lines in it that are no headers.
    noise: AtomicBool,
    /// So long after the next answer the connection ends; 0: it stays.
    close_after_ms: AtomicU64,
}

impl Link {
    /// The client gets a RST instead of (the rest of) the answer.
    pub(super) fn reset(&self) {
        self.0.state.store(RESET, Ordering::Release);
    }

    /// The client gets an orderly end (FIN) instead of (the rest of) the answer.
    pub(super) fn close(&self) {
        self.0.state.store(CLOSED, Ordering::Release);
    }

    /// The next answer's head has lines in it that are no headers.
    pub(super) fn noise(&self) {
        self.0.noise.store(true, Ordering::Release);
    }

    /// The connection ends so long after the next answer, as a server ends one that was idle for
    /// too long: what the client sends at that moment is lost.
    pub(super) fn close_after(&self, pause: Duration) {
        let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.0.close_after_ms.store(ms.max(1), Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Port>> for Link {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        stream.io().link.clone()
    }
}

/// The listening socket.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: TcpListener,
    /// One more for each connection that is open.
    pub(super) connections: Arc<()>,
}

impl Listener for Port {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // axum's own `accept` waits out a shortage of file descriptors.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small: Nagle's algorithm would only delay them. Failing is harmless.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            link: Link::default(),
            unsent: Bytes::new(),
            end: None,
            _open: Arc::clone(&self.connections),
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP connection that its [`Link`] can break.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    link: Link,
    /// Taken from the server, and not yet handed to the system.
    unsent: Bytes,
    /// When it ends.
    end: Option<Pin<Box<Sleep>>>,
    _open: Arc<()>,
}

impl Connection {
    fn broken(&self) -> io::Result<()> {
        match self.link.0.state.load(Ordering::Acquire) {
            OPEN => Ok(()),
            RESET => {
                self.stream.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent))?;
            let _ = self.unsent.split_to(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            // The end of what the client sends: the server closes the connection.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.broken()?;
        ready!(self.poll_unsent(context))?;
        let close_after_ms = self.link.0.close_after_ms.swap(0, Ordering::AcqRel);
        if close_after_ms > 0 {
            let pause = Duration::from_millis(close_after_ms);
            let mut end = Box::pin(tokio::time::sleep(pause));
            // So that it wakes the connection, which may have nothing else to wait for.
            let _ = end.as_mut().poll(context);
            self.end = Some(end);
        }
        if buffer.starts_with(STATUS_LINE)
            && let Some(end) = buffer.iter().position(|byte| *byte == b'\n')
            && self.link.0.noise.swap(false, Ordering::AcqRel)
        {
            self.unsent = [&buffer[..=end], NOISE].concat().into();
            // What cannot be written now is written with the next piece.
            let _ = self.poll_unsent(context)?;
            return Poll::Ready(Ok(end + 1));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.broken()?;
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.broken()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A body that comes in pieces with pauses between them, and may end too early.
#[derive(Debug)]
pub(super) struct Pieces {
    /// What has not been sent yet; what lies behind `stop_after` never is.
    rest: Bytes,
    piece_bytes: usize,
    pause: Duration,
    /// Bytes of `rest` after which the connection closes; `None`: all of them are sent.
    stop_after: Option<usize>,
    link: Link,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pieces {
    /// All of `body`, `piece_bytes` at a time.
    pub(super) fn trickle(body: Bytes, piece_bytes: usize, pause: Duration, link: Link) -> Self {
        Self {
            rest: body,
            piece_bytes: piece_bytes.max(1),
            pause,
            stop_after: None,
            link,
            timer: None,
        }
    }

    /// Announces all of `body`, sends `bytes` of it and closes the connection.
    pub(super) fn cut_off(body: Bytes, bytes: usize, link: Link) -> Self {
        Self {
            piece_bytes: bytes.max(1),
            // Long enough that the server flushes the first part before it meets the end.
            pause: Duration::from_millis(20),
            stop_after: Some(bytes),
            rest: body,
            link,
            timer: None,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
        if self.stop_after == Some(0) {
            self.link.close();
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.piece_bytes.min(self.rest.len());
        let piece = self.rest.split_to(bytes);
        self.stop_after = self.stop_after.map(|left| left.saturating_sub(bytes));
        if !self.is_end_stream() {
            self.timer = Some(Box::pin(tokio::time::sleep(self.pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.stop_after.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
