//! Several real processes on one PostgreSQL: one works, the others stand by and take over, whatever
//! becomes of the first and of the database.
//!
//! Here each kind of failure is told by itself; [`histories`] mixes them at random.

mod databases;
mod desks;
mod histories;
mod kernel;
mod lost_commit;
mod way;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use refleet::job::LedgerEntry;
use refleet::simulator::{Config, InstanceChange};
use serde_json::Value;

use crate::rig::{Cluster, Ended, Proxy, Rig, Running, any_ssh_port, finish};

/// A lease that runs out soon: it is trusted for two thirds of that.
const SHORT: &[&str] = &["--lease", "3s", "--workers", "3"];

const GO_ON: &[&str] = &["go", "--reason", "looked at it"];

/// A fleet whose queue lies on the shared cluster; `None`: PostgreSQL is not installed.
fn rig(count: usize, change: impl FnOnce(&mut Config)) -> Option<Rig> {
    let cluster = Cluster::shared()?;
    Some(Rig::with(count, change).on_server(cluster))
}

/// Another one has the account; or it held a lock for so long that a short lease ran out meanwhile.
#[track_caller]
fn may_try_again(ended: &Ended) {
    assert!([74, 75].contains(&ended.code), "{ended}");
}

/// Starts a run again and again until one comes to the end; says how many were told that another one
/// works, which is `first`.
#[track_caller]
fn take_over(rig: &Rig, first: &Running) -> (u64, Ended) {
    let named = format!("process {} on ", first.pid());
    let mut refused = 0;
    loop {
        let ended = rig.run(SHORT);
        if ended.code != 75 {
            return (refused, ended);
        }
        refused += 1;
        ended
            .says("another process works on this queue")
            .says(&named);
    }
}

/// A run that has begun to wait for the answer to its third submission, with others that wait for
/// their turn.
#[track_caller]
fn run_into_a_hold(mut command: Running, rig: &Rig) -> Running {
    let ended = command.wait_until(|| rig.submissions() >= 3);
    assert_eq!(ended, None, "{}", command.said());
    command
}

/// Instances of which the ledger says that a submission was left without an answer by its sender.
fn left_behind(rig: &Rig) -> usize {
    let stories = rig.stories().unwrap();
    let is_left = |entry: &LedgerEntry| {
        matches!(
            entry,
            LedgerEntry::Interrupted | LedgerEntry::Unknown { .. }
        )
    };
    let left = stories
        .iter()
        .filter(|story| story.lines.iter().any(|line| is_left(&line.entry)));
    left.count()
}

/// They have the image already that they get: the list can't show that they were rebuilt.
fn get_what_they_have(rig: &Rig) {
    for nth in 0..rig.services.len() {
        let same = InstanceChange {
            image: Some("AlmaLinux-8".to_owned()),
            ..InstanceChange::default()
        };
        rig.change(nth, &same);
    }
}

#[track_caller]
fn each_was_wiped_once(rig: &Rig) {
    assert_eq!(rig.wiped(), vec![1; rig.services.len()]);
    rig.assert_truth(1);
    rig.check_end().unwrap();
}

/// A run that took over has come to the end of the batch. What its predecessor was about to send, and was
/// never seen to be executed, is held and says why; each of the others was wiped once.
#[track_caller]
fn nothing_is_lost_or_repeated(rig: &Rig, ended: &Ended) {
    assert!([0, 3].contains(&ended.code), "{ended}");
    let stories = rig.stories().unwrap();
    for (nth, (story, wiped)) in stories.iter().zip(rig.wiped()).enumerate() {
        if story.record.held {
            // Its sender lives and may still send it, or has ended and nobody has watched since.
            let why = rig.held_for(nth);
            let known = ["may still send it", "the process that sent it has ended"];
            assert!(known.iter().any(|known| why.contains(known)), "{why}");
        } else {
            assert_eq!(wiped, 1, "{story:?}");
        }
    }
    rig.assert_truth(1);
    rig.check_end().unwrap();
}

