//! What failed or is in doubt, by cause.
//!
//! Messages that differ only in numbers, names with digits and addresses are one cause. Where a kind has
//! more messages than a person compares, the rare ones are one cause too.

use std::collections::HashMap;

use serde::Serialize;

use super::needs::Instance;
use crate::job::{self, Executed, FailureKind, ResultRow, State};
use crate::text;

/// Messages of a kind that are told apart while rows go by.
const GATHERED_MAX: usize = 200;
/// Messages of a kind that are told apart in the end.
const TOLD_MAX: usize = 4;
/// The kind of what failed, or is in doubt, without a word.
const UNKNOWN: &str = "unknown";
/// What a cause says whose jobs say something else each.
pub const VARIOUS: &str = "various messages";
/// Instances that are named.
const NAMED_MAX: usize = 20;

/// Jobs that failed, or are in doubt, for the same reason.
#[derive(Debug, Clone, Serialize)]
pub struct Cause {
    /// `failed` or `in_doubt`.
    pub state: State,
    pub error_kind: FailureKind,
    /// What one of them says; `None`: each says something else.
    pub error: Option<String>,
    pub count: u64,
    /// Of those: the ones that were or may have been touched.
    pub touched: u64,
    /// The first of them.
    pub instances: Vec<Instance>,
    /// The groups of rows that it is made of, as [`Causes::row`] has numbered them.
    #[serde(skip)]
    pub groups: Vec<u32>,
}

impl Cause {
    fn new(state: State, error_kind: &FailureKind, error: Option<&str>, group: u32) -> Self {
        Self {
            state,
            error_kind: error_kind.clone(),
            error: error.map(str::to_owned),
            count: 0,
            touched: 0,
            instances: Vec::new(),
            groups: vec![group],
        }
    }

    fn add(&mut self, row: &ResultRow) {
        self.count += 1;
        self.touched += u64::from(row.executed != Executed::No);
        if self.instances.len() < NAMED_MAX {
            self.instances.push(Instance::of(row, Vec::new()));
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.touched += other.touched;
        self.instances.extend(other.instances);
        self.instances.sort_by_key(|instance| instance.line);
        self.instances.truncate(NAMED_MAX);
        self.groups.extend(other.groups);
    }
}

/// How a screen with little room tells it.
impl From<Cause> for job::Cause {
    fn from(cause: Cause) -> Self {
        Self {
            kind: cause.error_kind,
            jobs: cause.count,
            error: cause.error.unwrap_or_else(|| VARIOUS.to_owned()),
        }
    }
}

/// The causes of rows that go by.
#[derive(Debug, Default)]
pub struct Causes {
    of_kind: HashMap<(State, FailureKind), OfKind>,
    /// Groups that have been numbered.
    groups: u32,
}

#[derive(Debug, Default)]
struct OfKind {
    /// By what the messages have in common.
    messages: HashMap<String, Cause>,
    other: Option<Cause>,
}

impl Causes {
    /// The number of the group to which the row belongs, from 1 on; `None`: it has not failed, and is not
    /// in doubt. What the causes are is known when all rows have gone by, and each is some groups whole.
    pub fn row(&mut self, row: &ResultRow) -> Option<u32> {
        match row.state {
            State::Failed | State::InDoubt => {}
            State::Queued
            | State::Submitting
            | State::InProgress
            | State::Done
            | State::Cancelled => return None,
        }
        // Nobody has said what went wrong: that counts, too.
        let unknown = || FailureKind::from(UNKNOWN.to_owned());
        let kind = &row.error_kind.clone().unwrap_or_else(unknown);
        let error = row.error.as_deref().unwrap_or("nothing is known of it");
        let of_kind = self.of_kind.entry((row.state, kind.clone())).or_default();
        let common = in_common(error);
        let next = self.groups + 1;
        let is_room = of_kind.messages.len() < GATHERED_MAX;
        let cause = if is_room || of_kind.messages.contains_key(&common) {
            let new = || Cause::new(row.state, kind, Some(error), next);
            of_kind.messages.entry(common).or_insert_with(new)
        } else {
            let new = || Cause::new(row.state, kind, None, next);
            of_kind.other.get_or_insert_with(new)
        };
        cause.add(row);
        let group = cause.groups[0];
        self.groups = self.groups.max(group);
        Some(group)
    }

    /// The most frequent first.
    pub fn finish(self) -> Vec<Cause> {
        let mut causes = Vec::new();
        for of_kind in self.of_kind.into_values() {
            let mut told: Vec<Cause> = of_kind.messages.into_values().collect();
            sort(&mut told);
            let mut other = of_kind.other;
            if told.len() + usize::from(other.is_some()) > TOLD_MAX {
                for cause in told.split_off(TOLD_MAX - 1) {
                    match &mut other {
                        Some(other) => other.join(cause),
                        None => {
                            other = Some(Cause {
                                error: None,
                                ..cause
                            });
                        }
                    }
                }
            }
            causes.extend(told);
            causes.extend(other);
        }
        sort(&mut causes);
        causes
    }
}

fn sort(causes: &mut [Cause]) {
    let first_line = |cause: &Cause| cause.instances.first().map(|instance| instance.line);
    causes.sort_by_key(|cause| (std::cmp::Reverse(cause.count), first_line(cause)));
}

/// What messages of the same cause have in common: each word with a digit in it is the same word.
fn in_common(error: &str) -> String {
    let mut common = String::with_capacity(error.len());
    let mut word = String::new();
    let end = |word: &mut String, common: &mut String| {
        if word.contains(|character: char| character.is_ascii_digit()) {
            common.push('#');
        } else {
            common.push_str(word);
        }
        word.clear();
    };
    for character in error.chars().take(text::MESSAGE_CHARS_MAX) {
        if character.is_alphanumeric() {
            word.push(character);
        } else {
            end(&mut word, &mut common);
            common.push(character);
        }
    }
    end(&mut word, &mut common);
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_numbers_and_names_have_the_same_cause() {
        assert_eq!(
            in_common("its name is `web-01`, not `web-2`"),
            in_common("its name is `web-117`, not `web-118`")
        );
        assert_eq!(
            in_common("its address is 192.0.2.1"),
            in_common("its address is 198.51.100.7")
        );
        assert_ne!(
            in_common("the field \"image\" has a bad value"),
            in_common("the field \"password\" has a bad value")
        );
        assert_eq!(in_common("no answer within 60s"), "no answer within #");
    }
}
