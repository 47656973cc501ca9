//! On what a database lies, and whose it is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::{
    COMMANDS_THAT_READ, USAGE, beside, killed, mode_of, refused, rig, set_mode, with_database,
};
use crate::rig::{OWN_MOUNTS, finish, in_own_mounts, mount};

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

    // In a folder that is made to be shared the files would be opened again, so it is refused.
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

/// The user id of `nobody`.
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
    // A folder in which nothing can be read.
    set_mode(&rig.path("state"), 0o700);
    for command in [rig.order("fleet.csv", &[]), rig.refleet(&["status"])] {
        let ended = refused(&rig, as_other(command), USAGE, "belongs to root (uid 0)");
        assert!(ended.said().contains("sudo chown -R"), "{ended}");
    }
    assert!(hand_over(&rig.path("state"), OTHER_USER));

    // What root creates here belongs to the folder's owner.
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

// Field case B2.
// It is said each time: the database may come with the container's image, so that each new container
// begins with the same one.
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
    // With its index the log can be read. So it is where a run works and only this view is read-only.
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
    // An index that was copied along, or an empty log, does no harm.
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
