//! What systemd is told of a service (`sd_notify(3)`), where it has asked for that.
//!
//! The one fact to know: that the process is alive is told by the loops that do the work, each time they come
//! round, and only while all of them do. One that hangs is not covered by another one, nor by a timer.

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::text;

/// From one status to the next.
const STATUS_PACE: Duration = Duration::from_secs(1);

/// A loop in which nothing happens comes round so often, so that the status keeps up.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// So long a message is waited for that finds no room: never long, since work waits meanwhile.
const SEND_MAX: Duration = Duration::from_millis(100);

/// systemd cuts longer ones.
const STATUS_CHARS_MAX: usize = 200;

/// systemd, if it has started this process and wants to hear of it. Cheap to clone; telling never fails.
#[derive(Debug, Clone, Default)]
pub struct Systemd(Option<Arc<Listener>>);

#[derive(Debug)]
struct Listener {
    socket: UnixDatagram,
    address: SocketAddr,
    /// The process is killed when it is silent for so long.
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    is_ready: bool,
    is_stopping: bool,
    status: String,
    status_at: Option<Instant>,
    alive_at: Option<Instant>,
    /// The loops at work, each with the moment at which it came round last.
    loops: Vec<(u64, Instant)>,
    loops_begun: u64,
}

impl Systemd {
    /// As the environment of this process names it.
    pub fn of_environment() -> Self {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // It may be meant for the process that has started this one.
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_ours);
        match Listener::at(&path, watchdog.map(Duration::from_micros)) {
            Ok(listener) => Self(Some(Arc::new(listener))),
            Err(error) => {
                tracing::debug!(%error, "systemd is not told of this process");
                Self::default()
            }
        }
    }

    /// The start is over, and work has begun.
    pub fn ready(&self) {
        self.tell_once("READY=1", |told| &mut told.is_ready);
    }

    /// The process was asked to end, or ends.
    pub fn stopping(&self) {
        self.tell_once("STOPPING=1", |told| &mut told.is_stopping);
    }

    /// The process ends. What has succeeded without having had anything to do is no failed start.
    pub fn ended(&self, has_succeeded: bool) {
        if has_succeeded {
            self.ready();
        }
        self.stopping();
    }

    /// What it does right now, once in a while.
    pub fn status(&self, status: impl FnOnce() -> Option<String>) {
        let Some(listener) = &self.0 else {
            return;
        };
        let mut told = listener.told();
        if told.status_at.is_some_and(|at| at.elapsed() < STATUS_PACE) {
            return;
        }
        told.status_at = Some(Instant::now());
        let Some(status) = status().map(|status| text::brief(&status, STATUS_CHARS_MAX)) else {
            return;
        };
        if told.status != status {
            listener.send(&format!("STATUS={status}"));
            told.status = status;
        }
    }

    /// A loop begins that is to come round at least as often as it says.
    pub fn watch(&self) -> Rounds {
        let number = self.0.as_ref().map_or(0, |listener| {
            let mut told = listener.told();
            told.loops_begun += 1;
            let number = told.loops_begun;
            told.loops.push((number, Instant::now()));
            number
        });
        Rounds {
            systemd: self.clone(),
            number,
        }
    }

    fn tell_once(&self, message: &str, which: impl FnOnce(&mut Told) -> &mut bool) {
        if let Some(listener) = &self.0
            && !std::mem::replace(which(&mut listener.told()), true)
        {
            listener.send(message);
        }
    }
}

/// A loop at work. Dropped, it has ended.
#[derive(Debug)]
pub struct Rounds {
    systemd: Systemd,
    number: u64,
}

impl Rounds {
    /// It is to come round at least this often; `None`: nobody watches.
    pub fn every(&self) -> Option<Duration> {
        let listener = self.systemd.0.as_ref()?;
        let third = listener.watchdog.map(|watchdog| watchdog / 3);
        Some(third.map_or(ROUND_MAX, |third| third.min(ROUND_MAX)))
    }

