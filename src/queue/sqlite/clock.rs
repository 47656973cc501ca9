//! Where the ledger's order contradicts its dates: runs whose clock had gone back.
//!
//! The one fact to know: an entry is never older than one that was written before it. Where its date
//! says so, one of the two was dated by a wrong clock. A date that lies in the future gives itself
//! away. Of two that have passed nobody can tell which one is wrong: the later one is taken for what
//! it says (what was written after it is no older), and how much younger that is stays open.
//!
//! Nothing is to be seen where the clock was behind from the first entry on, or where it lagged by so
//! little that the dates still rose: such a ledger looks like any other.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use crate::job::RunId;
use crate::queue::StoreError;
use crate::queue::past::SetBack;
use crate::time;

/// Of each run with an entry that is dated more than ?2 before something that stood there already
/// and is not dated later than ?1: the first such entry, its date, and the latest that stood there.
///
/// What stood there before an entry includes its order and the beginning of its run.
const SET_BACK: &str = "WITH entry AS (
         SELECT ledger.seq, ledger.run_id, ledger.at_ms,
                max(iif(ledger.at_ms <= ?1, ledger.at_ms, 0), iif(run.started_ms <= ?1, run.started_ms, 0),
                    iif(batch.created_ms <= ?1, batch.created_ms, 0)) AS known_ms
         FROM ledger LEFT JOIN run ON run.id = ledger.run_id
                     LEFT JOIN batch ON batch.id = ledger.job_id >> 32)
     SELECT run_id, min(seq), at_ms, latest_ms
     FROM (SELECT seq, run_id, at_ms, max(known_ms) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS latest_ms
           FROM entry)
     WHERE run_id IS NOT NULL AND at_ms < latest_ms - ?2 GROUP BY run_id";

/// The runs whose clock had gone back: from which entry on it shows, and how.
#[derive(Debug, Default)]
pub(super) struct SetBacks(HashMap<RunId, (i64, SetBack)>);

impl SetBacks {
    /// Reads the whole ledger. An index of the dates would make every entry dearer, and only an order
    /// by the clock asks for them.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let runs: Vec<(i64, i64, i64, i64)> = sqlx::query_as(SET_BACK)
            .bind(now_ms.saturating_add(time::CLOCK_STEP_MS))
            .bind(time::CLOCK_STEP_MS)
            .fetch_all(connection)
            .await?;
        let step = |(run, seq, to_ms, from_ms)| (RunId(run), (seq, SetBack { from_ms, to_ms }));
        Ok(Self(runs.into_iter().map(step).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How the clock had gone back when `run` wrote entry `seq`. Once it had, all that the same run
    /// wrote is doubtful, although its dates may have risen above the older ones again.
    pub(super) fn before(&self, run: RunId, seq: i64) -> Option<SetBack> {
        let (first, set_back) = self.0.get(&run)?;
        (seq >= *first).then_some(*set_back)
    }
}
