//! The port's verbs, for a backend whose inherent methods do what they say.

/// Implements the port for `$queue`. Its methods have other names than the verbs where a backend has more
/// than one of a kind.
macro_rules! speak {
    ($queue:ident) => {
        impl Store for $queue {
            async fn ready(
                &mut self,
                batch: BatchId,
                until_ms: i64,
                limit: usize,
                admission: &Admission,
            ) -> Result<Ready, StoreError> {
                if let Some(only) = &admission.only {
                    let queued = self.queued_of(only).await?;
                    // Asked later: what binds a job was there before that was queued.
                    let strays = self.strays_of(batch).await?;
                    return Ok(admission.ready_among(queued, &strays.all, until_ms, limit));
                }
                let over: Vec<String> = admission.over.iter().map(Attempt::to_string).collect();
                let jobs = if admission.not_of.is_empty() && admission.not_images.is_empty() {
                    self.due(batch, until_ms, limit, &over).await?
                } else {
                    self.due_but_of(batch, until_ms, limit, admission, &over)
                        .await?
                };
                let is_all = jobs.len() < limit;
                let next_ms = if is_all {
                    self.next_due_ms(batch, until_ms).await?
                } else {
                    None
                };
                Ok(Ready {
                    jobs,
                    is_all,
                    next_ms,
                })
            }

            async fn strays(&mut self, batch: BatchId) -> Result<Strays, StoreError> {
                self.strays_of(batch).await
            }

            async fn in_flight(
                &mut self,
                batch: BatchId,
                states: &[State],
            ) -> Result<Vec<QueuedJob>, StoreError> {
                self.unsettled(batch, states).await
            }

            async fn failures(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
                self.harm(batch).await
            }

            async fn queued(
                &mut self,
                batch: BatchId,
                after: Option<JobId>,
                limit: usize,
            ) -> Result<Vec<Pending>, StoreError> {
                self.pending(batch, after, limit).await
            }

            async fn rollout(
                &mut self,
                batch: BatchId,
                canaries: Option<NonZeroU32>,
            ) -> Result<RolloutProgress, StoreError> {
                self.rollout_progress(batch, canaries).await
            }

            async fn queued_jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
                self.queued_of(jobs).await
            }

            async fn has_queued(&mut self, batch: BatchId) -> Result<bool, StoreError> {
                self.any_queued(batch).await
            }

            async fn counts(&mut self, batch: BatchId) -> Result<Counts, StoreError> {
                self.tally(batch).await
            }

            async fn bind(&mut self, batch: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
                self.bind_batch(batch, owner).await
            }

            async fn control(
                &mut self,
                batch: BatchId,
                after: i64,
            ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
                $queue::control(self, batch, after).await
            }

            async fn record(
                &mut self,
                lease: &Lease,
                steps: &[&Transition],
            ) -> Result<Recorded, StoreError> {
                self.record_steps(lease, steps).await
            }
        }

        impl Backend for $queue {
            async fn preview<E: Error + 'static>(
                &mut self,
                batch: &NewBatch,
                policy: EnqueuePolicy,
                rows: &mut Rows<'_, E>,
                queued: &mut (dyn FnMut(&NewJob) + Send),
            ) -> Result<Preview, EnqueueError<E>> {
                $queue::preview(self, batch, policy, rows, queued).await
            }

            async fn enqueue<E: Error + 'static>(
                &mut self,
                batch: &NewBatch,
                policy: EnqueuePolicy,
                rows: &mut Rows<'_, E>,
            ) -> Result<Enqueued, EnqueueError<E>> {
                $queue::enqueue(self, batch, policy, rows).await
            }

            async fn acquire(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
                $queue::acquire(self, run).await
            }

            async fn renew(&mut self, lease: &Lease) -> Result<(), StoreError> {
                $queue::renew(self, lease).await
            }

            async fn release(
                &mut self,
                lease: Lease,
                ended_ms: i64,
                exit_code: u8,
                halted: Option<&str>,
            ) -> Result<(), StoreError> {
                $queue::release(self, lease, ended_ms, exit_code, halted).await
            }

            async fn command(
                &mut self,
                batch: BatchId,
                selection: &Selection,
                states: &[State],
                decide: &Decision<'_>,
                at_ms: i64,
            ) -> Result<CommandOutcome, StoreError> {
                $queue::command(self, batch, selection, states, decide, at_ms).await
            }

            async fn instruct(
                &mut self,
                batch: BatchId,
                entry: &ControlEntry,
            ) -> Result<bool, StoreError> {
                $queue::instruct(self, batch, entry).await
            }

            async fn compare_access<E: Error + 'static>(
                &mut self,
                batch: BatchId,
                rows: &mut Rows<'_, E>,
            ) -> Result<AccessNews, EnqueueError<E>> {
                $queue::compare_access(self, batch, rows).await
            }

            async fn take_access<E: Error + 'static>(
                &mut self,
                batch: BatchId,
                given: Given<'_>,
                rows: &mut Rows<'_, E>,
            ) -> Result<AccessNews, EnqueueError<E>> {
                $queue::take_access(self, batch, given, rows).await
            }

            async fn command_from<E: Error + 'static>(
                &mut self,
                batch: BatchId,
                selection: &Selection,
                manifest: &str,
                rows: &mut Rows<'_, E>,
                decide: &Decision<'_>,
            ) -> Result<CommandOutcome, EnqueueError<E>> {
                $queue::command_from(self, batch, selection, manifest, rows, decide).await
            }

            async fn batches(&mut self) -> Result<Vec<Batch>, StoreError> {
                $queue::batches(self).await
            }

            async fn batch(&mut self, batch: BatchId) -> Result<Option<Batch>, StoreError> {
                $queue::batch(self, batch).await
            }

            async fn beside(&mut self, batch: BatchId) -> Result<Beside, StoreError> {
                $queue::beside(self, batch).await
            }

            async fn targets(
                &mut self,
                batch: BatchId,
                each: &mut (dyn FnMut(Target) + Send),
            ) -> Result<(), StoreError> {
                $queue::targets(self, batch, each).await
            }

            async fn results(
                &mut self,
                batch: BatchId,
                states: &[State],
                sink: &mut ResultSink<'_>,
            ) -> Result<io::Result<()>, StoreError> {
                $queue::results(self, batch, states, sink).await
            }

            async fn jobs_of(
                &mut self,
                service: ServiceId,
            ) -> Result<Vec<(BatchId, QueuedJob)>, StoreError> {
                $queue::jobs_of(self, service).await
            }

            async fn durations(
                &mut self,
                provider: &str,
                action: Action,
                images: &[Option<ImageId>],
                limit: usize,
            ) -> Result<Vec<(Option<ImageId>, Duration)>, StoreError> {
                $queue::durations(self, provider, action, images, limit).await
            }

            async fn hooks(
                &mut self,
                batch: BatchId,
                states: &[HookState],
                after: Option<JobId>,
                limit: usize,
            ) -> Result<Vec<QueuedJob>, StoreError> {
                $queue::hooks(self, batch, states, after, limit).await
            }

            async fn hook_counts(&mut self, batch: BatchId) -> Result<HookCounts, StoreError> {
                $queue::hook_counts(self, batch).await
            }

            async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, StoreError> {
                $queue::history(self, job).await
            }

            async fn check(
                &mut self,
                found: &mut (dyn FnMut(Flaw) + Send),
            ) -> Result<u64, StoreError> {
                $queue::check(self, found).await
            }

            async fn close(self) -> Result<(), StoreError> {
                $queue::close(self).await
            }
        }

        impl Overview for $queue {
            async fn at_work(&mut self) -> Result<Vec<AtWork>, StoreError> {
                $queue::at_work(self).await
            }

            async fn other_provider(
                &mut self,
                batch: &NewBatch,
            ) -> Result<Option<Conflict>, StoreError> {
                $queue::other_provider(self, batch).await
            }

            async fn options(&mut self, batch: BatchId) -> Result<Option<Value>, StoreError> {
                $queue::options(self, batch).await
            }

            async fn ordered_with(&mut self, batch: BatchId) -> Result<Option<Value>, StoreError> {
                $queue::ordered_with(self, batch).await
            }

            async fn runs(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Run>, StoreError> {
                $queue::runs(self, batch, limit).await
            }

            async fn jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
                $queue::jobs(self, jobs).await
            }

            async fn oldest(
                &mut self,
                batch: BatchId,
                state: State,
            ) -> Result<Option<Oldest>, StoreError> {
                $queue::oldest(self, batch, state).await
            }

            async fn failed_touched(&mut self, batch: BatchId) -> Result<u64, StoreError> {
                $queue::failed_touched(self, batch).await
            }

            async fn overtaken(
                &mut self,
                batch: BatchId,
            ) -> Result<Vec<(Happened, i64)>, StoreError> {
                $queue::overtaken(self, batch).await
            }

            async fn flagged(&mut self, batch: BatchId) -> Result<u64, StoreError> {
                $queue::flagged(self, batch).await
            }

            async fn run_pace(
                &mut self,
                batch: BatchId,
                run: RunId,
                since_ms: i64,
                no_wait: bool,
            ) -> Result<RunPace, StoreError> {
                $queue::run_pace(self, batch, run, since_ms, no_wait).await
            }

            async fn expects(&mut self, batch: BatchId) -> Result<bool, StoreError> {
                $queue::expects(self, batch).await
            }

            async fn has_groups(&mut self, batch: BatchId) -> Result<bool, StoreError> {
                $queue::has_groups(self, batch).await
            }

            async fn waiting_by_group(
                &mut self,
                batch: BatchId,
                groups: &[&Group],
            ) -> Result<HashMap<Group, u64>, StoreError> {
                $queue::waiting_by_group(self, batch, groups).await
            }

            async fn queued_images(
                &mut self,
                batch: BatchId,
            ) -> Result<Vec<(Option<ImageId>, u64)>, StoreError> {
                $queue::queued_images(self, batch).await
            }

            async fn expect_what_was_seen(
                &mut self,
                batch: BatchId,
                seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
            ) -> Result<(), StoreError> {
                $queue::expect_what_was_seen(self, batch, seen).await
            }
        }
    };
}
pub(in crate::queue) use speak;
