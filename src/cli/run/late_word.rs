//! Outcomes that a run could not write in time: kept where they can be kept, and heard by whoever works next.
//!
//! Only the process that has sent a form knows what became of it. Where it has lost its lease, it says so
//! in the database as testimony; where it has lost the database, in a file of this machine, and the next
//! run here hands that in.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::cli::words::jobs;
use crate::config;
use crate::job::{BatchId, State, Transition};
use crate::queue::{Backend as _, Decision, LateWord, Lease, Queue, Selection};
use crate::run::hosts::{Heard, Testimony};
use crate::text;

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Spooled {
    /// Of which queue it speaks.
    database: PathBuf,
    word: LateWord,
}

/// Keeps what a run has learned under `lease`, and its queue has not taken.
pub async fn leave(queue: &mut Queue, lease: &Lease, unwritten: &[Transition]) {
    let words: Vec<LateWord> = unwritten
        .iter()
        .map(|step| LateWord {
            job: step.job,
            attempt: step.to.attempt,
            run: lease.run(),
            tenure: lease.tenure().to_string(),
            at_ms: step.at_ms,
            entry: step.entry.clone(),
        })
        .collect();
    let database = queue.shown();
    let Some(shared) = queue.shared() else {
        return;
    };
    let mut left = Vec::new();
    for word in words {
        match shared.testify(&word).await {
            Ok(true) => {}
            Ok(false) => tell_unknown(&word),
            Err(_) => left.push(word),
        }
    }
    if left.is_empty() {
        return;
    }
    let count = jobs(left.len() as u64);
    let lines = left.into_iter().map(|word| Spooled {
        database: database.clone(),
        word,
    });
    match spool(lines) {
        Ok(path) => tell_prose(&format!(
            "what became of {count} is kept in {}: the next run on this machine hands it in\n",
            text::printable(&path.display().to_string())
        )),
        Err(error) => tell_prose(&format!(
            "warning: what became of {count} is lost, and will be in doubt: {error}\n"
        )),
    }
}

/// Hands in what earlier runs of this machine could not.
pub async fn hand_in(queue: &mut Queue) -> Result<(), CliError> {
    let database = queue.shown();
    let Some(shared) = queue.shared() else {
        return Ok(());
    };
    let Some(path) = place().filter(|path| path.exists()) else {
        return Ok(());
    };
    let failed = |source| CliError::Output {
        what: path.display().to_string(),
        source,
    };
    let mut file = open(&path).map_err(failed)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let mut kept = String::new();
    for line in text.lines() {
        // A line that was cut off in the middle of a write says nothing.
        match serde_json::from_str::<Spooled>(line) {
            Ok(spooled) if spooled.database == database => {
                if !shared.testify(&spooled.word).await? {
                    tell_unknown(&spooled.word);
                }
            }
            Ok(_) => {
                kept.push_str(line);
                kept.push('\n');
            }
            Err(error) => tracing::debug!(%error, "a late word cannot be read"),
        }
    }
    let rewritten = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(kept.as_bytes()))
        .and_then(|()| file.sync_all());
    rewritten.map_err(failed)
}

/// Says what became of a submission that the database does not know: it lost that with the run that made it.
fn tell_unknown(word: &LateWord) {
    let (batch, line) = (word.job.stored() >> 32, word.job.stored() & 0xffff_ffff);
    tell_prose(&format!(
        "warning: attempt {} of line {line} of batch {batch} was sent by a run that this database does not have, and its outcome was `{}`: look at what stands there\n",
        word.attempt,
        word.entry.kind()
    ));
}

/// Hears what was said late of `batch`, and writes what follows from it: before its run begins and after that
/// has ended, or where nobody works on it, since a run does not expect that a doubt turns into something to be
/// waited for. `Err`: something that can't be true together with the ledger.
pub async fn hear(queue: &mut Queue, batch: BatchId) -> Result<(), CliError> {
    let unheard = match queue.shared() {
        Some(shared) => shared.unheard(batch).await?,
        None => Vec::new(),
    };
    let mut contradictions = Vec::new();
    for unheard in unheard {
        let testimony = Testimony {
            tenure: unheard.tenure,
            attempt: unheard.word.attempt,
            entry: unheard.word.entry,
        };
        let sender = unheard.sender;
        let decide: &Decision<'_> = &|job, _| match testimony.hear(&job.record, sender.as_ref()) {
            Heard::Write(entry) => Ok(*entry),
            Heard::Known => Err(String::new()),
            Heard::Contradiction(contradiction) => Err(contradiction.to_string()),
        };
        let service = Selection::Services(vec![unheard.service]);
        let heard = queue
            .command(batch, &service, State::ALL, decide, unheard.word.at_ms)
            .await?;
        let refused = heard.refused.into_iter();
        let shown = refused.filter(|(_, why)| !why.is_empty());
        contradictions.extend(shown.map(|(service, why)| format!("service {service}: {why}")));
        if let Some(shared) = queue.shared() {
            shared.heard(unheard.id).await?;
        }
    }
    if contradictions.is_empty() {
        Ok(())
    } else {
        Err(CliError::Contradiction(contradictions))
    }
}

fn place() -> Option<PathBuf> {
    let state = config::own_folder("XDG_STATE_HOME", ".local/state")?;
    Some(state.join("refleet/late.ndjson"))
}

/// Waits until nobody else writes it.
fn open(path: &PathBuf) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

/// On the disk when it returns.
fn spool(lines: impl Iterator<Item = Spooled>) -> io::Result<PathBuf> {
    let path = place().ok_or_else(|| io::Error::other("neither HOME nor XDG_STATE_HOME is set"))?;
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = open(&path)?;
    file.seek(io::SeekFrom::End(0))?;
    for line in lines {
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        file.write_all(text.as_bytes())?;
    }
    file.sync_all()?;
    Ok(path)
}
