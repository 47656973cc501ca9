//! The columns of a job's record: the one list of them, from which they are written and read.
//!
//! Some take few values: in SQLite these stand as words in the statements that write them, and the values
//! of the others are bound; `sqlite/change.rs` says why.

use std::fmt;

use serde::Deserialize;

use crate::job::{
    Baseline, Evidence, Executed, Failure, Hook, HookState, JobRecord, ShownKey, State,
};

/// What stands in a column of few values; shown, it is SQL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Word {
    Null,
    Text(&'static str),
    Flag(bool),
}

/// What is bound for one of the other columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Datum<'a> {
    Number(Option<i64>),
    Text(Option<&'a str>),
    Baseline(Option<&'a Baseline>),
    ShownKey(Option<&'a ShownKey>),
    Hook(Option<&'a Hook>),
}

/// Of each column: its name, the type that it is read as, and what of a record stands in it.
macro_rules! record_columns {
    (
        ($dollar:tt) $record:ident;
        words { $first:ident: $first_type:ty = $first_word:expr; $($word:ident: $word_type:ty = $as_word:expr;)+ }
        data { $($datum:ident: $datum_type:ty = $as_datum:expr;)+ }
        json { $($json:ident: $json_type:ty = $as_json:expr;)+ }
    ) => {
        /// The columns of few values.
        pub const WORD_COLUMNS: &[&str] = &[stringify!($first), $(stringify!($word)),+];

        /// The other columns.
        pub const DATA_COLUMNS: &[&str] = &[$(stringify!($datum),)+ $(stringify!($json)),+];

        pub type Words = [Word; WORD_COLUMNS.len()];
        pub type Data<'a> = [Datum<'a>; DATA_COLUMNS.len()];

        /// What stands in the columns, in the order of their names.
        pub fn columns($record: &JobRecord) -> (Words, Data<'_>) {
            ([$first_word, $($as_word),+], [$($as_datum,)+ $($as_json),+])
        }

        /// A record as `record_as_json!` gives it.
        #[derive(Deserialize)]
        pub struct StoredRecord {
            $first: $first_type,
            $($word: $word_type,)+
            $($datum: $datum_type,)+
            $($json: $json_type,)+
        }

        /// The record of a job as JSON, for [`StoredRecord`]: `$array` makes an array of values, `$json` is
        /// what makes JSON of a column that holds it.
        macro_rules! record_as_array {
            ($dollar array:literal, $dollar json:literal) => {
                concat!(
                    $dollar array, "(job.", stringify!($first),
                    $(", job.", stringify!($word),)+
                    $(", job.", stringify!($datum),)+
                    $(", ", $dollar json, "(job.", stringify!($json), ")",)+
                    ")"
                )
            };
        }
    };
}

record_columns! {
    ($) record;
    words {
        state: State = Word::Text(record.state.as_str());
        executed_before: Executed = Word::Text(record.executed_before.as_str());
        executed_now: Executed = Word::Text(record.executed_now.as_str());
        evidence: Option<Evidence> = record.evidence.map_or(Word::Null, |it| Word::Text(it.as_str()));
        held: u8 = Word::Flag(record.held);
        by_word: u8 = Word::Flag(record.by_word);
        accepted: u8 = Word::Flag(record.accepted);
        rebuilding_seen: u8 = Word::Flag(record.rebuilding_seen);
        // For SQL: the course of the hook says it, too.
        hook: Option<HookState> = record.hook.as_ref().map_or(Word::Null, |it| Word::Text(it.state.as_str()));
    }
    data {
        attempt: u32 = Datum::Number(Some(record.attempt.into()));
        retries: u32 = Datum::Number(Some(record.retries.into()));
        not_before_ms: i64 = Datum::Number(Some(record.not_before_ms));
        intent_ms: Option<i64> = Datum::Number(record.intent_ms);
        submitted_ms: Option<i64> = Datum::Number(record.submitted_ms);
        completed_ms: Option<i64> = Datum::Number(record.completed_ms);
        error_kind: Option<String> = Datum::Text(record.failure.as_ref().map(|it| it.error_kind.as_str()));
        error: Option<String> = Datum::Text(record.failure.as_ref().map(|it| it.error.as_str()));
        target: Option<String> = Datum::Text(record.target.as_deref());
    }
    json {
        baseline: Option<Baseline> = Datum::Baseline(record.baseline.as_ref());
        host_key: Option<ShownKey> = Datum::ShownKey(record.host_key.as_ref());
        hook_course: Option<Hook> = Datum::Hook(record.hook.as_ref());
    }
}

impl From<StoredRecord> for JobRecord {
    // All fields of a record are named here, so that a new one can't be forgotten.
    fn from(stored: StoredRecord) -> Self {
        Self {
            state: stored.state,
            attempt: stored.attempt,
            retries: stored.retries,
            executed_before: stored.executed_before,
            executed_now: stored.executed_now,
            evidence: stored.evidence,
            held: stored.held != 0,
            by_word: stored.by_word != 0,
            accepted: stored.accepted != 0,
            rebuilding_seen: stored.rebuilding_seen != 0,
            not_before_ms: stored.not_before_ms,
            intent_ms: stored.intent_ms,
            submitted_ms: stored.submitted_ms,
            completed_ms: stored.completed_ms,
            failure: stored
                .error_kind
                .zip(stored.error)
                .map(|(kind, error)| Failure::new(kind, error)),
            baseline: stored.baseline,
            target: stored.target,
            host_key: stored.host_key,
            hook: stored.hook.and(stored.hook_course),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Text(word) => write!(f, "'{word}'"),
            Self::Flag(flag) => write!(f, "{}", u8::from(*flag)),
        }
    }
}
