//! What operators' instructions mean to the run.

use super::Machine;
use super::control::Instructions;
use crate::event::Event;
use crate::job::{Control, ControlEntry, Limits};
use crate::run::{Halt, Now};

impl Machine {
    /// A run begins under what was said before it. A batch that is paused is not worked on: somebody
    /// has to say `go` first.
    pub(super) fn begin_under(&mut self, control: Control, now: Now) {
        self.course.instructions = Instructions::new(control, now);
        self.release_if_said();
        if let Some(pause) = self.course.instructions.pause() {
            let halt = Halt::Paused {
                operator: pause.operator.clone(),
                since_ms: pause.at_ms,
                reason: pause.reason.clone(),
            };
            self.halt_for(halt);
        }
    }

    /// It is time to ask what operators have said.
    pub(super) fn wants_control(&self, now: Now) -> bool {
        self.course.instructions.is_old(now) && !self.course.only_looks && !self.is_ending()
    }

    /// The store's answer: what was said since.
    pub(super) fn heard(&mut self, entries: Vec<(i64, ControlEntry)>, now: Now) {
        let was_paused = self.course.instructions.is_paused();
        let before = self.course.instructions.limits();
        for entry in self.course.instructions.hear(entries, now) {
            self.narrator.tell(Event::Control(entry));
        }
        self.release_if_said();
        let limits = self.course.instructions.limits();
        if limits != before {
            self.take_limits(limits);
        }
        if was_paused && !self.course.instructions.is_paused() {
            self.go_on(now);
        }
    }

    fn release_if_said(&mut self) {
        if self.course.instructions.is_released() && self.rollout.canaries.open() {
            self.backlog.look_again();
        }
    }

    /// What is in flight stays there, however many workers there are from now on.
    fn take_limits(&mut self, limits: Limits) {
        if let Some(workers) = limits.workers {
            self.options.workers = workers;
        }
        if let Some(rate_per_s) = limits.rate_per_s {
            self.gate.set_rate(rate_per_s);
        }
        if let Some(max_failures) = limits.max_failures {
            self.budget.set_max(max_failures.of(self.narrator.jobs()));
        }
        self.tell_if_the_budget_limits();
    }

    /// The pause is over: what it kept waiting is not overdue for that.
    fn go_on(&mut self, now: Now) {
        self.backlog.forget_deferrals();
        self.gate.restart_clocks(now);
        self.account.inventory.restart_clock(now);
        self.account.ownership.restart_clock(now);
    }

    /// A run that is drained ends when everything that it waited for has ended.
    pub(super) fn end_if_drained(&mut self) {
        let Some(drain) = self.course.instructions.drain() else {
            return;
        };
        // What is still to be written may put jobs back.
        let knows_what_is_left = self.desk.is_clear() && !self.desk.is_hindered();
        if self.flights.is_empty() && knows_what_is_left && !self.backlog.is_empty() {
            let halt = Halt::Drained {
                operator: drain.operator.clone(),
                reason: drain.reason.clone(),
            };
            self.halt_for(halt);
        }
    }
}
