//! Reading documents for somebody who looks at the account.

use super::{Call, Machine};
use crate::job::{Failure, FailureKind};
use crate::run::Now;
use crate::run::rate_limiter::Purpose;
use crate::zomro::{Found, Lookup, Read, ReadError};

impl Machine {
    /// Asks for the documents that are wanted.
    pub(super) fn look_up(&mut self, now: Now) {
        while let Some(not_before) = self.account.lookups.may_ask() {
            match self.gate.take_slot(Purpose::Submission, not_before, now) {
                Ok(()) => {
                    let Some(lookup) = self.account.lookups.ask() else {
                        return;
                    };
                    self.desk.call(Call::LookUp(lookup));
                }
                Err(at) => return self.wake_by(at),
            }
        }
    }

    pub(super) fn lookup_finished(&mut self, lookup: &Lookup, result: Read<Found>, now: Now) {
        let error = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                return self.account.lookups.found(lookup, reply.value);
            }
            Err(error) => error,
        };
        let delay = self.gate.delay(self.account.lookups.failures(lookup) + 1);
        let refusal = match &error {
            ReadError::Failed(failure) => failure.clone(),
            ReadError::Unauthorized { .. } => {
                Failure::new(FailureKind::Unauthorized, error.to_string())
            }
            ReadError::Blocked { .. } => {
                Failure::new(FailureKind::BlockedRequest, error.to_string())
            }
            ReadError::HalfSession { .. }
            | ReadError::Incurable(_)
            | ReadError::SlowDown { .. } => Failure::new("unread", error.to_string()),
        };
        if self.reading_was_refused(&error, now) {
            self.account.lookups.refused(lookup, &refusal, delay, now);
        } else {
            self.account.lookups.again(lookup, delay, now);
        }
    }

    /// Whether the failure of a reading says something of what was to be read.
    pub(super) fn reading_was_refused(&mut self, error: &ReadError, now: Now) -> bool {
        match error {
            // The API's own refusal of this document: of what else it gives it says nothing.
            ReadError::Failed(failure) if !failure.is_network() => {
                self.gate.got_through();
                true
            }
            ReadError::Failed(_)
            | ReadError::Unauthorized { .. }
            | ReadError::HalfSession { .. }
            | ReadError::Incurable(_)
            | ReadError::Blocked { .. } => {
                self.read_failed(error, now);
                // An outage says nothing about it.
                !self.gate.is_in_outage()
            }
            ReadError::SlowDown { .. } => {
                self.read_failed(error, now);
                false
            }
        }
    }
}
