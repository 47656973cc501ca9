//! A line that a person types at the terminal.
//!
//! The one fact to know: only what was typed after the question could be read is an answer to it.

use std::io::{self, BufRead as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::termios::{QueueSelector, tcflush};
use tokio::signal::unix::SignalKind;

use super::output::tell;
use super::signals;

/// A paste arrives in pieces: it has come to an end when nothing was typed for this long.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// Pieces that are thrown away at most; who goes on typing after that answers the question.
const PIECES_MAX: u32 = 50;

/// Throws away what was typed before, asks, and waits for a line. An end of file is an empty one.
pub async fn answer(prompt: &str) -> io::Result<String> {
    tokio::task::spawn_blocking(discard_typed).await??;
    let mut continued = signals::heeded(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    tell(prompt);
    let mut reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    loop {
        tokio::select! {
            line = &mut reading => return line?,
            // After Ctrl-Z and `fg` the shell has written over the prompt.
            () = signals::next(&mut continued) => tell(&format!("\n{prompt}")),
        }
    }
}

/// Forgets everything that was typed or pasted so far, until it has come to an end.
fn discard_typed() -> io::Result<()> {
    let stdin = io::stdin();
    for _ in 0..PIECES_MAX {
        tcflush(&stdin, QueueSelector::IFlush)?;
        let mut typed = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut typed, Some(&QUIET)) {
            Ok(0) => break,
            // A terminal that is gone is always readable; reading the answer finds that out.
            Ok(_) if typed[0].revents().contains(PollFlags::HUP) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // `poll` does not report half a line, which would become the beginning of the answer.
    tcflush(&stdin, QueueSelector::IFlush)?;
    Ok(())
}
