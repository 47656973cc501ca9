//! What operators say from another terminal: pause, go, set, drain.

use super::world::{Fate, MINUTE, Made, SECOND, World, options, usual};
use crate::event::{Activity, Event, Limit};
use crate::job::{Instruction, Limits, State, Tolerance};
use crate::run::Halt;
use crate::zomro::ReadError;

fn set(limits: Limits) -> Instruction {
    Instruction::Set(limits)
}

fn workers(workers: usize) -> Instruction {
    set(Limits {
        workers: Some(workers),
        ..Limits::default()
    })
}

fn begun(world: &World) -> usize {
    let jobs = world.queue.values();
    jobs.filter(|job| job.record.state != State::Queued).count()
}

fn told(world: &World, is_it: impl Fn(&Event) -> bool) -> usize {
    world.events.iter().filter(|event| is_it(event)).count()
}

#[test]
fn a_run_that_is_paused_sees_through_what_is_in_flight_and_waits_for_the_word() {
    let mut world = World::new(12, options());
    world.run_until(|world| begun(world) == 3);
    world.say(Instruction::Pause);
    world.run_for(60 * MINUTE);
    assert!(!world.is_over());
    assert_eq!(begun(&world), 3);
    assert!((1..=3).all(|number| world.state(number) == State::Done));
    let calls = world.calls.len();
    world.run_for(60 * MINUTE);
    assert_eq!(
        world.calls.len(),
        calls,
        "nothing is in flight, so nothing is asked"
    );
    assert_eq!(told(&world, |event| matches!(event, Event::Control(_))), 1);
    let held_back = Activity::HeldBack { by: Limit::Pause };
    assert_eq!(
        told(
            &world,
            |event| matches!(event, Event::Activity(now) if *now == held_back)
        ),
        1
    );
    world.say(Instruction::Go);
    world.run_for(5 * SECOND);
    assert!(begun(&world) > 3, "it goes on at once");
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((1..=12).all(|number| world.submissions(number) == 1));
}

/// The run hears of a pause only when it asks again; by then the store has refused.
#[test]
fn what_the_store_refuses_to_begin_goes_back_and_begins_after_the_word() {
    let mut refusals = 0;
    for enough in 1..=4 {
        let mut options = options();
        options.workers = 12;
        options.rate_per_s = 4.0;
        let mut world = World::new(12, options);
        world.run_until(|world| begun(world) == enough);
        world.say(Instruction::Pause);
        let until = world.now.at + 2 * SECOND;
        world.run_until(|world| world.refused_now || world.now.at >= until);
        refusals += usize::from(world.refused_now);
        world.run_for(MINUTE);
        assert_eq!(begun(&world), enough);
        assert_eq!(world.machine.flights.out(), 0);
        world.say(Instruction::Go);
        world.run();
        assert!((1..=12).all(|number| world.state(number) == State::Done));
        assert!((1..=12).all(|number| world.submissions(number) == 1));
    }
    assert!(refusals > 0);
}

#[test]
fn a_run_that_is_started_while_its_batch_is_paused_only_keeps_what_it_finds() {
    let mut world = World::new(12, options());
    world.run_until(|world| world.state(1) == State::Submitting);
    world.say(Instruction::Pause);
    world.crash(MINUTE);
    world.run();
    let halt = world.machine.halt();
    assert!(
        matches!(halt, Some(Halt::Paused { operator, .. }) if operator == "anna"),
        "{halt:?}"
    );
    assert_eq!(world.state(1), State::InDoubt, "it would be lost otherwise");
    assert_eq!(world.calls, []);
    world.say(Instruction::Go);
    world.crash(MINUTE);
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((2..=12).all(|number| world.state(number) == State::Done));
}

/// An instance that is not ready for so long fails. A pause is no reason to fail.
#[test]
fn nobodys_patience_runs_out_because_of_a_pause() {
    let mut world = World::new(4, options());
    world.show(3, "starting", "old");
    world.run_until(|world| begun(world) == 3);
    world.run_for(15 * MINUTE);
    world.say(Instruction::Pause);
    world.run_for(60 * MINUTE);
    world.say(Instruction::Go);
    world.run_for(15 * MINUTE);
    assert_eq!(
        world.state(3),
        State::Queued,
        "15 minutes and 15 minutes, and its limit is 20"
    );
    world.run_for(10 * MINUTE);
    assert_eq!(world.state(3), State::Failed);
}

