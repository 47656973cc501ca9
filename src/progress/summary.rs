//! The closing summary: what happened, and what to do next.

use std::fmt::Write as _;
use std::time::Duration;

use console::measure_text_width;

use super::counters::counters;
use super::ended::Ended;
use super::layout::{COMMAND_INDENT, fold};
use super::mode::Verbosity;
use super::next_steps::{Step, next_steps};
use crate::exit::Exit;
use crate::job::{Cause, Counts};
use crate::pace::as_f64;
use crate::text::{MESSAGE_CHARS_MAX, brief, printable};
use crate::time;

/// A summary is read at one glance.
const LINES_MAX: usize = 15;

/// Causes of failures that are named.
const CAUSES_MAX: usize = 3;

/// A terminal has so many; commands may be longer.
const COLUMNS: usize = 80;

/// What is printed when a run has ended. Ends with a line feed; empty where `-q` has nothing to say. `width`:
/// the columns of the terminal, where it is known that there is one.
pub fn summary(ended: &Ended, verbosity: Verbosity, width: Option<usize>) -> String {
    if says_nothing(ended, verbosity) {
        return String::new();
    }
    let mut text = String::new();
    if ended.simulated {
        text.push_str("SIMULATION: nothing real was touched\n");
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", verdict(ended));
    if (ended.exit == Exit::Usage && ended.halted.is_none()) || ended.exit == Exit::Busy {
        return text;
    }
    let _ = writeln!(
        text,
        "  of {}: {}",
        ended.counts.total(),
        standing_briefly(&ended.counts)
    );
    let _ = write!(text, "  this run took {}", time::short(ended.elapsed));
    if ended.completed > 0 && ended.elapsed >= Duration::from_secs(1) {
        let per_minute = as_f64(ended.completed) / ended.elapsed.as_secs_f64() * 60.0;
        let _ = write!(
            text,
            ": {} ended, {per_minute:.1} a minute",
            ended.completed
        );
    }
    text.push('\n');
    let database = printable(&ended.database.to_string_lossy()).into_owned();
    let account = ended.account.as_ref();
    let account = account.map_or_else(String::new, |account| format!(", of account {account}"));
    let _ = writeln!(text, "  database {database}{account}");
    let next = what_is_next(ended);
    let rows = |text: &str| rows(text, width);
    let room = LINES_MAX.saturating_sub(rows(&text) + rows(&next));
    let why = why_they_failed(
        &ended.causes,
        room,
        width.map_or(COLUMNS, |width| width.min(COLUMNS)),
    );
    let slowest = ended.slowest.as_ref();
    let slowest = slowest.map_or_else(String::new, |slowest| {
        let took = time::short(slowest.took);
        let name = slowest.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" ({})", brief(name, 40)));
        format!("  slowest  {}{name}, {took}\n", slowest.service)
    });
    if rows(&why) + rows(&slowest) <= room {
        text.push_str(&slowest);
    }
    text + &why + &next
}

/// Under `-q` only what needs a human is said.
pub fn says_nothing(ended: &Ended, verbosity: Verbosity) -> bool {
    verbosity == Verbosity::Quiet
        && ended.exit == Exit::Done
        && ended.flagged == 0
        && ended.hooks.open() == 0
}

/// The rows that `text` takes on a terminal of this width. What is too long is broken between words, and by
/// the terminal itself, if it is a command: none is shortened.
fn rows(text: &str, width: Option<usize>) -> usize {
    let Some(width) = width.filter(|width| *width > 0) else {
        return text.lines().count();
    };
    let broken = |line: &str| measure_text_width(line).div_ceil(width).max(1);
    let rows = text.lines().map(|line| {
        if line.starts_with(COMMAND_INDENT) {
            return broken(line);
        }
        fold(line, width).iter().map(|line| broken(line)).sum()
    });
    rows.sum()
}