    /// It comes round.
    pub fn come_round(&self) {
        let Some(listener) = &self.systemd.0 else {
            return;
        };
        let now = Instant::now();
        let mut told = listener.told();
        for (number, at) in &mut told.loops {
            if *number == self.number {
                *at = now;
            }
        }
        // How long a start may take is limited by itself.
        let Some(watchdog) = listener.watchdog.filter(|_| told.is_ready) else {
            return;
        };
        let is_within = |at: Instant, share: u32| now.duration_since(at) < watchdog / share;
        let is_due = told.alive_at.is_none_or(|at| !is_within(at, 4));
        if is_due && told.loops.iter().all(|(_, at)| is_within(*at, 2)) {
            told.alive_at = Some(now);
            listener.send("WATCHDOG=1");
        }
    }

    /// Comes round until it is dropped, beside something that is waited for.
    pub async fn keep_coming(&self) {
        match self.every() {
            None => std::future::pending().await,
            Some(every) => loop {
                self.come_round();
                tokio::time::sleep(every).await;
            },
        }
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        if let Some(listener) = &self.systemd.0 {
            let ours = self.number;
            listener.told().loops.retain(|(number, _)| *number != ours);
        }
    }
}

impl Listener {
    fn at(path: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match path.as_bytes() {
            // Names without a file are Linux's own.
            #[cfg(target_os = "linux")]
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_MAX))?;
        Ok(Self {
            socket,
            address,
            watchdog,
            told: Mutex::default(),
        })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that listens no more changes nothing for the work.
    fn send(&self, message: &str) {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        if let Err(error) = sent {
            tracing::debug!(%error, message, "systemd was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// systemd, and what it hears.
    fn listened(watchdog: Duration) -> (Systemd, UnixDatagram, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let listener = Listener::at(path.as_os_str(), Some(watchdog)).unwrap();
        (Systemd(Some(Arc::new(listener))), heard, folder)
    }

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut all = Vec::new();
        let mut message = [0; 512];
        while let Ok(length) = socket.recv(&mut message) {
            all.push(String::from_utf8(message[..length].to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn one_loop_that_hangs_is_not_covered_by_another_one() {
        let (systemd, socket, _folder) = listened(Duration::from_mins(2));
        let (first, second) = (systemd.watch(), systemd.watch());
        first.come_round();
        assert_eq!(heard(&socket), [""; 0]);
        systemd.ready();
        assert_eq!(heard(&socket), ["READY=1"]);
        first.come_round();
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
        // It is told no more often than that is needed.
        first.come_round();
        assert_eq!(heard(&socket), [""; 0]);
        let listener = systemd.0.as_ref().unwrap();
        let long_ago = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        listener.told().alive_at = Some(long_ago);
        listener.told().loops[1].1 = long_ago;
        first.come_round();
        assert_eq!(heard(&socket), [""; 0]);
        second.come_round();
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
        // One that has ended is waited for no longer.
        listener.told().alive_at = Some(long_ago);
        listener.told().loops[1].1 = long_ago;
        drop(second);
        first.come_round();
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
    }

    #[test]
    fn a_start_that_has_nothing_to_do_has_not_failed_and_one_that_failed_was_never_ready() {
        for (has_succeeded, told) in [
            (true, &["READY=1", "STOPPING=1"][..]),
            (false, &["STOPPING=1"]),
        ] {
            let (systemd, socket, _folder) = listened(Duration::from_mins(2));
            systemd.ended(has_succeeded);
            systemd.ended(has_succeeded);
            assert_eq!(heard(&socket), told);
        }
    }

    #[test]
    fn the_status_is_one_line_and_is_told_when_it_changes() {
        let (systemd, socket, _folder) = listened(Duration::from_mins(2));
        let now_due = || systemd.0.as_ref().unwrap().told().status_at = None;
        for status in ["1 of 3\n\u{1b}[2J", "1 of 3\n\u{1b}[2J", "2 of 3"] {
            now_due();
            systemd.status(|| Some(status.to_owned()));
        }
        systemd.status(|| panic!("it is too early"));
        assert_eq!(
            heard(&socket),
            ["STATUS=1 of 3 \\u{1b}[2J", "STATUS=2 of 3"]
        );
    }
}
