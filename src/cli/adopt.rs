//! `refleet adopt`: the operator's word that a log is lost, and that the main file is all there is.

use clap::Args;

use super::database::{self, is_strange};
use super::error::CliError;
use super::global::{DATABASE, Global};
use super::output::{print_text, tell_prose};
use super::resolve::parse_reason;
use super::words::jobs;
use crate::exit::Exit;
use crate::job::BatchId;
use crate::queue::{Backend as _, Open, OpenError, QueueLock, SqliteQueue, Unfit};
use crate::time;

/// Take over a database whose log is lost, or a server's that was restored or promoted.
///
/// For a database file that was copied or restored without its -wal file, while a run had not
/// ended. Whatever that run may have sent is put in doubt and held, so that nothing is wiped twice;
/// `resolve` settles it.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// How you know that the log cannot be found; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,
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

/// What is open in a database that is not the one in which it was ordered.
async fn adopt_server(global: &Global, args: &AdoptArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Change).await?;
    let mut strange = Vec::new();
    for batch in queue.batches().await? {
        let is_final = batch.counts.total() == batch.counts.done + batch.counts.cancelled;
        if !is_final && is_strange(&mut queue, batch.id).await? {
            strange.push(batch.id);
        }
    }
    let mut adopted = Vec::new();
    let mut by_others = 0;
    if let Some(shared) = queue.shared() {
        for batch in &strange {
            let doubts = shared.adopt(*batch, &args.reason, time::now_ms()).await?;
            let Some(doubts) = doubts else {
                by_others += 1;
                tell_prose(&format!(
                    "batch {batch} was adopted by somebody else just now: `{} status --batch {batch}` tells how it stands\n",
                    global.command(None)
                ));
                continue;
            };
            adopted.extend((doubts > 0).then_some((*batch, doubts)));
        }
    }
    queue.close().await?;
    if strange.is_empty() {
        return Err(CliError::Usage(
            "nothing is to be adopted: what is open was ordered in this very database".to_owned(),
        ));
    }
    if by_others == strange.len() {
        return Ok(Exit::Done);
    }
    conclude(global, &adopted)
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
