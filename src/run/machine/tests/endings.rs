//! How runs end: budget, signals, `--no-wait`, jobs that cannot be started, operators beside the run.

use super::world::{
    End, Fate, MINUTE, Made, NEW, Rebuilding, SECOND, World, options, service, usual,
};
use crate::event::Event;
use crate::job::{Executed, JobRecord, LedgerEntry, Order, ServiceId, State, Verdict};
use crate::run::{Halt, Signal, Tolerance};
use std::time::Duration;

fn error_kind(world: &World, number: u64) -> Option<String> {
    let failure = world.job(number).record.failure.clone();
    failure.map(|failure| failure.error_kind.to_string())
}

#[test]
fn failures_and_doubts_together_use_up_the_budget() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(3);
    let mut world = World::new(20, options);
    world.submits.extend([
        Fate::Refused,
        Fate::Unknown(None),
        Fate::Refused,
        Fate::Accepted(usual()),
    ]);
    world.run();
    // No rebuild was seen to begin before the doubt was decided, or one was: either way never more.
    let damaged = (1..=20)
        .filter(|&number| matches!(world.state(number), State::Failed | State::InDoubt))
        .count();
    assert!(damaged <= 3, "{damaged}");
    let begun = (1..=20)
        .filter(|&number| world.submissions(number) > 0)
        .count();
    if let Some(Halt::FailureBudget { failed, budget }) = world.machine.halt() {
        assert_eq!((*failed, *budget), (3, 3));
    } else {
        assert_eq!(begun, 20, "{:?}", world.machine.halt());
    }
}

#[test]
fn a_run_that_has_used_up_its_budget_halts_and_leaves_the_rest_queued() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(2);
    let mut world = World::new(9, options);
    for number in 1..=9 {
        world.truth(number).always = Some(Fate::Refused);
    }
    world.run();
    let halt = Halt::FailureBudget {
        failed: 2,
        budget: 2,
    };
    assert_eq!(world.machine.halt(), Some(&halt));
    assert!((3..=9).all(|number| world.state(number) == State::Queued));
    let limited = |event: &Event| matches!(event, Event::BudgetLimits { in_flight_max: 2 });
    assert!(
        world.events.iter().any(limited),
        "the run says why its pool is small"
    );
}

/// A resume finds two in flight: the budget that allows two at once still allows these.
#[test]
fn what_a_resume_finds_in_flight_counts_once_against_the_budget() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(2);
    let mut world = World::new(9, options);
    let flies = |world: &World, number| world.state(number) == State::InProgress;
    world.run_until(|world| flies(world, 1) && flies(world, 2));
    world.events.clear();
    world.crash(MINUTE);
    world.run();
    let told = world.events.iter().filter_map(|event| match event {
        Event::BudgetLimits { in_flight_max } => Some(*in_flight_max),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [2]);
    assert_eq!(world.machine.halt(), None);
}

// Field case D11.
/// They are known before the first submission, and use up no budget.
#[test]
fn instances_that_are_not_listed_are_left_out_and_count_against_no_budget() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(1);
    let mut world = World::new(30, options);
    for number in [7, 8, 30] {
        world.list(number, false);
    }
    world.run_until(|world| !world.entries.is_empty());
    let known: Vec<ServiceId> = world.entries.iter().map(|(service, _)| *service).collect();
    assert_eq!(known, [7, 8, 30].map(service), "before anything is sent");
    world.run();
    assert_eq!(world.machine.halt(), None);
    for number in 1..=30 {
        if ![7, 8, 30].contains(&number) {
            assert_eq!(world.state(number), State::Done, "{number}");
            continue;
        }
        assert_eq!(error_kind(&world, number).as_deref(), Some("not_listed"));
        assert_eq!(world.job(number).record.executed(), Executed::No);
        assert_eq!(world.submissions(number), 0);
    }
}

#[test]
fn an_order_of_which_more_than_a_tenth_is_not_listed_is_not_begun() {
    let mut world = World::new(29, options());
    for number in [7, 8, 29] {
        world.list(number, false);
    }
    world.run();
    let halt = Halt::NotListed {
        sent: 0,
        missing: 3,
        jobs: 29,
        first: service(7),
    };
    assert_eq!(world.machine.halt(), Some(&halt));
    assert!((1..=29).all(|number| world.state(number) == State::Queued));
    assert!(world.entries.is_empty());
}

// Field case D11.
/// In the middle of a run: a list that is empty for a moment.
#[test]
fn a_list_that_is_empty_for_a_moment_costs_no_job() {
    let mut options = options();
    options.workers = 3;
    let mut world = World::new(12, options);
    world.run_until(|world| world.submissions(1) > 0);
    for number in 1..=12 {
        world.list(number, false);
    }
    world.run_for(MINUTE);
    assert!((4..=12).all(|number| world.state(number) == State::Queued));
    for number in 1..=12 {
        world.list(number, true);
    }
    world.run();
    assert_eq!(world.machine.halt(), None);
    for number in 1..=12 {
        assert_eq!(world.state(number), State::Done, "{number}");
        assert_eq!(world.submissions(number), 1);
    }
}

