//! Which hosts work or have worked, what one of them has left behind, and the word that one is down.

use std::collections::HashMap;

use super::handle::PostgresQueue;
use super::text::no_nul;
use crate::job::{BatchId, JobId};
use crate::queue::process::Process;
use crate::queue::stored::damaged;
use crate::queue::{Fence, Sender, StoreError, Tenure};

/// A process that works, or of which nobody knows whether it has ended. Moments are Unix time by the
/// server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLease {
    /// Whose API.
    pub provider: String,
    /// Whose instances; `None`: nobody has asked yet, and the lease is the batch's alone.
    pub account: Option<String>,
    /// The machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// How often the lease had been acquired by then.
    pub epoch: i64,
    /// What it works on, or did.
    pub batch: BatchId,
    /// Since when.
    pub since_ms: i64,
    /// When it renewed the lease last; `None`: somebody else has it since.
    pub renewed_ms: Option<i64>,
    /// When the lease runs out; `None`: somebody else has it since.
    pub expires_ms: Option<i64>,
    /// It has said itself that it ended.
    pub has_ended: bool,
    /// Who says that it is down, if somebody does.
    pub is_down_by: Option<DownBy>,
    /// The server's time.
    pub now_ms: i64,
}

/// Who says that a process is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownBy {
    /// The kernel that it ran on: of this process alone.
    Kernel,
    /// An operator: of all of its host.
    Operator,
}

impl HostLease {
    /// It has the lease, and renews it.
    pub fn works(&self) -> bool {
        !self.has_ended
            && self
                .expires_ms
                .is_some_and(|until_ms| self.now_ms < until_ms)
    }
}

/// The processes that hold a lease or held it last, and those that have lost theirs and never said that
/// they ended.
const HOSTS: &str =
    "SELECT batch.provider, batch.account, run.host, run.pid, run.epoch, run.batch_id,
            (extract(epoch FROM run.since) * 1000)::bigint,
            (extract(epoch FROM lease.renewed_at) * 1000)::bigint,
            (extract(epoch FROM lease.expires_at) * 1000)::bigint, run.ended_ms IS NOT NULL,
            (SELECT CASE WHEN fence.run_id IS NULL THEN 'operator' ELSE 'kernel' END FROM fence
             WHERE fence.run_id = run.id OR fence.run_id IS NULL AND fence.host = run.host AND fence.at >= run.since
             ORDER BY fence.run_id LIMIT 1),
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint
     FROM run JOIN batch ON batch.id = run.batch_id
     LEFT JOIN lease ON lease.run_id = run.id AND (lease.account <> '' OR lease.released_at IS NULL)
     WHERE lease.run_id IS NOT NULL OR run.ended_ms IS NULL
     ORDER BY batch.provider, batch.account, run.id";

/// Who has committed the intent of the present attempt of jobs that are being submitted, and whether that
/// process has said itself that it ended.
pub(super) const SENDERS: &str = "SELECT job.id, run.tenure::text, run.epoch, run.host, (extract(epoch FROM run.since) * 1000)::bigint,
            run.ended_ms
     FROM job
     JOIN ledger ON ledger.job_id = job.id AND ledger.attempt = job.attempt AND ledger.kind = 'intent'
     JOIN run ON run.id = ledger.run_id
     WHERE job.batch_id = $1 AND job.state <> 'queued' AND job.completed_ms IS NULL AND job.state = 'submitting'";

/// Runs of processes that the kernel $1 may speak of, and has not spoken of yet.
const UNENDED: &str = "SELECT id, pid, started FROM run
     WHERE kernel = $1 AND ended_ms IS NULL AND started IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM fence WHERE fence.run_id = run.id)";

type HostRow = (
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    bool,
    Option<String>,
    i64,
);

type SenderRow = (i64, String, Option<i64>, String, i64, Option<i64>);

