//! What readings of the list mean for the jobs of a run, in the order in which they really come.

use crate::queue::QueuedJob;

use super::world::{
    Around, End, Fate, MINUTE, Made, OLD, Rebuilding, SECOND, World, options, service, usual,
};
use crate::job::{Evidence, Executed, Order, State};
use crate::run::Halt;
use std::time::Duration;

fn error(world: &World, number: u64) -> String {
    let failure = world.job(number).record.failure.clone();
    failure.map(|failure| failure.error).unwrap_or_default()
}

fn order_image(job: &mut QueuedJob, image: &str) {
    let Order::Rebuild(rebuild) = &mut job.order;
    rebuild.image = image.parse().unwrap();
}

fn executed_after(lag: Duration) -> Fate {
    Fate::Unknown(Some(Rebuilding { lag, ..usual() }))
}

#[test]
fn a_doubt_that_was_executed_is_seen_and_never_sent_again() {
    let mut world = World::new(3, options());
    world.submits.push_back(executed_after(30 * SECOND));
    world.run();
    assert_eq!(world.submissions(1), 1);
    assert_eq!(world.state(1), State::Done);
    assert_eq!(world.kinds(1)[..3], ["intent", "unknown", "sighted"]);
}

#[test]
fn a_doubt_that_was_not_executed_is_disproved_and_sent_again() {
    // With one worker the next job is the control.
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(3, options);
    world.submits.push_back(Fate::Unknown(None));
    world.run();
    assert_eq!(world.submissions(1), 2);
    assert_eq!(world.state(1), State::Done);
    assert_eq!(world.job(1).record.retries, 1);
}

#[test]
fn after_the_last_retry_what_was_never_executed_has_failed_untouched() {
    let mut options = options();
    options.workers = 1;
    options.rules.retries = 0;
    let mut world = World::new(9, options);
    world.truth(1).always = Some(Fate::Unknown(None));
    // Their names show at once: the windows stay short.
    let quick = Rebuilding {
        name_lag: Some(SECOND),
        ..usual()
    };
    for number in 2..=9 {
        world.truth(number).always = Some(Fate::Accepted(quick.clone()));
    }
    world.run();
    assert_eq!(world.state(1), State::Failed);
    assert_eq!(world.job(1).record.executed(), Executed::No);
    assert_eq!(world.submissions(1), 1, "no retry was left");
}

/// Nothing may be disproved before a rebuild of this run was seen to begin.
#[test]
fn a_list_that_lags_for_longer_than_the_window_leads_to_no_second_wipe() {
    let mut world = World::new(1, options());
    world.submits.push_back(executed_after(10 * MINUTE));
    world.run();
    assert_eq!((world.truth(1).wiped, world.submissions(1)), (1, 1));
    assert!(
        world.job(1).record.held,
        "nobody knows how far the list lags"
    );
}

/// The list was quick at first and then stands still: what was accepted meanwhile shows no sign
/// either, so the lag is at least as long as that has waited.
#[test]
fn a_list_that_freezes_leads_to_no_second_wipe() {
    let mut options = options();
    options.workers = 2;
    options.rules.unseen_after = 6 * MINUTE;
    let mut world = World::new(4, options);
    world.run_until(|world| world.state(2) == State::Done);
    assert_eq!(world.truth(3).wiped, 0);
    let slow = Rebuilding {
        lag: 15 * MINUTE,
        ..usual()
    };
    world
        .submits
        .extend([Fate::Accepted(slow.clone()), Fate::Unknown(Some(slow))]);
    world.run_until(World::is_over);
    assert!(
        (1..=4).all(|number| world.account[&service(number)].wiped <= 1),
        "wiped twice: {:?}",
        world.kinds(4)
    );
    assert_eq!(world.submissions(4), 1, "{:?}", world.kinds(4));
}

/// The machine sleeps while the answer is outstanding; meanwhile the rebuild happens and a human
/// puts the old image back. Nothing of that was watched.
#[test]
fn a_process_that_slept_while_its_answer_was_outstanding_proves_nothing_by_silence() {
    let mut world = World::new(3, options());
    world.submits.extend([
        Fate::Accepted(usual()),
        Fate::Accepted(usual()),
        executed_after(SECOND),
    ]);
    world.slow.insert(service(3), Duration::from_hours(3));
    world.run_until(|world| world.submissions(3) == 1 && world.state(2) == State::Done);
    world.pass(Duration::from_hours(2));
    world.show(3, "active", "old");
    world.run();
    assert_eq!(world.submissions(3), 1);
    assert!(world.job(3).record.held);
    assert!(
        error(&world, 3).contains("no answer"),
        "{}",
        error(&world, 3)
    );
}

