//! The signals that ask a run to stop.
//!
//! The one fact to know: a signal that was ignored when this process started stays ignored. `nohup`
//! ignores SIGHUP for it, a shell's `&` SIGINT, and a handler of ours would undo that.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;

use super::error::CliError;
use crate::run::{Signal, Signals};

/// Signals of one kind within this time are one request: `timeout` and some shells send theirs to
/// the process and to its group, and a key bounces.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// Ctrl-C asks to stop, so do SIGTERM and a terminal that goes away.
pub fn listen() -> Result<Signals, CliError> {
    let heeded = |kind| heeded(kind).map_err(CliError::System);
    let mut interrupt = heeded(SignalKind::interrupt())?;
    let mut terminate = heeded(SignalKind::terminate())?;
    let mut hangup = heeded(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut requests = Requests::default();
        loop {
            let signal = tokio::select! {
                () = next(&mut interrupt) => Signal::Interrupt,
                () = next(&mut terminate) => Signal::Terminate,
                () = next(&mut hangup) => Signal::Terminate,
            };
            if requests.is_new(signal, Instant::now()) && sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// A handler for `kind`; `None` where it is ignored, and stays so.
pub fn heeded(kind: SignalKind) -> io::Result<Option<unix::Signal>> {
    if is_ignored(kind) {
        return Ok(None);
    }
    unix::signal(kind).map(Some)
}

/// Waits for the next one; for ever where there is no handler.
pub async fn next(handler: &mut Option<unix::Signal>) {
    let arrived = match handler {
        Some(handler) => handler.recv().await,
        None => None,
    };
    if arrived.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Was it ignored when this process started? Only Linux tells without `unsafe`; elsewhere the
/// answer is no.
fn is_ignored(kind: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| is_in(&status, kind.as_raw_value()))
}

/// Is signal `number` among those that `status`, a `/proc/PID/status`, names as ignored?
fn is_in(status: &str, number: i32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(number - 1)
        .ok()
        .and_then(|bit| 1_u64.checked_shl(bit));
    mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
}

/// Tells a new request from an echo of the one before.
#[derive(Debug, Default)]
struct Requests {
    last: Option<(Signal, Instant)>,
}

impl Requests {
    fn is_new(&mut self, signal: Signal, at: Instant) -> bool {
        let is_echo = self.last.is_some_and(|(last, last_at)| {
            last == signal && at.saturating_duration_since(last_at) < ONE_REQUEST
        });
        if !is_echo {
            self.last = Some((signal, at));
        }
        !is_echo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_kind_within_a_second_they_are_one_request() {
        let start = Instant::now();
        let mut requests = Requests::default();
        for (at_ms, signal, is_new) in [
            (0, Signal::Interrupt, true),
            (20, Signal::Interrupt, false),
            (999, Signal::Interrupt, false),
            (1000, Signal::Interrupt, true),
            (1010, Signal::Terminate, true),
            (1020, Signal::Terminate, false),
            (1030, Signal::Interrupt, true),
        ] {
            let at = start + Duration::from_millis(at_ms);
            assert_eq!(requests.is_new(signal, at), is_new, "{signal:?} at {at_ms}");
        }
    }

    #[test]
    fn the_kernel_tells_what_is_ignored() {
        let status = "Name:\trefleet\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        assert!(is_in(status, 1) && is_in(status, 13));
        assert!(!is_in(status, 2) && !is_in(status, 15) && !is_in(status, 0));
        assert!(!is_in("Name:\trefleet\n", 1) && !is_in("SigIgn:\tzz\n", 1));
    }
}
