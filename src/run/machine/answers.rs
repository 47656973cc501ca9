//! What an answer means for its job and for the run: the table of the design's section 3.

use super::half_session::Unconfirmed;
use super::{Active, Machine, Suspect, Suspicion};
use crate::job::ServiceId;
use crate::job::{Failure, LedgerEntry};
use crate::run::evidence::Tracker;
use crate::run::{Halt, Now};
use crate::zomro::{Answer, Incurable, Keepalive, LoginError, ReadError, Submitted};
use std::time::Duration;

impl Machine {
    pub(super) fn submission_finished(
        &mut self,
        service: ServiceId,
        submitted: Submitted,
        now: Now,
    ) {
        let Some(mut active) = self.active.remove(&service) else {
            return;
        };
        self.submissions_out -= 1;
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
            self.slow_downs.submission_answered();
        }
        match answer {
            Answer::Accepted => {
                self.read_accepted(generation);
                let submitted_ms = sent.map_or(answered_ms, |sent| sent.at_ms);
                self.step(
                    &mut active.job,
                    LedgerEntry::Accepted { submitted_ms },
                    answered_ms,
                );
                self.watch(
                    active,
                    sent.map_or(answered_at, |sent| sent.at),
                    answered_at,
                );
            }
            Answer::Unknown(failure) => {
                if pause.is_some() {
                    self.slow_down(pause, true, now);
                } else if !failure.is_network() {
                    self.got_through();
                }
                let unknown = Unconfirmed {
                    service,
                    sent,
                    answered_ms,
                    answered_at,
                    failure,
                };
                self.in_doubt(active, unknown);
            }
            Answer::HalfSession { asks_for, failure } => {
                // Its answer is still outstanding, in a way: another call has to give it.
                self.submissions_out += 1;
                self.active.insert(service, active);
                self.unconfirmed.push(Unconfirmed {
                    service,
                    sent,
                    answered_ms,
                    answered_at,
                    failure,
                });
                self.half_session_seen(asks_for, now);
            }
            Answer::NotSent(failure) => {
                self.lost(&failure, now);
                let delay = self
                    .options
                    .backoff
                    .delay(active.job.record.attempt, &mut self.random);
                self.back_to_queue(active, failure, delay, now);
            }
            Answer::SlowDown { retry_after } => {
                let pause = self
                    .slow_down(retry_after, true, now)
                    .min(self.options.backoff.max);
                self.back_to_queue(active, failure.unwrap_or_else(no_reason), pause, now);
            }
            Answer::Refused(_) => {
                self.read_accepted(generation);
                let failure = failure.unwrap_or_else(no_reason);
                self.step(
                    &mut active.job,
                    LedgerEntry::Refused { failure },
                    answered_ms,
                );
                self.count_failure();
            }
            Answer::Unauthorized { .. } => {
                self.got_through();
                let before = self.refused.insert(active.job.id, generation);
                let again = before.is_some_and(|before| before < generation);
                let counts = self.session.refused(generation, again, now.at);
                let suspicious = counts && (again || !self.session.can_login());
                let why = suspicious.then_some(Suspicion::Rights);
                self.put_back_suspect(active, failure.unwrap_or_else(no_reason), why, now);
            }
            Answer::Blocked { .. } => {
                self.got_through();
                self.session.check(now.at);
                let why = Some(Suspicion::Block);
                self.put_back_suspect(active, failure.unwrap_or_else(no_reason), why, now);
            }
        }
    }

    /// It may or may not have been executed.
    pub(super) fn in_doubt(&mut self, mut active: Active, unknown: Unconfirmed) {
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
        self.step(&mut active.job, entry, answered_ms);
        // Nobody will watch it: it can only be resolved by hand, or by a later run.
        if self.options.no_wait {
            self.count_held();
        }
        let sent_at = sent.map_or(answered_at, |sent| sent.at);
        self.watch(active, sent_at, answered_at);
    }

    fn watch(
        &mut self,
        mut active: Active,
        sent_at: std::time::Instant,
        answered_at: std::time::Instant,
    ) {
        if !self.options.no_wait {
            let mut tracker = Tracker::new(sent_at, answered_at);
            if let Some(hidden) = active.slept.take() {
                tracker.interrupt(hidden);
            }
            active.tracker = Some(tracker);
            self.active.insert(active.job.service, active);
        }
    }

    fn back_to_queue(&mut self, mut active: Active, failure: Failure, delay: Duration, now: Now) {
        let not_before_ms = after(now, delay);
        self.step(
            &mut active.job,
            LedgerEntry::NotExecuted {
                failure,
                not_before_ms,
            },
            now.unix_ms,
        );
    }

    fn put_back_suspect(
        &mut self,
        mut active: Active,
        failure: Failure,
        why: Option<Suspicion>,
        now: Now,
    ) {
        let entry = LedgerEntry::NotExecuted {
            failure: failure.clone(),
            not_before_ms: 0,
        };
        self.step(&mut active.job, entry, now.unix_ms);
        if let Some(why) = why {
            self.suspects.push(Suspect {
                job: active.job,
                failure,
                why,
            });
        }
    }

    pub(super) fn read_accepted(&mut self, generation: u64) {
        self.got_through();
        self.session.accepted(generation);
    }

    /// What a failed read-only call means for the run.
    pub(super) fn read_failed(&mut self, error: &ReadError, now: Now) {
        match error {
            ReadError::Unauthorized { generation, .. } => {
                self.got_through();
                let again = self.poller.refused_before(*generation);
                self.session.refused(*generation, again, now.at);
            }
            ReadError::Blocked { .. } => {
                self.got_through();
                self.session.check(now.at);
            }
            ReadError::HalfSession { asks_for } => self.half_session_seen(*asks_for, now),
            ReadError::SlowDown { retry_after } => {
                self.slow_down(*retry_after, false, now);
            }
            ReadError::Incurable(why) => self.unreachable(why, now),
            ReadError::Failed(failure) => self.lost(failure, now),
        }
    }

    /// What no retry can cure ends a run that has not reached the API yet. Later it is an outage: it
    /// was reached with the very same settings.
    fn unreachable(&mut self, why: &Incurable, now: Now) {
        if !self.reached {
            self.halt_for(Halt::Incurable(why.clone()));
        }
        self.lost(&why.clone().into(), now);
    }

    pub(super) fn login_finished(&mut self, result: Result<u64, LoginError>, now: Now) {
        match result {
            Ok(generation) => {
                self.got_through();
                self.session.logged_in(generation);
                // What the session before was asked for, this one cannot confirm.
                self.half_session_not_confirmed();
                // Whom the session before refused goes again: that this one lives proves nothing
                // about that one. Who was blocked is still to be explained.
                let before = self.suspects.len();
                self.suspects
                    .retain(|suspect| suspect.why == Suspicion::Block);
                if self.suspects.len() < before {
                    self.supply.forget();
                }
                if !self.suspects.is_empty() {
                    self.session.check(now.at);
                }
            }
            Err(LoginError::Blocked { status }) => self.halt_for(Halt::Blocked { status }),
            Err(LoginError::SlowDown { retry_after }) => {
                let pause = self.slow_down(retry_after, false, now);
                self.session.again_at(now.at + pause);
            }
            Err(LoginError::Incurable(why)) => {
                self.unreachable(&why, now);
                self.session.again_at(self.probe_at);
            }
            Err(LoginError::SecondFactor) => self.halt_for(Halt::SecondFactor),
            Err(LoginError::Failed(failure)) => {
                self.lost(&failure, now);
                self.session.again_at(self.probe_at);
            }
            Err(error) if error.is_temporary_lock() && self.session.locked(now.at) => {
                self.got_through();
                self.warn_once("login_locked", || format!("{error}; trying again"));
            }
            Err(
                error @ (LoginError::Refused { .. }
                | LoginError::NoCredentials
                | LoginError::NoToken),
            ) => self.halt_for(Halt::Credentials(error.to_string())),
        }
    }

    pub(super) fn keepalive_finished(&mut self, result: Keepalive, now: Now) {
        let probe = std::mem::take(&mut self.probing);
        // What the session needs is a call of its own: a probe that was under way before must not
        // be taken for that one's end.
        if probe && !self.session.is_ready() {
            match result {
                Keepalive::Alive | Keepalive::Dead { .. } => self.got_through(),
                Keepalive::Blocked { status } => self.halt_for(Halt::Blocked { status }),
                Keepalive::SlowDown { retry_after } => {
                    self.slow_down(retry_after, false, now);
                }
                Keepalive::Half(half) => self.half_session_answers(half, now),
                Keepalive::Incurable(why) => self.unreachable(&why, now),
                Keepalive::Failed(failure) => self.lost(&failure, now),
            }
            return;
        }
        match result {
            Keepalive::Alive if !probe && self.doubts_keepalive(now) => {}
            Keepalive::Half(half) => self.half_session_answers(half, now),
            Keepalive::Alive => {
                self.got_through();
                if probe {
                    return;
                }
                if let Some(message) = self.poller.missing_rights() {
                    self.halt_for(Halt::Rights(message));
                    return;
                }
                self.session.alive();
                self.poller.session_is_alive();
                // The session is sound: what it was refused is refused for good.
                for Suspect { job, failure, .. } in std::mem::take(&mut self.suspects) {
                    self.fail_untouched(job, failure, now);
                }
            }
            Keepalive::Dead { message } => {
                self.got_through();
                self.half_session_not_confirmed();
                self.suspects.clear();
                self.supply.forget();
                if !self.session.dead(now.at) {
                    self.halt_for(Halt::Credentials(message));
                }
            }
            Keepalive::Blocked { status } => self.halt_for(Halt::Blocked { status }),
            Keepalive::SlowDown { retry_after } => {
                self.half_session_not_confirmed();
                let pause = self.slow_down(retry_after, false, now);
                self.session.again_at(now.at + pause);
            }
            Keepalive::Incurable(why) => {
                self.half_session_not_confirmed();
                self.unreachable(&why, now);
                self.session.again_at(self.probe_at);
            }
            Keepalive::Failed(failure) => {
                self.half_session_not_confirmed();
                self.lost(&failure, now);
                self.session.again_at(self.probe_at);
            }
        }
    }
}

/// `delay` from now, as Unix time.
pub(super) fn after(now: Now, delay: Duration) -> i64 {
    now.unix_ms
        .saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
}

fn no_reason() -> Failure {
    Failure::new("refused", "no reason was given")
}
