//! The main file of a run at work, held open for its mark.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::place::mark::write_frames;
use super::place::{Side, wal};

/// The main file of a run at work, for its mark, and the index of its log, which says how many
/// pages are committed.
///
/// Neither is ever closed: to close any descriptor of a file gives up all the locks that a process
/// holds on it, SQLite's too.
#[derive(Debug)]
pub(super) struct MarkedFile {
    pub(super) main: ManuallyDrop<File>,
    index: ManuallyDrop<File>,
}

impl MarkedFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let main = File::options().read(true).write(true).open(path)?;
        let index = File::open(Side::Index.beside(path))?;
        Ok(Self {
            main: ManuallyDrop::new(main),
            index: ManuallyDrop::new(index),
        })
    }

    /// Says in the main file how many pages the log holds now.
    pub(super) fn write_frames(&self) -> io::Result<()> {
        let mut frames = [0; 4];
        self.index
            .read_exact_at(&mut frames, wal::INDEX_FRAMES_AT.into())?;
        write_frames(&self.main, u32::from_ne_bytes(frames))
    }
}
