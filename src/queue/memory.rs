//! A store in memory, for tests: what a backend has to do, without a database.
//!
//! It keeps nothing of how dates and the order of the ledger contradict each other: which services an
//! order by the clock may not date is SQLite's alone to know so far.

mod access;
mod hooks;
mod past;
mod rollout;
mod stray;
mod took;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use super::operator::{Command, Elsewhere};
use super::order::RowNews;
use super::{
    AccessNews, Admission, Backend, Batch, Beside, CommandOutcome, Decision, EnqueueError,
    EnqueuePolicy, Enqueued, Flaw, Given, Harm, Lease, LedgerLine, NewBatch, NewRun, Pending,
    Preview, QueuedJob, Ready, Recorded, ResultSink, RolloutProgress, Rows, Selection, Store,
    StoreError, Strays, Target,
};
use crate::job::{
    Action, BatchId, Control, ControlEntry, Counts, Executed, HookCounts, HookState, ImageId,
    JobId, JobRecord, LedgerEntry, NewJob, Owner, ResultRow, RunId, ServiceId, SheetRows, State,
    Transition,
};

/// The whole store.
#[derive(Debug, Default)]
pub struct MemoryStore {
    batches: Vec<StoredBatch>,
    jobs: BTreeMap<JobId, StoredJob>,
    ledger: Vec<StoredEntry>,
    control: Vec<(BatchId, ControlEntry)>,
    runs: i64,
    at_work: HashMap<RunId, BatchId>,
}

#[derive(Debug)]
struct StoredBatch {
    order: NewBatch,
    rows: SheetRows,
    number: u32,
    touched_ms: i64,
    epoch: i64,
}

#[derive(Debug)]
struct StoredJob {
    batch: BatchId,
    job: QueuedJob,
}

#[derive(Debug)]
struct StoredEntry {
    job: JobId,
    line: LedgerLine,
}

impl MemoryStore {
    fn of(&self, batch: BatchId) -> impl Iterator<Item = &QueuedJob> {
        let jobs = self.jobs.values();
        jobs.filter(move |stored| stored.batch == batch)
            .map(|stored| &stored.job)
    }

    fn of_service(&self, service: ServiceId) -> impl Iterator<Item = &StoredJob> {
        let jobs = self.jobs.values();
        jobs.filter(move |stored| stored.job.service == service)
    }

    /// The batch's queued jobs in the order in which they may start.
    fn waiting(&self, batch: BatchId) -> Vec<&QueuedJob> {
        let mut jobs: Vec<_> = self
            .of(batch)
            .filter(|job| job.record.state == State::Queued)
            .collect();
        jobs.sort_by_key(|job| (job.record.not_before_ms, job.id));
        jobs
    }

    fn stored(&self, batch: BatchId) -> Option<&StoredBatch> {
        let place = usize::try_from(batch.0 - 1).ok()?;
        self.batches.get(place)
    }

    fn holds(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.stored(lease.batch()) {
            Some(batch) if batch.epoch == lease.epoch() => Ok(()),
            Some(_) | None => Err(StoreError::LeaseLost {
                batch: lease.batch(),
            }),
        }
    }

    fn said(&self, batch: BatchId, after: i64) -> Vec<(i64, ControlEntry)> {
        let entries = (1..).zip(&self.control);
        let said = entries.filter(|(seq, (of, _))| *of == batch && *seq > after);
        said.map(|(seq, (_, entry))| (seq, entry.clone())).collect()
    }

