//! Whether the database is still the one in which the intents lie.
//!
//! A standby that was promoted has what had reached it, and a dump what was in it: an intent whose form is
//! on the wire may be in neither. The promoted one has another timeline and the dump another system
//! identifier; a copy of the disk that was put back has neither, and only somebody who has seen the ledger
//! further on can tell. So each host keeps how far it has seen it.

use std::time::Duration;

/// What PostgreSQL says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseId {
    /// Of the cluster: `initdb` draws it.
    pub system: i64,
    /// Counts the promotions and recoveries to a point in time.
    pub timeline: i64,
}

/// In which database a ledger was begun, or adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// That database.
    pub database: DatabaseId,
    /// How often the ledger was adopted.
    pub adoptions: u32,
}

/// The furthest line of a ledger that a host has seen, as it keeps it on its own disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerMark {
    /// How often the ledger had been adopted by then: each adoption counts anew.
    pub adoptions: u32,
    /// Its number. Alone it would not do: a ledger that was cut grows past it again, with other lines.
    pub line: i64,
    /// Of all that the line says.
    pub digest: [u8; 32],
}

impl LedgerMark {
    /// It says more than `other`.
    pub fn is_beyond(&self, other: &Self) -> bool {
        (self.adoptions, self.line) > (other.adoptions, other.line)
    }
}

/// Whether a ledger may be worked with in this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Each intent that was committed is in it.
    Same,
    /// An intent may be missing: all that is not final is held until somebody has said `adopt`.
    Another {
        /// What shows it.
        why: String,
        /// The line that this host has seen, and that is not there.
        missed: Option<LedgerMark>,
    },
}

impl Identity {
    /// `mark`: what this host has seen, and `there`: the digest of the line with that number in the database
    /// (`None`: it has no such line).
    pub fn judge(
        ledger: Origin,
        now: DatabaseId,
        mark: Option<LedgerMark>,
        there: Option<[u8; 32]>,
    ) -> Self {
        let made = ledger.database;
        let is_missed = |mark: &LedgerMark| {
            mark.adoptions > ledger.adoptions
                || mark.adoptions == ledger.adoptions && there != Some(mark.digest)
        };
        let missed = mark.filter(is_missed);
        let why = if made.system != now.system {
            format!(
                "its ledger was written in the one with system identifier {}, and this one has {}: a dump was restored, or it is another one altogether",
                made.system, now.system
            )
        } else if made.timeline != now.timeline {
            format!(
                "its ledger was written on timeline {}, and this is timeline {}: a standby was promoted, or an older state was recovered",
                made.timeline, now.timeline
            )
        } else if let Some(LedgerMark { line, .. }) = missed {
            format!(
                "this host has seen line {line} of its ledger, and that is gone, or another one stands there now: an older copy was put back"
            )
        } else {
            return Self::Same;
        };
        Self::Another { why, missed }
    }
}

/// From the moment at which somebody notices that the database is another one until `adopt` is taken.
///
/// Whoever notices it ends all leases in this database, so that no tenure has made attempts in both, and
/// writes down when that was. The hosts that work with the lost one can't be told: they have to run out of
/// trust, and what they have sent has to take effect or be lost. Only then does who looks at the instances
/// see all that the lost intents have done.
pub fn wait_before_adoption(lease: Duration, request: Duration, settle: Duration) -> Duration {
    lease.saturating_add(request).saturating_add(settle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: DatabaseId = DatabaseId {
        system: 7_123,
        timeline: 1,
    };
    const MARK: LedgerMark = LedgerMark {
        adoptions: 1,
        line: 40,
        digest: [4; 32],
    };

    /// Why a ledger that was adopted so often is held.
    fn why(
        adoptions: u32,
        now: DatabaseId,
        mark: Option<LedgerMark>,
        there: Option<[u8; 32]>,
    ) -> Option<String> {
        let ledger = Origin {
            database: HERE,
            adoptions,
        };
        match Identity::judge(ledger, now, mark, there) {
            Identity::Same => None,
            Identity::Another { why, .. } => Some(why),
        }
    }

    #[test]
    fn the_same_database_is_known() {
        assert_eq!(why(0, HERE, None, None), None);
        assert_eq!(why(1, HERE, Some(MARK), Some(MARK.digest)), None);
    }

    #[test]
    fn a_dump_and_a_standby_are_known_by_what_postgresql_says_of_itself() {
        let dump = DatabaseId { system: 8, ..HERE };
        assert!(
            why(0, dump, None, None)
                .unwrap()
                .contains("a dump was restored")
        );
        let standby = DatabaseId {
            timeline: 2,
            ..HERE
        };
        let why = why(0, standby, None, None).unwrap();
        assert!(why.contains("was promoted"));
    }

    #[test]
    fn a_copy_that_was_put_back_is_known_by_the_line_that_a_host_has_seen() {
        let another = Some([5; 32]);
        for there in [None, another] {
            let why = why(1, HERE, Some(MARK), there).unwrap();
            assert!(why.contains("line 40 of its ledger"));
        }
    }

    #[test]
    fn an_adoption_begins_a_new_count_and_one_that_is_gone_shows() {
        assert_eq!(why(2, HERE, Some(MARK), None), None);
        assert!(why(0, HERE, Some(MARK), Some(MARK.digest)).is_some());
    }

    #[test]
    fn before_adoption_all_that_may_be_on_its_way_is_waited_for() {
        let [lease, request, settle] = [60, 30, 45].map(Duration::from_secs);
        let wait = wait_before_adoption(lease, request, settle);
        assert_eq!(wait, Duration::from_secs(135));
    }
}
