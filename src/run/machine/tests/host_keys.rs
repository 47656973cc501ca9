//! Doubts in which the instances themselves have a word: which of them host keys settle, and what each
//! trap makes of that.

use std::time::Duration;

use super::ssh::Trap;
use super::world::{
    End, Fate, MINUTE, Oddities, Rebuilding, SECOND, World, options, service, usual,
};
use crate::job::{Evidence, Executed, State};

/// Where the account's list is of no help.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Doubtful {
    /// The instance gets the image that it has, and is back before anybody looks.
    SameImage,
    /// Likewise the only job of its order.
    LastJob,
    /// The process is killed before the answer, and another one takes over.
    Killed,
    /// The list goes on showing what was before the first submission.
    Frozen,
}

const ALL: [Doubtful; 4] = [
    Doubtful::SameImage,
    Doubtful::LastJob,
    Doubtful::Killed,
    Doubtful::Frozen,
];

/// Of no status that a poll would meet.
fn quick() -> Rebuilding {
    Rebuilding {
        lag: SECOND,
        takes: SECOND,
        ..usual()
    }
}

/// `jobs` submissions whose answers are lost, until all is settled.
fn night(jobs: u64, doubtful: Doubtful, executed: bool, trap: Trap) -> World {
    let mut options = options();
    options.workers = 25;
    options.rate_per_s = 5.0;
    let mut world = World::new(jobs, options).with_ssh(trap);
    let rebuilding = if doubtful == Doubtful::Frozen {
        usual()
    } else {
        quick()
    };
    for number in 1..=jobs {
        let fate = Fate::Unknown(executed.then(|| rebuilding.clone()));
        world.truth(number).always = Some(fate);
        if doubtful != Doubtful::Frozen {
            world.show(number, "active", "new");
        }
    }
    if doubtful == Doubtful::Frozen {
        world.oddities = Oddities {
            frozen_s: vec![(0, 1_000_000)],
            ..Oddities::default()
        };
    }
    if doubtful == Doubtful::Killed {
        let all = usize::try_from(jobs.min(20)).unwrap();
        // Their intents are committed, and no answer was recorded.
        for number in 1..=jobs {
            world.slow.insert(service(number), 10 * MINUTE);
        }
        world.run_until(|world| {
            let sent = |number| world.submissions(number) > 0;
            (1..=jobs).filter(|number| sent(*number)).count() >= all
        });
        world.slow.clear();
        world.crash(30 * SECOND);
    }
    world.run();
    world.check_end();
    world
}

/// All of a thousand doubts of each kind.
fn thousand(doubtful: Doubtful, executed: bool, trap: Trap) -> Vec<World> {
    let jobs = if doubtful == Doubtful::LastJob { 1 } else { 20 };
    let nights = if doubtful == Doubtful::LastJob {
        50
    } else {
        13
    };
    (0..nights)
        .map(|_| night(jobs, doubtful, executed, trap))
        .collect()
}

#[test]
fn of_a_thousand_executed_doubts_at_most_one_is_held() {
    let (mut doubts, mut held) = (0, Vec::new());
    for doubtful in ALL {
        for world in thousand(doubtful, true, Trap::Honest) {
            for job in world.queue.values() {
                doubts += 1;
                let record = &job.record;
                if record.state == State::Done {
                    assert_eq!(record.evidence, Some(Evidence::HostKey), "{doubtful:?}");
                    assert!(record.host_key.is_some());
                } else {
                    held.push((doubtful, record.clone()));
                }
            }
        }
    }
    assert!(doubts >= 800, "{doubts}");
    assert!(
        held.len() <= 1,
        "{} of {doubts}: {:#?}",
        held.len(),
        held.first()
    );
}

#[test]
fn of_a_thousand_doubts_that_were_not_executed_each_has_its_hint() {
    for doubtful in ALL {
        for world in thousand(doubtful, false, Trap::Honest) {
            for job in world.queue.values() {
                let record = &job.record;
                assert_eq!((record.state, record.held), (State::InDoubt, true));
                let before = record.baseline.as_ref().unwrap().host_key.as_ref();
                assert!(before.is_some(), "{doubtful:?}");
                assert_eq!(record.host_key.as_ref(), before, "{doubtful:?}");
            }
        }
    }
}

/// `check_end` asserts that nothing is wiped twice, and that nothing counts as done which was not.
#[test]
fn no_trap_has_a_doubt_decided_wrongly() {
    for trap in Trap::ALL {
        for doubtful in ALL {
            for executed in [true, false] {
                let jobs = if doubtful == Doubtful::LastJob { 1 } else { 20 };
                let world = night(jobs, doubtful, executed, trap);
                for job in world.queue.values() {
                    let record = &job.record;
                    let case = format!("{trap:?}, {doubtful:?}, {executed}: {record:?}");
                    assert!(executed || record.state != State::Done, "{case}");
                    assert!(!executed || record.executed() != Executed::No, "{case}");
                }
            }
        }
    }
}

/// An instance that is accepted, and of which nothing shows.
#[test]
fn a_key_that_is_new_completes_what_was_accepted_and_never_seen() {
    let mut world = World::new(1, options()).with_ssh(Trap::Honest);
    world.show(1, "active", "new");
    world.truth(1).always = Some(Fate::Accepted(quick()));
    world.run();
    world.check_end();
    let record = &world.job(1).record;
    assert_eq!(record.evidence, Some(Evidence::HostKey));
    assert_ne!(
        record.host_key,
        record.baseline.as_ref().unwrap().host_key,
        "{record:?}"
    );
}

