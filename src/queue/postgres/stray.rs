//! Submissions that may still take effect, and who may still send them.

use super::handle::PostgresQueue;
use crate::job::BatchId;
use crate::queue::stored::{SenderRow, may_be_stray, stray};
use crate::queue::{StoreError, Strays};

/// Those of the services of batch $1. Who was about to send one may do so yet as long as its outcome is only
/// what a take-over has written: neither the instance nor the sender has said anything else.
pub(super) const STRAYS: &str = concat!(
    "SELECT stray.id, stray.attempt::bigint, stray.service_id, job.state = 'queued',
            coalesce(stray.submitted_ms,
                (SELECT max(at_ms) FROM ledger WHERE job_id = stray.id AND attempt = stray.attempt AND kind IN ('unknown', 'interrupted')),
                stray.intent_ms, 0),
            run.tenure::text, run.epoch, run.host, (extract(epoch FROM run.since) * 1000)::bigint,
            least(run.ended_ms, (SELECT (extract(epoch FROM min(written_at)) * 1000)::bigint FROM testimony
                                 WHERE job_id = stray.id AND attempt = stray.attempt AND run_id = run.id))
     FROM job AS stray
     JOIN job ON job.service_id = stray.service_id AND job.batch_id = $1
     LEFT JOIN ledger AS orphaned ON orphaned.job_id = stray.id AND orphaned.attempt = stray.attempt
          AND orphaned.kind = 'unknown' AND orphaned.body ->> 'error_kind' = 'orphaned'
          AND NOT EXISTS (SELECT 1 FROM ledger AS seen WHERE seen.job_id = stray.id AND seen.attempt = stray.attempt
                          AND seen.kind IN ('accepted', 'sighted'))
     LEFT JOIN ledger AS intent ON intent.job_id = orphaned.job_id AND intent.attempt = orphaned.attempt AND intent.kind = 'intent'
     LEFT JOIN run ON run.id = intent.run_id
     WHERE ",
    may_be_stray!("stray")
);

type Row = (
    i64,
    i64,
    i64,
    bool,
    i64,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl PostgresQueue {
    /// The strays that `batch` has to do with.
    pub(super) async fn strays_of(&mut self, batch: BatchId) -> Result<Strays, StoreError> {
        let rows: Vec<Row> = self
            .session
            .all(sqlx::query_as(STRAYS).bind(batch.0))
            .await?;
        let strays = rows.into_iter().map(|row| {
            let (job, attempt, service, queued, sent_ms, tenure, epoch, host, since_ms, ended_ms) =
                row;
            let sender =
                (|| -> Option<SenderRow> { Some((tenure?, epoch?, host?, since_ms?, ended_ms)) })();
            stray(batch, (job, attempt, service, queued, sent_ms), sender)
        });
        let all: Vec<_> = strays.collect::<Result<_, _>>()?;
        if all.iter().all(|stray| stray.sender.is_none()) {
            return Ok(Strays {
                all,
                ..Strays::default()
            });
        }
        let (fences, now_ms) = self.fences().await?;
        Ok(Strays {
            all,
            fences,
            now_ms,
        })
    }
}
