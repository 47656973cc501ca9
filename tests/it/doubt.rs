//! The ways out of doubt and the ends of a rebuild, each against the trap that it guards against.
//!
//! Each test drives the real binary over a small fleet, and compares one line per instance: what
//! the ledger says became of it, and what the simulator says really happened. Most rebuilds take no
//! time here, so that no poll sees them and the image's name alone speaks; where `rebuilding` is to
//! be seen, they last for many polls.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::rig::{Pace, Rig, Running, SIGABRT, Story, finish};
use refleet::job::{ServiceId, State};
use refleet::simulator::{
    AccountChange, Behaviour, Call, CallRecord, Config, Fault, FaultKind, ImageAt, InstanceChange,
    Outcome, Script, Step,
};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const DOUBT: i32 = 3;
const OLD: &str = "CentOS-7";
const NEW: &str = "AlmaLinux-8";
/// Long enough for a poll to see it, however busy the machine is.
const LONG_MS: u64 = 500;
/// How a rebuild without a fault ends here.
const REBUILT: &str = "done, executed yes, image, 1 attempts; 1 sent, 1 wiped";

/// `count` instances whose rebuilds nobody sees; `adjust` changes the account.
fn rig(count: usize, adjust: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::brisk(count, |config| {
        config.rebuild_duration = Duration::ZERO;
        adjust(config);
    });
    // Tests that are not about lateness get time, so that a busy machine makes nothing late.
    rig.pace = Pace::brisk().with("--rebuild-timeout", "20s");
    rig
}

fn stands(rig: &Rig, nth: usize, status: &str, image: &str) {
    let (status, image) = (Some(status.to_owned()), Some(image.to_owned()));
    let now = InstanceChange {
        status,
        image,
        ..InstanceChange::default()
    };
    rig.change(nth, &now);
}

fn lasting(duration_ms: u64) -> Behaviour {
    Behaviour {
        duration_ms: Some(duration_ms),
        ..Behaviour::default()
    }
}

fn late(kind: FaultKind, delay_ms: u64) -> Fault {
    Fault {
        delay_ms: Some(delay_ms),
        ..Fault::new(kind)
    }
}

fn calls(rig: &Rig, call: Call, elid: Option<ServiceId>) -> Vec<CallRecord> {
    let mut calls = rig.simulator.calls();
    let elid = elid.map(ServiceId::get);
    calls.retain(|one| one.call == call && (elid.is_none() || one.elid == elid));
    calls
}

/// Waits until `met` holds while the process works.
fn until(running: &mut Running, mut met: impl FnMut() -> bool) {
    let ended = running.wait_until(&mut met);
    // The process may have ended with just that.
    assert!(ended.is_none() || met(), "it ended: {}", running.said());
}

fn run(rig: &Rig, code: i32) {
    let ended = rig.run(&[]);
    assert_eq!(ended.code, code, "{ended}");
}

fn ends(mut running: Running, code: i32) {
    let status = running.wait_until(|| false).unwrap();
    assert_eq!(status, code, "{}", running.said());
}

/// What the ledger says of each instance, and after the semicolon what is true.
fn fates(rig: &Rig) -> Vec<String> {
    let stories = rig.stories().unwrap();
    let fate = |(service, story): (&ServiceId, &Story)| {
        let (truth, record) = (rig.truth(*service), &story.record);
        let mut fate = record.state.to_string();
        if record.held {
            fate.push_str(" held");
        }
        if record.state == State::Failed || record.state == State::InDoubt {
            let failure = record.failure.as_ref().unwrap();
            let _ = write!(fate, " ({})", failure.error_kind);
        }
        let evidence = record.evidence.map_or("-", |evidence| evidence.as_str());
        format!(
            "{fate}, executed {}, {evidence}, {} attempts; {} sent, {} wiped",
            record.executed(),
            record.attempt,
            truth.submissions,
            truth.wiped
        )
    };
    rig.services.iter().zip(&stories).map(fate).collect()
}

#[track_caller]
fn assert_fates(rig: &Rig, expected: &[&str]) {
    assert_eq!(fates(rig), expected);
    rig.check_end().unwrap();
}

