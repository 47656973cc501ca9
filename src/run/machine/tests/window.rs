//! What starts within a window, and how a run ends when it closes.

use std::time::Duration;

use super::world::{MINUTE, Made, NEW, OLD, World, options, service};
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
    for number in [201, 202] {
        let quick = world.job(number).id;
        let job = world.queue.get_mut(&quick).unwrap();
        let crate::job::Order::Rebuild(rebuild) = &mut job.order;
        rebuild.image = OLD.parse().unwrap();
    }
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