/// A line of at most `columns` for each cause, as far as there is room.
fn why_they_failed(causes: &[Cause], room: usize, columns: usize) -> String {
    let mut text = String::new();
    let shown = causes.len().min(room.min(CAUSES_MAX));
    let (shown, rest) = causes.split_at(shown);
    for (nth, Cause { kind, jobs, error }) in shown.iter().enumerate() {
        let others: u64 = rest.iter().map(|cause| cause.jobs).sum();
        let more = if nth + 1 == shown.len() && others > 0 {
            format!(", and {others} for other reasons")
        } else {
            String::new()
        };
        let head = format!("  failed   {jobs} x {}: ", brief(kind.as_str(), 30));
        let room = columns.saturating_sub(head.chars().count() + more.chars().count());
        let _ = writeln!(text, "{head}{}{more}", brief(error, room));
    }
    text
}

fn what_is_next(ended: &Ended) -> String {
    let mut text = String::new();
    for step in next(ended) {
        let _ = writeln!(text, "{}", step.what);
        for command in step.commands {
            let _ = writeln!(text, "{COMMAND_INDENT}{command}");
        }
    }
    text
}

/// What is left to do, with whole commands.
pub fn next(ended: &Ended) -> Vec<Step> {
    let whole = |command: &String| {
        // `run` finds the batch by its manifest.
        let which = if ended.is_newest || command.starts_with("run") {
            String::new()
        } else {
            format!(" --batch {}", ended.batch)
        };
        let (program, command) = (printable(&ended.command), printable(command));
        format!("{program} {command}{which}")
    };
    let mut steps = next_steps(ended);
    for step in &mut steps {
        step.commands = step.commands.iter().map(whole).collect();
    }
    steps
}

/// The counters. Those that count nothing are left out, except the first three, which everybody
/// looks for.
fn standing_briefly(counts: &Counts) -> String {
    let pieces: Vec<String> = counters(counts)
        .into_iter()
        .map(|(text, _)| text)
        .enumerate()
        .filter(|(place, text)| *place < 3 || !text.ends_with(" 0"))
        .map(|(_, text)| text)
        .collect();
    pieces.join(", ")
}

