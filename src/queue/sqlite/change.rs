//! The statement that moves jobs. It writes the columns that a step changes and no others, because
//! SQLite checks and indexes every column that is written, even where its value stays the same.
//!
//! The columns of few values are written as words of the statement, and not as bound values. A bound
//! value that is compared with a column of which a partial index speaks makes SQLite prepare the
//! statement again each time.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo};
use sqlx::{Encode, Sqlite, Type};

use super::statement::{Statement, bound, padded, values};
use crate::job::{State, Transition};
use crate::queue::stored::{DATA_COLUMNS, Datum, WORD_COLUMNS, Word, columns, json};

/// What a step changes: those of the same shape are one statement.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    from: State,
    /// The columns of few values that change, with the new value.
    words: [Option<Word>; WORD_COLUMNS.len()],
    /// The other columns that change; their values differ from job to job.
    data: [bool; DATA_COLUMNS.len()],
}

impl Shape {
    fn of(step: &Transition) -> Self {
        let (words_before, data_before) = columns(&step.from);
        let (words_after, data_after) = columns(&step.to);
        let mut words = std::array::from_fn(|column| {
            (words_before[column] != words_after[column]).then_some(words_after[column])
        });
        // A step that only adds to the ledger writes its job's state too, so that the guard is checked.
        words[0] = Some(words_after[0]);
        Self {
            from: step.from.state,
            words,
            data: std::array::from_fn(|column| data_before[column] != data_after[column]),
        }
    }
}

/// `steps` of different jobs, in sets for [`move_jobs`].
pub(super) fn grouped_by_shape<'a>(steps: &[&'a Transition]) -> Vec<(Shape, Vec<&'a Transition>)> {
    let mut sets: Vec<(Shape, Vec<&'a Transition>)> = Vec::new();
    for step in steps {
        let shape = Shape::of(step);
        match sets.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, set)) => set.push(step),
            None => sets.push((shape, vec![step])),
        }
    }
    sets
}

/// The statement that moves the jobs of `set`, all of this `shape`: each only where its guard holds.
pub(super) fn move_jobs(shape: &Shape, set: &[&Transition]) -> Statement {
    let changing = || (0..DATA_COLUMNS.len()).filter(|column| shape.data[*column]);
    let mut columns_of_step = String::from("id, attempt_before");
    let mut written = Vec::new();
    for (column, word) in WORD_COLUMNS.iter().zip(shape.words) {
        if let Some(word) = word {
            written.push(format!("{column} = {word}"));
        }
    }
    for column in changing() {
        let column = DATA_COLUMNS[column];
        columns_of_step.push_str(", ");
        columns_of_step.push_str(column);
        written.push(format!("{column} = step.{column}"));
    }
    let rows = padded(set.len());
    let mut statement = Statement::new(format!(
        "WITH step ({columns_of_step}) AS ({values}) UPDATE job SET {written} FROM step
         WHERE job.id = step.id AND job.state = '{from}' AND job.attempt = step.attempt_before",
        values = values(&bound(2 + changing().count()), rows),
        written = written.join(", "),
        from = shape.from,
    ));
    for step in set {
        let (_, data) = columns(&step.to);
        statement.bind(step.job.stored());
        statement.bind(step.from.attempt);
        for column in changing() {
            statement.bind(data[column]);
        }
    }
    statement
}

impl Type<Sqlite> for Datum<'_> {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Datum<'_> {
    fn encode_by_ref(&self, arguments: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        match *self {
            Self::Number(number) => Encode::<Sqlite>::encode(number, arguments),
            Self::Text(text) => Encode::<Sqlite>::encode(text, arguments),
            Self::Baseline(baseline) => Encode::<Sqlite>::encode(baseline.map(json), arguments),
            Self::ShownKey(shown) => Encode::<Sqlite>::encode(shown.map(json), arguments),
            Self::Hook(hook) => Encode::<Sqlite>::encode(hook.map(json), arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{InstanceStatus, JobId, JobRecord, LedgerEntry, Task};

    fn written(step: &Transition) -> String {
        let sql = move_jobs(&Shape::of(step), &[step]).sql().to_owned();
        let (_, rest) = sql.split_once(" SET ").unwrap();
        rest.split_once(" FROM ").unwrap().0.to_owned()
    }

    #[test]
    fn what_does_not_change_is_not_written() {
        let intent = LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: None,
            },
            baseline: None,
        };
        let intent =
            Transition::new(JobId::from_stored(1), JobRecord::queued(), intent, 7).unwrap();
        assert_eq!(
            written(&intent),
            "state = 'submitting', executed_now = 'maybe', attempt = step.attempt, intent_ms = step.intent_ms"
        );
        let accepted = LedgerEntry::Accepted { submitted_ms: 8 };
        let accepted = Transition::new(JobId::from_stored(1), intent.to, accepted, 9).unwrap();
        assert_eq!(
            written(&accepted),
            "state = 'in_progress', executed_now = 'yes', accepted = 1, submitted_ms = step.submitted_ms"
        );
    }

    #[test]
    fn an_entry_that_changes_nothing_still_writes_its_job() {
        let record = JobRecord {
            state: State::InProgress,
            rebuilding_seen: true,
            executed_now: crate::job::Executed::Yes,
            ..JobRecord::queued()
        };
        let sighted = LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        };
        let step = Transition::new(JobId::from_stored(1), record, sighted, 7).unwrap();
        assert_eq!(written(&step), "state = 'in_progress'");
    }

    #[test]
    fn only_steps_that_write_the_same_words_from_the_same_state_share_a_statement() {
        let step = |job, from: &JobRecord, entry| {
            Transition::new(JobId::from_stored(job), from.clone(), entry, 7).unwrap()
        };
        let intent = || LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: None,
            },
            baseline: None,
        };
        let queued = JobRecord::queued();
        let submitting = step(0, &queued, intent()).to;
        let steps = [
            step(1, &queued, intent()),
            step(2, &submitting, LedgerEntry::Interrupted),
            step(3, &queued, intent()),
            step(4, &queued, LedgerEntry::Cancelled),
        ];
        let sets: Vec<Vec<i64>> = grouped_by_shape(&steps.iter().collect::<Vec<_>>())
            .iter()
            .map(|(_, set)| set.iter().map(|step| step.job.stored()).collect())
            .collect();
        assert_eq!(sets, [vec![1, 3], vec![2], vec![4]]);
    }
}
