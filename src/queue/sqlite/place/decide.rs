//! The decision: pure, over what the system said.

use std::path::PathBuf;

use super::facts::{Facts, FileFacts, Kind, Writable};
use super::mark::LogMark;
use super::{Note, Side, Unfit};
use crate::queue::sqlite::settings::Open;

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

/// FUSE: any program can be the file system behind it.
const FUSE: u64 = 0x6573_5546;

/// File systems behind FUSE that are known to lie on this machine's own disk.
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
/// The layer of a container, which is lost together with the container.
const CONTAINER: &[&str] = &["overlay", "aufs"];

/// Bits with which somebody else gets in.
const OTHERS: u32 = 0o077;
/// A folder that hands its group on to what is created in it, or that its group may write to.
const SHARED: u32 = 0o2020;
const OWNER_WRITES: u32 = 0o200;

/// A path that can carry the ledger.
#[derive(Debug)]
pub(in crate::queue::sqlite) struct Place {
    /// The database's own name: no link, no `..`.
    pub(in crate::queue::sqlite) path: PathBuf,
    /// Files of ours that others can look into, with their mode bits: whoever holds the lock
    /// closes them.
    pub(in crate::queue::sqlite) open_to_others: Vec<(PathBuf, u32)>,
    /// Nothing can be put beside it, and nothing has to be: all of it stands in the main file.
    pub(in crate::queue::sqlite) immutable: bool,
    /// What the operator should know.
    pub(in crate::queue::sqlite) notes: Vec<Note>,
}

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
            // The first process that opens the database creates the index, even where it only reads.
            immutable = match (facts.log.salt, has(Side::Index)) {
                (Some(_), true) => false,
                (Some(_), false) => {
                    return Err(Unfit::UnreadableLog {
                        path: facts.path.clone(),
                    });
                }
                // Where both are there, another process may be at work, and its work is visible to us.
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

/// Every process that opens this file uses this name.
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
            // A link would have been resolved before: this one was made since.
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

/// What is left of a database whose main file is gone is kept, while SQLite would throw it away.
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
mod tests;
