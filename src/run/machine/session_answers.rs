//! What the session's own calls say: a login, and `keepalive`, which also probes the way in an outage.

use super::Machine;
use super::backlog::Suspect;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::zomro::{Keepalive, LoginError};

impl Machine {
    pub(super) fn login_finished(&mut self, result: Result<u64, LoginError>, now: Now) {
        match result {
            Ok(generation) => {
                self.gate.got_through();
                self.gate.session_mut().logged_in(generation);
                // Whether the session before was whole, this one cannot tell.
                self.half_session_not_confirmed();
                // Jobs that the session before refused are sent again: whether that one was over, the
                // new one cannot tell. What was blocked is still to be explained.
                if self.backlog.forget_refusals() {
                    self.gate.session_mut().check(now.at);
                }
            }
            Err(LoginError::Blocked { status }) => self.halt_for(Halt::Blocked { status }),
            Err(LoginError::SlowDown { retry_after }) => {
                let pause = self.gate.slow_down(retry_after, Purpose::Session, now);
                self.gate.session_mut().again_at(now.at + pause);
            }
            Err(LoginError::Incurable(why)) => {
                self.unreachable(&why, now);
                self.gate.session_again();
            }
            Err(LoginError::SecondFactor) => {
                self.gate.got_through();
                if !self.gate.session_mut().confirm(now.at) {
                    self.halt_for(Halt::SecondFactor);
                }
            }
            Err(error @ (LoginError::WrongCode { .. } | LoginError::NoCode(_))) => {
                self.halt_for(Halt::NotConfirmed(error.to_string()));
            }
            Err(error @ LoginError::PasswordChanged { .. }) => {
                self.gate.got_through();
                self.narrator.warn_once("password_changed", || {
                    format!("{error}; trying the new one in a moment")
                });
                self.gate.session_mut().again_after_refusal(now.at);
            }
            Err(LoginError::Failed(failure)) => {
                self.gate.lost(&failure, now);
                self.gate.session_again();
            }
            Err(error) if error.is_temporary_lock() && self.gate.session_mut().locked(now.at) => {
                self.gate.got_through();
                self.narrator
                    .warn_once("login_locked", || format!("{error}; trying again"));
            }
            Err(
                error @ (LoginError::Refused { .. }
                | LoginError::NoCredentials
                | LoginError::NoToken),
            ) => self.halt_for(Halt::Credentials(error.to_string())),
        }
    }

    pub(super) fn keepalive_finished(&mut self, result: Keepalive, now: Now) {
        let probe = self.gate.end_probe();
        // What the session needs is a call of its own: a probe that was under way before must not
        // be taken for that one's end.
        if probe && !self.gate.session().is_ready() {
            match result {
                Keepalive::Alive | Keepalive::Dead { .. } => self.gate.got_through(),
                Keepalive::Blocked { status } => self.halt_for(Halt::Blocked { status }),
                Keepalive::SlowDown { retry_after } => {
                    self.gate.slow_down(retry_after, Purpose::Session, now);
                }
                Keepalive::Half(half) => self.half_session_answers(half, now),
                Keepalive::Incurable(why) => self.unreachable(&why, now),
                Keepalive::Failed(failure) => self.gate.lost(&failure, now),
            }
            return;
        }
        match result {
            Keepalive::Alive if !probe && self.doubts_keepalive(now) => {}
            Keepalive::Half(half) => self.half_session_answers(half, now),
            Keepalive::Alive => {
                self.gate.got_through();
                if probe {
                    return;
                }
                if let Some(message) = self.account.inventory.missing_rights() {
                    self.halt_for(Halt::Rights(message));
                    return;
                }
                self.gate.session_mut().alive();
                self.account.inventory.session_is_alive();
                // The session is sound: what it was refused is refused for good.
                for Suspect { job, failure, .. } in self.backlog.take_suspects() {
                    self.fail_untouched(job, failure, now);
                }
            }
            Keepalive::Dead { message } => {
                self.gate.got_through();
                self.half_session_not_confirmed();
                self.backlog.take_suspects();
                self.backlog.look_again();
                if !self.gate.session_mut().dead(now.at) {
                    self.halt_for(Halt::Credentials(message));
                }
            }
            Keepalive::Blocked { status } => self.halt_for(Halt::Blocked { status }),
            Keepalive::SlowDown { retry_after } => {
                self.half_session_not_confirmed();
                let pause = self.gate.slow_down(retry_after, Purpose::Session, now);
                self.gate.session_mut().again_at(now.at + pause);
            }
            Keepalive::Incurable(why) => {
                self.half_session_not_confirmed();
                self.unreachable(&why, now);
                self.gate.session_again();
            }
            Keepalive::Failed(failure) => {
                self.half_session_not_confirmed();
                self.gate.lost(&failure, now);
                self.gate.session_again();
            }
        }
    }
}
