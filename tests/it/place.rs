//! Where the database lies: other names for it, parts of it, other people's files, shared folders,
//! media that cannot be written, and what must not be written over.
//!
//! Each test drives the real binary; what cannot be had on every machine (network file systems) is
//! decided upon in `src/queue/place/decide.rs`, from answers that are made up.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{Ended, Pace, Rig, Running, SIGABRT, block_on, finish};
use crate::rig::{OWN_MOUNTS, in_own_mounts, mount};
use refleet::queue::{Open, Queue};
use sqlx::{ConnectOptions as _, Connection as _};

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
    // The folder may be mounted, and the runs meet.
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
            // Who only looks is shown what there is, and told.
            let ended = finish(with_database(rig.refleet(&["status"]), &copy));
            assert!(ended.said().contains("warning: "), "{ended}");
            assert!(ended.said().contains("without its log"), "{ended}");
        }
        // The log of another database is not its own.
        let other = killed(2);
        let stranger = beside(&other.database(), "-wal");
        fs::copy(&stranger, beside(&copy, "-wal")).unwrap();
        refused(
            &rig,
            with_database(rig.order("fleet.csv", &[]), &copy),
            USAGE,
            "is not the log that belongs",
        );
        // Both together are whole.
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

// Field case B2: SQLite takes what is left of such a log for all of it.
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
    // The hint, as it stands.
    fs::rename(&log, beside(&log, ".cut")).unwrap();
    let copy = fs::read(&main).unwrap();
    let adopt = rig.refleet(&["adopt", "--reason", "the disk was full"]);
    refused(&rig, adopt, 3, "8 jobs of batch 1 may have been sent");
    // What was written behind the last commit is nobody's, and a killed run leaves such things.
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&main, suffix));
    }
    fs::write(&main, copy).unwrap();
    fs::write(&log, torn).unwrap();
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    rig.check_end().unwrap();
}

// Field case B2: the operator's word.
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
    // Who only looks is told the same: both ways out, the harmless one first.
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
    // What the operator knows is done.
    for (service, word) in [(0, "done"), (7, "requeue")] {
        let service = rig.services[service].to_string();
        let words = ["resolve", &service, "--as", word, "--reason", "looked"];
        let ended = rig.call(&words);
        assert_eq!(ended.code, 0, "{ended}");
    }
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 3, "{ended}");
    assert_eq!(rig.truth(rig.services[7]).wiped, 1);
}

// What carries the log over in the right way is no loss, and never was.
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

/// Looks at the database as somebody does who has another program; the last one who has it open
/// carries its log over.
async fn look(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query("SELECT * FROM results")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

// Field case B2: the main file is marked in steps, a run may die at each of them, and somebody else
// may carry its log over afterwards: the last one who has it open does.
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
            // It was there before the run, and is there after its death.
            let command = (afterwards == "command beside")
                .then(|| block_on(Queue::open(&rig.database(), Open::Change)).unwrap());
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

// Field case B2: whoever adopts a database may die over it, too.
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

// Field case B2: commands beside a run carry its log over, and the run marks it anew.
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

// Field case D8.
#[test]
fn what_a_volume_has_opened_to_a_group_is_closed_and_said() {
    let rig = killed(2);
    let files = ["", "-wal", "-shm", ".lock"].map(|suffix| beside(&rig.database(), suffix));
    for file in &files {
        set_mode(file, 0o660);
    }
    let ended = rig.call(&["status"]);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(
        ended.said().contains("is open to others (mode 660)"),
        "{ended}"
    );
    assert_eq!(mode_of(&files[0]), 0o660, "who reads changes nothing");
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    assert!(
        ended.said().contains("was open to others (mode 660)"),
        "{ended}"
    );
    for file in files.iter().filter(|file| file.exists()) {
        assert_eq!(mode_of(file), 0o600, "{}", file.display());
    }
    rig.check_end().unwrap();

    // A folder that is meant to be shared would open them again.
    set_mode(&rig.database(), 0o660);
    for mode in [0o2770, 0o770] {
        set_mode(&rig.path("state"), mode);
        let ended = refused(
            &rig,
            rig.order("fleet.csv", &[]),
            USAGE,
            "made to be shared",
        );
        assert!(ended.said().contains("chmod g-ws"), "{ended}");
        assert_eq!(mode_of(&rig.database()), 0o660);
    }
    set_mode(&rig.path("state"), 0o755);
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
}

/// A floppy disk of 1.44 MB with an empty FAT file system, which knows neither owners nor modes.
fn floppy() -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut disk = vec![0; 2880 * SECTOR];
    let mut put = |at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\xeb\x3c\x90MSDOS5.0");
    // 512 bytes a sector, 1 sector a cluster, 1 reserved; 2 tables of 9 sectors; 224 names.
    put(
        11,
        &[0x00, 0x02, 1, 1, 0, 2, 224, 0, 0x40, 0x0b, 0xf0, 9, 0],
    );
    put(24, &[18, 0, 2, 0]);
    put(38, b"\x291234NO NAME    FAT12   ");
    put(510, &[0x55, 0xaa]);
    for table in [1, 10] {
        put(table * SECTOR, &[0xf0, 0xff, 0xff]);
    }
    disk
}

