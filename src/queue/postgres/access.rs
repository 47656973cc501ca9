//! What a manifest gives the jobs of a batch anew; `stored/access.rs` has the rules.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;

use serde::Serialize;

use super::command::{NAMED, apply, named};
use super::handle::PostgresQueue;
use super::record::write_all;
use super::session::{Session, Transaction};
use super::text::{job_as_text, json_text, no_nul, queued_jobs};
use crate::job::{BatchId, Expected, Group, NewJob, ServiceId, State};
use crate::queue::operator::Command;
use crate::queue::stored::{
    AccessChanges, OrderColumns, Taken, by_service, count, end_of, job_id, newly_expected,
    next_rows, taken_rows,
};
use crate::queue::{
    AccessNews, CommandOutcome, Decision, EnqueueError, Given, QueuedJob, Rows, Selection,
    StoreError,
};
use crate::time;

/// Rows of a manifest, and jobs, that are looked at together.
const ROWS_AT_ONCE: usize = 4096;
const JOBS_AT_ONCE: i64 = 4096;

/// The jobs with the ids $1.
const JOBS: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE id = ANY($1) ORDER BY id"
);

/// Of the rows $1: how many are jobs of batch $2 with the same image and zone, how many of those are
/// queued and how many done, and which have another access.
const COMPARE: &str = "SELECT count(*), count(*) FILTER (WHERE job.state = 'queued'), count(*) FILTER (WHERE job.state = 'done'),
            coalesce(array_agg(job.id) FILTER (
                WHERE job.state <> 'done' AND job.state <> 'cancelled' AND (
                    job.access IS DISTINCT FROM given.access OR job.ssh_key IS DISTINCT FROM given.ssh_key
                    OR given.password IS DISTINCT FROM (SELECT password FROM secret WHERE job_id = job.id)
                    OR job.group_name IS DISTINCT FROM given.group_name OR job.ssh_port IS DISTINCT FROM given.ssh_port
                    OR (job.expected::text IS DISTINCT FROM given.expected
                        AND (given.expected IS NOT NULL OR job.expected ->> 'seen' IS NULL)))), '{}')
     FROM json_to_recordset($1::json) AS given(service_id bigint, image text, zone text, access text, ssh_key text,
              password text, expected text, group_name text, ssh_port integer)
     JOIN job ON job.service_id = given.service_id AND job.batch_id = $2
     WHERE job.image IS NOT DISTINCT FROM given.image AND job.zone IS NOT DISTINCT FROM given.zone";

/// A row of a manifest, as [`COMPARE`] takes it.
#[derive(Serialize)]
struct GivenRow<'a> {
    service_id: i64,
    image: Option<String>,
    zone: Option<&'a str>,
    access: Option<&'static str>,
    ssh_key: Option<&'a str>,
    password: Option<&'a str>,
    /// As it would be stored.
    expected: Option<String>,
    group_name: Option<&'a str>,
    ssh_port: Option<u16>,
}

impl<'a> From<&'a NewJob> for GivenRow<'a> {
    fn from(row: &'a NewJob) -> Self {
        let order = OrderColumns::from(&row.order);
        Self {
            service_id: row.service.get(),
            image: order.image,
            zone: order.zone,
            access: order.access,
            ssh_key: order.ssh_key,
            password: order.password,
            expected: (!row.expected.is_nothing()).then(|| json_text(&row.expected)),
            group_name: row.group.as_ref().map(Group::as_str),
            ssh_port: row.ssh_port,
        }
    }
}

impl PostgresQueue {
    /// What a manifest with these rows says of the access of `batch`'s jobs. Changes nothing.
    pub async fn compare_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        let mut transaction = self.session.begin_reading().await?;
        let mut news = AccessNews::default();
        loop {
            let chunk = next_rows(rows, ROWS_AT_ONCE)?;
            if chunk.is_empty() {
                break;
            }
            let differing = compare(&mut transaction, batch, &chunk, &mut news).await?;
            Taken::of_differing(&differing, &chunk, &mut news)?;
        }
        transaction.rollback().await;
        Ok(news)
    }

    /// Gives the jobs of `batch` that were never executed the access that the manifest gives now,
    /// all in one transaction. The caller keeps runs away, because a run at work has its next jobs in
    /// memory, with their old access.
    pub async fn take_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        given: Given<'_>,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        let mut transaction = self.session.begin().await?;
        let result = take_access(&mut transaction, batch, given, rows).await;
        transaction.conclude(result).await
    }

    /// [`PostgresQueue::command`] on failed jobs that have a row in a manifest with the same image and
    /// zone: they take the access that it gives now, and what `decide` says happens to them.
    pub async fn command_from<E: Error + 'static>(
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
        let mut transaction = self.session.begin().await?;
        let result = command_rows(&mut transaction, &command, selection, (manifest, rows)).await;
        transaction.conclude(result).await
    }

    /// From now on what a person has `seen` of their instances must stand there when the untouched queued
    /// jobs of `batch` are submitted; where they expect something else already, they go on to.
    pub async fn expect_what_was_seen(
        &mut self,
        batch: BatchId,
        seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
    ) -> Result<(), StoreError> {
        let mut transaction = self.session.begin().await?;
        let result = expect_all(&mut transaction, batch, seen).await;
        transaction.conclude(result).await
    }
}

