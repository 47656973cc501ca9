//! What to do when the queue cannot be used.

use crate::queue::QueueError;

/// What to do about a queue's fault, one line each. Never another database: it would know nothing
/// of what was wiped.
pub fn storage_hints(error: &QueueError) -> Vec<String> {
    let hint = match error {
        QueueError::Unfit(unfit) => return unfit.remedies(),
        QueueError::NotFound { .. } => {
            "`refleet run MANIFEST` creates it; is --db or REFLEET_DB right?"
        }
        QueueError::Foreign { .. } => "is --db or REFLEET_DB right?",
        QueueError::Unusable { .. } => {
            "see to that, and try again: what was wiped is known to this database alone"
        }
        QueueError::Newer { .. } => "use the version of refleet that has written it",
        QueueError::Older { .. } => "`refleet run` or `refleet load` brings it up to date",
        QueueError::Locked(_) => "wait until it has ended; `refleet status` shows how far it is",
        QueueError::Busy => "close whatever else has it open (a sqlite3 shell?) and try again",
        QueueError::Storage { .. } => {
            "nothing more was sent; see to the disk, then run again: nothing is repeated"
        }
        QueueError::Bug(_) => "please report this; nothing more was sent, and the ledger is intact",
    };
    vec![hint.to_owned()]
}
