//! Connecting: with which settings, to what kind of server, and what an error at that means.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::server::Server;
use crate::queue::{DatabaseId, Open, OpenError, StoreError, Trouble};

/// The oldest server that refleet is tested with.
const VERSION_MIN: i32 = 130_000;

/// What a connection is to have. They are given when it is opened, so that a role's or a database's own
/// settings do not win over them.
const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "refleet"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
    ("default_transaction_read_only", "off"),
    // No statement of ours runs so long that compiling it first would pay.
    ("jit", "off"),
    ("statement_timeout", "60s"),
    ("lock_timeout", "5s"),
    // A process that vanished with its machine keeps its locks until the server notices.
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];

const NO_POOLER: &str =
    "connect to PostgreSQL itself, not to PgBouncer: a run needs a connection of its own";

/// No transaction is left alone for longer.
const IDLE_MAX_MS: i64 = 60_000;

/// What is read of a new connection, all of it in one statement; an unprivileged role may.
const GREETING: &str = "SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
        current_setting('search_path'), current_setting('fsync'), pg_is_in_recovery(), system_identifier,
        CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())::bigint
             ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END,
        current_setting('refleet.session', true)
     FROM pg_control_system()";

type Greeting = (i32, String, String, String, bool, i64, i64, Option<String>);

/// A connection that has what the promises rest on.
pub(super) async fn connect(
    server: &Server,
    mode: Open,
    patience: Duration,
) -> Result<(PgConnection, DatabaseId), OpenError> {
    let session = format!("{:032x}", fastrand::u128(..));
    // A host that freezes in the middle of a change holds its locks no longer than its lease: whoever takes
    // over has to wait for them.
    let idle = format!("{}ms", server.lease_ms().min(IDLE_MAX_MS));
    let options = server
        .options()
        .options(SETTINGS.iter().copied())
        .options([("idle_in_transaction_session_timeout", idle)])
        .options([("refleet.session", &session)]);
    let mut connection = open(server, &options, patience).await?;
    let greeting = sqlx::query_as(GREETING).fetch_one(&mut connection);
    let greeting: Greeting = match timeout(patience, greeting).await {
        Ok(greeting) => greeting.map_err(|error| refused(server, error))?,
        Err(_) => return Err(unreachable(server, "it does not answer")),
    };
    let identity = check(server, mode, &greeting, &session)?;
    Ok((connection, identity))
}

/// Whether the server is there.
pub(super) async fn greet(server: &Server, patience: Duration) -> Result<(), StoreError> {
    match open(server, &server.options(), patience).await {
        Ok(connection) => {
            let _ = timeout(patience, connection.close()).await;
            Ok(())
        }
        Err(error) => Err(lost(error)),
    }
}

