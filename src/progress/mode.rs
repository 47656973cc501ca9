//! How a run is shown: what was asked for, and what stderr can do.

use std::env;
use std::io::IsTerminal as _;

use console::Term;

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar, as long as stderr is a terminal.
    Bar,
    /// One line per event.
    Plain,
    /// Nothing but the closing summary.
    None,
}

/// `-q` and `-v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Nothing but what needs a human.
    Quiet,
    /// What an operator wants to know.
    #[default]
    Normal,
    /// Every step.
    Verbose,
}

/// How a run is shown on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A display that is redrawn, and lasting lines above it.
    Bar,
    /// One line per event.
    Plain,
    /// Nothing but the closing summary.
    None,
}

/// What stderr can do and what the environment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// stderr is a terminal that can move its cursor (`TERM` is neither missing nor empty nor `dumb`).
    pub terminal: bool,
    /// `NO_COLOR` is set and not empty (<https://no-color.org>).
    pub no_color: bool,
    /// `CI` is set: somebody reads this as a log, terminal or not.
    pub ci: bool,
}

impl Surroundings {
    /// As this process finds them.
    pub fn of_this_process() -> Self {
        let says_something =
            |name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
        let able = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Self {
            terminal: std::io::stderr().is_terminal() && able,
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            ci: says_something("CI"),
        }
    }

    /// The columns of the terminal on stderr; `None`: it is none, or does not know.
    pub fn columns(self) -> Option<usize> {
        let size = Term::stderr().size_checked().filter(|_| self.terminal);
        size.map(|(_, columns)| usize::from(columns))
    }

    /// Colours may be used.
    pub fn colour(self) -> bool {
        self.terminal && !self.no_color
    }
}

impl Mode {
    /// What `choice` comes to. A bar is never drawn into a file; `-v` tells every step and `-q`
    /// none, so with either there is no bar.
    pub fn resolve(choice: Choice, verbosity: Verbosity, surroundings: Surroundings) -> Self {
        let bar = match choice {
            Choice::None => return Self::None,
            Choice::Plain => false,
            Choice::Bar => surroundings.terminal,
            Choice::Auto => surroundings.terminal && !surroundings.ci,
        };
        if bar && verbosity == Verbosity::Normal {
            Self::Bar
        } else {
            Self::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verbosity::{Normal, Quiet, Verbose};
    use super::*;

    #[test]
    fn a_bar_needs_a_terminal_and_neither_quiet_nor_verbose() {
        let terminal = Surroundings {
            terminal: true,
            no_color: false,
            ci: false,
        };
        let file = Surroundings {
            terminal: false,
            ..terminal
        };
        let ci = Surroundings {
            ci: true,
            ..terminal
        };
        for (choice, verbosity, surroundings, mode) in [
            (Choice::Auto, Normal, terminal, Mode::Bar),
            (Choice::Auto, Normal, file, Mode::Plain),
            (Choice::Auto, Normal, ci, Mode::Plain),
            (Choice::Bar, Normal, ci, Mode::Bar),
            (Choice::Bar, Normal, file, Mode::Plain),
            (Choice::Auto, Verbose, terminal, Mode::Plain),
            (Choice::Auto, Quiet, terminal, Mode::Plain),
            (Choice::Bar, Quiet, terminal, Mode::Plain),
            (Choice::Plain, Normal, terminal, Mode::Plain),
            (Choice::None, Verbose, terminal, Mode::None),
        ] {
            assert_eq!(
                Mode::resolve(choice, verbosity, surroundings),
                mode,
                "{choice:?} {verbosity:?} {surroundings:?}"
            );
        }
    }

    #[test]
    fn colours_need_a_terminal_and_no_objection() {
        let surroundings = |terminal, no_color| Surroundings {
            terminal,
            no_color,
            ci: false,
        };
        assert!(surroundings(true, false).colour());
        assert!(!surroundings(true, true).colour());
        assert!(!surroundings(false, false).colour());
    }
}
