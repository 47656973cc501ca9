//! Which call may go now: the rate, the session, and whether anything gets through at all.

use std::time::{Duration, Instant};

use super::Call;
use crate::job::Failure;
use crate::run::backoff::Backoff;
use crate::run::outage::{Outage, SlowDowns};
use crate::run::rate_limiter::{Purpose, RateLimiter};
use crate::run::session::{Session, SessionCall};
use crate::run::{Halt, Now, Options};
use crate::time;

/// The way to the API.
#[derive(Debug)]
pub(super) struct Gate {
    rate: RateLimiter,
    session: Session,
    backoff: Backoff,
    jitter: fastrand::Rng,
    outage: Outage,
    slow_downs: SlowDowns,
    /// In an outage one call at a time probes the way: when the next one may, and whether one does.
    probe_at: Instant,
    is_probing: bool,
    /// The API was reached by this process: what it cannot reach now is an outage.
    was_reached: bool,
    /// What a call that did not get through met last.
    last_error: String,
}

/// What the session needs before anything else goes on.
pub(super) enum SessionNeed {
    /// Nothing, or its call is under way.
    Nothing,
    /// This call, now.
    Call(Call),
    /// A call, not before then.
    At(Instant),
}

impl Gate {
    pub(super) fn new(
        options: &Options,
        session: Session,
        was_reached: bool,
        seed: u64,
        now: Now,
    ) -> Self {
        Self {
            rate: RateLimiter::new(options.rate_per_s, now.at),
            session,
            backoff: options.backoff,
            jitter: fastrand::Rng::with_seed(seed),
            outage: Outage::default(),
            slow_downs: SlowDowns::default(),
            probe_at: now.at,
            is_probing: false,
            was_reached,
            last_error: String::new(),
        }
    }

    /// From now on so many calls per second may go; 0: any number.
    pub(super) fn set_rate(&mut self, per_s: f64) {
        self.rate.set(per_s);
    }

    /// The run has been made to wait: how long nothing got through counts anew.
    pub(super) fn restart_clocks(&mut self, now: Now) {
        self.outage.restart(now.at);
        self.slow_downs.restart(now.at);
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Calls that are no probe may go, as far as the rate lets them.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_ready() && !self.outage.is_on()
    }

    pub(super) fn is_in_outage(&self) -> bool {
        self.outage.is_on()
    }

    pub(super) fn was_reached(&self) -> bool {
        self.was_reached
    }

    /// Calls that may go each second; 0: any number.
    pub(super) fn rate_per_s(&self) -> f64 {
        let interval = self.rate.interval();
        if interval.is_zero() {
            0.0
        } else {
            interval.as_secs_f64().recip()
        }
    }

    /// Time between two calls; zero: no limit.
    pub(super) fn interval(&self) -> Duration {
        self.rate.interval()
    }

    /// The moment from which a call for `purpose` may go, as far as the rate is concerned.
    pub(super) fn free_at(&self, purpose: Purpose) -> Instant {
        self.rate.free_at(purpose)
    }

    /// A submission that could go now has to wait for its turn.
    pub(super) fn is_rate_limited(&self, now: Now) -> bool {
        !self.rate.is_unlimited() && self.rate.free_at(Purpose::Submission) > now.at
    }

    /// Takes the slot of a call that may go from `not_before` on; otherwise says when to ask again.
    pub(super) fn take_slot(
        &mut self,
        purpose: Purpose,
        not_before: Instant,
        now: Now,
    ) -> Result<(), Instant> {
        let at = not_before.max(self.rate.free_at(purpose));
        if now.at >= at && self.rate.take(purpose, now.at) {
            Ok(())
        } else {
            Err(at)
        }
    }

