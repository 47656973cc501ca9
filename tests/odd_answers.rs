//! Answers as the field has them: of another request, of half a session, in another charset, and for
//! ever the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{FIRST, World, ended, quick};
use refleet::simulator::{Call, Fault, FaultKind, Script};

/// From now on every call of this kind meets `fault`.
fn always(world: &World, call: Option<Call>, fault: impl Into<Fault>) {
    world.simulator.script(Script {
        call,
        elid: None,
        skip: 0,
        times: u64::MAX,
        fault: fault.into(),
    });
}

/// How often the first service was submitted, and what its job came to.
fn outcome(world: &World) -> (u64, String, String) {
    let row = world.report().remove(0);
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    let submissions = world.record().services[&FIRST].submissions;
    (submissions, text("state"), text("executed"))
}

// field cases A5, A6, A7
#[test]
fn an_answer_that_is_not_surely_ours_is_neither_done_nor_sent_again() {
    for kind in [
        FaultKind::OkAndError,
        FaultKind::OtherFunc,
        FaultKind::OtherElid,
        FaultKind::Form,
        FaultKind::OkElsewhere,
    ] {
        for executed in [true, false] {
            let world = World::new(1);
            world.fleet(1);
            world.fault(
                FIRST,
                Fault {
                    executed: Some(executed),
                    ..Fault::new(kind)
                },
            );
            let run = world.run(&["--settle", "200ms"]);
            let (submissions, state, executed_by_ledger) = outcome(&world);
            assert_eq!(submissions, 1, "{kind}: {}", run.err);
            if executed {
                run.exit(0);
                assert_eq!(
                    (state.as_str(), executed_by_ledger.as_str()),
                    ("done", "yes")
                );
            } else {
                run.exit(3);
                assert_eq!(
                    (state.as_str(), executed_by_ledger.as_str()),
                    ("in_doubt", "maybe")
                );
            }
            world.assert_truth(1);
        }
    }
}

// field case A7
#[test]
fn a_pending_second_factor_ends_the_run_at_once_and_touches_nothing() {
    for options in [&[][..], &["--no-wait"]] {
        let world = World::new(3);
        world.fleet(3);
        always(&world, None, FaultKind::SecondFactor);
        let mut command = world.refleet(&quick("fleet.csv", options));
        command
            .env("ZOMRO_AUTH", "0123456789abcdef76543210")
            .env_remove("ZOMRO_USERNAME")
            .env_remove("ZOMRO_PASSWORD");
        let run = ended(command).exit(7).says("a second factor");
        assert!(world.calls() <= 5, "{} calls: {}", world.calls(), run.err);
        assert_eq!(world.states()["queued"].len(), 3);
    }
    for options in [&[][..], &["--no-wait"]] {
        let world = World::new(3);
        world.fleet(3);
        // The login itself works, as it does in the field.
        for call in Call::ALL.into_iter().filter(|call| *call != Call::Auth) {
            always(&world, Some(call), FaultKind::SecondFactor);
        }
        let run = world.run(options).exit(7).says("a second factor");
        assert!(world.calls() <= 8, "{} calls: {}", world.calls(), run.err);
        assert_eq!(world.record().calls.get(&Call::Auth).copied(), Some(1));
        assert_eq!(world.states()["queued"].len(), 3);
    }
}

// field case A7
#[test]
fn a_second_factor_that_only_one_answer_names_is_a_doubt() {
    let world = World::new(1);
    world.fleet(1);
    world.fault(FIRST, FaultKind::SecondFactor);
    world.run(&["--settle", "200ms"]).exit(3);
    assert_eq!(outcome(&world), (1, "in_doubt".into(), "maybe".into()));
}
