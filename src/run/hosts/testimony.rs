//! The late word: an outcome that its sender could not write in time, because it had lost the lease or
//! the database.
//!
//! Only the sender knows what became of its form, so its word is kept whatever the epoch is by then, and
//! heard against where the job stands. It speaks of one attempt of one tenure: after a database was
//! restored, another tenure may have made an attempt with the same number.

use std::fmt;

use super::Tenure;
use crate::job::{Executed, JobRecord, LedgerEntry, State};

/// What a sender says of an attempt of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testimony {
    /// Who says it: the tenure under which the intent was committed.
    pub tenure: Tenure,
    /// Of which attempt.
    pub attempt: u32,
    /// What the ledger would have said, had it come in time.
    pub entry: LedgerEntry,
}

/// What hearing a testimony leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// This is written.
    Write(Box<LedgerEntry>),
    /// The ledger knows it already, or it changes nothing.
    Known,
    /// Both are shown to a person, nothing is written, and the process ends with code 70.
    Contradiction(Contradiction),
}

/// A testimony that can't be true together with the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// The ledger has gone on to another attempt, and this one may have been executed as well.
    AnotherAttempt {
        /// The one that the testimony is about.
        said: u32,
        /// The ledger's.
        present: u32,
    },
    /// The ledger does not know the attempt: its intent was lost.
    NoIntent {
        /// The one that the testimony is about.
        said: u32,
    },
    /// The API accepted it, and the ledger says that it was not executed, or somebody has closed it without
    /// knowing.
    Accepted {
        /// Where the job stands.
        state: State,
        /// Whether the attempt was executed, by the ledger.
        executed: Executed,
    },
    /// Nothing was done, and the ledger says that it was executed.
    NothingDone {
        /// Where the job stands.
        state: State,
    },
}

/// What a testimony says of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Executed, or about to be.
    Accepted,
    /// Surely untouched.
    Nothing,
    /// It was sent, and nobody knows.
    Unknown,
}

impl Testimony {
    /// Hears it against `record`, whose present attempt was committed by `sender`; `None`: there is none.
    pub fn hear(&self, record: &JobRecord, sender: Option<&Tenure>) -> Heard {
        let Some(word) = self.word() else {
            return Heard::Known;
        };
        if !self.is_about(record, sender) {
            return self.of_another_attempt(record, word);
        }
        let (state, executed) = (record.state, record.executed_now);
        let write = || Heard::Write(Box::new(self.entry.clone()));
        match (word, state, executed) {
            (_, State::Submitting, _) => write(),
            (Word::Unknown, ..) => Heard::Known,
            (Word::Accepted, State::InDoubt | State::Queued, Executed::Maybe) => write(),
            (Word::Accepted, _, Executed::Yes) => Heard::Known,
            (Word::Accepted, _, Executed::No | Executed::Maybe) => {
                Heard::Contradiction(Contradiction::Accepted { state, executed })
            }
            (Word::Nothing, State::InDoubt, Executed::Maybe) => write(),
            (Word::Nothing, _, Executed::No | Executed::Maybe) => Heard::Known,
            (Word::Nothing, _, Executed::Yes) => {
                Heard::Contradiction(Contradiction::NothingDone { state })
            }
        }
    }

    /// It is about the present attempt, and about no other with the same number.
    fn is_about(&self, record: &JobRecord, sender: Option<&Tenure>) -> bool {
        self.attempt == record.attempt && sender.is_some_and(|sender| sender.is(&self.tenure))
    }

    fn of_another_attempt(&self, record: &JobRecord, word: Word) -> Heard {
        let (said, present) = (self.attempt, record.attempt);
        if word == Word::Nothing {
            return Heard::Known;
        }
        // Of an earlier attempt the ledger has assumed the worst, or has heard otherwise.
        if said < present && word == Word::Unknown {
            return Heard::Known;
        }
        Heard::Contradiction(if said < present {
            Contradiction::AnotherAttempt { said, present }
        } else {
            Contradiction::NoIntent { said }
        })
    }

