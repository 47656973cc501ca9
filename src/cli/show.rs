//! `refleet show`: everything that is known of one instance.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::global::Global;
use super::output::{print_json, print_prose};
use super::{database, next};
use crate::exit::Exit;
use crate::job::{
    Baseline, BatchId, Executed, Failure, LedgerEntry, RunId, ServiceId, State, Verdict,
};
use crate::queue::{LedgerLine, Open, QueuedJob};
use crate::report::ResultFields;
use crate::time::Stamp;
use crate::{text, time};

/// Show one instance's whole history, over all batches.
#[derive(Debug, Args)]
#[command(override_usage = "refleet show [OPTIONS] <SERVICE_ID>")]
pub struct ShowArgs {
    /// The instance
    pub service_id: ServiceId,

    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Carries out the command.
pub async fn show(global: &Global, args: &ShowArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Read).await?;
    let jobs = queue.jobs_of(args.service_id).await?;
    if jobs.is_empty() {
        return Err(CliError::NoSuchService(args.service_id));
    }
    let batches = queue.batches().await?;
    let mut histories = Vec::with_capacity(jobs.len());
    for (batch, job) in jobs {
        let history = queue.history(job.id).await?;
        let next = match batches.iter().find(|one| one.id == batch) {
            Some(order) => {
                let go_on = next::go_on(global, &mut queue, order).await?;
                let is_newest = batches.last().is_some_and(|newest| newest.id == batch);
                next_step(
                    &job,
                    &next::command_for(global, order),
                    &go_on,
                    (!is_newest).then_some(batch),
                )
            }
            // No order is ever removed.
            None => None,
        };
        histories.push((batch, job, history, next));
    }
    if args.json {
        let jobs = histories
            .iter()
            .map(|(batch, job, history, _)| ShownJob::new(*batch, job, history))
            .collect();
        print_json(&Shown {
            version: 1,
            service_id: args.service_id,
            jobs,
        })?;
    } else {
        let mut out = format!("service {}\n", args.service_id);
        for (batch, job, history, next) in &histories {
            as_text(*batch, job, history, next.as_deref(), &mut out);
        }
        print_prose(&out)?;
    }
    Ok(Exit::Done)
}

/// What `show --json` writes.
#[derive(Serialize)]
struct Shown<'a> {
    version: u8,
    service_id: ServiceId,
    jobs: Vec<ShownJob<'a>>,
}

/// The instance's job in one batch: its result, and what only `show` knows.
#[derive(Serialize)]
struct ShownJob<'a> {
    batch: BatchId,
    #[serde(flatten)]
    result: ResultFields<'a>,
    image_name: Option<&'a str>,
    zone: Option<&'a str>,
    access: &'a str,
    held: bool,
    baseline: Option<&'a Baseline>,
    failure: Option<&'a Failure>,
    history: Vec<ShownEntry<'a>>,
}

#[derive(Serialize)]
struct ShownEntry<'a> {
    seq: i64,
    run: Option<RunId>,
    attempt: u32,
    at: Stamp,
    entry: &'a LedgerEntry,
}

impl<'a> ShownJob<'a> {
    fn new(batch: BatchId, job: &'a QueuedJob, history: &'a [LedgerLine]) -> Self {
        let record = &job.record;
        Self {
            batch,
            result: ResultFields::new(job.line, job.service, job.image, record)
                .with_note(job.note.as_deref()),
            image_name: record.target.as_deref(),
            zone: job.zone.as_deref(),
            access: job.access.as_str(),
            held: record.held,
            baseline: record.baseline.as_ref(),
            failure: record.failure.as_ref(),
            history: history.iter().map(ShownEntry::from).collect(),
        }
    }
}

impl<'a> From<&'a LedgerLine> for ShownEntry<'a> {
    fn from(line: &'a LedgerLine) -> Self {
        Self {
            seq: line.seq,
            run: line.run,
            attempt: line.attempt,
            at: Stamp(line.at_ms),
            entry: &line.entry,
        }
    }
}

fn as_text(
    batch: BatchId,
    job: &QueuedJob,
    history: &[LedgerLine],
    next: Option<&str>,
    out: &mut String,
) {
    let record = &job.record;
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("\nbatch {batch}, line {}", job.line));
    let name = record
        .target
        .as_deref()
        .map(|name| format!(" ({})", text::brief(name, 60)));
    line(format!(
        "  image     {}{}",
        job.image,
        name.unwrap_or_default()
    ));
    line(format!("  access    {}", job.access.as_str()));
    if let Some(note) = &job.note {
        line(format!("  note      {}", text::brief(note, 200)));
    }
    if let Some(baseline) = &record.baseline {
        let known: Vec<String> = [&baseline.name, &baseline.ip]
            .into_iter()
            .flatten()
            .map(|text| text::brief(text, 60))
            .collect();
        if !known.is_empty() {
            line(format!("  instance  {}", known.join(", ")));
        }
    }
    let held = if record.held { ", held" } else { "" };
    line(format!(
        "  state     {}{held}, executed: {}",
        record.state,
        record.executed()
    ));
    if let (State::Done, Some(submitted_ms), Some(completed_ms)) =
        (record.state, record.submitted_ms, record.completed_ms)
    {
        let took = time::short(time::between(submitted_ms, completed_ms));
        line(format!(
            "  took      {took}, completed {}",
            time::human(completed_ms)
        ));
    }
    if let Some(failure) = &record.failure {
        line(format!(
            "  problem   {}: {}",
            text::brief(&failure.error_kind, 40),
            text::brief(&failure.error, 300)
        ));
    }
    if let Some(next) = next {
        line(format!("  next      {next}"));
    }
    line("  history".to_owned());
    if history.is_empty() {
        line("    nothing has happened yet".to_owned());
    }
    for entry in history {
        let attempt = match entry.attempt {
            0 => String::new(),
            attempt => format!("attempt {attempt}: "),
        };
        let who = if entry.run.is_none() {
            " [operator]"
        } else {
            ""
        };
        line(format!(
            "    {}  {attempt}{}{who}",
            time::rfc3339(entry.at_ms),
            describe(&entry.entry)
        ));
    }
}

