//! When a submission of which nobody knows the outcome can take effect no more.
//!
//! Until then it binds its service, in whichever batch that is ordered, and whatever was said of it: what is
//! sent meanwhile could be wiped by it afterwards. So the rule is asked in one place, when a run asks for jobs
//! ([`crate::queue::Store::ready`]), and once more before a word of an operator, who has to look at an
//! instance when nothing can happen to it any more.

use super::Fence;
use super::orphan::{self, Missing, Waits};
use crate::queue::{Stray, Strays};

/// What is missing until `stray` can take effect no more; `None`: it can't. `here_ms`: the time by the clock
/// of this process.
pub fn missing(stray: &Stray, strays: &Strays, waits: Waits, here_ms: i64) -> Option<Missing> {
    if let Some(sender) = &stray.sender {
        // A process that has said that it ended is as good as fenced.
        let ended = sender.ended_ms.map(|ended_ms| Fence {
            host: sender.tenure.host.clone(),
            tenure: Some(sender.tenure.id),
            at_ms: ended_ms.max(sender.tenure.since_ms),
        });
        let fences: Vec<Fence> = strays.fences.iter().cloned().chain(ended).collect();
        let missing = orphan::missing(&sender.tenure, &fences, waits, strays.now_ms);
        if missing.is_some() {
            return missing;
        }
    }
    let settle_ms = i64::try_from(waits.settle.as_millis()).unwrap_or(i64::MAX);
    let until_ms = stray.sent_ms.saturating_add(settle_ms);
    (here_ms < until_ms).then_some(Missing::Effect { until_ms })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::job::{BatchId, JobId, ServiceId};
    use crate::queue::{Attempt, Sender, Tenure};

    const WAITS: Waits = Waits {
        request: Duration::from_secs(30),
        settle: Duration::from_mins(1),
    };

    fn stray(sender: Option<Sender>) -> Stray {
        Stray {
            attempt: Attempt {
                job: JobId::from_stored(1),
                number: 1,
            },
            batch: BatchId(1),
            service: ServiceId::new(5).unwrap(),
            is_own: true,
            is_in_the_way: true,
            sent_ms: 5_000,
            sender,
        }
    }

    fn alpha(ended_ms: Option<i64>) -> Sender {
        Sender {
            tenure: Tenure {
                id: Uuid::from_u128(7),
                epoch: 3,
                host: "alpha".to_owned(),
                since_ms: 1_000,
            },
            ended_ms,
        }
    }

    #[test]
    fn what_was_sent_may_take_effect_until_settle_has_passed() {
        let none = Strays::default();
        let missing = |here_ms| missing(&stray(None), &none, WAITS, here_ms);
        let until_ms = 65_000;
        assert_eq!(missing(until_ms - 1), Some(Missing::Effect { until_ms }));
        assert_eq!(missing(until_ms), None);
    }

    #[test]
    fn what_a_sender_may_still_send_waits_for_its_end_however_long_ago_it_was() {
        let strays = |fences| Strays {
            all: Vec::new(),
            fences,
            now_ms: 1_000_000,
        };
        let orphan = stray(Some(alpha(None)));
        let waits = missing(&orphan, &strays(Vec::new()), WAITS, i64::MAX);
        assert!(matches!(waits, Some(Missing::Fence { .. })), "{waits:?}");
        let down = |at_ms| {
            let host = "alpha".to_owned();
            strays(vec![Fence {
                host,
                tenure: None,
                at_ms,
            }])
        };
        let waits = missing(&orphan, &down(950_000), WAITS, i64::MAX);
        assert!(matches!(waits, Some(Missing::Time { .. })), "{waits:?}");
        assert_eq!(missing(&orphan, &down(900_000), WAITS, i64::MAX), None);
        // It has said so itself, and a host that is down does not outlive what it had sent.
        let ended = stray(Some(alpha(Some(900_000))));
        assert_eq!(missing(&ended, &strays(Vec::new()), WAITS, i64::MAX), None);
        assert_eq!(
            missing(&orphan, &down(900_000), WAITS, 5_000),
            Some(Missing::Effect { until_ms: 65_000 })
        );
    }
}
