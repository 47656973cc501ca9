//! Passwords and keys that were corrected in the file of an order that is still open.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::options::OrderOptions;
use super::sheet::{Sheet, is_of, sound_rows};
use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::cli::words::jobs;
use crate::job::{Order, ServiceId};
use crate::progress::Verbosity;
use crate::queue::{AccessNews, Admission, Backend as _, Batch, Given, Queue, Store};
use crate::text;

/// What the sheet says now of the access of `batch`, which is about to be resumed for it. Changes
/// nothing.
pub async fn look(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: &Batch,
    options: OrderOptions,
) -> Result<AccessNews, CliError> {
    let news = compare(queue, sheet, batch).await?;
    let is_same = batch.identity == *sheet.validated.identity.as_bytes() || is_whole(&news, batch);
    if !is_same && news.queued < batch.counts.queued {
        return Err(CliError::NotInSheet {
            batch: batch.id,
            services: not_in_sheet(queue, sheet, batch).await?,
        });
    }
    if changes(&news) > 0 && !options.update_access && !is_of(sheet, batch)? {
        return Err(CliError::OtherFile {
            batch: batch.id,
            manifest: batch.manifest.clone(),
            jobs: news.taken.max(news.pins).max(news.groups),
        });
    }
    Ok(news)
}

/// The sheet is the batch's order, whatever it says of access.
pub async fn is_same_but_for_access(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: &Batch,
) -> Result<bool, CliError> {
    Ok(batch.counts.total() == sheet.validated.plan.rows
        && is_whole(&compare(queue, sheet, batch).await?, batch))
}

/// Gives the jobs what [`look`] said that they take. The caller holds the queue.
pub async fn take(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: &Batch,
    news: &AccessNews,
) -> Result<(), CliError> {
    let identity = *sheet.validated.identity.as_bytes();
    let renamed = batch.identity != identity && is_whole(news, batch);
    if changes(news) > 0 || renamed {
        let given = Given {
            manifest: sheet.source.name(),
            identity: renamed.then_some(identity),
        };
        let mut rows = sound_rows(sheet.source, sheet.validated)?;
        let taken = queue.take_access(batch.id, given, &mut rows).await;
        taken.map_err(|error| CliError::of_order(batch.action, error))?;
    }
    Ok(())
}

/// How much of the batch the sheet changes.
pub fn changes(news: &AccessNews) -> u64 {
    news.taken + news.pins + news.groups
}

/// Says which jobs take another access, and which keep the old one. `-q` silences it only where no
/// job keeps the old one: somebody might try the new password there, in vain. Pins that are gone are
/// always said.
pub fn tell(
    news: &AccessNews,
    sheet: &Sheet<'_>,
    batch: &Batch,
    command: &str,
    verbosity: Verbosity,
) {
    let name = text::brief(sheet.source.name(), 200);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let kept = news.kept + news.done;
    if news.taken > 0 && (verbosity != Verbosity::Quiet || news.kept > 0) {
        let (take, who) = match news.taken {
            1 => ("takes", "1 queued job".to_owned()),
            taken => ("take", format!("{taken} queued jobs")),
        };
        let _ = write!(
            text,
            "{who} {take} the password or key that {name} gives now"
        );
        let before = before(kept, news.unsent);
        match kept {
            0 => {}
            1 => {
                let _ = write!(text, "; the one that {before} keeps its own");
            }
            kept => {
                let _ = write!(text, "; the {kept} that {before} keep their own");
            }
        }
        text.push('\n');
    } else if news.kept > 0 {
        let _ = writeln!(
            text,
            "warning: the password or key that {name} gives now is not taken by {} of batch {} that {}",
            jobs(news.kept),
            batch.id,
            before(news.kept, news.unsent)
        );
    }
    if news.pins > 0 && verbosity != Verbosity::Quiet {
        let (take, who) = match news.pins {
            1 => ("takes", "1 queued job".to_owned()),
            pins => ("take", format!("{pins} queued jobs")),
        };
        let _ = writeln!(text, "{who} {take} the pins that {name} has now");
    }
    if news.groups > 0 && verbosity != Verbosity::Quiet {
        let _ = writeln!(
            text,
            "{} {} in the group that {name} gives now",
            jobs(news.groups),
            if news.groups == 1 { "is" } else { "are" },
        );
    }
    if news.ungrouped > 0 {
        let _ = writeln!(
            text,
            "warning: {} of batch {} {} in no group any more, and may go down beside any other",
            jobs(news.ungrouped),
            batch.id,
            if news.ungrouped == 1 { "is" } else { "are" },
        );
    }
    // Whoever saved the sheet without a column may not know that it guarded these instances.
    if news.unpinned > 0 {
        let _ = writeln!(
            text,
            "warning: {} of batch {} {} unchecked by pins that they had and that {name} does not have now",
            jobs(news.unpinned),
            batch.id,
            if news.unpinned == 1 { "goes" } else { "go" },
        );
    }
    if news.failed > 0
        && let Some(from) = sheet.from()
    {
        let _ = writeln!(
            text,
            "hint: `{command} retry --failed --batch {}{from}` gives it to {} that failed untouched",
            batch.id,
            jobs(news.failed)
        );
    }
    if !text.is_empty() {
        tell_prose(&text);
    }
}

/// What has become of `kept` jobs of which `unsent` were never sent.
fn before(kept: u64, unsent: u64) -> &'static str {
    match (kept, unsent) {
        (1, 0) => "was sent before",
        (_, 0) => "were sent before",
        (kept, unsent) if unsent < kept => "were sent before, or failed unsent,",
        _ => "failed unsent",
    }
}

/// Each row is a job of the batch, and each job a row.
fn is_whole(news: &AccessNews, batch: &Batch) -> bool {
    news.matched == news.rows && news.rows == batch.counts.total()
}

async fn compare(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: &Batch,
) -> Result<AccessNews, CliError> {
    let mut rows = sound_rows(sheet.source, sheet.validated)?;
    let news = queue.compare_access(batch.id, &mut rows).await;
    news.map_err(|error| CliError::of_order(batch.action, error))
}

/// The queued jobs of `batch` that the sheet does not order, or orders otherwise.
async fn not_in_sheet(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: &Batch,
) -> Result<Vec<ServiceId>, CliError> {
    let mut ordered: HashMap<ServiceId, Order> = HashMap::new();
    for row in sound_rows(sheet.source, sheet.validated)? {
        let row = row?;
        ordered.insert(row.service, row.order);
    }
    let limit = usize::try_from(batch.counts.queued).unwrap_or(usize::MAX);
    let queued = queue
        .ready(batch.id, i64::MAX, limit, &Admission::default())
        .await?;
    Ok(queued
        .jobs
        .into_iter()
        .filter(|job| {
            let given = ordered.get(&job.service);
            given.is_none_or(|given| !job.order.is_same_but_for_access(given))
        })
        .map(|job| job.service)
        .collect())
}
