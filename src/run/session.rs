//! The session, renewed once for all workers: which call it needs next.
//!
//! A refusal for want of rights means one of two things that look the same: the session is over,
//! or the service is somebody else's. A login settles the first, `keepalive` tells them apart.

use std::time::{Duration, Instant};

/// Pause before a login that follows a refused one or a renewal that did not help: the API locks
/// an account for 20 s after bad logins.
pub const LOGIN_PAUSE: Duration = Duration::from_secs(20);

/// Logins in a row without one accepted call between them.
const RENEWALS_MAX: u32 = 5;

/// A call that the session needs before anything else may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCall {
    /// Open a new one.
    Login,
    /// Ask whether it lives.
    Keepalive,
    /// Ask whose it is: whether it is whole.
    Whoami,
    /// Give it the one-time code that it waits for.
    Confirm,
}

/// One-time codes for a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codes {
    /// None can be had.
    None,
    /// One can be had.
    Untried,
    /// One was given, and no call has been accepted since.
    Given,
}

/// Where the session stands.
#[derive(Debug, Clone)]
pub struct Session {
    can_login: bool,
    codes: Codes,
    /// Of the token in use; 0: none yet.
    generation: u64,
    /// The call it needs, and from when.
    needs: Option<(SessionCall, Instant)>,
    /// That call is under way.
    calling: bool,
    /// Logins since the last accepted call.
    renewals: u32,
}

impl Session {
    /// With the token's `generation` at the start; 0 asks for a login.
    pub fn new(can_login: bool, generation: u64, now: Instant) -> Self {
        let needs = (generation == 0).then_some((SessionCall::Login, now));
        Self {
            can_login,
            codes: Codes::None,
            generation,
            needs,
            calling: false,
            renewals: 0,
        }
    }

    /// Of the token in use; 0: none yet.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// One for which a one-time code can be had, or cannot.
    #[must_use]
    pub fn confirmed_by_code(self, can_confirm: bool) -> Self {
        let codes = if can_confirm {
            Codes::Untried
        } else {
            Codes::None
        };
        Self { codes, ..self }
    }

    /// There is something to renew it with.
    pub fn can_login(&self) -> bool {
        self.can_login
    }

    /// Other calls may be made.
    pub fn is_ready(&self) -> bool {
        self.needs.is_none()
    }

    /// The call that is due, and from when. `None`: none, or it is under way.
    pub fn due(&self) -> Option<(SessionCall, Instant)> {
        self.needs.filter(|_| !self.calling)
    }

    /// The due call is being made.
    pub fn called(&mut self) {
        self.calling = true;
    }

    /// A call with the token of `generation` was accepted.
    pub fn accepted(&mut self, generation: u64) {
        if generation == self.generation {
            self.renewals = 0;
            if self.codes == Codes::Given {
                self.codes = Codes::Untried;
            }
        }
    }

    /// A call with the token of `generation` was refused for want of rights. `again`: the same
    /// call had been refused before, with another token. `false`: the token was replaced meanwhile,
    /// so the refusal says nothing, and the call just goes again with the new one.
    pub fn refused(&mut self, generation: u64, again: bool, now: Instant) -> bool {
        if generation < self.generation {
            return false;
        }
        if self.needs.is_some() {
            return true;
        }
        self.needs = Some(if again || !self.can_login {
            (SessionCall::Keepalive, now)
        } else {
            (SessionCall::Login, now + self.pause())
        });
        true
    }

    /// The API blocks something: ask whether it blocks everything.
    pub fn check(&mut self, now: Instant) {
        self.needs.get_or_insert((SessionCall::Keepalive, now));
    }

    /// `keepalive` does not settle whether it is whole.
    pub fn ask_whoami(&mut self, now: Instant) {
        self.calling = false;
        self.needs = Some((SessionCall::Whoami, now));
    }

    /// It waits for a one-time code. `false`: there is none, or the last one has not helped.
    pub fn confirm(&mut self, now: Instant) -> bool {
        if self.codes != Codes::Untried {
            return false;
        }
        self.codes = Codes::Given;
        self.calling = false;
        self.needs = Some((SessionCall::Confirm, now));
        true
    }

    /// A login succeeded.
    pub fn logged_in(&mut self, generation: u64) {
        // The login with which a run begins renews nothing.
        self.renewals += u32::from(self.generation > 0);
        self.generation = generation;
        self.end_call();
    }