async fn open(
    server: &Server,
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, OpenError> {
    match timeout(patience, PgConnection::connect_with(options)).await {
        Ok(connected) => connected.map_err(|error| refused(server, error)),
        Err(_) => Err(unreachable(server, "it does not answer")),
    }
}

/// Refuses a server that would break a promise, and a pooler.
///
/// A pooler that hands each transaction to another session of the server is told by what was given at the
/// start: a mark that is this connection's alone. Either the pooler does not let it through, and the server
/// does not have it; or it would have to keep a session for this connection alone, and then it does no harm.
fn check(
    server: &Server,
    mode: Open,
    greeting: &Greeting,
    mark: &str,
) -> Result<DatabaseId, OpenError> {
    let (version, commit, path, fsync, is_standby, system, timeline, session) = greeting;
    let no = |reason: &str, remedy: &str| Err(not_usable(server, reason, remedy));
    if *version < VERSION_MIN {
        let reason = format!(
            "it is PostgreSQL {}, and refleet needs 13 or later",
            version / 10_000
        );
        return no(&reason, "use a newer server");
    }
    if commit != "on" || path != "refleet" || session.as_deref() != Some(mark) {
        return no(
            "the connection's settings did not reach the server: a pooler stands between",
            NO_POOLER,
        );
    }
    if *is_standby && mode != Open::Read {
        let server = server.to_string();
        return Err(OpenError::Standby { server });
    }
    if fsync != "on" && mode != Open::Read {
        return no(
            "it runs with fsync = off, and would forget after a power cut what was wiped",
            "set fsync = on in postgresql.conf",
        );
    }
    Ok(DatabaseId {
        system: *system,
        timeline: *timeline,
    })
}

fn not_usable(server: &Server, reason: &str, remedy: &str) -> OpenError {
    OpenError::Server {
        server: server.to_string(),
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn unreachable(server: &Server, reason: &str) -> OpenError {
    OpenError::Store(StoreError::away(format!("{server}: {reason}")))
}

/// Why the connection of a command that had one is not made anew.
pub(super) fn lost(error: OpenError) -> StoreError {
    match error {
        OpenError::Store(error) => error,
        OpenError::Standby { server } => StoreError::Server {
            trouble: Trouble::ReadOnly,
            reason: format!("{server} is a standby now"),
        },
        other => StoreError::Server {
            trouble: Trouble::Refuses,
            reason: other.to_string(),
        },
    }
}

/// What an error means that came while a database was opened.
pub(super) fn refused(server: &Server, error: sqlx::Error) -> OpenError {
    match error {
        sqlx::Error::Io(io) => unreachable(server, &io.to_string()),
        sqlx::Error::Protocol(answer) => unreachable(server, &answer),
        sqlx::Error::Tls(tls) => not_usable(
            server,
            &format!("no encrypted connection came about: {tls}"),
            "look at `sslmode` and `sslrootcert` in the address",
        ),
        sqlx::Error::Configuration(what) => not_usable(
            server,
            &what.to_string(),
            "correct the address that --db or REFLEET_DB gives",
        ),
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default().into_owned();
            let (role, name) = server.names();
            match remedy(&code, &role, &name) {
                Some(remedy) => not_usable(server, database.message(), &remedy),
                None if code == "57P03" => unreachable(server, database.message()),
                None => OpenError::Store(sqlx::Error::Database(database).into()),
            }
        }
        other => OpenError::Store(other.into()),
    }
}

/// What to do about an error with this SQLSTATE, for the role `role` and the database `name`.
fn remedy(code: &str, role: &str, name: &str) -> Option<String> {
    match code {
        "28P01" | "28000" => Some(format!(
            "is it the password of role {role}? It is read from the address, from PGPASSWORD, or from the file that PGPASSFILE names (else ~/.pgpass; mode 0600, or it is not read); and pg_hba.conf has to let {role} in from here"
        )),
        "3D000" => Some(format!("`createdb -O {role} {name}` creates it")),
        "42501" => Some(format!(
            "for a new queue, as the owner of the database: GRANT CONNECT, CREATE ON DATABASE \"{name}\" TO \"{role}\"; for one that is there, as the owner of schema refleet: GRANT USAGE ON SCHEMA refleet TO \"{role}\", and what README.md names for its tables"
        )),
        // A startup parameter that the server does not know; a prepared statement of somebody else's, or
        // one of ours that is not there.
        "08P01" | "42P05" | "26000" => Some(NO_POOLER.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        let on = || "on".to_owned();
        let mark = Some("mark".to_owned());
        (150_000, on(), "refleet".to_owned(), on(), false, 7, 1, mark)
    }

    fn said(mode: Open, greeting: &Greeting) -> Option<String> {
        let server = Server::parse("postgres://fleet:s3cret@db/refleet").unwrap();
        check(&server, mode, greeting, "mark")
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn a_server_that_would_break_a_promise_is_refused() {
        assert_eq!(said(Open::Change, &greeting()), None);
        let with = |change: fn(&mut Greeting)| {
            let mut greeting = greeting();
            change(&mut greeting);
            greeting
        };
        let standby = with(|it| it.4 = true);
        assert_eq!(said(Open::Read, &standby), None, "a reader may");
        for (mode, greeting, what) in [
            (Open::Read, with(|it| it.0 = 120_000), "PostgreSQL 12"),
            (Open::Change, with(|it| it.1 = "off".to_owned()), "pooler"),
            (
                Open::Change,
                with(|it| it.2 = "public".to_owned()),
                "pooler",
            ),
            (Open::Read, with(|it| it.7 = None), "pooler"),
            (
                Open::Read,
                with(|it| it.7 = Some("another's".to_owned())),
                "pooler",
            ),
            (Open::Change, with(|it| it.3 = "off".to_owned()), "fsync"),
            (Open::Change, standby, "standby"),
        ] {
            let said = said(mode, &greeting).unwrap();
            assert!(said.contains(what) && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn a_refusal_names_the_role_and_the_database_in_its_remedy() {
        for code in ["28P01", "3D000", "42501"] {
            let remedy = remedy(code, "fleet", "ledger").unwrap();
            assert!(remedy.contains("fleet"), "{remedy}");
        }
        assert!(
            remedy("3D000", "fleet", "ledger")
                .unwrap()
                .contains("createdb -O fleet ledger")
        );
        assert_eq!(remedy("53300", "fleet", "ledger"), None);
    }
}
