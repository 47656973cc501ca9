//! A command that prints a secret: a password manager's, a generator of one-time codes.
//!
//! The one fact to know: what the command prints is the secret, so nothing of it is ever told, not even
//! when the command fails. Its text may hold one as well (the key of a generator), and is not told
//! either. It gets none of the secrets that we were given.

use std::io::{IsTerminal as _, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// How the variables begin that may hold a secret of ours.
const OURS: &str = "ZOMRO_";

/// How long it may take. Who has to unlock something needs a moment.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the end of its output is waited for when it has ended: what it left behind in the
/// background may hold the pipe open.
const AFTER_ITS_END: Duration = Duration::from_secs(1);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// No secret is longer.
const BYTES_MAX: usize = 64 << 10;

/// The first line that `command` prints, which `sh -c` carries out. Its stderr and its terminal are
/// ours. `Err`: what went wrong, without a word of its output or of the command itself. Whoever stops
/// waiting ends the command.
pub async fn first_line(command: &str) -> Result<SecretString, String> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    // What it starts could pass them on.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(OURS.as_bytes()) {
            shell.env_remove(name);
        }
    }
    let mut running = Running::start(shell)?;
    let Some(output) = running.child.stdout.take() else {
        return Err("it has no output".to_owned());
    };
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        let read = output.take(BYTES_MAX as u64).read_to_end(&mut bytes);
        // Nobody may be left who wants to know.
        let _ = sender.send(read.map(|_| bytes));
    });
    let status = running.ended().await.ok_or_else(|| {
        format!(
            "it was stopped: it took longer than {} s",
            TIMEOUT.as_secs()
        )
    })?;
    if !status.success() {
        return Err(ended(status));
    }
    let bytes = tokio::time::timeout(AFTER_ITS_END, receiver)
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or("something that it started keeps its output open")?
        .map_err(|error| format!("cannot read its output: {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "its output is no UTF-8 text".to_owned())?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        Some(_) | None => Err("its first line is empty".to_owned()),
    }
}

/// A command that is being carried out. Dropped before its end, it is ended, with all that it started.
struct Running {
    child: Child,
    /// Its own group of processes, where it has one.
    group: Option<Pid>,
    has_ended: bool,
}

impl Running {
    fn start(mut shell: Command) -> Result<Self, String> {
        // A group of its own can be ended as a whole. At a terminal such a group could ask for nothing:
        // the terminal listens to ours.
        let is_alone = !std::io::stdin().is_terminal();
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

    /// How it ended; `None`: it takes too long.
    async fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + TIMEOUT;
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

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it failed".to_owned(),
    }
}