/// From the first entry of one kind to the first of another.
fn between(rig: &Rig, nth: usize, from: &str, to: &str) -> Duration {
    let story = rig.stories().unwrap().swap_remove(nth);
    let at_ms = |kind| {
        let line = story.lines.iter().find(|line| line.entry.kind() == kind);
        line.unwrap().at_ms
    };
    Duration::from_millis(u64::try_from(at_ms(to) - at_ms(from)).unwrap())
}

// ---- doubt -------------------------------------------------------------------------------------

#[test]
fn a_reading_requested_before_the_send_is_no_evidence_however_late_it_arrives() {
    // The first rebuild is in flight all the time, so that the list is read. The second holds the
    // other slot until it is refused, and that starts the third in the middle of a reading.
    let mut rig = rig(5, |_| {});
    rig.pace.set("--workers", "2");
    rig.pace.set("--timeout", "5s");
    let first = Behaviour {
        image_at: Some(ImageAt::Accept),
        ..lasting(1500)
    };
    rig.next(0, first);
    rig.fault(1, late(FaultKind::Error, 700));
    rig.fault(2, FaultKind::ResetBefore);
    let mut running = rig.start(&[]);
    until(&mut running, || {
        calls(&rig, Call::Submission, None).len() == 2
    });
    // The simulator looks at its list before it delays the answer, and no other reading begins until
    // that answer is there: so the second reading is prepared during the first.
    rig.simulator.script(Script {
        times: 2,
        ..Script::next(Call::Instances, FaultKind::LongRequest)
    });
    for delay_ms in [100, 1000] {
        let late = late(FaultKind::Delay, delay_ms);
        rig.simulator.script(Script::next(Call::LongRequest, late));
    }
    let fetched = || calls(&rig, Call::LongRequest, None);
    until(&mut running, || !fetched().is_empty());
    // The owner has rebuilt the instance before our submission; only the late reading shows that.
    stands(&rig, 2, "rebuilding", OLD);
    until(&mut running, || fetched().len() == 2);
    stands(&rig, 2, "active", OLD);
    ends(running, FAILED);

    let late_read = fetched()[1].at_us;
    let third = calls(&rig, Call::Submission, Some(rig.services[2]))[0].at_us;
    assert!(
        late_read < third && third < late_read + 1_000_000,
        "the trap was not set: read at {late_read}, sent at {third}"
    );
    assert_fates(
        &rig,
        &[
            "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped",
            "failed (value), executed no, -, 1 attempts; 1 sent, 0 wiped",
            "done, executed yes, image, 2 attempts; 2 sent, 1 wiped",
            REBUILT,
            REBUILT,
        ],
    );
}

#[test]
fn before_the_lists_lag_was_learned_no_silence_sends_anything_again() {
    // The list shows nothing of what happens until long after the doubts are decided.
    let mut rig = rig(4, |config| config.list_lag = Duration::from_millis(1200));
    rig.pace.set("--settle", "200ms");
    rig.pace.set("--unseen-after", "5s");
    rig.fault(1, FaultKind::ResetAfter);
    rig.fault(2, FaultKind::Busy);
    rig.fault(3, FaultKind::ResetBefore);
    run(&rig, DOUBT);
    assert_fates(
        &rig,
        &[
            REBUILT,
            // It is watched until the first one can prove nothing any more.
            REBUILT,
            "in_doubt held (running_operation), executed maybe, -, 1 attempts; 1 sent, 0 wiped",
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 0 wiped",
        ],
    );
    for nth in 2..4 {
        let reason = rig.held_for(nth);
        assert!(reason.contains("may stand still"), "{reason}");
        assert!(between(&rig, nth, "unknown", "held") > Duration::from_millis(200));
    }
}

