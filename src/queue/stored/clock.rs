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

use crate::job::RunId;
use crate::queue::past::SetBack;

/// The runs whose clock had gone back: from which entry on it shows, and how.
#[derive(Debug, Default)]
pub struct SetBacks(HashMap<RunId, (i64, SetBack)>);

impl SetBacks {
    /// Of rows of run, entry, its date, and the latest date that stood there before it.
    pub fn of(rows: Vec<(i64, i64, i64, i64)>) -> Self {
        let step = |(run, seq, to_ms, from_ms)| (RunId(run), (seq, SetBack { from_ms, to_ms }));
        Self(rows.into_iter().map(step).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How the clock had gone back when `run` wrote entry `seq`. Once it had, all that the same run
    /// wrote is doubtful, although its dates may have risen above the older ones again.
    pub fn before(&self, run: RunId, seq: i64) -> Option<SetBack> {
        let (first, set_back) = self.0.get(&run)?;
        (seq >= *first).then_some(*set_back)
    }
}
