//! What is said of an order that has ended, and of rows that are left out.

use std::fmt::Write as _;

use super::options::OrderOptions;
use super::sheet::Sheet;
use crate::cli::output::tell_prose;
use crate::cli::words::named;
use crate::job::{Action, Counter, ServiceId};
use crate::progress::Verbosity;
use crate::queue::{Batch, LeftOut, Overview as _, Queue, StoreError};
use crate::time;

/// Services that are named; of the others only the number is said.
const NAMED_MAX: usize = 20;

/// Says that a batch has ended, and what to do about what is left of it.
pub async fn ended(
    queue: &mut Queue,
    batch: &Batch,
    sheet: &Sheet<'_>,
    command: &str,
) -> Result<String, StoreError> {
    let counts = &batch.counts;
    let id = batch.id;
    let ends = [
        Counter::Done,
        Counter::Failed,
        Counter::InDoubt,
        Counter::Cancelled,
    ];
    let ends = ends.map(|counter| format!("{} {}", counter.of(counts), counter.words()));
    let mut said = format!(
        "nothing to do: batch {id} of this manifest has ended ({})\n",
        ends.join(", ")
    );
    // Writing to a String cannot fail.
    if counts.in_doubt > 0 {
        let _ = writeln!(
            said,
            "hint: `{command} list --state in_doubt --batch {id}` names the doubts, `{command} resolve` settles them"
        );
    }
    if counts.failed > 0 {
        let (from, access) = match sheet.from() {
            None => (String::new(), ""),
            Some(from) => (
                from,
                ", with the passwords and keys that the file gives now",
            ),
        };
        let touched = queue.failed_touched(id).await?.min(counts.failed);
        if touched < counts.failed {
            let _ = writeln!(
                said,
                "hint: `{command} retry --failed --batch {id}{from}` puts the failed, untouched ones back in the queue{access}"
            );
        }
        if touched > 0 {
            let terms = batch.action.terms();
            let _ = writeln!(
                said,
                "hint: {touched} of the failed were, or may have been, {}: `{command} retry --failed --wiped --batch {id}{from}` puts them back, too, to {} them once more",
                terms.touched, terms.touch
            );
        }
    }
    said.push_str("hint: --again orders all of it once more\n");
    Ok(said)
}

/// Says which rows of an order of `action` were left out: the harmless ones by number, and by name,
/// always, those that need a human.
pub fn tell_left_out(
    left_out: &LeftOut,
    action: Action,
    options: OrderOptions,
    command: &str,
    verbosity: Verbosity,
) {
    let LeftOut {
        done,
        replaced,
        held,
        not_due,
        other_image,
        failed,
    } = left_out;
    let terms = action.terms();
    let mut text = String::new();
    // Writing to a String cannot fail.
    if verbosity != Verbosity::Quiet {
        if !done.is_empty() {
            let _ = writeln!(text, "left out: {} that already got this image", done.len());
        }
        if let Some(every) = options.every.filter(|_| !not_due.is_empty()) {
            let every = time::short(every);
            let _ = writeln!(
                text,
                "left out: {} submitted less than {every} ago",
                not_due.len()
            );
        }
    }
    if !replaced.is_empty() {
        let _ = writeln!(
            text,
            "warning: left out, though they got another image since: {}\n\
             hint: a manifest of these rows alone, ordered with --again, brings it back",
            named(replaced, NAMED_MAX)
        );
    }
    if !other_image.is_empty() {
        let _ = writeln!(
            text,
            "warning: not due yet, and last {} with another image than the manifest asks for: {}\n\
             hint: they get it when they are due; a manifest of these rows alone, ordered with --again, does it now",
            terms.done,
            named(other_image, NAMED_MAX)
        );
    }
    if let Some((service, batch)) = failed.first() {
        let services: Vec<ServiceId> = failed.iter().map(|(service, _)| *service).collect();
        let _ = writeln!(
            text,
            "warning: not due yet, and their last {} failed: {}\n\
             hint: `{command} show {service}` tells why, `{command} retry {service} --wiped --batch {batch}` {} it once more",
            terms.noun,
            named(&services, NAMED_MAX),
            terms.touches
        );
    }
    if let Some((service, batch)) = held.first() {
        let services: Vec<ServiceId> = held.iter().map(|(service, _)| *service).collect();
        let _ = writeln!(
            text,
            "warning: left out, because an earlier batch holds them in doubt: {}\n\
             hint: `{command} resolve {service} --batch {batch} --as WORD --reason TEXT` (done, requeue or failed) settles a doubt",
            named(&services, NAMED_MAX)
        );
    }
    if !text.is_empty() {
        tell_prose(&text);
    }
}
