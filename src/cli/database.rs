//! Opens the database of a command, and says what is to be known about where it lies.

use super::error::{CliError, storage_hints, typed};
use super::global::{DATABASE, Global, SIMULATION_DATABASE};
use super::output::tell_prose;
use crate::job::Action;
use crate::queue::{Backend as _, Note, Open, OpenError, Queue, StoreError};
use crate::text;

/// Opens the database of `global`, and says what is to be known about where it lies.
pub async fn open(global: &Global, mode: Open) -> Result<Queue, CliError> {
    let location = global.database(DATABASE)?;
    let queue = match Queue::open(&location, mode).await {
        Err(OpenError::NotFound { path }) if global.db.is_none() => {
            // A rehearsal has a database of its own; after one, that is the database that is meant.
            let rehearsal = global.database(SIMULATION_DATABASE)?.shown();
            return Err(if rehearsal.exists() {
                CliError::OnlyRehearsed { path, rehearsal }
            } else {
                OpenError::NotFound { path }.into()
            });
        }
        opened => opened?,
    };
    tell_notes(global, queue.notes());
    Ok(queue)
}

/// Says what is to be known about where a database lies. `-q` does not silence it: each of these notes
/// needs a human.
pub fn tell_notes<'a>(global: &Global, notes: impl IntoIterator<Item = &'a Note>) {
    for note in notes {
        tell_prose(&format!("warning: {note}\n"));
        for remedy in note.remedies() {
            let remedy = typed(&remedy, &global.command(None));
            tell_prose(&format!("hint: {remedy}\n"));
        }
    }
}

/// Before an order of `action`, warns of a new database, which knows of nothing that was done before:
/// its path may be mistyped.
pub async fn announce_if_empty(queue: &mut Queue, action: Action) -> Result<(), CliError> {
    if queue.batches().await?.is_empty() {
        tell_prose(&format!(
            "{} is a new database: it knows of nothing that was {} before\n",
            text::printable(&queue.shown().display().to_string()),
            action.terms().touched
        ));
    }
    Ok(())
}

/// `Err`: this is not the database in which its ledger was written, but one that was restored or promoted. An
/// intent whose form is on the wire may be missing here, so that nothing is sent by what is in it.
pub async fn make_sure(queue: &mut Queue) -> Result<(), CliError> {
    if let Some(shared) = queue.shared() {
        shared.make_sure().await?;
    }
    tell_unkept(queue);
    Ok(())
}

/// For who only reads: warns that this is not the database in which its ledger was written, so that what is told
/// of it may be older than what was done.
pub async fn tell_another(global: &Global, queue: &mut Queue) -> Result<(), CliError> {
    if let Some(why) = queue.why_another().await? {
        let another = StoreError::Another { why };
        tell_prose(&format!("warning: {another}\n"));
        for hint in storage_hints(&another) {
            let hint = typed(&hint, &global.command(None));
            tell_prose(&format!("hint: {hint}\n"));
        }
    }
    Ok(())
}

/// Says that this host does not keep how far it has seen the ledger, if it does not.
pub fn tell_unkept(queue: &mut Queue) {
    let Some(why) = queue.shared().and_then(|shared| shared.unkept()) else {
        return;
    };
    tell_prose(&format!(
        "warning: this host can't keep on its disk how far it has seen the ledger: {}; if an older copy of the database is put back, it may not notice\n",
        text::printable(why)
    ));
}
