//! The rules of [`super::super`], asked about a state, or one of them broken.

use std::time::Duration;

use uuid::Uuid;

use super::setting::{Mutation, Setting};
use super::world::{Db, Form, Held, Job, Left, NOBODY, Said, World};
use crate::job::{
    BatchId, Executed, Failure, FailureKind, JobId, JobRecord, LedgerEntry, ServiceId, State, Task,
    Verdict,
};
use crate::queue::{Attempt, Sender, Stray, Strays};
use crate::run::hosts::identity::{self, DatabaseId, Identity, LedgerMark, Origin};
use crate::run::hosts::{
    BootTime, Fence, Heard, LeaseTerms, Permit, Tenure, Testimony, Trust, Waits, orphan, permit,
    stray,
};

/// As long as an intent lives: with a lease of six ticks the constants have their real proportions.
const TICK: Duration = permit::INTENT_AGE_MAX;
/// A lease, in ticks.
pub const LEASE: u8 = 6;
const TERMS: LeaseTerms = LeaseTerms {
    lease: Duration::from_secs(5 * LEASE as u64),
};
/// What is handed over takes effect within so many ticks, or never.
pub const FLIGHT: u8 = 1;
/// After so many ticks `--settle` has passed.
pub const SETTLED: u8 = FLIGHT + 1;
/// A server closes a connection that was silent for so many ticks.
pub const SILENCE: u8 = 2;
/// What was sent takes effect within so many ticks that have begun: `--settle` is longer than that.
const WAITS: Waits = Waits {
    request: TICK.saturating_sub(Duration::from_millis(1)),
    settle: TICK.saturating_add(Duration::from_millis(1)),
};
/// After a fence so many ticks are waited for.
pub const FENCE_WAIT: u8 = 2;
/// Now, by each clock: only ages matter.
const NOW_MS: i64 = 1_000_000;

const START: Duration = Duration::from_secs(1_000);

fn ago(ticks: u8) -> BootTime {
    BootTime::after_start(START.saturating_sub(TICK * u32::from(ticks)))
}

fn ms_ago(ticks: u8) -> i64 {
    NOW_MS - i64::from(ticks) * i64::try_from(TICK.as_millis()).unwrap()
}

impl Setting {
    /// From this age on all ages of a lease are the same to its holder.
    pub fn trust_cap(&self) -> u8 {
        if self.breaks(Mutation::TrustedTooLong) {
            8
        } else {
            4
        }
    }

    fn trust(&self, held: Held) -> Trust {
        let lease = if self.breaks(Mutation::TrustedTooLong) {
            TERMS.lease * 9 / 5
        } else {
            TERMS.lease
        };
        let trust = Trust::new(ago(held.age), LeaseTerms { lease });
        if held.lost {
            trust.lose();
        }
        trust
    }

    /// The age of the lease once a renewal is answered that began `asked` ticks ago.
    pub fn renewed(&self, held: Held, asked: u8) -> u8 {
        let asked = if self.breaks(Mutation::TrustedFromTheAnswer) {
            0
        } else {
            asked
        };
        let trust = self.trust(held);
        trust.renewed(ago(asked));
        let ahead = |ticks: u8| BootTime::after_start(START + TICK * u32::from(ticks));
        let cap = self.trust_cap();
        let left = (0..cap).find(|ticks| !trust.holds(ahead(*ticks)));
        cap - left.unwrap_or(cap)
    }

    pub fn trusts(&self, held: Option<Held>) -> bool {
        held.is_some_and(|held| self.trust(held).holds(ago(0)))
    }

    /// The look at the permit of a form whose intent was begun `age` ticks ago.
    pub fn permits(&self, held: Option<Held>, form: Form, age: u8) -> bool {
        if self.breaks(Mutation::NoLook) {
            return true;
        }
        let held = held.filter(|held| held.tenure == form.tenure);
        let trust = self.trust(held.unwrap_or(Held {
            tenure: form.tenure,
            age: 0,
            lost: true,
        }));
        let age = if self.breaks(Mutation::IntentOfAnyAge) {
            0
        } else {
            age
        };
        Permit::leased(ago(age), trust).allows(ago(0)).is_ok()
    }

