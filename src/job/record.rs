//! What may follow what: the one pure function that turns a ledger entry into a job's record.
//!
//! The dispatcher, the operator's commands, recovery after a crash and `refleet verify` all go
//! through [`JobRecord::apply`]; the database repeats the rules (guards, CHECKs) so that a fault
//! here cannot reach the disk unseen. No arrow leads from `in_doubt` to `submitting`: what is in
//! doubt is queued first, and only by proof or by the operator's word.

use std::time::Duration;

use super::{
    Baseline, Evidence, Executed, Failure, FailureKind, Hook, InstanceStatus, JobId, LedgerEntry,
    ShownKey, State, Verdict,
};

/// Everything the ledger says of a job, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of its own, and no two of them make one state"
)]
pub struct JobRecord {
    /// Where it is.
    pub state: State,
    /// Submissions so far, counted from 1; 0: none. Each intent is one, sent or not.
    pub attempt: u32,
    /// Retries used up: only a submission that may have been executed, and was proven not to be, uses one.
    pub retries: u32,
    /// Was the instance touched by an attempt before the current one?
    pub executed_before: Executed,
    /// Was it touched by the current attempt?
    pub executed_now: Executed,
    /// What proves the rebuild; exactly the done jobs have it.
    pub evidence: Option<Evidence>,
    /// In doubt, and only the operator can settle it.
    pub held: bool,
    /// An operator's word has ended it, whenever that was: no answer of the API did.
    pub by_word: bool,
    /// The API accepted the current attempt.
    pub accepted: bool,
    /// The instance was seen `rebuilding` since the last intent.
    pub rebuilding_seen: bool,
    /// May not start before this Unix time; 0: at once.
    pub not_before_ms: i64,
    /// When the last intent was committed, as Unix time.
    pub intent_ms: Option<i64>,
    /// When the last request was handed to the wire, as Unix time.
    pub submitted_ms: Option<i64>,
    /// When the answer arrived that ended the job, as Unix time; exactly the final jobs have it.
    pub completed_ms: Option<i64>,
    /// What went wrong last; `None` once all is well. Of a done job: what a human should look at.
    pub failure: Option<Failure>,
    /// What stood on the instance when the last intent was written.
    pub baseline: Option<Baseline>,
    /// Name of the image that it should have afterwards.
    pub target: Option<String>,
    /// The host key that it has shown last since the last intent.
    pub host_key: Option<ShownKey>,
    /// What follows its success, where the operator has ordered something: only done jobs have it.
    pub hook: Option<Hook>,
}

/// An entry that may not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` may not follow in state `{state}`")]
pub struct IllegalTransition {
    /// The state.
    pub state: State,
    /// The entry's kind.
    pub entry: &'static str,
}

impl Default for JobRecord {
    fn default() -> Self {
        Self::queued()
    }
}

impl JobRecord {
    /// How every job begins.
    pub fn queued() -> Self {
        Self {
            state: State::Queued,
            attempt: 0,
            retries: 0,
            executed_before: Executed::No,
            executed_now: Executed::No,
            evidence: None,
            held: false,
            by_word: false,
            accepted: false,
            rebuilding_seen: false,
            not_before_ms: 0,
            intent_ms: None,
            submitted_ms: None,
            completed_ms: None,
            failure: None,
            baseline: None,
            target: None,
            host_key: None,
            hook: None,
        }
    }

