//! What the answer to a submission means for its job and for the run, and what a failed reading does.
//! What the answer proves is decided in `zomro/finding` and `zomro/meaning`.

use std::time::{Duration, Instant};

use super::Machine;
use super::backlog::{Suspect, Suspicion};
use super::flights::{Flight, Unconfirmed};
use crate::job::{Failure, FailureKind, LedgerEntry, ServiceId};
use crate::run::evidence::Tracker;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::zomro::{Answer, Incurable, ReadError, Submitted};

impl Machine {
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each answer")]
    pub(super) fn submission_finished(
        &mut self,
        service: ServiceId,
        submitted: Submitted,
        now: Now,
    ) {
        let Some(mut flight) = self.flights.land(service) else {
            return;
        };
        let Submitted {
            generation,
            sent,
            answered_ms,
            answered_at,
            answer,
            pause,
        } = submitted;
        let failure = answer.failure();
        if !matches!(answer, Answer::SlowDown { .. } | Answer::NotSent(_)) && pause.is_none() {
            self.gate.submission_answered();
        }
        match answer {
            Answer::Accepted => {
                self.read_accepted(generation);
                let submitted_ms = sent.map_or(answered_ms, |sent| sent.at_ms);
                self.step(
                    &mut flight.job,
                    LedgerEntry::Accepted { submitted_ms },
                    answered_ms,
                );
                let sent_at = sent.map_or(answered_at, |sent| sent.at);
                self.watch(flight, sent_at, answered_at);
            }
            Answer::Unknown(failure) => {
                if pause.is_some() {
                    self.gate.slow_down(pause, Purpose::Submission, now);
                } else if !failure.is_network() {
                    self.gate.got_through();
                }
                let unknown = Unconfirmed {
                    service,
                    sent,
                    answered_ms,
                    answered_at,
                    failure,
                };
                self.in_doubt(flight, unknown);
            }
            Answer::HalfSession { asks_for, failure } => {
                let unconfirmed = Unconfirmed {
                    service,
                    sent,
                    answered_ms,
                    answered_at,
                    failure,
                };
                self.flights.put_unconfirmed(flight, unconfirmed);
                self.half_session_seen(asks_for, now);
            }
            Answer::NotSent(failure) => {
                // What was kept back here says nothing of the way to the API.
                if failure.error_kind != FailureKind::Barred {
                    self.gate.lost(&failure, now);
                }
                let delay = self.gate.delay(flight.job.record.attempt);
                self.back_to_queue(flight, failure, delay, now);
            }
            Answer::SlowDown { retry_after } => {
                let pause = self
                    .gate
                    .slow_down(retry_after, Purpose::Submission, now)
                    .min(self.gate.delay_max());
                self.back_to_queue(flight, failure.unwrap_or_else(no_reason), pause, now);
            }
            Answer::Refused(_) => {
                self.read_accepted(generation);
                let failure = failure.unwrap_or_else(no_reason);
                self.step(
                    &mut flight.job,
                    LedgerEntry::Refused { failure },
                    answered_ms,
                );
                self.budget.one_failed();
            }
            Answer::Unauthorized { .. } => {
                self.gate.got_through();
                let again = self.backlog.refused_before(flight.job.id, generation);
                let counts = self.gate.session_mut().refused(generation, again, now.at);
                let suspicious = counts && (again || !self.gate.session().can_login());
                let why = suspicious.then_some(Suspicion::Rights);
                self.put_back_suspect(flight, failure.unwrap_or_else(no_reason), why, now);
            }
            Answer::Blocked { .. } => {
                self.gate.got_through();
                self.gate.session_mut().check(now.at);
                let why = Some(Suspicion::Block);
                self.put_back_suspect(flight, failure.unwrap_or_else(no_reason), why, now);
            }
        }
    }

    /// It may or may not have been executed.
    pub(super) fn in_doubt(&mut self, mut flight: Flight, unknown: Unconfirmed) {
        let Unconfirmed {
            service: _,
            sent,
            answered_ms,
            answered_at,
            failure,
        } = unknown;
        let entry = LedgerEntry::Unknown {
            failure,
            submitted_ms: sent.map(|sent| sent.at_ms),
        };
        self.step(&mut flight.job, entry, answered_ms);
        // Nobody will watch it: it can only be resolved by hand, or by a later run.
        if self.options.no_wait {
            self.budget.one_is_held();
        }
        let sent_at = sent.map_or(answered_at, |sent| sent.at);
        self.watch(flight, sent_at, answered_at);
    }

    fn watch(&mut self, mut flight: Flight, sent_at: Instant, answered_at: Instant) {
        if !self.options.no_wait {
            let mut tracker = Tracker::new(sent_at, answered_at);
            if let Some(hidden) = flight.slept.take() {
                tracker.interrupt(hidden);
            }
            flight.tracker = Some(tracker);
            self.flights.put(flight);
        }
    }

    fn back_to_queue(&mut self, mut flight: Flight, failure: Failure, delay: Duration, now: Now) {
        let not_before_ms = now.after_ms(delay);
        self.step(
            &mut flight.job,
            LedgerEntry::NotExecuted {
                failure,
                not_before_ms,
            },
            now.unix_ms,
        );
    }

    fn put_back_suspect(
        &mut self,
        mut flight: Flight,
        failure: Failure,
        why: Option<Suspicion>,
        now: Now,
    ) {
        let entry = LedgerEntry::NotExecuted {
            failure: failure.clone(),
            not_before_ms: 0,
        };
        self.step(&mut flight.job, entry, now.unix_ms);
        if let Some(why) = why {
            self.backlog.suspect(Suspect {
                job: flight.job,
                failure,
                why,
            });
        }
    }

    pub(super) fn read_accepted(&mut self, generation: u64) {
        self.gate.got_through();
        self.gate.session_mut().accepted(generation);
    }

    /// What a failed read-only call means for the run.
    pub(super) fn read_failed(&mut self, error: &ReadError, now: Now) {
        match error {
            ReadError::Unauthorized { generation, .. } => {
                self.gate.got_through();
                let again = self.account.inventory.refused_before(*generation);
                self.gate.session_mut().refused(*generation, again, now.at);
            }
            ReadError::Blocked { .. } => {
                self.gate.got_through();
                self.gate.session_mut().check(now.at);
            }
            ReadError::HalfSession { asks_for } => self.half_session_seen(*asks_for, now),
            ReadError::SlowDown { retry_after } => {
                self.gate.slow_down(*retry_after, Purpose::Poll, now);
            }
            ReadError::Incurable(why) => self.unreachable(why, now),
            ReadError::Failed(failure) => self.gate.lost(failure, now),
        }
    }

    /// What no retry can cure ends a run that has not reached the API yet. Later it is an outage: it
    /// was reached with the very same settings.
    pub(super) fn unreachable(&mut self, why: &Incurable, now: Now) {
        if !self.gate.was_reached() {
            self.halt_for(Halt::Incurable(why.clone()));
        }
        self.gate.lost(&why.clone().into(), now);
    }
}

fn no_reason() -> Failure {
    Failure::new(FailureKind::Refused, "no reason was given")
}
