//! Whose the batch is, and whose the session.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Fate, MINUTE, Made, OWNER, SECOND, World, garbled, network, options, owner};
use crate::event::Event;
use crate::job::{Failure, State};
use crate::run::Halt;
use crate::zomro::{HalfSession, Keepalive, ReadError};

const OTHER: &str = "4712";

fn warnings(world: &World) -> Vec<String> {
    let warning = |event: &Event| match event {
        Event::Warning { message } => Some(message.clone()),
        _ => None,
    };
    world.events.iter().filter_map(warning).collect()
}

fn submissions(world: &World) -> usize {
    let is_submission = |made: &Made| matches!(made, Made::Submit(_));
    let calls = world.calls.iter();
    calls.filter(|(_, made)| is_submission(made)).count()
}

fn halts_as_others(world: &World) -> bool {
    world.machine.halt()
        == Some(&Halt::OtherAccount {
            theirs: owner(OWNER),
            ours: owner(OTHER),
        })
}

#[test]
fn a_batch_is_bound_to_the_account_that_sends_it_first_and_one_call_asks() {
    for no_wait in [false, true] {
        let mut options = options();
        options.no_wait = no_wait;
        let mut world = World::new(3, options);
        world.run();
        assert_eq!(world.bound, Some(owner(OWNER)));
        assert_eq!(world.count(&Made::Owner), 1);
        assert_eq!(world.calls[0].1, Made::Owner);
        assert_eq!(submissions(&world), 3);
        assert_eq!(warnings(&world), [""; 0]);
    }
}

#[test]
fn nothing_is_sent_for_the_batch_of_another_account() {
    for no_wait in [false, true] {
        let mut options = options();
        options.no_wait = no_wait;
        let mut world = World::new(3, options);
        world.belongs_to(Some(OWNER));
        world.owner = Some(OTHER);
        world.owner_lag = MINUTE;
        world.run();
        assert!(halts_as_others(&world), "{:?}", world.machine.halt());
        assert_eq!(submissions(&world), 0);
        assert!((1..=3).all(|number| world.state(number) == State::Queued));
        assert_eq!(world.bound, Some(owner(OWNER)));
    }
}

/// The wrong credentials for a new order: its services are not in that account's list.
#[test]
fn a_batch_that_halts_before_its_first_intent_stays_free() {
    let mut world = World::new(3, options());
    world.owner = Some(OTHER);
    (1..=3).for_each(|number| world.list(number, false));
    world.run();
    assert!(matches!(world.machine.halt(), Some(Halt::NotListed { .. })));
    assert_eq!(world.bound, None);
    (1..=3).for_each(|number| world.list(number, true));
    world.owner = Some(OWNER);
    world.crash(SECOND);
    world.run();
    assert_eq!(world.bound, Some(owner(OWNER)));
    assert!((1..=3).all(|number| world.state(number) == State::Done));
}

#[test]
fn each_new_session_is_asked_before_anything_is_sent_with_it() {
    let mut world = World::new(6, options());
    world.later_owners.push_back(Some(OWNER));
    world.later_owners.push_back(Some(OTHER));
    world.run_until(|world| submissions(world) == 1);
    world.session_lives = false;
    world.run_until(|world| world.count(&Made::Owner) == 2);
    let sent = submissions(&world);
    world.run_until(|world| submissions(world) > sent);
    world.session_lives = false;
    let sent = submissions(&world);
    world.run();
    assert!(halts_as_others(&world), "{:?}", world.machine.halt());
    assert_eq!(world.count(&Made::Owner), 3);
    // Those that were refused with the dead session, and nothing with the new one.
    let after = world.calls.iter().rev();
    let after = after.take_while(|(_, made)| *made != Made::Login);
    assert!(
        after
            .clone()
            .all(|(_, made)| !matches!(made, Made::Submit(_)))
    );
    assert!(submissions(&world) - sent <= 4);
}

#[test]
fn an_api_that_names_nobody_is_told_once_and_nothing_is_checked() {
    let mut world = World::new(3, options());
    world.owner = None;
    world.later_owners.push_back(None);
    world.submits.push_back(Fate::Unauthorized);
    world.run();
    assert_eq!(world.count(&Made::Owner), 2);
    assert!((1..=3).all(|number| world.state(number) == State::Done));
    let warned = warnings(&world);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].contains("does not say whose session"),
        "{warned:?}"
    );
    assert_eq!(world.bound, None);
}