    /// A write under a tenure is not refused by the database.
    pub fn is_held(&self, world: &World, tenure: u8) -> bool {
        let db = &world.db;
        if self.breaks(Mutation::NoGuard) {
            return true;
        }
        if self.breaks(Mutation::GuardByNumber) {
            return world.tenures[usize::from(tenure)].1 == db.epoch;
        }
        db.holder != NOBODY
            && self
                .tenure(world, db.holder)
                .is(&self.tenure(world, tenure))
    }

    fn tenure(&self, world: &World, tenure: u8) -> Tenure {
        let (host, epoch) = world.tenures[usize::from(tenure)];
        // It began before its own fence, and after all that were there before.
        let since_ms = match world.db.fenced[usize::from(tenure)] {
            _ if self.breaks(Mutation::FenceForEver) => 0,
            Some(age) => ms_ago(age),
            None => NOW_MS + 1,
        };
        Tenure {
            id: Uuid::from_u128(u128::from(tenure)),
            epoch: i64::from(epoch),
            host: if host == 0 { "A" } else { "B" }.to_owned(),
            since_ms,
        }
    }

    /// What a take-over writes for a job.
    pub fn left_behind(&self, world: &World, job: Job) -> Option<LedgerEntry> {
        if self.breaks(Mutation::NothingIsOrphaned) || job.sender == NOBODY {
            return None;
        }
        let left = orphan::left_behind(&job.record(), &self.tenure(world, job.sender))?;
        if self.breaks(Mutation::OrphansAreQueued) {
            return Some(not_sent());
        }
        Some(left)
    }

    /// The present attempt of a job can take effect no more.
    pub fn is_over(&self, world: &World, job: Job) -> bool {
        job.now != Executed::Maybe
            || self.can_be_none(
                world,
                Left {
                    attempt: job.attempt,
                    sender: job.sender,
                    orphaned: job.orphaned,
                    age: job.age,
                },
            )
    }

    /// Nothing binds an instance: neither the present attempt of its job, nor what an earlier order has left.
    pub fn is_free(&self, world: &World, number: usize) -> bool {
        let left = world.db.left_by_order[number];
        let is_over = |left| self.can_be_none(world, left);
        let is_looked_at = !self.breaks(Mutation::OrderGoesAround);
        self.is_over(world, world.db.jobs[number]) && (!is_looked_at || left.is_none_or(is_over))
    }

    fn can_be_none(&self, world: &World, left: Left) -> bool {
        if left.sender == NOBODY {
            return true;
        }
        let tenure = self.tenure(world, left.sender);
        let of_its_host =
            (0..world.tenured).filter(|other| world.host_of(*other) == world.host_of(left.sender));
        let fences = of_its_host
            .filter_map(|other| world.db.fenced[usize::from(other)])
            .map(|age| Fence {
                host: tenure.host.clone(),
                tenure: None,
                at_ms: ms_ago(age),
            });
        let mut waits = WAITS;
        if self.breaks(Mutation::FenceWithoutWait) && left.orphaned
            || self.breaks(Mutation::WordBeforeSettle) && !left.orphaned
        {
            (waits.request, waits.settle) = (Duration::ZERO, Duration::ZERO);
        }
        let strays = Strays {
            all: Vec::new(),
            fences: fences.collect(),
            now_ms: NOW_MS,
        };
        let stray = Stray {
            attempt: Attempt {
                job: JobId::from_stored(1),
                number: u32::from(left.attempt),
            },
            batch: BatchId(1),
            service: ServiceId::new(1).unwrap(),
            is_own: true,
            is_in_the_way: true,
            sent_ms: ms_ago(left.age),
            sender: left.orphaned.then_some(Sender {
                tenure,
                ended_ms: None,
            }),
        };
        stray::missing(&stray, &strays, waits, NOW_MS).is_none()
    }

    /// What a late word leads to.
    pub fn hear(&self, world: &World, form: Form, said: Said) -> Heard {
        if self.breaks(Mutation::TestimonyIgnored) {
            return Heard::Known;
        }
        let job = world.db.jobs[usize::from(form.job)];
        let sender = (job.sender != NOBODY).then(|| self.tenure(world, job.sender));
        let mut testimony = Testimony {
            tenure: self.tenure(world, form.tenure),
            attempt: u32::from(form.attempt),
            entry: said.entry(),
        };
        if let Some(sender) = &sender
            && self.breaks(Mutation::TestimonyOfAnyAttempt)
        {
            testimony.attempt = u32::from(job.attempt);
            testimony.tenure = sender.clone();
        }
        testimony.hear(&job.record(), sender.as_ref())
    }

