//! What holds one job back.

use serde_json::{Value, json};

use super::read::{Bound, Held};
use super::until::{Until, Waited, members};
use crate::job::{Executed, Instruction, ResultRow, State};
use crate::text;
use crate::time;

/// A rule that keeps a job from starting.
#[derive(Debug)]
pub struct Hold {
    /// As scripts call it.
    rule: &'static str,
    /// By what, for people.
    by: String,
    until: Until,
    until_words: String,
}

impl Hold {
    fn new(rule: &'static str, by: String, until: Until) -> Self {
        Self {
            rule,
            by,
            until,
            until_words: until.words(time::now_ms()),
        }
    }

    /// For people.
    pub fn words(&self) -> String {
        format!("by {}, {}", self.by, self.until_words)
    }
}

/// For scripts.
pub fn holds_as_json(holds: &[Hold]) -> Value {
    let holds = holds.iter().map(
        |hold| json!({"rule": hold.rule, "until": hold.until.as_json(time::now_ms()), "what": hold.words()}),
    );
    holds.collect()
}

impl Held {
    /// The rules that keep the job of `row` from starting; none: these do not.
    pub fn of(&self, row: &ResultRow) -> Vec<Hold> {
        if row.state != State::Queued {
            return Vec::new();
        }
        // One that is down is to come back first of all.
        let is_down = row.executed != Executed::No;
        let mut holds = Vec::new();
        holds.extend(self.by_word());
        holds.extend(self.by_stray(row));
        holds.extend(self.by_canaries(row, is_down));
        if !is_down {
            holds.extend(self.by_group(row));
        }
        holds.extend(self.by_window(row));
        holds
    }

    fn by_word(&self) -> Option<Hold> {
        let word = self.by_word.as_ref()?;
        let operator = text::brief(&word.operator, 100);
        Some(if word.instruction == Instruction::Drain {
            let by = format!("the drain that {operator} has asked for");
            Hold::new("drain", by, Until::Run)
        } else {
            let by = format!("the pause that {operator} has asked for");
            Hold::new("pause", by, Until::Word)
        })
    }

    fn by_stray(&self, row: &ResultRow) -> Option<Hold> {
        let Bound { batch, missing } = self.bound.get(&row.service)?;
        let by = format!("what batch {batch} submitted ({missing})");
        Some(Hold::new("stray", by, Until::missing(missing)))
    }

    /// `is_down`: it waits for none of them to be proven.
    fn by_canaries(&self, row: &ResultRow, is_down: bool) -> Option<Hold> {
        if !is_down && !self.go_first.contains(&row.service) {
            return (!self.canaries.is_empty()).then(|| {
                let by = format!("those that go first, {}", members(&self.canaries));
                Hold::new("canary", by, self.until_proven())
            });
        }
        // As long as one is lost, a run ends before it starts anything at all.
        let lost: Vec<Waited> = self.lost_canaries().copied().collect();
        (!lost.is_empty()).then(|| {
            let by = format!("what was to go first, {}", members(&lost));
            Hold::new("canary", by, Until::Word)
        })
    }

    fn by_group(&self, row: &ResultRow) -> Option<Hold> {
        let group = row.group.as_ref()?;
        let at = self.groups.binary_search_by(|held| held.group.cmp(group));
        let held = self.groups.get(at.ok()?)?;
        let name = text::brief(group.as_str(), 40);
        let by = format!("its group `{name}`, {}", members(&held.down));
        Some(Hold::new("group", by, held.until))
    }

    fn by_window(&self, row: &ResultRow) -> Option<Hold> {
        let held = self.window.as_ref()?;
        held.late.contains(&row.image).then(|| {
            let until = Until::Opens(held.opens_ms);
            Hold {
                // By the clocks that the window goes by.
                until_words: format!("until {}", held.window.zone.local(held.opens_ms)),
                ..Hold::new("window", format!("the window {}", held.window), until)
            }
        })
    }
}