    /// Writes `steps`, of jobs that stand where they begin.
    fn write(&mut self, batch: BatchId, run: Option<RunId>, steps: &[&Transition]) {
        for step in steps {
            let stored = self.jobs.get_mut(&step.job).expect("it stands there");
            let hook = stored.job.record.hook.clone();
            stored.job.record = step.to.clone();
            // A run that tells of a host key knows nothing of the hook that goes on meanwhile.
            if step.from.hook == step.to.hook {
                stored.job.record.hook = hook;
            }
            if !step.to.needs_secret() {
                stored.job.order.erase_secret();
            }
            let seq = i64::try_from(self.ledger.len() + 1).expect("a small number");
            self.ledger.push(StoredEntry {
                job: step.job,
                line: LedgerLine {
                    seq,
                    run,
                    attempt: step.to.attempt,
                    at_ms: step.at_ms,
                    entry: step.entry.clone(),
                },
            });
            let place = usize::try_from(batch.0 - 1).expect("it was given out");
            if !matches!(step.entry, LedgerEntry::Hook(_)) {
                let touched_ms = &mut self.batches[place].touched_ms;
                *touched_ms = step.at_ms.max(*touched_ms);
            }
        }
    }

    fn elsewhere(&self, batch: BatchId, job: &QueuedJob) -> Elsewhere {
        if !job.record.state.is_final() {
            return Elsewhere::default();
        }
        let is_over = |stored: &StoredJob| stored.job.record.state.is_final();
        let mut others = self.of_service(job.service);
        let touched = self.of_action(job.order.action(), job.service);
        let touched = touched.filter(|stored| stored.job.record.executed() != Executed::No);
        let later = touched.filter(|stored| stored.batch > batch && is_over(stored));
        Elsewhere {
            is_live: others.any(|stored| stored.batch != batch && !is_over(stored)),
            touched_by: later.map(|stored| stored.batch).max(),
        }
    }

    fn selected(
        &self,
        batch: BatchId,
        selection: &Selection,
        states: &[State],
        outcome: &mut CommandOutcome,
    ) -> Vec<QueuedJob> {
        let services = match selection {
            Selection::All => {
                let jobs = self.of(batch);
                let jobs = jobs.filter(|job| states.contains(&job.record.state));
                return jobs.cloned().collect();
            }
            Selection::Services(services) => services,
        };
        let mut named = HashSet::new();
        let mut jobs = Vec::new();
        for &service in services.iter().filter(|&&service| named.insert(service)) {
            match self.of(batch).find(|job| job.service == service) {
                None => outcome
                    .refused
                    .push((service, format!("is not in batch {batch}"))),
                Some(job) if !states.contains(&job.record.state) => outcome
                    .refused
                    .push((service, format!("is {}", job.record.state))),
                Some(job) => jobs.push(job.clone()),
            }
        }
        jobs
    }

    fn count(&self, batch: BatchId) -> Counts {
        let mut counts = Counts::default();
        for job in self.of(batch) {
            *counts.of_mut(job.record.state) += 1;
            counts.held += u64::from(job.record.held);
        }
        counts
    }
}

fn all<E: Error + 'static>(rows: &mut Rows<'_, E>) -> Result<Vec<NewJob>, EnqueueError<E>> {
    rows.collect::<Result<_, _>>().map_err(EnqueueError::Rows)
}

fn queued(batch: BatchId, row: NewJob) -> QueuedJob {
    QueuedJob {
        id: JobId::from_stored((batch.0 << 32) | i64::try_from(row.line).expect("a small number")),
        line: row.line,
        service: row.service,
        order: row.order.into(),
        expected: row.expected,
        group: row.group,
        ssh_port: row.ssh_port,
        note: row.note,
        record: JobRecord::queued(),
    }
}

