//! Where the database lies: other names for it, parts of it, other people's files, shared folders,
//! media that cannot be written, and what must not be written over.
//!
//! Each test drives the real binary; what cannot be had on every machine (network file systems) is
//! decided upon in `src/queue/sqlite/place/decide.rs`, from answers that are made up.

mod log;
mod medium;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{Ended, OWN_MOUNTS, Pace, Rig, Running, block_on, finish, in_own_mounts, mount};
use refleet::queue::{Open, SqliteQueue};

const USAGE: i32 = 2;
const BUSY: i32 = 75;
const COMMANDS_THAT_READ: [&[&str]; 4] = [&["status"], &["list"], &["report"], &["verify"]];

fn rig(count: usize) -> Rig {
    let mut rig = Rig::brisk(count, |_| {});
    rig.pace = Pace::brisk().with("--workers", "2");
    rig
}

fn with_database(mut command: Command, path: &Path) -> Command {
    command.arg("--db").arg(path);
    command
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn refused(rig: &Rig, command: Command, code: i32, what: &str) -> Ended {
    let before = rig.submissions();
    let ended = ended_with(command, code, what);
    assert_eq!(rig.submissions(), before, "{ended}");
    ended
}

fn ended_with(command: Command, code: i32, what: &str) -> Ended {
    let ended = finish(command);
    assert_eq!(ended.code, code, "{ended}");
    assert!(ended.said().contains(what), "{what}: {ended}");
    assert!(!ended.said().contains("another --db"), "{ended}");
    assert!(!ended.said().contains("another file with --db"), "{ended}");
    ended
}

/// A run that was killed after `count` submissions had arrived.
fn killed(count: u64) -> Rig {
    let rig = rig(8);
    rig.run_until(count).kill();
    // What it had sent may still be on its way.
    while rig.simulator.connections() > 0 {
        std::thread::yield_now();
    }
    rig
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

// Field case B3.
#[test]
fn a_second_run_by_another_name_or_without_the_lock_file_is_busy() {
    let mut rig = rig(8);
    // No call ends by itself while the simulator holds it.
    rig.pace.set("--timeout", "30s");
    rig.simulator.hold_submissions(0);
    let mut running = rig.run_until(1);
    let link = rig.path("link.db");
    symlink(rig.database(), &link).unwrap();
    let folder = rig.path("other");
    symlink(rig.path("state"), &folder).unwrap();
    let pid = running.pid().to_string();
    for name in [
        link,
        folder.join("refleet.db"),
        rig.path("other/../state/./refleet.db"),
    ] {
        let ended = ended_with(
            with_database(rig.order("fleet.csv", &[]), &name),
            BUSY,
            &pid,
        );
        assert!(!beside(&name, ".lock").is_symlink(), "{ended}");
    }
    assert!(!rig.path("link.db.lock").exists() && !rig.path("link.db-wal").exists());

    fs::remove_file(beside(&rig.database(), ".lock")).unwrap();
    let ended = running.wait_until(|| true);
    assert!(ended.is_none(), "it was over too early");
    // The second one finds no lock file and makes one, the third finds that one.
    let status = rig.call(&["status", "--json"]);
    assert!(
        status.said().contains(&format!("\"pid\": {pid}")),
        "{status}"
    );
    for _ in 0..2 {
        ended_with(rig.order("fleet.csv", &[]), BUSY, &pid);
    }
    rig.simulator.release_submissions();
    let status = running.wait_until(|| false).unwrap();
    assert_eq!(status, 0, "{}", running.said());
    rig.check_end().unwrap();
}

// Field case B6.
#[test]
fn the_lock_is_never_followed_nor_created_through_a_link() {
    let rig = rig(2);
    rig.load();
    let lock = beside(&rig.database(), ".lock");
    let _ = fs::remove_file(&lock);
    for (target, content) in [("precious", Some("precious")), ("nowhere", None)] {
        let target = rig.path(target);
        if let Some(content) = content {
            fs::write(&target, content).unwrap();
        }
        symlink(&target, &lock).unwrap();
        refused(
            &rig,
            rig.order("fleet.csv", &[]),
            USAGE,
            "is no regular file",
        );
        assert_eq!(fs::read_to_string(&target).ok().as_deref(), content);
        fs::remove_file(&lock).unwrap();
    }
}

// Field case B2.
#[test]
fn a_database_with_two_names_is_refused() {
    let rig = rig(2);
    rig.load();
    let hard = rig.path("hard.db");
    fs::hard_link(rig.database(), &hard).unwrap();
    for path in [rig.database(), hard.clone()] {
        let ended = refused(
            &rig,
            with_database(rig.order("fleet.csv", &[]), &path),
            USAGE,
            "hard links",
        );
        assert!(ended.said().contains("-samefile"), "{ended}");
        for words in COMMANDS_THAT_READ {
            refused(
                &rig,
                with_database(rig.refleet(words), &path),
                USAGE,
                "hard links",
            );
        }
    }
    assert!(!beside(&hard, ".lock").exists() && !beside(&hard, "-wal").exists());
    fs::remove_file(&hard).unwrap();
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 0, "{ended}");
}

// Field case B2.
#[test]
fn a_database_that_is_mounted_by_itself_is_refused() {
    if std::env::var_os(OWN_MOUNTS).is_none() {
        return in_own_mounts(
            module_path!(),
            "a_database_that_is_mounted_by_itself_is_refused",
        );
    }
    let rig = killed(2);
    let container = rig.path("con tainer");
    fs::create_dir(&container).unwrap();
    let path = container.join("refleet.db");
    fs::write(&path, "").unwrap();
    let database = rig.database();
    mount(&["mount", "--bind", database.to_str().unwrap()], &path);
    let ended = refused(
        &rig,
        with_database(rig.order("fleet.csv", &[]), &path),
        USAGE,
        "mounted by itself",
    );
    assert!(ended.said().contains("mount the folder"), "{ended}");
    refused(
        &rig,
        with_database(rig.refleet(&["status"]), &path),
        USAGE,
        "mounted by itself",
    );
    mount(&["umount"], &path);
    // The folder may be mounted: both runs find the same lock.
    mount(
        &["mount", "--bind", rig.path("state").to_str().unwrap()],
        &container,
    );
    let mut running = Running::start(with_database(rig.order("fleet.csv", &[]), &path));
    let sent = rig.submissions();
    let ended = running.wait_until(|| rig.submissions() > sent);
    assert!(ended.is_none(), "{}", running.said());
    ended_with(
        rig.order("fleet.csv", &[]),
        BUSY,
        &running.pid().to_string(),
    );
    let status = running.wait_until(|| false).unwrap();
    assert!(matches!(status, 0 | 3), "{}", running.said());
    rig.check_end().unwrap();
    mount(&["umount"], &container);
}

// Field case B11.
#[test]
fn a_path_that_nobody_expanded_is_refused_and_nothing_is_created() {
    let rig = rig(1);
    let here = rig.path("here");
    fs::create_dir(&here).unwrap();
    let manifest = rig.path("fleet.csv");
    let manifest = manifest.to_str().unwrap();
    let mut calls: Vec<Command> = Vec::new();
    for path in ["~/x.db", "$HOME/x.db", "%h/x.db", "'/srv/x.db'"] {
        let mut command = with_database(rig.order(manifest, &[]), Path::new(path));
        command.env("REFLEET_DB", path);
        calls.push(command);
        calls.push(with_database(rig.refleet(&["status"]), Path::new(path)));
        calls.push(rig.order(manifest, &["--events", path]));
        calls.push(rig.refleet(&["report", "--output", path]));
        calls.push(rig.refleet(&["check", path]));
        calls.push(rig.refleet(&["simulate", "--services", "1", "--journal", path]));
        let mut command = rig.order(manifest, &[]);
        command
            .env("ZOMRO_PASSWORD_FILE", path)
            .env_remove("ZOMRO_PASSWORD");
        calls.push(command);
    }
    for mut command in calls {
        command.current_dir(&here);
        let words = format!("{command:?}");
        let ended = refused(&rig, command, USAGE, "hint: write the whole path");
        assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "{words}: {ended}");
    }
    // Names that SQLite takes for something else, or that belong to the files beside a database.
    for path in [
        ":memory:",
        "file:x.db",
        "sqlite:x.db",
        "x.db?mode=rwc",
        "x.db-wal",
        "x.db.lock",
    ] {
        for mut command in [rig.order(manifest, &[]), rig.refleet(&["status"])] {
            command = with_database(command, Path::new(path));
            command.current_dir(&here);
            let ended = refused(&rig, command, USAGE, "hint: name the file itself");
            assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "{path}: {ended}");
        }
    }
    let address = "sqlite://fleet:Secret1234@db.example.com/x";
    let command = with_database(rig.refleet(&["status"]), Path::new(address));
    let ended = refused(
        &rig,
        command,
        USAGE,
        "sqlite://…@db.example.com/x is an address",
    );
    assert!(!ended.said().contains("Secret1234"), "{ended}");
    // A folder that is really called `~` is meant.
    fs::create_dir(here.join("~")).unwrap();
    fs::copy(rig.path("fleet.csv"), here.join("~/fleet.csv")).unwrap();
    let mut command = rig.refleet(&["check", "~/fleet.csv"]);
    command.current_dir(&here);
    let ended = finish(command);
    assert_eq!(ended.code, 0, "{ended}");
}

