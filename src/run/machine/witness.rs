//! Which instances are asked for their host keys, and what they have shown.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::job::{HostKey, KeyPlaces, ServiceId, ShownKey};
use crate::queue::QueuedJob;
use crate::run::Now;
use crate::witness::{Look, PATIENCE, Unseen};

/// Looks under way at once.
const LOOKS_MAX: usize = 32;

/// Of those: looks at instances that no submission waits for.
const LATER_LOOKS_MAX: usize = 24;

/// So old a key may be when a submission is made: whoever else rebuilds the instance in between would be
/// taken for this run.
const KEY_AGE_MAX: Duration = Duration::from_mins(1);

/// Looks in a row, and none that has ever shown a key, after which no submission waits for one any more.
const VAIN_MAX: usize = 32;

/// A look has ended.
#[derive(Debug)]
pub struct Sighting {
    /// Whose instance it is.
    pub service: ServiceId,
    /// What was asked.
    pub look: Look,
    /// What was shown.
    pub seen: Result<HostKey, Unseen>,
    /// When the connection was begun.
    pub asked_at: Instant,
    /// When it had ended, as Unix time.
    pub answered_ms: i64,
}

/// What is known of an instance's key before its submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Before {
    /// As much as there will be.
    Known(Option<ShownKey>),
    /// It has to be looked at; a submission waits for it until then.
    Unknown(Instant),
}

#[derive(Debug)]
struct Asked {
    /// A submission was first kept waiting for it then.
    wanted_at: Option<Instant>,
    /// A look is under way.
    is_out: bool,
    /// What the latest look has shown, and when it began.
    told: Option<(Instant, Option<ShownKey>)>,
}

/// A job that is done, and whose new key is still to be seen.
#[derive(Debug)]
pub(super) struct Unseeing {
    pub(super) job: QueuedJob,
    pub(super) look: Look,
    since: Instant,
    next_at: Instant,
    until: Instant,
    is_out: bool,
}

/// All that is known of host keys.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Where instances answer SSH whose rows don't say it; `None`: none is asked.
    ssh_port: Option<u16>,
    /// Looks under way.
    looks: usize,
    before: HashMap<ServiceId, Asked>,
    done: HashMap<ServiceId, Unseeing>,
    /// Where each key was shown, in this run or before.
    places: KeyPlaces,
    /// Looks in a row that have shown none; `None`: one has.
    in_vain: Option<usize>,
}

impl Witness {
    pub(super) fn new(ssh_port: Option<u16>) -> Self {
        Self {
            ssh_port,
            in_vain: Some(0),
            ..Self::default()
        }
    }

    /// The port at which the instance of `job` answers SSH; `None`: none is asked.
    pub(super) fn ssh_port(&self, job: &QueuedJob) -> Option<u16> {
        let usual = self.ssh_port?;
        Some(job.ssh_port.unwrap_or(usual))
    }

    /// No instance has ever answered, and many were asked: they can't be reached from here.
    pub(super) fn is_blind(&self) -> bool {
        self.in_vain.is_some_and(|looks| looks >= VAIN_MAX)
    }

    /// What is known of an instance before its submission.
    pub(super) fn before(
        &self,
        service: ServiceId,
        address: Option<SocketAddr>,
        now: Now,
    ) -> Before {
        let Some(address) = address.filter(|_| !self.is_blind()) else {
            return Before::Known(None);
        };
        let asked = self.before.get(&service);
        let told = asked.and_then(|asked| asked.told.as_ref());
        let fresh = told.filter(|(at, _)| now.at.saturating_duration_since(*at) < KEY_AGE_MAX);
        if let Some((_, shown)) = fresh {
            let shown = shown.clone().filter(|shown| shown.address == address);
            return Before::Known(shown);
        }
        let wanted_at = asked.and_then(|asked| asked.wanted_at);
        let until = wanted_at.unwrap_or(now.at) + PATIENCE;
        if until <= now.at {
            Before::Known(None)
        } else {
            Before::Unknown(until)
        }
    }

    /// A submission waits for the key, or soon will. Returns what is to be asked for it now.
    pub(super) fn want(
        &mut self,
        service: ServiceId,
        address: SocketAddr,
        waits: bool,
        now: Now,
    ) -> Option<Look> {
        let asked = self.before.entry(service).or_insert(Asked {
            wanted_at: None,
            is_out: false,
            told: None,
        });
        if waits {
            asked.wanted_at.get_or_insert(now.at);
        }
        let looks_max = if waits { LOOKS_MAX } else { LATER_LOOKS_MAX };
        if asked.is_out || self.looks >= looks_max {
            return None;
        }
        asked.is_out = true;
        self.looks += 1;
        Some(Look::first(address))
    }

