//! The decision: pure, over what the system said.

use std::path::PathBuf;

use super::facts::{Facts, FileFacts, Kind, Writable};
use super::find::Place;
use super::mark::LogMark;
use super::{Note, Side, Unfit};
use crate::queue::Open;

/// File systems that other machines can have mounted too, or that hand on to such ones, by the
/// magic number of statfs(2).
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x786f_4256, "VirtualBox shared folder"),
    (0xbacb_acbc, "VMware shared folder"),
];

/// Any program can be a file system behind this one.
const FUSE: u64 = 0x6573_5546;

/// Those behind FUSE that are known to be this machine's own disk. Of all others nobody can say.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.ntfs-3g",
    "fuse.ntfs",
    "fuse.exfat",
    "fuse.fuse-overlayfs",
    "fuse.mergerfs",
    "fuse.bindfs",
    "fuse.gocryptfs",
    "fuse.encfs",
    "fuse.cryfs",
    "fuse.securefs",
    "fuse.fuse2fs",
    "fuse.ext4",
    "fuse.zfs",
    "fuse.lxcfs",
];

/// Memory, which is empty after the next start.
const MEMORY: &[&str] = &["tmpfs", "ramfs"];
/// The layer of a container, which goes with it.
const CONTAINER: &[&str] = &["overlay", "aufs"];

/// Bits with which somebody else gets in.
const OTHERS: u32 = 0o077;
/// A folder that hands its group on to what is created in it, or that its group may write to.
const SHARED: u32 = 0o2020;
const OWNER_WRITES: u32 = 0o200;

/// Can this place carry the ledger, for what is meant to be done?
pub(super) fn decide(facts: &Facts, mode: Open) -> Result<Place, Unfit> {
    one_name(facts)?;
    whole(facts)?;
    let mut notes = Vec::new();
    let mut open_to_others = Vec::new();
    let mut immutable = false;
    if mode == Open::Read {
        for (path, mode) in others_get_in(facts) {
            notes.push(Note::OpenToOthers { path, mode });
        }
        if let Err(unfit) = log_is_its_own(facts) {
            notes.push(Note::Outdated(unfit));
        }
        readable(facts)?;
        if facts.folder.writable != Writable::Yes {
            let has = |side| facts.sides.iter().any(|(one, _)| *one == side);
            // The index is created by the first who comes, be it a reader.
            immutable = match (facts.log.salt, has(Side::Index)) {
                (Some(_), true) => false,
                (Some(_), false) => {
                    return Err(Unfit::UnreadableLog {
                        path: facts.path.clone(),
                    });
                }
                // With both there somebody may be at work, and be seen to be.
                (None, has_index) => !(has_index && has(Side::Log)),
            };
        }
    } else {
        local(facts)?;
        ours(facts)?;
        open_to_others = others_get_in(facts);
        if let Some((path, mode)) = open_to_others.first()
            && facts.folder.mode & SHARED != 0
        {
            return Err(Unfit::Shared {
                path: path.clone(),
                mode: *mode,
                folder_mode: facts.folder.mode,
            });
        }
        let is_new = facts.main.as_ref().is_none_or(|main| main.bytes == 0);
        let is_among = |kinds: &[&str]| kinds.contains(&facts.file_system.name.as_str());
        // Of a database in memory it is said once, when it is made. One in a container may have come
        // with the container's image: each new container then begins with what the image knew.
        if is_among(CONTAINER) || is_new && is_among(MEMORY) {
            notes.push(Note::Volatile {
                path: facts.path.clone(),
                file_system: facts.file_system.name.clone(),
            });
        }
        match log_is_its_own(facts) {
            Err(Unfit::LogMissing { .. }) if mode == Open::WithoutLog => {}
            decided => decided?,
        }
    }
    Ok(Place {
        path: facts.path.clone(),
        open_to_others,
        immutable,
        notes,
    })
}

/// Whoever opens this file comes by this name.
fn one_name(facts: &Facts) -> Result<(), Unfit> {
    let path = &facts.path;
    if let Some(mounted) = facts.mounted.first() {
        return Err(Unfit::MountedAlone {
            path: mounted.clone(),
        });
    }
    if let Some(main) = &facts.main {
        match main.kind {
            Kind::File => {}
            Kind::Folder => return Err(Unfit::Directory { path: path.clone() }),
            // A link would have been resolved: it came this moment.
            Kind::Link | Kind::Other => {
                return Err(Unfit::NotAFile {
                    path: path.clone(),
                    file: path.clone(),
                });
            }
        }
        if main.links > 1 {
            return Err(Unfit::HardLinked {
                path: path.clone(),
                links: main.links,
            });
        }
    }
    match facts.sides.iter().find(|(_, one)| one.kind != Kind::File) {
        Some((side, _)) => Err(Unfit::NotAFile {
            path: path.clone(),
            file: side.beside(path),
        }),
        None => Ok(()),
    }
}

/// What is left of a database whose main file is gone is not thrown away: SQLite would.
fn whole(facts: &Facts) -> Result<(), Unfit> {
    let what = match &facts.main {
        None => "missing",
        Some(main) if main.bytes == 0 => "empty",
        Some(_) => return Ok(()),
    };
    let left = facts.sides.iter().find(|(side, one)| match side {
        Side::Log => one.bytes > 0,
        Side::Journal => one.bytes > 0 && !facts.journal_undoes_all,
        Side::Index | Side::Lock | Side::Simulation => false,
    });
    match left {
        Some((side, _)) => Err(Unfit::WithoutMain {
            path: facts.path.clone(),
            what,
            left: side.beside(&facts.path),
        }),
        None => Ok(()),
    }
}

