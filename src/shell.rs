//! Commands of the operator, which `sh -c` carries out: how they are started, and how they are ended.
//!
//! The one fact to know: a command gets none of the secrets that we were given, and one that takes too long is
//! ended with all that it started.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::log::{self, Level};

/// How the variables begin that may hold a secret of ours.
const OURS: &str = "ZOMRO_";

/// What was given to us alone: whoever answers to systemd there speaks for the service, and whoever knows the
/// address of a monitor may write there.
const OURS_ALONE: [&str; 5] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "REFLEET_PING",
    "REFLEET_NOTIFY",
];

/// How long the end of what it says is waited for when it has ended.
const AFTER_ITS_END: Duration = Duration::from_millis(200);

/// A longer line is told in pieces.
const LINE_BYTES_MAX: u64 = 8 << 10;

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// `sh -c text`, to be started; its streams are ours.
pub fn command(text: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", text]);
    for name in OURS_ALONE {
        shell.env_remove(name);
    }
    // What it starts could pass them on.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(OURS.as_bytes()) {
            shell.env_remove(name);
        }
    }
    shell
}

/// Lets what `shell` says for a person, on stderr and perhaps on stdout, go to our stderr. Where that gets
/// JSON, each line of it becomes a line of ours.
pub fn said_on_stderr(shell: &mut Command, and_on_stdout: bool) -> io::Result<Relay> {
    if !log::is_json() {
        if and_on_stdout {
            shell.stdout(io::stderr().as_fd().try_clone_to_owned()?);
        }
        return Ok(Relay(None));
    }
    let (reader, writer) = io::pipe()?;
    if and_on_stdout {
        shell.stdout(writer.try_clone()?);
    }
    shell.stderr(writer);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while (reader.by_ref().take(LINE_BYTES_MAX))
            .read_until(b'\n', &mut line)
            .is_ok_and(|bytes| bytes > 0)
        {
            let text = String::from_utf8_lossy(&line);
            log::tell_line(Level::Info, "command", text.trim_end());
            line.clear();
        }
        // Nobody may be left who wants to know.
        let _ = sender.send(());
    });
    Ok(Relay(Some(ended)))
}

/// What a command says is being told.
pub struct Relay(Option<mpsc::Receiver<()>>);

impl Relay {
    /// The command has ended: what it has said is told. What it left behind in the background is not waited
    /// for.
    pub fn finish(self) {
        if let Some(ended) = self.0 {
            let _ = ended.recv_timeout(AFTER_ITS_END);
        }
    }
}

/// A command that is being carried out. Dropped before its end, it is ended, with all that it started.
#[derive(Debug)]
pub struct Running {
    pub child: Child,
    /// Its own group of processes, where it has one.
    group: Option<Pid>,
    has_ended: bool,
}

impl Running {
    /// Starts `shell`. `is_alone`: in a group of its own, which can be ended as a whole. At a terminal such a
    /// group could ask for nothing: the terminal listens to ours.
    pub fn start(mut shell: Command, is_alone: bool) -> Result<Self, String> {
        if is_alone {
            shell.process_group(0);
        }
        let started = shell.spawn();
        let child = started.map_err(|error| format!("cannot start it: {error}"))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            child,
            group: group.filter(|_| is_alone),
            has_ended: false,
        })
    }

    /// How it ended; `None`: it takes longer than `lasts_max`.
    pub async fn ended(&mut self, lasts_max: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + lasts_max;
        while Instant::now() < deadline {
            // A child of ours can be waited for; where it cannot, it is stopped like one that hangs.
            if let Some(status) = self.child.try_wait().ok()? {
                self.has_ended = true;
                return Some(status);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What it left behind in the background when it ended by itself is its own affair.
        if self.has_ended {
            return;
        }
        let _ = self.child.kill();
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// In words.
pub fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it failed".to_owned(),
    }
}
