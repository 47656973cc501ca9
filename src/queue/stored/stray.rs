//! Strays, as they are read.

use super::decode::{damaged, service_id};
use super::rows::batch_of;
use crate::job::{BatchId, JobId};
use crate::queue::{Attempt, Sender, StoreError, Stray, Tenure};

/// The job `$job` holds a submission that may be a stray: its outcome is unknown, or nobody but an operator
/// has said what became of it. The condition of the index `job_stray`, word for word: else SQLite does not
/// know that it may use that.
macro_rules! may_be_stray {
    ($job:literal) => {
        concat!(
            "(",
            $job,
            ".executed_now = 'maybe' AND ",
            $job,
            ".state <> 'submitting' OR ",
            $job,
            ".evidence = 'operator')"
        )
    };
}
pub(in crate::queue) use may_be_stray;

/// No stray of the service of `job` is in the way, but for those among `$over`.
macro_rules! no_stray_but {
    ($over:literal) => {
        concat!(
            "AND NOT EXISTS (SELECT 1 FROM job AS stray WHERE stray.service_id = job.service_id AND ",
            crate::queue::stored::may_be_stray!("stray"),
            " AND stray.id || ':' || stray.attempt ",
            $over,
            ")"
        )
    };
}
pub(in crate::queue) use no_stray_but;

/// The job, its attempt, its service, whether a job of the batch is queued for that, when it was sent.
pub type StrayRow = (i64, i64, i64, bool, i64);

/// Who may still send it: tenure, epoch, host, since when, when it has said that it ended.
pub type SenderRow = (String, i64, String, i64, Option<i64>);

/// A stray, as `batch` sees it.
pub fn stray(
    batch: BatchId,
    (job, number, service, is_in_the_way, sent_ms): StrayRow,
    sender: Option<SenderRow>,
) -> Result<Stray, StoreError> {
    let job = JobId::from_stored(job);
    let sender = sender.map(
        |(id, epoch, host, since_ms, ended_ms)| -> Result<_, StoreError> {
            let tenure = Tenure {
                id: id.parse().map_err(|_| damaged("a tenure"))?,
                epoch,
                host,
                since_ms,
            };
            Ok(Sender { tenure, ended_ms })
        },
    );
    Ok(Stray {
        attempt: Attempt {
            job,
            number: u32::try_from(number).map_err(|_| damaged("an attempt"))?,
        },
        batch: batch_of(job),
        service: service_id(service)?,
        is_own: batch_of(job) == batch,
        is_in_the_way,
        sent_ms,
        sender: sender.transpose()?,
    })
}