#[test]
fn a_list_that_lags_for_longer_than_settle_hides_no_rebuild_once_that_was_learned() {
    let mut rig = rig(5, |config| config.list_lag = Duration::from_millis(300));
    rig.pace.set("--settle", "100ms");
    rig.pace.set("--workers", "1");
    rig.fault(1, FaultKind::ResetAfter);
    rig.fault(2, FaultKind::ResetBefore);
    run(&rig, DONE);
    assert_fates(
        &rig,
        &[
            REBUILT,
            REBUILT,
            "done, executed yes, image, 2 attempts; 2 sent, 1 wiped",
            REBUILT,
            REBUILT,
        ],
    );
    let watched = between(&rig, 2, "unknown", "disproved");
    assert!(watched > Duration::from_millis(3 * 300), "{watched:?}");
}

#[test]
fn what_was_really_not_executed_is_sent_again_and_wiped_once() {
    // With one worker the next job is what shows that the list lives.
    let mut rig = rig(5, |_| {});
    rig.pace.set("--workers", "1");
    rig.fault(1, FaultKind::ResetBefore);
    rig.fault(2, FaultKind::Busy);
    run(&rig, DONE);
    let again = "done, executed yes, image, 2 attempts; 2 sent, 1 wiped";
    assert_fates(&rig, &[REBUILT, again, again, REBUILT, REBUILT]);
    for nth in 1..3 {
        assert!(between(&rig, nth, "unknown", "disproved") > Duration::from_millis(400));
    }
}

#[test]
fn pages_that_shift_between_two_calls_lose_nobody_and_wipe_nobody_twice() {
    let mut rig = rig(7, |config| config.page_size = 3);
    rig.pace.set("--workers", "3");
    rig.simulator.set(AccountChange {
        list_shift: Some(1),
        ..AccountChange::default()
    });
    rig.fault(3, FaultKind::ResetAfter);
    rig.fault(4, FaultKind::ResetBefore);
    rig.fault(6, FaultKind::ResetAfter);
    // The pages shift, so it is chance whether the page of the lost one is known to live.
    let ended = rig.run(&[]);
    assert!(matches!(ended.code, DONE | DOUBT), "{ended}");
    let again = "done, executed yes, image, 2 attempts; 2 sent, 1 wiped";
    let held = "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 0 wiped";
    let mut fates = fates(&rig);
    let odd = fates.remove(4);
    assert!(odd == again || odd == held, "{odd}");
    assert_eq!(fates, [REBUILT; 6]);
    rig.check_end().unwrap();
}

#[test]
fn a_service_that_the_panels_filter_hides_is_not_sent() {
    let rig = rig(10, |_| {});
    let hidden = InstanceChange {
        listed: Some(false),
        ..InstanceChange::default()
    };
    rig.change(1, &hidden);
    run(&rig, FAILED);
    let untouched = "failed (not_listed), executed no, -, 0 attempts; 0 sent, 0 wiped";
    let mut fates = [REBUILT; 10];
    fates[1] = untouched;
    assert_fates(&rig, &fates);
    let failure = rig.stories().unwrap()[1].record.failure.clone().unwrap();
    assert!(failure.error.contains("filter"), "{failure:?}");
}

