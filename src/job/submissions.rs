//! Whether each submission of a job was permitted, asked of its history alone.
//!
//! The states say it too: no arrow leads from a doubt to another submission. This is the same promise
//! once more, without the states, so that a fault in their table does not hide in `refleet verify`.

use super::{Action, LedgerEntry, Verdict};

/// What a job's history says of its submissions, read entry by entry.
#[derive(Debug, Default)]
pub struct Submissions {
    /// The last one may have been executed, and nothing permits another one yet.
    may_stand: bool,
}

/// A submission that nothing permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpermitted {
    /// Something else was ordered.
    #[error("it submits a {}, and a {} was ordered", submitted.terms().noun, ordered.terms().noun)]
    OtherAction {
        /// What the intent names.
        submitted: Action,
        /// What the batch orders.
        ordered: Action,
    },
    /// The one before it may have been executed.
    #[error(
        "it submits a {} once more, without proof that the one before was not executed and without an operator's word",
        .0.terms().noun
    )]
    Again(Action),
}

impl Submissions {
    /// Takes in the next entry of the history of a job for which `ordered` was ordered.
    pub fn see(&mut self, entry: &LedgerEntry, ordered: Action) -> Result<(), Unpermitted> {
        match entry {
            LedgerEntry::Intent { task, .. } => {
                let submitted = task.action();
                if submitted != ordered {
                    return Err(Unpermitted::OtherAction { submitted, ordered });
                }
                if self.may_stand && !submitted.is_repeatable() {
                    return Err(Unpermitted::Again(submitted));
                }
                self.may_stand = true;
            }
            // Proof that it was not executed.
            LedgerEntry::NotExecuted { .. }
            | LedgerEntry::Refused { .. }
            | LedgerEntry::Disproved { .. }
            | LedgerEntry::Exhausted { .. }
            // The operator's word.
            | LedgerEntry::Resolved {
                verdict: Verdict::Requeue,
                ..
            }
            | LedgerEntry::Retried => self.may_stand = false,
            LedgerEntry::Accepted { .. }
            | LedgerEntry::Unknown { .. }
            | LedgerEntry::Interrupted
            | LedgerEntry::Sighted { .. }
            | LedgerEntry::Rekeyed { .. }
            | LedgerEntry::KeyShown { .. }
            | LedgerEntry::Completed { .. }
            | LedgerEntry::Broken { .. }
            | LedgerEntry::Doubted { .. }
            | LedgerEntry::Held { .. }
            | LedgerEntry::HistoryRead { .. }
            | LedgerEntry::Untouched { .. }
            | LedgerEntry::Resolved {
                verdict: Verdict::Done | Verdict::Failed,
                ..
            }
            | LedgerEntry::Access { .. }
            | LedgerEntry::Expects { .. }
            | LedgerEntry::Hook(_)
            | LedgerEntry::Cancelled => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Failure, Task};

    fn intent() -> LedgerEntry {
        LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: None,
            },
            baseline: None,
        }
    }

    /// Whether a second submission is permitted after one and these entries.
    fn after(between: &[LedgerEntry]) -> Result<(), Unpermitted> {
        let mut submissions = Submissions::default();
        let history = [&[intent()][..], between].concat();
        for entry in &history {
            submissions.see(entry, Action::Rebuild).unwrap();
        }
        submissions.see(&intent(), Action::Rebuild)
    }

    #[test]
    fn only_proof_or_an_operators_word_permits_another_one() {
        let failure = Failure::new("timeout", "no answer");
        let unknown = LedgerEntry::Unknown {
            failure: failure.clone(),
            submitted_ms: None,
        };
        let resolved = |verdict| LedgerEntry::Resolved {
            verdict,
            reason: "looked".to_owned(),
            hook: false,
        };
        let broken = LedgerEntry::Broken {
            failure: failure.clone(),
        };
        let not_executed = LedgerEntry::NotExecuted {
            failure,
            not_before_ms: 0,
        };
        let again = Err(Unpermitted::Again(Action::Rebuild));
        assert_eq!(after(&[]), again);
        assert_eq!(after(std::slice::from_ref(&unknown)), again);
        assert_eq!(after(&[LedgerEntry::Interrupted]), again);
        assert_eq!(after(&[resolved(Verdict::Failed)]), again);
        assert_eq!(after(std::slice::from_ref(&broken)), again);
        assert_eq!(after(&[not_executed]), Ok(()));
        let disproved = LedgerEntry::Disproved { not_before_ms: 0 };
        assert_eq!(after(&[unknown.clone(), disproved]), Ok(()));
        assert_eq!(after(&[unknown, resolved(Verdict::Requeue)]), Ok(()));
        assert_eq!(after(&[broken, LedgerEntry::Retried]), Ok(()));
    }
}
