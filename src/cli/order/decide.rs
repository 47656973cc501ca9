//! Which order is it? What `run` and `load` do with a manifest that may have been seen before.

use std::io;
use std::path::{Path, PathBuf};

use super::options::OrderOptions;
use crate::queue::{Batch, EnqueuePolicy};
use crate::time;

/// What is to be done.
#[derive(Debug)]
pub enum Order<'a> {
    /// The batch is open: go on with it, whatever else was asked.
    Resume {
        batch: &'a Batch,
        /// What is ordered when it has ended.
        then: Option<EnqueuePolicy>,
    },
    /// The batch has ended: nothing to do.
    Ended(&'a Batch),
    /// A new order.
    New(EnqueuePolicy),
    /// An order by the clock, and the last one lies in the future.
    Future(&'a Batch),
}

/// Which batches of the same provider and action a manifest may be, the oldest first.
pub struct Known<'a> {
    /// Those with the same rows.
    pub same: &'a [Batch],
    /// Those of the same path and sheet, whatever stood there then.
    pub path: &'a [Batch],
}

/// A manifest's path as a batch remembers it: absolute, links as they are; `-` stays `-`.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str() == "-" {
        Ok(path.to_owned())
    } else {
        std::path::absolute(path)
    }
}

/// Two paths of [`absolute`] lead to the same file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other
        || matches!(
            (one.canonicalize(), other.canonicalize()),
            (Ok(one), Ok(other)) if one == other
        )
}

