//! An open database.

use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::files::Files;
use super::marked_file::MarkedFile;
use super::place::Note;

/// The queue.
#[derive(Debug)]
pub struct SqliteQueue {
    pub(super) connection: SqliteConnection,
    pub(super) path: PathBuf,
    pub(super) files: Files,
    pub(super) notes: Vec<Note>,
    /// A run works with it: the main file, which says that the log belongs to it.
    pub(super) marked_file: Option<MarkedFile>,
}

impl SqliteQueue {
    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the operator should know about where it lies.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}