    /// The session's own calls go first; in an outage one call at a time probes the way.
    pub(super) fn session_need(&mut self, now: Now) -> SessionNeed {
        let (call, due_at) = match self.session.due() {
            Some((SessionCall::Login, at)) => (Call::Login, at),
            Some((SessionCall::Keepalive, at)) => (Call::Keepalive, at),
            Some((SessionCall::Whoami, at)) => (Call::Whoami, at),
            Some((SessionCall::Confirm, at)) => (Call::Confirm, at),
            None if self.session.is_ready() && self.outage.is_on() && !self.is_probing => {
                (Call::Keepalive, self.probe_at)
            }
            None => return SessionNeed::Nothing,
        };
        if let Err(at) = self.take_slot(Purpose::Session, due_at, now) {
            return SessionNeed::At(at);
        }
        if self.session.is_ready() {
            self.is_probing = true;
        } else {
            self.session.called();
        }
        SessionNeed::Call(call)
    }

    /// A `keepalive` has ended: whether it was a probe.
    pub(super) fn end_probe(&mut self) -> bool {
        std::mem::take(&mut self.is_probing)
    }

    /// Something got through, whatever it said.
    pub(super) fn got_through(&mut self) {
        self.was_reached = true;
        self.outage.answered();
        self.slow_downs.answered();
    }

    /// Nothing got through.
    pub(super) fn lost(&mut self, failure: &Failure, now: Now) {
        self.outage.failed(now.at);
        self.last_error.clone_from(&failure.error);
        self.probe_at = now.at + self.delay(self.outage.failures());
    }

    /// The session's call did not get through: it goes again when the way is probed.
    pub(super) fn session_again(&mut self) {
        self.session.again_at(self.probe_at);
    }

    /// A submission was answered, and not with a request to slow down.
    pub(super) fn submission_answered(&mut self) {
        self.slow_downs.submission_answered();
    }

    /// The API asks to slow down: no call of any kind for a while. What it asks for never shortens our
    /// own backoff. Returns how long.
    pub(super) fn slow_down(
        &mut self,
        retry_after: Option<Duration>,
        purpose: Purpose,
        now: Now,
    ) -> Duration {
        self.was_reached = true;
        self.outage.answered();
        let is_submission = purpose == Purpose::Submission;
        let in_a_row = self.slow_downs.asked(is_submission, now.at);
        let own = self.backoff.bound(in_a_row);
        let pause = retry_after.unwrap_or_default().max(own);
        self.rate.hold(now.at + pause);
        pause
    }

    /// The delay before try number `nth` after a failure.
    pub(super) fn delay(&mut self, nth: u32) -> Duration {
        self.backoff.delay(nth, &mut self.jitter)
    }

    /// The longest of them.
    pub(super) fn delay_max(&self) -> Duration {
        self.backoff.max
    }

    /// Why the run cannot go on, if nothing came of its calls for `timeout`.
    pub(super) fn over_limit(&self, timeout: Duration, now: Now) -> Option<Halt> {
        if self.outage.is_over_limit(timeout, now.at) {
            return Some(Halt::Outage {
                lasted: self.outage.lasts(now.at),
                error: self.last_error.clone(),
            });
        }
        let is_paused = self.pause_left(now).is_some();
        self.slow_downs.over_limit(timeout, is_paused, now.at)
    }

    /// The next moment at which [`Gate::over_limit`] may say so.
    pub(super) fn limit_at(&self, timeout: Duration, now: Now) -> Option<Instant> {
        let limits = [
            self.outage.limit_at(timeout),
            self.slow_downs.limit_at(timeout),
        ];
        limits.into_iter().flatten().filter(|at| *at > now.at).min()
    }

    /// Why no call goes now, for people.
    pub(super) fn why_paused(&self, now: Now) -> Option<String> {
        if self.outage.is_on() {
            return Some(format!(
                "nothing gets through to the API ({}); probing",
                self.last_error
            ));
        }
        let left = self.pause_left(now)?;
        (left > Duration::from_secs(1)).then(|| {
            let left = time::short(left);
            format!("the API asks to slow down: no call for {left}")
        })
    }

    /// The end of the pause that the API has asked for, if it is not over.
    fn pause_left(&self, now: Now) -> Option<Duration> {
        let free_at = self.rate.free_at(Purpose::Session);
        let held = free_at.saturating_duration_since(now.at);
        (held > self.rate.interval()).then_some(held)
    }
}