impl Store for MemoryStore {
    async fn ready(
        &mut self,
        batch: BatchId,
        until_ms: i64,
        limit: usize,
        admission: &Admission,
    ) -> Result<Ready, StoreError> {
        let mut waiting: Vec<QueuedJob> = self.waiting(batch).into_iter().cloned().collect();
        waiting.retain(|job| {
            admission
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&job.id))
        });
        let strays = self.strays_of(batch);
        Ok(admission.ready_among(waiting, &strays, until_ms, limit))
    }

    async fn rollout(
        &mut self,
        batch: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        Ok(self.progress(batch, canaries))
    }

    async fn strays(&mut self, batch: BatchId) -> Result<Strays, StoreError> {
        Ok(Strays {
            all: self.strays_of(batch),
            ..Strays::default()
        })
    }

    async fn in_flight(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let out = |state: State| state != State::Queued && !state.is_final();
        let jobs = self.of(batch).filter(|job| out(job.record.state));
        let jobs = jobs.filter(|job| states.contains(&job.record.state));
        Ok(jobs.cloned().collect())
    }

    async fn failures(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
        let failed_of = |job: &QueuedJob, kind: &str| {
            let failure = job.record.failure.as_ref();
            failure.is_some_and(|failure| failure.error_kind == kind)
        };
        let failed = || {
            let jobs = self.of(batch);
            jobs.filter(|job| job.record.state == State::Failed)
        };
        let mismatched = failed().filter(|job| failed_of(job, "plan_mismatch"));
        let untold =
            |job: &QueuedJob| failed_of(job, "not_listed") || failed_of(job, "plan_mismatch");
        let doubts = self.of(batch);
        let doubts = doubts.filter(|job| job.record.state == State::InDoubt);
        Ok(Harm {
            failed: failed()
                .filter(|job| !self.is_resolved(job) && !untold(job))
                .count() as u64,
            mismatched: mismatched.count() as u64,
            in_doubt: doubts.map(|job| job.id).collect(),
        })
    }

    async fn queued(
        &mut self,
        batch: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let jobs = self.of(batch);
        let jobs = jobs.filter(|job| job.record.state == State::Queued && Some(job.id) > after);
        Ok(jobs.take(limit).map(Pending::from).collect())
    }

    async fn queued_jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let wanted: BTreeSet<&JobId> = jobs.iter().collect();
        let jobs = wanted.into_iter().filter_map(|job| self.jobs.get(job));
        let jobs = jobs.filter(|stored| stored.job.record.state == State::Queued);
        Ok(jobs.map(|stored| stored.job.clone()).collect())
    }

    async fn has_queued(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        Ok(!self.waiting(batch).is_empty())
    }

    async fn counts(&mut self, batch: BatchId) -> Result<Counts, StoreError> {
        Ok(self.count(batch))
    }

    async fn bind(&mut self, batch: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
        let place = usize::try_from(batch.0 - 1).expect("it was given out");
        let bound = &mut self.batches[place].order.owner;
        Ok(bound.get_or_insert_with(|| owner.clone()).clone())
    }

    async fn control(
        &mut self,
        batch: BatchId,
        after: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        Ok(self.said(batch, after))
    }

    async fn record(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<Recorded, StoreError> {
        self.holds(lease)?;
        let mut control = Control::of(Some(lease.run()));
        control.hear_all(&self.said(lease.batch(), 0));
        let mut recorded = Recorded::default();
        for step in steps {
            if control.is_held() && matches!(step.entry, LedgerEntry::Intent { .. }) {
                recorded.held.insert(step.job);
                continue;
            }
            let stands = self.jobs.get(&step.job).is_some_and(|stored| {
                let record = &stored.job.record;
                (record.state, record.attempt) == (step.from.state, step.from.attempt)
            });
            if stands {
                self.write(lease.batch(), Some(lease.run()), &[step]);
            } else {
                recorded.conflicts.insert(step.job);
            }
        }
        Ok(recorded)
    }
}

