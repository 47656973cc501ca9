//! Exit codes: a contract, scripts rely on them.

use std::fmt;
use std::process::ExitCode;

use serde::{Serialize, Serializer};

use crate::job::Counts;

/// How a process has ended, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Exit {
    /// Every job is done (or cancelled on purpose, or accepted under `--no-wait`).
    #[default]
    Done = 0,
    /// The batch has ended, and some jobs failed.
    Failed = 1,
    /// Usage, configuration or manifest invalid: nothing was queued, nothing was sent. Or the batch is
    /// another account's than the credentials, or the API does not say whose these are: nothing more was
    /// sent.
    Usage = 2,
    /// The batch has ended, and some jobs are in doubt.
    InDoubt = 3,
    /// Halted before the end by an outage, or with work left that nobody waits for.
    Outage = 4,
    /// The window closed with work left.
    Window = 5,
    /// Halted by what somebody has to look at: the failure budget, one that was to go first, a member of a
    /// group, a pause.
    Budget = 6,
    /// Credentials refused, a second factor, rights missing.
    Credentials = 7,
    /// The API blocks this address.
    Blocked = 8,
    /// A bug.
    Bug = 70,
    /// The database can't be written.
    Storage = 74,
    /// Another process works on this queue.
    Busy = 75,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM or SIGHUP.
    Terminated = 143,
}

impl Exit {
    /// The number that the process gives back.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// That of a process that gave back `code`; `None`: no process of this program does.
    pub fn of_code(code: u8) -> Option<Self> {
        const ALL: [Exit; 14] = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::InDoubt,
            Exit::Outage,
            Exit::Window,
            Exit::Budget,
            Exit::Credentials,
            Exit::Blocked,
            Exit::Bug,
            Exit::Storage,
            Exit::Busy,
            Exit::Interrupted,
            Exit::Terminated,
        ];
        ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// What it says of a run, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "all is done, or was cancelled on purpose",
            Self::Failed => "it came to the end, and some jobs failed",
            Self::Usage => "the credentials are not those of its account, or nothing could be sent",
            Self::InDoubt => "it came to the end, and some jobs are in doubt",
            Self::Outage => "halted before the end, with work left: run again",
            Self::Window => "the window closed with work left",
            Self::Budget => "halted because somebody has to look",
            Self::Credentials => "the credentials were refused",
            Self::Blocked => "the API blocks this address",
            Self::Bug => "a bug of refleet",
            Self::Storage => "the database could not be written",
            Self::Busy => "another process worked on the queue",
            Self::Interrupted => "interrupted (SIGINT)",
            Self::Terminated => "interrupted (SIGTERM or SIGHUP)",
        }
    }

    /// How a batch has ended whose jobs stand like this.
    pub fn of_counts(counts: &Counts) -> Self {
        if counts.in_doubt > 0 {
            Self::InDoubt
        } else if counts.failed > 0 {
            Self::Failed
        } else {
            Self::Done
        }
    }

    /// The run came to its batch's end, whatever that was.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::InDoubt => true,
            Self::Usage
            | Self::Outage
            | Self::Window
            | Self::Budget
            | Self::Credentials
            | Self::Blocked
            | Self::Bug
            | Self::Storage
            | Self::Busy
            | Self::Interrupted
            | Self::Terminated => false,
        }
    }

    /// How a process ends that ended like this, and then like `later`: what stopped it, else the
    /// worse of the two.
    #[must_use]
    pub fn and_then(self, later: Self) -> Self {
        if self.has_ended() && later.has_ended() {
            self.max(later)
        } else {
            later
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_was_given_back() {
        let known = (0..=u8::MAX).filter_map(|code| Some((code, Exit::of_code(code)?)));
        let known: Vec<(u8, Exit)> = known.collect();
        assert!(known.iter().all(|(code, exit)| exit.code() == *code));
        let codes: Vec<u8> = known.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 70, 74, 75, 130, 143]);
    }

    #[test]
    fn of_two_batches_the_worse_end_counts_and_what_stopped_the_process_before_it() {
        for (before, later, both) in [
            (Exit::Done, Exit::Done, 0),
            (Exit::Failed, Exit::Done, 1),
            (Exit::InDoubt, Exit::Failed, 3),
            (Exit::InDoubt, Exit::Outage, 4),
            (Exit::Failed, Exit::Interrupted, 130),
        ] {
            assert_eq!(before.and_then(later).code(), both, "{before:?}, {later:?}");
        }
    }
}
