//! What may follow what: the one pure function that turns a ledger entry into a job's record.
//!
//! The dispatcher, the operator's commands, recovery after a crash and `refleet verify` all go
//! through [`JobRecord::apply`]; the database repeats the rules (guards, CHECKs) so that a fault
//! here cannot reach the disk unseen. No arrow leads from `in_doubt` to `submitting`: what is in
//! doubt is queued first, and only by proof or by the operator's word.

use std::time::Duration;

use super::{
    Baseline, Evidence, Executed, Failure, FailureKind, InstanceStatus, JobId, LedgerEntry,
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
                    evidence, remark, ..
                },
            ) => {
                next.end(Done, at_ms);
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
            (Queued, LedgerEntry::Untouched { .. }) => next.end(Failed, at_ms),
            (
                InDoubt,
                LedgerEntry::Resolved {
                    verdict: Verdict::Done,
                    ..
                },
            ) => {
                next.end(Done, at_ms);
                next.executed_now = Executed::Yes;
                next.evidence = Some(Evidence::Operator);
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
                    ..
                },
            ) if self.executed() != Executed::No => {
                next.end(Done, at_ms);
                next.executed_now = Executed::Yes;
                next.evidence = Some(Evidence::Operator);
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
                | LedgerEntry::Untouched { .. }
                | LedgerEntry::Resolved { .. }
                | LedgerEntry::Access { .. }
                | LedgerEntry::Expects { .. }
                | LedgerEntry::Retried
                | LedgerEntry::Cancelled,
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
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::job::Task;

    fn after(entries: &[LedgerEntry]) -> Result<JobRecord, IllegalTransition> {
        let mut record = JobRecord::queued();
        for entry in entries {
            record = record.apply(entry, 7)?;
        }
        Ok(record)
    }

    fn intent() -> LedgerEntry {
        LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: None,
            },
            baseline: None,
        }
    }

    #[test]
    fn an_ending_by_somebodys_word_is_known_as_one() {
        let resolved = |verdict| LedgerEntry::Resolved {
            verdict,
            reason: "looked".to_owned(),
        };
        let broken = || LedgerEntry::Broken {
            failure: Failure::new("timeout", "not back"),
        };
        let by_word = |entries: &[LedgerEntry]| after(entries).unwrap().by_word;
        for end in [
            resolved(Verdict::Failed),
            resolved(Verdict::Done),
            LedgerEntry::Cancelled,
        ] {
            assert!(by_word(&[intent(), unknown(), end]));
        }
        assert!(!by_word(&[intent(), ACCEPTED, broken()]));
        let left = [intent(), ACCEPTED, broken(), resolved(Verdict::Failed)];
        assert!(!by_word(&left), "it had ended before");
        let again = [
            intent(),
            unknown(),
            resolved(Verdict::Failed),
            LedgerEntry::Retried,
        ];
        assert!(!by_word(&again));
    }

    const ACCEPTED: LedgerEntry = LedgerEntry::Accepted { submitted_ms: 5 };

    fn unknown() -> LedgerEntry {
        LedgerEntry::Unknown {
            failure: Failure::new("timeout", "no answer"),
            submitted_ms: Some(4),
        }
    }

    fn shown() -> ShownKey {
        ShownKey {
            address: "127.66.0.1:22".parse().unwrap(),
            key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
                .parse()
                .unwrap(),
        }
    }

    #[test]
    fn a_key_that_was_shown_moves_nothing_and_a_new_intent_forgets_it() {
        let key_shown = LedgerEntry::KeyShown { shown: shown() };
        let doubt = after(&[intent(), unknown(), key_shown]).unwrap();
        assert_eq!(
            (doubt.state, &doubt.host_key),
            (State::InDoubt, &Some(shown()))
        );
        let again = LedgerEntry::Disproved { not_before_ms: 0 };
        let again = doubt.apply(&again, 8).unwrap().apply(&intent(), 9).unwrap();
        assert_eq!(again.host_key, None);
    }

    /// One entry of each kind; of a verdict, one for each.
    fn entries() -> Vec<LedgerEntry> {
        let failure = || Failure::new("timeout", "no answer");
        let resolved = |verdict| LedgerEntry::Resolved {
            verdict,
            reason: "looked".to_owned(),
        };
        vec![
            intent(),
            LedgerEntry::NotExecuted {
                failure: failure(),
                not_before_ms: 0,
            },
            LedgerEntry::Refused { failure: failure() },
            ACCEPTED,
            unknown(),
            LedgerEntry::Interrupted,
            LedgerEntry::Sighted {
                status: InstanceStatus::Rebuilding,
                image: None,
            },
            LedgerEntry::Rekeyed { shown: shown() },
            LedgerEntry::KeyShown { shown: shown() },
            LedgerEntry::Completed {
                evidence: Evidence::Observed,
                status: InstanceStatus::Active,
                image: None,
                remark: None,
            },
            LedgerEntry::Broken { failure: failure() },
            LedgerEntry::Doubted { failure: failure() },
            LedgerEntry::Disproved { not_before_ms: 0 },
            LedgerEntry::Exhausted { failure: failure() },
            LedgerEntry::Held {
                reason: "no baseline".to_owned(),
            },
            LedgerEntry::Untouched { failure: failure() },
            resolved(Verdict::Done),
            resolved(Verdict::Requeue),
            resolved(Verdict::Failed),
            LedgerEntry::Access {
                manifest: "fleet.csv".to_owned(),
            },
            LedgerEntry::Expects {
                manifest: "fleet.csv".to_owned(),
            },
            LedgerEntry::Retried,
            LedgerEntry::Cancelled,
        ]
    }

    /// The arrows of the picture in `mod.rs`: `queued intent submitting`.
    fn drawn() -> BTreeSet<String> {
        let text = include_str!("mod.rs");
        let list = text.split("```").nth(1).unwrap().split("//!\n").nth(1);
        let (mut drawn, mut from) = (BTreeSet::new(), "");
        for line in list.unwrap().lines() {
            let mut rest = line.trim_start_matches("//!").trim();
            let known = State::ALL.iter().map(|state| state.as_str());
            for state in known.filter(|state| rest.starts_with(&format!("{state} "))) {
                (from, rest) = (state, rest[state.len()..].trim());
            }
            for (kinds, states) in rest
                .split(" · ")
                .filter_map(|arrow| arrow.split_once(" → "))
            {
                for kind in kinds.split(", ") {
                    let states = states.split(", ").flat_map(|states| states.split(" or "));
                    drawn.extend(states.map(|to| format!("{from} {kind} {to}")));
                }
            }
        }
        drawn
    }

    #[test]
    fn the_picture_of_the_states_shows_every_arrow_and_no_other() {
        let refused = LedgerEntry::Refused {
            failure: Failure::new("value", "no"),
        };
        let broken = LedgerEntry::Broken {
            failure: Failure::new("rebuild_failed", "its status is `error`"),
        };
        let completed = entries().swap_remove(9);
        let requeued = LedgerEntry::Resolved {
            verdict: Verdict::Requeue,
            reason: "looked".to_owned(),
        };
        let mut found = BTreeSet::new();
        for way in [
            vec![],
            vec![intent()],
            vec![intent(), ACCEPTED],
            vec![intent(), unknown()],
            vec![intent(), ACCEPTED, completed],
            vec![intent(), refused],
            vec![intent(), ACCEPTED, broken],
            vec![LedgerEntry::Cancelled],
            vec![intent(), unknown(), requeued],
        ] {
            let from = after(&way).unwrap();
            for entry in entries() {
                let to = from.apply(&entry, 8).map(|to| to.state);
                if let Some(to) = to.ok().filter(|to| *to != from.state) {
                    found.insert(format!("{} {} {to}", from.state, entry.kind()));
                }
            }
        }
        assert_eq!(found, drawn());
    }

    #[test]
    fn an_answer_that_comes_late_ends_the_doubt_like_one_that_came_in_time() {
        let in_time = after(&[intent(), ACCEPTED]).unwrap();
        let held = LedgerEntry::Held {
            reason: "no baseline".to_owned(),
        };
        for doubt in [
            vec![unknown()],
            vec![LedgerEntry::Interrupted],
            vec![unknown(), held],
        ] {
            let entries = [vec![intent()], doubt, vec![ACCEPTED]].concat();
            assert_eq!(after(&entries).unwrap(), in_time);
        }
    }

    #[test]
    fn a_late_word_that_nothing_was_done_frees_a_doubt_and_none_that_was_seen() {
        let seen = after(&[intent(), unknown(), sighted(), doubted()]).unwrap();
        let held = LedgerEntry::Held {
            reason: "no baseline".to_owned(),
        };
        let failure = || Failure::new("connect", "no connection");
        let not_executed = LedgerEntry::NotExecuted {
            failure: failure(),
            not_before_ms: 3,
        };
        let refused = LedgerEntry::Refused { failure: failure() };
        for late in [not_executed, refused] {
            let in_time = after(&[intent(), late.clone()]).unwrap();
            let doubt = [intent(), unknown(), held.clone()];
            let mut freed = after(&[&doubt[..], std::slice::from_ref(&late)].concat()).unwrap();
            assert_eq!(freed.submitted_ms.take(), Some(4));
            assert_eq!(freed, in_time);
            assert!(seen.apply(&late, 8).is_err());
        }
    }

    #[test]
    fn an_attempt_that_was_accepted_after_all_is_taken_out_of_the_queue_unless_it_was_disproved() {
        let requeued = LedgerEntry::Resolved {
            verdict: Verdict::Requeue,
            reason: "looked".to_owned(),
        };
        let in_time = after(&[intent(), ACCEPTED]).unwrap();
        let late = after(&[intent(), unknown(), requeued, ACCEPTED]).unwrap();
        assert_eq!(late, in_time);
        assert!(after(&[ACCEPTED]).is_err());
        let disproved = LedgerEntry::Disproved { not_before_ms: 0 };
        assert!(after(&[intent(), unknown(), disproved, ACCEPTED]).is_err());
    }

    fn sighted() -> LedgerEntry {
        LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        }
    }

    fn doubted() -> LedgerEntry {
        LedgerEntry::Doubted {
            failure: Failure::new("timeout", "it never came back"),
        }
    }

    #[test]
    fn an_attempt_is_accepted_once_and_only_while_it_is_the_present_one() {
        let doubted = LedgerEntry::Doubted {
            failure: Failure::new("timeout", "it never came back"),
        };
        assert!(after(&[intent(), ACCEPTED, doubted, ACCEPTED]).is_err());
        let disproved = LedgerEntry::Disproved { not_before_ms: 0 };
        assert!(after(&[intent(), unknown(), disproved, ACCEPTED]).is_err());
    }
}
