//! What there is to know of a batch.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::held::{Held, HeldWindow, held};
use crate::cli::left_alone;
use crate::cli::next::{self, command_for};
use crate::cli::recorded::{limits_of, no_wait_of};
use crate::cli::window;
use crate::job::{BatchId, Control, ControlEntry, Counts, ImageId, Limits, ServiceId, State};
use crate::pace::{self, Kind, Left, Pace, RATE_WINDOW, Starts};
use crate::queue::{
    AtWork, Backend as _, Batch, Holder, Oldest, Overview as _, Queue, Run, Store as _,
};
use crate::run::durations::SEEN_MAX;
use crate::{text, time};

/// Operators' words that are shown.
const SAID_MAX: usize = 5;

/// How far a batch is, and what to do about it.
pub struct Status {
    pub batch: Batch,
    /// Who works on this batch.
    pub holder: Option<Holder>,
    /// Who works on another one of this database.
    pub elsewhere: Option<Elsewhere>,
    pub last_run: Option<Run>,
    /// What holds it back, and which limits were set for the run at work.
    pub control: Control,
    /// What operators said of it last, the newest first.
    pub said: Vec<ControlEntry>,
    /// Which rules of the last run hold jobs back.
    pub held: Held,
    /// How far it is; how quickly it moves is known only while something works.
    pub pace: Pace,
    /// The rest would not be done before the window closes.
    pub is_beyond_window: bool,
    pub oldest_doubt: Option<Oldest>,
    /// Which has been in progress for longest, while something works.
    pub longest: Option<Oldest>,
    /// The other batches that have not ended, and how many jobs each has left.
    pub open: Vec<(BatchId, u64)>,
    /// Why no service takes it, on a server.
    pub left_alone: Option<String>,
    /// Why nothing is sent before `refleet adopt`: this is not the database in which the ledger was written.
    pub another: Option<String>,
    /// What to type next, without the program's name and options.
    pub next: Option<Next>,
}

/// A process that works on another batch of the database.
pub struct Elsewhere {
    pub holder: Holder,
    /// `None`: it has not begun to work yet.
    pub batch: Option<BatchId>,
}

/// What is to be done about a batch on which nothing works.
pub struct Next {
    pub what: String,
    pub command: String,
}

impl Status {
    /// Reads all of it.
    pub async fn read(global: &Global, queue: &mut Queue, batch: Batch) -> Result<Self, CliError> {
        let now_ms = time::now_ms();
        let last_run = queue.runs(batch.id, 1).await?.pop();
        let (holder, elsewhere) = who_works(queue.at_work().await?, batch.id);
        let mut said = queue.control(batch.id, 0).await?;
        let told_ms = said.last().map_or(i64::MIN, |(_, entry)| entry.at_ms);
        let all = queue.batches().await?;
        let is_newest = all.last().is_some_and(|newest| newest.id == batch.id);
        let open: Vec<(BatchId, u64)> = all
            .iter()
            .filter(|other| other.id != batch.id && other.is_open())
            .map(|other| (other.id, other.counts.open()))
            .collect();
        let at_work = last_run.as_ref().filter(|_| holder.is_some());
        let mut control = Control::of(at_work.map(|run| run.id));
        control.hear_all(&said);
        let mut pace = match at_work {
            Some(run) => pace(queue, &batch, run, &control.limits, (told_ms, now_ms)).await?,
            None => standing(&batch.counts),
        };
        said.reverse();
        said.truncate(SAID_MAX);
        let rules = queue.options(batch.id).await?;
        let by = rules.clone().unwrap_or_default();
        let held = held(queue, &batch, &by, &control, holder.is_some()).await?;
        let another = queue.why_another().await?;
        let next = if another.is_some() {
            Some(adopt(global, &batch))
        } else if batch.is_open() && control.paused.is_some() {
            Some(lift(global, &batch, is_newest))
        } else {
            let run = next::run(&batch, open.is_empty(), rules.as_ref());
            let next = match held.needs_a_word() {
                Some(service) => Some(look(global, &batch, service)),
                None => fence(global, &batch, &held)
                    .or_else(|| next(global, &batch, is_newest, run, held.window.as_ref())),
            };
            next.filter(|_| holder.is_none())
        };
        // While nothing starts, nobody can tell.
        let is_held = control.is_held() || held.holds_some();
        pace.eta = pace.eta.filter(|_| !is_held);
        let is_beyond_window = match (&held.window, pace.eta) {
            (Some(window), Some(eta)) => {
                let is_late = |closes_ms| eta > time::between(now_ms, closes_ms);
                batch.counts.queued > 0
                    && (window.waiting > 0 || window.closes_ms.is_none_or(is_late))
            }
            (None, _) | (_, None) => false,
        };
        pace.eta = pace.eta.filter(|_| !is_beyond_window);
        Ok(Self {
            is_beyond_window,
            held,
            control,
            said: said.into_iter().map(|(_, entry)| entry).collect(),
            oldest_doubt: queue.oldest(batch.id, State::InDoubt).await?,
            left_alone: match &holder {
                Some(_) => None,
                None => left_alone(global, queue, batch.id).await?,
            },
            longest: match &holder {
                Some(_) => queue.oldest(batch.id, State::InProgress).await?,
                None => None,
            },
            another,
            holder,
            elsewhere,
            last_run,
            pace,
            open,
            next,
            batch,
        })
    }
}

