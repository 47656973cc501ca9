//! In which order jobs start, and what starts before all of the list was read.

use std::num::NonZeroU32;

use super::world::{Made, SECOND, World, options, service};
use crate::event::Event;
use crate::job::State;
use crate::run::{Halt, Options, StartOrder};

/// Twelve jobs in an order quite other than the list's, on pages of three.
fn scattered(order: StartOrder) -> World {
    let mut options = options();
    options.workers = 2;
    options.rollout.order = order;
    let mut world = World::new(12, options);
    world.page_size = 3;
    for number in [4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12] {
        world.move_to_the_end(number);
    }
    world
}

/// Twelve jobs in the list's order, on a page each.
fn one_a_page(change: fn(&mut Options)) -> World {
    let mut options = Options {
        workers: 2,
        ..options()
    };
    change(&mut options);
    let mut world = World::new(12, options);
    world.page_size = 1;
    world
}

/// The services that were sent, in that order.
fn sent(world: &World) -> Vec<u64> {
    let sent = world.calls.iter().filter_map(|(_, made)| match made {
        Made::Submit(service) => Some(service.get().unsigned_abs()),
        _ => None,
    });
    sent.collect()
}

fn pages(world: &World) -> usize {
    let is_page = |(_, made): &&(_, Made)| matches!(made, Made::Page(_));
    world.calls.iter().filter(is_page).count()
}

fn pages_before(world: &World, number: u64) -> usize {
    let calls = world.calls.iter().map(|(_, made)| made);
    calls
        .take_while(|made| **made != Made::Submit(service(number)))
        .filter(|made| matches!(made, Made::Page(_)))
        .count()
}

#[test]
fn the_lists_order_goes_page_by_page() {
    let mut world = scattered(StartOrder::List);
    world.with_the_list_read();
    world.run();
    let pages = [[1, 4, 7], [2, 5, 10], [3, 8, 11], [6, 9, 12]];
    for (page, sent) in pages.iter().zip(sent(&world).chunks(3)) {
        let mut sent = sent.to_vec();
        sent.sort_unstable();
        assert_eq!(sent, page);
    }
    let told =
        |event: &Event| matches!(event, Event::StartOrder(taken) if taken.list_after == Some(0));
    assert!(world.events.iter().any(told));
}

#[test]
fn the_sheets_order_is_kept_by_who_insists() {
    let mut world = scattered(StartOrder::Manifest);
    world.with_the_list_read();
    world.run();
    assert_eq!(sent(&world), (1..=12).collect::<Vec<_>>());
}

#[test]
fn what_was_put_back_and_what_is_not_in_the_list_gets_its_turn_all_the_same() {
    let mut world = scattered(StartOrder::List);
    world.with_the_list_read();
    world.submits.push_back(super::world::Fate::NotSent);
    world.list(12, false);
    world.run_for(60 * SECOND);
    world.list(12, true);
    world.run();
    let mut sent = sent(&world);
    assert_eq!(sent.len(), 13, "one was not sent the first time: {sent:?}");
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent, (1..=12).collect::<Vec<_>>());
}

#[test]
fn those_that_go_first_go_before_any_order() {
    let mut world = scattered(StartOrder::List);
    world.options.rollout.canary = NonZeroU32::new(2);
    world.with_the_list_read();
    world.run();
    assert_eq!(sent(&world)[..2], [1, 2]);
    assert!((1..=12).all(|number| world.state(number) == State::Done));
}

#[test]
fn a_first_wave_starts_while_the_list_is_being_read() {
    let mut world = one_a_page(|_| {});
    world.run();
    assert_eq!(pages_before(&world, 1), 1);
    assert_eq!(pages_before(&world, 2), 2);
    assert!(
        pages_before(&world, 3) >= 12,
        "the first wave alone is out until the list is whole"
    );
}

#[test]
fn nothing_that_has_to_be_proven_or_follows_the_list_starts_early() {
    for change in [
        |options: &mut Options| options.rollout.canary = NonZeroU32::new(1),
        |options: &mut Options| options.rollout.order = StartOrder::List,
        // The rest of the list takes longer than anything may go unwatched.
        |options: &mut Options| options.rules.settle = 20 * SECOND,
    ] {
        let mut world = one_a_page(change);
        world.run_until(|world| !sent(world).is_empty());
        assert!(pages(&world) >= 6, "{}", pages(&world));
    }
}

#[test]
fn an_order_that_expects_something_waits_for_the_whole_list() {
    let mut world = one_a_page(|_| {});
    world.pin();
    world.run();
    assert!(pages_before(&world, 1) >= 12);
}

#[test]
fn members_of_a_full_group_have_their_turn_in_the_lists_order_later() {
    let mut world = scattered(StartOrder::List);
    world.group(3);
    world.with_the_list_read();
    world.run();
    assert!((1..=12).all(|number| world.state(number) == State::Done));
    let mut sent = sent(&world);
    sent.sort_unstable();
    assert_eq!(sent, (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_page_that_cannot_be_read_keeps_no_other_from_being_read() {
    for order in [StartOrder::List, StartOrder::Manifest] {
        let mut world = scattered(order);
        world.options.workers = 12;
        world.with_the_list_read();
        world.run_until(|world| sent(world).len() == 12);
        world.page_that_fails = Some(2);
        world.run();
        // Those on the page are left where they are; all others were seen to be done.
        let done = (1..=12).filter(|number| world.state(*number) == State::Done);
        assert!(done.count() >= 9, "{:?}", world.machine.halt());
    }
}

#[test]
fn a_list_with_too_few_instances_lets_nothing_start() {
    let mut world = one_a_page(|_| {});
    for number in 11..=12 {
        world.list(number, false);
    }
    world.run();
    assert!(matches!(
        world.machine.halt(),
        Some(Halt::NotListed { missing: 2, .. })
    ));
    assert_eq!(sent(&world), [0; 0]);
}
