//! Host keys of the instances: when they are read, and what comes of it. What they prove stands at
//! [`crate::run::evidence`].

use std::net::SocketAddr;

use super::flights::Flight;
use super::witness::{Before, Sighting};
use super::{Call, Machine};
use crate::job::{LedgerEntry, ShownKey, State};
use crate::queue::QueuedJob;
use crate::run::Now;
use crate::run::evidence::HostKeys;
use crate::witness::Look;

impl Machine {
    /// What is known of the key that the instance of `job` shows now.
    pub(super) fn key_before(&self, job: &QueuedJob, now: Now) -> Before {
        let address = self.ssh_address(job);
        self.account.witness.before(job.service, address, now)
    }

    /// Where the instance of `job` answers SSH, by the list; `None`: it is not asked.
    fn ssh_address(&self, job: &QueuedJob) -> Option<SocketAddr> {
        let port = self.account.witness.ssh_port(job)?;
        let ip = self.account.inventory.ip(job.service)?;
        Some(SocketAddr::new(ip.trim().parse().ok()?, port))
    }

    /// Looks at the instance of `job`, if its key is not known. `waits`: nothing else keeps it from being
    /// submitted.
    pub(super) fn look_before(&mut self, job: &QueuedJob, waits: bool, now: Now) {
        let Some(address) = self.ssh_address(job) else {
            return;
        };
        let before = self.account.witness.before(job.service, Some(address), now);
        let Before::Unknown(until) = before else {
            return;
        };
        if waits {
            self.wake_by(until);
        }
        let witness = &mut self.account.witness;
        if let Some(look) = witness.want(job.service, address, waits, now) {
            self.desk.call(Call::Look(job.service, look));
        }
    }

    /// Looks again at instances that were submitted: those in doubt, those that the list shows back, and
    /// those that are done.
    pub(super) fn look_after(&mut self, now: Now) {
        // What an earlier process has read of keys is no reason to look on where nobody is to look.
        if self.options.witnesses.ssh_port.is_none() {
            return;
        }
        let pause = self.options.rules.apart();
        let mut due = Vec::new();
        let mut wake_at = None;
        for (service, flight) in self.flights.all_mut() {
            let inventory = &self.account.inventory;
            let is_back = || {
                let listed = inventory.get(service);
                listed.is_some_and(|listed| listed.observation.status.is_back())
            };
            let Some(look) = look_at(flight, is_back) else {
                continue;
            };
            let next_at = *flight.next_look_at.get_or_insert(now.at);
            if next_at > now.at {
                wake_at = wake_at.into_iter().chain([next_at]).min();
            } else if self.account.witness.take_later_look() {
                flight.next_look_at = Some(now.at + pause);
                due.push((service, look));
            }
        }
        due.extend(self.account.witness.due_when_done(pause / 4, now));
        for (service, look) in due {
            self.desk.call(Call::Look(service, look));
        }
        let next_when_done = self.account.witness.next_when_done();
        for at in wake_at.into_iter().chain(next_when_done) {
            self.wake_by(at);
        }
    }

    /// A look has ended.
    pub(super) fn look_finished(&mut self, sighting: &Sighting) {
        let shared = self.account.witness.places().shared();
        let Some(shown) = self.account.witness.ended(sighting) else {
            if self.account.witness.is_blind() {
                self.narrator.warn_once("blind", || {
                    "no instance shows a host key on its SSH port from here: doubts have only the account's list to go by (--ssh-port, --no-witness)".to_owned()
                });
            }
            if let Some(mut flight) = self.flights.take(sighting.service) {
                if let Some(tracker) = &mut flight.tracker {
                    tracker.keys_mut().note_silence(sighting.asked_at);
                }
                self.flights.put(flight);
            }
            return;
        };
        if self.account.witness.places().shared() > shared {
            self.narrator.warn_once("shared_keys", || {
                "several instances show the same host key: their image carries it, or something else answers for them; such keys prove nothing".to_owned()
            });
        }
        if let Some(mut flight) = self.flights.take(sighting.service) {
            self.note_key(&mut flight, &shown, sighting);
            self.flights.put(flight);
        } else if let Some(mut unseeing) = self.account.witness.take_done(sighting) {
            let is_new = unseeing.job.record.key_before() != Some(&shown);
            if unseeing.job.record.host_key.as_ref() != Some(&shown) {
                let entry = LedgerEntry::KeyShown { shown };
                self.step(&mut unseeing.job, entry, sighting.answered_ms);
            }
            if !is_new {
                self.account.witness.put_done(unseeing);
            }
        }
    }

