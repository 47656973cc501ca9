//! What may start within the window: nothing that would not be back before it closes.

use super::Machine;
use crate::queue::QueuedJob;
use crate::run::{Halt, Now};

impl Machine {
    /// The moment, as Unix time, by which everything that starts now has to be back.
    pub(super) fn back_by_ms(&self, now: Now) -> i64 {
        match &self.options.rollout.window {
            None => i64::MAX,
            Some(window) => window.closes_at(now.unix_ms).unwrap_or(i64::MIN),
        }
    }

    /// If it starts now it is back by then, as far as its image's rebuilds tell; where they are too few,
    /// it may take all of `--rebuild-timeout`.
    pub(super) fn fits(&self, job: &QueuedJob, back_by_ms: i64, now: Now) -> bool {
        if back_by_ms == i64::MAX {
            return true;
        }
        let p95 = self.flights.durations().p95(job.order.image());
        now.after_ms(p95.unwrap_or(self.options.rules.rebuild_timeout)) <= back_by_ms
    }

    /// Ends the run when nothing is in flight and nothing that is left can start before the window closes.
    pub(super) fn check_window(&mut self, now: Now) {
        let Some(window) = &self.options.rollout.window else {
            return;
        };
        if self.is_ending() || !self.flights.is_empty() || !self.backlog.suspects_nobody() {
            return;
        }
        let back_by_ms = self.back_by_ms(now);
        let mut waiting = self.backlog.waiting().iter();
        let is_over = if back_by_ms == i64::MIN {
            self.backlog.has_some()
        } else {
            let fits_not = |job| !self.fits(job, back_by_ms, now);
            self.backlog.is_all_waiting() && waiting.all(|waiting| fits_not(&waiting.job))
        };
        if is_over {
            let halt = Halt::WindowClosed {
                window: window.clone(),
                opens_ms: window.opens_at(now.unix_ms.max(back_by_ms)),
            };
            self.halt_for(halt);
        }
    }
}
