//! Each place, for each purpose.

use std::fmt::Write as _;
use std::path::Path;

use super::super::facts::{FileSystem, Folder, Head};
use super::super::wal::Log;
use super::*;

const USER: u32 = 1000;
const MODES: [Open; 3] = [Open::Read, Open::Change, Open::Create];

fn file(bytes: u64) -> FileFacts {
    FileFacts {
        kind: Kind::File,
        links: 1,
        owner: USER,
        mode: 0o600,
        bytes,
        is_readable: true,
    }
}

/// A sound database with a lock, on a disk.
fn facts() -> Facts {
    Facts {
        path: "/srv/fleet.db".into(),
        user: USER,
        main: Some(file(8192)),
        head: Head {
            is_ours: true,
            log_mark: LogMark::Whole,
            log_frames: 0,
        },
        sides: vec![(Side::Lock, file(60))],
        log: Log::default(),
        journal_undoes_all: false,
        mounted: Vec::new(),
        folder: Folder {
            path: "/srv".into(),
            owner: USER,
            mode: 0o755,
            writable: Writable::Yes,
        },
        file_system: FileSystem {
            magic: 0xef53,
            name: "ext4".to_owned(),
        },
    }
}

fn on(magic: u64, name: &str) -> Facts {
    Facts {
        file_system: FileSystem {
            magic,
            name: name.to_owned(),
        },
        ..facts()
    }
}

#[test]
fn a_usual_place_will_do_and_leaves_nothing_to_say() {
    for mode in MODES {
        let place = decide(&facts(), mode).unwrap();
        assert_eq!(place.notes, [], "{mode:?}");
        assert!(place.open_to_others.is_empty() && !place.immutable);
    }
    let none = Facts {
        main: None,
        head: Head::default(),
        sides: Vec::new(),
        ..facts()
    };
    assert!(decide(&none, Open::Create).is_ok());
}

// Field case B2.
#[test]
fn a_file_that_has_another_name_is_nobodys_to_open() {
    let mut linked = facts();
    linked.main.as_mut().unwrap().links = 2;
    let mut mounted = facts();
    mounted.mounted = vec![Side::Log.beside(&mounted.path)];
    let mut side = facts();
    side.sides[0].1.kind = Kind::Link;
    for mode in MODES {
        assert!(matches!(
            decide(&linked, mode),
            Err(Unfit::HardLinked { links: 2, .. })
        ));
        assert!(matches!(
            decide(&mounted, mode),
            Err(Unfit::MountedAlone { .. })
        ));
        assert!(matches!(decide(&side, mode), Err(Unfit::NotAFile { .. })));
    }
}

#[test]
fn what_other_machines_can_mount_is_refused_to_all_that_write() {
    for (magic, name) in [
        (0x6969, "nfs4"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "cifs"),
        (0x517b, "smbfs"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "ceph"),
        (FUSE, "fuse.sshfs"),
        (FUSE, "fuse.rclone"),
        (FUSE, "fuse.glusterfs"),
        (FUSE, "virtiofs"),
        (FUSE, ""),
    ] {
        for mode in [Open::Change, Open::Create, Open::WithoutLog] {
            let decided = decide(&on(magic, name), mode);
            assert!(matches!(decided, Err(Unfit::Network { .. })), "{name}");
        }
        assert!(decide(&on(magic, name), Open::Read).is_ok(), "{name}");
    }
    for (magic, name) in [
        (0x9123_683e, "btrfs"),
        (0x5846_5342, "xfs"),
        (0x2fc1_2fc1, "zfs"),
        (FUSE, "fuseblk"),
        (FUSE, "fuse.gocryptfs"),
        (0, ""),
    ] {
        assert!(decide(&on(magic, name), Open::Create).is_ok(), "{name}");
    }
}

#[test]
fn a_database_that_will_not_last_is_a_warning() {
    for (name, is_said_again) in [("tmpfs", false), ("overlay", true), ("aufs", true)] {
        let mut facts = on(0x794c_7630, name);
        let old = decide(&facts, Open::Create).unwrap().notes;
        assert_eq!(!old.is_empty(), is_said_again, "{name}");
        facts.main = None;
        let new = decide(&facts, Open::Create).unwrap().notes;
        assert!(matches!(new.as_slice(), [Note::Volatile { .. }]), "{name}");
    }
}