    /// The database is the one that a host with this mark knows.
    pub fn knows(&self, db: &Db, mark: (u8, u8, u8)) -> bool {
        if self.breaks(Mutation::NoIdentity) {
            return true;
        }
        let id = |timeline: u8| DatabaseId {
            system: 1,
            timeline: i64::from(timeline),
        };
        let (adoptions, line, says) = mark;
        let is_kept = line > 0 && !self.breaks(Mutation::NoMark);
        let mark = is_kept.then(|| LedgerMark {
            adoptions: u32::from(adoptions),
            line: i64::from(line),
            digest: [says; 32],
        });
        let is_long = line > 0 && line <= db.length;
        let there = is_long.then(|| [db.lines[usize::from(line) - 1]; 32]);
        let is_kept_for_ever = self.breaks(Mutation::MarkOutlivesAdoption);
        let batch = Origin {
            database: id(db.batch),
            adoptions: u32::from(if is_kept_for_ever {
                adoptions
            } else {
                db.adoptions
            }),
        };
        Identity::judge(batch, id(db.identity), mark, there) == Identity::Same
    }

    /// Ticks that are waited for before an adoption.
    pub fn quiet(&self) -> u8 {
        if self.breaks(Mutation::AdoptWithoutWait) {
            return 0;
        }
        let quiet = identity::wait_before_adoption(TERMS.lease, WAITS.request, WAITS.settle);
        u8::try_from(quiet.as_secs() / TICK.as_secs()).unwrap()
    }
}

impl Job {
    pub fn record(self) -> JobRecord {
        JobRecord {
            state: self.state,
            attempt: u32::from(self.attempt),
            executed_before: self.before,
            executed_now: self.now,
            accepted: self.accepted,
            failure: self
                .orphaned
                .then(|| Failure::new(FailureKind::Orphaned, "")),
            ..JobRecord::queued()
        }
    }

    /// Writes `entry`; `false`: it may not follow.
    pub fn write(&mut self, entry: &LedgerEntry) -> bool {
        let Ok(record) = self.record().apply(entry, 0) else {
            return false;
        };
        let failure = record.failure.as_ref();
        *self = Self {
            state: record.state,
            attempt: u8::try_from(record.attempt).unwrap(),
            before: record.executed_before,
            now: record.executed_now,
            accepted: record.accepted,
            orphaned: failure.is_some_and(|failure| failure.error_kind == FailureKind::Orphaned),
            sender: self.sender,
            age: match entry {
                LedgerEntry::Intent { .. } | LedgerEntry::Unknown { .. } => 0,
                _ => self.age,
            },
            order: self.order,
        };
        true
    }

    pub fn executed(self) -> Executed {
        self.before.max(self.now)
    }

    pub fn is_final(self) -> bool {
        self.state.is_final()
    }

    pub fn is_in_doubt(self) -> bool {
        self.state == State::InDoubt
    }
}

impl Said {
    pub fn entry(self) -> LedgerEntry {
        match self {
            Self::NotSent => not_sent(),
            Self::Accepted => LedgerEntry::Accepted { submitted_ms: 0 },
            Self::Unknown => LedgerEntry::Unknown {
                failure: Failure::new(FailureKind::Timeout, ""),
                submitted_ms: None,
            },
        }
    }
}

fn not_sent() -> LedgerEntry {
    LedgerEntry::NotExecuted {
        failure: Failure::new(FailureKind::Connect, ""),
        not_before_ms: 0,
    }
}

pub fn intent() -> LedgerEntry {
    LedgerEntry::Intent {
        task: Task::Rebuild {
            zone: String::new(),
            target: None,
        },
        baseline: None,
    }
}

pub fn resolved(verdict: Verdict) -> LedgerEntry {
    LedgerEntry::Resolved {
        verdict,
        reason: String::new(),
        hook: false,
    }
}