#[test]
fn a_process_that_slept_while_it_watched_proves_nothing_by_silence() {
    let mut world = World::new(3, options());
    world.submits.extend([
        Fate::Accepted(usual()),
        Fate::Accepted(usual()),
        executed_after(SECOND),
    ]);
    world.run_until(|world| world.state(3) == State::InDoubt);
    world.pass(Duration::from_hours(2));
    world.show(3, "active", "old");
    world.run();
    assert_eq!(world.submissions(3), 1);
    assert!(world.job(3).record.held);
}

/// After a sleep everything in flight is older than its time: the run looks before it gives up.
#[test]
fn rebuilds_that_came_back_while_the_process_slept_are_done() {
    let mut world = World::new(4, options());
    world.run_until(|world| (1..=4).all(|number| world.state(number) == State::InProgress));
    world.pass(Duration::from_hours(2));
    world.run();
    assert!((1..=4).all(|number| world.state(number) == State::Done));
}

/// The same after an outage that is shorter than the time it may last.
#[test]
fn rebuilds_that_came_back_during_an_outage_are_done() {
    let mut options = options();
    options.rules.rebuild_timeout = 8 * MINUTE;
    let mut world = World::new(4, options);
    world.run_until(|world| (1..=4).all(|number| world.state(number) == State::InProgress));
    world.down = true;
    world.run_for(9 * MINUTE);
    world.down = false;
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((1..=4).all(|number| world.state(number) == State::Done));
}

#[test]
fn a_rebuild_that_never_ends_is_held_after_its_time() {
    let mut world = World::new(2, options());
    let never = Rebuilding {
        ends: End::Never,
        ..usual()
    };
    world.submits.push_back(Fate::Accepted(never));
    world.run();
    assert_eq!(world.state(1), State::InDoubt);
    assert!(world.job(1).record.held);
    assert_eq!(world.job(1).record.executed(), Executed::Yes);
    assert!((20 * MINUTE..22 * MINUTE).contains(&world.elapsed()));
}

#[test]
fn an_instance_that_ends_in_error_has_failed_wiped() {
    let mut world = World::new(2, options());
    let broken = Rebuilding {
        ends: End::Error,
        ..usual()
    };
    world.submits.push_back(Fate::Accepted(broken));
    world.run();
    assert_eq!(world.state(1), State::Failed);
    assert_eq!(world.job(1).record.executed(), Executed::Yes);
}

#[test]
fn with_the_same_image_before_and_after_a_doubt_is_left_to_the_operator() {
    let mut world = World::new(3, options());
    for job in world.queue.values_mut().take(1) {
        order_image(job, OLD);
    }
    world.submits.push_back(Fate::Unknown(None));
    world.run();
    assert!(world.job(1).record.held);
    assert_eq!(world.submissions(1), 1);
}

#[test]
fn an_accepted_rebuild_of_the_same_image_that_nobody_saw_is_done_by_acceptance() {
    let mut world = World::new(1, options());
    order_image(world.queue.values_mut().next().unwrap(), OLD);
    let unseen = Rebuilding {
        takes: SECOND,
        ..usual()
    };
    world.submits.push_back(Fate::Accepted(unseen));
    world.run();
    assert_eq!(world.job(1).record.evidence, Some(Evidence::Accepted));
    assert!(world.elapsed() >= 4 * MINUTE);
}

#[test]
fn a_doubt_whose_service_has_left_the_list_is_held_and_the_run_ends() {
    let mut world = World::new(3, options());
    world.submits.push_back(executed_after(10 * SECOND));
    world.run_until(|world| world.state(1) == State::InDoubt);
    world.list(1, false);
    world.run();
    assert!(world.job(1).record.held);
    assert_eq!(world.submissions(1), 1);
}

