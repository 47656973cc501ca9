//! What the main file says of its log.
//!
//! A run that is killed leaves its last transactions in the log. Whoever then takes the main file
//! alone elsewhere has a sound database that does not know what was sent. So the main file itself
//! has to say that there is more: in `user_version`, which stands at a fixed place of the file and
//! moves with transactions and checkpoints like everything else.
//!
//! ```text
//! a run begins:   commit Awaited{salt} → checkpoint → commit Beside → only now anything is sent
//! a run ends:     commit Complete → checkpoint
//! ```
//!
//! While a run works the main file says `Awaited`, and the log says `Beside` or more. A log that is
//! there takes its place whatever it was that moved it into the main file (the next run, an
//! operator's command, a look with `sqlite3`): the main file then says `Beside`, and is whole. A
//! main file that still says `Awaited`, without that very log, lacks what was sent.

/// The mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum LogMark {
    /// Nothing was sent that is not here.
    Complete,
    /// Whoever reads this has read the log, or does not need it.
    Beside,
    /// More stands in the log that had this salt then: its lower 31 bits.
    Awaited(u32),
}

const AWAITED: u32 = 1 << 31;
/// How often the same log can have been begun anew since: each time costs a checkpoint, and each
/// checkpoint of a run writes a new mark.
const BEGINNINGS_MAX: u32 = 1 << 20;

impl LogMark {
    /// More stands in the log that has this salt.
    pub(in crate::queue) fn awaited(salt: u32) -> Self {
        Self::Awaited(salt & !AWAITED)
    }

    /// The mark as `user_version`.
    pub(in crate::queue) fn version(self) -> i32 {
        let bits = match self {
            Self::Complete => 0,
            Self::Beside => 1,
            Self::Awaited(salt) => salt | AWAITED,
        };
        bits.cast_signed()
    }

    /// What the bits of `user_version` say. A number that is none of ours says nothing.
    pub(super) fn of(version: u32) -> Self {
        match version {
            awaited if awaited & AWAITED != 0 => Self::Awaited(awaited & !AWAITED),
            1 => Self::Beside,
            _ => Self::Complete,
        }
    }

    /// The log with this salt is the one that `awaited` speaks of, or begun anew since.
    pub(super) fn is_same(awaited: u32, salt: u32) -> bool {
        salt.wrapping_sub(awaited) & !AWAITED < BEGINNINGS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_knows_its_log() {
        for mark in [LogMark::Complete, LogMark::Beside, LogMark::Awaited(7)] {
            assert_eq!(LogMark::of(mark.version().cast_unsigned()), mark);
        }
        for (awaited, salt, same) in [
            (7, 7, true),
            (7, 8, true),
            (7, 6, false),
            (0x7fff_ffff, 0x8000_0000, true),
            (7, 0x8000_0007, true),
            (0, 0x4000_0000, false),
        ] {
            assert_eq!(
                LogMark::is_same(awaited, salt),
                same,
                "{awaited:x} {salt:x}"
            );
        }
    }
}
