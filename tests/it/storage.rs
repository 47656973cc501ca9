//! The database under stress: full, locked, taken away, cut short, asked for twice, in another time.
//!
//! Each test drives the real binary, and holds the ledger against the simulator's own record.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::rig::{OWN_MOUNTS, Pace, Rig, Running, block_on, finish, in_own_mounts, mount, wrapped};
use refleet::job::{Failure, LedgerEntry, State, Task, Transition};
use refleet::queue::{NewRun, Open, SqliteQueue, Store as _};
use sqlx::{ConnectOptions as _, Connection as _};

const FULL: i32 = 74;
const BUSY: i32 = 75;

/// So long that no call of a run ends by itself while the simulator holds it.
const HELD: &str = "30s";

fn rig(count: usize) -> Rig {
    let mut rig = Rig::brisk(count, |_| {});
    rig.pace = Pace::brisk().with("--workers", "2");
    rig
}

/// The same, with calls that wait for their answers for as long as the simulator holds them.
pub fn patient_rig(count: usize) -> Rig {
    let mut rig = rig(count);
    rig.pace.set("--timeout", HELD);
    rig
}

/// A run that stands still: its `nth` submission has arrived and is not executed yet. At most one
/// more is under way, that of the second worker.
fn run_held_at(rig: &Rig, nth: u64) -> Running {
    held_at(rig, rig.order("fleet.csv", &[]), nth)
}

fn held_at(rig: &Rig, run: Command, nth: u64) -> Running {
    rig.simulator.hold_submissions(nth - 1);
    let mut running = Running::start(run);
    let ended = running.wait_until(|| rig.submissions() >= nth);
    assert!(ended.is_none(), "it ended early: {}", running.said());
    running
}

/// `command`, which can write files of at most `bytes`: to it that is a full disk, and setting such a
/// limit needs no rights.
fn limited(command: &Command, bytes: u64) -> Command {
    // POSIX counts blocks of 512 bytes. The signal would kill the process; where it is ignored, the
    // write fails.
    let limit = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
        bytes / 512
    );
    wrapped(&["/bin/sh", "-c", &limit], command)
}

#[test]
fn a_full_disk_stops_the_sending_and_loses_nothing() {
    let mut stopped = 0;
    for kilobytes in [112, 128, 160, 208, 272, 352] {
        let rig = rig(8);
        rig.load();
        let ended = finish(limited(&rig.order("fleet.csv", &[]), kilobytes * 1024));
        let code = ended.code;
        assert!(code == FULL || code == 0, "{kilobytes} kB: {ended}");
        rig.check()
            .unwrap_or_else(|what| panic!("{kilobytes} kB: {what}\n{ended}"));
        let intents: usize = rig
            .stories()
            .unwrap()
            .iter()
            .map(|story| story.lines.len())
            .sum();
        if code == FULL {
            stopped += 1;
            assert!(
                ended.said().contains("the database cannot be written"),
                "{ended}"
            );
            assert!(rig.submissions() <= intents as u64);
        }
        // With room again, the next run learns what became of the calls under way.
        let ended = rig.run(&["-q"]);
        assert_eq!(ended.code, 0, "{kilobytes} kB: {ended}");
        rig.check_end()
            .unwrap_or_else(|what| panic!("{kilobytes} kB: {what}"));
    }
    assert!(stopped >= 3, "only {stopped} of these limits were ever met");
}

/// Waits until `running` has ended because it cannot write, its ledger true; returns what it said.
fn stopped_by_storage(rig: &Rig, running: &mut Running) -> String {
    let status = running.wait_until(|| false).unwrap();
    let said = running.said();
    assert_eq!(status, FULL, "{said}");
    assert!(said.contains("the database cannot be written"), "{said}");
    rig.check().unwrap_or_else(|what| panic!("{what}\n{said}"));
    said
}

/// From now on `running` can write to no file, not even to those that it has open: to `SQLite` that is
/// a device that turned read-only, and it needs no rights.
#[cfg(target_os = "linux")]
fn turn_read_only(running: &Running) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(running.pid().try_into().unwrap());
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    prlimit(pid, Resource::Fsize, none).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_database_that_turns_read_only_while_a_run_works_stops_the_sending() {
    for count in [1, 2, 3] {
        let rig = patient_rig(8);
        // This limit is never met: `limited` is here to ignore the signal.
        let mut running = held_at(&rig, limited(&rig.order("fleet.csv", &[]), 1 << 30), count);
        turn_read_only(&running);
        rig.simulator.release_submissions();
        let said = stopped_by_storage(&rig, &mut running);
        // The second worker's intent may have been committed already.
        assert!(rig.submissions() <= count + 1, "{said}");
        let ended = rig.run(&["-q"]);
        assert!(matches!(ended.code, 0 | 3), "{ended}");
        rig.check_end().unwrap();
    }
}

