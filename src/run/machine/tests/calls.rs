//! What the answers to single calls lead to: the session, blocks, outages and requests to slow down.

use super::world::{Fate, MINUTE, Made, SECOND, World, garbled, network, options, service, usual};
use crate::event::Event;
use crate::job::{Executed, State};
use crate::run::Halt;
use crate::zomro::{HalfSession, Keepalive, LoginError, ReadError};
use std::time::Duration;

fn error_kind(world: &World, number: u64) -> Option<String> {
    let failure = world.job(number).record.failure.clone();
    failure.map(|failure| failure.error_kind.to_string())
}

fn refused() -> ReadError {
    ReadError::Unauthorized {
        generation: 1,
        message: "access denied".to_owned(),
    }
}

#[test]
fn a_submission_that_is_refused_for_want_of_rights_goes_again_after_a_login() {
    let mut world = World::new(3, options());
    world.submits.push_back(Fate::Unauthorized);
    world.run();
    assert_eq!(world.count(&Made::Login), 1);
    assert_eq!(world.count(&Made::Keepalive), 0);
    assert_eq!(world.submissions(1), 2);
    assert!((1..=3).all(|number| world.state(number) == State::Done));
    assert_eq!(world.job(1).record.retries, 0, "a login is no retry");
}

#[test]
fn a_service_that_is_refused_with_a_new_session_too_is_somebody_elses() {
    let mut world = World::new(3, options());
    world.truth(2).always = Some(Fate::Unauthorized);
    world.run();
    assert_eq!(world.state(2), State::Failed);
    assert_eq!(error_kind(&world, 2).as_deref(), Some("unauthorized"));
    assert_eq!(world.job(2).record.executed(), Executed::No);
    assert_eq!((world.submissions(2), world.count(&Made::Login)), (2, 1));
    assert_eq!(world.count(&Made::Keepalive), 1);
    assert_eq!((world.state(1), world.state(3)), (State::Done, State::Done));
}

#[test]
fn a_session_that_has_ended_meanwhile_is_no_fault_of_the_service() {
    let mut world = World::new(1, options());
    // Refused, logged in, refused again: and keepalive finds that session dead as well.
    world
        .submits
        .extend([Fate::Unauthorized, Fate::Unauthorized]);
    world.keepalives.push_back(Keepalive::Dead {
        message: "your session has expired".to_owned(),
    });
    world.run();
    assert_eq!(world.state(1), State::Done);
    assert_eq!((world.submissions(1), world.count(&Made::Login)), (3, 2));
}

#[test]
fn with_a_bare_token_keepalive_tells_a_foreign_service_from_a_dead_session() {
    let mut world = World::new(2, options()).with_bare_token();
    world.truth(1).always = Some(Fate::Unauthorized);
    world.run();
    assert_eq!(
        (world.state(1), world.state(2)),
        (State::Failed, State::Done)
    );
    assert_eq!((world.submissions(1), world.count(&Made::Login)), (1, 0));

    let mut world = World::new(2, options()).with_bare_token();
    world.run_until(|world| world.count(&Made::Submit(service(1))) == 1);
    world.session_lives = false;
    world.run();
    assert!(matches!(world.machine.halt(), Some(Halt::Credentials(_))));
    assert_eq!(world.state(2), State::Queued, "it is nobody's fault");
}

#[test]
fn a_refused_login_halts_and_fails_no_job() {
    let mut world = World::new(2, options());
    world.session_lives = false;
    world.logins.push_back(LoginError::Refused {
        object: "badpassword".to_owned(),
        message: "wrong".to_owned(),
    });
    world.run();
    assert!(matches!(world.machine.halt(), Some(Halt::Credentials(_))));
    assert_eq!(world.count(&Made::Login), 1);
    assert!((1..=2).all(|number| world.state(number) == State::Queued));
}

