//! What to do when the queue cannot be used.

use crate::queue::{OpenError, StoreError, Trouble};

/// What to do about a database that can't be opened, one line each. Never another database: it would
/// know nothing of what was wiped.
pub fn open_hints(error: &OpenError) -> Vec<String> {
    let hint = match error {
        OpenError::Store(error) => return storage_hints(error),
        OpenError::Unfit(unfit) => return unfit.remedies(),
        OpenError::Server { remedy, .. } => remedy,
        OpenError::Standby { .. } => {
            "give the address of the primary; `refleet status` and `refleet report` can read here"
        }
        OpenError::NotFound { .. } => {
            "`refleet run MANIFEST` creates it; is --db or REFLEET_DB right?"
        }
        OpenError::Foreign { .. } => "is --db or REFLEET_DB right?",
        OpenError::Unusable { .. } => {
            "see to that, and try again: what was wiped is known to this database alone"
        }
        OpenError::Newer { .. } => "use the version of refleet that has written it",
        OpenError::Older { .. } => "`refleet run` or `refleet load` brings it up to date",
    };
    vec![hint.to_owned()]
}

/// What to do about a queue's fault, one line each.
pub fn storage_hints(error: &StoreError) -> Vec<String> {
    let hint = match error {
        StoreError::Locked(holder) if holder.until_ms.is_some() => {
            "wait until it has ended; where it has died, this command takes over when its lease has run out, and `refleet work` waits for that by itself; `refleet hosts` shows who works"
        }
        StoreError::LeaseLost { .. } => "`refleet status` shows which, and how far it is",
        StoreError::Locked(_) => "wait until it has ended; `refleet status` shows how far it is",
        StoreError::Busy => {
            "close whatever else has it open (a sqlite3 or psql shell?) and try again; a server gives up what a host has begun that fell silent, within a minute"
        }
        StoreError::Server { trouble, .. } => of_server(*trouble),
        StoreError::Another { .. } => {
            "nothing more was sent. See to it that nobody works with the other database any more, then `refleet adopt --reason TEXT`: it puts in doubt whatever may have been sent"
        }
        StoreError::Storage { .. } => {
            "nothing more was sent; see to the disk, then run again: nothing is repeated"
        }
        StoreError::Gone { .. } => {
            "nothing more was sent. It alone knows what was wiped: bring that very file back, with its -wal beside it, before anything is run again. A NEW DATABASE WOULD WIPE EVERYTHING ONCE MORE"
        }
        StoreError::Bug(_) => "please report this; nothing more was sent, and the ledger is intact",
    };
    vec![hint.to_owned()]
}

fn of_server(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Away => {
            "nothing more was sent; see to the server and the way to it, then run again: nothing is repeated"
        }
        Trouble::Refuses => {
            "nothing more was sent; see to the rights of the role, which README.md names, then run again: nothing is repeated"
        }
        Trouble::ReadOnly => {
            "nothing more was sent; give the address of the primary, or wait until this one is, then run again: nothing is repeated"
        }
        Trouble::Overloaded => {
            "nothing more was sent; see to the server's load (pg_stat_activity) and its limits, then run again: nothing is repeated"
        }
    }
}