/// The results as CSV, without the columns that hold a time.
fn results(rig: &Rig) -> Vec<Vec<String>> {
    let csv = rig.call(&["report", "--format", "csv"]).exit(0).out;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    let mut rows: Vec<Vec<String>> = (reader.records())
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let times = ["submitted_at", "completed_at", "took_ms"];
    let kept: Vec<bool> = (rows[0].iter())
        .map(|name| !times.contains(&name.as_str()))
        .collect();
    for row in &mut rows {
        let mut kept = kept.iter();
        row.retain(|_| *kept.next().unwrap());
    }
    rows
}

/// The names of all fields of a document.
fn fields(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields_of) => (fields_of.iter())
            .flat_map(|(name, value)| {
                let below = fields(value).into_iter();
                let below = below.map(move |below| format!("{name}.{below}"));
                below.chain([name.clone()])
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(fields).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn a_queue_on_a_server_answers_as_one_in_a_file() {
    let account = |config: &mut Config| {
        config.ssh_port = any_ssh_port();
        // Two readings see each rebuild.
        config.rebuild_duration = Duration::from_millis(500);
    };
    let Some(on_server) = rig(8, account) else {
        return;
    };
    let in_file = Rig::with(8, account);
    let answers = [&on_server, &in_file].map(|rig| {
        rig.doubt(0);
        // The new key of what is done is looked for during two of these intervals.
        let mut run = rig.watch(&["--workers", "4", "--poll-interval", "250ms"]);
        run.wait_for(1, "in_progress");
        rig.call(&["pause", "--reason", "the backup is running"])
            .exit(0)
            .says_out("batch 1 is paused");
        run.wait(1, |event| event["type"] == "control");
        let status = rig.call(&["status", "--json"]).exit(0).json();
        assert_eq!(status["paused"]["reason"], "the backup is running");
        rig.call(GO_ON).exit(0);
        run.end().exit(3);
        rig.assert_truth(1);
        for row in rig.report() {
            for name in ["host_key_before", "host_key"] {
                assert_eq!(row[name].is_string(), any_ssh_port().is_some(), "{row}");
            }
        }
        let resolve = ["resolve", "--as", "failed", "--reason", "looked at it"];
        let one = rig.services[0].to_string();
        rig.call(&[&resolve[..], &[&one]].concat()).exit(0);
        let again = rig.run(&[]).exit(1);
        assert!(again.err.contains("nothing to do"), "{again}");
        let verified = rig.call(&["verify"]).exit(0).out;
        let counts = status["counts"].clone();
        let shown = rig.call(&["show", &one]).exit(0).out;
        (
            results(rig),
            fields(&status),
            fields(&counts),
            verified.contains("sound"),
            shown.lines().count(),
        )
    });
    let [on_server, in_file] = answers;
    assert_eq!(on_server, in_file);
}

#[test]
fn hosts_that_order_the_same_manifest_in_the_same_moment_make_one_order() {
    let Some(rig) = rig(6, |_| {}) else {
        return;
    };
    let hosts = [(); 4].map(|()| rig.start(SHORT));
    let codes = hosts.map(|host| host.end().code);
    // Who came later stands by, or finds it done.
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    let cluster = Cluster::shared().unwrap();
    assert_eq!(rig.ask(cluster, "SELECT count(*) FROM refleet.batch"), "1");
    each_was_wiped_once(&rig);
}

#[test]
fn a_standby_names_who_works_and_takes_over_what_a_killed_run_has_left() {
    let Some(rig) = rig(8, |_| {}) else {
        return;
    };
    rig.simulator.hold_submissions(2);
    let mut first = run_into_a_hold(rig.start(SHORT), &rig);
    let second = rig.run(SHORT).exit(75);
    second.says(&format!("process {} on ", first.pid()));
    first.kill();
    // The form that it had sent takes effect after its end.
    rig.simulator.release_submissions();
    let (refused, ended) = take_over(&rig, &first);
    assert!(refused > 0, "a lease does not end with its process");
    assert!(left_behind(&rig) > 0, "it was waiting for an answer");
    nothing_is_lost_or_repeated(&rig, &ended);
}

#[test]
fn a_run_that_was_frozen_for_longer_than_its_lease_sends_nothing_when_it_thaws() {
    let Some(rig) = rig(12, |_| {}) else {
        return;
    };
    rig.simulator.hold_submissions(2);
    let first = run_into_a_hold(rig.start(SHORT), &rig);
    first.signal("STOP");
    rig.simulator.release_submissions();
    // One takes over, has done a part of it, and dies: there is work left that nobody does.
    let mut second = loop {
        let mut second = rig.start(SHORT);
        let sent = rig.submissions();
        if second
            .wait_until(|| rig.submissions() >= sent + 2)
            .is_none()
        {
            break second;
        }
        may_try_again(&second.end());
    };
    second.kill();
    let sent = rig.submissions();
    first.signal("CONT");
    let ended = first.end().exit(75);
    assert_eq!(rig.submissions(), sent, "sent after the thaw: {ended}");
    ended.says("another process");
    let (_, ended) = take_over(&rig, &second);
    nothing_is_lost_or_repeated(&rig, &ended);
}

/// A run whose only way to the database is `proxy`.
fn start_behind(proxy: &Proxy, rig: &Rig, more: &[&str]) -> Running {
    let mut command = rig.order("fleet.csv", more);
    let address = proxy.address(rig.server.as_ref().unwrap());
    Running::start({
        command.env("REFLEET_DB", address);
        command
    })
}

#[test]
fn a_run_that_is_cut_off_from_the_database_sends_nothing_more_and_another_takes_over() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    for kind in [Proxy::cut, Proxy::silence] {
        let rig = Rig::new(12).on_server(cluster);
        let proxy = Proxy::to(cluster.port());
        rig.simulator.hold_submissions(2);
        let first = run_into_a_hold(start_behind(&proxy, &rig, SHORT), &rig);
        kind(&proxy);
        proxy.wait_until_it_stops_somebody();
        // No commit of an intent gets through any more, so that nothing but what was committed is sent.
        let sent = rig.submissions();
        rig.simulator.release_submissions();
        let ended = first.end().exit(74);
        assert!(rig.submissions() <= sent + 3, "{ended}");
        let calls = rig.calls();
        let ended = loop {
            let ended = finish(rig.order("fleet.csv", SHORT));
            if [0, 3].contains(&ended.code) {
                break ended;
            }
            may_try_again(&ended);
            assert_eq!(rig.calls(), calls, "a standby makes no call at all");
        };
        nothing_is_lost_or_repeated(&rig, &ended);
    }
}

#[test]
fn a_run_goes_on_after_a_silence_that_is_shorter_than_its_trust() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let rig = Rig::new(12).on_server(cluster);
    let proxy = Proxy::to(cluster.port());
    let mut run = start_behind(&proxy, &rig, &["--workers", "2"]);
    let ended = run.wait_until(|| rig.submissions() >= 3);
    assert_eq!(ended, None, "{}", run.said());
    proxy.silence();
    proxy.wait_until_it_stops_somebody();
    proxy.open();
    run.end().exit(0);
    each_was_wiped_once(&rig);
}

#[test]
fn a_server_that_stops_in_the_middle_of_a_run_loses_nothing() {
    for mode in ["fast", "immediate"] {
        let Some(cluster) = Cluster::start() else {
            return;
        };
        let rig = Rig::new(12).on_server(&cluster);
        rig.simulator.hold_submissions(2);
        let first = run_into_a_hold(rig.start(SHORT), &rig);
        cluster.stop(mode).unwrap();
        rig.simulator.release_submissions();
        let ended = first.end().exit(74);
        ended.says("nothing was sent after the first failed write");
        let sent = rig.submissions();
        // Without a database nobody knows what was sent.
        rig.run(SHORT).exit(74);
        assert_eq!(rig.submissions(), sent);
        cluster.resume().unwrap();
        let ended = loop {
            let ended = rig.run(SHORT);
            if [0, 3].contains(&ended.code) {
                break ended;
            }
            may_try_again(&ended);
        };
        nothing_is_lost_or_repeated(&rig, &ended);
    }
}
