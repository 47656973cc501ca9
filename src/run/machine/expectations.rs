//! What stands on the instances, and what their orders expect: compared before the first job is sent,
//! and right before each.

use super::Machine;
use crate::event::Event;
use crate::job::JobId;
use crate::queue::Pending;
use crate::run::start_order::Pace;
use crate::run::{Halt, budget};

impl Machine {
    /// The store has to say what is still to be sent, before the first of it is: what the list surely
    /// lacks, and what stands on the instances, is known by then.
    pub(super) fn wants_order(&self) -> bool {
        let (is_scanned, is_complete) = (
            self.account.inventory.is_scanned(),
            self.account.inventory.is_read(),
        );
        let is_due = self.account.order_check.is_due(is_scanned, is_complete);
        is_due && !self.options.no_wait && !self.is_ending()
    }

    /// The next part of the order, as the store tells it. At its end, the jobs to be left out because
    /// the list lacks them; none where so many are missing that a filter in the panel is likelier.
    pub(super) fn check_order(&mut self, queued: &[Pending]) -> Option<Vec<JobId>> {
        let is_last = self.account.order_check.turn_to(queued);
        for job in queued {
            if let Some(page) = self.account.inventory.page_of(job.service) {
                self.rollout.sequence.stands_on(page, job.id);
            }
            if self.account.inventory.is_surely_absent(job.service) {
                self.account.order_check.is_missing(job);
            } else if let Some(what) = self.mismatch(job) {
                self.account.order_check.mismatches(job, &what);
            }
        }
        is_last.then(|| self.order_is_checked())
    }

    fn order_is_checked(&mut self) -> Vec<JobId> {
        let jobs = self.account.order_check.jobs();
        let found = self
            .account
            .order_check
            .conclude(self.account.inventory.is_read());
        if let Some(taken) = self.rollout.sequence.conclude(&self.pace())
            && taken.list_after.is_some()
        {
            self.narrator.tell(Event::StartOrder(taken));
        }
        let missing = found.missing.len() as u64;
        if let Some(first) = found.first_missing
            && budget::lacks_too_many(missing, jobs)
        {
            self.halt_for(Halt::NotListed {
                missing,
                jobs,
                first,
                sent: self.flights.launched(),
            });
            return Vec::new();
        }
        if let Some(halt) = self.too_many_mismatches(found.mismatched) {
            for mismatch in found.told {
                self.narrator.warn(mismatch);
            }
            self.halt_for(halt);
            return Vec::new();
        }
        found.missing
    }

    /// What the night rests on.
    fn pace(&self) -> Pace {
        Pace {
            workers: self.options.workers,
            rate_per_s: self.gate.rate_per_s(),
            rebuild: self.flights.durations().usual(),
            launched: self.flights.launched(),
        }
    }

    /// The halt, if `more` instances that are other than expected are too many.
    pub(super) fn too_many_mismatches(&self, more: u64) -> Option<Halt> {
        let (mismatched, allowed) = self.budget.too_many_mismatches(more)?;
        Some(Halt::PlanMismatch {
            mismatched,
            allowed,
            nothing_sent: self.flights.launched() == 0,
        })
    }

    /// What stands on the instance of `job` and is not what is expected, by the latest reading.
    fn mismatch(&self, job: &Pending) -> Option<String> {
        if job.expected.is_nothing() {
            return None;
        }
        let listed = self.account.inventory.get(job.service);
        let listed = listed.filter(|listed| listed.page.is_some())?;
        let is_settled = !listed.observation.status.is_passing();
        listed.mismatch(&job.expected, job.is_touched || !is_settled)
    }
}
