//! A database is a main file and a log: what one without the other is taken for.

use std::fs;
use std::path::Path;

use super::{USAGE, beside, killed, refused, rig, set_mode, with_database};
use crate::rig::{SIGABRT, block_on, finish};
use refleet::queue::{Open, SqliteQueue};
use sqlx::{ConnectOptions as _, Connection as _};

// Field case B2.
#[test]
fn a_main_file_without_the_log_of_its_killed_run_is_refused() {
    for count in [1, 3] {
        let rig = killed(count);
        let copy = rig.path("copy.db");
        fs::copy(rig.database(), &copy).unwrap();
        for log in ["missing", "empty"] {
            if log == "empty" {
                fs::write(beside(&copy, "-wal"), "").unwrap();
            }
            for command in [
                rig.order("fleet.csv", &[]),
                rig.refleet(&["cancel", "--all"]),
            ] {
                let ended = refused(
                    &rig,
                    with_database(command, &copy),
                    USAGE,
                    "without its log",
                );
                assert!(ended.said().contains("copy.db-wal too"), "{ended}");
            }
            // A command that only reads shows what there is, with a warning.
            let ended = finish(with_database(rig.refleet(&["status"]), &copy));
            assert!(ended.said().contains("warning: "), "{ended}");
            assert!(ended.said().contains("without its log"), "{ended}");
        }
        // The log of another database is refused.
        let other = killed(2);
        let stranger = beside(&other.database(), "-wal");
        fs::copy(&stranger, beside(&copy, "-wal")).unwrap();
        refused(
            &rig,
            with_database(rig.order("fleet.csv", &[]), &copy),
            USAGE,
            "is not the log that belongs",
        );
        // Main file and log together are accepted.
        fs::copy(beside(&rig.database(), "-wal"), beside(&copy, "-wal")).unwrap();
        fs::remove_file(rig.database()).unwrap();
        fs::remove_file(beside(&rig.database(), "-wal")).unwrap();
        let _ = fs::remove_file(beside(&rig.database(), "-shm"));
        let _ = fs::remove_file(beside(&copy, "-shm"));
        fs::rename(&copy, rig.database()).unwrap();
        fs::rename(beside(&copy, "-wal"), beside(&rig.database(), "-wal")).unwrap();
        let ended = rig.run(&["-q"]);
        assert!(matches!(ended.code, 0 | 3), "{ended}");
        rig.check_end().unwrap();
    }
}

// Field case B2.
// SQLite itself would take what is left of such a log for all of it.
#[test]
fn a_log_that_was_cut_short_or_damaged_on_its_way_is_refused() {
    let rig = killed(3);
    let (main, log) = (rig.database(), beside(&rig.database(), "-wal"));
    let _ = fs::remove_file(beside(&main, "-shm"));
    let whole = fs::read(&log).unwrap();
    let number = |bytes: &[u8], at: usize| {
        let word = bytes[at..at + 4].try_into().unwrap();
        u32::from_be_bytes(word) as usize
    };
    let frame = 24 + number(&whole, 8);
    let committed = 32 + number(&fs::read(&main).unwrap(), 72) * frame;
    assert!(committed > 32 + 3 * frame && committed <= whole.len());
    let mut damaged = whole.clone();
    damaged[32 + frame + 100] ^= 1;
    let mut torn = whole[..committed].to_vec();
    torn.extend_from_slice(&whole[32..32 + frame / 2]);
    for (bytes, what) in [
        (&whole[..committed - 1], "within the last page"),
        (&whole[..committed - frame], "before the last page"),
        (&whole[..32 + frame], "behind the first page"),
        (damaged.as_slice(), "in its place, and not what it was"),
    ] {
        fs::write(&log, bytes).unwrap();
        let main_before = fs::read(&main).unwrap();
        for command in [
            rig.order("fleet.csv", &[]),
            rig.refleet(&["cancel", "--all"]),
        ] {
            let ended = refused(&rig, command, USAGE, "is cut short or damaged");
            assert!(ended.said().contains("mv "), "{what}: {ended}");
        }
        let ended = rig.call(&["status"]);
        assert!(ended.said().contains("is cut short or damaged"), "{ended}");
        assert_eq!(fs::read(&log).unwrap(), bytes, "{what}");
        assert_eq!(fs::read(&main).unwrap(), main_before, "{what}");
    }
    // The hint is followed: the damaged log is moved away.
    fs::rename(&log, beside(&log, ".cut")).unwrap();
    let copy = fs::read(&main).unwrap();
    let adopt = rig.refleet(&["adopt", "--reason", "the disk was full"]);
    refused(&rig, adopt, 3, "8 jobs of batch 1 may have been sent");
    // Half a page behind the last commit belongs to no transaction; a killed run leaves such things.
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&main, suffix));
    }
    fs::write(&main, copy).unwrap();
    fs::write(&log, torn).unwrap();
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    rig.check_end().unwrap();
}

