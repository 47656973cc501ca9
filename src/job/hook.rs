//! What happens to an instance after its success, by the operator's command (`--on-done`).
//!
//! The one fact to know: what was `started` is never started again by itself. Whether it has done its work
//! nobody knows when its process died, and it is the operator's to say so (`refleet hooks retry`).

use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// Where the hook of a done job is.
    HookState ("hook state") {
        /// It waits for its turn.
        Pending = "pending",
        /// It was started, and its end is not known yet.
        Started = "started",
        /// It has ended well.
        Done = "done",
        /// It has ended otherwise, and is not tried again by itself.
        Failed = "failed",
        /// Somebody has given it up.
        Forgotten = "forgotten",
    }
}

impl HookState {
    /// It may still be carried out, so that what it needs is kept.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Started | Self::Failed => true,
            Self::Done | Self::Forgotten => false,
        }
    }
}

/// The hook of a done job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Where it is.
    pub state: HookState,
    /// Since when, as Unix time.
    pub since_ms: i64,
    /// How often it was started since it was asked for, or since somebody's last word.
    pub tries: u32,
    /// The process that has started it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<HookRunner>,
    /// How its last try has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<HookEnd>,
}

/// The refleet that has started a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRunner {
    /// The name of its host, for people.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// The kernel that numbers it so, and when it started there; `None`: this system does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// See `kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// It ends the hook before this Unix time, or does not live any more.
    pub until_ms: i64,
}

/// How one try of a hook has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEnd {
    /// How its process ended.
    pub how: HookExit,
    /// The last that it said, as far as it fits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// How the process of a hook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookExit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It took too long, and was ended.
    TimedOut,
    /// There was none: it could not be started.
    NotStarted,
}

impl HookExit {
    /// It ended well.
    pub fn is_success(self) -> bool {
        match self {
            Self::Code(code) => code == 0,
            Self::Signal(_) | Self::TimedOut | Self::NotStarted => false,
        }
    }
}

impl std::fmt::Display for HookExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("took too long"),
            Self::NotStarted => f.write_str("could not be started"),
        }
    }
}

/// Hooks of a batch, but for those that have ended well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// They wait for their turn.
    pub pending: u64,
    /// They were started, and their end is not known.
    pub started: u64,
    /// They have failed.
    pub failed: u64,
}

impl HookCounts {
    /// So many more are in `state`.
    pub fn add(&mut self, state: HookState, hooks: u64) {
        match state {
            HookState::Pending => self.pending += hooks,
            HookState::Started => self.started += hooks,
            HookState::Failed => self.failed += hooks,
            HookState::Done | HookState::Forgotten => {}
        }
    }

    /// How they stand, for people: nothing, where all are over.
    pub fn words(self) -> Option<String> {
        let counted = [
            (self.failed, "failed"),
            (self.started, "cut off"),
            (self.pending, "not carried out yet"),
        ];
        let counted = counted.iter().filter(|(count, _)| *count > 0);
        let counted: Vec<String> = counted
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!counted.is_empty()).then(|| counted.join(", "))
    }

    /// Those that are not over.
    pub fn open(self) -> u64 {
        self.pending + self.started + self.failed
    }
}

/// What may happen to a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum HookStep {
    /// `pending → started`, committed before its process is started. By somebody's word also
    /// `failed → started`, and `started → started` where its process lives no more.
    Started {
        /// Who starts it.
        runner: HookRunner,
        /// Somebody asks for it (`hooks retry`): its tries are counted anew.
        by_word: bool,
    },
    /// `started → done | pending | failed`.
    Ended {
        /// How.
        #[serde(flatten)]
        end: HookEnd,
        /// It failed, and is to be tried again.
        again: bool,
    },
    /// `pending | started | failed → forgotten`: somebody gives it up.
    Forgotten,
}

