//! What operators say of a batch as a whole while it is worked on, and what it comes to.
//!
//! The one fact to know: `pause` and `go` are of the batch and outlive every run; `set` and `drain`
//! are of the run that was at work when they were said, and end with it.

use serde::{Deserialize, Serialize};

use super::{RunId, Tolerance};

/// What an operator wants of a batch.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Instruction {
    /// Nothing starts until somebody says `go`.
    Pause,
    /// The pause is lifted.
    Go,
    /// What waits for those that go first may start.
    Release,
    /// The run at work goes on under these limits.
    Set(Limits),
    /// The run at work sees through what is in flight, starts nothing more, and ends.
    Drain,
}

impl Instruction {
    /// Its word, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Go => "go",
            Self::Release => "release",
            Self::Set(_) => "set",
            Self::Drain => "drain",
        }
    }

    /// It concerns one run, and not the batch.
    pub fn is_of_a_run(&self) -> bool {
        match self {
            Self::Set(_) | Self::Drain => true,
            Self::Pause | Self::Go | Self::Release => false,
        }
    }
}

/// Limits of a run; `None`: as they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
pub struct Limits {
    /// Instances being rebuilt at once, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// API calls per second; 0: no limit.
    #[serde(default, rename = "rate", skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// How much may go wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<Tolerance>,
}

impl Limits {
    /// Nothing is limited anew.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// `later` counts where it says something.
    fn take(&mut self, later: Self) {
        self.workers = later.workers.or(self.workers);
        self.rate_per_s = later.rate_per_s.or(self.rate_per_s);
        self.max_failures = later.max_failures.or(self.max_failures);
    }
}

impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let limits = [
            self.workers.map(|workers| format!("--workers {workers}")),
            self.rate_per_s.map(|rate| format!("--rate {rate}")),
            (self.max_failures).map(|max_failures| format!("--max-failures {max_failures}")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        f.write_str(&limits.join(" "))
    }
}

/// One instruction, who gave it, when and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlEntry {
    /// The run that it concerns; `None`: the batch.
    pub run: Option<RunId>,
    /// As Unix time.
    pub at_ms: i64,
    /// The user who typed it.
    pub operator: String,
    /// In the operator's words.
    pub reason: Option<String>,
    /// What is wanted.
    #[serde(flatten)]
    pub instruction: Instruction,
}

/// What the instructions for a batch come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Control {
    run: Option<RunId>,
    heard: i64,
    /// Nothing of the batch starts, because of this.
    pub paused: Option<ControlEntry>,
    /// The run starts nothing more, because of this.
    pub drained: Option<ControlEntry>,
    /// What was set for the run.
    pub limits: Limits,
    /// Nothing waits any more for those that go first, because of this.
    pub released: Option<ControlEntry>,
}

impl Control {
    /// For `run`; `None`: none is at work. Nothing was heard so far.
    pub fn of(run: Option<RunId>) -> Self {
        Self {
            run,
            ..Self::default()
        }
    }

    /// Number of the last entry that was heard.
    pub fn heard(&self) -> i64 {
        self.heard
    }

    /// Takes in the entry with number `seq`. Returns whether it concerns the batch or this run.
    pub fn hear(&mut self, seq: i64, entry: &ControlEntry) -> bool {
        self.heard = self.heard.max(seq);
        if entry.run.is_some() && entry.run != self.run {
            return false;
        }
        match entry.instruction {
            Instruction::Pause => self.paused = Some(entry.clone()),
            // A word of its own: whoever lifts a pause has not looked at those that go first, and a second
            // one who lifts the same pause has not either.
            Instruction::Go => self.paused = None,
            Instruction::Release => self.released = Some(entry.clone()),
            Instruction::Set(limits) => self.limits.take(limits),
            Instruction::Drain => self.drained = Some(entry.clone()),
        }
        true
    }

    /// Takes in all of `entries`.
    pub fn hear_all(&mut self, entries: &[(i64, ControlEntry)]) {
        for (seq, entry) in entries {
            self.hear(*seq, entry);
        }
    }

    /// Nothing may be started.
    pub fn is_held(&self) -> bool {
        self.paused.is_some() || self.drained.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: Option<i64>, instruction: Instruction) -> ControlEntry {
        ControlEntry {
            run: run.map(RunId),
            at_ms: 7,
            operator: "anna".to_owned(),
            reason: Some("the backup is running".to_owned()),
            instruction,
        }
    }

    #[test]
    fn the_last_of_pause_and_go_counts_for_every_run() {
        for run in [None, Some(RunId(2))] {
            let mut control = Control::of(run);
            let pause = entry(None, Instruction::Pause);
            assert!(control.hear(1, &pause));
            assert_eq!(control.paused, Some(pause));
            assert!(control.is_held());
            let go = entry(None, Instruction::Go);
            assert!(control.hear(2, &go));
            assert!(!control.is_held());
            assert!(control.hear(3, &go));
            assert_eq!(control.released, None, "it has lifted the pause, twice");
            let release = entry(None, Instruction::Release);
            assert!(control.hear(4, &release));
            assert_eq!(control.released, Some(release));
            assert_eq!(control.heard(), 4);
        }
    }

    #[test]
    fn what_was_said_to_another_run_is_heard_and_does_not_count() {
        let mut control = Control::of(Some(RunId(2)));
        let limits = Limits {
            workers: Some(1),
            ..Limits::default()
        };
        assert!(!control.hear(1, &entry(Some(1), Instruction::Set(limits))));
        assert!(!control.hear(2, &entry(Some(1), Instruction::Drain)));
        assert!(!control.is_held());
        assert!(control.limits.is_nothing());
        assert_eq!(control.heard(), 2);
        assert!(control.hear(3, &entry(Some(2), Instruction::Drain)));
        assert!(control.is_held());
    }

    #[test]
    fn of_each_limit_the_last_word_counts() {
        let mut control = Control::of(Some(RunId(1)));
        let set = |workers, rate_per_s, max_failures| {
            let limits = Limits {
                workers,
                rate_per_s,
                max_failures,
            };
            entry(Some(1), Instruction::Set(limits))
        };
        control.hear(1, &set(Some(3), Some(0.5), None));
        control.hear(2, &set(Some(2), None, Some(Tolerance::Percent(10))));
        let expected = "--workers 2 --rate 0.5 --max-failures 10%";
        assert_eq!(control.limits.to_string(), expected);
    }

    #[test]
    fn an_instruction_is_read_as_it_was_written() {
        let limits = Limits {
            workers: Some(3),
            rate_per_s: Some(0.5),
            max_failures: Some(Tolerance::Percent(10)),
        };
        for (instruction, expected) in [
            (Instruction::Pause, r#"{"kind":"pause"}"#),
            (Instruction::Go, r#"{"kind":"go"}"#),
            (Instruction::Drain, r#"{"kind":"drain"}"#),
            (
                Instruction::Set(limits),
                r#"{"kind":"set","workers":3,"rate":0.5,"max_failures":"10%"}"#,
            ),
        ] {
            let written = serde_json::to_string(&instruction).unwrap();
            assert_eq!(written, expected);
            assert!(written.contains(instruction.kind()));
            let read: Instruction = serde_json::from_str(&written).unwrap();
            assert_eq!(read, instruction);
        }
        assert!(
            serde_json::from_str::<Instruction>(r#"{"kind":"set","max_failures":"0"}"#).is_err()
        );
    }
}
