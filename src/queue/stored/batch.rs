//! A batch, its tally and its options, as they stand in their columns.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::decode::{damaged, from_json, owner, word};
use crate::job::{BatchId, Counts, Happened};
use crate::queue::{Batch, StoreError};

/// What a batch is read from; a backend puts its own spelling of the last one, which is JSON, behind it.
pub const BATCH_COLUMNS: &str = "id, identity, provider, number, manifest, created_ms, api_url, path, action, account, account_label, plan, sheet";

/// The columns of a batch.
pub struct StoredBatch {
    id: i64,
    identity: Vec<u8>,
    provider: String,
    number: i64,
    manifest: String,
    created_ms: i64,
    api_url: String,
    path: Vec<u8>,
    action: String,
    account: Option<String>,
    account_label: Option<String>,
    plan: Option<String>,
    sheet: Option<String>,
    rows: String,
}

impl<'r, R> FromRow<'r, R> for StoredBatch
where
    R: Row,
    for<'c> &'c str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            identity: row.try_get("identity")?,
            provider: row.try_get("provider")?,
            number: row.try_get("number")?,
            manifest: row.try_get("manifest")?,
            created_ms: row.try_get("created_ms")?,
            api_url: row.try_get("api_url")?,
            path: row.try_get("path")?,
            action: row.try_get("action")?,
            account: row.try_get("account")?,
            account_label: row.try_get("account_label")?,
            plan: row.try_get("plan")?,
            sheet: row.try_get("sheet")?,
            rows: row.try_get("rows")?,
        })
    }
}

impl StoredBatch {
    pub fn with(self, tallies: &Tallies) -> Result<Batch, StoreError> {
        let (counts, moved_ms) = tallies.0.get(&self.id).copied().unwrap_or_default();
        let identity = self.identity.try_into();
        Ok(Batch {
            id: BatchId(self.id),
            action: word(&self.action)?,
            identity: identity.map_err(|_| damaged("a batch's identity"))?,
            provider: self.provider,
            api_url: self.api_url,
            owner: owner(self.account, self.account_label),
            plan: self.plan,
            rows: from_json(&self.rows, "the rows of a sheet")?,
            number: u32::try_from(self.number).map_err(|_| damaged("a batch's number"))?,
            manifest: self.manifest,
            path: PathBuf::from(OsString::from_vec(self.path)),
            sheet: self.sheet,
            created_ms: self.created_ms,
            touched_ms: moved_ms.max(self.created_ms),
            counts,
        })
    }
}

/// Of each batch: its jobs per state, and when one last moved.
#[derive(Default)]
pub struct Tallies(HashMap<i64, (Counts, i64)>);

impl Tallies {
    /// Of rows of batch, state, jobs, time of the last move.
    pub fn of(rows: Vec<(i64, String, i64, i64)>) -> Result<Self, StoreError> {
        let mut tallies = Self::default();
        for (batch, state, jobs, moved) in rows {
            let (counts, moved_ms) = tallies.0.entry(batch).or_default();
            *moved_ms = moved.max(*moved_ms);
            set_count(counts, &state, jobs)?;
        }
        Ok(tallies)
    }
}

/// Of rows of state and jobs.
pub fn counts_of(rows: Vec<(String, i64)>) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    for (state, jobs) in rows {
        set_count(&mut counts, &state, jobs)?;
    }
    Ok(counts)
}

/// Puts a row of the tally into `counts`.
fn set_count(counts: &mut Counts, state: &str, jobs: i64) -> Result<(), StoreError> {
    let jobs = u64::try_from(jobs).map_err(|_| damaged("a negative tally"))?;
    match state {
        "held" => counts.held = jobs,
        state => *counts.of_mut(word(state)?) = jobs,
    }
    Ok(())
}

/// The options of a run, as they are stored.
pub fn options(stored: Option<&str>) -> Result<Option<serde_json::Value>, StoreError> {
    let options = stored.map(|options| from_json(options, "a run's options"));
    options.transpose()
}

/// What happened, and when, of rows of word and time.
pub fn happened(rows: Vec<(String, i64)>) -> Result<Vec<(Happened, i64)>, StoreError> {
    let known = |(word, at_ms): (String, i64)| {
        let what = match word.as_str() {
            "submitted" => Happened::Submitted,
            "done" => Happened::Done,
            "failed" => Happened::Failed,
            _ => return Err(damaged("what happened")),
        };
        Ok((what, at_ms))
    };
    rows.into_iter().map(known).collect()
}