// Field case D8.
#[test]
fn a_file_system_without_modes_is_refused_with_the_reason() {
    if std::env::var_os(OWN_MOUNTS).is_none() {
        return in_own_mounts(
            module_path!(),
            "a_file_system_without_modes_is_refused_with_the_reason",
        );
    }
    let rig = rig(1);
    rig.load();
    let (image, stick) = (rig.path("image"), rig.path("stick"));
    fs::write(&image, floppy()).unwrap();
    fs::create_dir(&stick).unwrap();
    let words = ["-o", "loop,umask=022", "-t", "vfat"];
    let mounted = Command::new("mount")
        .args(words)
        .arg(&image)
        .arg(&stick)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("no FAT file system can be mounted here");
    }
    let path = stick.join("refleet.db");
    let mut create = rig.refleet(&["load"]);
    create.arg(rig.path("fleet.csv"));
    refused(
        &rig,
        with_database(create, &path),
        USAGE,
        "(vfat) cannot hold",
    );
    assert!(!path.exists(), "nothing is left behind");
    fs::copy(rig.database(), &path).unwrap();
    refused(
        &rig,
        with_database(rig.order("fleet.csv", &[]), &path),
        USAGE,
        "(vfat) cannot hold",
    );
    mount(&["umount"], &stick);
}

/// `nobody`, as far as files are concerned.
const OTHER_USER: u32 = 65_534;

/// As another user, where this one is root.
fn as_other(mut command: Command) -> Command {
    command.uid(OTHER_USER).gid(OTHER_USER);
    command
}

/// Hands everything below `path` to another user. `false`: this one may not.
fn hand_over(path: &Path, user: u32) -> bool {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            if !hand_over(&entry.unwrap().path(), user) {
                return false;
            }
        }
    }
    std::os::unix::fs::chown(path, Some(user), Some(user)).is_ok()
}

fn skip(why: &str) {
    #[expect(clippy::print_stderr, reason = "who reads the log is to know")]
    {
        eprintln!("skipped: {why}");
    }
}

