//! What a port does that does not speak SSH as it should.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, duplex, sink, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::penalties::Penalties;
use super::session;
use crate::simulator::machine::Machine;
use crate::simulator::random::random;
use crate::simulator::shared::Shared;
use crate::simulator::ssh_oddity::PortTrap;

/// Between two bytes of a slow line.
const BYTE_PAUSE: Duration = Duration::from_secs(1);
/// How long a client that was told something may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);
const PIPE_BYTES: usize = 64 * 1024;
const GARBAGE_BYTES: usize = 4096;
/// Neither it nor what follows it ends a line.
const LINE: &[u8] = b"SSH-2.0-OpenSSH_9.6";
const WEB_PAGE: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n\
    <html><head><title>400 Bad Request</title></head></html>\r\n";
/// What OpenSSH says since 9.8.
const PENALTY: &[u8] = b"Not allowed at this time\r\n";

/// What a connection at a trap needs beside itself.
pub(super) struct Trapped<'a> {
    pub(super) service: i64,
    /// `None`: it is down.
    pub(super) machine: Option<Machine>,
    pub(super) penalties: &'a Penalties,
    pub(super) shared: &'a Arc<Shared>,
}

/// Lets a client meet `trap`, until one of the two ends it. An error is one of the connection.
pub(super) async fn meet(
    trap: PortTrap,
    mut stream: TcpStream,
    trapped: Trapped<'_>,
) -> io::Result<()> {
    match trap {
        PortTrap::Silent => {
            copy(&mut stream, &mut sink()).await?;
        }
        PortTrap::Refused => refuse(&stream),
        PortTrap::EndlessLines => repeat(stream, b"please wait, the system is booting\r\n").await?,
        PortTrap::EndlessLine => {
            stream.write_all(LINE).await?;
            repeat(stream, b"xxxxxxxx").await?;
        }
        PortTrap::SlowLine => {
            for byte in LINE.iter().chain(std::iter::repeat(&b'x')) {
                stream.write_all(&[*byte]).await?;
                sleep(BYTE_PAUSE).await;
            }
        }
        PortTrap::Http => say(stream, WEB_PAGE).await?,
        PortTrap::Garbage => {
            let mut garbage = [0; GARBAGE_BYTES];
            random(&[trapped.service.unsigned_abs()]).fill(&mut garbage);
            say(stream, &garbage).await?;
        }
        PortTrap::Closed(bytes) => closed_after(bytes, stream, trapped).await?,
        PortTrap::Penalties(allowed) => {
            let Trapped {
                service, penalties, ..
            } = trapped;
            if penalties.forbid(service, allowed, Instant::now()) {
                say(stream, PENALTY).await?;
            } else if let Some(machine) = trapped.machine {
                if !session::hold(stream, machine, trapped.shared).await {
                    penalties.note(service, Instant::now());
                }
            } else {
                refuse(&stream);
            }
        }
    }
    Ok(())
}

/// As a port that is closed says it: by a reset, which is sent when the stream is dropped.
pub(super) fn refuse(stream: &TcpStream) {
    // Failing is harmless.
    let _ = stream.set_zero_linger();
}

/// Says it again and again.
async fn repeat(mut stream: TcpStream, text: &[u8]) -> io::Result<()> {
    let text = text.repeat(4096 / text.len());
    loop {
        stream.write_all(&text).await?;
    }
}

/// Says it, and closes the connection.
async fn say(mut stream: TcpStream, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    stream.shutdown().await?;
    // What the client has sent must have been read: otherwise the system takes back what was said.
    let _ = timeout(FAREWELL, copy(&mut stream, &mut sink())).await;
    Ok(())
}

/// Lets through what the machine says, up to so many bytes.
async fn closed_after(bytes: u64, mut stream: TcpStream, trapped: Trapped<'_>) -> io::Result<()> {
    if bytes == 0 {
        return stream.shutdown().await;
    }
    let Some(machine) = trapped.machine else {
        refuse(&stream);
        return Ok(());
    };
    let (inside, outside) = duplex(PIPE_BYTES);
    let (said, mut heard) = split(outside);
    let (mut from_client, mut to_client) = stream.split();
    let mut said = said.take(bytes);
    tokio::select! {
        _ = session::hold(inside, machine, trapped.shared) => {}
        copied = copy(&mut from_client, &mut heard) => { copied?; }
        copied = copy(&mut said, &mut to_client) => { copied?; }
    }
    to_client.shutdown().await
}