#[test]
fn a_service_that_changes_its_page_is_found_again() {
    for submitted in [Fate::Accepted(usual()), executed_after(SECOND)] {
        let mut world = World::new(12, options());
        world.page_size = 3;
        world.submits.push_back(submitted);
        world.run_until(|world| world.submissions(1) == 1);
        world.move_to_the_end(1);
        world.run();
        assert_eq!(world.state(1), State::Done);
    }
}

/// The list has become shorter, and the page on which the service stood is gone: the API answers
/// with another one. The service stands on a page that nobody reads.
#[test]
fn a_service_whose_page_is_gone_is_found_again() {
    for submitted in [Fate::Accepted(usual()), executed_after(SECOND)] {
        let mut world = World::new(1, options());
        world.add_strangers(1, 8);
        world.page_size = 3;
        world.move_to_the_end(1);
        world.submits.push_back(submitted);
        world.run_until(|world| world.submissions(1) == 1);
        world.remove_strangers(3);
        world.move_to_the_front(1);
        world.run();
        assert_eq!(world.state(1), State::Done, "{:?}", world.kinds(1));
        assert!(world.elapsed() < 10 * MINUTE);
    }
}

/// A list that never agrees with itself gives no complete reading: that must not keep a run alive
/// for ever.
#[test]
fn a_list_that_always_contradicts_itself_ends_every_doubt_all_the_same() {
    for submitted in [
        executed_after(SECOND),
        Fate::Unknown(None),
        Fate::Accepted(usual()),
    ] {
        let mut world = World::new(2, options());
        world.add_strangers(2, 9);
        world.page_size = 4;
        world.submits.push_back(submitted);
        world.run_until(|world| world.submissions(1) == 1);
        world.total_off_by = 3;
        world.list(1, false);
        world.run();
        assert!(world.job(1).record.held, "{:?}", world.job(1).record);
        assert_eq!(world.submissions(1), 1);
        assert_eq!(world.state(2), State::Done);
    }
}

/// A run of an earlier process, whose doubt nobody watched: only positive evidence counts.
#[test]
fn after_a_restart_silence_proves_nothing() {
    let mut world = World::new(3, options());
    world.submits.extend([
        Fate::Accepted(usual()),
        Fate::Accepted(usual()),
        Fate::Unknown(None),
    ]);
    world.run_until(|world| world.state(3) == State::InDoubt && world.state(2) == State::Done);
    world.crash(SECOND);
    world.run();
    assert!(world.job(3).record.held);
    assert_eq!(world.count_all_submissions(3), 1);
}

/// Killed for hours between intent and restart, while a human restored the old image, or installed
/// the ordered one by hand.
#[test]
fn what_is_seen_hours_after_a_crash_proves_nothing() {
    for (status, image) in [("active", "old"), ("active", "new"), ("rebuilding", "new")] {
        let mut world = World::new(2, options());
        world.slow.insert(service(1), MINUTE);
        world.submits.push_back(executed_after(SECOND));
        world.run_until(|world| world.submissions(1) == 1);
        assert_eq!(world.state(1), State::Submitting);
        world.crash(Duration::from_hours(5));
        world.show(1, status, image);
        world.run();
        assert!(world.job(1).record.held, "{status} {image}");
        assert_eq!(world.job(1).record.executed(), Executed::Maybe);
        assert_eq!(world.truth(1).wiped, 1);
        assert_eq!(world.state(2), State::Done);
    }
}

#[test]
fn what_is_seen_soon_after_a_crash_is_evidence() {
    let mut world = World::new(2, options());
    world.slow.insert(service(1), MINUTE);
    world.submits.push_back(executed_after(SECOND));
    world.run_until(|world| world.submissions(1) == 1);
    world.crash(5 * MINUTE);
    world.run();
    assert_eq!(world.state(1), State::Done);
    assert_eq!(world.kinds(1)[..3], ["intent", "interrupted", "sighted"]);
}

/// Many workers on many pages: pages that grew old for waiting jobs once took every reading, and
/// the rebuilds in flight were never seen to end.
#[test]
fn jobs_that_wait_do_not_keep_the_rebuilds_in_flight_from_being_watched() {
    let mut options = options();
    options.workers = 20;
    options.rate_per_s = 0.2;
    options.rules.rebuild_timeout = Duration::from_hours(2);
    let mut world = World::new(60, options);
    world.page_size = 1;
    // Their pages are read again in another order than they stand in.
    world.show(1, "active", "old");
    world.run();
    assert!((1..=60).all(|number| world.state(number) == State::Done));
}