async fn take_access<E: Error + 'static>(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    given: Given<'_>,
    rows: &mut Rows<'_, E>,
) -> Result<AccessNews, EnqueueError<E>> {
    let mut news = AccessNews::default();
    let at_ms = time::now_ms();
    loop {
        let chunk = next_rows(rows, ROWS_AT_ONCE)?;
        if chunk.is_empty() {
            break;
        }
        let differing = compare(transaction, batch, &chunk, &mut news).await?;
        let taken = Taken::of_differing(&differing, &chunk, &mut news)?;
        let steps = Taken::steps(&taken, given.manifest, at_ms)?;
        write_all(transaction, batch, &steps).await?;
        set(transaction, AccessChanges::of(&taken)).await?;
    }
    if let Some(identity) = given.identity {
        // The kind of access is part of what a batch is known by.
        let rename = sqlx::query(
            "UPDATE batch SET identity = $2, number = (SELECT coalesce(max(same.number), 0) + 1 FROM batch AS same
                 WHERE same.identity = $2 AND same.provider = batch.provider)
             WHERE id = $1 AND identity <> $2",
        );
        let rename = rename.bind(batch.0).bind(identity.as_slice());
        transaction.execute(rename).await?;
    }
    Ok(news)
}

/// Counts the jobs that `rows` speak of, and returns those that have another access.
async fn compare(
    session: &mut Session,
    batch: BatchId,
    rows: &[NewJob],
    news: &mut AccessNews,
) -> Result<Vec<QueuedJob>, StoreError> {
    let given: Vec<GivenRow<'_>> = rows.iter().map(GivenRow::from).collect();
    let compared = sqlx::query_as(COMPARE)
        .bind(json_text(&given))
        .bind(batch.0);
    let compared: (i64, i64, i64, Vec<i64>) = session.one(compared).await?;
    let (matched, queued, done, differing) = compared;
    news.rows += rows.len() as u64;
    news.matched += count(matched)?;
    news.queued += count(queued)?;
    news.done += count(done)?;
    if differing.is_empty() {
        return Ok(Vec::new());
    }
    queued_jobs(&session.all(sqlx::query_as(JOBS).bind(differing)).await?)
}

async fn command_rows<E: Error + 'static>(
    transaction: &mut Transaction<'_>,
    command: &Command<'_>,
    selection: &Selection,
    (manifest, rows): (&str, &mut Rows<'_, E>),
) -> Result<CommandOutcome, EnqueueError<E>> {
    let mut outcome = CommandOutcome::default();
    let batch = command.batch;
    let mut missing: HashSet<ServiceId> = match selection {
        Selection::All => failed(transaction, batch).await?,
        Selection::Services(services) => {
            let states = [State::Failed];
            let jobs = named(transaction, batch, services, &states, &mut outcome).await?;
            jobs.into_iter().map(|job| job.service).collect()
        }
    };
    loop {
        let mut chunk = next_rows(rows, ROWS_AT_ONCE)?;
        if chunk.is_empty() {
            break;
        }
        chunk.retain(|row| missing.remove(&row.service));
        retake(transaction, command, manifest, &chunk, &mut outcome).await?;
    }
    let absent: BTreeSet<ServiceId> = missing.into_iter().collect();
    let absent = absent.into_iter().map(|service| {
        let reason = format!("is not in {manifest}");
        (service, reason)
    });
    outcome.refused.extend(absent);
    Ok(outcome)
}

async fn failed(session: &mut Session, batch: BatchId) -> Result<HashSet<ServiceId>, StoreError> {
    let failed =
        sqlx::query_as("SELECT service_id FROM job WHERE batch_id = $1 AND state = 'failed'");
    let services: Vec<(i64,)> = session.all(failed.bind(batch.0)).await?;
    let service = |(number,): (i64,)| ServiceId::new(number);
    Ok(services.into_iter().filter_map(service).collect())
}