/// The same, for good: the run ends, and says what is the matter.
#[test]
fn what_left_the_list_in_the_middle_of_a_run_fails_untouched_in_the_end() {
    let mut options = options();
    options.workers = 1;
    options.tolerances.failures = Tolerance::Percent(100);
    let mut world = World::new(4, options);
    world.run_until(|world| world.submissions(1) > 0);
    world.list(3, false);
    world.run();
    for number in [1, 2, 4] {
        assert_eq!(world.state(number), State::Done, "{number}");
    }
    assert_eq!(error_kind(&world, 3).as_deref(), Some("not_listed"));
    assert_eq!(world.submissions(3), 0);
}

// Field case B7.
/// The budget is the batch's, and no start of a process resets it.
#[test]
fn what_earlier_runs_bore_counts_until_the_operator_has_dealt_with_it() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(2);
    let mut world = World::new(9, options);
    world.truth(1).always = Some(Fate::Refused);
    world.truth(2).always = Some(Fate::Unknown(None));
    world.run();
    let halt = Halt::FailureBudget {
        failed: 2,
        budget: 2,
    };
    assert_eq!(world.machine.halt(), Some(&halt));
    let sent = world.entries.len();
    for _ in 0..3 {
        world.crash(SECOND);
        world.run();
        assert_eq!(world.machine.halt(), Some(&halt));
    }
    assert_eq!(world.entries.len(), sent, "nothing more was sent");
    // One word of the operator makes room for one.
    let retried =
        |record: &mut JobRecord| *record = record.apply(&LedgerEntry::Retried, 0).unwrap();
    world.truth(1).always = None;
    retried(&mut world.queue.values_mut().next().unwrap().record);
    world.crash(SECOND);
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((3..=9).all(|number| world.state(number) == State::Done));
}

/// The same while the run works: it asks before it halts.
#[test]
fn what_the_operator_deals_with_beside_the_run_does_not_halt_it() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(2);
    options.workers = 1;
    let mut world = World::new(9, options);
    world
        .submits
        .extend([Fate::Refused, Fate::Accepted(usual()), Fate::Refused]);
    world.run_until(|world| world.state(1) == State::Failed);
    world.meddled = true;
    let record = &mut world.queue.values_mut().next().unwrap().record;
    *record = record.apply(&LedgerEntry::Retried, 0).unwrap();
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert_eq!(world.state(3), State::Failed);
    assert_eq!(world.state(1), State::Done);
}

// Field case B9.
/// A doubt keeps its slot until its window has passed.
#[test]
fn one_worker_never_takes_a_second_instance_down_while_the_first_may_be() {
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(4, options);
    let unseen = Rebuilding {
        lag: MINUTE,
        takes: MINUTE,
        ..usual()
    };
    world
        .submits
        .extend((0..4).map(|_| Fate::Unknown(Some(unseen.clone()))));
    let mut begun = 0;
    while !world.is_over() {
        world.run_for(SECOND);
        let down = (1..=4).filter(|&number| {
            let truth = &world.account[&service(number)];
            truth.wiped > 0 && truth.back_at.is_some_and(|at| at > world.now.at)
        });
        assert!(down.count() <= 1);
        begun += 1;
    }
    assert!(begun > 100);
    assert!((1..=4).all(|number| world.state(number) == State::Done));
}

// Field case B10.
/// A retry in the last moment of a run is taken up.
#[test]
fn what_is_put_back_in_the_last_moment_is_not_left_behind() {
    let mut world = World::new(2, options());
    world.submits.push_back(Fate::Refused);
    world.in_the_last_moment = Some(|around| {
        around.meddled = true;
        let record = &mut around.queue.values_mut().next().unwrap().record;
        assert_eq!(record.state, State::Failed);
        *record = record.apply(&LedgerEntry::Retried, 0).unwrap();
    });
    world.run();
    assert_eq!(world.state(1), State::Done);
}

// Field case A15.
/// Images differ from data centre to data centre.
#[test]
fn an_image_that_the_first_instance_lacks_is_asked_of_another() {
    let mut world = World::new(3, options());
    world.lacking.insert(service(1));
    world.run();
    assert_eq!(world.count(&Made::Preview(NEW.parse().unwrap())), 2);
    let zones = world.entries.iter().filter_map(|(_, entry)| match entry {
        LedgerEntry::Intent { task, .. } => Some((task.detail(), task.target())),
        _ => None,
    });
    assert_eq!(
        zones.collect::<Vec<_>>(),
        vec![("zone pub".to_owned(), Some("new")); 3]
    );
    let said = |event: &Event| matches!(event, Event::Warning { message } if message.contains("is not offered to service 1"));
    assert_eq!(world.events.iter().filter(|event| said(event)).count(), 1);
}