#[test]
fn a_password_that_was_changed_is_tried_after_the_pause_of_a_refused_login() {
    let mut world = World::new(1, options());
    world.session_lives = false;
    world.logins.push_back(LoginError::PasswordChanged {
        message: "wrong".to_owned(),
    });
    world.run();
    assert_eq!(world.state(1), State::Done);
    let logins = world.calls.iter().filter(|(_, made)| *made == Made::Login);
    let logins: Vec<_> = logins.map(|(at, _)| *at).collect();
    assert_eq!(logins.len(), 2);
    assert!(logins[1] - logins[0] >= crate::run::session::LOGIN_PAUSE);
}

#[test]
fn a_locked_login_is_tried_again_after_its_pause() {
    let mut world = World::new(1, options());
    world.session_lives = false;
    world.logins.extend([0, 1].map(|_| LoginError::Refused {
        object: "blocklogon".to_owned(),
        message: "blocked for 20 seconds".to_owned(),
    }));
    world.run();
    assert_eq!(world.state(1), State::Done);
    let logins: Vec<_> = world
        .calls
        .iter()
        .filter(|(_, made)| *made == Made::Login)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(logins.len(), 3);
    assert!(
        logins
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= 20 * SECOND)
    );
}

/// A refusal that arrives after the token was replaced says nothing of the new one. It once made
/// the job a suspect about whom nobody asked: the run never ended.
#[test]
fn a_late_refusal_of_an_old_token_leaves_no_suspect_behind() {
    let mut world = World::new(2, options());
    world.submits.push_back(Fate::Unauthorized);
    world.slow.insert(service(2), SECOND);
    world.run_until(|world| world.count(&Made::Login) == 1);
    world.slow.insert(service(1), MINUTE);
    // The first job again, answered late; the second one makes a login necessary before that.
    world.submits.clear();
    world.submits.push_back(Fate::Unauthorized);
    world.submits.push_back(Fate::Unauthorized);
    world.run_until(|world| world.submissions(1) >= 2 && world.count(&Made::Login) == 2);
    world.slow.clear();
    world.run();
    assert!((1..=2).all(|number| world.state(number) == State::Done));
}

#[test]
fn a_blocked_request_fails_alone_if_keepalive_passes() {
    let mut world = World::new(2, options());
    world.truth(1).always = Some(Fate::Blocked);
    world.run();
    assert_eq!(error_kind(&world, 1).as_deref(), Some("blocked_request"));
    assert_eq!(world.job(1).record.executed(), Executed::No);
    assert_eq!(
        (world.state(1), world.state(2)),
        (State::Failed, State::Done)
    );
}

#[test]
fn a_blocked_address_halts_and_the_job_stays_in_the_queue() {
    let mut world = World::new(2, options());
    world.submits.push_back(Fate::Blocked);
    world
        .keepalives
        .push_back(Keepalive::Blocked { status: 460 });
    world.run();
    assert_eq!(world.machine.halt(), Some(&Halt::Blocked { status: 460 }));
    assert_eq!(world.state(1), State::Queued);
}

#[test]
fn an_outage_pauses_the_run_and_costs_no_job_anything() {
    let mut world = World::new(8, options());
    world.run_until(|world| world.submissions(2) == 1);
    world.down = true;
    world.run_for(8 * MINUTE);
    let during = world.calls.len();
    let paused = |world: &World| {
        let paused = world.events.iter();
        paused
            .filter(|event| matches!(event, Event::Paused { .. }))
            .count()
    };
    assert_eq!(paused(&world), 1);
    let submitted = |world: &World| (1..=8).map(|n| world.submissions(n)).sum::<usize>();
    let before = submitted(&world);
    world.run_for(MINUTE);
    assert_eq!(submitted(&world), before, "it only probes");
    assert!(world.calls.len() > during, "it does probe");
    world.down = false;
    world.run();
    assert!((1..=8).all(|number| world.state(number) == State::Done));
    assert!((1..=8).all(|number| world.job(number).record.retries == 0));
    assert!(
        world
            .events
            .iter()
            .any(|event| matches!(event, Event::Resumed))
    );
}

