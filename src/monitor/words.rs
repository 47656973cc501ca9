//! What a code says, and numbers, in words.

use super::standing::Command;
use crate::exit::Exit;
use crate::job::{Counter, Counts};

/// What is to be known of the process before this one.
pub(super) const DIED: &str =
    "the run before this one never said how it ended: it was killed, or its machine stopped";

/// How the process has ended, in a line.
pub(super) fn headline(command: Command, exit: Exit) -> String {
    let (command, meaning) = (command.name(), meaning(exit));
    format!("refleet {command}: {meaning} (exit code {exit})")
}

/// `497 done, 2 failed, 1 in doubt of 500`
pub(super) fn numbers(counts: &Counts) -> String {
    let all = Counter::ALL.into_iter();
    let counted = all.map(|counter| (counter.words(), counter.of(counts)));
    let pieces: Vec<String> = counted
        .filter(|(_, jobs)| *jobs > 0)
        .map(|(words, jobs)| format!("{jobs} {words}"))
        .collect();
    format!("{} of {}", pieces.join(", "), counts.total())
}

/// What a code says of a process.
pub(super) fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "all is well",
        Exit::Failed => "it came to the end, and some jobs failed",
        Exit::Usage => {
            "refused: the command line, the configuration, the manifest or the account is not as it has to be"
        }
        Exit::InDoubt => "it came to the end, and some jobs are in doubt",
        Exit::Outage => "halted before the end, with work left",
        Exit::Window => "the window closed with work left",
        Exit::Budget => "halted because somebody has to look",
        Exit::Credentials => "the credentials were refused",
        Exit::Blocked => "the API blocks this address",
        Exit::Bug => "stopped by a bug of refleet",
        Exit::Storage => "stopped: the database cannot be written or reached",
        Exit::Busy => "another process works on this queue",
        Exit::Interrupted => "interrupted (SIGINT)",
        Exit::Terminated => "interrupted (SIGTERM or SIGHUP)",
    }
}

/// What to do about it.
pub(super) fn next(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "`refleet report` has what happened to each instance",
        Exit::Failed => "`refleet list --state failed`",
        Exit::Usage => "type the same command on that machine: it says what is wrong, and where",
        Exit::InDoubt => "`refleet list --state in_doubt`",
        Exit::Outage | Exit::Interrupted | Exit::Terminated => {
            "the same command again resumes; `refleet status` shows where it stands"
        }
        Exit::Window | Exit::Budget | Exit::Busy => "`refleet status`",
        Exit::Credentials => "see to the credentials, then the same command again",
        Exit::Blocked => "ask the provider about this address, then the same command again",
        Exit::Bug => "report it with what was printed; the same command again resumes",
        Exit::Storage => "see to the disk or the database server, then the same command again",
    }
}

/// `text`, as much of it as `bytes_max` bytes hold.
pub(super) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("äöü".to_owned(), 3), "ä");
        assert_eq!(cut("äöü".to_owned(), 6), "äöü");
        assert_eq!(cut("abc".to_owned(), 2), "ab");
    }

    #[test]
    fn numbers_leave_out_what_counts_nothing() {
        let counts = Counts {
            done: 497,
            failed: 2,
            in_doubt: 1,
            held: 1,
            ..Counts::default()
        };
        assert_eq!(numbers(&counts), "497 done, 2 failed, 1 in doubt of 500");
    }
}