fn halts_as_nobodys(world: &World, said: &str) -> bool {
    match world.machine.halt() {
        Some(Halt::UnknownAccount { theirs, why }) => theirs == &owner(OWNER) && why.contains(said),
        _ => false,
    }
}

fn no_function() -> ReadError {
    ReadError::Failed(Failure::new("nofunc", "no such function"))
}

fn no_rights(generation: u64) -> ReadError {
    ReadError::Unauthorized {
        generation,
        message: "insufficient privileges".to_owned(),
    }
}

#[test]
fn a_batch_that_is_bound_is_not_sent_with_a_session_that_names_nobody() {
    for no_wait in [false, true] {
        let mut options = options();
        options.no_wait = no_wait;
        for (refusal, asked) in [
            (None, 3),
            (Some(no_function()), 3),
            // The first one may mean the session.
            (Some(no_rights(1)), 4),
        ] {
            let mut world = World::new(3, options.clone()).with_bare_token();
            world.belongs_to(Some(OWNER));
            world.owner = None;
            let said = refusal
                .as_ref()
                .map_or_else(String::new, ToString::to_string);
            world
                .owners
                .extend((0..100).filter_map(|_| refusal.clone()));
            world.run();
            assert!(
                halts_as_nobodys(&world, &said),
                "{:?}",
                world.machine.halt()
            );
            assert_eq!((world.count(&Made::Owner), submissions(&world)), (asked, 0));
            assert!((1..=3).all(|number| world.state(number) == State::Queued));
            assert!(world.elapsed() < MINUTE, "{:?}", world.elapsed());
        }
    }
}

#[test]
fn one_refused_question_does_not_halt_the_batch_of_an_account() {
    let mut world = World::new(3, options());
    world.belongs_to(Some(OWNER));
    world.owners.extend([no_function(), no_function()]);
    world.run();
    assert_eq!(world.count(&Made::Owner), 3);
    assert_eq!(warnings(&world), [""; 0]);
    assert!((1..=3).all(|number| world.state(number) == State::Done));
}

/// It was bound by the first session, and a later one names nobody.
#[test]
fn a_later_session_that_names_nobody_sends_nothing_of_a_batch_that_was_bound() {
    let mut world = World::new(6, options());
    world.later_owners.push_back(None);
    world.run_until(|world| submissions(world) == 1);
    world.session_lives = false;
    world.run();
    assert!(halts_as_nobodys(&world, ""), "{:?}", world.machine.halt());
    let calls = world.calls.iter().rev();
    let mut after = calls.take_while(|(_, made)| *made != Made::Login);
    assert!(after.all(|(_, made)| !matches!(made, Made::Submit(_))));
}

proptest! {
    /// Whatever the session says of itself, however often it changes: `World::check_owner` looks at
    /// each submission.
    #[test]
    fn a_bound_batch_is_sent_only_by_its_account(
        no_wait in any::<bool>(),
        bound in any::<bool>(),
        first in said(),
        later in vec(said(), 0..4),
        refused in vec(0_u64..3, 0..6),
        deaths in vec(1_usize..8, 0..4),
    ) {
        let mut options = options();
        options.no_wait = no_wait;
        let mut world = World::new(6, options);
        world.belongs_to(bound.then_some(OWNER));
        world.owner = first;
        world.later_owners.extend(later);
        world.owners.extend(refused.into_iter().map(|refusal| match refusal {
            0 => no_function(),
            1 => no_rights(1),
            _ => ReadError::Failed(network()),
        }));
        for calls in deaths {
            let made = world.calls.len() + calls;
            world.run_until(|world| world.calls.len() >= made || world.machine.is_over());
            world.session_lives = false;
        }
        world.run();
        let halt = world.machine.halt().cloned();
        if halt.is_none() {
            prop_assert!((1..=6).all(|number| world.state(number) != State::Queued));
        }
        if bound && first.is_none() && world.count(&Made::Login) == 0 {
            prop_assert!(halts_as_nobodys(&world, ""), "{:?}", halt);
            prop_assert_eq!(submissions(&world), 0);
        }
    }
}

