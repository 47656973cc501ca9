//! `refleet status`: how far the batch is. Reads no job, only the tally.

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::global::Global;
use super::next::{self, command_for};
use super::output::{print_json, print_text};
use super::words::jobs;
use crate::exit::Exit;
use crate::job::{BatchId, Counter, ServiceId};
use crate::queue::{Batch, Holder, Open, Queue, QueueLock, Run};
use crate::{text, time};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// Rebuilds below which a rate is a guess.
const DONE_MIN: u64 = 2;

/// Other batches that are named before the rest is only counted.
const BATCHES_MAX: usize = 5;

/// The rate is that of so long back.
const RATE_WINDOW: Duration = Duration::from_mins(10);

/// Show how far the newest batch is.
///
/// Shows how many jobs are in each state, which process works on the batch, at which rate and until
/// when, the oldest doubt, and what to do next. It reads no job, so it is quick on any batch.
#[derive(Debug, Args)]
#[command(override_usage = "refleet status [OPTIONS]")]
pub struct StatusArgs {
    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,

    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

struct Status {
    batch: Batch,
    /// Who works on this batch.
    holder: Option<Holder>,
    /// Who works on another one of this database.
    elsewhere: Option<(Holder, Option<BatchId>)>,
    last_run: Option<Run>,
    /// Known only while something works.
    per_minute: Option<f64>,
    eta: Option<Duration>,
    oldest_doubt: Option<(ServiceId, i64, Option<String>)>,
    /// The other batches that have not ended, and how many jobs each has left.
    open: Vec<(BatchId, u64)>,
    /// What to type next, without the program's name and options.
    next: Option<Next>,
}

/// What is to be done about a batch on which nothing works.
struct Next {
    what: String,
    command: String,
}

/// Carries out the command.
pub async fn status(global: &Global, args: &StatusArgs) -> Result<Exit, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let status = read(global, &mut queue, batch).await?;
    if args.json {
        print_json(&as_json(&status, &queue))?;
    } else {
        print_text(&as_text(&status, &queue))?;
    }
    Ok(Exit::Done)
}

async fn read(global: &Global, queue: &mut Queue, batch: Batch) -> Result<Status, CliError> {
    let now_ms = time::now_ms();
    let last_run = queue.runs(batch.id, 1).await?.pop();
    let mut holder = QueueLock::holder(queue.path());
    let mut elsewhere = None;
    if let Some(process) = &holder {
        let at = queue.worked_on_by(process).await?;
        if at != Some(batch.id) {
            elsewhere = holder.take().map(|process| (process, at));
        }
    }
    let (per_minute, eta) = match (&holder, &last_run) {
        (Some(_), Some(run)) => pace(queue, &batch, run.started_ms, now_ms).await?,
        (Some(_) | None, Some(_) | None) => (None, None),
    };
    let all = queue.batches().await?;
    let is_newest = all.last().is_some_and(|newest| newest.id == batch.id);
    let open: Vec<(BatchId, u64)> = all
        .iter()
        .filter(|other| other.id != batch.id && other.is_open())
        .map(|other| (other.id, other.counts.open()))
        .collect();
    let next = holder
        .is_none()
        .then(|| next(global, &batch, is_newest, open.is_empty()))
        .flatten();
    Ok(Status {
        oldest_doubt: queue.oldest_doubt(batch.id).await?,
        holder,
        elsewhere,
        last_run,
        per_minute,
        eta,
        open,
        next,
        batch,
    })
}