#[test]
fn an_outage_counts_anew_after_a_pause() {
    let mut world = World::new(12, options());
    world.run_until(|world| begun(world) == 3);
    world.down = true;
    world.run_for(5 * MINUTE);
    world.say(Instruction::Pause);
    world.run_for(60 * MINUTE);
    assert_eq!(world.machine.halt(), None);
    world.say(Instruction::Go);
    world.run_for(9 * MINUTE);
    assert_eq!(world.machine.halt(), None);
    world.run_for(2 * MINUTE);
    assert!(matches!(world.machine.halt(), Some(Halt::Outage { .. })));
}

#[test]
fn so_does_a_request_to_slow_down_and_a_list_that_cannot_be_read() {
    let mut world = World::new(12, options());
    world.run_until(|world| begun(world) == 3);
    world.page_always = Some(ReadError::Failed(super::world::network()));
    for number in 4..=12 {
        world.truth(number).always = Some(Fate::SlowDown(Some(SECOND)));
    }
    world.run_for(5 * MINUTE);
    world.say(Instruction::Pause);
    world.run_for(60 * MINUTE);
    assert_eq!(world.machine.halt(), None);
    world.say(Instruction::Go);
    world.run_for(9 * MINUTE);
    assert_eq!(world.machine.halt(), None);
}

#[test]
fn a_run_that_is_drained_sees_through_what_is_in_flight_and_ends() {
    let mut world = World::new(12, options());
    world.run_until(|world| begun(world) == 3);
    world.say(Instruction::Drain);
    world.run();
    let halt = world.machine.halt();
    assert!(
        matches!(halt, Some(Halt::Drained { operator, .. }) if operator == "anna"),
        "{halt:?}"
    );
    assert!((1..=3).all(|number| world.state(number) == State::Done));
    assert!((4..=12).all(|number| world.state(number) == State::Queued));
    // It was said to that run alone.
    world.crash(MINUTE);
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((4..=12).all(|number| world.state(number) == State::Done));
}

#[test]
fn a_run_that_is_drained_with_nothing_left_ends_as_any_other() {
    let mut world = World::new(3, options());
    world.run_until(|world| world.state(3) == State::InProgress);
    world.say(Instruction::Drain);
    world.run();
    assert_eq!(world.machine.halt(), None);
}

#[test]
fn workers_are_fewer_or_more_at_once_and_none_in_flight_is_given_up() {
    let mut world = World::new(12, options());
    world.submits.extend(vec![
        Fate::Accepted(super::world::Rebuilding {
            takes: 10 * MINUTE,
            ..usual()
        });
        12
    ]);
    world.run_until(|world| begun(world) == 4);
    world.say(workers(1));
    world.run_for(8 * MINUTE);
    assert_eq!(begun(&world), 4);
    assert_eq!(world.machine.in_flight(), 4);
    world.run_for(8 * MINUTE);
    assert!((1..=4).all(|number| world.state(number) == State::Done));
    assert_eq!(world.machine.in_flight(), 1);
    world.say(workers(6));
    world.run_for(8 * MINUTE);
    assert_eq!(world.machine.in_flight(), 6);
    world.run();
    assert!((1..=12).all(|number| world.submissions(number) == 1));
}

#[test]
fn a_rate_that_is_set_counts_from_the_next_call_on() {
    let mut options = options();
    options.workers = 12;
    let mut world = World::new(12, options);
    world.run_until(|world| begun(world) == 3);
    let per_s = |rate_per_s| {
        set(Limits {
            rate_per_s: Some(rate_per_s),
            ..Limits::default()
        })
    };
    world.say(per_s(0.1));
    let calls = world.calls.len();
    world.run_for(60 * SECOND);
    let made = world.calls.len() - calls;
    assert!((5..=7).contains(&made), "{made} calls in a minute");
    world.say(per_s(20.0));
    world.run_for(10 * SECOND);
    assert_eq!(begun(&world), 12);
    let submitted = |number| Made::Submit(super::world::service(number));
    assert!((1..=12).all(|number| world.count(&submitted(number)) == 1));
}

#[test]
fn more_may_fail_when_somebody_says_so() {
    let mut options = options();
    options.tolerances.failures = Tolerance::Jobs(3);
    let mut world = World::new(12, options);
    for number in 1..=6 {
        world.truth(number).always = Some(Fate::Refused);
    }
    world.run_until(|world| world.state(1) == State::Failed);
    world.say(set(Limits {
        max_failures: Some(Tolerance::Percent(100)),
        ..Limits::default()
    }));
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert!((7..=12).all(|number| world.state(number) == State::Done));
}