#[test]
fn what_leaves_the_list_while_it_is_in_doubt_is_held_and_never_sent_again() {
    let mut rig = rig(3, |_| {});
    rig.pace.set("--workers", "1");
    rig.pace.set("--timeout", "5s");
    rig.pace.set("--settle", "200ms");
    // By then the lag is known: if the list showed them as they stood before, they would be sent again.
    rig.fault(1, late(FaultKind::ResetBefore, 150));
    rig.fault(2, late(FaultKind::ResetAfter, 150));
    let mut running = rig.start(&[]);
    let hidden = InstanceChange {
        listed: Some(false),
        ..InstanceChange::default()
    };
    for nth in 1..3 {
        until(&mut running, || {
            rig.truth(rig.services[nth]).submissions == 1
        });
        rig.change(nth, &hidden);
    }
    ends(running, DOUBT);
    assert_fates(
        &rig,
        &[
            REBUILT,
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 0 wiped",
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    for nth in 1..3 {
        let reason = rig.held_for(nth);
        assert!(reason.contains("filter"), "{reason}");
    }
}

#[test]
fn with_the_same_image_before_and_after_only_the_status_can_end_a_doubt() {
    let mut rig = rig(4, |config| {
        for instance in &mut config.instances[1..] {
            NEW.clone_into(&mut instance.image);
        }
    });
    rig.pace.set("--workers", "1");
    rig.fault(1, FaultKind::ResetBefore);
    rig.fault(2, FaultKind::ResetAfter);
    rig.fault(3, FaultKind::ResetAfter);
    rig.next(3, lasting(LONG_MS));
    run(&rig, DOUBT);
    assert_fates(
        &rig,
        &[
            REBUILT,
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 0 wiped",
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
            "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    for nth in 1..3 {
        let reason = rig.held_for(nth);
        assert!(reason.contains("the same image before"), "{reason}");
    }
}

#[test]
fn an_image_without_a_name_is_no_proof_of_anything() {
    let mut rig = rig(4, |_| {});
    rig.pace.set("--workers", "1");
    rig.pace.set("--settle", "200ms");
    rig.pace.set("--unseen-after", "400ms");
    rig.simulator.script(Script {
        times: u64::MAX,
        ..Script::next(Call::Preview, FaultKind::Error)
    });
    // The list showed its beginning, so the lag is known.
    rig.next(0, lasting(LONG_MS));
    rig.fault(2, FaultKind::ResetBefore);
    rig.fault(3, FaultKind::ResetAfter);
    run(&rig, DOUBT);
    assert_fates(
        &rig,
        &[
            "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped",
            "done, executed yes, accepted, 1 attempts; 1 sent, 1 wiped",
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 0 wiped",
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    for nth in 2..4 {
        let reason = rig.held_for(nth);
        assert!(reason.contains("the image's name is not known"), "{reason}");
    }
}

#[test]
fn what_happened_while_the_process_stood_still_is_not_disproved_by_what_it_sees_afterwards() {
    let mut rig = rig(2, |_| {});
    rig.pace.set("--workers", "1");
    rig.pace.set("--settle", "1s");
    // It is executed, and the list does not show that before the process is stopped.
    let hidden = Behaviour {
        accept_lag_ms: Some(60_000),
        ..Behaviour::default()
    };
    rig.next(1, hidden);
    rig.fault(1, FaultKind::ResetAfter);
    let mut running = rig.start(&[]);
    let is_in_doubt = || {
        let stories = rig.stories();
        stories.is_some_and(|stories| stories[1].record.state == State::InDoubt)
    };
    until(&mut running, is_in_doubt);
    running.signal("STOP");
    let stopped = Instant::now();
    stands(&rig, 1, "active", OLD);
    until(&mut running, || {
        stopped.elapsed() > Duration::from_millis(2200)
    });
    running.signal("CONT");
    ends(running, DOUBT);
    assert_fates(
        &rig,
        &[
            REBUILT,
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    let reason = rig.held_for(1);
    assert!(reason.contains("was suspended"), "{reason}");
}

// ---- after a crash -----------------------------------------------------------------------------

/// A run that is killed when its first submission was executed.
fn killed_after_the_wire(rig: &Rig) {
    rig.fault(0, FaultKind::TimeoutAfter);
    let mut running = rig.start(&[]);
    until(&mut running, || rig.truth(rig.services[0]).wiped == 1);
    running.kill();
    rig.check().unwrap();
}

/// A run that dies between its first intent and the wire.
fn killed_before_the_wire(rig: &Rig) {
    let mut command = rig.order("fleet.csv", &[]);
    command.env("REFLEET_FAILPOINT", "before_send");
    let ended = finish(command);
    assert_eq!(ended.code, -SIGABRT, "{ended}");
    rig.check().unwrap();
}

/// Waits until so much time has passed since the intent, by the wall clock.
fn pass_since_the_intent(rig: &Rig, time: Duration) {
    let intent_ms = rig.stories().unwrap()[0].record.intent_ms.unwrap();
    let began = Instant::now();
    while jiff::Timestamp::now().as_millisecond() - intent_ms
        <= i64::try_from(time.as_millis()).unwrap()
    {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "time stands still"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_restored_old_image_after_a_crash_sends_nothing_again() {
    // The next run learns how far the list lags, and watches for long enough. What it lacks is the
    // time between the two processes.
    let mut rig = rig(2, |_| {});
    rig.pace.set("--workers", "1");
    rig.pace.set("--settle", "1s");
    killed_after_the_wire(&rig);
    // The owner has restored the old image, so the list looks as if nothing had happened.
    stands(&rig, 0, "active", OLD);
    // A doubt that is held stays held in the next run.
    for _ in 0..2 {
        run(&rig, DOUBT);
        assert_fates(
            &rig,
            &[
                "in_doubt held (interrupted), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
                REBUILT,
            ],
        );
    }
    let reason = rig.held_for(0);
    assert!(reason.contains("nobody watched all the time"), "{reason}");
}

#[test]
fn what_is_seen_after_a_crash_counts_only_within_the_rebuild_timeout_of_the_intent() {
    // Seen within the rebuild timeout of the intent: it was our rebuild.
    let rig_in_time = rig(1, |_| {});
    killed_after_the_wire(&rig_in_time);
    run(&rig_in_time, DONE);
    assert_fates(&rig_in_time, &[REBUILT]);

    // Seen later: nothing had been sent, and the owner rebuilt it.
    for status in ["active", "rebuilding"] {
        let mut rig = rig(1, |_| {});
        rig.pace.set("--rebuild-timeout", "300ms");
        killed_before_the_wire(&rig);
        stands(&rig, 0, status, NEW);
        pass_since_the_intent(&rig, Duration::from_millis(300));
        run(&rig, DOUBT);
        assert_fates(
            &rig,
            &["in_doubt held (interrupted), executed maybe, -, 1 attempts; 0 sent, 0 wiped"],
        );
    }
}

// ---- before the send ---------------------------------------------------------------------------

#[test]
fn a_rebuild_of_the_owners_own_is_waited_for_and_only_then_ours_is_sent() {
    let rig = rig(2, |_| {});
    let step = |after_ms, status: &str| Step {
        after_ms,
        status: Some(status.to_owned()),
        image: None,
    };
    let began = Instant::now();
    let own = InstanceChange {
        steps: vec![step(0, "rebuilding"), step(500, "active")],
        ..InstanceChange::default()
    };
    rig.change(1, &own);
    let mut running = rig.start(&[]);
    until(&mut running, || rig.truth(rig.services[1]).submissions > 0);
    assert!(began.elapsed() >= Duration::from_millis(500));
    ends(running, DONE);
    assert_fates(&rig, &[REBUILT, REBUILT]);
}

#[test]
fn what_is_not_ready_within_the_rebuild_timeout_fails_untouched() {
    let mut rig = rig(2, |_| {});
    rig.pace.set("--rebuild-timeout", "1s");
    stands(&rig, 1, "rebuilding", OLD);
    run(&rig, FAILED);
    let untouched = "failed (not_ready), executed no, -, 0 attempts; 0 sent, 0 wiped";
    assert_fates(&rig, &[REBUILT, untouched]);
}

// ---- the ends of a rebuild ---------------------------------------------------------------------

#[test]
fn a_third_image_is_nobodys_proof_and_left_to_the_operator() {
    let mut rig = rig(4, |_| {});
    rig.pace.set("--workers", "1");
    let third = |duration_ms| Behaviour {
        image_after: Some("Debian-12".to_owned()),
        ..lasting(duration_ms)
    };
    rig.next(1, third(0));
    rig.next(2, third(LONG_MS));
    rig.next(3, third(0));
    rig.fault(3, FaultKind::ResetAfter);
    run(&rig, DOUBT);
    let doubted = "in_doubt held (third_image), executed yes, -, 1 attempts; 1 sent, 1 wiped";
    assert_fates(
        &rig,
        &[
            REBUILT,
            doubted,
            doubted,
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    let reason = rig.held_for(3);
    assert!(
        reason.contains("the list shows active with Debian-12"),
        "{reason}"
    );
}

#[test]
fn the_new_name_on_a_working_instance_completes_nothing_while_its_disk_is_written() {
    // The name changes at once; the status stays `active` for some polls before it is `rebuilding`.
    let mut rig = rig(3, |config| config.image_at = ImageAt::Accept);
    rig.pace.set("--settle", "5s");
    let slow = || Behaviour {
        accept_lag_ms: Some(150),
        ..lasting(LONG_MS)
    };
    rig.next(0, slow());
    rig.next(1, slow());
    rig.fault(1, FaultKind::ResetAfter);
    run(&rig, DONE);
    let observed = "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped";
    assert_fates(&rig, &[observed, observed, REBUILT]);
    let stories = rig.stories().unwrap();
    for (service, story) in rig.services.iter().zip(&stories) {
        let written_ms = rig.truth(*service).wipes[0].completed_ms.unwrap();
        let done_ms = story.record.completed_ms.unwrap();
        // The simulator stamps its calls by the wall clock, a little after it has acted.
        assert!(done_ms + 100 >= written_ms, "{written_ms}: {story:?}");
    }
    // Where only the name is ever seen, it takes two readings a tenth of `--settle` apart.
    let settled = between(&rig, 2, "accepted", "completed");
    assert!(settled >= Duration::from_millis(500), "{settled:?}");
}

#[test]
fn an_instance_that_ends_in_error_has_failed_and_was_executed() {
    let rig = rig(4, |config| {
        for instance in &mut config.instances[2..] {
            "error".clone_into(&mut instance.status);
        }
    });
    let broken = |duration_ms| Behaviour {
        outcome: Some(Outcome::Error),
        ..lasting(duration_ms)
    };
    rig.next(0, broken(0));
    rig.next(1, broken(0));
    rig.fault(1, FaultKind::ResetAfter);
    // An instance that was in `error` before shows that for a while longer; it is no sign of our rebuild.
    let lagging = |behaviour| Behaviour {
        accept_lag_ms: Some(200),
        ..behaviour
    };
    rig.next(2, lagging(lasting(LONG_MS)));
    rig.next(3, lagging(broken(LONG_MS)));
    run(&rig, DOUBT);
    let failed = "failed (instance_error), executed yes, -, 1 attempts; 1 sent, 1 wiped";
    assert_fates(
        &rig,
        &[
            failed,
            // Its rebuild was not seen to begin, so its error may have any cause.
            "in_doubt held (reset), executed maybe, -, 1 attempts; 1 sent, 1 wiped",
            "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped",
            failed,
        ],
    );
}

#[test]
fn what_never_comes_back_is_in_doubt_after_the_rebuild_timeout_and_was_executed() {
    let mut rig = rig(2, |_| {});
    rig.pace.set("--rebuild-timeout", "1s");
    let never = Behaviour {
        outcome: Some(Outcome::Never),
        ..Behaviour::default()
    };
    rig.next(1, never);
    run(&rig, DOUBT);
    assert_fates(
        &rig,
        &[
            REBUILT,
            "in_doubt held (rebuild_timeout), executed yes, -, 1 attempts; 1 sent, 1 wiped",
        ],
    );
    let waited = between(&rig, 1, "intent", "doubted");
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[test]
fn what_was_accepted_and_never_seen_is_done_by_the_apis_word_alone() {
    let rig = rig(3, |config| {
        for instance in &mut config.instances {
            NEW.clone_into(&mut instance.image);
        }
    });
    // It was seen in the end: its own signs count, not the silence before them.
    let seen_late = Behaviour {
        accept_lag_ms: Some(400),
        ..lasting(LONG_MS)
    };
    rig.next(1, seen_late);
    run(&rig, DONE);
    let unseen = "done, executed yes, accepted, 1 attempts; 1 sent, 1 wiped";
    let observed = "done, executed yes, observed, 1 attempts; 1 sent, 1 wiped";
    assert_fates(&rig, &[unseen, observed, unseen]);
    for nth in [0, 2] {
        let silent = between(&rig, nth, "accepted", "completed");
        assert!(silent >= Duration::from_millis(800), "{silent:?}");
    }
}