/// Rebuilds done a minute, and the time until the rest has been. `None`: nobody can tell yet.
async fn pace(
    queue: &mut Queue,
    batch: &Batch,
    began_ms: i64,
    now_ms: i64,
) -> Result<(Option<f64>, Option<Duration>), CliError> {
    let window = RATE_WINDOW
        .min(time::between(began_ms, now_ms))
        .max(Duration::from_secs(1));
    let since_ms = now_ms - i64::try_from(window.as_millis()).unwrap_or(0);
    let done = queue.done_since(batch.id, since_ms).await?;
    if done < DONE_MIN {
        return Ok((None, None));
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_minute = done as f64 * 60.0 / window.as_secs_f64();
    // Doubts end when they end.
    let left = batch.counts.queued + batch.counts.submitting + batch.counts.rebuilding;
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    let eta =
        (left > 0).then(|| Duration::from_secs_f64((left as f64 / per_minute * 60.0).min(1e9)));
    Ok((Some(per_minute), eta))
}

/// `is_newest`: commands speak of it without `--batch`. `alone`: no other batch is open.
fn next(global: &Global, batch: &Batch, is_newest: bool, alone: bool) -> Option<Next> {
    let counts = &batch.counts;
    let command = command_for(global, batch);
    let of_batch = if is_newest {
        String::new()
    } else {
        format!(" --batch {}", batch.id)
    };
    let next = |what: &str, words: String| {
        Some(Next {
            what: what.to_owned(),
            command: format!("{command} {words}"),
        })
    };
    if batch.is_open() {
        return next("goes on with it", next::run(batch, alone));
    }
    if counts.held > 0 {
        next(
            &format!(
                "names the doubts, `{command} resolve SERVICE_ID --as done|requeue|failed --reason TEXT{of_batch}` settles one"
            ),
            format!("list --state in_doubt{of_batch}"),
        )
    } else if counts.failed > 0 {
        next("says why", format!("list --state failed{of_batch}"))
    } else if counts.total() > 0 {
        next("has the results", format!("report{of_batch}"))
    } else {
        None
    }
}

fn as_json(status: &Status, queue: &Queue) -> serde_json::Value {
    let Status {
        batch,
        holder,
        elsewhere: _,
        last_run,
        per_minute,
        eta,
        oldest_doubt,
        open,
        next,
    } = status;
    json!({
        "version": 1,
        "database": queue.path().display().to_string(),
        "batch": batch.id,
        "manifest": batch.manifest,
        "order": batch.number,
        "api_url": batch.api_url,
        "created_at": time::rfc3339(batch.created_ms),
        "last_change_at": time::rfc3339(batch.touched_ms),
        "open": batch.is_open(),
        "total": batch.counts.total(),
        "counts": batch.counts,
        "running": holder.as_ref().map(|holder| json!({
            "pid": holder.pid, "host": holder.host, "since": time::rfc3339(holder.since_ms),
        })),
        "last_run": last_run.as_ref().map(|run| json!({
            "run": run.id,
            "started_at": time::rfc3339(run.started_ms),
            "ended_at": run.ended_ms.map(time::rfc3339),
            "exit_code": run.exit_code,
        })),
        "done_per_minute": per_minute.map(|per_minute| (per_minute * 100.0).round() / 100.0),
        "eta_s": eta.map(|eta| eta.as_secs()),
        "oldest_doubt": oldest_doubt.as_ref().map(|(service, since_ms, name)| json!({
            "service_id": service, "name": name, "since": time::rfc3339(*since_ms),
        })),
        "other_open_batches": open.iter().map(|(batch, left)| json!({
            "batch": batch, "left": left,
        })).collect::<Vec<_>>(),
        "next": next.as_ref().map(|next| &next.command),
    })
}

fn as_text(status: &Status, queue: &Queue) -> String {
    let Status {
        batch,
        holder,
        elsewhere,
        last_run,
        per_minute,
        eta,
        oldest_doubt,
        open,
        next,
    } = status;
    let counts = &batch.counts;
    let mut out = format!(
        "batch {} · {} · order {} · {}\n",
        batch.id,
        text::brief(&batch.manifest, 60),
        batch.number,
        text::brief(&batch.api_url, 60)
    );
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {name:<12} {value}");
    };
    line("total", counts.total().to_string());
    // The doubts come last, for what is to be said of them.
    let others = Counter::ALL
        .into_iter()
        .filter(|counter| *counter != Counter::InDoubt);
    for counter in others {
        line(counter.words(), counter.of(counts).to_string());
    }
    line(
        Counter::InDoubt.words(),
        match counts.held {
            0 => counts.in_doubt.to_string(),
            held => format!(
                "{} ({held} held: only your word settles {})",
                counts.in_doubt,
                if held == 1 { "it" } else { "them" }
            ),
        },
    );
    if let Some((service, since_ms, name)) = oldest_doubt {
        let age = time::short(time::between(*since_ms, time::now_ms()));
        let name = name
            .as_ref()
            .map(|name| format!(" ({})", text::brief(name, 40)))
            .unwrap_or_default();
        line(
            "oldest doubt",
            format!("service {service}{name}, for {age}"),
        );
    }
    match holder {
        Some(holder) => {
            line("running", holder.to_string());
            let unknown = || "–, not known yet".to_owned();
            line(
                "rate",
                per_minute.map_or_else(unknown, |rate| format!("{rate:.1} done a minute")),
            );
            line("ETA", eta.map_or_else(unknown, time::short));
        }
        None => line("running", "nothing works on this batch".to_owned()),
    }
    if let Some((process, at)) = elsewhere {
        line(
            "elsewhere",
            match at {
                Some(at) => format!("{process}, works on batch {at}"),
                None => format!("{process}, has not begun to work yet"),
            },
        );
    }
    match (holder, last_run) {
        (Some(_), _) => {}
        (None, Some(run)) => line(
            "last run",
            match (run.ended_ms, run.exit_code) {
                (Some(ended_ms), Some(code)) => {
                    format!("ended {} with exit {code}", time::human(ended_ms))
                }
                _ => format!("began {} and died", time::human(run.started_ms)),
            },
        ),
        (None, None) => line("last run", "none yet".to_owned()),
    }
    line("last change", time::human(batch.touched_ms));
    if !open.is_empty() {
        let named: Vec<String> = open
            .iter()
            .take(BATCHES_MAX)
            .map(|(batch, left)| format!("batch {batch} ({} left)", jobs(*left)))
            .collect();
        let more = match open.len().saturating_sub(BATCHES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        line("also open", format!("{}{more}", named.join(", ")));
    }
    line(
        "database",
        text::printable(&queue.path().display().to_string()).into_owned(),
    );
    if let Some(next) = next {
        line(
            "next",
            format!("`{}` {}", text::printable(&next.command), next.what),
        );
    }
    out
}