    /// A look has shown the key of an instance whose job is not over.
    fn note_key(&mut self, flight: &mut Flight, shown: &ShownKey, sighting: &Sighting) {
        let Some(tracker) = &mut flight.tracker else {
            return;
        };
        let record = &flight.job.record;
        let Some(before) = record
            .key_before()
            .filter(|before| before.address == shown.address)
        else {
            return;
        };
        if sighting.asked_at < tracker.sent_at() {
            return;
        }
        tracker
            .keys_mut()
            .note(&shown.key, &before.key, sighting.asked_at);
        let rules = &self.options.rules;
        let keys = tracker.keys();
        let says_something = if shown.key == before.key {
            keys.was_old_after(tracker.answered_at() + rules.settle) && !keys.was_new()
        } else {
            // One that changes at each look would fill the ledger.
            !keys.is_restless()
        };
        if says_something && record.host_key.as_ref() != Some(shown) {
            let shown = shown.clone();
            self.step(
                &mut flight.job,
                LedgerEntry::KeyShown { shown },
                sighting.answered_ms,
            );
        }
    }

    /// Whether the host keys of the instance of `job` are judged.
    pub(super) fn judged_keys(&self, job: &QueuedJob) -> HostKeys {
        let witness = &self.account.witness;
        let record = &job.record;
        let (Some(baseline), Some(before)) = (&record.baseline, record.key_before()) else {
            return HostKeys::default();
        };
        let ip = self.account.inventory.ip(job.service);
        let is_there = ip.and_then(|ip| ip.trim().parse().ok()) == Some(before.address.ip());
        let is_shared = |shown: &ShownKey| witness.places().is_shared(&shown.key);
        let now = record.host_key.as_ref();
        let count =
            is_there && !baseline.own_image && !is_shared(before) && !now.is_some_and(is_shared);
        HostKeys {
            count,
            are_looked_at: self.options.witnesses.ssh_port.is_some() && !witness.is_blind(),
        }
    }

    /// The job is done: its new key is still to be seen, if it was not.
    pub(super) fn look_out_for_key(&mut self, job: &QueuedJob, now: Now) {
        let record = &job.record;
        if record.state != State::Done || self.options.witnesses.ssh_port.is_none() {
            return;
        }
        if record.new_key().is_some() {
            return;
        }
        let is_blind = self.account.witness.is_blind();
        let first = || self.ssh_address(job).filter(|_| !is_blind).map(Look::first);
        let Some(look) = record.key_before().map(Look::again).or_else(first) else {
            return;
        };
        let (pause, long) = (self.options.rules.apart() / 4, self.options.keys_take());
        let witness = &mut self.account.witness;
        witness.look_out_for(job.clone(), look, (pause, long), now);
    }

    /// What earlier processes have seen of keys.
    pub(super) fn recall_keys(&mut self, job: &QueuedJob) {
        let record = &job.record;
        for shown in record
            .key_before()
            .into_iter()
            .chain(record.host_key.as_ref())
        {
            self.account.witness.recall(shown);
        }
    }
}

/// What a look at an instance that was submitted asks for; `None`: a look would tell nothing now.
fn look_at(flight: &Flight, is_back: impl Fn() -> bool) -> Option<Look> {
    // Its answer is outstanding.
    flight.tracker.as_ref()?;
    let record = &flight.job.record;
    let before = record.key_before()?;
    let tells = match record.state {
        State::InDoubt => true,
        State::InProgress => is_back(),
        State::Queued | State::Submitting | State::Done | State::Failed | State::Cancelled => false,
    };
    tells.then(|| Look::again(before))
}