// Field case C8.
#[test]
fn a_database_that_knows_of_nothing_is_announced_before_anything_is_destroyed() {
    const WORDS: &str = "is a new database: it knows of nothing that was wiped before";
    for quiet in [&["-q"][..], &[]] {
        let rig = rig(2);
        let ended = rig.run(quiet);
        assert_eq!(ended.code, 0, "{ended}");
        assert_eq!(ended.said().matches(WORDS).count(), 1, "{ended}");
        let ended = rig.run(&[quiet, &["--again"]].concat());
        assert_eq!(ended.code, 0, "{ended}");
        assert!(!ended.said().contains(WORDS), "{ended}");
    }
}

// Field case B6.
#[test]
fn a_report_and_events_are_written_over_nothing_that_is_needed() {
    let rig = rig(2);
    rig.load();
    let token = rig.path("token");
    fs::write(&token, "secret").unwrap();
    fs::write(beside(&rig.database(), ".lock"), "").unwrap();
    symlink(rig.database(), rig.path("link")).unwrap();
    fs::hard_link(rig.path("fleet.csv"), rig.path("other.csv")).unwrap();
    symlink(beside(&rig.database(), "-wal"), rig.path("dangling")).unwrap();
    fs::write(rig.path("another.csv"), "id;os\n5;x\n").unwrap();
    let targets = [
        rig.database(),
        beside(&rig.database(), ".lock"),
        beside(&rig.database(), "-wal"),
        beside(&rig.database(), "-journal"),
        rig.path("link"),
        rig.path("dangling"),
        rig.path("fleet.csv"),
        rig.path("other.csv"),
        rig.path("another.csv"),
        token.clone(),
    ];
    let content = |path: &Path| fs::read(path).ok();
    for target in &targets {
        let before = content(target);
        let file = target.to_str().unwrap();
        for mut command in [
            rig.refleet(&["report", "--format", "csv", "--output", file]),
            rig.order("fleet.csv", &["--events", file]),
            rig.refleet(&["simulate", "--services", "1", "--journal", file]),
        ] {
            command.env("ZOMRO_AUTH_FILE", &token);
            let ended = refused(&rig, command, USAGE, "is not written over");
            assert!(content(target) == before, "{file}: {ended}");
        }
    }
    // Older reports and events are written over.
    for _ in 0..2 {
        let events = rig.path("events.ndjson");
        let ended = rig.run(&["-q", "--events", events.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{ended}");
        for format in ["csv", "json", "table"] {
            let file = rig.path("results.csv");
            let words = [
                "report",
                "--format",
                format,
                "--output",
                file.to_str().unwrap(),
            ];
            let ended = rig.call(&words);
            assert_eq!(ended.code, 0, "{ended}");
        }
    }
    rig.check_end().unwrap();
}

#[test]
fn the_library_meets_the_same_door() {
    let rig = rig(1);
    rig.load();
    let link = rig.path("link.db");
    symlink(rig.database(), &link).unwrap();
    let queue = block_on(SqliteQueue::open(&link, Open::Change)).unwrap();
    assert_eq!(queue.path(), rig.database().canonicalize().unwrap());
    block_on(queue.close()).unwrap();
}