    /// The process stood still: what was seen before says nothing of now.
    pub(super) fn forget_all(&mut self) {
        for asked in self.before.values_mut() {
            asked.told = None;
        }
    }

    /// The instance's job is submitted now, or is none that waits any more.
    pub(super) fn forget(&mut self, service: ServiceId) {
        self.before.remove(&service);
    }

    /// One more look at an instance that no submission waits for may begin; then it does.
    pub(super) fn take_later_look(&mut self) -> bool {
        let may = self.looks < LATER_LOOKS_MAX;
        self.looks += usize::from(may);
        may
    }

    /// A look has ended. Returns the key that it has shown.
    pub(super) fn ended(&mut self, sighting: &Sighting) -> Option<ShownKey> {
        self.looks = self.looks.saturating_sub(1);
        let address = sighting.look.address;
        let shown = sighting.seen.as_ref().ok().map(|key| ShownKey {
            address,
            key: key.clone(),
        });
        match &shown {
            Some(shown) => {
                self.in_vain = None;
                self.places.note(shown);
            }
            None => self.in_vain = self.in_vain.map(|looks| looks + 1),
        }
        if let Some(asked) = self.before.get_mut(&sighting.service)
            && asked.is_out
        {
            asked.is_out = false;
            asked.wanted_at = None;
            asked.told = Some((sighting.asked_at, shown.clone()));
        }
        if let Some(unseeing) = self.done.get_mut(&sighting.service) {
            unseeing.is_out = false;
        }
        shown
    }

    /// Where each key was shown, in this run or before.
    pub(super) fn places(&self) -> &KeyPlaces {
        &self.places
    }

    /// An earlier process has seen it.
    pub(super) fn recall(&mut self, shown: &ShownKey) {
        self.places.note(shown);
    }

    /// The job is done, and its new key is still to be seen: every `pause`, for `long` at most.
    pub(super) fn look_out_for(
        &mut self,
        job: QueuedJob,
        look: Look,
        (pause, long): (Duration, Duration),
        now: Now,
    ) {
        self.put_done(Unseeing {
            look,
            since: now.at,
            next_at: now.at + pause,
            until: now.at + long,
            is_out: false,
            job,
        });
    }

    /// The looks that are due for jobs that are done. Those whose time is over are given up.
    pub(super) fn due_when_done(&mut self, pause: Duration, now: Now) -> Vec<(ServiceId, Look)> {
        self.done
            .retain(|_, unseeing| unseeing.is_out || unseeing.until > now.at);
        let room = LATER_LOOKS_MAX.saturating_sub(self.looks);
        let is_due = |it: &&mut Unseeing| !it.is_out && it.next_at <= now.at;
        let due = self.done.values_mut().filter(is_due).take(room);
        let due: Vec<_> = due
            .map(|unseeing| {
                unseeing.is_out = true;
                unseeing.next_at = now.at + pause;
                (unseeing.job.service, unseeing.look.clone())
            })
            .collect();
        self.looks += due.len();
        due
    }

    /// The job that is done, and for whose new key the look was made.
    pub(super) fn take_done(&mut self, sighting: &Sighting) -> Option<Unseeing> {
        let service = sighting.service;
        let is_meant = self.done.get(&service)?.since <= sighting.asked_at;
        is_meant.then(|| self.done.remove(&service))?
    }

    /// Its new key was not seen yet.
    pub(super) fn put_done(&mut self, unseeing: Unseeing) {
        self.done.insert(unseeing.job.service, unseeing);
    }

    /// When the next look at a job that is done falls due, or its time is over.
    pub(super) fn next_when_done(&self) -> Option<Instant> {
        if self.looks >= LATER_LOOKS_MAX {
            return None; // the end of a look is waited for
        }
        let waiting = self.done.values().filter(|unseeing| !unseeing.is_out);
        waiting.map(|it| it.next_at.min(it.until)).min()
    }

    /// New keys of jobs that are done are still looked for, of instances that had shown one before.
    pub(super) fn is_looking(&self) -> bool {
        let mut done = self.done.values();
        done.any(|it| it.look.algorithm.is_some())
    }
}
