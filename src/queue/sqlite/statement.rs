//! Statements over many rows: their text, and the values bound to it.

use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, FromRow, Sqlite, Type};

/// By how many rows the lengths of statements differ.
const ROWS_PER_STEP: usize = 8;

/// A statement and what is bound to it.
pub(super) struct Statement {
    sql: String,
    arguments: SqliteArguments,
}

impl Statement {
    /// With the text `sql`, in which nothing may stand but our own words and numbers.
    pub(super) fn new(sql: String) -> Self {
        Self {
            sql,
            arguments: SqliteArguments::default(),
        }
    }

    /// Binds the next value.
    pub(super) fn bind<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) {
        self.arguments
            .add(value)
            .expect("numbers and texts can always be bound");
    }

    /// Ready to be executed.
    pub(super) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments)
    }

    /// Ready to be asked for rows.
    pub(super) fn query_as<T: for<'r> FromRow<'r, SqliteRow>>(
        self,
    ) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments)
    }

    /// Its text.
    #[cfg(test)]
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }
}

/// `VALUES` of as many rows, each of which is `row`: `(?, 1, ?)`.
pub(super) fn values(row: &str, rows: usize) -> String {
    let mut sql = String::with_capacity((row.len() + 1) * rows + 7);
    sql.push_str("VALUES ");
    for index in 0..rows {
        if index > 0 {
            sql.push(',');
        }
        sql.push_str(row);
    }
    sql
}

/// A row of `columns` bound values.
pub(super) fn bound(columns: usize) -> String {
    format!("(?{})", ",?".repeat(columns.saturating_sub(1)))
}

/// At least `rows`: so the statements that a run repeats all the time have few lengths, and each
/// of them is prepared once. What is not bound is `NULL`.
pub(super) fn padded(rows: usize) -> usize {
    rows.next_multiple_of(ROWS_PER_STEP)
}