/// What to type about a job: `command` calls refleet on its queue, `go_on` works on its batch, and
/// `older` is its batch where commands speak of another one.
fn next_step(
    job: &QueuedJob,
    command: &str,
    go_on: &str,
    older: Option<BatchId>,
) -> Option<String> {
    let service = job.service;
    let of_batch = older.map_or_else(String::new, |batch| format!(" --batch {batch}"));
    match job.record.state {
        State::InDoubt if job.record.held => Some(format!(
            "look at the instance, then: `{command} resolve {service} --as done|requeue|failed --reason TEXT{of_batch}`"
        )),
        State::InDoubt | State::Queued | State::Submitting | State::Rebuilding => {
            Some(format!("`{go_on}` goes on with it"))
        }
        State::Failed => Some(match job.record.executed() {
            Executed::No => format!("`{command} retry {service}{of_batch}`, then run"),
            Executed::Maybe | Executed::Yes => format!(
                "it may have been wiped: `{command} retry {service} --wiped{of_batch}`, then run"
            ),
        }),
        State::Done | State::Cancelled => None,
    }
}

/// A ledger entry in words.
fn describe(entry: &LedgerEntry) -> String {
    let name = |image: &Option<String>| match image {
        Some(image) => text::brief(image, 60),
        None => "an unknown image".to_owned(),
    };
    let mut words = match entry {
        LedgerEntry::Intent {
            zone,
            baseline,
            target,
        } => {
            let mut words = format!("to be submitted (zone {}", text::brief(zone, 40));
            if let Some(baseline) = baseline {
                // Writing to a String cannot fail.
                let _ = write!(
                    words,
                    "; was {} with {}",
                    text::brief(&baseline.status, 40),
                    name(&baseline.image)
                );
            }
            if let Some(target) = target {
                let _ = write!(words, "; becomes {}", text::brief(target, 60));
            }
            words + ")"
        }
        LedgerEntry::NotExecuted { .. } => "not executed, back in the queue".to_owned(),
        LedgerEntry::Refused { .. } => "refused, nothing was done".to_owned(),
        LedgerEntry::Accepted { submitted_ms } => {
            format!("accepted (on the wire at {})", time::rfc3339(*submitted_ms))
        }
        LedgerEntry::Unknown { .. } => "no answer that tells: in doubt".to_owned(),
        LedgerEntry::Interrupted => {
            "the process ended before an answer was recorded: in doubt".to_owned()
        }
        LedgerEntry::Sighted { status, image } => {
            format!(
                "seen {} with {}: it was executed",
                text::brief(status, 40),
                name(image)
            )
        }
        LedgerEntry::Completed {
            evidence,
            status,
            image,
            remark: _,
        } => {
            format!(
                "done ({evidence}): {} with {}",
                text::brief(status, 40),
                name(image)
            )
        }
        LedgerEntry::Broken { .. } => "failed after it was executed".to_owned(),
        LedgerEntry::Doubted { .. } => "in doubt how it ended".to_owned(),
        LedgerEntry::Disproved { .. } => "proven not executed, back in the queue".to_owned(),
        LedgerEntry::Exhausted { .. } => "proven not executed, and no retry is left".to_owned(),
        LedgerEntry::Held { reason } => {
            format!("held for the operator: {}", text::brief(reason, 200))
        }
        LedgerEntry::Untouched { .. } => "not sent".to_owned(),
        LedgerEntry::Resolved { verdict, reason } => {
            let verdict = match verdict {
                Verdict::Done => "done",
                Verdict::Requeue => "to be sent again",
                Verdict::Failed => "failed",
            };
            format!("resolved as {verdict}: {}", text::brief(reason, 200))
        }
        LedgerEntry::Access { manifest } => format!(
            "takes the password or key that {} gives now",
            text::brief(manifest, 200)
        ),
        LedgerEntry::Retried => "put back in the queue".to_owned(),
        LedgerEntry::Cancelled => "cancelled".to_owned(),
    };
    if let Some(failure) = entry.failure() {
        let _ = write!(
            words,
            " ({}: {})",
            text::brief(&failure.error_kind, 40),
            text::brief(&failure.error, 200)
        );
    }
    words
}
