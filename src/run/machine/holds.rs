//! Doubts that are left to the operator, with what the API's own history of the service says of them.

use super::flights::Flight;
use super::histories::{Attempt, Waiting};
use super::{Call, Machine};
use crate::job::{LedgerEntry, ServiceId};
use crate::run::Now;
use crate::run::rate_limiter::Purpose;
use crate::zomro::{History, Read, ReadError};

impl Machine {
    /// Nothing more is to be expected of a doubt: it is held, once its history was read where that is wanted.
    pub(super) fn hold(&mut self, flight: Flight, reason: String, now: Now) {
        if self.account.histories.want(&flight.job, &reason) {
            self.flights.put(flight);
        } else {
            self.hold_now(flight, reason, now);
        }
    }

    pub(super) fn hold_now(&mut self, mut flight: Flight, reason: String, now: Now) {
        self.step(&mut flight.job, LedgerEntry::Held { reason }, now.unix_ms);
        self.budget.one_is_held();
    }

    /// Asks for the history of a doubt that waits for it.
    pub(super) fn read_histories(&mut self, now: Now) {
        let is_open = |service| self.flights.is_in_doubt(service);
        let Some(not_before) = self.account.histories.may_ask(is_open) else {
            return;
        };
        if let Err(at) = self.gate.take_slot(Purpose::Poll, not_before, now) {
            return self.wake_by(at);
        }
        let service = self.account.histories.ask(now.at, self.gate.interval());
        let job = service.and_then(|service| self.flights.job(service));
        if let Some(query) = job.and_then(|job| self.account.histories.query(job)) {
            self.desk.call(Call::History(Box::new(query)));
        }
    }

    pub(super) fn history_finished(&mut self, service: ServiceId, result: Read<History>, now: Now) {
        let waiting = self.account.histories.ended();
        let history = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                Some(reply.value)
            }
            Err(error) => {
                self.history_failed(service, &error, now);
                None
            }
        };
        if let Some((service, waiting)) = waiting {
            self.hold_with(service, waiting, history.as_ref(), now);
        }
        if !self.account.histories.are_read() {
            self.hold_all_waiting(now);
        }
    }

    /// Nobody reads a history any more: the doubts that wait for one are held without.
    pub(super) fn hold_all_waiting(&mut self, now: Now) {
        for (service, waiting) in self.account.histories.take_waiting() {
            self.hold_with(service, waiting, None, now);
        }
    }

    /// Holds the doubt that waited, unless it has ended meanwhile.
    fn hold_with(
        &mut self,
        service: ServiceId,
        waiting: Waiting,
        history: Option<&History>,
        now: Now,
    ) {
        let is_open = self.flights.is_in_doubt(service)
            && (self.flights.job(service)).is_some_and(|job| Attempt::of(job) == waiting.attempt);
        if !is_open {
            return;
        }
        let Some(mut flight) = self.flights.take(service) else {
            return;
        };
        let mut reason = waiting.reason;
        if let Some(history) = history {
            let found = history.to_string();
            reason.push_str("; its history, which proves nothing: ");
            reason.push_str(&found);
            let rebuilds = history.all_rebuilds();
            let entry = LedgerEntry::HistoryRead { found, rebuilds };
            self.step(&mut flight.job, entry, now.unix_ms);
        }
        self.hold_now(flight, reason, now);
    }

    /// What its failure says of the way to the API counts; what it says of the session and of this address,
    /// the next call that the run needs will say too.
    fn history_failed(&mut self, service: ServiceId, error: &ReadError, now: Now) {
        match error {
            ReadError::Failed(failure) if !failure.is_network() => {
                self.gate.got_through();
                self.account.histories.give_up();
                self.narrator.warn_once("no history", || {
                    format!(
                        "the history of {service} cannot be read, so none is asked for any more ({error}): doubts are held without it; does --history say where it is?"
                    )
                });
                return;
            }
            ReadError::Failed(_) | ReadError::Incurable(_) | ReadError::SlowDown { .. } => {
                self.read_failed(error, now);
            }
            ReadError::Unauthorized { .. }
            | ReadError::HalfSession { .. }
            | ReadError::Blocked { .. } => self.gate.got_through(),
        }
        self.narrator.warn_once("history", || {
            format!(
                "the history of {service} could not be read ({error}): its doubt is held without it"
            )
        });
    }
}