/// The question before the run has read the list already: searches of the run are polls.
#[test]
fn a_search_in_the_middle_of_a_run_takes_every_second_slot_at_most() {
    let mut world = World::new(12, options());
    world.page_size = 3;
    world.with_the_list_read();
    world.run_until(|world| world.submissions(1) == 1);
    world.list(1, false);
    // `World::check_rate` looks at every poll.
    world.run();
    assert_eq!(world.state(12), State::Done);
}

// The assumptions of the argument why silence proves anything, each broken in a run of its own: no
// instance is wiped twice, and the doubt is held.

/// One worker, so that each job would be the control of the one before. The second's answer is lost
/// after `fate`; `odd` breaks an assumption.
fn with_a_doubt(fate: Fate, odd: impl FnOnce(&mut World)) -> World {
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(12, options);
    world.submits.extend([Fate::Accepted(usual()), fate]);
    odd(&mut world);
    world.run();
    world
}

#[track_caller]
fn assert_held(world: &World, number: u64, wiped: u32) {
    let record = &world.job(number).record;
    assert!(record.held, "{record:?}");
    assert_eq!(world.account[&service(number)].wiped, wiped);
    assert_eq!(world.submissions(number), 1);
}

#[test]
fn where_nothing_is_odd_silence_and_a_control_end_the_doubt() {
    let world = with_a_doubt(Fate::Unknown(None), |_| {});
    assert_eq!(world.submissions(2), 2);
    assert!((1..=12).all(|number| world.state(number) == State::Done));
}

// Field case A8.
/// While the doubt is watched, the instance is deleted and ordered anew
/// under its id. It stands there with an old image because it is new.
#[test]
fn a_machine_with_another_address_is_not_the_one_that_was_meant() {
    for (now, submissions) in [("192.0.2.2", 2), ("198.51.100.7", 1)] {
        let mut options = options();
        options.workers = 1;
        let mut world = World::new(12, options);
        (world.submits).extend([Fate::Accepted(usual()), Fate::Unknown(None)]);
        world.truth(2).ip = Some("192.0.2.2");
        world.run_until(|world| world.submissions(2) > 0);
        world.truth(2).ip = Some(now);
        world.run();
        assert_eq!(world.submissions(2), submissions, "{now}");
        let state = if submissions == 1 {
            State::InDoubt
        } else {
            State::Done
        };
        assert_eq!(world.state(2), state);
    }
}

// Field case A1.
/// Nothing that happens ever shows, and what was accepted counts as done in the end.
#[test]
fn a_list_that_never_shows_anything_disproves_nothing() {
    let frozen = |world: &mut World| world.oddities.frozen_s = vec![(0, u64::MAX)];
    let world = with_a_doubt(executed_after(SECOND), frozen);
    assert_held(&world, 2, 1);
    assert_eq!(world.job(1).record.evidence, Some(Evidence::Accepted));
    assert_eq!(world.state(12), State::Done);
}

// Field case A2.
/// It stood in `error`, is rebuilt, fails at once, and stands there again.
#[test]
fn an_instance_that_stood_in_error_is_never_disproved() {
    let failed = Fate::Unknown(Some(Rebuilding {
        lag: SECOND,
        takes: SECOND,
        ends: End::ErrorBefore,
        name_lag: None,
    }));
    let world = with_a_doubt(failed, |world| world.show(2, "error", "old"));
    assert_held(&world, 2, 1);
}

// Field case A3.
/// The status shows at once, the name long after `--settle`; nobody reads the page
/// while it is `rebuilding`.
#[test]
fn a_name_that_shows_late_hides_no_rebuild() {
    let late = Rebuilding {
        lag: SECOND,
        takes: SECOND,
        ends: End::Back,
        name_lag: Some(7 * MINUTE),
    };
    let mut options = options();
    options.workers = 1;
    options.rules.unseen_after = 9 * MINUTE;
    let mut world = World::new(12, options);
    world.submits.push_back(Fate::Accepted(late.clone()));
    world.submits.push_back(Fate::Unknown(Some(late.clone())));
    for number in 3..=12 {
        world.truth(number).always = Some(Fate::Accepted(late.clone()));
    }
    world.run();
    assert_eq!((world.truth(2).wiped, world.submissions(2)), (1, 1));
    assert_eq!(world.state(2), State::Done);
}

