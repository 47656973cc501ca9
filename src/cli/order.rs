//! Which order is it? What `run` and `load` do with a manifest that may have been seen before.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::queue::{Batch, DonePolicy, EnqueuePolicy};
use crate::time;

/// What the operator asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// `--again`
    pub again: bool,
    /// `--every`
    pub every: Option<Duration>,
    /// `--skip-done`
    pub skip_done: bool,
}

/// What is to be done.
#[derive(Debug)]
pub enum Order<'a> {
    /// The batch is open: go on with it, whatever else was asked.
    Resume(&'a Batch),
    /// The batch has ended: nothing to do.
    Ended(&'a Batch),
    /// A new order.
    New(EnqueuePolicy),
}

/// A manifest's path as a batch remembers it: absolute, links as they are; `-` stays `-`.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str() == "-" {
        Ok(path.to_owned())
    } else {
        std::path::absolute(path)
    }
}

/// Decides, given the batches of the same manifest and API, the oldest first.
pub fn decide(same: &[Batch], wish: Wish, now_ms: i64) -> Order<'_> {
    if let Some(open) = same.iter().rev().find(|batch| batch.is_open()) {
        return Order::Resume(open);
    }
    let Some(last) = same.last() else {
        return Order::New(EnqueuePolicy {
            done: match (wish.skip_done, wish.again) {
                (true, _) => DonePolicy::Skip,
                (false, true) => DonePolicy::Again,
                (false, false) => DonePolicy::Refuse,
            },
            leave_out_held: wish.again || wish.every.is_some(),
        });
    };
    let due = wish
        .every
        .is_some_and(|every| time::between(last.created_ms, now_ms) >= every);
    if wish.again || due {
        Order::New(EnqueuePolicy {
            done: DonePolicy::Again,
            leave_out_held: true,
        })
    } else {
        Order::Ended(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{BatchId, Counts};

    const HOUR_MS: i64 = 3_600_000;

    fn batch(created_ms: i64, counts: Counts) -> Batch {
        Batch {
            id: BatchId(created_ms),
            identity: [0; 32],
            provider: String::new(),
            api_url: String::new(),
            number: 1,
            manifest: String::new(),
            path: PathBuf::new(),
            created_ms,
            touched_ms: created_ms,
            counts,
        }
    }

    fn ended(created_ms: i64) -> Batch {
        batch(
            created_ms,
            Counts {
                done: 3,
                in_doubt: 1,
                held: 1,
                ..Counts::default()
            },
        )
    }

    fn every(hours: u64) -> Wish {
        Wish {
            every: Some(Duration::from_hours(hours)),
            ..Wish::default()
        }
    }

    #[test]
    fn an_open_batch_is_resumed_whatever_else_is_asked() {
        let open = batch(
            0,
            Counts {
                queued: 1,
                ..Counts::default()
            },
        );
        let same = [open, ended(5)];
        for wish in [
            Wish::default(),
            Wish {
                again: true,
                ..Wish::default()
            },
            every(1),
        ] {
            assert!(
                matches!(decide(&same, wish, 99 * HOUR_MS), Order::Resume(batch) if batch.id.0 == 0)
            );
        }
        let watched = [batch(
            0,
            Counts {
                in_doubt: 2,
                held: 1,
                ..Counts::default()
            },
        )];
        assert!(matches!(
            decide(&watched, Wish::default(), 0),
            Order::Resume(_)
        ));
    }

    #[test]
    fn an_ended_batch_is_ordered_again_only_when_asked_or_due() {
        let same = [ended(0)];
        assert!(matches!(
            decide(&same, Wish::default(), 99 * HOUR_MS),
            Order::Ended(_)
        ));
        assert!(matches!(
            decide(&same, every(20), 19 * HOUR_MS),
            Order::Ended(_)
        ));
        assert!(
            matches!(decide(&same, every(20), -HOUR_MS), Order::Ended(_)),
            "a clock set back"
        );
        let held_is_left_out = |order| {
            matches!(
                order,
                Order::New(EnqueuePolicy {
                    done: DonePolicy::Again,
                    leave_out_held: true
                })
            )
        };
        assert!(held_is_left_out(decide(&same, every(20), 20 * HOUR_MS)));
        assert!(held_is_left_out(decide(
            &same,
            Wish {
                again: true,
                ..Wish::default()
            },
            0
        )));
    }

    #[test]
    fn a_new_manifest_refuses_what_is_done_unless_told_what_to_do_with_it() {
        let done = |wish| match decide(&[], wish, 0) {
            Order::New(policy) => policy.done,
            order => panic!("{order:?}"),
        };
        assert_eq!(done(Wish::default()), DonePolicy::Refuse);
        assert_eq!(
            done(Wish {
                skip_done: true,
                ..Wish::default()
            }),
            DonePolicy::Skip
        );
        assert_eq!(
            done(Wish {
                again: true,
                ..Wish::default()
            }),
            DonePolicy::Again
        );
        assert_eq!(done(every(20)), DonePolicy::Refuse);
    }
}
