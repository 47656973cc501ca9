//! Commands of the operator, which `sh -c` carries out: how they are started, and how they are ended.
//!
//! The one fact to know: a command gets none of the secrets that we were given, and one that takes too long is
//! ended with all that it started.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How the variables begin that may hold a secret of ours.
const OURS: &str = "ZOMRO_";

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// `sh -c text`, to be started; its streams are ours.
pub fn command(text: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", text]);
    // What it starts could pass them on.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(OURS.as_bytes()) {
            shell.env_remove(name);
        }
    }
    shell
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