/// What the list tells better, it tells; and the new key is read all the same, for whoever logs in next.
#[test]
fn the_new_key_is_read_of_every_instance_that_is_done() {
    let mut world = World::new(30, options()).with_ssh(Trap::Honest);
    world.run();
    world.check_end();
    for job in world.queue.values() {
        let record = &job.record;
        assert_eq!(record.state, State::Done);
        let is_seen = record.evidence.is_some_and(Evidence::is_seen);
        assert!(is_seen, "{record:?}");
        let before = &record.baseline.as_ref().unwrap().host_key;
        assert!(before.is_some() && record.host_key.is_some());
        assert_ne!(record.host_key, *before);
    }
}

#[test]
fn nobody_who_answers_nothing_keeps_a_submission_waiting_for_longer_than_three_seconds() {
    let quick = |is_asked: bool| {
        let mut options = options();
        options.rate_per_s = 5.0;
        options.workers = 50;
        let world = World::new(50, options);
        if is_asked {
            world.with_ssh(Trap::Honest)
        } else {
            world
        }
    };
    let mut with = quick(true);
    with.ssh.be_silent();
    with.run_until(|world| (1..=50).all(|number| world.submissions(number) > 0));
    let mut without = quick(false);
    without.run_until(|world| (1..=50).all(|number| world.submissions(number) > 0));
    let later = with.elapsed().saturating_sub(without.elapsed());
    assert!(later <= Duration::from_secs(4), "{later:?}");
    with.run();
    with.check_end();
}

#[test]
fn a_doubt_that_silence_would_disprove_is_held_where_the_key_is_new() {
    // Many others prove the page to be alive; the doubt was not executed, and somebody else rebuilds it.
    let mut world = World::new(60, options()).with_ssh(Trap::Honest);
    world.truth(1).always = Some(Fate::Unknown(None));
    world.run_until(|world| world.state(1) == State::InDoubt);
    let at = world.now.at + world.options.rules.settle.saturating_sub(5 * SECOND);
    world.ssh.rebuilt(service(1), at, &quick());
    world.run();
    world.check_end();
    let record = &world.job(1).record;
    assert_eq!((record.state, record.held), (State::InDoubt, true));
    assert_eq!(world.submissions(1), 1);
}

#[test]
fn an_address_that_the_list_gives_to_the_instance_no_more_says_nothing_of_it() {
    let mut world = World::new(1, options()).with_ssh(Trap::Honest);
    world.show(1, "active", "new");
    world.truth(1).always = Some(Fate::Unknown(None));
    world.run_until(|world| world.state(1) == State::InDoubt);
    let at = world.now.at;
    world.ssh.rebuilt(service(1), at, &quick());
    world.give_address(1, "10.9.9.9");
    world.run();
    let record = &world.job(1).record;
    assert_eq!((record.state, record.held), (State::InDoubt, true));
}

#[test]
fn an_own_image_is_never_judged_by_keys() {
    let mut world = World::new(1, options()).with_ssh(Trap::Honest);
    world.zone = "own";
    world.show(1, "active", "new");
    world.truth(1).always = Some(Fate::Unknown(Some(quick())));
    world.run();
    let record = &world.job(1).record;
    assert_eq!((record.state, record.held), (State::InDoubt, true));
    assert_eq!(End::Back, quick().ends);
}

#[test]
fn a_process_that_takes_over_goes_by_what_the_one_before_has_seen_of_the_key() {
    let mut world = World::new(1, options()).with_ssh(Trap::Honest);
    world.show(1, "active", "new");
    world.truth(1).always = Some(Fate::Unknown(None));
    world.run_until(|world| world.kinds(1).contains(&"key_shown"));
    let now = world.now.at;
    world.ssh.rebuilt(service(1), now, &quick());
    world.crash(10 * SECOND);
    world.run();
    world.check_end();
    let record = &world.job(1).record;
    assert_eq!((record.state, record.held), (State::InDoubt, true));
}

#[test]
fn a_key_from_before_a_sleep_stands_with_no_submission_after_it() {
    let mut options = options();
    options.workers = 1;
    let mut world = World::new(2, options).with_ssh(Trap::Honest);
    world.show(1, "active", "new");
    world.show(2, "active", "new");
    for number in 1..=2 {
        world.truth(number).always = Some(Fate::Unknown(None));
    }
    world.run_until(|world| world.submissions(1) > 0);
    let now = world.now.at;
    world.ssh.rebuilt(service(2), now, &quick());
    world.sleep(3 * 60 * MINUTE);
    world.run();
    world.check_end();
    assert_ne!(world.state(2), State::Done);
}

#[test]
fn a_process_that_is_told_not_to_look_does_not_look_on_for_the_one_before() {
    let mut world = World::new(1, options()).with_ssh(Trap::Honest);
    world.show(1, "active", "new");
    world.truth(1).always = Some(Fate::Unknown(Some(quick())));
    world.run_until(|world| world.state(1) == State::InDoubt);
    let looks = world.ssh.looks;
    assert!(looks > 0);
    world.options.witnesses.ssh_port = None;
    world.crash(10 * SECOND);
    world.run();
    world.check_end();
    assert_eq!(world.ssh.looks, looks);
}