    /// The session was found alive.
    pub fn alive(&mut self) {
        self.renewals = 0;
        self.end_call();
    }

    /// The session was found dead. `false`: and nothing can be done about it.
    pub fn dead(&mut self, now: Instant) -> bool {
        if !self.can_login || self.renewals >= RENEWALS_MAX {
            return false;
        }
        self.calling = false;
        self.needs = Some((SessionCall::Login, now + self.pause()));
        true
    }

    /// The call did not get through: again at `at`.
    pub fn again_at(&mut self, at: Instant) {
        self.calling = false;
        if let Some((_, due)) = &mut self.needs {
            *due = at;
        }
    }

    /// The login was refused, and there is something else to try: after the pause of a refused one.
    pub fn again_after_refusal(&mut self, now: Instant) {
        self.again_at(now + LOGIN_PAUSE);
    }

    /// The login was refused for a moment. `false`: too often.
    pub fn locked(&mut self, now: Instant) -> bool {
        self.renewals += 1;
        self.again_at(now + LOGIN_PAUSE);
        self.renewals < RENEWALS_MAX
    }

    fn pause(&self) -> Duration {
        if self.renewals == 0 {
            Duration::ZERO
        } else {
            LOGIN_PAUSE
        }
    }

    fn end_call(&mut self) {
        self.needs = None;
        self.calling = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_renewal_is_immediate_and_one_serves_all() {
        let now = Instant::now();
        let mut session = Session::new(true, 1, now);
        session.accepted(1);
        session.refused(1, false, now);
        session.refused(1, false, now);
        assert_eq!(session.due(), Some((SessionCall::Login, now)));
        session.called();
        assert_eq!(session.due(), None);
        session.logged_in(2);
        assert!(session.is_ready());
        session.refused(1, false, now);
        assert!(
            session.is_ready(),
            "a late refusal of the old token says nothing of the new one"
        );
    }

    #[test]
    fn a_session_that_ends_right_after_the_first_login_is_renewed_at_once() {
        let now = Instant::now();
        let mut session = Session::new(true, 0, now);
        session.logged_in(1);
        session.refused(1, false, now);
        assert_eq!(session.due(), Some((SessionCall::Login, now)));
        session.logged_in(2);
        session.refused(2, false, now);
        assert_eq!(session.due(), Some((SessionCall::Login, now + LOGIN_PAUSE)));
    }

    #[test]
    fn a_renewal_that_did_not_help_is_followed_by_a_pause() {
        let now = Instant::now();
        let mut session = Session::new(true, 1, now);
        session.refused(1, false, now);
        session.logged_in(2);
        session.refused(2, false, now);
        assert_eq!(session.due(), Some((SessionCall::Login, now + LOGIN_PAUSE)));
        session.logged_in(3);
        session.accepted(3);
        session.refused(3, false, now);
        assert_eq!(
            session.due(),
            Some((SessionCall::Login, now)),
            "it helped: the next is a first one"
        );
    }

    #[test]
    fn a_call_refused_again_asks_whether_the_session_lives() {
        let now = Instant::now();
        let mut session = Session::new(true, 2, now);
        session.refused(2, true, now);
        assert_eq!(session.due(), Some((SessionCall::Keepalive, now)));
        session.alive();
        assert!(session.is_ready());
    }

    #[test]
    fn a_code_is_given_once_and_again_only_after_it_has_helped() {
        let now = Instant::now();
        assert!(!Session::new(true, 1, now).confirm(now), "there is none");
        let mut session = Session::new(true, 1, now).confirmed_by_code(true);
        assert!(session.confirm(now));
        assert_eq!(session.due(), Some((SessionCall::Confirm, now)));
        session.called();
        session.logged_in(2);
        assert!(session.is_ready());
        assert!(!session.confirm(now));
        session.accepted(2);
        assert!(session.confirm(now));
    }

    #[test]
    fn a_bare_token_is_never_renewed() {
        let now = Instant::now();
        let mut session = Session::new(false, 1, now);
        session.refused(1, false, now);
        assert_eq!(session.due(), Some((SessionCall::Keepalive, now)));
        session.called();
        assert!(!session.dead(now));
    }
}