// Field case C7.
#[test]
fn what_belongs_to_somebody_else_is_named_with_its_owner_and_the_remedy() {
    let rig = rig(2);
    rig.load();
    // As if it had been created by `sudo refleet run`.
    let root = rig.path(".");
    fs::write(beside(&rig.database(), ".lock"), "").unwrap();
    if !hand_over(&root, OTHER_USER) {
        return skip("only root can give files away");
    }
    let works = as_other(rig.refleet(&["status"])).output();
    if !works.is_ok_and(|output| output.status.success()) {
        return skip("another user does not reach the binary");
    }
    for suffix in ["", ".lock"] {
        let file = beside(&rig.database(), suffix);
        assert!(hand_over(&file, 0));
        let ended = refused(
            &rig,
            as_other(rig.order("fleet.csv", &[])),
            USAGE,
            "belongs to root (uid 0)",
        );
        assert!(ended.said().contains("`sudo` made it"), "{ended}");
        assert!(ended.said().contains("sudo chown"), "{ended}");
        assert!(ended.said().contains(file.to_str().unwrap()), "{ended}");
        if suffix.is_empty() {
            let status = as_other(rig.refleet(&["status"]));
            refused(&rig, status, USAGE, "belongs to root (uid 0)");
        }
        assert!(hand_over(&file, OTHER_USER));
    }
    // A folder in which nothing can be created.
    assert!(hand_over(&rig.path("state"), 0));
    assert!(hand_over(&rig.database(), OTHER_USER));
    assert!(hand_over(&beside(&rig.database(), ".lock"), OTHER_USER));
    set_mode(&rig.path("state"), 0o755);
    let ended = refused(
        &rig,
        as_other(rig.order("fleet.csv", &[])),
        USAGE,
        "belongs to root (uid 0)",
    );
    assert!(ended.said().contains("sudo chown"), "{ended}");
    // Nor anything seen.
    set_mode(&rig.path("state"), 0o700);
    for command in [rig.order("fleet.csv", &[]), rig.refleet(&["status"])] {
        let ended = refused(&rig, as_other(command), USAGE, "belongs to root (uid 0)");
        assert!(ended.said().contains("sudo chown -R"), "{ended}");
    }
    assert!(hand_over(&rig.path("state"), OTHER_USER));

    // What root does here locks nobody out.
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 0, "{ended}");
    let fresh = rig.path("fresh/refleet.db");
    let mut command = with_database(rig.refleet(&["load", "-q"]), &fresh);
    command.arg(rig.path("fleet.csv"));
    let ended = finish(command);
    assert_eq!(ended.code, 0, "{ended}");
    for file in [
        rig.database(),
        beside(&rig.database(), ".lock"),
        fresh.clone(),
        fresh.parent().unwrap().to_owned(),
    ] {
        assert_eq!(
            file.metadata().unwrap().uid(),
            OTHER_USER,
            "{}",
            file.display()
        );
    }
    let ended = finish(as_other(rig.refleet(&["cancel", "--failed"])));
    assert_eq!(ended.code, 0, "{ended}");
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
    // A database that other programs would look for elsewhere, or that another one would throw away.
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
    let address = "postgres://fleet:Secret1234@db.example.com/x";
    let command = with_database(rig.refleet(&["status"]), Path::new(address));
    let ended = refused(
        &rig,
        command,
        USAGE,
        "postgres://…@db.example.com/x is an address",
    );
    assert!(!ended.said().contains("Secret1234"), "{ended}");
    // Where it does exist, it is meant.
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
    // Reports and events of yesterday are.
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

// Field case B2: it may have come with the container's image, and each new container begins with it.
#[test]
fn a_database_in_a_containers_layer_is_said_each_time_to_go_with_it() {
    if std::env::var_os(OWN_MOUNTS).is_none() {
        return in_own_mounts(
            module_path!(),
            "a_database_in_a_containers_layer_is_said_each_time_to_go_with_it",
        );
    }
    let rig = rig(2);
    let container = rig.path("container");
    fs::create_dir(&container).unwrap();
    mount(&["mount", "-t", "tmpfs", "tmpfs"], &container);
    let layer = |name: &str| {
        let layer = container.join(name);
        fs::create_dir(&layer).unwrap();
        layer.to_str().unwrap().to_owned()
    };
    let (image, written, work) = (layer("image"), layer("written"), layer("work"));
    let layers = format!("lowerdir={image},upperdir={written},workdir={work}");
    let root = container.join("root");
    fs::create_dir(&root).unwrap();
    let words = ["mount", "-t", "overlay", "overlay", "-o", &layers];
    let mounted = Command::new(words[0]).args(&words[1..]).arg(&root).status();
    if !mounted.unwrap().success() {
        return; // not everybody may have layers
    }
    let path = root.join("refleet.db");
    for _ in 0..2 {
        let mut load = rig.refleet(&["load", "-q"]);
        load.arg(rig.path("fleet.csv"));
        let ended = finish(with_database(load, &path));
        assert!(ended.code == 0, "{ended}");
        assert!(ended.disk.contains("nothing stays (overlay)"), "{ended}");
    }
}