/// Of two first runs in the same moment the second sees the first one's journal beside a file
/// that is still empty.
#[test]
fn a_database_that_is_being_made_is_no_database_that_was_lost() {
    let mut made = facts();
    made.main = Some(file(0));
    made.sides.push((Side::Journal, file(512)));
    assert!(matches!(
        decide(&made, Open::Create),
        Err(Unfit::WithoutMain { .. })
    ));
    made.journal_undoes_all = true;
    assert!(decide(&made, Open::Create).is_ok());
}

// Field case B2.
#[test]
fn a_main_file_and_its_log_belong_together() {
    let with = |log_mark: LogMark, salt| Facts {
        head: Head {
            is_ours: true,
            log_mark,
            log_frames: 5,
        },
        log: Log { salt, frames: 5 },
        ..facts()
    };
    let missing = with(LogMark::Awaited(7), None);
    let foreign = with(LogMark::Awaited(7), Some(8));
    assert!(matches!(
        decide(&missing, Open::Change),
        Err(Unfit::LogMissing { .. })
    ));
    assert!(matches!(
        decide(&foreign, Open::Create),
        Err(Unfit::LogForeign { .. })
    ));
    assert!(decide(&missing, Open::WithoutLog).is_ok());
    assert!(
        decide(&foreign, Open::WithoutLog).is_err(),
        "SQLite would read it"
    );
    let mut cut = with(LogMark::Awaited(7), Some(7));
    cut.log.frames = 4;
    for mode in [Open::Change, Open::Create, Open::WithoutLog] {
        assert!(matches!(
            decide(&cut, mode),
            Err(Unfit::LogCut { whole: 4, .. })
        ));
    }
    for facts in [&missing, &foreign, &cut] {
        let seen = decide(facts, Open::Read).unwrap();
        assert!(matches!(seen.notes.as_slice(), [Note::Outdated(_)]));
    }
    for whole in [
        with(LogMark::Awaited(7), Some(7)),
        with(LogMark::Awaited(7), Some(0x8000_0007)),
        with(LogMark::Whole, None),
        with(LogMark::Whole, Some(99)),
    ] {
        assert_eq!(decide(&whole, Open::Change).unwrap().notes, []);
    }
}

// Field cases C7 and D8.
#[test]
fn modes_and_owners_are_judged_by_who_could_look_in_and_who_could_not_write() {
    let path = facts().path;
    let mut open = facts();
    open.main.as_mut().unwrap().mode = 0o660;
    open.sides.push((Side::Log, file(4152)));
    open.sides[1].1.mode = 0o644;
    let closed = decide(&open, Open::Change).unwrap().open_to_others;
    let log = Side::Log.beside(&path);
    assert_eq!(closed, [(path.clone(), 0o660), (log, 0o644)]);
    let read = decide(&open, Open::Read).unwrap();
    assert_eq!((read.open_to_others.len(), read.notes.len()), (0, 2));
    for mode in [0o2750, 0o770, 0o2770] {
        open.folder.mode = mode;
        assert!(
            matches!(decide(&open, Open::Change), Err(Unfit::Shared { .. })),
            "{mode:o}"
        );
    }
    open.head.is_ours = false;
    let place = decide(&open, Open::Change).unwrap();
    assert!(place.open_to_others.is_empty(), "it is not ours to close");

    let mut theirs = facts();
    theirs.sides[0].1.owner = 0;
    let files = vec![Side::Lock.beside(&path)];
    assert_eq!(
        decide(&theirs, Open::Change).unwrap_err(),
        Unfit::Owned {
            files,
            owner: 0,
            me: USER
        }
    );
    assert!(decide(&theirs, Open::Read).is_ok());
    theirs.main.as_mut().unwrap().owner = 0;
    theirs.main.as_mut().unwrap().is_readable = false;
    assert!(matches!(
        decide(&theirs, Open::Read),
        Err(Unfit::Owned { owner: 0, .. })
    ));
    theirs.user = 0;
    assert!(decide(&theirs, Open::Change).is_ok(), "root may");

    let mut shut = facts();
    shut.main.as_mut().unwrap().mode = 0o400;
    assert!(matches!(
        decide(&shut, Open::Change),
        Err(Unfit::NotWritable { .. })
    ));
    let mut folder = facts();
    folder.folder.writable = Writable::Denied;
    assert!(matches!(
        decide(&folder, Open::Change),
        Err(Unfit::NotWritable { .. })
    ));
    folder.folder.owner = 5;
    assert!(matches!(
        decide(&folder, Open::Change),
        Err(Unfit::FolderOwned { owner: 5, .. })
    ));
}