#[test]
fn an_outage_that_lasts_ends_the_run_and_fails_no_job() {
    let mut world = World::new(4, options());
    world.run_until(|world| world.submissions(1) == 1);
    world.down = true;
    let began = world.now.at;
    world.run();
    let Some(Halt::Outage { lasted, .. }) = world.machine.halt() else {
        panic!("{:?}", world.machine.halt());
    };
    assert!((10 * MINUTE..12 * MINUTE).contains(lasted), "{lasted:?}");
    assert!(world.now.at - began < 12 * MINUTE);
    assert!((1..=4).all(|number| !world.state(number).is_final()));
}

/// The list alone may fail while everything else works: every probe then says that all is well.
/// Such a run once went on for ever.
#[test]
fn a_list_that_never_works_ends_the_run_although_probes_get_through() {
    for error in [
        ReadError::Failed(garbled()),
        ReadError::Failed(network()),
        ReadError::Blocked { status: 403 },
        refused(),
    ] {
        for mid_run in [false, true] {
            let mut world = World::new(2, options());
            if mid_run {
                world.run_until(|world| world.submissions(1) == 1);
            }
            world.page_always = Some(match error.clone() {
                ReadError::Unauthorized { message, .. } => ReadError::Unauthorized {
                    generation: u64::MAX,
                    message,
                },
                error => error,
            });
            world.run();
            assert!(
                matches!(world.machine.halt(), Some(Halt::Outage { .. })),
                "{error:?}, {mid_run}: {:?}",
                world.machine.halt()
            );
            assert!(world.elapsed() < 30 * MINUTE, "{:?}", world.elapsed());
        }
    }
}

/// One failure followed by silence is no outage, however long the silence lasts.
#[test]
fn a_single_failure_followed_by_silence_is_no_outage() {
    let mut options = options();
    options.rules.poll_interval = 12 * MINUTE;
    options.rules.rebuild_timeout = Duration::from_hours(2);
    let mut world = World::new(1, options);
    world.run_until(|world| world.state(1) == State::InProgress);
    world.pages.push_back(ReadError::Failed(network()));
    world.run();
    assert_eq!(world.machine.halt(), None);
    assert_eq!(world.state(1), State::Done);
}

#[test]
fn a_preview_that_never_works_leaves_the_image_without_a_name() {
    for error in [
        ReadError::Failed(garbled()),
        ReadError::Failed(network()),
        ReadError::Blocked { status: 403 },
        ReadError::Unauthorized {
            generation: u64::MAX,
            message: "access denied".to_owned(),
        },
    ] {
        let mut world = World::new(2, options());
        world.preview_always = Some(error.clone());
        world.run();
        assert!(
            (1..=2).all(|number| world.state(number) == State::Done),
            "{error:?}: {:?}",
            world.machine.halt()
        );
        assert_eq!(world.job(1).record.target, None);
    }
}

#[test]
fn an_image_keeps_its_name_through_an_outage() {
    let mut world = World::new(2, options());
    world.run_until(|world| world.machine.account.inventory.is_scanned());
    world.down = true;
    world.run_for(5 * MINUTE);
    world.down = false;
    world.run();
    assert_eq!(world.job(1).record.target.as_deref(), Some("new"));
}

#[test]
fn a_request_to_slow_down_stops_calls_of_every_kind_and_costs_no_retry() {
    let mut world = World::new(4, options());
    world
        .submits
        .extend([Fate::Accepted(usual()), Fate::SlowDown(Some(90 * SECOND))]);
    // `World::make` refuses any call before the pause is over, polls of the first job included.
    world.run();
    assert_eq!(world.submissions(2), 2);
    assert_eq!(world.job(2).record.retries, 0);
    assert!((1..=4).all(|number| world.state(number) == State::Done));
    let longest = world
        .calls
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .max();
    assert!(longest >= Some(89 * SECOND), "{longest:?}");
}