// Field case E13.
#[test]
fn an_archive_on_a_read_only_medium_is_read_or_says_what_is_missing() {
    if std::env::var_os(OWN_MOUNTS).is_none() {
        return in_own_mounts(
            module_path!(),
            "an_archive_on_a_read_only_medium_is_read_or_says_what_is_missing",
        );
    }
    let rig = killed(2);
    let archive = rig.path("archive");
    fs::create_dir(&archive).unwrap();
    mount(
        &["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs"],
        &archive,
    );
    let path = archive.join("refleet.db");
    let put = |suffix: &str| {
        mount(&["mount", "-o", "remount,rw"], &archive);
        fs::copy(beside(&rig.database(), suffix), beside(&path, suffix)).unwrap();
        mount(&["mount", "-o", "remount,ro"], &archive);
    };
    let service = rig.services[0].to_string();
    let show = ["show", service.as_str()];
    let mut readers = COMMANDS_THAT_READ.to_vec();
    readers.push(&show);

    // With a log that nobody can read there, no old state is shown.
    put("");
    put("-wal");
    for words in &readers {
        let command = with_database(rig.refleet(words), &path);
        let ended = refused(
            &rig,
            command,
            USAGE,
            "holds what is not in the database yet",
        );
        assert!(ended.said().contains("copy both"), "{ended}");
    }
    // With its index it can be read: also where a run works and only this view is read-only.
    put("-shm");
    for words in &readers {
        let ended = finish(with_database(rig.refleet(words), &path));
        assert_eq!(ended.code, 0, "{words:?} {ended}");
    }
    mount(&["mount", "-o", "remount,rw"], &archive);
    fs::remove_file(beside(&path, "-wal")).unwrap();
    fs::remove_file(beside(&path, "-shm")).unwrap();
    // After a whole run there is no log.
    let ended = rig.run(&["-q"]);
    assert!(matches!(ended.code, 0 | 3), "{ended}");
    put("");
    // An index that was copied along, or a log with nothing in it, is in nobody's way.
    let strays: [&[&str]; 3] = [&[], &["-shm"], &["-wal"]];
    for stray in strays {
        mount(&["mount", "-o", "remount,rw"], &archive);
        for suffix in stray {
            fs::write(beside(&path, suffix), "").unwrap();
            set_mode(&beside(&path, suffix), 0o600);
        }
        mount(&["mount", "-o", "remount,ro"], &archive);
        for words in &readers {
            let ended = finish(with_database(rig.refleet(words), &path));
            assert_eq!(ended.code, 0, "{words:?} {stray:?} {ended}");
            assert!(!ended.said().contains("warning"), "{ended}");
        }
        mount(&["mount", "-o", "remount,rw"], &archive);
        for suffix in stray {
            fs::remove_file(beside(&path, suffix)).unwrap();
        }
        mount(&["mount", "-o", "remount,ro"], &archive);
    }
    let ended = refused(
        &rig,
        with_database(rig.order("fleet.csv", &[]), &path),
        USAGE,
        "mounted read-only",
    );
    assert!(!ended.said().contains("--db"), "{ended}");
    mount(&["umount"], &archive);
}

#[test]
fn the_library_meets_the_same_door() {
    let rig = rig(1);
    rig.load();
    let link = rig.path("link.db");
    symlink(rig.database(), &link).unwrap();
    let queue = block_on(Queue::open(&link, Open::Change)).unwrap();
    assert_eq!(queue.path(), rig.database().canonicalize().unwrap());
    block_on(queue.close()).unwrap();
}
