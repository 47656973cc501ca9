//! A session that is not whole: whose it is must give a second factor first, and until then every
//! function answers with the same `ok`, a submission too.
//!
//! The one fact to know: such an `ok` proves "not executed" only if the session answers everything
//! like that. So the job of that submission stays `submitting` while another call is asked;
//! `keepalive` first, then `whoami`, because nobody has seen what a half session makes of the first.
//! Whatever these answer but the same, the submission is in doubt.

use super::Machine;
use crate::job::{Failure, LedgerEntry, ServiceId};
use crate::run::{Halt, Now};
use crate::zomro::{HalfSession, Keepalive, Sent};

/// A submission that was answered like that.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) service: ServiceId,
    pub(super) sent: Option<Sent>,
    pub(super) answered_ms: i64,
    pub(super) answered_at: std::time::Instant,
    /// What it means if no other call is answered alike.
    pub(super) failure: Failure,
}

impl Machine {
    /// An answer asked for more than the session has: does it ask every call?
    pub(super) fn half_session_seen(&mut self, half: HalfSession, now: Now) {
        self.got_through();
        self.half_seen = Some(half);
        self.session.check(now.at);
    }

    /// `keepalive` says so. Where that is the first to say it, `whoami` has to confirm it.
    pub(super) fn half_session_answers(&mut self, half: HalfSession, now: Now) {
        self.got_through();
        if self.half_seen.replace(half).is_some() {
            self.end_half_session(half, now);
        } else {
            self.session.ask_whoami(now.at);
        }
    }

    /// `keepalive` says that all is well, and another call was told otherwise.
    pub(super) fn doubts_keepalive(&mut self, now: Now) -> bool {
        let doubts = self.half_seen.is_some();
        if doubts {
            self.got_through();
            self.session.ask_whoami(now.at);
        }
        doubts
    }

    pub(super) fn whoami_finished(&mut self, result: Keepalive, now: Now) {
        match result {
            Keepalive::Half(half) => {
                self.got_through();
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
        self.half_seen = None;
        for unconfirmed in std::mem::take(&mut self.unconfirmed) {
            let Some(active) = self.active.remove(&unconfirmed.service) else {
                continue;
            };
            self.submissions_out -= 1;
            self.in_doubt(active, unconfirmed);
        }
    }

    /// Nothing was executed, and nothing will be.
    fn end_half_session(&mut self, half: HalfSession, now: Now) {
        for unconfirmed in std::mem::take(&mut self.unconfirmed) {
            let Some(mut active) = self.active.remove(&unconfirmed.service) else {
                continue;
            };
            self.submissions_out -= 1;
            let entry = LedgerEntry::NotExecuted {
                failure: Failure::new("half_session", format!("the API asks for {half}")),
                not_before_ms: 0,
            };
            self.step(&mut active.job, entry, now.unix_ms);
        }
        self.halt_for(match half {
            HalfSession::SecondFactor => Halt::SecondFactor,
            HalfSession::Login => {
                Halt::Credentials("it answers every call by asking for a login".to_owned())
            }
        });
    }
}
