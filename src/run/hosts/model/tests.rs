//! The searches: as it is, without each assumption, with each rule broken.

use super::search::{Found, search};
use super::setting::{
    Assumption, Bounds, COPIES, Mutation, PAUSE, RENEWALS, Setting, TAKE_OVER, TWO_JOBS,
};
use super::world::Broken;

/// `REFLEET_MODEL=deep` goes further than fits into an ordinary run of the tests.
fn is_deep() -> bool {
    std::env::var_os("REFLEET_MODEL").is_some_and(|word| word == "deep")
}

/// Searches through all histories, and fails with the first that breaks a promise.
fn holds(name: &str, bounds: Bounds) {
    let found = search(&Setting {
        bounds,
        without: None,
        mutation: None,
    });
    assert!(
        found.broken.is_none() && found.stuck.is_none(),
        "{name}: {found}"
    );
    show(name, &found);
}

#[expect(clippy::print_stderr, reason = "how far a search went")]
fn show(name: &str, found: &Found) {
    eprintln!("{name}: {found}");
}

#[test]
fn no_take_over_wipes_twice_or_loses_a_job() {
    holds("take-over", TAKE_OVER);
    if is_deep() {
        holds(
            "take-over, two faults",
            Bounds {
                faults: 2,
                ..TAKE_OVER
            },
        );
        holds(
            "three tenures",
            Bounds {
                tenures: 3,
                ..TAKE_OVER
            },
        );
    }
}

#[test]
fn two_hosts_never_send_to_one_account_at_the_same_time() {
    holds("two jobs", TWO_JOBS);
    holds("renewals", RENEWALS);
    if is_deep() {
        holds(
            "two jobs, a fault",
            Bounds {
                faults: 1,
                ..TWO_JOBS
            },
        );
        holds(
            "renewals, two faults",
            Bounds {
                faults: 2,
                tenures: 3,
                ..RENEWALS
            },
        );
    }
}

#[test]
fn no_database_that_lost_an_intent_leads_to_a_second_wipe() {
    holds("copies", COPIES);
    if is_deep() {
        holds(
            "copies at any time",
            Bounds {
                copies_at_any_time: true,
                ..COPIES
            },
        );
        holds(
            "copies, a fault",
            Bounds {
                faults: 1,
                ..COPIES
            },
        );
    }
}

/// [`TAKE_OVER`] is searched with a server that closes no connection: what such a one costs there is that two
/// hosts send at once, and no second wipe. Only after an adoption it does: the lost intent is nobody's orphan.
/// That waits for a lease, a time-out and `--settle`, so that no server may bear a silence longer than those
/// minutes; a longer lease would only lengthen them.
#[test]
fn without_closed_connections_only_an_adopted_database_leads_to_a_second_wipe() {
    let found = search(&Setting {
        bounds: Bounds {
            late_forms: true,
            ..COPIES
        },
        without: None,
        mutation: None,
    });
    let broken = found.broken.map(|(broken, _)| broken);
    assert_eq!(broken, Some(Broken::Overtaken));
}

#[test]
fn soon_after_a_pause_nothing_is_wiped() {
    holds("pause", PAUSE);
    if is_deep() {
        holds("pause, a fault", Bounds { faults: 1, ..PAUSE });
    }
}

/// What breaks where an assumption does not hold.
const NEEDED: [(Assumption, Bounds, Broken); 8] = [
    (
        Assumption::SilentConnectionsAreClosed,
        TWO_JOBS,
        Broken::LateForm,
    ),
    (
        Assumption::ExecutedSoonOrNever,
        TAKE_OVER,
        Broken::Forgotten,
    ),
    (Assumption::ClocksRunAlike, RENEWALS, Broken::TwoSenders),
    (Assumption::ClocksAreNeverHeld, RENEWALS, Broken::TwoSenders),
    (Assumption::FencedIsDown, TAKE_OVER, Broken::Forgotten),
    (
        Assumption::KernelKnowsItsProcesses,
        TAKE_OVER,
        Broken::Forgotten,
    ),
    (Assumption::LossIsSeen, COPIES, Broken::TwoSenders),
    (
        Assumption::OldPrimaryIsDown,
        Bounds {
            faults: 1,
            ..COPIES
        },
        Broken::TwoSenders,
    ),
];

