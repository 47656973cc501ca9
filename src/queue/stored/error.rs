//! What the errors of databases mean.

use crate::queue::{StoreError, Trouble};

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let reason = database.message().to_owned();
                // A job of the same service was queued by somebody else meanwhile.
                if database.constraint() == Some("job_live") {
                    return Self::Busy;
                }
                match database.code().as_deref() {
                    // PostgreSQL's codes have five characters, SQLite's are numbers, none so long.
                    Some(code) if code.len() == 5 => of_postgres(code, reason),
                    Some(code) => of_sqlite(code, reason),
                    None => Self::Bug(reason),
                }
            }
            sqlx::Error::Io(io) => Self::away(io.to_string()),
            // Half an answer: a connection that was cut, or whoever listens there is no PostgreSQL.
            sqlx::Error::Protocol(reason) => Self::away(reason),
            other => Self::Bug(other.to_string()),
        }
    }
}

impl StoreError {
    /// The server is away, or the way to it is.
    pub fn away(reason: String) -> Self {
        let trouble = Trouble::Away;
        Self::Server { trouble, reason }
    }
}

/// By the primary code, which is the low byte of the extended one.
fn of_sqlite(code: &str, reason: String) -> StoreError {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => StoreError::Busy,
        // PERM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB
        Ok(3 | 8 | 10 | 11 | 13 | 14 | 15 | 26) => StoreError::Storage { reason },
        _ => StoreError::Bug(reason),
    }
}

/// By SQLSTATE: its first two characters are a class.
fn of_postgres(code: &str, reason: String) -> StoreError {
    let server = |trouble, reason| StoreError::Server { trouble, reason };
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => StoreError::Busy,
        // read_only_sql_transaction: a server that has become a standby.
        "25006" => server(Trouble::ReadOnly, reason),
        "42501" => server(Trouble::Refuses, reason),
        // query_canceled: by `statement_timeout`, or by an administrator.
        "57014" => server(Trouble::Overloaded, reason),
        // disk_full
        "53100" => StoreError::Storage { reason },
        code => match &code[..2] {
            // The connection; an operator's intervention (a server that shuts down); a transaction that the
            // server has ended because it idled.
            "08" | "57" | "25" => server(Trouble::Away, reason),
            // Authorisation.
            "28" => server(Trouble::Refuses, reason),
            // Memory, connections.
            "53" => server(Trouble::Overloaded, reason),
            // The system under the server, a damaged file.
            "58" | "XX" => StoreError::Storage { reason },
            _ => StoreError::Bug(reason),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_to_try_again_to_look_at_the_server_or_to_call_us() {
        let kind = |code| match of_postgres(code, String::new()) {
            StoreError::Busy => "busy",
            StoreError::Storage { .. } => "storage",
            StoreError::Bug(_) => "bug",
            StoreError::Server { trouble, .. } => match trouble {
                Trouble::Away => "away",
                Trouble::Refuses => "refuses",
                Trouble::ReadOnly => "read only",
                Trouble::Overloaded => "overloaded",
            },
            other => panic!("{code}: {other}"),
        };
        for (code, means) in [
            ("40P01", "busy"),
            ("40001", "busy"),
            ("55P03", "busy"),
            ("53100", "storage"),
            ("58030", "storage"),
            ("XX001", "storage"),
            ("53300", "overloaded"),
            ("53200", "overloaded"),
            ("57014", "overloaded"),
            ("57P01", "away"),
            ("08006", "away"),
            ("25P03", "away"),
            ("42501", "refuses"),
            ("28P01", "refuses"),
            ("25006", "read only"),
            ("23505", "bug"),
            ("23514", "bug"),
            ("42P01", "bug"),
        ] {
            assert_eq!(kind(code), means, "{code}");
        }
    }

    #[test]
    fn half_an_answer_of_a_server_is_a_lost_connection_and_no_bug() {
        let cut = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        let trouble = Trouble::Away;
        assert!(
            matches!(StoreError::from(cut), StoreError::Server { trouble: found, .. } if found == trouble)
        );
    }
}