// Field cases A3 and A9.
/// The list says "Ubuntu" where the preview says "Ubuntu-22.04".
#[test]
fn a_list_that_names_images_otherwise_than_the_preview_disproves_nothing() {
    let quick = Fate::Unknown(Some(Rebuilding {
        lag: SECOND,
        takes: SECOND,
        ..usual()
    }));
    let world = with_a_doubt(quick, |world| world.oddities.new_name = Some("renewed"));
    assert_held(&world, 2, 1);
    // The others were accepted, seen rebuilding, and are back.
    for number in (1..=12).filter(|&number| number != 2) {
        assert_eq!(world.state(number), State::Done, "{number}");
        let remark = world.job(number).record.failure.clone().unwrap();
        assert_eq!(remark.error_kind, "third_image");
    }
}

#[test]
fn spellings_of_one_name_are_one_name() {
    let world = with_a_doubt(Fate::Unknown(None), |world| {
        world.oddities.new_name = Some("N e.W");
    });
    assert!((1..=12).all(|number| world.state(number) == State::Done));
    assert!((1..=12).all(|number| world.job(number).record.failure.is_none()));
}

// Field case A4.
/// It was seen to work, and then froze: with the doubt alone in flight, with a rebuild
/// that was seen and stays `rebuilding` for ever, and a single page of many.
#[test]
fn a_page_that_froze_after_it_was_seen_to_work_disproves_nothing() {
    for page_size in [50, 4] {
        let world = with_a_doubt(executed_after(MINUTE), |world| {
            world.page_size = page_size;
            world.oddities.frozen_page_s = Some((1, 100, u64::MAX));
        });
        assert_held(&world, 2, 1);
    }
    let mut options = options();
    options.workers = 2;
    let mut world = World::new(3, options);
    world.oddities.frozen_s = vec![(30, u64::MAX)];
    let seen = Rebuilding {
        lag: SECOND,
        ..usual()
    };
    world.submits.push_back(Fate::Accepted(seen));
    world.submits.push_back(executed_after(MINUTE));
    world.slow.insert(service(2), 20 * SECOND);
    world.run();
    assert_held(&world, 2, 1);
    assert_eq!(world.state(1), State::InDoubt, "it never came back");
}

/// Pages that lag differently: what was learned on the first says nothing of the third.
#[test]
fn pages_that_lag_differently_hide_no_rebuild() {
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(12, options);
    world.page_size = 4;
    world.oddities.page_lag_s = 150;
    world
        .submits
        .extend((0..8).map(|_| Fate::Accepted(usual())));
    world.submits.push_back(executed_after(SECOND));
    world.run();
    assert_eq!((world.truth(9).wiped, world.submissions(9)), (1, 1));
    assert_eq!(world.state(9), State::Done);
}

// Field case A8.
/// Refused while a human reinstalled, undone afterwards, accepted and never done.
#[test]
fn the_old_image_in_the_end_is_no_success() {
    let undone = Rebuilding {
        ends: End::Undone,
        ..usual()
    };
    for fate in [
        Fate::Ignored,
        Fate::Accepted(undone.clone()),
        Fate::Unknown(Some(undone)),
    ] {
        let world = with_a_doubt(fate, |_| {});
        let record = &world.job(2).record;
        assert!(record.held, "{record:?}");
        let failure = record.failure.clone().unwrap();
        assert_eq!(failure.error_kind, "old_image");
    }
}

// Field case A10.
/// The machine sleeps for three hours, and somebody else reinstalls meanwhile.
#[test]
fn after_a_sleep_of_the_machine_somebody_elses_rebuild_ends_no_doubt() {
    let mut world = World::new(3, options());
    world.submits.extend([
        Fate::Accepted(usual()),
        Fate::Accepted(usual()),
        Fate::Unknown(None),
    ]);
    world.run_until(|world| world.state(3) == State::InDoubt);
    world.sleep(Duration::from_hours(3));
    world.show(3, "active", "new");
    world.run();
    assert_held(&world, 3, 0);
    assert_eq!(world.job(3).record.executed(), Executed::Maybe);
}

