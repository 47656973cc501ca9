//! What the API has noted of a service, as a hint beside a doubt: read where somebody asks for it, once
//! for each doubt that is held, and never taken for a proof.

use std::time::Duration;

use crate::rig::{Ended, Pace, Rig};
use refleet::simulator::{Call, Config, FaultKind};

const DOUBT: i32 = 3;

/// Three instances, and a list that shows nothing of what happens to them: the second one is rebuilt without
/// an answer, the third is not.
fn rig(adjust: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::brisk(3, |config| {
        config.rebuild_duration = Duration::ZERO;
        config.odd.never_shown = true;
        config.odd.history = true;
        adjust(config);
    });
    rig.pace = Pace::brisk()
        .with("--rebuild-timeout", "10s")
        .with("--settle", "200ms")
        .with("--unseen-after", "300ms")
        .with("--workers", "1");
    rig.fault(1, FaultKind::ResetAfter);
    rig.fault(2, FaultKind::ResetBefore);
    rig
}

fn history_calls(rig: &Rig) -> u64 {
    let calls = rig.record().calls;
    calls.get(&Call::History).copied().unwrap_or_default()
}

fn show(rig: &Rig, nth: usize) -> Ended {
    rig.call(&["show", &rig.services[nth].to_string()]).exit(0)
}

fn kinds(rig: &Rig, nth: usize) -> Vec<&'static str> {
    let story = rig.stories().unwrap().swap_remove(nth);
    story.lines.iter().map(|line| line.entry.kind()).collect()
}

#[test]
fn nobodys_history_is_read_where_nobody_has_asked_for_it() {
    let rig = rig(|_| {});
    let ended = rig.run(&[]).exit(DOUBT);
    assert_eq!(history_calls(&rig), 0);
    for nth in 1..3 {
        assert_eq!(kinds(&rig, nth), ["intent", "unknown", "held"], "{ended}");
    }
    rig.check_end().unwrap();
}

#[test]
fn each_doubt_that_is_held_shows_what_its_history_says() {
    let rig = rig(|_| {});
    let ended = rig.run(&["--history", "service.history"]).exit(DOUBT);
    assert_eq!(history_calls(&rig), 2, "{ended}");
    for (nth, said) in [
        (1, "1 of 4 operations names a rebuild; the newest: 20"),
        (2, "none of 3 operations names a rebuild; the newest: 20"),
    ] {
        let expected = ["intent", "unknown", "history_read", "held"];
        assert_eq!(kinds(&rig, nth), expected, "{ended}");
        assert!(rig.held_for(nth).contains(said), "{}", rig.held_for(nth));
        show(&rig, nth)
            .says_out(&format!("a hint, and no proof: its history: {said}"))
            .says_out("state     in_doubt, held");
    }
    show(&rig, 1).says_out("`The rebuild process is started`, operator, from 127.0.0.1");
    // What it says moves nothing.
    assert_eq!(rig.wiped(), [1, 1, 0]);
    assert_eq!(rig.record().violations, [""; 0]);
    rig.check_end().unwrap();
}

#[test]
fn an_account_without_it_is_told_once_and_its_doubts_are_held_all_the_same() {
    let rig = rig(|config| config.odd.history = false);
    let told = ["--history", "service.history", "--progress", "plain"];
    let ended = rig.run(&told).exit(DOUBT);
    assert_eq!(history_calls(&rig), 1, "{ended}");
    let told = ended.said().matches("cannot be read").count();
    assert_eq!(told, 1, "{ended}");
    ended.says("The function 'service.history' does not exist");
    for nth in 1..3 {
        assert_eq!(kinds(&rig, nth), ["intent", "unknown", "held"]);
    }
    rig.check_end().unwrap();
}

#[test]
fn a_history_that_is_read_again_is_compared_with_the_time_before() {
    let rig = rig(|_| {});
    let history = ["--history", "service.history"];
    rig.run(&history).exit(DOUBT);
    let service = rig.services[1].to_string();
    let requeue = ["resolve", &service, "--as", "requeue", "--reason", "again"];
    rig.call_once_settled(&requeue).exit(0);
    rig.fault(1, FaultKind::ResetAfter);
    rig.run(&history).exit(DOUBT);
    let shown = show(&rig, 1);
    shown
        .says_out("2 of 5 operations name a rebuild")
        .says_out("; 1 more than at 20");
}

#[test]
fn a_function_that_may_act_and_a_key_that_is_none_are_refused() {
    let rig = rig(|_| {});
    rig.run(&["--history", "service.stop"])
        .exit(2)
        .says("its last word has to end in `history` or `log`");
    rig.run(&["--history", "service.history,words=rebuild"])
        .exit(2)
        .says("`words=rebuild`");
    assert_eq!(rig.calls(), 0);
}
