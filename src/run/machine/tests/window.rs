//! What starts within a window, and how a run ends when it closes.

use std::time::Duration;

use super::world::{
    Fate, MINUTE, Made, NEW, OLD, Rebuilding, SECOND, World, options, service, usual,
};
use crate::job::{ImageId, State};
use crate::run::{Halt, Options};
use crate::time::Window;

/// The world begins at two o'clock.
fn within(hours: &str) -> Options {
    let mut options = options();
    options.rollout.window = Some(Window {
        hours: hours.parse().unwrap(),
        zone: "UTC".parse().unwrap(),
    });
    options
}

fn five_times(image: &str, took: Duration) -> Vec<(Option<ImageId>, Duration)> {
    vec![(image.parse().ok(), took); 5]
}

fn get_the_quick_image(world: &mut World, numbers: &[u64]) {
    for number in numbers {
        let quick = world.job(*number).id;
        let job = world.queue.get_mut(&quick).unwrap();
        let crate::job::Order::Rebuild(rebuild) = &mut job.order;
        rebuild.image = OLD.parse().unwrap();
    }
}

fn opens_in(world: &World) -> Duration {
    match world.machine.halt() {
        Some(Halt::WindowClosed { opens_ms, .. }) => {
            crate::time::between(world.now.unix_ms, *opens_ms)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn outside_the_window_nothing_is_even_asked() {
    let mut world = World::new(3, within("03:00-05:00"));
    world.run();
    assert_eq!(opens_in(&world), Duration::from_hours(1));
    assert_eq!(world.calls, []);
}

#[test]
fn what_an_earlier_process_has_sent_is_seen_through_outside_the_window() {
    let mut world = World::new(
        2,
        Options {
            workers: 1,
            ..within("01:00-02:10")
        },
    );
    world.took_before(five_times(NEW, 5 * MINUTE));
    world.run_until(|world| world.state(1) == State::InProgress);
    world.crash(15 * MINUTE);
    world.run();
    assert_eq!(
        (world.state(1), world.state(2)),
        (State::Done, State::Queued)
    );
    assert_eq!(world.submissions(2), 0);
    assert!(opens_in(&world) > Duration::from_hours(22));
}

#[test]
fn jobs_of_a_slow_image_hold_up_none_of_a_quick_one() {
    let mut world = World::new(202, within("01:00-02:10"));
    world.took_before(five_times(OLD, MINUTE));
    get_the_quick_image(&mut world, &[201, 202]);
    world.run();
    let done: Vec<_> = world
        .queue
        .values()
        .filter(|job| job.record.state == State::Done)
        .map(|job| job.service)
        .collect();
    assert_eq!(done, [201, 202].map(service));
    assert!(opens_in(&world) > Duration::from_hours(22));
}

#[test]
fn jobs_that_would_not_be_back_are_left_with_the_store() {
    let mut world = World::new(3000, within("01:00-02:10"));
    world.took_before(five_times(OLD, MINUTE));
    get_the_quick_image(&mut world, &[3000]);
    let keeps_many = |world: &World| world.machine.backlog.waiting().len() > 64;
    world.run_until(|world| keeps_many(world) || world.state(3000) == State::InProgress);
    assert_eq!(world.state(3000), State::InProgress);
    assert_eq!(world.machine.backlog.waiting().len(), 0);
    world.run_until(keeps_many);
    assert!(world.is_over());
    assert!(opens_in(&world) > Duration::from_hours(22));
}

/// The store has said a moment ago that nothing more is due, but for what was passed over.
#[test]
fn what_was_passed_over_starts_when_the_window_has_opened_anew() {
    let mut world = World::new(3, within("02:05-02:04"));
    world.took_before(five_times(OLD, MINUTE));
    get_the_quick_image(&mut world, &[1]);
    let slow = Rebuilding {
        takes: 10 * MINUTE,
        ..usual()
    };
    world.submits.extend([Fate::Accepted(slow)]);
    world.run_until(|world| world.submissions(2) > 0);
    assert_eq!(world.state(1), State::InProgress);
    let after_opening = world.elapsed().checked_sub(5 * MINUTE);
    assert!(
        after_opening.is_some_and(|after| after < 3 * SECOND),
        "{after_opening:?}"
    );
}

#[test]
fn what_was_passed_over_starts_when_the_process_has_slept_until_the_next_night() {
    let mut world = World::new(3, within("01:00-02:10"));
    world.took_before(five_times(OLD, MINUTE));
    get_the_quick_image(&mut world, &[1]);
    world.run_until(|world| world.state(1) == State::InProgress);
    assert!(world.machine.backlog.has_late());
    world.sleep(Duration::from_hours(23));
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert_eq!(
        [1, 2, 3].map(|number| world.state(number)),
        [State::Done; 3]
    );
}

#[test]
fn what_was_cancelled_after_it_was_passed_over_is_not_left() {
    let mut world = World::new(3, within("01:00-02:10"));
    world.took_before(five_times(OLD, MINUTE));
    get_the_quick_image(&mut world, &[3]);
    world.run_until(|world| world.state(3) == State::InProgress);
    for number in [1, 2] {
        let id = world.job(number).id;
        let job = world.queue.get_mut(&id).unwrap();
        job.record.state = State::Cancelled;
    }
    world.meddled = true;
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert_eq!(world.state(3), State::Done);
}

#[test]
fn what_this_run_has_seen_counts_as_soon_as_there_are_five() {
    // A rebuild may take twenty minutes, as far as anybody knows at first: for ten of the thirty. Then
    // it is known to take two or three.
    let mut world = World::new(
        40,
        Options {
            workers: 1,
            ..within("01:00-02:30")
        },
    );
    world.run();
    let ended = world.elapsed();
    let begun = world.now.at.checked_sub(ended).unwrap();
    let mut calls = world.calls.iter().rev();
    let last = calls.find(|(_, made)| matches!(made, Made::Submit(_)));
    assert!(last.unwrap().0 - begun > 20 * MINUTE);
    assert!(ended < 30 * MINUTE, "{ended:?}");
    assert!(opens_in(&world) > Duration::from_hours(22));
}