impl PostgresQueue {
    /// The leases of all accounts.
    pub async fn hosts(&mut self) -> Result<Vec<HostLease>, StoreError> {
        let rows: Vec<HostRow> = self.session.all(sqlx::query_as(HOSTS)).await?;
        let lease = |row: HostRow| {
            Ok(HostLease {
                provider: row.0,
                account: row.1,
                host: row.2,
                pid: u32::try_from(row.3).map_err(|_| damaged("a process's number"))?,
                epoch: row.4.ok_or_else(|| damaged("a tenure"))?,
                batch: BatchId(row.5),
                since_ms: row.6,
                renewed_ms: row.7,
                expires_ms: row.8,
                has_ended: row.9,
                is_down_by: row.10.as_deref().map(|by| match by {
                    "kernel" => DownBy::Kernel,
                    _ => DownBy::Operator,
                }),
                now_ms: row.11,
            })
        };
        rows.into_iter().map(lease).collect()
    }

    /// Who was about to send those jobs of `batch` that are being submitted.
    pub async fn senders(&mut self, batch: BatchId) -> Result<HashMap<JobId, Sender>, StoreError> {
        let senders = sqlx::query_as(SENDERS).bind(batch.0);
        let rows: Vec<SenderRow> = self.session.all(senders).await?;
        let sender = |(job, id, epoch, host, since_ms, ended_ms): SenderRow| {
            let tenure = Tenure {
                id: id.parse().map_err(|_| damaged("a tenure"))?,
                epoch: epoch.ok_or_else(|| damaged("a tenure"))?,
                host,
                since_ms,
            };
            Ok((JobId::from_stored(job), Sender { tenure, ended_ms }))
        };
        rows.into_iter().map(sender).collect()
    }

    /// The words that hosts are down, and the server's time.
    pub async fn fences(&mut self) -> Result<(Vec<Fence>, i64), StoreError> {
        let fences = sqlx::query_as(
            "SELECT fence.host, run.tenure::text, (extract(epoch FROM fence.at) * 1000)::bigint
             FROM fence LEFT JOIN run ON run.id = fence.run_id ORDER BY fence.id",
        );
        let rows: Vec<(String, Option<String>, i64)> = self.session.all(fences).await?;
        let now = sqlx::query_as("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let (now_ms,): (i64,) = self.session.one(now).await?;
        let fence = |(host, tenure, at_ms): (String, Option<String>, i64)| {
            let tenure = tenure.map(|id| id.parse().map_err(|_| damaged("a tenure")));
            Ok(Fence {
                host,
                tenure: tenure.transpose()?,
                at_ms,
            })
        };
        let fences: Result<_, StoreError> = rows.into_iter().map(fence).collect();
        Ok((fences?, now_ms))
    }

    /// Writes down which runs' processes have ended, of those that this machine's kernel can speak of. What they
    /// had sent may still arrive; but they send nothing more.
    pub async fn say_what_has_ended(&mut self, operator: &str) -> Result<(), StoreError> {
        let Some(this) = Process::this() else {
            return Ok(());
        };
        let open = sqlx::query_as(UNENDED).bind(&this.kernel);
        let runs: Vec<(i64, i64, i64)> = self.session.all(open).await?;
        for (run, pid, started) in runs {
            let process = Process {
                kernel: this.kernel.clone(),
                pid: u32::try_from(pid).map_err(|_| damaged("a process's number"))?,
                started,
            };
            if process.has_ended() {
                let ended = sqlx::query(
                    "INSERT INTO fence (host, run_id, operator, reason) SELECT host, id, $2, $3 FROM run WHERE id = $1",
                )
                .bind(run)
                .bind(no_nul(operator))
                .bind(format!("this machine's kernel says that process {pid} has ended"));
                self.session.execute(ended).await?;
            }
        }
        Ok(())
    }

    /// Writes down that `host` is down, by the word of `operator`.
    pub async fn fence(
        &mut self,
        host: &str,
        operator: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let fence = sqlx::query("INSERT INTO fence (host, operator, reason) VALUES ($1, $2, $3)")
            .bind(no_nul(host))
            .bind(no_nul(operator))
            .bind(no_nul(reason));
        self.session.execute(fence).await?;
        Ok(())
    }
}