// Field case B2.
// The operator declares with `adopt` that the log is lost.
#[test]
fn a_database_whose_log_is_lost_is_adopted_and_nothing_of_it_is_sent_again() {
    let rig = killed(3);
    refused(
        &rig,
        rig.refleet(&["adopt", "--reason", "x"]),
        USAGE,
        "lacks no log",
    );
    let rig = killed(3);
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(beside(&rig.database(), suffix)).unwrap();
    }
    refused(&rig, rig.order("fleet.csv", &[]), USAGE, "adopt --reason");
    // A command that only reads names both ways out, the harmless one first.
    let ended = refused(&rig, rig.refleet(&["status"]), 0, "bring ");
    let (bring, adopt) = (
        ended.said().find("-wal too"),
        ended.said().find("adopt --reason"),
    );
    assert!(bring.is_some() && bring < adopt, "{ended}");
    let adopt = rig.refleet(&["adopt", "--reason", "the disk is gone"]);
    let ended = refused(&rig, adopt, 3, "8 jobs of batch 1 may have been sent");
    assert!(
        ended.said().contains("resolve SERVICE_ID --batch 1"),
        "{ended}"
    );
    // All of them are held, and none is sent.
    refused(&rig, rig.order("fleet.csv", &["-q"]), 3, "");
    refused(
        &rig,
        rig.order("fleet.csv", &["-q", "--again"]),
        3,
        "left out",
    );
    rig.check_end().unwrap();
    let history = rig.call(&["show", &rig.services[0].to_string()]);
    assert!(history.said().contains("the disk is gone"), "{history}");
    // The operator resolves two of the doubts.
    for (service, word) in [(0, "done"), (7, "requeue")] {
        let service = rig.services[service].to_string();
        let words = ["resolve", &service, "--as", word, "--reason", "looked"];
        let ended = rig.call_once_settled(&words);
        assert_eq!(ended.code, 0, "{ended}");
    }
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 3, "{ended}");
    assert_eq!(rig.truth(rig.services[7]).wiped, 1);
}

// Whoever opens the database in the regular way carries its log over, and loses nothing.
#[test]
fn a_killed_run_is_resumed_whoever_has_looked_at_it_since() {
    for looker in ["command", "program", "reader"] {
        let rig = killed(2);
        match looker {
            "command" => {
                let ended = rig.call(&["retry", "--failed"]);
                assert_eq!(ended.code, 0, "{ended}");
            }
            "program" => block_on(look(&rig.database())),
            _ => {
                let ended = rig.call(&["status"]);
                assert_eq!(ended.code, 0, "{ended}");
                assert!(!ended.said().contains("warning"), "{ended}");
            }
        }
        let log = beside(&rig.database(), "-wal");
        assert_eq!(log.exists(), looker == "reader", "{looker}");
        let ended = rig.run(&["-q"]);
        assert!(matches!(ended.code, 0 | 3), "{ended}");
        rig.check_end().unwrap();
    }
}