/// Locks and shared memory hold there.
fn local(facts: &Facts) -> Result<(), Unfit> {
    let system = &facts.file_system;
    let known = NETWORK.iter().find(|(magic, _)| *magic == system.magic);
    let foreign = match known {
        Some((_, name)) => Some((*name).to_owned()),
        None if system.magic == FUSE && !LOCAL_FUSE.contains(&system.name.as_str()) => {
            Some(match system.name.as_str() {
                "" => "FUSE".to_owned(),
                name => name.to_owned(),
            })
        }
        None => None,
    };
    match foreign {
        Some(file_system) => Err(Unfit::Network {
            path: facts.path.clone(),
            file_system,
        }),
        None => Ok(()),
    }
}

/// We may at least read it.
fn readable(facts: &Facts) -> Result<(), Unfit> {
    let main = facts.main.iter().map(|main| (facts.path.clone(), main));
    let log = facts.sides.iter().filter(|(side, _)| *side == Side::Log);
    let log = log.map(|(side, one)| (side.beside(&facts.path), one));
    let closed: Vec<_> = main
        .chain(log)
        .filter(|(_, one)| !one.is_readable)
        .collect();
    let Some((file, first)) = closed.first() else {
        return Ok(());
    };
    if first.owner == facts.user {
        return Err(Unfit::NotWritable {
            path: facts.path.clone(),
            file: file.clone(),
            mode: first.mode,
        });
    }
    Err(Unfit::Owned {
        owner: first.owner,
        files: closed.iter().map(|(file, _)| file.clone()).collect(),
        me: facts.user,
    })
}

/// We may write to all of it, and others have no say in it. Root may do everything; what it
/// creates it hands to the owner of the folder.
fn ours(facts: &Facts) -> Result<(), Unfit> {
    let path = &facts.path;
    let files = || {
        let main = facts.main.iter().map(|main| (path.clone(), main));
        let sides = facts
            .sides
            .iter()
            .map(|(side, one)| (side.beside(path), one));
        main.chain(sides)
    };
    if facts.folder.writable == Writable::ReadOnly {
        return Err(Unfit::ReadOnly {
            path: path.clone(),
            folder: facts.folder.path.clone(),
        });
    }
    if facts.user != 0 {
        let is_foreign = |one: &FileFacts| one.owner != facts.user;
        if let Some((_, first)) = files().find(|(_, one)| is_foreign(one)) {
            let owner = first.owner;
            let foreign = files().filter(|(_, one)| is_foreign(one));
            return Err(Unfit::Owned {
                files: foreign.map(|(file, _)| file).collect(),
                owner,
                me: facts.user,
            });
        }
        if let Some((file, one)) = files().find(|(_, one)| one.mode & OWNER_WRITES == 0) {
            return Err(Unfit::NotWritable {
                path: path.clone(),
                file,
                mode: one.mode,
            });
        }
    }
    let folder = &facts.folder;
    match folder.writable {
        Writable::Yes | Writable::ReadOnly => Ok(()),
        Writable::Denied if folder.owner == facts.user => Err(Unfit::NotWritable {
            path: path.clone(),
            file: folder.path.clone(),
            mode: folder.mode,
        }),
        Writable::Denied => Err(Unfit::FolderOwned {
            path: path.clone(),
            folder: folder.path.clone(),
            is_new: facts.main.is_none(),
            owner: folder.owner,
            me: facts.user,
        }),
    }
}

/// The files that hold passwords, or may, and that somebody else can look into. A file that is no
/// database of ours is nobody's to close.
fn others_get_in(facts: &Facts) -> Vec<(PathBuf, u32)> {
    let is_new = facts.main.as_ref().is_some_and(|main| main.bytes == 0);
    if !facts.head.is_ours && !is_new {
        return Vec::new();
    }
    let main = facts.main.iter().map(|main| (facts.path.clone(), main));
    let sides = facts.sides.iter().filter(|(side, _)| match side {
        Side::Log | Side::Index | Side::Journal | Side::Lock => true,
        // Invented instances, and no passwords.
        Side::Simulation => false,
    });
    main.chain(sides.map(|(side, one)| (side.beside(&facts.path), one)))
        .filter(|(_, one)| one.mode & OTHERS != 0)
        .map(|(file, one)| (file, one.mode & 0o777))
        .collect()
}

/// The log that the main file waits for lies beside it.
fn log_is_its_own(facts: &Facts) -> Result<(), Unfit> {
    if !facts.head.is_ours {
        return Ok(());
    }
    let path = facts.path.clone();
    match (facts.head.log_mark, facts.log.salt) {
        (LogMark::Whole, _) => Ok(()),
        (LogMark::Awaited(_), None) => Err(Unfit::LogMissing { path }),
        (mark, Some(salt)) if mark == LogMark::awaited(salt) => {
            let (frames, whole) = (facts.head.log_frames, facts.log.frames);
            if whole < frames {
                Err(Unfit::LogCut {
                    path,
                    whole,
                    frames,
                })
            } else {
                Ok(())
            }
        }
        (LogMark::Awaited(_), Some(_)) => Err(Unfit::LogForeign { path }),
    }
}

#[cfg(test)]
mod tests {
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
}
