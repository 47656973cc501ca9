//! The database's file itself: created, ours alone, and closed to others.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::OpenError;
use super::lock::QueueLock;
use super::lock::hand_over;
use super::place::{Note, Unfit};
use super::settings::Open;
use crate::queue::StoreError;

/// Sees to it that the file is there, and ours alone before SQLite opens it: the side files copy its
/// mode.
pub(super) fn prepare(path: &Path, mode: Open) -> Result<(), OpenError> {
    let unusable = |reason: String| OpenError::Unusable {
        path: path.to_owned(),
        reason,
    };
    if mode == Open::Create {
        create(path)?;
    }
    if !path.exists() {
        return Err(OpenError::NotFound {
            path: path.to_owned(),
        });
    }
    if mode != Open::Read {
        // SQLite would open it read-only without a word, and fail at the first write.
        OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}

/// Creates the file and its folder, where there is none.
fn create(path: &Path) -> Result<(), OpenError> {
    let unusable = |reason: String| OpenError::Unusable {
        path: path.to_owned(),
        reason,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let known = folder.ancestors().find(|folder| folder.is_dir());
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unusable(format!("cannot create its folder: {error}")))?;
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(unusable(error.to_string())),
    };
    crate::failpoint!("file_created");
    let metadata = file
        .metadata()
        .map_err(|error| unusable(error.to_string()))?;
    let bits = metadata.permissions().mode() & 0o777;
    if bits & 0o077 != 0 {
        // Nothing stands in it yet, and nothing may.
        let _ = std::fs::remove_file(path);
        return Err(Unfit::cannot_close(path, bits).into());
    }
    // What root creates in somebody's folder is that somebody's: else it locks the owner out.
    if let Some(known) = known {
        for new in folder.ancestors().take_while(|folder| *folder != known) {
            if let Ok((file, metadata)) =
                File::open(new).and_then(|file| file.metadata().map(|metadata| (file, metadata)))
            {
                hand_over(&file, &metadata, known);
            }
        }
        hand_over(&file, &metadata, known);
    }
    Ok(())
}

/// Closes files of ours that others can look into: a volume that is mounted for a group opens them.
pub(super) fn close_files(path: &Path, files: Vec<(PathBuf, u32)>) -> Result<Vec<Note>, OpenError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever works on it has closed them already, or does so next time.
    let lock = match QueueLock::acquire(path) {
        Ok(lock) => lock,
        Err(OpenError::Store(StoreError::Locked(_))) => {
            let open = |(path, mode)| Note::OpenToOthers { path, mode };
            return Ok(files.into_iter().map(open).collect());
        }
        Err(error) => return Err(error),
    };
    let mut notes = Vec::new();
    for (file, mode) in files {
        // One that has vanished meanwhile is open to nobody; what has failed shows in the mode.
        let _ = std::fs::set_permissions(&file, Permissions::from_mode(0o600));
        let Ok(metadata) = file.symlink_metadata() else {
            continue;
        };
        let bits = metadata.permissions().mode() & 0o777;
        if bits & 0o077 != 0 {
            return Err(Unfit::cannot_close(&file, bits).into());
        }
        notes.push(Note::Closed { path: file, mode });
    }
    drop(lock);
    Ok(notes)
}