// Field case E13.
#[test]
fn what_cannot_be_written_is_read_where_all_of_it_stands_in_the_main_file() {
    for writable in [Writable::ReadOnly, Writable::Denied] {
        let mut archive = facts();
        archive.folder.writable = writable;
        assert!(decide(&archive, Open::Read).unwrap().immutable);
        archive.log.salt = Some(7);
        assert!(matches!(
            decide(&archive, Open::Read),
            Err(Unfit::UnreadableLog { .. })
        ));
        archive.sides.push((Side::Index, file(32768)));
        assert!(!decide(&archive, Open::Read).unwrap().immutable);
        archive.log.salt = None;
        assert!(
            decide(&archive, Open::Read).unwrap().immutable,
            "an index alone is nothing"
        );
        archive.sides.push((Side::Log, file(0)));
        assert!(!decide(&archive, Open::Read).unwrap().immutable);
        assert!(decide(&archive, Open::Change).is_err());
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one value of each kind")]
fn no_remedy_is_another_database() {
    let path = Path::new("/srv/my fleet.db").to_owned();
    let all = [
        Unfit::Unreachable {
            path: path.clone(),
            reason: "x".to_owned(),
        },
        Unfit::Directory { path: path.clone() },
        Unfit::NotAFile {
            path: path.clone(),
            file: Side::Lock.beside(&path),
        },
        Unfit::HardLinked {
            path: path.clone(),
            links: 2,
        },
        Unfit::MountedAlone { path: path.clone() },
        Unfit::Network {
            path: path.clone(),
            file_system: "NFS".to_owned(),
        },
        Unfit::WithoutMain {
            path: path.clone(),
            what: "missing",
            left: Side::Log.beside(&path),
        },
        Unfit::LogMissing { path: path.clone() },
        Unfit::LogForeign { path: path.clone() },
        Unfit::Owned {
            files: vec![path.clone(), Side::Log.beside(&path)],
            owner: 0,
            me: 4_000_000,
        },
        Unfit::Owned {
            files: vec![path.clone()],
            owner: 4_000_001,
            me: 4_000_000,
        },
        Unfit::NotWritable {
            path: path.clone(),
            file: path.clone(),
            mode: 0o400,
        },
        Unfit::FolderOwned {
            path: path.clone(),
            folder: "/srv".into(),
            is_new: false,
            owner: 0,
            me: 4_000_000,
        },
        Unfit::FolderOwned {
            path: path.clone(),
            folder: "/srv".into(),
            is_new: true,
            owner: 0,
            me: 4_000_000,
        },
        Unfit::FolderOwned {
            path: "/srv/refleet/new.db".into(),
            folder: "/srv".into(),
            is_new: true,
            owner: 0,
            me: 4_000_000,
        },
        Unfit::ReadOnly {
            path: path.clone(),
            folder: "/srv".into(),
        },
        Unfit::Closed {
            path: path.clone(),
            folder: "/home/x/.local/state/refleet".into(),
            is_below_ours: true,
            owner: 0,
            me: 4_000_000,
        },
        Unfit::Closed {
            path: path.clone(),
            folder: "/root".into(),
            is_below_ours: false,
            owner: 0,
            me: 4_000_000,
        },
        Unfit::UnreadableLog { path: path.clone() },
        Unfit::Shared {
            path: path.clone(),
            mode: 0o660,
            folder_mode: 0o2770,
        },
        Unfit::CannotClose {
            path,
            mode: 0o755,
            file_system: "vfat".to_owned(),
        },
    ];
    let mut text = String::new();
    for unfit in &all {
        let _ = writeln!(text, "error: {unfit}");
        for remedy in unfit.remedies() {
            assert!(!remedy.contains("another"), "{remedy}");
            let _ = writeln!(text, "hint: {remedy}");
        }
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}
