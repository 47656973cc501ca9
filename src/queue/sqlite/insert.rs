//! The statements that insert a manifest's rows.

use sqlx::SqliteConnection;

use super::statement::{Statement, bound, values};
use crate::job::{BatchId, Group, NewJob};
use crate::queue::StoreError;
use crate::queue::stored::{OrderColumns, expected, job_id};

/// Rows that go to SQLite as one statement. More costs memory and gains nothing.
pub(super) const ROWS_PER_STATEMENT: usize = 512;

/// The statements that insert a chunk of rows.
pub(super) struct Insertion {
    jobs: Statement,
    secrets: Option<Statement>,
    /// Of the usual length: prepared once, and used again.
    usual: bool,
}

impl Insertion {
    /// Of `chunk`, into batch `id`; `None` where it is empty.
    pub(super) fn of(id: BatchId, chunk: &[NewJob]) -> Option<Self> {
        if chunk.is_empty() {
            return None;
        }
        let mut jobs = Statement::new(format!(
            "INSERT INTO job (id, batch_id, line, service_id, image, zone, access, ssh_key, expected, group_name, ssh_port, note) {}",
            values(&format!("(?,{},?,?,?,?,?,?,?,?,?,?)", id.0), chunk.len())
        ));
        let mut passwords = Vec::new();
        for row in chunk {
            let job = job_id(id, row.line).stored();
            let order = OrderColumns::from(&row.order);
            passwords.extend(order.password.map(|password| (job, password)));
            jobs.bind(job);
            jobs.bind(i64::try_from(row.line).unwrap_or(i64::MAX));
            jobs.bind(row.service.get());
            jobs.bind(order.image);
            jobs.bind(order.zone);
            jobs.bind(order.access);
            jobs.bind(order.ssh_key);
            jobs.bind(expected(&row.expected));
            jobs.bind(row.group.as_ref().map(Group::as_str));
            jobs.bind(row.ssh_port);
            jobs.bind(row.note.as_deref());
        }
        let usual = chunk.len() == ROWS_PER_STATEMENT
            && (passwords.is_empty() || passwords.len() == ROWS_PER_STATEMENT);
        let secrets = (!passwords.is_empty()).then(|| {
            let mut secrets = Statement::new(format!(
                "INSERT INTO secret (job_id, password) {}",
                values(&bound(2), passwords.len())
            ));
            for (job, password) in passwords {
                secrets.bind(job);
                secrets.bind(password);
            }
            secrets
        });
        Some(Self {
            jobs,
            secrets,
            usual,
        })
    }
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    insertion: Option<Insertion>,
) -> Result<(), StoreError> {
    let Some(Insertion {
        jobs,
        secrets,
        usual,
    }) = insertion
    else {
        return Ok(());
    };
    let jobs = jobs.query().persistent(usual);
    jobs.execute(&mut *connection).await?;
    if let Some(secrets) = secrets {
        let secrets = secrets.query().persistent(usual);
        secrets.execute(&mut *connection).await?;
    }
    Ok(())
}
