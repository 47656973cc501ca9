//! What a manifest gives the jobs of a batch anew; `stored/access.rs` has the rules.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::SqliteConnection;

use super::enqueue::Cache;
use super::handle::SqliteQueue;
use super::insert::ROWS_PER_STATEMENT;
use super::record::{ERASE, write_all};
use super::statement::{Statement, bound, values};
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, Expected, Group, NewJob, ServiceId, State};
use crate::queue::operator::Command;
use crate::queue::stored::{
    AccessChanges, OrderColumns, Taken, by_service, count, end_of, expected, job_id, json,
    newly_expected, next_rows, taken_rows,
};
use crate::queue::{
    AccessNews, CommandOutcome, Decision, EnqueueError, Given, QueuedJob, Rows, Selection,
    StoreError,
};
use crate::time;

/// The jobs with the ids ?1.
const JOBS: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM json_each(?1) AS found CROSS JOIN job ON job.id = found.value"
);

/// The failed jobs of the services ?1 in batch ?2.
const FAILED: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM json_each(?1) AS given CROSS JOIN job ON job.service_id = given.value
     WHERE job.batch_id = ?2 AND job.state = 'failed'"
);

impl SqliteQueue {
    /// What a manifest with these rows says of the access of `batch`'s jobs. Changes nothing.
    pub async fn compare_access<E: std::error::Error + 'static>(
        &mut self,
        batch: BatchId,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        look_at_access(&mut self.connection, batch, rows, None).await
    }

    /// Gives the jobs of `batch` that were never executed the access that the manifest gives now,
    /// all in one transaction. The caller holds the lock, because a run at work has its next jobs in
    /// memory, with their old access.
    pub async fn take_access<E: std::error::Error + 'static>(
        &mut self,
        batch: BatchId,
        given: Given<'_>,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        self.set_cache(Cache::Large).await?;
        self.begin().await?;
        let looked = look_at_access(&mut self.connection, batch, rows, Some(given)).await;
        let result = match (looked, given.identity) {
            (Ok(news), Some(identity)) => self
                .rename(batch, identity)
                .await
                .map(|()| news)
                .map_err(EnqueueError::from),
            (looked, _) => looked,
        };
        let result = self.conclude_access(result).await;
        let _ = self.set_cache(Cache::Usual).await;
        result
    }

    /// [`SqliteQueue::command`] on failed jobs that have a row in a manifest with the same image and
    /// zone: they take the access that it gives now, and what `decide` says happens to them.
    pub async fn command_from<E: std::error::Error + 'static>(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        manifest: &str,
        rows: &mut Rows<'_, E>,
        decide: &Decision<'_>,
    ) -> Result<CommandOutcome, EnqueueError<E>> {
        let command = Command {
            batch,
            decide,
            first: &|_| Vec::new(),
            at_ms: time::now_ms(),
        };
        self.begin().await?;
        let result = self.command_rows(&command, selection, manifest, rows).await;
        self.conclude_access(result).await
    }

    /// [`SqliteQueue::conclude`], where passwords may have been written before the fault.
    async fn conclude_access<T, E: std::error::Error + 'static>(
        &mut self,
        result: Result<T, EnqueueError<E>>,
    ) -> Result<T, EnqueueError<E>> {
        let has_failed = result.is_err();
        let concluded = self.conclude(result).await;
        if has_failed {
            // What was rolled back may stand in the write-ahead log.
            let _ = self.truncate_log().await;
        }
        concluded
    }

    /// The kind of access is part of what a batch is known by.
    async fn rename(&mut self, batch: BatchId, identity: [u8; 32]) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE batch SET identity = ?2, number = (SELECT coalesce(max(same.number), 0) + 1 FROM batch AS same
                 WHERE same.identity = ?2 AND same.provider = batch.provider)
             WHERE id = ?1 AND identity <> ?2",
        )
        .bind(batch.0)
        .bind(identity.as_slice())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    async fn command_rows<E: std::error::Error + 'static>(
        &mut self,
        command: &Command<'_>,
        selection: &Selection,
        manifest: &str,
        rows: &mut Rows<'_, E>,
    ) -> Result<CommandOutcome, EnqueueError<E>> {
        let mut outcome = CommandOutcome::default();
        let mut missing: HashSet<ServiceId> = match selection {
            Selection::All => self.failed(command.batch).await?,
            Selection::Services(services) => {
                let found = self
                    .named(command.batch, services, &[State::Failed], &mut outcome)
                    .await?;
                found.into_iter().map(|job| job.service).collect()
            }
        };
        loop {
            let mut chunk = next_rows(rows, ROWS_PER_STATEMENT)?;
            if chunk.is_empty() {
                break;
            }
            chunk.retain(|row| missing.remove(&row.service));
            self.retake(command, manifest, &chunk, &mut outcome).await?;
        }
        let absent: BTreeSet<ServiceId> = missing.into_iter().collect();
        let absent = absent.into_iter().map(|service| {
            let reason = format!("is not in {manifest}");
            (service, reason)
        });
        outcome.refused.extend(absent);
        Ok(outcome)
    }

    async fn failed(&mut self, batch: BatchId) -> Result<HashSet<ServiceId>, StoreError> {
        let services: Vec<i64> = sqlx::query_scalar(
            "SELECT service_id FROM job WHERE id > ?1 AND id < ?2 AND state = 'failed'",
        )
        .bind(job_id(batch, 0).stored())
        .bind(end_of(batch))
        .fetch_all(&mut self.connection)
        .await?;
        Ok(services.into_iter().filter_map(ServiceId::new).collect())
    }

    /// Applies `command` to the failed jobs of `rows`.
    async fn retake(
        &mut self,
        command: &Command<'_>,
        manifest: &str,
        rows: &[NewJob],
        outcome: &mut CommandOutcome,
    ) -> Result<(), StoreError> {
        let given = by_service(rows);
        let services: Vec<ServiceId> = rows.iter().map(|row| row.service).collect();
        let found = sqlx::query(FAILED)
            .bind(json(&services))
            .bind(command.batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        let jobs = found
            .iter()
            .map(queued_job)
            .collect::<Result<Vec<_>, _>>()?;
        let same = taken_rows(jobs, &given, manifest, outcome);
        let before = outcome.changed.len();
        let news: HashMap<ServiceId, Taken<'_>> = Taken::of_failed(&same, &given);
        let command = Command {
            first: &|job| {
                let taken = news.get(&job.service);
                taken.map_or_else(Vec::new, |taken| taken.of_row.entries(manifest))
            },
            ..*command
        };
        self.apply(&command, &same, outcome).await?;
        let changed = outcome.changed[before..].iter();
        let taken = changed.filter_map(|service| news.get(service));
        set(&mut self.connection, AccessChanges::of(taken)).await
    }
}

