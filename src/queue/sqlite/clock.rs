//! The runs whose clock had gone back, by the ledger's order. What that means stands in
//! `stored/clock.rs`.

use sqlx::SqliteConnection;

use crate::queue::StoreError;
use crate::queue::stored::SetBacks;
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

/// Reads the whole ledger. An index of the dates would make every entry dearer, and only an order
/// by the clock asks for them.
pub(super) async fn set_backs(
    connection: &mut SqliteConnection,
    now_ms: i64,
) -> Result<SetBacks, StoreError> {
    let runs = sqlx::query_as(SET_BACK)
        .bind(now_ms.saturating_add(time::CLOCK_STEP_MS))
        .bind(time::CLOCK_STEP_MS)
        .fetch_all(connection)
        .await?;
    Ok(SetBacks::of(runs))
}