/// Applies `command` to the failed jobs of `rows`.
async fn retake(
    transaction: &mut Transaction<'_>,
    command: &Command<'_>,
    manifest: &str,
    rows: &[NewJob],
    outcome: &mut CommandOutcome,
) -> Result<(), StoreError> {
    let given = by_service(rows);
    let services: Vec<i64> = rows.iter().map(|row| row.service.get()).collect();
    let found = sqlx::query_as(NAMED).bind(command.batch.0).bind(services);
    let mut jobs = queued_jobs(&transaction.all(found).await?)?;
    jobs.retain(|job| job.record.state == State::Failed);
    let same = taken_rows(jobs, &given, manifest, outcome);
    let before = outcome.changed.len();
    let news = Taken::of_failed(&same, &given);
    let command = Command {
        first: &|job| {
            let taken = news.get(&job.service);
            taken.map_or_else(Vec::new, |taken| taken.of_row.entries(manifest))
        },
        ..*command
    };
    apply(transaction, &command, &same, outcome).await?;
    let changed = outcome.changed[before..].iter();
    let taken = changed.filter_map(|service| news.get(service));
    set(transaction, AccessChanges::of(taken)).await
}

async fn set(
    transaction: &mut Transaction<'_>,
    changes: AccessChanges<'_>,
) -> Result<(), StoreError> {
    if !changes.columns.is_empty() {
        let columns = sqlx::query(
            "UPDATE job SET access = given.value ->> 1, ssh_key = given.value ->> 2
             FROM json_array_elements($1::json) AS given(value) WHERE job.id = (given.value ->> 0)::bigint",
        );
        let columns = columns.bind(json_text(&changes.columns));
        transaction.execute(columns).await?;
    }
    if !changes.passwords.is_empty() {
        let (jobs, passwords): (Vec<i64>, Vec<&str>) = changes.passwords.into_iter().unzip();
        let passwords: Vec<String> = (passwords.into_iter())
            .map(|password| no_nul(password).into_owned())
            .collect();
        let secrets = sqlx::query(
            "INSERT INTO secret (job_id, password) SELECT * FROM unnest($1::bigint[], $2::text[])
             ON CONFLICT (job_id) DO UPDATE SET password = excluded.password",
        );
        transaction
            .execute(secrets.bind(jobs).bind(passwords))
            .await?;
    }
    if !changes.erased.is_empty() {
        let erase = sqlx::query("DELETE FROM secret WHERE job_id = ANY($1)");
        transaction.execute(erase.bind(changes.erased)).await?;
    }
    set_expected(transaction, &changes.pins).await?;
    if !changes.places.is_empty() {
        let places = sqlx::query(
            "UPDATE job SET group_name = given.value ->> 1, ssh_port = (given.value ->> 2)::integer
             FROM json_array_elements($1::json) AS given(value) WHERE job.id = (given.value ->> 0)::bigint",
        );
        let places = places.bind(json_text(&changes.places));
        transaction.execute(places).await?;
    }
    Ok(())
}

/// Writes what jobs expect, by their numbers.
async fn set_expected(
    transaction: &mut Transaction<'_>,
    pins: &[(i64, Option<String>)],
) -> Result<(), StoreError> {
    if pins.is_empty() {
        return Ok(());
    }
    let (jobs, expected): (Vec<i64>, Vec<Option<String>>) = pins.iter().cloned().unzip();
    let pins = sqlx::query(
        "UPDATE job SET expected = given.expected::json
         FROM unnest($1::bigint[], $2::text[]) AS given(id, expected) WHERE job.id = given.id",
    );
    transaction.execute(pins.bind(jobs).bind(expected)).await?;
    Ok(())
}

async fn expect_all(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
) -> Result<(), StoreError> {
    let mut after = job_id(batch, 0).stored();
    loop {
        let jobs = sqlx::query_as(
            "SELECT id, service_id, expected::text FROM job
             WHERE id > $1 AND id < $2 AND state = 'queued' AND executed = 'no' ORDER BY id LIMIT $3
             FOR NO KEY UPDATE",
        )
        .bind(after)
        .bind(end_of(batch))
        .bind(JOBS_AT_ONCE);
        let jobs: Vec<(i64, i64, Option<String>)> = transaction.all(jobs).await?;
        let Some((id, ..)) = jobs.last() else {
            return Ok(());
        };
        after = *id;
        set_expected(transaction, &newly_expected(&jobs, seen)?).await?;
    }
}