#[test]
fn an_image_that_nobody_offers_is_sent_as_the_documentation_says_and_that_is_said() {
    let mut world = World::new(3, options());
    world.lacking.extend((1..=3).map(service));
    world.run();
    assert_eq!(world.count(&Made::Preview(NEW.parse().unwrap())), 3);
    let zones = world.entries.iter().filter_map(|(_, entry)| match entry {
        LedgerEntry::Intent { task, .. } => Some(task.detail()),
        _ => None,
    });
    assert_eq!(zones.collect::<Vec<_>>(), ["zone image"; 3]);
    let said = |event: &Event| matches!(event, Event::Warning { message } if message.contains("no instance that is to get image"));
    assert!(world.events.iter().any(said));
}

#[test]
fn an_instance_that_is_busy_is_waited_for_and_then_rebuilt() {
    let mut world = World::new(3, options());
    world.show(1, "rebuilding", "old");
    world.run_until(|world| world.state(3) == State::Done);
    assert_eq!(world.submissions(1), 0, "somebody else rebuilds it");
    world.show(1, "active", "old");
    world.run();
    assert_eq!(world.state(1), State::Done);
}

/// Readings of the deferred instance grow stale between two polls. That once set its patience back
/// to the start each time.
#[test]
fn an_instance_that_never_becomes_ready_fails_untouched_however_slow_the_polls_are() {
    for poll_interval in [10 * SECOND, 6 * MINUTE] {
        let mut options = options();
        options.rules.poll_interval = poll_interval;
        let mut world = World::new(2, options);
        world.show(1, "suspended", "old");
        world.run();
        assert_eq!(error_kind(&world, 1).as_deref(), Some("not_ready"));
        assert_eq!(world.job(1).record.executed(), Executed::No);
        assert!(
            (20 * MINUTE..30 * MINUTE).contains(&world.elapsed()),
            "{:?} with polls every {poll_interval:?}",
            world.elapsed()
        );
    }
}

#[test]
fn after_a_signal_nothing_starts_and_the_answers_under_way_are_recorded() {
    let mut world = World::new(9, options());
    world.slow.insert(service(2), MINUTE);
    world.run_until(|world| world.submissions(2) == 1);
    let calls = world.calls.len();
    world.signal = Some(Signal::Interrupt);
    world.run();
    assert_eq!(world.machine.signal(), Some(Signal::Interrupt));
    assert_eq!(world.calls.len(), calls, "a call was made after the signal");
    assert_eq!(
        world.state(2),
        State::InProgress,
        "its answer was waited for"
    );
    assert!(world.elapsed() > MINUTE);
    assert!((3..=9).all(|number| world.state(number) == State::Queued));
}

#[test]
fn without_waiting_no_list_is_read_and_a_slot_is_free_with_the_answer() {
    let mut options = options();
    options.no_wait = true;
    options.workers = 1;
    let mut world = World::new(5, options);
    for job in world.queue.values_mut() {
        let Order::Rebuild(rebuild) = &mut job.order;
        rebuild.zone = Some("pub".to_owned());
    }
    let mut never = usual();
    never.ends = End::Never;
    for number in [1, 2, 4, 5] {
        world.truth(number).always = Some(Fate::Accepted(never.clone()));
    }
    world.truth(3).always = Some(Fate::Unknown(Some(never)));
    world.run();
    let submitted = |made: &Made| matches!(made, Made::Submit(_));
    assert_eq!(world.calls[0].1, Made::Owner);
    assert!(
        world.calls[1..].iter().all(|(_, made)| submitted(made)),
        "{:?}",
        world.calls
    );
    assert_eq!(world.calls.len(), 1 + 5);
    assert_eq!(world.state(1), State::InProgress);
    assert_eq!(
        world.state(3),
        State::InDoubt,
        "it waits for a later run, or the operator"
    );
    assert_eq!(world.machine.budget.failures(0).held, 1);
    assert!(world.elapsed() < MINUTE);
}

#[test]
fn without_waiting_and_without_a_zone_the_preview_is_asked_for_it() {
    let mut options = options();
    options.no_wait = true;
    let mut world = World::new(3, options);
    world.run();
    assert_eq!(world.count(&Made::Preview(NEW.parse().unwrap())), 1);
    let zones = world.entries.iter().filter_map(|(_, entry)| match entry {
        LedgerEntry::Intent { task, .. } => Some(task.detail()),
        _ => None,
    });
    assert_eq!(zones.collect::<Vec<_>>(), ["zone pub"; 3]);
}

