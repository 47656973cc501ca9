//! Keeps a thousand failures of the same kind from pushing everything else off the screen.

use super::layout::Tone;
use super::lines::{DisplayLine, Topic};

/// Similar lines that are worth reading one by one.
const SIMILAR_MAX: u64 = 20;

#[derive(Debug)]
pub struct Similar {
    limited: bool,
    failed: u64,
    doubts: u64,
    warnings: u64,
}

impl Similar {
    /// Of each kind only the first lines are shown.
    pub fn capped() -> Self {
        Self::new(true)
    }

    /// Every line is shown.
    pub fn complete() -> Self {
        Self::new(false)
    }

    fn new(limited: bool) -> Self {
        Self {
            limited,
            failed: 0,
            doubts: 0,
            warnings: 0,
        }
    }

    /// The line itself; for the first one beyond the limit, a line that stands for it and the rest; for
    /// those that follow, nothing.
    pub fn admit(&mut self, line: DisplayLine, command: &str) -> Option<DisplayLine> {
        let count = match line.topic {
            Topic::Failed => &mut self.failed,
            Topic::Doubt => &mut self.doubts,
            Topic::Warning => &mut self.warnings,
            Topic::Other => return Some(line),
        };
        *count += 1;
        if !self.limited || *count <= SIMILAR_MAX {
            return Some(line);
        }
        if *count > SIMILAR_MAX + 1 {
            return None;
        }
        let text = match line.topic {
            Topic::Failed => {
                format!("further failures are only counted: {command} list --state failed")
            }
            Topic::Doubt => {
                format!("further doubts are only counted: {command} list --state in_doubt")
            }
            Topic::Warning | Topic::Other => "further warnings are only counted".to_owned(),
        };
        Some(DisplayLine::new(text, line.tone, Topic::Other))
    }

    pub fn leftovers<'a>(&'a self, command: &'a str) -> impl Iterator<Item = DisplayLine> + 'a {
        [
            (
                self.failed,
                "failures",
                ": {} list --state failed",
                Tone::Bad,
            ),
            (
                self.doubts,
                "lines about doubts",
                ": {} list --state in_doubt",
                Tone::Uncertain,
            ),
            (self.warnings, "warnings", "", Tone::Uncertain),
        ]
        .into_iter()
        .filter(|(count, ..)| self.limited && *count > SIMILAR_MAX)
        .map(move |(count, what, remedy, tone)| {
            let text = format!(
                "… and {} more {what}{}",
                count - SIMILAR_MAX,
                remedy.replace("{}", command)
            );
            DisplayLine::new(text, tone, Topic::Other)
        })
    }
}
