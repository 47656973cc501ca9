//! `refleet status`: how far the batch is. Reads no job, only the tally.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::output::{print_json, print_text};
use super::{Global, exit};
use crate::job::ServiceId;
use crate::queue::{Batch, Holder, Open, Queue, QueueLock, Run};
use crate::{text, time};

/// The rate is that of so long back.
const RATE_WINDOW: Duration = Duration::from_mins(10);

/// Show how far the newest batch is.
///
/// Counts per state, rate, ETA, oldest doubt. Reads no job, so it is quick on any batch.
#[derive(Debug, Args)]
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
    holder: Option<Holder>,
    last_run: Option<Run>,
    per_minute: f64,
    eta: Option<Duration>,
    oldest_doubt: Option<(ServiceId, i64)>,
}

/// Carries out the command.
pub async fn status(global: &Global, args: &StatusArgs) -> Result<u8, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let status = read(&mut queue, batch).await?;
    if args.json {
        print_json(&as_json(&status, &queue))?;
    } else {
        print_text(&as_text(&status, &queue))?;
    }
    Ok(exit::DONE)
}

async fn read(queue: &mut Queue, batch: Batch) -> Result<Status, CliError> {
    let now_ms = time::now_ms();
    let last_run = queue.runs(batch.id, 1).await?.pop();
    let began_ms = last_run.as_ref().map_or(now_ms, |run| run.started_ms);
    let window = RATE_WINDOW
        .min(time::between(began_ms, now_ms))
        .max(Duration::from_secs(1));
    let since_ms = now_ms - i64::try_from(window.as_millis()).unwrap_or(0);
    let done = queue.done_since(batch.id, since_ms).await?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_minute = done as f64 * 60.0 / window.as_secs_f64();
    let left = batch.counts.open();
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    let eta = (per_minute > 0.0 && left > 0)
        .then(|| Duration::from_secs_f64((left as f64 / per_minute * 60.0).min(1e9)));
    Ok(Status {
        oldest_doubt: queue.oldest_doubt(batch.id).await?,
        holder: QueueLock::holder(queue.path()),
        last_run,
        per_minute,
        eta,
        batch,
    })
}

fn as_json(status: &Status, queue: &Queue) -> serde_json::Value {
    let Status {
        batch,
        holder,
        last_run,
        per_minute,
        eta,
        oldest_doubt,
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
        "done_per_minute": (per_minute * 100.0).round() / 100.0,
        "eta_s": eta.map(|eta| eta.as_secs()),
        "oldest_doubt": oldest_doubt.map(|(service, since_ms)| json!({
            "service_id": service, "since": time::rfc3339(since_ms),
        })),
    })
}

fn as_text(status: &Status, queue: &Queue) -> String {
    let Status {
        batch,
        holder,
        last_run,
        per_minute,
        eta,
        oldest_doubt,
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
    for (name, count) in [
        ("done", counts.done),
        ("failed", counts.failed),
        ("rebuilding", counts.rebuilding + counts.submitting),
        ("queued", counts.queued),
        ("cancelled", counts.cancelled),
    ] {
        line(name, count.to_string());
    }
    line(
        "in doubt",
        match counts.held {
            0 => counts.in_doubt.to_string(),
            held => format!(
                "{} ({held} held: only `refleet resolve` settles them)",
                counts.in_doubt
            ),
        },
    );
    if let Some((service, since_ms)) = oldest_doubt {
        let age = time::short(time::between(*since_ms, time::now_ms()));
        line("oldest doubt", format!("service {service}, for {age}"));
    }
    if *per_minute > 0.0 && batch.is_open() {
        line("rate", format!("{per_minute:.1} done a minute"));
    }
    if let Some(eta) = eta {
        line("ETA", time::short(*eta));
    }
    match (holder, last_run) {
        (Some(holder), _) => line("running", holder.to_string()),
        (None, Some(run)) => match (run.ended_ms, run.exit_code) {
            (Some(ended_ms), Some(code)) => {
                line(
                    "last run",
                    format!("ended {} with exit {code}", time::human(ended_ms)),
                );
            }
            _ => line(
                "last run",
                format!(
                    "began {} and died; run again to resume",
                    time::human(run.started_ms)
                ),
            ),
        },
        (None, None) => line("last run", "none yet".to_owned()),
    }
    line("last change", time::human(batch.touched_ms));
    line(
        "database",
        text::printable(&queue.path().display().to_string()).into_owned(),
    );
    out
}