    /// `None`: it is no outcome of a submission, and the ledger learns of it by other ways.
    fn word(&self) -> Option<Word> {
        match self.entry {
            LedgerEntry::Accepted { .. } => Some(Word::Accepted),
            LedgerEntry::NotExecuted { .. } | LedgerEntry::Refused { .. } => Some(Word::Nothing),
            LedgerEntry::Unknown { .. } => Some(Word::Unknown),
            LedgerEntry::Intent { .. }
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
            | LedgerEntry::Hook(_) => None,
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherAttempt { said, present } => write!(
                f,
                "attempt {said} may have been executed, says the host that sent it, and attempt {present} was made since: the instance may have been wiped twice"
            ),
            Self::NoIntent { said } => write!(
                f,
                "attempt {said} may have been executed, says the host that sent it, and this ledger does not have its intent: it is not the ledger in which that was written"
            ),
            Self::Accepted { state, executed } => write!(
                f,
                "the API accepted it, says the host that sent it, and by the ledger the job is {state} (executed: {executed})"
            ),
            Self::NothingDone { state } => write!(
                f,
                "nothing was done, says the host that sent it, and by the ledger the job is {state} and was executed"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::job::{Evidence, Failure, InstanceStatus, Task, Verdict};

    const ACCEPTED: LedgerEntry = LedgerEntry::Accepted { submitted_ms: 5 };

    fn tenure(id: u128, epoch: i64) -> Tenure {
        Tenure {
            id: Uuid::from_u128(id),
            epoch,
            host: "alpha".to_owned(),
            since_ms: 0,
        }
    }

    fn failure() -> Failure {
        Failure::new("orphaned", "it may send it yet")
    }

    fn not_sent() -> LedgerEntry {
        LedgerEntry::NotExecuted {
            failure: failure(),
            not_before_ms: 0,
        }
    }

    fn refused() -> LedgerEntry {
        LedgerEntry::Refused { failure: failure() }
    }

    fn unknown() -> LedgerEntry {
        LedgerEntry::Unknown {
            failure: failure(),
            submitted_ms: None,
        }
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

    fn resolved(verdict: Verdict) -> LedgerEntry {
        LedgerEntry::Resolved {
            verdict,
            reason: "looked".to_owned(),
            hook: false,
        }
    }

    fn sighted() -> LedgerEntry {
        LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        }
    }

    fn completed() -> LedgerEntry {
        LedgerEntry::Completed {
            evidence: Evidence::Observed,
            status: InstanceStatus::Active,
            image: None,
            remark: None,
            hook: false,
        }
    }

    fn disproved() -> LedgerEntry {
        LedgerEntry::Disproved { not_before_ms: 0 }
    }

    fn after(entries: &[LedgerEntry]) -> JobRecord {
        let mut record = JobRecord::queued();
        for entry in [&[intent()], entries].concat() {
            record = record.apply(&entry, 7).unwrap();
        }
        record
    }

    /// What the first attempt's sender says, heard after `entries`.
    fn heard(entry: LedgerEntry, entries: &[LedgerEntry]) -> Heard {
        let tenure = tenure(1, 1);
        let sender = tenure.clone();
        let testimony = Testimony {
            tenure,
            attempt: 1,
            entry,
        };
        testimony.hear(&after(entries), Some(&sender))
    }

    /// It is written, and may be.
    fn is_written(entry: &LedgerEntry, entries: &[LedgerEntry]) -> bool {
        let is_written = heard(entry.clone(), entries) == Heard::Write(Box::new(entry.clone()));
        if is_written {
            after(entries).apply(entry, 8).unwrap();
        }
        is_written
    }

    #[test]
    fn accepted_ends_the_doubt_and_takes_out_of_the_queue_what_was_put_back() {
        assert!(is_written(&ACCEPTED, &[]));
        assert!(is_written(&ACCEPTED, &[unknown()]));
        let requeued = [unknown(), resolved(Verdict::Requeue)];
        assert!(is_written(&ACCEPTED, &requeued));
        assert_eq!(heard(ACCEPTED, &[unknown(), sighted()]), Heard::Known);
        assert_eq!(heard(ACCEPTED, &[ACCEPTED, completed()]), Heard::Known);
    }

    #[test]
    fn nothing_done_frees_the_doubt() {
        for entry in [not_sent(), refused()] {
            assert!(is_written(&entry, &[]));
            assert!(is_written(&entry, &[unknown()]));
            let requeued = [unknown(), resolved(Verdict::Requeue)];
            assert_eq!(heard(entry.clone(), &requeued), Heard::Known);
            let cancelled = [unknown(), LedgerEntry::Cancelled];
            assert_eq!(heard(entry, &cancelled), Heard::Known);
        }
    }

    #[test]
    fn what_its_sender_does_not_know_changes_nothing_but_the_state_that_waits_for_it() {
        assert!(is_written(&unknown(), &[]));
        assert_eq!(heard(unknown(), &[unknown()]), Heard::Known);
    }

    #[test]
    fn what_can_not_be_true_together_is_shown() {
        let accepted = |entries: &[LedgerEntry], state, executed| {
            let shown = Heard::Contradiction(Contradiction::Accepted { state, executed });
            assert_eq!(heard(ACCEPTED, entries), shown);
        };
        accepted(&[unknown(), disproved()], State::Queued, Executed::No);
        let failed = [unknown(), resolved(Verdict::Failed)];
        accepted(&failed, State::Failed, Executed::Maybe);
        let cancelled = [unknown(), LedgerEntry::Cancelled];
        accepted(&cancelled, State::Cancelled, Executed::Maybe);
        for entry in [not_sent(), refused()] {
            let state = State::InProgress;
            let shown = Heard::Contradiction(Contradiction::NothingDone { state });
            assert_eq!(heard(entry, &[unknown(), sighted()]), shown);
        }
    }

    #[test]
    fn of_another_attempt_only_that_nothing_was_done_is_no_matter() {
        let again = [unknown(), resolved(Verdict::Requeue), intent()];
        let (said, present) = (1, 2);
        let shown = Contradiction::AnotherAttempt { said, present };
        assert_eq!(heard(ACCEPTED, &again), Heard::Contradiction(shown));
        for entry in [not_sent(), refused(), unknown()] {
            assert_eq!(heard(entry, &again), Heard::Known);
        }
    }

    #[test]
    fn an_attempt_of_the_same_number_is_not_the_same_attempt() {
        let record = after(&[]);
        let testimony = |entry| Testimony {
            tenure: tenure(1, 1),
            attempt: 1,
            entry,
        };
        let lost = Heard::Contradiction(Contradiction::NoIntent { said: 1 });
        for (sender, entry, expected) in [
            (Some(tenure(2, 1)), ACCEPTED, lost.clone()),
            (Some(tenure(1, 2)), unknown(), lost.clone()),
            (Some(tenure(2, 1)), not_sent(), Heard::Known),
        ] {
            assert_eq!(testimony(entry).hear(&record, sender.as_ref()), expected);
        }
        let untouched = JobRecord::queued();
        assert_eq!(testimony(ACCEPTED).hear(&untouched, None), lost);
    }
}