#[test]
fn a_device_that_is_full_and_then_read_only_loses_nothing() {
    if std::env::var_os(OWN_MOUNTS).is_none() {
        return in_own_mounts(
            module_path!(),
            "a_device_that_is_full_and_then_read_only_loses_nothing",
        );
    }
    let rig = patient_rig(8);
    let state = rig.path("state");
    std::fs::create_dir(&state).unwrap();
    mount(
        &["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"],
        &state,
    );
    let mut running = run_held_at(&rig, 2);
    let filler = state.join("filler");
    let full = std::io::copy(
        &mut std::io::repeat(0),
        &mut std::fs::File::create(&filler).unwrap(),
    );
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    rig.simulator.release_submissions();
    stopped_by_storage(&rig, &mut running);

    let sent = rig.submissions();
    std::fs::remove_file(&filler).unwrap();
    mount(&["mount", "-o", "remount,ro"], &state);
    let ended = rig.run(&[]);
    assert_eq!(ended.code, 2, "{ended}");
    assert!(ended.said().contains("cannot open the database"), "{ended}");
    assert_eq!(rig.submissions(), sent, "{ended}");

    mount(&["mount", "-o", "remount,rw"], &state);
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    rig.check_end().unwrap();
    mount(&["umount"], &state);
}

/// Another program that is in the middle of a transaction.
pub struct OtherProgram(sqlx::SqliteConnection);

impl OtherProgram {
    pub fn holds(rig: &Rig) -> Self {
        let mut connection = block_on(
            sqlx::sqlite::SqliteConnectOptions::new()
                .filename(rig.database())
                .busy_timeout(Duration::from_secs(5))
                .connect(),
        )
        .unwrap();
        block_on(sqlx::query("BEGIN IMMEDIATE").execute(&mut connection)).unwrap();
        Self(connection)
    }

    pub fn lets_go(mut self) {
        block_on(sqlx::query("ROLLBACK").execute(&mut self.0)).unwrap();
        block_on(self.0.close()).unwrap();
    }
}

#[test]
fn nothing_is_sent_while_another_program_holds_the_database() {
    let mut rig = patient_rig(6);
    rig.pace.set("--progress", "plain");
    let mut running = run_held_at(&rig, 1);
    let other = OtherProgram::holds(&rig);
    rig.simulator.release_submissions();
    // SQLite waits for some seconds by itself, then the run says this.
    running.wait_for_word("another program holds the database");
    let before = rig.submissions();
    assert!(before <= 2, "one for each worker: {before}");
    let held = Instant::now();
    let ended = running.wait_until(|| held.elapsed() > Duration::from_millis(150));
    assert!(ended.is_none(), "{}", running.said());
    assert_eq!(rig.submissions(), before);
    other.lets_go();
    let status = running.wait_until(|| false).unwrap();
    assert_eq!(status, 0, "{}", running.said());
    rig.check_end().unwrap();
}

/// The answer comes while the database is held, and the run is asked to stop.
#[test]
fn a_run_does_not_end_before_its_last_answer_is_written() {
    let mut rig = patient_rig(1);
    rig.pace.set("--progress", "plain");
    let state = |rig: &Rig| rig.stories().map(|stories| stories[0].record.state);
    let mut running = run_held_at(&rig, 1);
    assert_eq!(state(&rig), Some(State::Submitting), "{}", running.said());
    let other = OtherProgram::holds(&rig);
    running.signal("INT");
    rig.simulator.release_submissions();
    // SQLite waits for some seconds by itself to write the answer, then the run says this.
    running.wait_for_word("another program holds the database");
    let held = Instant::now();
    let ended = running.wait_until(|| held.elapsed() > Duration::from_secs(1));
    assert!(ended.is_none(), "{}", running.said());
    other.lets_go();
    let status = running.wait_until(|| false).unwrap();
    assert_eq!(status, 130, "{}", running.said());
    assert_eq!(state(&rig), Some(State::InProgress), "{}", running.said());
}

