//! Who has started a hook, and whether that one may still live.

use std::time::Duration;

use crate::job::HookRunner;
use crate::queue::{Process, host};

/// After the time that a hook may take it is ended within this.
const GRACE: Duration = Duration::from_secs(10);

/// This process, which starts a hook at `now_ms` (Unix time) that may take `timeout`.
pub fn this(now_ms: i64, timeout: Duration) -> HookRunner {
    let process = Process::this();
    let lasts_ms = i64::try_from((timeout + GRACE).as_millis()).unwrap_or(i64::MAX);
    HookRunner {
        host: host(),
        pid: std::process::id(),
        kernel: process.as_ref().map(|process| process.kernel.clone()),
        started: process.map(|process| process.started),
        until_ms: now_ms.saturating_add(lasts_ms),
    }
}

/// The process that has started the hook may still wait for its end, at `now_ms` (Unix time).
pub fn may_live(runner: &HookRunner, now_ms: i64) -> bool {
    if now_ms >= runner.until_ms {
        return false;
    }
    match (&runner.kernel, runner.started) {
        (Some(kernel), Some(started)) => !Process {
            kernel: kernel.clone(),
            pid: runner.pid,
            started,
        }
        .has_ended(),
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_as_long_as_its_hook_may_take() {
        let runner = this(1000, Duration::from_secs(5));
        assert_eq!(runner.until_ms, 16_000);
        assert!(may_live(&runner, 15_999));
        assert!(!may_live(&runner, 16_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_this_kernel_has_no_more_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = HookRunner {
            pid: child.id(),
            ..this(0, Duration::from_secs(5))
        };
        child.wait().unwrap();
        assert!(!may_live(&gone, 1));
        let elsewhere = HookRunner {
            kernel: Some("another boot".to_owned()),
            ..gone
        };
        assert!(may_live(&elsewhere, 1));
    }
}