// Field case A10.
/// The page on its way when the process stood still shows what somebody else did.
#[test]
fn a_page_asked_for_before_a_suspension_ends_no_doubt_after_it() {
    let sleeps: [fn(&mut Around, Duration); 2] = [Around::sleep, Around::pass];
    for sleep in sleeps {
        let mut world = World::new(3, options());
        world.submits.extend([
            Fate::Accepted(usual()),
            Fate::Accepted(usual()),
            Fate::Unknown(None),
        ]);
        world.run_until(|world| world.state(3) == State::InDoubt && world.is_reading());
        sleep(&mut world, Duration::from_hours(3));
        world.show(3, "active", "new");
        world.read_late();
        world.run();
        assert_held(&world, 3, 0);
        assert_eq!(world.job(3).record.executed(), Executed::Maybe);
    }
}

// Field case A10.
/// What stood there before the sleep is no baseline after it.
#[test]
fn after_a_suspension_every_baseline_is_read_again() {
    let sleeps: [fn(&mut Around, Duration); 2] = [Around::sleep, Around::pass];
    for sleep in sleeps {
        let mut options = options();
        options.workers = 1;
        let mut world = World::new(2, options);
        world.run_until(|world| world.submissions(1) == 1);
        sleep(&mut world, Duration::from_hours(3));
        let woke_at = world.now.at;
        world.show(2, "active", "another");
        world.run();
        let read = world.calls.iter().find_map(|(at, made)| {
            (matches!(made, Made::Page(_)) && *at >= woke_at).then_some(*at)
        });
        let sent = (world.calls.iter())
            .find(|(_, made)| *made == Made::Submit(service(2)))
            .unwrap()
            .0;
        assert!(read.is_some_and(|read| read < sent));
        let baseline = world.job(2).record.baseline.clone().unwrap();
        assert_eq!(baseline.image.as_deref(), Some("another"));
    }
}

// Field case A10.
/// The servers may be in use by now.
#[test]
fn a_day_of_suspension_halts_the_run_unless_it_may_be_stale() {
    let sleeps: [fn(&mut Around, Duration); 2] = [Around::sleep, Around::pass];
    for (sleep, stale) in sleeps
        .into_iter()
        .flat_map(|sleep| [(sleep, false), (sleep, true)])
    {
        let mut options = options();
        options.workers = 1;
        options.stale = stale;
        let mut world = World::new(3, options);
        world.run_until(|world| world.state(1) == State::Done);
        let sent = world.submissions(2) + world.submissions(3);
        sleep(&mut world, Duration::from_hours(72));
        world.run();
        let halted = matches!(world.machine.halt(), Some(Halt::StoodStill { .. }));
        assert_eq!(halted, !stale);
        let sent_later = world.submissions(2) + world.submissions(3) - sent;
        assert_eq!(sent_later > 0, stale);
    }
}

// Field case A11.
/// A page shows one id twice, the second time as if nothing were being done to it.
#[test]
fn rows_that_contradict_each_other_show_nothing() {
    let mut world = World::new(2, options());
    world.run_until(|world| world.state(1) == State::InProgress);
    world.oddities.twice = Some(service(1));
    // `World::check_end` sees an instance that is done before it is back.
    world.run();
    assert_eq!(world.state(1), State::Done);
}

/// They may contradict each other for ever: the run ends all the same.
#[test]
fn an_instance_whose_rows_always_contradict_each_other_keeps_no_run_alive() {
    let never = || Rebuilding {
        ends: End::Never,
        ..usual()
    };
    for submitted in [
        None,
        Some(Fate::Accepted(never())),
        Some(Fate::Unknown(Some(never()))),
    ] {
        let mut world = World::new(2, options());
        match submitted {
            None => world.show(1, "stopping", "old"),
            Some(fate) => {
                world.submits.push_back(fate);
                world.run_until(|world| world.state(1) != State::Queued);
                world.run_for(SECOND);
            }
        }
        world.oddities.twice = Some(service(1));
        world.run();
        assert_ne!(world.state(1), State::Done);
        assert_eq!(world.state(2), State::Done);
    }
}
