//! What an older tenure left between intent and recorded answer, and what frees it.
//!
//! Its sender may live: frozen, or cut off from the database, it may still hand the form to the wire.
//! So nothing that is only *not seen* frees an orphan, and no word of an operator does, until somebody
//! knows that its sender is gone. Positive evidence always ends the doubt, as any other.

use std::fmt;
use std::time::Duration;

use super::{Fence, Tenure};
use crate::job::{Executed, Failure, FailureKind, JobRecord, LedgerEntry, State};
use crate::text;

/// What a take-over writes for a job of an older tenure; `None`: nothing, it stands on its own.
pub fn left_behind(record: &JobRecord, tenure: &Tenure) -> Option<LedgerEntry> {
    let error = format!(
        "host {} was about to send it when its lease ended, and may send it yet",
        text::brief(&tenure.host, 64)
    );
    match record.state {
        State::Submitting => Some(LedgerEntry::Unknown {
            failure: Failure::new(FailureKind::Orphaned, error),
            submitted_ms: None,
        }),
        State::Queued
        | State::InProgress
        | State::InDoubt
        | State::Done
        | State::Failed
        | State::Cancelled => None,
    }
}

/// The present attempt was left behind, and nobody knows yet what became of it.
///
/// It stays one when an operator calls the job failed and sends it again with `retry`: whatever leads to
/// another submission asks [`missing`] as well.
pub fn is_orphan(record: &JobRecord) -> bool {
    let failure = record.failure.as_ref();
    record.executed_now == Executed::Maybe
        && failure.is_some_and(|failure| failure.error_kind == FailureKind::Orphaned)
}

/// For how long what a dead sender had handed to the wire may still take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// `--request-timeout`.
    pub request: Duration,
    /// `--settle`.
    pub settle: Duration,
}

/// What must be waited for before an orphan may be sent again, or be disproved by silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Nobody has said that the sender is down.
    Fence {
        /// The machine.
        host: String,
    },
    /// It is down, and what it sent may still arrive.
    Time {
        /// The machine.
        host: String,
        /// As Unix time by the database's clock.
        until_ms: i64,
    },
    /// It was sent, and may still take effect.
    Effect {
        /// As Unix time by this machine's clock.
        until_ms: i64,
    },
}

