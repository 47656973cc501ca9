//! A session that is not whole: whose it is must give a second factor first, and until then every
//! function answers with the same `ok`, a submission too.
//!
//! The one fact to know: such an `ok` proves "not executed" only if the session answers everything
//! like that. So the job of that submission stays `submitting` while another call is asked;
//! `keepalive` first, then `whoami`, because nobody has seen what a half session makes of the first.
//! Whatever these answer but the same, the submission is in doubt. Where a one-time code can be had
//! without a person, the session gets it and the run goes on; otherwise it halts.

use super::Machine;
use crate::job::{Failure, FailureKind, LedgerEntry};
use crate::run::{Halt, Now};
use crate::zomro::{HalfSession, Keepalive};

impl Machine {
    /// An answer asked for more than the session has: does it ask every call?
    pub(super) fn half_session_seen(&mut self, half: HalfSession, now: Now) {
        self.gate.got_through();
        self.flights.half_session_seen(half);
        self.gate.session_mut().check(now.at);
    }

    /// `keepalive` says so. Where that is the first to say it, `whoami` has to confirm it.
    pub(super) fn half_session_answers(&mut self, half: HalfSession, now: Now) {
        self.gate.got_through();
        if self.flights.half_session_seen(half) {
            self.end_half_session(half, now);
        } else {
            self.gate.session_mut().ask_whoami(now.at);
        }
    }

    /// `keepalive` says that all is well, and another call was told otherwise.
    pub(super) fn doubts_keepalive(&mut self, now: Now) -> bool {
        let doubts = self.flights.doubts_the_session();
        if doubts {
            self.gate.got_through();
            self.gate.session_mut().ask_whoami(now.at);
        }
        doubts
    }

    pub(super) fn whoami_finished(&mut self, result: Keepalive, now: Now) {
        match result {
            Keepalive::Half(half) => {
                self.gate.got_through();
                self.end_half_session(half, now);
            }
            // That `whoami` itself is refused or not known says nothing: `keepalive` has passed.
            Keepalive::Failed(failure) if !failure.is_network() => {
                self.half_session_not_confirmed();
                self.keepalive_finished(Keepalive::Alive, now);
            }
            Keepalive::Alive | Keepalive::Dead { .. } => {
                self.half_session_not_confirmed();
                self.keepalive_finished(Keepalive::Alive, now);
            }
            Keepalive::Blocked { .. }
            | Keepalive::SlowDown { .. }
            | Keepalive::Incurable(_)
            | Keepalive::Failed(_) => {
                self.half_session_not_confirmed();
                self.keepalive_finished(result, now);
            }
        }
    }

    /// No other call was answered alike, or none will be made any more: those submissions may have
    /// been executed.
    pub(super) fn half_session_not_confirmed(&mut self) {
        for (flight, unconfirmed) in self.flights.take_unconfirmed() {
            self.in_doubt(flight, unconfirmed);
        }
    }

    /// Nothing was executed, and nothing will be before the session has what it asks for.
    fn end_half_session(&mut self, half: HalfSession, now: Now) {
        for (mut flight, _) in self.flights.take_unconfirmed() {
            let entry = LedgerEntry::NotExecuted {
                failure: Failure::new(FailureKind::HalfSession, format!("the API asks for {half}")),
                not_before_ms: 0,
            };
            self.step(&mut flight.job, entry, now.unix_ms);
        }
        if half == HalfSession::SecondFactor && self.gate.session_mut().confirm(now.at) {
            self.backlog.look_again();
            return;
        }
        self.halt_for(match half {
            HalfSession::SecondFactor => Halt::SecondFactor,
            HalfSession::Login => {
                Halt::Credentials("it answers every call by asking for a login".to_owned())
            }
        });
    }
}