/// Who works on `batch`, else who does on another one.
fn who_works(at_work: Vec<AtWork>, batch: BatchId) -> (Option<Holder>, Option<Elsewhere>) {
    let on = |process: &AtWork| process.run.map(|(batch, _)| batch);
    let (here, other): (Vec<_>, Vec<_>) =
        (at_work.into_iter()).partition(|process| on(process) == Some(batch));
    let holder = here.into_iter().next().map(|process| process.holder);
    let elsewhere = other.into_iter().next().filter(|_| holder.is_none());
    let elsewhere = elsewhere.map(|process| Elsewhere {
        batch: on(&process),
        holder: process.holder,
    });
    (holder, elsewhere)
}

/// Why no service takes `batch`, where it is open and on a server.
async fn left_alone(
    global: &Global,
    queue: &mut Queue,
    batch: BatchId,
) -> Result<Option<String>, CliError> {
    let open = match queue.shared() {
        Some(shared) => shared.open_orders().await?,
        None => return Ok(None),
    };
    match open.orders.iter().find(|order| order.batch.id == batch) {
        Some(order) => left_alone::why(global, queue, &open, order).await,
        None => Ok(None),
    }
}

/// How quickly `run` works on `batch`, which it does now, under `limits` that were set for it.
/// `told_ms`: when an operator said something to it last.
async fn pace(
    queue: &mut Queue,
    batch: &Batch,
    run: &Run,
    limits: &Limits,
    (told_ms, now_ms): (i64, i64),
) -> Result<Pace, CliError> {
    let no_wait = no_wait_of(&run.options);
    let window_ms = i64::try_from(RATE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let since_ms = now_ms - window_ms;
    let seen = queue.run_pace(batch.id, run.id, since_ms, no_wait).await?;
    let began_ms = seen.begun_ms.unwrap_or(now_ms).max(since_ms);
    let counts = &batch.counts;
    let mut pace = Pace {
        per_minute: pace::per_minute(seen.ended, time::between(began_ms, now_ms)),
        ..standing(counts)
    };
    if no_wait {
        // For the run it has ended with its acceptance.
        pace.ended += counts.in_progress;
        let left = pace.total - pace.ended;
        let rate = pace.per_minute.filter(|_| left > 0);
        pace.eta = rate.and_then(|rate| pace::at_rate(left, rate));
        return Ok(pace);
    }
    let limits = limits_of(&run.options, limits);
    // Which of them were begun before something was said to it does not count.
    let mut starts = Starts::default();
    for started_ms in seen.started_ms.iter().filter(|at_ms| **at_ms > told_ms) {
        let at = time::between(run.started_ms, *started_ms);
        starts.push(at, seen.in_flight.len() as u64);
    }
    let left = Left {
        kinds: kinds(queue, batch, &seen.in_flight, now_ms).await?,
        at_once: at_once(&limits, counts),
        calls: starts.calls(limits.rate_per_s.unwrap_or(0.0)),
    };
    pace.eta = left.until_ended();
    Ok(pace)
}

/// So many may be in flight at once.
fn at_once(limits: &Limits, counts: &Counts) -> u64 {
    let workers = limits.workers.map(|workers| workers as u64);
    // Even if all of what is in flight goes wrong, the budget holds.
    let budget = limits.max_failures.and_then(|max| max.of(counts.total()));
    let budget = budget.map(|budget| budget.saturating_sub(counts.failed + counts.in_doubt));
    let at_once = workers.into_iter().chain(budget).min();
    at_once.unwrap_or(counts.submitting + counts.in_progress)
}

/// What is left of `batch`, by image. `in_flight`: which image it gets, and when it was submitted.
async fn kinds(
    queue: &mut Queue,
    batch: &Batch,
    in_flight: &[(Option<ImageId>, i64)],
    now_ms: i64,
) -> Result<Vec<Kind>, CliError> {
    let mut kinds: BTreeMap<Option<ImageId>, Kind> = BTreeMap::new();
    for (image, queued) in queue.queued_images(batch.id).await? {
        kinds.entry(image).or_default().queued = queued;
    }
    for (image, since_ms) in in_flight {
        let kind = kinds.entry(*image).or_default();
        kind.in_flight.push(time::between(*since_ms, now_ms));
    }
    let images: Vec<Option<ImageId>> = kinds.keys().copied().collect();
    let what = (batch.provider.as_str(), batch.action);
    let durations = window::learned(Some(queue), what, &images).await?;
    for (image, took) in durations.latest(SEEN_MAX) {
        let took: Vec<Duration> = took.collect();
        kinds.entry(image).or_default().took = took.into_iter().rev().collect();
    }
    Ok(kinds.into_values().collect())
}

/// How far it is, where nothing moves.
fn standing(counts: &Counts) -> Pace {
    Pace {
        ended: counts.ended(),
        total: counts.total(),
        ..Pace::default()
    }
}

/// What tells of the instance that the others wait for.
fn look(global: &Global, batch: &Batch, service: ServiceId) -> Next {
    Next {
        what: "tells what became of one that others wait for, and what to say of it".to_owned(),
        command: format!("{} show {service}", command_for(global, batch)),
    }
}

/// What frees the jobs that wait for a host to be called down, where nothing else is left.
fn fence(global: &Global, batch: &Batch, held: &Held) -> Option<Next> {
    let is_all = held.bound.len() as u64 == batch.counts.open();
    let host = held.unfenced().next().filter(|_| is_all)?;
    Some(Next {
        what: "says that the host is down, once you know that".to_owned(),
        command: format!(
            "{} hosts fence {} --reason TEXT",
            command_for(global, batch),
            text::shell_word(host)
        ),
    })
}

/// What makes the database the ledger's.
fn adopt(global: &Global, batch: &Batch) -> Next {
    Next {
        what: "puts in doubt whatever may have been sent, once nobody works with the other database any more"
            .to_owned(),
        command: format!("{} adopt --reason TEXT", command_for(global, batch)),
    }
}

/// What lifts the pause of `batch`.
fn lift(global: &Global, batch: &Batch, is_newest: bool) -> Next {
    Next {
        what: "lifts the pause".to_owned(),
        command: format!(
            "{} go --reason TEXT{}",
            command_for(global, batch),
            of_batch(batch, is_newest)
        ),
    }
}

fn of_batch(batch: &Batch, is_newest: bool) -> String {
    if is_newest {
        String::new()
    } else {
        format!(" --batch {}", batch.id)
    }
}

/// `is_newest`: commands speak of it without `--batch`. `run`: what goes on with it.
fn next(
    global: &Global,
    batch: &Batch,
    is_newest: bool,
    run: String,
    window: Option<&HeldWindow>,
) -> Option<Next> {
    let counts = &batch.counts;
    let command = command_for(global, batch);
    let of_batch = of_batch(batch, is_newest);
    let next = |what: &str, words: String| {
        Some(Next {
            what: what.to_owned(),
            command: format!("{command} {words}"),
        })
    };
    if batch.is_open() {
        let left = counts.open() - counts.queued;
        let useless = window.filter(|window| !window.is_of_use && left == 0);
        let when = useless.map_or_else(String::new, |held| {
            format!(" from {} on", held.window.zone.local(held.opens_ms))
        });
        return next(&format!("goes on with it{when}"), run);
    }
    if counts.held > 0 {
        next(
            &format!(
                "names the doubts, `{command} resolve SERVICE_ID --as WORD --reason TEXT{of_batch}` (done, requeue or failed) settles one"
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
