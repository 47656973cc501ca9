//! Asking whose the session is, what its answer means, and when the batch is bound to that account.

use super::{Call, Machine};
use crate::job::Owner;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::zomro::{Read, ReadError};

impl Machine {
    fn generation(&self) -> u64 {
        self.gate.session().generation()
    }

    /// The session has said whose it is, and the batch is that account's. A look sends nothing, and has
    /// no batch.
    pub(super) fn may_send(&self) -> bool {
        self.course.only_looks || self.account.ownership.may_send(self.generation())
    }

    /// See [`Ownership::is_answered`](super::owner::Ownership::is_answered).
    pub(super) fn owner_is_answered(&self) -> bool {
        self.account.ownership.is_answered(self.generation())
    }

    /// Asks whose the session is, if that one has not said so. Who only looks documents up need not know.
    pub(super) fn ask_owner(&mut self, now: Now) {
        if self.course.only_looks && !self.course.asks_owner {
            return;
        }
        let generation = self.generation();
        let Some(not_before) = self.account.ownership.may_ask(generation) else {
            return;
        };
        match self.gate.take_slot(Purpose::Session, not_before, now) {
            Ok(()) => {
                self.account.ownership.asked(generation);
                self.desk.call(Call::Owner);
            }
            Err(at) => self.wake_by(at),
        }
    }

    pub(super) fn owner_finished(&mut self, result: Read<Option<Owner>>, now: Now) {
        let asked = self.account.ownership.question_ended();
        let error = match result {
            Ok(reply) => {
                // That it may say so does not show that a renewal has helped: the pause before the
                // next one stays.
                self.gate.got_through();
                self.owner_told(reply.generation, reply.value, "", now);
                if reply.generation != self.generation() {
                    let why = "the session ended before it said so".to_owned();
                    self.account.ownership.failed(why, now.at, now);
                }
                return;
            }
            Err(error) => error,
        };
        match &error {
            // The API's own refusal of this very question: it has none to give.
            ReadError::Failed(_) if error.is_refusal() => {
                self.gate.got_through();
                self.owner_told(asked, None, &format!(" ({error})"), now);
                return;
            }
            ReadError::Unauthorized { generation, .. } => {
                self.gate.got_through();
                let before = self.account.ownership.refused(*generation);
                if before == Some(*generation) {
                    // `keepalive` has passed in between: this user may not ask it.
                    self.owner_told(*generation, None, &format!(" ({error})"), now);
                    return;
                }
                let session = self.gate.session_mut();
                session.refused(*generation, before.is_some(), now.at);
            }
            ReadError::Failed(_)
            | ReadError::Blocked { .. }
            | ReadError::SlowDown { .. }
            | ReadError::HalfSession { .. }
            | ReadError::Incurable(_) => self.read_failed(&error, now),
        }
        let delay = self.gate.delay(self.account.ownership.failures() + 1);
        self.account
            .ownership
            .failed(error.to_string(), now.at + delay, now);
    }

    /// The session of `generation` is this account's; `None`: the API names none, `why`. Where the batch
    /// is bound, that is no answer.
    fn owner_told(&mut self, generation: u64, owner: Option<Owner>, why: &str, now: Now) {
        match &owner {
            Some(owner) => self.check_owner(owner),
            None if self.account.ownership.is_bound() => {
                let delay = self.gate.delay(self.account.ownership.failures() + 1);
                if let Some(theirs) = self.account.ownership.named_nobody(now.at + delay).cloned() {
                    let why = why.to_owned();
                    self.halt_for(Halt::UnknownAccount { theirs, why });
                }
                return;
            }
            None => self.narrator.warn_once("owner", || {
                format!("the API does not say whose session this is{why}: that the instances are the right account's is not checked")
            }),
        }
        let is_current = generation == self.generation();
        self.account
            .ownership
            .answered(generation, owner, is_current);
    }

    /// Halts where the batch is another account's than the session.
    fn check_owner(&mut self, ours: &Owner) {
        if let Some(theirs) = self.account.ownership.of_another(ours).cloned() {
            let ours = ours.clone();
            self.halt_for(Halt::OtherAccount { theirs, ours });
        }
    }

    /// The account to which the batch is to be bound now: the next thing is an intent.
    pub(super) fn wants_bound(&self, now: Now) -> Option<&Owner> {
        let unbound = self.account.ownership.unbound(self.generation())?;
        let is_next = if self.needs_no_more_of_the_list() {
            !self.wants_order() && !self.backlog.waiting().is_empty()
        } else {
            self.has_early_ones(now)
        };
        (is_next && !self.is_ending()).then_some(unbound)
    }

    /// The store says whose the batch is.
    pub(super) fn bound(&mut self, owner: Owner) {
        self.account.ownership.bound(owner);
        if let Some(ours) = self.account.ownership.of_session().cloned() {
            self.check_owner(&ours);
        }
    }

    /// Whose the session is, as far as it has said so.
    pub fn owner(&self) -> Option<&Owner> {
        self.account.ownership.of_session()
    }
}