    /// The record after `entry`, which happened at `at_ms` (Unix time).
    #[expect(
        clippy::too_many_lines,
        reason = "the table of transitions: one arm for each"
    )]
    pub fn apply(&self, entry: &LedgerEntry, at_ms: i64) -> Result<Self, IllegalTransition> {
        use State::{Cancelled, Done, Failed, InDoubt, InProgress, Queued, Submitting};

        let illegal = || IllegalTransition {
            state: self.state,
            entry: entry.kind(),
        };
        let mut next = self.clone();
        if let Some(failure) = entry.failure() {
            next.failure = Some(failure.clone());
        }
        match (self.state, entry) {
            (Queued, LedgerEntry::Intent { task, baseline }) => {
                next.state = Submitting;
                next.attempt += 1;
                next.executed_before = self.executed();
                next.executed_now = Executed::Maybe;
                next.accepted = false;
                next.rebuilding_seen = false;
                next.not_before_ms = 0;
                next.intent_ms = Some(at_ms);
                next.submitted_ms = None;
                next.failure = None;
                next.baseline.clone_from(baseline);
                next.target = task.target().map(str::to_owned);
                next.host_key = None;
            }
            // What was accepted or seen was not refused, and not left undone.
            (InDoubt, LedgerEntry::NotExecuted { .. } | LedgerEntry::Refused { .. })
                if self.executed_now == Executed::Yes =>
            {
                return Err(illegal());
            }
            (Submitting | InDoubt, LedgerEntry::NotExecuted { not_before_ms, .. }) => {
                next.state = Queued;
                next.executed_now = Executed::No;
                next.held = false;
                next.not_before_ms = *not_before_ms;
            }
            (Submitting | InDoubt, LedgerEntry::Refused { .. }) => {
                next.end(Failed, at_ms);
                next.executed_now = Executed::No;
            }
            (Submitting, LedgerEntry::Accepted { submitted_ms }) => {
                next.state = InProgress;
                next.executed_now = Executed::Yes;
                next.accepted = true;
                next.submitted_ms = Some(*submitted_ms);
            }
            // The answer came after all, when nobody waited for it any more; or when somebody had put the
            // job back in the queue on a guess, which needs no second submission then.
            (InDoubt | Queued, LedgerEntry::Accepted { submitted_ms })
                if !self.accepted && self.executed_now == Executed::Maybe =>
            {
                next.state = InProgress;
                next.executed_now = Executed::Yes;
                next.held = false;
                next.accepted = true;
                next.submitted_ms = Some(*submitted_ms);
                next.failure = None;
            }
            (Submitting, LedgerEntry::Unknown { submitted_ms, .. }) => {
                next.state = InDoubt;
                next.submitted_ms = *submitted_ms;
            }
            (Submitting, LedgerEntry::Interrupted) => {
                next.state = InDoubt;
                next.failure = Some(Failure::new(
                    FailureKind::Interrupted,
                    "the process ended between the intent and the recorded answer",
                ));
            }
            (InDoubt | InProgress, LedgerEntry::Sighted { status, .. }) => {
                next.state = InProgress;
                next.executed_now = Executed::Yes;
                next.held = false;
                next.rebuilding_seen |= *status == InstanceStatus::Rebuilding;
                next.failure = None;
            }
            (InDoubt, LedgerEntry::Rekeyed { shown }) => {
                next.state = InProgress;
                next.executed_now = Executed::Yes;
                next.held = false;
                next.failure = None;
                next.host_key = Some(shown.clone());
            }
            (InDoubt | InProgress | Done, LedgerEntry::KeyShown { shown }) => {
                next.host_key = Some(shown.clone());
            }
            (
                InProgress,
                LedgerEntry::Completed {
                    evidence,
                    remark,
                    hook,
                    ..
                },
            ) => {
                next.end(Done, at_ms);
                next.hook = hook.then(|| Hook::pending(at_ms));
                next.executed_now = Executed::Yes;
                next.evidence = Some(*evidence);
                next.failure.clone_from(remark);
            }
            (InProgress, LedgerEntry::Broken { .. }) => {
                next.end(Failed, at_ms);
                next.executed_now = Executed::Yes;
            }
            (InProgress, LedgerEntry::Doubted { .. }) => next.state = InDoubt,
            // What was accepted or seen cannot be disproved any more.
            (InDoubt, LedgerEntry::Disproved { .. } | LedgerEntry::Exhausted { .. })
                if self.executed_now == Executed::Yes =>
            {
                return Err(illegal());
            }
            (InDoubt, LedgerEntry::Disproved { not_before_ms }) => {
                next.state = Queued;
                next.retries += 1;
                next.executed_now = Executed::No;
                next.held = false;
                next.not_before_ms = *not_before_ms;
            }
            (InDoubt, LedgerEntry::Exhausted { .. }) => {
                next.end(Failed, at_ms);
                next.executed_now = Executed::No;
            }
            (InDoubt, LedgerEntry::Held { .. }) if !self.held => next.held = true,
            // It is a hint: whoever settles the doubt may look at it.
            (InDoubt, LedgerEntry::HistoryRead { .. }) if !self.held => {}
            (Queued, LedgerEntry::Untouched { .. }) => next.end(Failed, at_ms),
            (
                InDoubt,
                LedgerEntry::Resolved {
                    verdict: Verdict::Done,
                    hook,
                    ..
                },
            ) => {
                next.end(Done, at_ms);
                next.executed_now = Executed::Yes;
                next.evidence = Some(Evidence::Operator);
                next.hook = hook.then(|| Hook::pending(at_ms));
                next.by_word = true;
                next.failure = None;
            }
            (
                InDoubt,
                LedgerEntry::Resolved {
                    verdict: Verdict::Failed,
                    ..
                },
            ) => {
                next.end(Failed, at_ms);
                next.by_word = true;
            }
            (
                InDoubt,
                LedgerEntry::Resolved {
                    verdict: Verdict::Requeue,
                    ..
                },
            ) => {
                next.state = Queued;
                next.held = false;
                next.not_before_ms = 0;
            }
            // Somebody has seen to an instance that was wiped and did not come back.
            (
                Failed,
                LedgerEntry::Resolved {
                    verdict: Verdict::Done,
                    hook,
                    ..
                },
            ) if self.executed() != Executed::No => {
                next.end(Done, at_ms);
                next.executed_now = Executed::Yes;
                next.evidence = Some(Evidence::Operator);
                next.hook = hook.then(|| Hook::pending(at_ms));
                next.by_word = true;
                next.failure = None;
            }
            (
                Failed,
                LedgerEntry::Resolved {
                    verdict: Verdict::Failed,
                    ..
                },
            ) if self.executed() != Executed::No => {}
            // What may have wiped the instance may have set the access that it was sent with: only a
            // failed job takes another one then, on its way to be wiped once more.
            (Queued, LedgerEntry::Access { .. }) if self.executed() == Executed::No => {}
            // Likewise what must stand there, of which the image says nothing any more.
            (Queued, LedgerEntry::Expects { .. }) if self.executed() == Executed::No => {}
            (Failed, LedgerEntry::Access { .. } | LedgerEntry::Expects { .. }) => {}
            (Failed, LedgerEntry::Retried) => {
                next.state = Queued;
                next.retries = 0;
                next.not_before_ms = 0;
                next.completed_ms = None;
                next.by_word = false;
            }
            // A failed job keeps its password for a retry; cancelled, it gives that up.
            (Queued | InDoubt | Failed, LedgerEntry::Cancelled) => {
                next.end(Cancelled, at_ms);
                next.by_word = true;
            }
            (Done, LedgerEntry::Hook(step)) => {
                let hook = self.hook.as_ref().and_then(|hook| hook.apply(step, at_ms));
                next.hook = Some(hook.ok_or_else(illegal)?);
            }
            (
                Queued | Submitting | InProgress | InDoubt | Done | Failed | Cancelled,
                LedgerEntry::Intent { .. }
                | LedgerEntry::NotExecuted { .. }
                | LedgerEntry::Refused { .. }
                | LedgerEntry::Accepted { .. }
                | LedgerEntry::Unknown { .. }
                | LedgerEntry::Interrupted
                | LedgerEntry::Sighted { .. }
                | LedgerEntry::Rekeyed { .. }
                | LedgerEntry::KeyShown { .. }
                | LedgerEntry::Completed { .. }
                | LedgerEntry::Broken { .. }
                | LedgerEntry::Doubted { .. }
                | LedgerEntry::Disproved { .. }
                | LedgerEntry::Exhausted { .. }
                | LedgerEntry::Held { .. }
                | LedgerEntry::HistoryRead { .. }
                | LedgerEntry::Untouched { .. }
                | LedgerEntry::Resolved { .. }
                | LedgerEntry::Access { .. }
                | LedgerEntry::Expects { .. }
                | LedgerEntry::Retried
                | LedgerEntry::Cancelled
                | LedgerEntry::Hook(_),
            ) => return Err(illegal()),
        }
        Ok(next)
    }

    /// Was the instance touched, by any attempt?
    pub fn executed(&self) -> Executed {
        self.executed_before.max(self.executed_now)
    }

    /// From the submission to the completion, where that was seen ([`Evidence::is_seen`]).
    pub fn took(&self) -> Option<Duration> {
        self.evidence.filter(|evidence| evidence.is_seen())?;
        let (submitted_ms, completed_ms) = self.submitted_ms.zip(self.completed_ms)?;
        let ms = u64::try_from(completed_ms - submitted_ms).ok()?;
        Some(Duration::from_millis(ms))
    }

    /// What it was sent with may be needed yet: for the job itself, or for its hook.
    pub fn needs_secret(&self) -> bool {
        match self.state {
            State::Queued
            | State::Submitting
            | State::InProgress
            | State::InDoubt
            | State::Failed => true,
            State::Done => self.hook.as_ref().is_some_and(|hook| hook.state.is_open()),
            State::Cancelled => false,
        }
    }

    /// The host key that the instance showed before the last submission.
    pub fn key_before(&self) -> Option<&ShownKey> {
        self.baseline.as_ref()?.host_key.as_ref()
    }

    /// The host key that it has shown since, where that is another one.
    pub fn new_key(&self) -> Option<&ShownKey> {
        let shown = self.host_key.as_ref();
        shown.filter(|shown| Some(*shown) != self.key_before())
    }

    /// The instance was rebuilt, and somebody has seen that: the API's word alone proves nothing.
    pub fn is_proven(&self) -> bool {
        self.state == State::Done && self.evidence != Some(Evidence::Accepted)
    }

    /// The instance may be out of service because of this job. Of a failed one that lasts until somebody
    /// has given his word on it, of which the record says nothing.
    pub fn is_down(&self) -> bool {
        match self.state {
            State::Submitting | State::InProgress | State::InDoubt => true,
            State::Queued | State::Failed => self.executed() != Executed::No,
            State::Done | State::Cancelled => false,
        }
    }

    fn end(&mut self, state: State, at_ms: i64) {
        self.state = state;
        self.held = false;
        self.completed_ms = Some(at_ms);
    }
}

/// One step of one job, decided and ready to be written.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The job.
    pub job: JobId,
    /// The record before. The step counts only where the job still stands there: the database
    /// compares state and attempt, since nothing changes the rest and leaves these two alone but
    /// the run that took the job.
    pub from: JobRecord,
    /// What the ledger will say.
    pub entry: LedgerEntry,
    /// When it happened, as Unix time.
    pub at_ms: i64,
    /// The record afterwards.
    pub to: JobRecord,
}

impl Transition {
    /// The step that `entry` makes from `from`.
    pub fn new(
        job: JobId,
        from: JobRecord,
        entry: LedgerEntry,
        at_ms: i64,
    ) -> Result<Self, IllegalTransition> {
        let to = from.apply(&entry, at_ms)?;
        Ok(Self {
            job,
            from,
            entry,
            at_ms,
            to,
        })
    }
}

#[cfg(test)]
mod tests;