/// What is missing at `now_ms` (by the database's clock) to free what `tenure` left behind; `None`:
/// nothing. With it silence is no longer *opposed*; what else it takes says `evidence`.
pub fn missing(tenure: &Tenure, fences: &[Fence], waits: Waits, now_ms: i64) -> Option<Missing> {
    let wait = waits.request.saturating_add(waits.settle);
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let ends = fences.iter().filter(|fence| fence.ends(tenure));
    let host = || tenure.host.clone();
    let Some(since_ms) = ends.map(|fence| fence.at_ms).min() else {
        return Some(Missing::Fence { host: host() });
    };
    let until_ms = since_ms.saturating_add(wait_ms);
    (now_ms < until_ms).then(|| Missing::Time {
        host: host(),
        until_ms,
    })
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host| text::brief(host, 64);
        match self {
            Self::Fence { host: name } => write!(
                f,
                "host {name} may still send it: nobody has said that it is down",
                name = host(name)
            ),
            Self::Time {
                host: name,
                until_ms,
            } => write!(
                f,
                "host {name} is down, and what it had sent may still arrive until {until}",
                name = host(name),
                until = crate::time::human(*until_ms)
            ),
            Self::Effect { until_ms } => write!(
                f,
                "what was sent may still take effect until {}",
                crate::time::human(*until_ms)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::job::{Task, Verdict};

    const WAITS: Waits = Waits {
        request: Duration::from_secs(30),
        settle: Duration::from_mins(1),
    };

    fn tenure() -> Tenure {
        Tenure {
            id: Uuid::from_u128(7),
            epoch: 3,
            host: "alpha".to_owned(),
            since_ms: 1_000,
        }
    }

    fn fence(host: &str, at_ms: i64) -> Fence {
        Fence {
            host: host.to_owned(),
            tenure: None,
            at_ms,
        }
    }

    fn submitting() -> JobRecord {
        let intent = LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: None,
            },
            baseline: None,
        };
        JobRecord::queued().apply(&intent, 1).unwrap()
    }

    #[test]
    fn what_was_being_submitted_is_in_doubt_and_never_queued() {
        let record = submitting();
        let entry = left_behind(&record, &tenure()).unwrap();
        let orphan = record.apply(&entry, 2).unwrap();
        assert_eq!(orphan.state, State::InDoubt);
        assert!(is_orphan(&orphan));
        assert!(orphan.failure.unwrap().error.contains("alpha"));
        assert_eq!(left_behind(&JobRecord::queued(), &tenure()), None);
    }

    #[test]
    fn it_is_an_orphan_until_something_is_known_of_it_or_it_is_sent_again() {
        let record = submitting();
        let orphan = record.apply(&left_behind(&record, &tenure()).unwrap(), 2);
        let orphan = orphan.unwrap();
        let after = |entries: &[LedgerEntry]| {
            let mut record = orphan.clone();
            for entry in entries {
                record = record.apply(entry, 3).unwrap();
            }
            is_orphan(&record)
        };
        let resolved = |verdict| LedgerEntry::Resolved {
            verdict,
            reason: "looked".to_owned(),
            hook: false,
        };
        let left = resolved(Verdict::Failed);
        assert!(after(std::slice::from_ref(&left)));
        assert!(after(&[left, LedgerEntry::Retried]));
        assert!(after(&[resolved(Verdict::Requeue)]));
        assert!(!after(&[resolved(Verdict::Done)]));
        assert!(!after(&[LedgerEntry::Accepted { submitted_ms: 1 }]));
        let failure = Failure::new("not_sent", "no connection");
        assert!(!after(&[LedgerEntry::NotExecuted {
            failure,
            not_before_ms: 0
        }]));
    }

    #[test]
    fn an_orphan_waits_for_the_fence_of_its_sender_and_then_for_what_was_on_the_wire() {
        let missing = |fences: &[Fence], now_ms| missing(&tenure(), fences, WAITS, now_ms);
        let no_fence = Some(Missing::Fence {
            host: "alpha".to_owned(),
        });
        assert_eq!(missing(&[], i64::MAX), no_fence);
        assert_eq!(missing(&[fence("beta", 2_000)], i64::MAX), no_fence);
        assert_eq!(missing(&[fence("alpha", 999)], i64::MAX), no_fence);
        let late = [fence("alpha", 50_000), fence("alpha", 2_000)];
        let until_ms = 92_000;
        assert_eq!(
            missing(&late, until_ms - 1),
            Some(Missing::Time {
                host: "alpha".to_owned(),
                until_ms
            })
        );
        assert_eq!(missing(&late, until_ms), None);
    }

    #[test]
    fn a_process_that_has_ended_frees_what_it_left_and_nothing_else() {
        let ended = |id| Fence {
            tenure: Some(Uuid::from_u128(id)),
            ..fence("alpha", 2_000)
        };
        assert_eq!(missing(&tenure(), &[ended(7)], WAITS, 92_000), None);
        assert!(missing(&tenure(), &[ended(8)], WAITS, 92_000).is_some());
    }

    #[test]
    fn what_is_missing_names_the_host_and_the_time() {
        let no_fence = missing(&tenure(), &[], WAITS, 0).unwrap();
        assert_eq!(
            no_fence.to_string(),
            "host alpha may still send it: nobody has said that it is down"
        );
        let time = missing(&tenure(), &[fence("alpha", 2_000)], WAITS, 3_000);
        let time = time.unwrap().to_string();
        assert!(time.contains("may still arrive until 1970-01-01"), "{time}");
    }
}