#[test]
fn a_database_that_is_taken_away_stops_the_sending() {
    for suffix in ["", "-wal"] {
        let rig = patient_rig(8);
        let mut running = run_held_at(&rig, 2);
        let mut name = rig.database().into_os_string();
        name.push(suffix);
        std::fs::remove_file(&name).unwrap();
        rig.simulator.release_submissions();
        let status = running.wait_until(|| false).unwrap();
        let said = running.said();
        assert_eq!(status, FULL, "{name:?}: {said}");
        // The second worker's intent may have been committed already.
        assert!(rig.submissions() <= 3, "{name:?}: {said}");
        assert!(said.contains("was removed or replaced"), "{name:?}: {said}");
        // Whoever typed it again would order everything anew, of a database that knows of no wipe.
        assert!(
            said.contains("A NEW DATABASE WOULD WIPE"),
            "{name:?}: {said}"
        );
        assert!(!said.contains("to resume"), "{name:?}: {said}");
    }
}

#[test]
fn a_database_that_is_cut_short_stops_the_sending() {
    let rig = patient_rig(8);
    let mut running = run_held_at(&rig, 2);
    let file = std::fs::File::options()
        .write(true)
        .open(rig.database())
        .unwrap();
    file.set_len(0).unwrap();
    rig.simulator.release_submissions();
    let status = running.wait_until(|| false).unwrap();
    let said = running.said();
    assert_eq!(status, FULL, "{said}");
    // The second worker's intent may have been committed already.
    assert!(rig.submissions() <= 3, "{said}");
}

#[test]
fn of_two_runs_in_the_same_moment_one_works_and_one_says_that_it_is_busy() {
    for _ in 0..8 {
        let rig = rig(3);
        let mut both = [
            rig.order("fleet.csv", &["-q"]),
            rig.order("fleet.csv", &["-q"]),
        ]
        .map(Running::start);
        let mut codes: Vec<_> = both
            .iter_mut()
            .map(|running| running.wait_until(|| false).unwrap())
            .collect();
        codes.sort_unstable();
        let said: Vec<_> = both.iter_mut().map(Running::said).collect();
        assert_eq!(codes, [0, BUSY], "{said:?}");
        rig.check_end().unwrap();
    }
}

#[test]
fn the_lock_of_a_killed_run_needs_no_hand() {
    let rig = patient_rig(4);
    let mut running = run_held_at(&rig, 1);
    let second = rig.run(&[]);
    assert_eq!(second.code, BUSY, "{second}");
    assert!(
        second.said().contains(&running.pid().to_string()),
        "{second}"
    );
    running.kill();
    rig.simulator.release_submissions();
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    rig.check_end().unwrap();
}

#[test]
fn a_clock_that_was_set_back_delays_a_retry_by_the_longest_backoff_at_most() {
    let rig = rig(2);
    rig.load();
    // The state that a run leaves which was told to slow down while its clock was an hour ahead.
    block_on(async {
        let mut queue = SqliteQueue::open(&rig.database(), Open::Change)
            .await
            .unwrap();
        let now_ms = refleet::time::now_ms();
        for service in &rig.services {
            let (batch, mut job) = queue.jobs_of(*service).await.unwrap().remove(0);
            let intent = LedgerEntry::Intent {
                task: Task::Rebuild {
                    zone: "pub".to_owned(),
                    target: None,
                },
                baseline: None,
            };
            let run = NewRun {
                batch,
                started_ms: now_ms,
                options: serde_json::json!({}),
            };
            let lease = queue.acquire(&run).await.unwrap();
            let back = LedgerEntry::NotExecuted {
                failure: Failure::new("rate_limited", "the API asks to slow down (HTTP 429)"),
                not_before_ms: now_ms + 3_600_000,
            };
            for entry in [intent, back] {
                let step = Transition::new(job.id, job.record.clone(), entry, now_ms).unwrap();
                queue.record(&lease, &[&step]).await.unwrap();
                job.record = step.to;
            }
        }
        queue.close().await.unwrap();
    });
    // A run that waited for an hour would exceed the limit for processes of these tests.
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 0, "{ended}");
    rig.check_end().unwrap();
    for story in rig.stories().unwrap() {
        assert_eq!((story.record.state, story.record.attempt), (State::Done, 2));
    }
}
