//! `refleet adopt`: the operator's word that a log is lost, and that the main file is all there is.

use std::time::Duration;

use clap::Args;

use super::control::operator;
use super::database::{self, make_sure};
use super::error::CliError;
use super::global::{DATABASE, Global};
use super::output::{print_text, tell_prose};
use super::recorded::waits_of;
use super::resolve::parse_reason;
use super::words::jobs;
use crate::exit::Exit;
use crate::job::BatchId;
use crate::queue::identity::wait_before_adoption;
use crate::queue::{
    Backend as _, Open, OpenError, Overview as _, Queue, QueueLock, SqliteQueue, StoreError, Unfit,
};
use crate::run::hosts::Waits;
use crate::time;
const EXAMPLES: &str = "\
Examples:
  refleet adopt --reason \"restored from the backup, the -wal file is gone\"
  refleet adopt --wait --reason \"restored from last night's dump\"";

/// Take over a database whose log is lost, or a server's that was restored or promoted.
///
/// For a database file that was copied or restored without its -wal file, while a run had not
/// ended. Whatever that run may have sent is put in doubt and held, so that nothing is wiped twice;
/// `resolve` settles it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AdoptArgs {
    /// How you know that the log cannot be found; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,

    /// On a server: wait until what was sent with the other database has taken effect or is lost
    #[arg(long)]
    pub wait: bool,
}

pub async fn adopt(global: &Global, args: &AdoptArgs) -> Result<Exit, CliError> {
    let location = global.database(DATABASE)?;
    let Some(path) = location.file() else {
        return adopt_server(global, args).await;
    };
    match SqliteQueue::open(path, Open::Change).await {
        Err(OpenError::Unfit(Unfit::LogMissing { .. })) => {}
        Ok(queue) => {
            queue.close().await?;
            return Err(CliError::Usage(
                "nothing is to be adopted: this database lacks no log".to_owned(),
            ));
        }
        Err(error) => return Err(error.into()),
    }
    let _lock = QueueLock::acquire(path)?;
    let mut queue = SqliteQueue::open(path, Open::WithoutLog).await?;
    database::tell_notes(global, queue.notes());
    let adopted = queue.adopt(&args.reason, time::now_ms()).await?;
    queue.close().await?;
    let adopted = adopted.filter(|(_, doubts)| *doubts > 0);
    conclude(global, adopted.as_slice())
}

/// What is not final in a database that is not the one in which the ledger was written.
async fn adopt_server(global: &Global, args: &AdoptArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Change).await?;
    let lease = global.lease;
    let mut is_overtaken = false;
    let adopted = loop {
        match make_sure(&mut queue).await {
            Err(CliError::Store(StoreError::Another { .. })) => {}
            Err(error) => return Err(error),
            Ok(()) if is_overtaken => {
                queue.close().await?;
                tell_prose(&format!(
                    "the database was adopted by somebody else just now: `{} status` tells how its orders stand\n",
                    global.command(None)
                ));
                return Ok(Exit::Done);
            }
            Ok(()) => {
                queue.close().await?;
                return Err(CliError::Usage(
                    "nothing is to be adopted: this is the very database in which the ledger was written"
                        .to_owned(),
                ));
            }
        }
        let (open, wait) = what_is_open(&mut queue, lease).await?;
        let Some(shared) = queue.shared() else {
            break Vec::new();
        };
        let Some(notice) = shared.noticed().await? else {
            continue;
        };
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until_ms = notice.at_ms().saturating_add(wait_ms);
        let left = time::between(notice.now_ms, until_ms);
        if !left.is_zero() {
            if !args.wait {
                queue.close().await?;
                return Err(CliError::AdoptedTooEarly { until_ms });
            }
            tell_prose(&format!(
                "waiting until {}: what was sent with the other database may still take effect\n",
                time::human(until_ms)
            ));
            tokio::time::sleep(left).await;
            continue;
        }
        let by = operator();
        let word = (by.as_str(), args.reason.as_str());
        if let Some(doubts) = shared.adopt(&notice, &open, word, time::now_ms()).await? {
            break doubts;
        }
        is_overtaken = true;
    };
    make_sure(&mut queue).await?;
    queue.close().await?;
    let adopted: Vec<_> = adopted
        .into_iter()
        .filter(|(_, doubts)| *doubts > 0)
        .collect();
    conclude(global, &adopted)
}

/// The batches that are not final, and for how long what was sent of them may still take effect.
async fn what_is_open(
    queue: &mut Queue,
    lease: Duration,
) -> Result<(Vec<BatchId>, Duration), CliError> {
    let mut open = Vec::new();
    let mut wait = Duration::ZERO;
    for batch in queue.batches().await? {
        let counts = batch.counts;
        if counts.total() == counts.done + counts.cancelled {
            continue;
        }
        let options = queue.options(batch.id).await?.unwrap_or_default();
        let Waits { request, settle } = waits_of(&options);
        wait = wait.max(wait_before_adoption(lease, request, settle));
        open.push(batch.id);
    }
    Ok((open, wait))
}

/// Says what is in doubt now, and what to do about it.
fn conclude(global: &Global, adopted: &[(BatchId, u64)]) -> Result<Exit, CliError> {
    if adopted.is_empty() {
        print_text("adopted: nothing can have been sent that is not known\n")?;
        return Ok(Exit::Done);
    }
    let command = global.command(None);
    for (batch, doubts) in adopted {
        print_text(&format!(
            "adopted: {} of batch {batch} may have been sent, and are in doubt now\n",
            jobs(*doubts)
        ))?;
        tell_prose(&format!(
            "hint: `{command} list --state in_doubt --batch {batch}` names them; see in the account what stands there\n\
             hint: `{command} resolve SERVICE_ID --batch {batch} --as WORD --reason TEXT` (done, requeue or failed) settles a doubt\n"
        ));
    }
    Ok(Exit::InDoubt)
}
