//! Which process of which kernel works, and whether that kernel has it no more.
//!
//! The one fact to know: any doubt means no word. A kernel is known by its boot and by the namespaces in which
//! it numbers processes and counts time, and a process in it by its number and the time at which it started.
//! Who looks from anywhere else, or through a `/proc` that is not its own, says nothing.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process, as its own kernel tells it from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The boot, and the namespaces.
    pub kernel: String,
    /// Its number there.
    pub pid: u32,
    /// When it started, in the kernel's ticks since the boot.
    pub started: i64,
}

/// What a kernel says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// No process has it.
    Nothing,
    /// One does that started then.
    Started(i64),
    /// It can't be told.
    Unclear,
}

impl Process {
    /// This process; `None`: this system does not say all of that.
    pub fn this() -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            kernel: kernel(pid)?,
            pid,
            started: started(pid)?,
        })
    }

    /// It ran on this kernel, which has it no more.
    pub fn has_ended(&self) -> bool {
        let is_here = kernel(std::process::id()).is_some_and(|here| here == self.kernel);
        is_here && self.is_gone(look(self.pid))
    }

    fn is_gone(&self, seen: Seen) -> bool {
        match seen {
            Seen::Nothing => true,
            // Its number was given to another one.
            Seen::Started(started) => started != self.started,
            Seen::Unclear => false,
        }
    }
}

/// This kernel, as the process `pid`, which is this one, sees it. `/proc` has to be that of its own namespace:
/// in another one the numbers mean other processes.
fn kernel(pid: u32) -> Option<String> {
    let of_this = |name: &str| {
        let link = fs::read_link(format!("/proc/self/{name}")).ok()?;
        link.to_str().map(str::to_owned)
    };
    if fs::read_link("/proc/self").ok()?.to_str()? != pid.to_string() {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pids = of_this("ns/pid")?;
    // Older kernels have none: there all count the same time.
    let times = of_this("ns/time").unwrap_or_default();
    Some(format!("{} {pids} {times}", boot.trim()))
}

/// Asks the kernel, and `/proc` only for what it does not hide: that may leave out other users' processes.
fn look(pid: u32) -> Seen {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(number) = number else {
        return Seen::Unclear;
    };
    match test_kill_process(number) {
        Err(Errno::SRCH) => Seen::Nothing,
        Ok(()) | Err(Errno::PERM) => started(pid).map_or(Seen::Unclear, Seen::Started),
        Err(_) => Seen::Unclear,
    }
}

fn started(pid: u32) -> Option<i64> {
    started_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The 22nd field. The second one is the program's name in brackets, which may hold anything.
fn started_in(stat: &str) -> Option<i64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_behind_any_name() {
        let stat = "17 (a ) b) S 1 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 4711 1 2";
        assert_eq!(started_in(stat), Some(4711));
        assert_eq!(started_in("17 (a) S 1"), None);
    }

    #[test]
    fn a_process_is_gone_only_when_its_kernel_has_no_such_number_or_has_given_it_away() {
        let process = Process {
            kernel: "boot".to_owned(),
            pid: 17,
            started: 4711,
        };
        assert!(process.is_gone(Seen::Nothing));
        assert!(process.is_gone(Seen::Started(4712)));
        assert!(!process.is_gone(Seen::Started(4711)));
        assert!(!process.is_gone(Seen::Unclear));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_lives_here_has_not_ended_and_of_another_kernel_nothing_is_said() {
        let this = Process::this().unwrap();
        assert!(!this.has_ended());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let gone = Process {
            pid,
            ..this.clone()
        };
        child.wait().unwrap();
        assert!(gone.has_ended());
        let elsewhere = Process {
            kernel: "another boot".to_owned(),
            ..gone
        };
        assert!(!elsewhere.has_ended());
    }
}