#[test]
fn each_assumption_is_needed() {
    assert_eq!(NEEDED.map(|(assumption, ..)| assumption), Assumption::ALL);
    for (assumption, bounds, expected) in NEEDED {
        let found = search(&Setting {
            bounds,
            without: Some(assumption),
            mutation: None,
        });
        show(&format!("without {assumption:?}"), &found);
        assert_eq!(
            found.broken.map(|(broken, _)| broken),
            Some(expected),
            "{assumption:?}"
        );
    }
}

const NO_FAULTS: Bounds = Bounds {
    faults: 0,
    ..TAKE_OVER
};

/// What breaks with a rule.
const RULES: [(Mutation, Bounds, Broken); 23] = [
    (Mutation::TrustedTooLong, TAKE_OVER, Broken::TwoSenders),
    (Mutation::TrustedFromTheAnswer, RENEWALS, Broken::TwoSenders),
    (Mutation::ClockThatSleeps, RENEWALS, Broken::TwoSenders),
    (Mutation::NoLook, TWO_JOBS, Broken::LateForm),
    (Mutation::LookAtTheCommit, TWO_JOBS, Broken::LateForm),
    (Mutation::IntentOfAnyAge, PAUSE, Broken::AfterThePause),
    (Mutation::NoGuard, TAKE_OVER, Broken::TwoSenders),
    (
        Mutation::GuardByNumber,
        Bounds {
            tenures: 3,
            ..COPIES
        },
        Broken::TwoSenders,
    ),
    (Mutation::NothingIsOrphaned, TAKE_OVER, Broken::Lost),
    (Mutation::OrphansAreQueued, NO_FAULTS, Broken::Forgotten),
    (Mutation::SilenceWithoutFence, NO_FAULTS, Broken::Forgotten),
    (Mutation::RequeueWithoutFence, NO_FAULTS, Broken::WipedTwice),
    (Mutation::RetryWithoutFence, NO_FAULTS, Broken::WipedTwice),
    (Mutation::OrderGoesAround, NO_FAULTS, Broken::Overtaken),
    (Mutation::WordBeforeSettle, TAKE_OVER, Broken::Overtaken),
    (
        Mutation::RunGoesOnAfterALostCommit,
        TAKE_OVER,
        Broken::Forgotten,
    ),
    (Mutation::FenceWithoutWait, NO_FAULTS, Broken::Forgotten),
    (
        Mutation::FenceForEver,
        Bounds {
            tenures: 3,
            words: false,
            ..TAKE_OVER
        },
        Broken::Forgotten,
    ),
    (Mutation::TestimonyIgnored, TAKE_OVER, Broken::Unheard),
    (
        Mutation::TestimonyOfAnyAttempt,
        NO_FAULTS,
        Broken::Forgotten,
    ),
    (Mutation::NoIdentity, COPIES, Broken::TwoSenders),
    (Mutation::NoMark, COPIES, Broken::LateForm),
    (Mutation::AdoptWithoutWait, COPIES, Broken::TwoSenders),
];

/// What takes some two million states to break: an attempt of the lost database and one of this have the
/// same number and the same tenure, and the late word on one is heard as one on the other.
const DEEP: [(Mutation, Bounds, Broken); 1] = [(
    Mutation::NoticeKeepsLeases,
    Bounds {
        faults: 1,
        ..COPIES
    },
    Broken::Forgotten,
)];

#[test]
fn each_rule_is_needed() {
    let deep = DEEP.iter().filter(|_| is_deep());
    for (mutation, bounds, expected) in RULES.iter().chain(deep) {
        let found = search(&Setting {
            bounds: *bounds,
            without: None,
            mutation: Some(*mutation),
        });
        show(&format!("with {mutation:?}"), &found);
        let broken = found.broken.map(|(broken, _)| broken);
        assert_eq!(broken, Some(*expected), "{mutation:?}");
    }
}

#[test]
fn what_was_seen_before_an_adoption_would_hold_all_for_ever_after_it() {
    if !is_deep() {
        return;
    }
    let found = search(&Setting {
        bounds: COPIES,
        without: None,
        mutation: Some(Mutation::MarkOutlivesAdoption),
    });
    assert!(found.stuck.is_some(), "{found}");
}
