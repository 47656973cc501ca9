//! What may start within the window: nothing that would not be back before it closes.

use super::Machine;
use crate::job::ImageId;
use crate::run::{Halt, Now};

impl Machine {
    /// The moment, as Unix time, by which everything that starts now has to be back.
    pub(super) fn back_by_ms(&self, now: Now) -> i64 {
        match &self.options.rollout.window {
            None => i64::MAX,
            Some(window) => window.closes_at(now.unix_ms).unwrap_or(i64::MIN),
        }
    }

    /// If a job with this image starts now it is back by then, as far as its rebuilds tell; where they are
    /// too few, it may take all of `--rebuild-timeout`.
    pub(super) fn fits(&self, image: Option<ImageId>, back_by_ms: i64, now: Now) -> bool {
        if back_by_ms == i64::MAX {
            return true;
        }
        let p95 = self.flights.durations().p95(image);
        now.after_ms(p95.unwrap_or(self.options.rules.rebuild_timeout)) <= back_by_ms
    }

    /// Passes over jobs that would not be back before the window closes, so that only others start. Ends the
    /// run when nothing is in flight and nothing else is left.
    pub(super) fn check_window(&mut self, now: Now) {
        let Some(window) = self.options.rollout.window.clone() else {
            return;
        };
        let back_by_ms = self.back_by_ms(now);
        let images = self.backlog.images();
        let late = images.filter(|image| !self.fits(*image, back_by_ms, now));
        let late = late.collect();
        self.backlog.pass_over(late);
        if self.is_ending() || !self.flights.is_empty() || !self.backlog.suspects_nobody() {
            return;
        }
        let is_closed = back_by_ms == i64::MIN;
        let is_left = self.backlog.has_late() || is_closed && self.backlog.has_delayed();
        if !is_left || !is_closed && !self.backlog.is_empty() {
            return;
        }
        // Those that were passed over an hour ago may be cancelled by now, and others may have come.
        if is_closed || self.backlog.was_just_told(now) {
            let opens_ms = window.opens_at(now.unix_ms.max(back_by_ms));
            self.halt_for(Halt::WindowClosed { window, opens_ms });
        } else {
            self.backlog.forget_late();
        }
    }
}
