//! Instances that are other than their order expects.

use super::world::{Fate, SECOND, World, options, service, usual};
use crate::job::{Expected, JobId, LedgerEntry, State, Transition, Verdict};
use crate::run::{Halt, Options, Tolerance};

fn at_most(allowed: u64) -> Options {
    let mut options = options();
    options.tolerances.mismatches = Tolerance::Jobs(allowed);
    options
}

/// All of `jobs` expect their instances as they are, but those that moved afterwards.
fn pinned(jobs: u64, options: Options, moved: impl IntoIterator<Item = u64>) -> World {
    let mut world = World::new(jobs, options);
    world.pin();
    for number in moved {
        world.give_address(number, "192.0.2.200");
    }
    world
}

fn errors(world: &World) -> Vec<String> {
    let failures = world
        .queue
        .values()
        .filter_map(|job| job.record.failure.as_ref());
    failures
        .map(|failure| format!("{}: {}", failure.error_kind, failure.error))
        .collect()
}

#[test]
fn what_stands_there_unexpectedly_fails_untouched_and_the_rest_goes_on() {
    let mut options = at_most(2);
    options.tolerances.failures = Tolerance::Jobs(1);
    let mut world = pinned(6, options, [2, 5]);
    world.run();
    assert_eq!(world.machine.halt(), None);
    for number in 1..=6 {
        let is_moved = number == 2 || number == 5;
        let state = if is_moved { State::Failed } else { State::Done };
        assert_eq!(world.state(number), state, "{number}");
        assert_eq!(world.submissions(number), usize::from(!is_moved));
    }
    let error = "plan_mismatch: its address is `192.0.2.200`, and it had none";
    assert_eq!(errors(&world), [error, error]);
}

#[test]
fn nothing_is_sent_where_more_instances_than_allowed_are_other_than_expected() {
    let mut world = pinned(10, at_most(2), [1, 4, 10]);
    world.run();
    let halt = Halt::PlanMismatch {
        mismatched: 3,
        allowed: 2,
        nothing_sent: true,
    };
    assert_eq!(world.machine.halt(), Some(&halt));
    for number in 1..=10 {
        assert_eq!(world.state(number), State::Queued, "{number}");
        assert_eq!(world.submissions(number), 0);
    }
}

/// The store tells of them in pages.
#[test]
fn the_last_jobs_of_a_long_order_are_compared_before_the_first_is_sent() {
    let mut options = at_most(1);
    options.rate_per_s = 0.0;
    let mut world = pinned(4_100, options, [1, 4_100]);
    world.page_size = 1_000;
    world.run();
    let halt = Halt::PlanMismatch {
        mismatched: 2,
        allowed: 1,
        nothing_sent: true,
    };
    assert_eq!(world.machine.halt(), Some(&halt));
    assert!(world.entries.is_empty());
}

#[test]
fn a_fleet_that_changes_during_a_run_halts_it_and_the_runs_after_it_until_somebody_deals_with_that()
{
    let mut options = at_most(2);
    options.workers = 1;
    let mut world = pinned(10, options, []);
    world.run_until(|world| world.submissions(1) > 0);
    for number in 2..=10 {
        world.give_address(number, "192.0.2.200");
    }
    world.run();
    let halted = |nothing_sent| {
        Some(Halt::PlanMismatch {
            mismatched: 3,
            allowed: 2,
            nothing_sent,
        })
    };
    assert_eq!(world.machine.halt().cloned(), halted(false));
    assert_eq!(errors(&world).len(), 3);
    let submitted: usize = (2..=10)
        .map(|number| world.count_all_submissions(number))
        .sum();
    assert_eq!(submitted, 0);

    for number in 2..=10 {
        world.give_address(number, "");
    }
    world.crash(SECOND);
    world.run();
    assert_eq!(world.machine.halt().cloned(), halted(true));
    let failed: Vec<JobId> = (world.queue.values())
        .filter(|job| job.record.state == State::Failed)
        .map(|job| job.id)
        .collect();
    for job in failed {
        let unix_ms = world.now.unix_ms;
        let row = world.queue.get_mut(&job).unwrap();
        let record = std::mem::take(&mut row.record);
        let step = Transition::new(job, record, LedgerEntry::Retried, unix_ms).unwrap();
        row.record = step.to;
    }
    world.crash(SECOND);
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((1..=10).all(|number| world.state(number) == State::Done));
}

/// A wiped instance no longer has the image that the order expects: its name and address still tell
/// whether it is the one that was meant.
#[test]
fn what_the_order_may_have_touched_is_compared_by_name_and_address_alone() {
    for moves in [false, true] {
        let mut world = pinned(1, at_most(1), []);
        world.submits.push_back(Fate::Unknown(Some(usual())));
        world.run_until(|world| world.state(1) == State::InDoubt);
        let unix_ms = world.now.unix_ms;
        let entry = LedgerEntry::Resolved {
            verdict: Verdict::Requeue,
            reason: "it did not come up".to_owned(),
            hook: false,
        };
        let row = world.queue.values_mut().next().unwrap();
        let record = std::mem::take(&mut row.record);
        row.record = Transition::new(row.id, record, entry, unix_ms).unwrap().to;
        world.account.get_mut(&service(1)).unwrap().wiped = 0;
        world.show(1, "active", "third");
        if moves {
            world.give_address(1, "192.0.2.200");
        }
        world.crash(SECOND);
        world.run();
        let submitted = world.submissions(1);
        assert_eq!(submitted, usize::from(!moves), "{:?}", world.job(1));
    }
}

#[test]
fn without_a_list_nothing_is_sent_that_expects_something() {
    let mut options = at_most(9);
    options.no_wait = true;
    let mut world = World::new(2, options);
    let job = world.queue.values_mut().next().unwrap();
    job.expected = Expected {
        name: Some("web-1".to_owned()),
        ..Expected::default()
    };
    world.run();
    assert_eq!((world.submissions(1), world.submissions(2)), (0, 1));
}