impl Backend for MemoryStore {
    async fn preview<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
        queued: &mut (dyn FnMut(&NewJob) + Send),
    ) -> Result<Preview, EnqueueError<E>> {
        let (rows, preview) = self.sift(batch, policy, rows)?;
        rows.iter().for_each(queued);
        Ok(preview)
    }

    async fn enqueue<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<Enqueued, EnqueueError<E>> {
        let mut all = 0;
        let mut rows = rows.inspect(|_| all += 1);
        let (rows, preview) = self.sift(batch, policy, &mut rows)?;
        let Preview {
            queued: jobs,
            left_out,
        } = preview;
        let mut id = None;
        if jobs > 0 {
            let same = |known: &&StoredBatch| {
                (known.order.identity, &known.order.provider) == (batch.identity, &batch.provider)
            };
            let earlier = self.batches.iter().filter(same).count();
            self.batches.push(StoredBatch {
                order: batch.clone(),
                rows: left_out.of_rows(all),
                number: u32::try_from(earlier + 1).expect("a small number"),
                touched_ms: 0,
                epoch: 0,
            });
            let number = i64::try_from(self.batches.len()).expect("a small number");
            let batch = BatchId(number);
            for row in rows {
                let job = queued(batch, row);
                self.jobs.insert(job.id, StoredJob { batch, job });
            }
            id = Some(batch);
        }
        Ok(Enqueued {
            batch: id,
            queued: jobs,
            left_out,
        })
    }

    async fn acquire(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
        self.runs += 1;
        let place = usize::try_from(run.batch.0 - 1).expect("it was given out");
        let epoch = &mut self.batches[place].epoch;
        *epoch += 1;
        self.at_work.insert(RunId(self.runs), run.batch);
        Ok(Lease::new(run.batch, RunId(self.runs), *epoch))
    }

    async fn renew(&mut self, lease: &Lease) -> Result<(), StoreError> {
        self.holds(lease)
    }

    async fn release(
        &mut self,
        lease: Lease,
        _: i64,
        _: u8,
        _: Option<&str>,
    ) -> Result<(), StoreError> {
        self.at_work.remove(&lease.run());
        Ok(())
    }

    async fn command(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> Result<CommandOutcome, StoreError> {
        let command = Command {
            batch,
            decide,
            first: &|_| Vec::new(),
            at_ms,
        };
        let mut outcome = CommandOutcome::default();
        for job in self.selected(batch, selection, states, &mut outcome) {
            match command.steps(&job, self.elsewhere(batch, &job)) {
                Ok(steps) => {
                    self.write(batch, None, &steps.iter().collect::<Vec<_>>());
                    outcome.changed.push(job.service);
                }
                Err(reason) => outcome.refused.push((job.service, reason)),
            }
        }
        Ok(outcome)
    }

    async fn instruct(&mut self, batch: BatchId, entry: &ControlEntry) -> Result<bool, StoreError> {
        let is_at_work = |run: RunId| self.at_work.get(&run) == Some(&batch);
        let is_heard = entry.run.is_none_or(is_at_work);
        if is_heard {
            self.control.push((batch, entry.clone()));
        }
        Ok(is_heard)
    }

    async fn compare_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        let rows = all(rows)?;
        Ok(self.look_at_access(batch, &rows).0)
    }

    async fn take_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        given: Given<'_>,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        let rows = all(rows)?;
        let (news, taken) = self.look_at_access(batch, &rows);
        for (job, order, of_row) in taken {
            for entry in of_row.entries(given.manifest) {
                let record = job.record.clone();
                let step = Transition::new(job.id, record, entry, 0).expect("it waits untouched");
                self.write(batch, None, &[&step]);
            }
            self.set(job.id, order, of_row);
        }
        if let Some(identity) = given.identity {
            let place = usize::try_from(batch.0 - 1).expect("it was given out");
            self.batches[place].order.identity = identity;
        }
        Ok(news)
    }

    async fn command_from<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        manifest: &str,
        rows: &mut Rows<'_, E>,
        decide: &Decision<'_>,
    ) -> Result<CommandOutcome, EnqueueError<E>> {
        let rows = all(rows)?;
        let mut outcome = CommandOutcome::default();
        for job in self.selected(batch, selection, &[State::Failed], &mut outcome) {
            let row = rows.iter().find(|row| row.service == job.service);
            let Some(row) = row else {
                let reason = format!("is not in {manifest}");
                outcome.refused.push((job.service, reason));
                continue;
            };
            if !job.order.is_same_but_for_access(&row.order) {
                let reason =
                    format!("has another image or zone in {manifest}: that is another order");
                outcome.refused.push((job.service, reason));
                continue;
            }
            let of_row = RowNews::of(&job, row);
            let command = Command {
                batch,
                decide,
                first: &|_| of_row.entries(manifest),
                at_ms: 0,
            };
            match command.steps(&job, self.elsewhere(batch, &job)) {
                Ok(steps) => {
                    self.write(batch, None, &steps.iter().collect::<Vec<_>>());
                    self.set(job.id, row.order.clone(), of_row);
                    outcome.changed.push(job.service);
                }
                Err(reason) => outcome.refused.push((job.service, reason)),
            }
        }
        Ok(outcome)
    }

    async fn batches(&mut self) -> Result<Vec<Batch>, StoreError> {
        let batches = (1..).map(BatchId).zip(&self.batches);
        let batch = |(id, stored): (BatchId, &StoredBatch)| {
            let order = stored.order.clone();
            Batch {
                id,
                action: order.action,
                identity: order.identity,
                provider: order.provider,
                api_url: order.api_url,
                owner: order.owner,
                plan: order.plan,
                rows: stored.rows,
                number: stored.number,
                manifest: order.manifest,
                path: order.path,
                sheet: order.sheet,
                created_ms: 0,
                touched_ms: stored.touched_ms,
                counts: self.count(id),
            }
        };
        Ok(batches.map(batch).collect())
    }

    async fn batch(&mut self, batch: BatchId) -> Result<Option<Batch>, StoreError> {
        let batches = self.batches().await?;
        Ok(batches.into_iter().find(|known| known.id == batch))
    }

    async fn beside(&mut self, batch: BatchId) -> Result<Beside, StoreError> {
        let batches = self.batches().await?;
        Ok(Beside {
            newer: batches.iter().any(|other| other.id > batch),
            open: (batches.iter()).any(|other| other.id != batch && other.is_open()),
        })
    }

    async fn targets(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> Result<(), StoreError> {
        for job in self.waiting(batch) {
            each(Target {
                service: job.service,
                image: job.order.image(),
                access: job.order.access_kind(),
                is_touched: job.record.executed() != Executed::No,
                expected: job.expected.clone(),
                group: job.group.clone(),
            });
        }
        Ok(())
    }

    async fn results(
        &mut self,
        batch: BatchId,
        states: &[State],
        sink: &mut ResultSink<'_>,
    ) -> Result<io::Result<()>, StoreError> {
        let jobs = self.of(batch);
        let mut jobs = jobs.filter(|job| states.is_empty() || states.contains(&job.record.state));
        Ok(jobs.try_for_each(|job| sink(ResultRow::from(job))))
    }

    async fn jobs_of(
        &mut self,
        service: ServiceId,
    ) -> Result<Vec<(BatchId, QueuedJob)>, StoreError> {
        let mut jobs: Vec<_> = self
            .of_service(service)
            .map(|stored| (stored.batch, stored.job.clone()))
            .collect();
        jobs.reverse();
        Ok(jobs)
    }

    async fn durations(
        &mut self,
        provider: &str,
        action: Action,
        images: &[Option<ImageId>],
        limit: usize,
    ) -> Result<Vec<(Option<ImageId>, Duration)>, StoreError> {
        Ok(self.took(provider, action, images, limit))
    }

    async fn hooks(
        &mut self,
        batch: BatchId,
        states: &[HookState],
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        Ok(self.hooked(batch, states, after, limit))
    }

    async fn hook_counts(&mut self, batch: BatchId) -> Result<HookCounts, StoreError> {
        Ok(self.count_hooks(batch))
    }

    async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, StoreError> {
        let entries = self.ledger.iter().filter(|entry| entry.job == job);
        Ok(entries.map(|entry| entry.line.clone()).collect())
    }

    async fn check(&mut self, found: &mut (dyn FnMut(Flaw) + Send)) -> Result<u64, StoreError> {
        for stored in self.jobs.values() {
            let entries = self.ledger.iter();
            let mut entries = entries.filter(|entry| entry.job == stored.job.id);
            let folded = entries.try_fold(JobRecord::queued(), |record, entry| {
                record.apply(&entry.line.entry, entry.line.at_ms)
            });
            if folded.as_ref() != Ok(&stored.job.record) {
                found(Flaw {
                    service: Some(stored.job.service),
                    what: format!("its ledger says {folded:?}"),
                });
            }
        }
        Ok(self.jobs.len() as u64)
    }

    async fn close(self) -> Result<(), StoreError> {
        Ok(())
    }
}