/// The queue once was asked for more before a requeue of the same turn was committed: it knew of
/// nothing, and the run ended with a job still queued.
#[test]
fn what_comes_back_to_the_queue_is_asked_for_after_it_was_committed() {
    let mut one_by_one = options();
    one_by_one.workers = 1;
    let mut world = World::new(12, one_by_one);
    world
        .submits
        .extend([Fate::Accepted(usual()), Fate::Unknown(None)]);
    world.run();
    assert_eq!(
        world.kinds(2)[..4],
        ["intent", "unknown", "disproved", "intent"]
    );
    assert_eq!(world.state(2), State::Done);

    let mut world = World::new(1, options());
    world.submits.push_back(Fate::NotSent);
    world.run();
    assert_eq!(world.kinds(1)[..3], ["intent", "not_executed", "intent"]);
    assert_eq!(world.state(1), State::Done);
}

/// A suspect fails with the answer of `keepalive`. The queue, asked before that was committed, once
/// gave the same job again: an intent was made for a job that had failed.
#[test]
fn a_job_that_has_just_failed_is_not_taken_from_the_queue_again() {
    let mut world = World::new(3, options()).with_bare_token();
    world.truth(1).always = Some(Fate::Unauthorized);
    world.truth(3).always = Some(Fate::Unauthorized);
    // `World::commit_and_call` finds an intent whose guard misses although nobody meddled.
    world.run();
    assert_eq!(world.state(2), State::Done);
}

/// Its doubts are watched while an operator puts them back: the queue offers them, but they are not
/// to start before this run has let go of them. The run once asked for them without a pause.
#[test]
fn doubts_that_an_operator_puts_back_do_not_make_the_run_spin() {
    let mut options = options();
    options.workers = 100;
    options.rate_per_s = 0.0;
    options.tolerances.failures = Tolerance::Jobs(110);
    let mut world = World::new(120, options);
    world.latency = 20 * SECOND;
    world.submits.extend((0..100).map(|_| Fate::Unknown(None)));
    let is_in_doubt = |world: &World, number: &u64| world.state(*number) == State::InDoubt;
    world.run_until(|world| {
        (1..=100)
            .filter(|number| is_in_doubt(world, number))
            .count()
            > 50
    });
    world.meddled = true;
    let mut put_back = Vec::new();
    for job in world.queue.values_mut() {
        if job.record.state == State::InDoubt {
            put_back.push(job.id);
            let entry = LedgerEntry::Resolved {
                verdict: Verdict::Requeue,
                reason: "I looked".to_owned(),
                hook: false,
            };
            job.record = job.record.apply(&entry, 0).unwrap();
        }
    }
    // `World::turn` counts how often the queue is asked within one moment.
    world.run();
    assert!(put_back.len() > 50);
    for job in put_back {
        assert_eq!(world.queue[&job].record.state, State::Done);
    }
}

#[test]
fn a_job_that_is_cancelled_beside_the_run_is_never_sent() {
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(3, options);
    world.run_until(|world| world.submissions(1) == 1);
    world.meddled = true;
    let job = world
        .queue
        .values_mut()
        .find(|job| job.service == service(2));
    let record = &mut job.unwrap().record;
    *record = record.apply(&LedgerEntry::Cancelled, 0).unwrap();
    world.run();
    assert_eq!(world.state(2), State::Cancelled);
    assert_eq!(world.submissions(2), 0);
    assert_eq!((world.state(1), world.state(3)), (State::Done, State::Done));
}

#[test]
fn a_retry_that_an_operator_asks_for_beside_the_run_is_taken_up() {
    let mut world = World::new(2, options());
    world.submits.push_back(Fate::Refused);
    world.run_until(|world| world.state(1) == State::Failed);
    let job = world
        .queue
        .values_mut()
        .find(|job| job.service == service(1));
    let record = &mut job.unwrap().record;
    *record = record.apply(&LedgerEntry::Retried, 0).unwrap();
    world.meddled = true;
    world.run();
    assert_eq!(world.state(1), State::Done);
}

#[test]
fn a_clock_that_is_set_back_delays_nothing_beyond_the_longest_backoff() {
    let mut world = World::new(1, options());
    world.submits.push_back(Fate::NotSent);
    world.run_until(|world| world.submissions(1) == 1);
    world.run_until(|world| world.state(1) == State::Queued);
    world.now.unix_ms -= 86_400_000;
    world.run();
    assert_eq!(world.state(1), State::Done);
    assert!(world.elapsed() < 10 * MINUTE, "{:?}", world.elapsed());
    assert!(world.elapsed() > Duration::ZERO);
}
