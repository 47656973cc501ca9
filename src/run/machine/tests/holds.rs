//! What the API has noted of a service, read before a doubt of it is left to the operator.

use super::world::{Fate, Made, SECOND, World, network, options, service};
use crate::event::Event;
use crate::job::{Failure, LedgerEntry, State};
use crate::run::{Options, Signal};
use crate::zomro::ReadError;

fn with_history() -> Options {
    let mut options = options();
    options.witnesses.history = Some("service.history".parse().unwrap());
    options
}

/// Nothing comes that could settle a doubt of any of `jobs`.
fn doubts(jobs: u64, options: Options) -> World {
    let mut world = World::new(jobs, options);
    for number in 1..=jobs {
        world.truth(number).always = Some(Fate::Unknown(None));
    }
    world
}

fn readings(world: &World) -> usize {
    let calls = world.calls.iter();
    calls
        .filter(|(_, made)| matches!(made, Made::History(_)))
        .count()
}

fn warnings(world: &World) -> Vec<&str> {
    let events = world.events.iter();
    let warnings = events.filter_map(|event| match event {
        Event::Warning { message, .. } => Some(message.as_str()),
        _ => None,
    });
    warnings
        .filter(|message| message.contains("history"))
        .collect()
}

fn reason(world: &World, number: u64) -> String {
    let mut reasons = world.entries.iter().filter_map(|(of, entry)| match entry {
        LedgerEntry::Held { reason } if *of == service(number) => Some(reason.clone()),
        _ => None,
    });
    reasons.next_back().unwrap_or_default()
}

#[test]
fn no_history_is_read_that_nobody_has_asked_for() {
    let mut world = doubts(2, options());
    world.run();
    assert_eq!(readings(&world), 0);
    assert_eq!(world.kinds(1), ["intent", "unknown", "held"]);
}

#[test]
fn a_doubt_is_held_with_what_its_history_says_which_was_read_once() {
    let mut world = doubts(3, with_history());
    world.run();
    for number in 1..=3 {
        let expected = ["intent", "unknown", "history_read", "held"];
        assert_eq!(world.kinds(number), expected);
        assert_eq!(world.state(number), State::InDoubt);
        assert_eq!(world.count(&Made::History(service(number))), 1);
        let reason = reason(&world, number);
        assert!(
            reason.ends_with(
                "its history, which proves nothing: none of 1 operation names a rebuild"
            ),
            "{reason}"
        );
    }
    assert_eq!(warnings(&world), [""; 0]);
}

#[test]
fn an_api_without_histories_is_asked_once_and_the_doubts_are_held_all_the_same() {
    let mut world = doubts(3, with_history());
    let refused = Failure::new("nofunc", "the function does not exist");
    world.histories.push_back(ReadError::Failed(refused));
    world.run();
    assert_eq!(readings(&world), 1);
    for number in 1..=3 {
        assert_eq!(world.kinds(number), ["intent", "unknown", "held"]);
        assert!(!reason(&world, number).contains("history"));
    }
    let warnings = warnings(&world);
    assert!(
        matches!(&warnings[..], [one] if one.contains("--history")),
        "{warnings:?}"
    );
}

#[test]
fn a_history_that_does_not_come_through_delays_no_doubt_and_touches_no_session() {
    for error in [
        ReadError::Failed(network()),
        ReadError::Blocked { status: 403 },
        ReadError::SlowDown {
            retry_after: Some(2 * SECOND),
        },
        ReadError::Unauthorized {
            generation: 1,
            message: "access denied".to_owned(),
        },
    ] {
        let mut world = doubts(2, with_history());
        world.histories.push_back(error.clone());
        world.run();
        let without = (1..=2).filter(|number| world.kinds(*number).len() == 3);
        assert_eq!(without.count(), 1, "{error:?}");
        assert_eq!(readings(&world), 2, "{error:?}");
        assert_eq!(warnings(&world).len(), 1, "{error:?}");
        assert_eq!(world.count(&Made::Login), 0, "{error:?}");
        assert!((1..=2).all(|number| world.job(number).record.held));
    }
}

#[test]
fn a_run_that_is_stopped_holds_what_still_waits_for_a_history() {
    let mut world = doubts(1, with_history());
    world.run_until(|world| readings(world) == 1);
    assert!(!world.job(1).record.held);
    world.signal = Some(Signal::Interrupt);
    world.run_until(World::is_over);
    assert_eq!(world.kinds(1), ["intent", "unknown", "held"]);
}
