//! What the main file says of its log.
//!
//! A run that is killed leaves its last transactions in the log. Whoever then takes the main file
//! alone elsewhere has a sound database that does not know what was sent. So the main file itself
//! has to say that there is more, and must stop saying so in the moment in which it has it all,
//! whoever carries the log over: the next run, a command, a look with `sqlite3`.
//!
//! No transaction can say that: what is committed last is carried over like everything else, and a
//! main file that says "more is to come" after its log is gone looks like one that was taken away
//! alone. So the mark never stands in a transaction. It is written into the main file itself, over
//! `user_version` on the first page, while the log holds a newer first page, without a mark, that
//! nobody has carried over. The one rule, which holds after every single step:
//!
//! > The main file is marked only while its log holds a first page that is not carried over.
//!
//! * To carry the log over writes that page, and so takes the mark away. SQLite removes or empties a
//!   log, or begins it anew, only after all of it was carried over: never while the mark stands. So
//!   a mark without the very log whose salt it names means that a hand took the log away.
//! * Nobody reads the mark into a transaction: all who write begin with the newest pages, and the
//!   newest first page stands in the log.
//! * Nothing has to be undone after a death: before the mark is written the database is whole with
//!   or without its log, and afterwards the rule holds.
//!
//! Beside the mark stands how many pages of the log were committed, in bytes that SQLite keeps for
//! later: a log that holds fewer, or holds them damaged, was cut short by a hand or a full disk on
//! its way. This number is written after each commit and not forced to the disk: after a power cut
//! it may be too small, and is never too large.
//!
//! How the page is kept in the log while the mark is written: see `mark_log` in `sqlite/log.rs`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue::sqlite) enum LogMark {
    /// Nothing was sent that is not here.
    Whole,
    /// More stands in the log with this salt: its lower 31 bits.
    Awaited(u32),
}

/// Where `user_version` stands in the main file, big-endian.
pub(super) const USER_VERSION_AT: u16 = 60;
/// Where the number of committed pages stands in the main file, big-endian.
pub(super) const LOG_FRAMES_AT: u16 = 72;
const AWAITED: u32 = 1 << 31;

impl LogMark {
    /// More stands in the log that has this salt.
    pub(in crate::queue::sqlite) fn awaited(salt: u32) -> Self {
        Self::Awaited(salt & !AWAITED)
    }

    /// What the bits of `user_version` say. A number that is none of ours says nothing.
    pub(super) fn of(version: u32) -> Self {
        if version & AWAITED == 0 {
            Self::Whole
        } else {
            Self::awaited(version)
        }
    }

    /// The mark as `user_version`.
    fn version(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::Awaited(salt) => salt | AWAITED,
        }
    }

    /// What the main file says.
    pub(in crate::queue::sqlite) fn read(main: &File) -> io::Result<Self> {
        let mut version = [0; 4];
        main.read_exact_at(&mut version, USER_VERSION_AT.into())?;
        Ok(Self::of(u32::from_be_bytes(version)))
    }

    /// Says it in the main file, beside all transactions, and so that it survives a power cut.
    pub(in crate::queue::sqlite) fn write(self, main: &File) -> io::Result<()> {
        main.write_all_at(&self.version().to_be_bytes(), USER_VERSION_AT.into())?;
        main.sync_data()
    }
}

/// Says in the main file that its log holds `frames` pages.
pub(in crate::queue::sqlite) fn write_frames(main: &File, frames: u32) -> io::Result<()> {
    main.write_all_at(&frames.to_be_bytes(), LOG_FRAMES_AT.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_knows_its_log() {
        let main = tempfile::tempfile().unwrap();
        assert!(LogMark::read(&main).is_err(), "there is nothing yet");
        for mark in [7, 0, 0x8000_0000, 0xffff_ffff].map(LogMark::awaited) {
            mark.write(&main).unwrap();
            assert_eq!(LogMark::read(&main).unwrap(), mark);
            assert_ne!(mark, LogMark::Whole);
        }
        LogMark::Whole.write(&main).unwrap();
        assert_eq!(LogMark::read(&main).unwrap(), LogMark::Whole);
        assert_eq!(LogMark::of(1), LogMark::Whole);
        assert_eq!(LogMark::awaited(7), LogMark::awaited(0x8000_0007));
        assert_ne!(LogMark::awaited(7), LogMark::awaited(8));
    }
}
