//! What to type about a job.

use crate::cli::held::{Bound, Held, Until, Waited};
use crate::cli::words::jobs_wait;
use crate::job::{Executed, State};
use crate::queue::QueuedJob;
use crate::run::hosts::Missing;
use crate::{text, time};

/// How commands speak of the job's batch.
pub struct Commands {
    /// Calls refleet on its queue.
    pub command: String,
    /// Works on it.
    pub go_on: String,
    /// Behind commands that would speak of a newer one; empty: there is none.
    pub of_batch: String,
}

impl Commands {
    /// What is next for `job`, of whose batch `held` says what holds it back; `None`: nothing is.
    pub fn next(&self, job: &QueuedJob, held: &Held) -> Option<String> {
        let own = self.about(job, held);
        let needs_a_word =
            |canary: &Waited| canary.service == job.service && canary.until == Until::Word;
        if held.behind_canaries == 0 || !held.canaries.iter().any(needs_a_word) {
            return own;
        }
        let Self {
            command, of_batch, ..
        } = self;
        let others = format!(
            "{} for it: `{command} go --canaries --reason TEXT{of_batch}` lets them start all the same",
            jobs_wait(held.behind_canaries)
        );
        Some(own.map_or_else(|| others.clone(), |own| format!("{own}; {others}")))
    }

    fn about(&self, job: &QueuedJob, held: &Held) -> Option<String> {
        let Self {
            command,
            go_on,
            of_batch,
        } = self;
        let service = job.service;
        let goes_on = || Some(format!("`{go_on}` goes on with it"));
        match job.record.state {
            State::InDoubt if job.record.held => Some(format!(
                "look at the instance, then: `{command} resolve {service} --as WORD --reason TEXT{of_batch}`, where WORD is done, requeue or failed"
            )),
            State::Queued if held.is_paused() => Some(format!(
                "`{command} go --reason TEXT{of_batch}` lifts the pause"
            )),
            State::Queued if let Some(bound) = held.bound.get(&service) => {
                Some(self.about_bound(bound))
            }
            State::Queued => match (held.needs_a_word(), &held.window) {
                (Some(other), _) if other != service => Some(format!(
                    "`{command} show {other}` tells what to say of the one that is waited for"
                )),
                (_, Some(window)) if !window.is_of_use => Some(format!(
                    "`{go_on}` goes on with it from {} on",
                    window.window.zone.local(window.opens_ms)
                )),
                (Some(_) | None, Some(_) | None) => goes_on(),
            },
            State::InDoubt | State::Submitting | State::InProgress => goes_on(),
            State::Failed => Some(match job.record.executed() {
                Executed::No => format!("`{command} retry {service}{of_batch}`, then run"),
                Executed::Maybe | Executed::Yes => format!(
                    "it may have been {}: `{command} retry {service} --wiped{of_batch}`, then run; or, when it is back, `{command} resolve {service} --as done --reason TEXT{of_batch}`",
                    job.order.action().terms().touched
                ),
            }),
            State::Done | State::Cancelled => None,
        }
    }

    /// Of a queued job whose service is bound.
    fn about_bound(&self, bound: &Bound) -> String {
        let Self { command, go_on, .. } = self;
        match &bound.missing {
            Missing::Fence { host } => format!(
                "once you know that host {} is down: `{command} hosts fence {} --reason TEXT`",
                text::brief(host, 64),
                text::shell_word(host)
            ),
            Missing::Time { until_ms, .. } | Missing::Effect { until_ms } => format!(
                "`{go_on}` goes on with it from {} on",
                time::human(*until_ms)
            ),
        }
    }
}