impl Hook {
    /// A job was done, and its hook waits.
    pub fn pending(at_ms: i64) -> Self {
        Self {
            state: HookState::Pending,
            since_ms: at_ms,
            tries: 0,
            runner: None,
            end: None,
        }
    }

    /// The hook after `step`, which happened at `at_ms` (Unix time); `None`: it may not follow.
    pub fn apply(&self, step: &HookStep, at_ms: i64) -> Option<Self> {
        use HookState::{Failed, Pending, Started};

        let mut next = self.clone();
        next.since_ms = at_ms;
        match (self.state, step) {
            (
                Pending,
                HookStep::Started {
                    runner,
                    by_word: false,
                },
            ) => {
                next.tries += 1;
                next.start(runner);
            }
            (
                Pending | Started | Failed,
                HookStep::Started {
                    runner,
                    by_word: true,
                },
            ) => {
                next.tries = 1;
                next.start(runner);
            }
            (Started, HookStep::Ended { end, again }) => {
                next.state = match (end.how.is_success(), again) {
                    (true, _) => HookState::Done,
                    (false, true) => Pending,
                    (false, false) => Failed,
                };
                next.runner = None;
                next.end = Some(end.clone());
            }
            (Pending | Started | Failed, HookStep::Forgotten) => {
                next.state = HookState::Forgotten;
                next.runner = None;
            }
            (
                Pending | Started | Failed | HookState::Done | HookState::Forgotten,
                HookStep::Started { .. } | HookStep::Ended { .. } | HookStep::Forgotten,
            ) => return None,
        }
        Some(next)
    }

    fn start(&mut self, runner: &HookRunner) {
        self.state = HookState::Started;
        self.runner = Some(runner.clone());
        self.end = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(pid: u32) -> HookRunner {
        HookRunner {
            host: "alpha".to_owned(),
            pid,
            kernel: None,
            started: None,
            until_ms: 9,
        }
    }

    fn started(by_word: bool) -> HookStep {
        HookStep::Started {
            runner: runner(7),
            by_word,
        }
    }

    fn ended(how: HookExit, again: bool) -> HookStep {
        let said = String::new();
        HookStep::Ended {
            end: HookEnd { how, said },
            again,
        }
    }

    fn after(steps: &[HookStep]) -> Option<Hook> {
        let pending = Some(Hook::pending(1));
        steps
            .iter()
            .fold(pending, |hook, step| hook?.apply(step, 2))
    }

    #[test]
    fn what_was_started_is_started_again_only_by_somebodys_word() {
        for (before, of_itself, by_word) in [
            (vec![], true, true),
            (vec![started(false)], false, true),
            (
                vec![started(false), ended(HookExit::Code(1), true)],
                true,
                true,
            ),
            (
                vec![started(false), ended(HookExit::Code(1), false)],
                false,
                true,
            ),
            (
                vec![started(false), ended(HookExit::Code(0), false)],
                false,
                false,
            ),
            (vec![HookStep::Forgotten], false, false),
        ] {
            let again = |step: HookStep| after(&[before.clone(), vec![step]].concat()).is_some();
            assert_eq!(again(started(false)), of_itself, "{before:?}");
            assert_eq!(again(started(true)), by_word, "{before:?}");
        }
    }

    #[test]
    fn tries_are_counted_anew_when_somebody_asks_for_it() {
        let failed = [
            started(false),
            ended(HookExit::TimedOut, true),
            started(false),
        ];
        assert_eq!(after(&failed).unwrap().tries, 2);
        let asked = [
            &failed[..],
            &[ended(HookExit::TimedOut, false), started(true)],
        ]
        .concat();
        assert_eq!(after(&asked).unwrap().tries, 1);
    }

    #[test]
    fn an_end_needs_a_start_and_counts_once() {
        assert_eq!(after(&[ended(HookExit::Code(0), false)]), None);
        let twice = [
            started(false),
            ended(HookExit::Code(0), false),
            ended(HookExit::Code(1), false),
        ];
        assert_eq!(after(&twice), None);
    }
}
