//! What this host has seen of the ledger, held against what is in the database.
//!
//! The one fact to know: whoever is not sure that this is the database in which the ledger was written
//! sends nothing. So it is asked at the start of a command, on each new connection, at each renewal and
//! in each transaction of a run; and before a form goes to the wire, the line of its intent is on this
//! host's disk. What a disk refuses is said, and stops nothing: a host without a mark knows as much as
//! one that has never seen the ledger, and a full disk would be one more reason why nobody works.

use sqlx::PgConnection;
use uuid::Uuid;

use super::marks::MarkFile;
use super::server::Server;
use crate::queue::{DatabaseId, Identity, LedgerMark, Origin};

/// All that a line of the ledger says.
macro_rules! digest {
    () => {
        "sha256(convert_to(concat_ws('|', seq, job_id, coalesce(run_id, 0), attempt, kind, at_ms, body), 'UTF8'))"
    };
}
pub(super) use digest;

/// What the database says of itself, and the digest of the line with the number $1.
const LOOK: &str = concat!(
    "SELECT system_id, timeline, adoptions, noticed_why, (SELECT ",
    digest!(),
    " FROM ledger WHERE seq = $1), last.seq, last.digest
     FROM origin LEFT JOIN (SELECT seq, ",
    digest!(),
    " AS digest FROM ledger ORDER BY seq DESC LIMIT 1) AS last ON true"
);

/// Writes down that this is another database ($1: why, $2 and $3: which, $4 and $5: the line that is
/// missed), unless somebody who knows as much has done so; and ends all leases, so that no process goes
/// on that has begun before it.
const NOTICE: &str = "WITH noticed AS (
         UPDATE origin SET noticed_at = clock_timestamp(), noticed_why = $1, noticed_system_id = $2,
                           noticed_timeline = $3, noticed_adoptions = $4, noticed_line = $5
         WHERE noticed_at IS NULL OR (noticed_system_id, noticed_timeline) <> ($2, $3)
               OR (noticed_adoptions, noticed_line) < ($4, $5)
         RETURNING number)
     UPDATE lease SET released_at = clock_timestamp()
     WHERE released_at IS NULL AND EXISTS (SELECT 1 FROM noticed)";

/// System identifier, timeline, adoptions, why it was noticed, the digest of the line that is looked for.
pub(super) type OriginRow = (i64, i64, i32, Option<String>, Option<Vec<u8>>);

/// The same, and the number and the digest of the last line.
type LookRow = (
    i64,
    i64,
    i32,
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
);

/// A line of the ledger: its number, and the digest of all that it says.
pub(super) type Line = (i64, Vec<u8>);

/// What this host has seen of the ledger.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    mark: Option<LedgerMark>,
    /// `None`: nobody has asked yet which ledger it is, or this host keeps no marks.
    file: Option<MarkFile>,
    /// It was found to be the database in which the ledger was written.
    was_sure: bool,
    /// Why the disk does not keep the mark.
    fault: Option<String>,
    /// The last that was told of it.
    told: Option<String>,
}

impl Sight {
    pub(super) fn was_sure(&self) -> bool {
        self.was_sure
    }

    /// Why the disk does not keep the mark, where that was not told yet.
    pub(super) fn news(&mut self) -> Option<&str> {
        if self.fault == self.told {
            return None;
        }
        self.told.clone_from(&self.fault);
        self.fault.as_deref()
    }

    pub(super) fn mark(&self) -> Option<LedgerMark> {
        self.mark
    }

    /// The number of the line that is to be looked for.
    pub(super) fn line(&self) -> i64 {
        self.mark.map_or(0, |mark| mark.line)
    }

    /// Whether the database `now`, at the end of `connection`, is the one in which the ledger was written.
    /// If it is, what is there was seen by now.
    pub(super) async fn look(
        &mut self,
        connection: &mut PgConnection,
        server: &Server,
        now: DatabaseId,
    ) -> Result<Identity, sqlx::Error> {
        self.remember(connection, server).await?;
        let look = sqlx::query_as(LOOK).bind(self.line());
        let (system, timeline, adoptions, noticed, there, seq, digest): LookRow =
            look.fetch_one(&mut *connection).await?;
        let row = (system, timeline, adoptions, noticed, there);
        let identity = self.judge(&row, now);
        if identity == Identity::Same {
            self.was_sure = true;
            self.see(adoptions, seq.zip(digest)).await;
        }
        Ok(identity)
    }

    /// The rule, by what the database says.
    pub(super) fn judge(&self, row: &OriginRow, now: DatabaseId) -> Identity {
        let (system, timeline, adoptions, noticed, there) = row;
        let ledger = Origin {
            database: DatabaseId {
                system: *system,
                timeline: *timeline,
            },
            adoptions: adoptions.unsigned_abs(),
        };
        let there = there.as_deref().and_then(|digest| digest.try_into().ok());
        match (Identity::judge(ledger, now, self.mark, there), noticed) {
            // Another host has seen what this one has not.
            (Identity::Same, Some(why)) => Identity::Another {
                why: why.clone(),
                missed: None,
            },
            (identity, _) => identity,
        }
    }

    /// `line` was seen, in a database that is the ledger's. It is on this host's disk when this returns.
    pub(super) async fn see(&mut self, adoptions: i32, line: Option<Line>) {
        let Some((line, digest)) = line else {
            return;
        };
        let Ok(digest) = digest.try_into() else {
            return;
        };
        let mark = LedgerMark {
            adoptions: adoptions.unsigned_abs(),
            line,
            digest,
        };
        if self.mark.is_some_and(|known| !mark.is_beyond(&known)) {
            return;
        }
        self.mark = Some(mark);
        let Some(file) = self.file.clone() else {
            return;
        };
        let kept = tokio::task::spawn_blocking(move || file.keep(mark)).await;
        let kept = kept.map_err(std::io::Error::other).flatten();
        self.fault = kept.err().map(|error| error.to_string());
    }

    /// Asks which ledger it is, and reads what this host has kept of it.
    async fn remember(
        &mut self,
        connection: &mut PgConnection,
        server: &Server,
    ) -> Result<(), sqlx::Error> {
        if let Some(folder) = server.marks()
            && self.file.is_none()
        {
            let ledger = sqlx::query_as("SELECT ledger::text FROM origin");
            let (ledger,): (String,) = ledger.fetch_one(connection).await?;
            let ledger =
                Uuid::parse_str(&ledger).map_err(|error| sqlx::Error::Decode(error.into()))?;
            self.file = Some(MarkFile::new(folder, ledger));
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        match file.read() {
            Ok(Some(mark)) if self.mark.is_none_or(|known| mark.is_beyond(&known)) => {
                self.mark = Some(mark);
            }
            Ok(_) => {}
            Err(error) => self.fault = Some(error.to_string()),
        }
        Ok(())
    }
}

/// Writes down in the database that it is another one.
pub(super) async fn notice(
    connection: &mut PgConnection,
    now: DatabaseId,
    why: &str,
    missed: Option<LedgerMark>,
) -> Result<(), sqlx::Error> {
    let (adoptions, line) = missed.map_or((0, 0), |mark| (mark.adoptions, mark.line));
    let notice = sqlx::query(NOTICE)
        .bind(why)
        .bind(now.system)
        .bind(now.timeline)
        .bind(i32::try_from(adoptions).unwrap_or(i32::MAX))
        .bind(line);
    notice.execute(connection).await?;
    Ok(())
}