/// How it ended, in one sentence.
pub fn verdict(ended: &Ended) -> String {
    let batch = ended.batch;
    match ended.exit {
        Exit::Done if ended.counts.open() > 0 => {
            let nouns = ended.action.terms().nouns;
            format!("batch {batch}: everything is accepted; the {nouns} were not waited for")
        }
        Exit::Done if ended.counts.cancelled > 0 => {
            format!("batch {batch} has ended: all is done but what was cancelled")
        }
        Exit::Done => format!("batch {batch} has ended: all is done"),
        Exit::Failed if ended.counts.open() > 0 => {
            format!("batch {batch}: everything that could be was accepted; there are failures")
        }
        Exit::Failed => format!("batch {batch} has ended, with failures"),
        Exit::Usage if ended.halted.is_none() => {
            "nothing was queued, and nothing was sent".to_owned()
        }
        Exit::InDoubt if ended.counts.open() > 0 => {
            format!("batch {batch}: everything was sent; there are doubts")
        }
        Exit::InDoubt => format!("batch {batch} has ended, with doubts"),
        Exit::Usage
        | Exit::Outage
        | Exit::Window
        | Exit::Budget
        | Exit::Credentials
        | Exit::Blocked => match &ended.halted {
            Some(reason) => format!(
                "batch {batch} was halted: {}",
                brief(reason, MESSAGE_CHARS_MAX)
            ),
            None => format!("batch {batch} was halted"),
        },
        Exit::Bug => match &ended.halted {
            Some(reason) => format!(
                "batch {batch} was stopped by a bug in refleet: {}",
                brief(reason, MESSAGE_CHARS_MAX)
            ),
            None => format!("batch {batch} was stopped by a bug in refleet"),
        },
        Exit::Storage => match &ended.halted {
            Some(reason) => format!(
                "batch {batch} was stopped: {}",
                brief(reason, MESSAGE_CHARS_MAX)
            ),
            None => format!("batch {batch} was stopped: the database cannot be written"),
        },
        Exit::Busy => "another process works on this queue; try again later".to_owned(),
        Exit::Interrupted => format!("batch {batch} was interrupted (SIGINT)"),
        Exit::Terminated => format!("batch {batch} was interrupted (SIGTERM or SIGHUP)"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::ended::Slowest;
    use super::*;
    use crate::job::{AccountId, Action, BatchId, HookCounts, Owner, ServiceId};

    fn ended(exit: Exit, counts: Counts) -> Ended {
        Ended {
            exit,
            batch: BatchId(7),
            action: Action::Rebuild,
            counts,
            failed_touched: Some(0),
            flagged: 0,
            hooks: HookCounts::default(),
            hooks_going_on: 0,
            slowest: None,
            causes: Vec::new(),
            completed: counts.done + counts.failed + counts.held,
            elapsed: Duration::from_secs(2470),
            halted: None,
            hint: Vec::new(),
            no_wait: false,
            simulated: false,
            account: Some(Owner {
                id: AccountId::new("70001"),
                label: Some("ops@example.com".to_owned()),
            }),
            database: PathBuf::from("/var/lib/refleet/refleet.db"),
            command: "refleet".to_owned(),
            resume: Some("run".to_owned()),
            manifest: Some("fleet.csv".to_owned()),
            is_newest: true,
        }
    }

    const ALL_DONE: Counts = Counts {
        queued: 0,
        submitting: 0,
        in_progress: 0,
        in_doubt: 0,
        held: 0,
        done: 500,
        failed: 0,
        cancelled: 0,
    };

    fn show(ended: &Ended) -> String {
        let text = summary(ended, Verbosity::Normal, None);
        assert!(text.ends_with('\n') && !text.contains('\u{1b}'));
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
        assert!(text.lines().count() <= LINES_MAX, "{text}");
        text
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of endings")]
    fn every_ending_says_what_happened_and_what_to_do_next() {
        let broken = Counts {
            done: 495,
            failed: 5,
            ..ALL_DONE
        };
        let doubtful = Counts {
            done: 497,
            failed: 2,
            in_doubt: 1,
            held: 1,
            ..ALL_DONE
        };
        let open = Counts {
            done: 312,
            failed: 2,
            in_progress: 7,
            submitting: 1,
            in_doubt: 3,
            held: 1,
            queued: 175,
            ..ALL_DONE
        };
        let endings = [
            ("all done", ended(Exit::Done, ALL_DONE)),
            (
                "cancelled",
                ended(
                    Exit::Done,
                    Counts {
                        done: 498,
                        cancelled: 2,
                        ..ALL_DONE
                    },
                ),
            ),
            (
                "accepted under --no-wait",
                Ended {
                    no_wait: true,
                    ..ended(
                        Exit::Done,
                        Counts {
                            done: 0,
                            in_progress: 500,
                            ..ALL_DONE
                        },
                    )
                },
            ),
            (
                "doubts under --no-wait",
                Ended {
                    no_wait: true,
                    ..ended(
                        Exit::InDoubt,
                        Counts {
                            done: 0,
                            in_progress: 498,
                            in_doubt: 2,
                            ..ALL_DONE
                        },
                    )
                },
            ),
            (
                "done, and flagged",
                Ended {
                    flagged: 3,
                    ..ended(Exit::Done, ALL_DONE)
                },
            ),
            ("failures", ended(Exit::Failed, broken)),
            (
                "failures for several reasons",
                Ended {
                    slowest: Some(Slowest {
                        service: ServiceId::new(5_113_124).unwrap(),
                        name: Some("web-06.example.com".to_owned()),
                        took: Duration::from_secs(423),
                    }),
                    causes: [
                        ("value", 2),
                        ("limit", 1),
                        ("not_listed", 1),
                        ("timeout", 1),
                    ]
                    .map(|(kind, jobs)| Cause {
                        kind: kind.into(),
                        jobs,
                        error: format!(
                            "the API says of {kind} what it has to say, at length and in detail"
                        ),
                    })
                    .to_vec(),
                    ..ended(Exit::Failed, broken)
                },
            ),
            (
                "failures, one of them wiped",
                Ended {
                    failed_touched: Some(1),
                    ..ended(Exit::Failed, broken)
                },
            ),
            (
                "failures nobody looked into",
                Ended {
                    failed_touched: None,
                    command: "refleet --db /srv/fleet.db".to_owned(),
                    ..ended(Exit::Failed, broken)
                },
            ),
            ("refused", ended(Exit::Usage, ALL_DONE)),
            ("doubts", ended(Exit::InDoubt, doubtful)),
            (
                "halted",
                Ended {
                    halted: Some("the API refused the credentials (badpassword)".to_owned()),
                    hint: vec![
                        "check ZOMRO_USERNAME and ZOMRO_PASSWORD, then run again".to_owned(),
                    ],
                    ..ended(Exit::Outage, open)
                },
            ),
            (
                "halted, in a simulation",
                Ended {
                    halted: Some("failure budget: 4 of 4 used up".to_owned()),
                    simulated: true,
                    resume: Some("run fleet.csv --simulate".to_owned()),
                    ..ended(Exit::Outage, open)
                },
            ),
            ("a bug", ended(Exit::Bug, open)),
            (
                "disk full",
                Ended {
                    halted: Some(
                        "the database cannot be written: database or disk is full".to_owned(),
                    ),
                    ..ended(Exit::Storage, open)
                },
            ),
            ("locked", ended(Exit::Busy, ALL_DONE)),
            ("SIGINT", ended(Exit::Interrupted, open)),
            ("SIGTERM", ended(Exit::Terminated, open)),
        ];
        let mut all = String::new();
        for (name, ended) in &endings {
            let _ = write!(all, "== {name} ({})\n{}\n", ended.exit, show(ended));
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn quiet_says_nothing_when_all_is_well_and_everything_else_otherwise() {
        assert_eq!(
            summary(&ended(Exit::Done, ALL_DONE), Verbosity::Quiet, None),
            ""
        );
        for exit in [
            Exit::Failed,
            Exit::Usage,
            Exit::InDoubt,
            Exit::Outage,
            Exit::Bug,
            Exit::Storage,
            Exit::Busy,
            Exit::Interrupted,
            Exit::Terminated,
        ] {
            let ended = ended(exit, ALL_DONE);
            assert_eq!(
                summary(&ended, Verbosity::Quiet, None),
                summary(&ended, Verbosity::Normal, None)
            );
        }
    }

    /// A line that a terminal breaks is two; what then finds no place are the causes, the slowest first of
    /// all, and never a command.
    #[test]
    fn rows_of_the_terminal_are_counted_and_commands_stay_whole() {
        let all = Ended {
            slowest: Some(Slowest {
                service: ServiceId::new(5_113_124).unwrap(),
                name: None,
                took: Duration::from_secs(423),
            }),
            causes: ["value", "limit", "not_listed"]
                .map(|kind| Cause {
                    kind: kind.into(),
                    jobs: 2,
                    error: "the API says at length what it has to say".to_owned(),
                })
                .to_vec(),
            command:
                "refleet --db /srv/fleets/north/refleet.db --api-url https://api.example.com/v2/"
                    .to_owned(),
            ..ended(
                Exit::Failed,
                Counts {
                    done: 494,
                    failed: 6,
                    ..ALL_DONE
                },
            )
        };
        let on_any = summary(&all, Verbosity::Normal, None);
        assert_eq!(on_any.matches("  failed   ").count(), 3, "{on_any}");
        assert!(on_any.contains("  slowest  "), "{on_any}");
        for width in [80, 60, 40, 1] {
            let text = summary(&all, Verbosity::Normal, Some(width));
            let told = text.matches("  failed   ").count();
            assert!(told < 3, "{width}: {text}");
            assert!(
                rows(&text, Some(width)) <= LINES_MAX || told == 0,
                "{width}: {text}"
            );
            for command in on_any
                .lines()
                .filter(|line| line.starts_with(COMMAND_INDENT))
            {
                assert!(text.contains(command), "{width}: {text}");
            }
        }
        assert_eq!(summary(&all, Verbosity::Normal, Some(500)), on_any);
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        let hostile = Ended {
            halted: Some("\u{1b}[2J\nall is done".to_owned()),
            hint: vec!["\u{202e}x".to_owned()],
            database: PathBuf::from("/tmp/\u{1b}]0;x\u{7}"),
            ..ended(Exit::Outage, ALL_DONE)
        };
        assert!(
            !summary(&hostile, Verbosity::Normal, None).contains(['\u{1b}', '\u{7}', '\u{202e}'])
        );
    }
}