/// Compares the rows with the jobs of `batch`. With `given`, the jobs that may take the rows' access
/// do.
async fn look_at_access<E: std::error::Error + 'static>(
    connection: &mut SqliteConnection,
    batch: BatchId,
    rows: &mut Rows<'_, E>,
    given: Option<Given<'_>>,
) -> Result<AccessNews, EnqueueError<E>> {
    let mut news = AccessNews::default();
    let at_ms = time::now_ms();
    loop {
        let chunk = next_rows(rows, ROWS_PER_STATEMENT)?;
        if chunk.is_empty() {
            return Ok(news);
        }
        let differing = compare(connection, batch, &chunk, &mut news).await?;
        let taken = Taken::of_differing(&differing, &chunk, &mut news)?;
        if let Some(given) = given {
            take(connection, batch, given, &taken, at_ms).await?;
        }
    }
}

/// Counts the jobs that `rows` speak of, and returns those that have another access.
async fn compare(
    connection: &mut SqliteConnection,
    batch: BatchId,
    rows: &[NewJob],
    news: &mut AccessNews,
) -> Result<Vec<QueuedJob>, StoreError> {
    let mut statement = Statement::new(format!(
        "WITH given (service_id, image, zone, access, ssh_key, password, expected, group_name, ssh_port) AS ({values})
         SELECT count(*), count(*) FILTER (WHERE job.state = 'queued'), count(*) FILTER (WHERE job.state = 'done'),
                coalesce(json_group_array(job.id) FILTER (
                    WHERE job.state <> 'done' AND job.state <> 'cancelled' AND (
                        job.access IS NOT given.access OR job.ssh_key IS NOT given.ssh_key
                        OR given.password IS NOT (SELECT password FROM secret WHERE job_id = job.id)
                        OR job.group_name IS NOT given.group_name OR job.ssh_port IS NOT given.ssh_port
                        OR (job.expected IS NOT given.expected
                            AND (given.expected IS NOT NULL OR job.expected ->> '$.seen' IS NULL)))), '[]')
         FROM given CROSS JOIN job ON job.service_id = given.service_id AND job.batch_id = {batch}
         WHERE job.image IS given.image AND job.zone IS given.zone",
        values = values(&bound(9), rows.len()),
        batch = batch.0,
    ));
    for row in rows {
        let order = OrderColumns::from(&row.order);
        statement.bind(row.service.get());
        statement.bind(order.image);
        statement.bind(order.zone);
        statement.bind(order.access);
        statement.bind(order.ssh_key);
        statement.bind(order.password);
        statement.bind(expected(&row.expected));
        statement.bind(row.group.as_ref().map(Group::as_str));
        statement.bind(row.ssh_port);
    }
    let usual = rows.len() == ROWS_PER_STATEMENT;
    let counted: (i64, i64, i64, String) = statement
        .query_as()
        .persistent(usual)
        .fetch_one(&mut *connection)
        .await?;
    let (matched, queued, done, differing) = counted;
    news.rows += rows.len() as u64;
    news.matched += count(matched)?;
    news.queued += count(queued)?;
    news.done += count(done)?;
    if differing == "[]" {
        return Ok(Vec::new());
    }
    let jobs = sqlx::query(JOBS)
        .bind(differing)
        .fetch_all(connection)
        .await?;
    jobs.iter().map(queued_job).collect()
}