/// Whose the API says a session is.
fn said() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![4 => Just(Some(OWNER)), 1 => Just(Some(OTHER)), 2 => Just(None)]
}

#[test]
fn a_refusal_of_the_question_itself_names_nobody() {
    let mut world = World::new(2, options());
    world.owner = None;
    world.owners.push_back(no_function());
    world.run();
    assert_eq!((world.count(&Made::Owner), world.bound.clone()), (1, None));
    assert!(warnings(&world)[0].contains("no such function"));
    assert!((1..=2).all(|number| world.state(number) == State::Done));

    // `keepalive` passes, so that it is the question and not the session that is refused.
    let mut world = World::new(2, options()).with_bare_token();
    world.owner = None;
    world.owners.extend([no_rights(1), no_rights(1)]);
    world.run();
    assert_eq!(world.count(&Made::Owner), 2);
    assert_eq!(world.count(&Made::Keepalive), 1);
    assert!(warnings(&world)[0].contains("insufficient privileges"));
    assert!((1..=2).all(|number| world.state(number) == State::Done));
}

#[test]
fn what_is_no_answer_is_asked_again_and_nothing_is_sent_meanwhile() {
    for (error, keepalives) in [
        (ReadError::Failed(network()), 0),
        (ReadError::Failed(garbled()), 0),
        (
            ReadError::SlowDown {
                retry_after: Some(MINUTE),
            },
            0,
        ),
        (ReadError::Blocked { status: 403 }, 1),
    ] {
        let mut world = World::new(2, options());
        world.owners.extend([error.clone(), error.clone()]);
        world.run();
        assert_eq!(world.count(&Made::Owner), 3, "{error:?}");
        assert!(world.count(&Made::Keepalive) >= keepalives, "{error:?}");
        let calls = world.calls.iter();
        let before = calls.take_while(|(_, made)| !matches!(made, Made::Submit(_)));
        let asked = before.filter(|(_, made)| *made == Made::Owner).count();
        assert_eq!(asked, 3, "{error:?}");
        assert_eq!(world.bound, Some(owner(OWNER)), "{error:?}");
    }
}

#[test]
fn a_question_that_is_never_answered_ends_the_run_as_an_outage() {
    for error in [
        ReadError::Failed(garbled()),
        ReadError::Failed(Failure::new("html", "a web page")),
        ReadError::Blocked { status: 403 },
    ] {
        let mut world = World::new(2, options());
        world.owners.extend((0..10_000).map(|_| error.clone()));
        world.run();
        match world.machine.halt() {
            Some(Halt::Outage { lasted, .. }) => {
                assert!(
                    *lasted >= 10 * MINUTE && *lasted < 12 * MINUTE,
                    "{lasted:?}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(submissions(&world), 0);
        assert!(world.calls.len() < 2000, "{} calls", world.calls.len());
    }
}

#[test]
fn a_second_factor_met_by_the_question_halts() {
    let mut world = World::new(2, options());
    let half = HalfSession::SecondFactor;
    world
        .owners
        .push_back(ReadError::HalfSession { asks_for: half });
    world.keepalives.push_back(Keepalive::Half(half));
    world.run();
    assert_eq!(world.machine.halt(), Some(&Halt::SecondFactor));
    assert_eq!(submissions(&world), 0);
}

#[test]
fn the_answer_of_a_session_that_was_replaced_meanwhile_counts_for_nothing() {
    let mut world = World::new(3, options());
    world.belongs_to(Some(OWNER));
    // The question is slow, a page is refused meanwhile, and the next session is another account's.
    world.owner_lag = 30 * SECOND;
    world.later_owners.push_back(Some(OTHER));
    world.pages.push_back(ReadError::Unauthorized {
        generation: 1,
        message: "access denied".to_owned(),
    });
    world.run();
    assert_eq!(world.count(&Made::Login), 1);
    assert!(halts_as_others(&world), "{:?}", world.machine.halt());
    assert_eq!((world.count(&Made::Owner), submissions(&world)), (2, 0));
    assert!(world.elapsed() < Duration::from_mins(3));
}