/// Decides, given the batches that the manifest may be, and the time as Unix time.
pub fn decide<'a>(known: &Known<'a>, options: OrderOptions, now_ms: i64) -> Order<'a> {
    let Known { same, path } = *known;
    let is_open = |batch: &&Batch| batch.is_open();
    if options.every.is_none() {
        return match (same.iter().rev().find(is_open), same.last()) {
            (Some(batch), _) => Order::Resume { batch, then: None },
            (None, Some(last)) if !options.again => Order::Ended(last),
            (None, _) => Order::New(options.policy(now_ms)),
        };
    }
    // The rows of a nightly order may change from night to night; its path tells which order it is.
    let open = same.iter().rev().find(is_open);
    if let Some(batch) = open.or_else(|| path.iter().rev().find(is_open)) {
        let then = Some(EnqueuePolicy {
            beside: Some(batch.id),
            ..options.policy(now_ms)
        });
        return Order::Resume { batch, then };
    }
    let last = same.last().into_iter().chain(path.last());
    match last.max_by_key(|batch| batch.id) {
        Some(last) if last.created_ms > now_ms + time::CLOCK_STEP_MS => Order::Future(last),
        Some(_) | None => Order::New(options.policy(now_ms)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::{Action, BatchId, Counts, SheetRows};
    use crate::queue::DonePolicy;

    const HOUR_MS: i64 = 3_600_000;

    fn batch(created_ms: i64, counts: Counts) -> Batch {
        Batch {
            id: BatchId(created_ms),
            action: Action::Rebuild,
            identity: [0; 32],
            provider: String::new(),
            api_url: String::new(),
            owner: None,
            plan: None,
            rows: SheetRows::default(),
            number: 1,
            manifest: String::new(),
            path: PathBuf::new(),
            sheet: None,
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

    fn every(hours: u64) -> OrderOptions {
        OrderOptions {
            every: Some(Duration::from_hours(hours)),
            ..OrderOptions::default()
        }
    }

    const AGAIN: OrderOptions = OrderOptions {
        again: true,
        every: None,
        skip_done: false,
        wiped: false,
        max_wipes: None,
        max_change: None,
        update_access: false,
    };

    fn open(created_ms: i64) -> Batch {
        let counts = Counts {
            queued: 1,
            ..Counts::default()
        };
        batch(created_ms, counts)
    }

    fn order(same: &[Batch], options: OrderOptions, now_ms: i64) -> Order<'_> {
        decide(&Known { same, path: &[] }, options, now_ms)
    }

    #[test]
    fn an_open_batch_is_resumed_whatever_else_is_asked() {
        let same = [open(0), ended(5)];
        for options in [OrderOptions::default(), AGAIN, every(1)] {
            match order(&same, options, 99 * HOUR_MS) {
                Order::Resume { batch, then } => {
                    assert_eq!(batch.id.0, 0);
                    assert_eq!(then.is_some(), options.every.is_some());
                }
                other => panic!("{other:?}"),
            }
        }
        let counts = Counts {
            in_doubt: 2,
            held: 1,
            ..Counts::default()
        };
        let watched = [batch(0, counts)];
        let order = order(&watched, OrderOptions::default(), 0);
        assert!(matches!(order, Order::Resume { .. }));
    }

    #[test]
    fn an_open_batch_of_the_same_path_comes_before_a_new_order_by_the_clock_only() {
        let path = [open(0), ended(5)];
        let decide = |options| {
            let known = Known {
                same: &[],
                path: &path,
            };
            decide(&known, options, 99 * HOUR_MS)
        };
        match decide(every(20)) {
            Order::Resume { batch, then } => {
                let then = then.unwrap();
                assert_eq!((batch.id.0, then.beside), (0, Some(batch.id)));
                assert_eq!(then.due.unwrap().now_ms, 99 * HOUR_MS);
            }
            other => panic!("{other:?}"),
        }
        for options in [OrderOptions::default(), AGAIN] {
            assert!(matches!(decide(options), Order::New(_)));
        }
    }

    #[test]
    fn an_ended_batch_is_ordered_again_only_when_asked() {
        let same = [ended(0)];
        assert!(matches!(
            order(&same, OrderOptions::default(), 99 * HOUR_MS),
            Order::Ended(_)
        ));
        // Which services are due, the queue knows.
        for options in [AGAIN, every(20)] {
            match order(&same, options, 0) {
                Order::New(policy) => {
                    assert!(policy.touched && policy.leave_out_held);
                    assert_eq!(policy.done, DonePolicy::Again);
                    assert_eq!(policy.due.is_some(), options.every.is_some());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    // Field case D7.
    #[test]
    fn an_order_that_lies_in_the_future_is_never_waited_for() {
        let same = [ended(HOUR_MS), ended(3 * HOUR_MS)];
        let order = |options, now_ms| order(&same, options, now_ms);
        assert!(
            matches!(order(every(20), 2 * HOUR_MS), Order::Future(batch) if batch.id.0 == 3 * HOUR_MS)
        );
        // A clock is put back by a little every day, and only the last order counts.
        assert!(matches!(
            order(every(20), 3 * HOUR_MS - 9_000),
            Order::New(_)
        ));
        assert!(matches!(order(AGAIN, 2 * HOUR_MS), Order::New(_)));
        let mended = [
            ended(3 * HOUR_MS),
            Batch {
                created_ms: HOUR_MS,
                ..ended(4 * HOUR_MS)
            },
        ];
        let known = Known {
            same: &mended[..1],
            path: &mended,
        };
        assert!(matches!(
            decide(&known, every(1), 2 * HOUR_MS),
            Order::New(_)
        ));
    }

    #[test]
    fn a_new_manifest_refuses_what_is_done_or_was_touched_unless_told_what_to_do_with_it() {
        let policy = |options| match order(&[], options, 0) {
            Order::New(policy) => (policy.done, policy.touched),
            order => panic!("{order:?}"),
        };
        let skip_done = OrderOptions {
            skip_done: true,
            ..OrderOptions::default()
        };
        let wiped = OrderOptions {
            wiped: true,
            ..OrderOptions::default()
        };
        assert_eq!(policy(OrderOptions::default()), (DonePolicy::Refuse, false));
        assert_eq!(policy(skip_done), (DonePolicy::Skip, false));
        assert_eq!(policy(wiped), (DonePolicy::Refuse, true));
        assert_eq!(policy(AGAIN), (DonePolicy::Again, true));
        assert_eq!(policy(every(20)), (DonePolicy::Again, true));
    }

    #[test]
    fn a_file_is_the_same_by_whatever_path_it_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("fleet.csv"), "").unwrap();
        std::fs::write(at("other.csv"), "").unwrap();
        std::os::unix::fs::symlink(at("fleet.csv"), at("link.csv")).unwrap();
        assert!(is_same_file(&at("fleet.csv"), &at("link.csv")));
        assert!(is_same_file(&at("gone.csv"), &at("gone.csv")));
        assert!(!is_same_file(&at("fleet.csv"), &at("other.csv")));
        assert!(!is_same_file(&at("fleet.csv"), Path::new("-")));
        assert!(absolute(Path::new("fleet.csv")).unwrap().is_absolute());
        assert_eq!(absolute(Path::new("-")).unwrap(), Path::new("-"));
    }
}
