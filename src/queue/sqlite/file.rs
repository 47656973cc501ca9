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

/// Sees to it that the file is there. Its mode has to be right before SQLite opens it, since SQLite
/// gives the same mode to the files beside it.
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
        // SQLite would silently open it read-only, and fail at the first write.
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
        // The file is still empty, and no password may get into it.
        let _ = std::fs::remove_file(path);
        return Err(Unfit::cannot_close(path, bits).into());
    }
    // What root creates in a user's folder is handed to that user, who couldn't open it otherwise.
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

/// Takes the permissions off that let others read our files: a volume that is mounted for a group
/// gives such permissions to what is created on it.
pub(super) fn close_files(path: &Path, files: Vec<(PathBuf, u32)>) -> Result<Vec<Note>, OpenError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Another process works on the database: it has closed the files, or does so at its next start.
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
        // A failure shows in the mode, which is read back; a file that has vanished needs nothing.
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