/// Gives jobs what they take of their rows, and notes it.
async fn take(
    connection: &mut SqliteConnection,
    batch: BatchId,
    given: Given<'_>,
    taken: &[Taken<'_>],
    at_ms: i64,
) -> Result<(), StoreError> {
    let steps = Taken::steps(taken, given.manifest, at_ms)?;
    write_all(connection, batch, &steps).await?;
    set(connection, AccessChanges::of(taken)).await
}

/// Jobs that are looked at together.
const JOBS_AT_ONCE: i64 = 4096;

impl SqliteQueue {
    /// From now on what a person has `seen` of their instances must stand there when the untouched queued
    /// jobs of `batch` are submitted; where they expect something else already, they go on to.
    pub async fn expect_what_was_seen(
        &mut self,
        batch: BatchId,
        seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
    ) -> Result<(), StoreError> {
        self.begin().await?;
        let result = self.expect_all(batch, seen).await;
        self.conclude(result).await
    }

    async fn expect_all(
        &mut self,
        batch: BatchId,
        seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
    ) -> Result<(), StoreError> {
        let mut after = job_id(batch, 0).stored();
        let last = end_of(batch);
        loop {
            let jobs: Vec<(i64, i64, Option<String>)> = sqlx::query_as(
                "SELECT id, service_id, expected FROM job
                 WHERE id > ?1 AND id < ?2 AND state = 'queued' AND executed = 'no' ORDER BY id LIMIT ?3",
            )
            .bind(after)
            .bind(last)
            .bind(JOBS_AT_ONCE)
            .fetch_all(&mut self.connection)
            .await?;
            let Some((id, ..)) = jobs.last() else {
                return Ok(());
            };
            after = *id;
            let bound = newly_expected(&jobs, seen)?;
            set_column(&mut self.connection, "expected", &bound).await?;
        }
    }
}

/// Writes `values` into one column of these jobs, by their numbers.
async fn set_column(
    connection: &mut SqliteConnection,
    column: &'static str,
    given: &[(i64, Option<String>)],
) -> Result<(), StoreError> {
    for given in given.chunks(ROWS_PER_STATEMENT) {
        let mut jobs = Statement::new(format!(
            "WITH given (id, value) AS ({}) UPDATE job SET {column} = given.value
             FROM given WHERE job.id = given.id",
            values(&bound(2), given.len())
        ));
        for (job, value) in given {
            jobs.bind(*job);
            jobs.bind(value.as_deref());
        }
        jobs.query().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn set(
    connection: &mut SqliteConnection,
    changes: AccessChanges<'_>,
) -> Result<(), StoreError> {
    for columns in changes.columns.chunks(ROWS_PER_STATEMENT) {
        let mut jobs = Statement::new(format!(
            "WITH given (id, access, ssh_key) AS ({}) UPDATE job SET access = given.access, ssh_key = given.ssh_key
             FROM given WHERE job.id = given.id",
            values(&bound(3), columns.len())
        ));
        for (job, access, ssh_key) in columns {
            jobs.bind(*job);
            jobs.bind(*access);
            jobs.bind(*ssh_key);
        }
        jobs.query().execute(&mut *connection).await?;
    }
    for passwords in changes.passwords.chunks(ROWS_PER_STATEMENT) {
        let mut secrets = Statement::new(format!(
            "INSERT INTO secret (job_id, password) {}
             ON CONFLICT (job_id) DO UPDATE SET password = excluded.password",
            values(&bound(2), passwords.len())
        ));
        for (job, password) in passwords {
            secrets.bind(*job);
            secrets.bind(*password);
        }
        secrets.query().execute(&mut *connection).await?;
    }
    if !changes.erased.is_empty() {
        sqlx::query(ERASE)
            .bind(json(&changes.erased))
            .execute(&mut *connection)
            .await?;
    }
    for places in changes.places.chunks(ROWS_PER_STATEMENT) {
        let mut jobs = Statement::new(format!(
            "WITH given (id, group_name, ssh_port) AS ({}) UPDATE job SET group_name = given.group_name, ssh_port = given.ssh_port
             FROM given WHERE job.id = given.id",
            values(&bound(3), places.len())
        ));
        for (job, group, ssh_port) in places {
            jobs.bind(*job);
            jobs.bind(group.as_deref());
            jobs.bind(*ssh_port);
        }
        jobs.query().execute(&mut *connection).await?;
    }
    set_column(connection, "expected", &changes.pins).await
}