/// Reads the database with another program. Whoever closes it last carries its log over.
async fn look(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query("SELECT * FROM results")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

// Field case B2.
// A run marks the main file in steps and may die at each of them. Afterwards somebody else may carry
// its log over: whoever closes the database last does.
#[cfg(any(debug_assertions, feature = "failpoints"))] // no other build has failpoints
#[test]
fn a_run_that_dies_while_the_log_is_marked_is_resumed_by_no_hand() {
    let points = [
        "log_begun",
        "log_carried",
        "log_awaited",
        "before_send",
        "run_ended",
    ];
    for point in points {
        for afterwards in ["nobody", "command beside", "command", "program"] {
            let rig = rig(3);
            rig.load();
            // This command has the database open before the run starts and after its death.
            let command = (afterwards == "command beside")
                .then(|| block_on(SqliteQueue::open(&rig.database(), Open::Change)).unwrap());
            let mut run = rig.order("fleet.csv", &["-q"]);
            run.env("REFLEET_FAILPOINT", point);
            let ended = finish(run);
            assert_eq!(ended.code, -SIGABRT, "{point}: {ended}");
            match command {
                Some(command) => block_on(command.close()).unwrap(),
                None if afterwards == "command" => {
                    let ended = rig.call(&["retry", "--failed"]);
                    assert_eq!(ended.code, 0, "{point}: {ended}");
                }
                None if afterwards == "program" => block_on(look(&rig.database())),
                None => {}
            }
            let log = beside(&rig.database(), "-wal");
            assert_eq!(log.exists(), afterwards == "nobody", "{point} {afterwards}");
            let ended = rig.run(&["-q"]);
            assert!(
                matches!(ended.code, 0 | 3),
                "{point}, {afterwards}: {ended}"
            );
            rig.check_end().unwrap();
        }
    }
}

// Field case B2.
// An `adopt` may be killed, too.
#[cfg(any(debug_assertions, feature = "failpoints"))] // no other build has failpoints
#[test]
fn an_adoption_that_dies_has_happened_or_not() {
    for (point, code, words) in [
        ("before_commit", 3, "8 jobs of batch 1 may have been sent"),
        ("after_commit", USAGE, "lacks no log"),
    ] {
        let rig = killed(3);
        fs::remove_file(beside(&rig.database(), "-wal")).unwrap();
        let adopt = || rig.refleet(&["adopt", "--reason", "the disk is gone"]);
        let mut dying = adopt();
        dying.env("REFLEET_FAILPOINT", point);
        let ended = finish(dying);
        assert_eq!(ended.code, -SIGABRT, "{point}: {ended}");
        refused(&rig, adopt(), code, words);
        refused(&rig, rig.order("fleet.csv", &["-q"]), 3, "");
        rig.check_end().unwrap();
    }
}

// Field case B2.
// Commands beside a run carry its log over, and the run marks it anew.
#[test]
fn a_command_beside_a_run_does_not_make_a_copy_of_the_main_file_look_whole() {
    let rig = rig(8);
    let mut running = rig.run_until(1);
    let ended = rig.call(&["retry", "--failed"]);
    assert_eq!(ended.code, 0, "{ended}");
    let sent = rig.submissions();
    let ended = running.wait_until(|| rig.submissions() >= sent + 2);
    assert!(ended.is_none(), "it ended early: {}", running.said());
    running.kill();
    let copy = rig.path("copy.db");
    fs::copy(rig.database(), &copy).unwrap();
    refused(
        &rig,
        with_database(rig.order("fleet.csv", &[]), &copy),
        USAGE,
        "without its log",
    );
}

// Field case B2.
#[test]
fn a_log_without_its_main_file_is_not_thrown_away() {
    for empty in [false, true] {
        let rig = killed(2);
        let log = beside(&rig.database(), "-wal");
        let before = fs::read(&log).unwrap();
        fs::remove_file(rig.database()).unwrap();
        if empty {
            fs::write(rig.database(), "").unwrap();
            set_mode(&rig.database(), 0o600);
        }
        let what = if empty { "is empty" } else { "is missing" };
        refused(&rig, rig.order("fleet.csv", &[]), USAGE, what);
        refused(&rig, rig.refleet(&["status"]), USAGE, what);
        assert_eq!(fs::read(&log).unwrap(), before);
    }
}