#[test]
fn a_probe_that_comes_back_late_ends_no_login() {
    let mut world = World::new(3, options());
    world.slow.insert(service(1), 20 * SECOND);
    world.slow.insert(service(2), 20 * SECOND);
    world
        .submits
        .extend([Fate::Unauthorized, Fate::Unauthorized]);
    world.run_until(|world| world.submissions(2) == 1);
    // Nothing else gets through, so keepalive probes; then the refusals arrive.
    world.latency = 15 * SECOND;
    world.down = true;
    world.run_for(25 * SECOND);
    world.down = false;
    world.slow.clear();
    world.run();
    let logins: Vec<_> = world
        .calls
        .iter()
        .filter(|(_, made)| *made == Made::Login)
        .map(|(at, _)| *at)
        .collect();
    assert!(
        logins
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= 7 * SECOND),
        "two logins at once: {logins:?}"
    );
    assert!((1..=3).all(|number| world.state(number) == State::Done));
}

// Field case A7.
#[test]
fn a_second_factor_that_another_call_confirms_halts_and_touches_nothing() {
    for keepalive_tells in [true, false] {
        let mut world = World::new(3, options());
        let half = || Keepalive::Half(HalfSession::SecondFactor);
        if keepalive_tells {
            world.keepalives.push_back(half());
        } else {
            world.whoamis.push_back(half());
        }
        world.submits.push_back(Fate::HalfSession);
        world.run();
        assert_eq!(world.machine.halt(), Some(&Halt::SecondFactor));
        let first = &world.job(1).record;
        assert_eq!(
            (first.state, first.executed()),
            (State::Queued, Executed::No)
        );
        assert_eq!(world.count(&Made::Whoami), usize::from(!keepalive_tells));
        assert_eq!(world.count(&Made::Login), 0);
    }
}

#[test]
fn a_second_factor_of_which_there_is_a_code_is_passed_and_the_job_goes_again() {
    for keepalive_tells in [true, false] {
        let mut world = World::new(3, options()).with_codes();
        let half = || Keepalive::Half(HalfSession::SecondFactor);
        if keepalive_tells {
            world.keepalives.push_back(half());
        } else {
            world.whoamis.push_back(half());
        }
        world.submits.push_back(Fate::HalfSession);
        world.run();
        assert_eq!(world.machine.halt(), None);
        assert_eq!(world.count(&Made::Confirm), 1);
        assert!((1..=3).all(|number| world.state(number) == State::Done));
    }
}

#[test]
fn a_code_that_is_wrong_or_does_not_help_ends_the_run() {
    let wrong = || LoginError::WrongCode {
        message: "Invalid code".to_owned(),
    };
    for error in [
        wrong(),
        LoginError::NoCode("it ended with exit code 1".to_owned()),
    ] {
        let mut world = World::new(1, options()).with_codes();
        world
            .keepalives
            .push_back(Keepalive::Half(HalfSession::SecondFactor));
        world.submits.push_back(Fate::HalfSession);
        world.logins.push_back(error.clone());
        world.run();
        let halt = Halt::NotConfirmed(error.to_string());
        assert_eq!(world.machine.halt(), Some(&halt));
        assert_eq!(world.state(1), State::Queued);
    }
    let mut world = World::new(1, options()).with_codes();
    for _ in 0..2 {
        world
            .keepalives
            .push_back(Keepalive::Half(HalfSession::SecondFactor));
        world.submits.push_back(Fate::HalfSession);
    }
    world.run();
    assert_eq!(world.count(&Made::Confirm), 1);
    assert_eq!(world.machine.halt(), Some(&Halt::SecondFactor));
    assert_eq!(world.state(1), State::Queued);
}

// Field case A7.
#[test]
fn a_second_factor_that_no_other_call_confirms_is_a_doubt_and_the_run_goes_on() {
    for whoami in [
        Keepalive::Alive,
        Keepalive::Failed(garbled()),
        Keepalive::Dead {
            message: "no rights".to_owned(),
        },
    ] {
        let mut world = World::new(3, options());
        world.submits.push_back(Fate::HalfSession);
        world.whoamis.push_back(whoami);
        world.run();
        assert_eq!(world.machine.halt(), None);
        assert_eq!(
            (world.count(&Made::Keepalive), world.count(&Made::Whoami)),
            (1, 1)
        );
        assert_ne!(
            world
                .job(1)
                .record
                .executed_before
                .max(world.job(1).record.executed_now),
            Executed::No
        );
        assert_eq!((world.state(2), world.state(3)), (State::Done, State::Done));
    }
}
