//! A run's work on its batch, from the first event to the summary.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde_json::Value;

use super::context::Invocation;
use super::late_word;
use super::pools::Hooks;
use super::prepare::Prepared;
use crate::cli::at_work::at_work_on;
use crate::cli::control::operator;
use crate::cli::error::{CliError, halt, storage_hints, typed};
use crate::cli::held::said;
use crate::cli::output::tell_prose;
use crate::cli::recorded::as_json;
use crate::cli::{batches, database, ended, manifest, next, window};
use crate::event::{Event, OfImage};
use crate::exit::Exit;
use crate::hook::Settings;
use crate::job::{BatchId, Cause, Counts, ImageId, ResultRow, RunId, State};
use crate::monitor::{Begun, Previous, Watched};
use crate::progress::{self, Ended, Mode, Surroundings, Verbosity, summary};
use crate::queue::{
    Backend as _, Batch, Lease, NewRun, Overview as _, Queue, Store as _, StoreError,
};
use crate::report::Causes;
use crate::run::hosts::{BootTime, Keeper, Kept};
use crate::run::{self, Durations, Ending, Halt, Options, Pulse, Signals};
use crate::simulator::Simulator;
use crate::{log, text, time};

/// Lets a run work on `batch`, shows what happens, and says how it ended.
pub async fn work(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: BatchId,
    prepared: Prepared,
    signals: &mut Signals,
) -> Result<Exit, CliError> {
    let context = invocation.context;
    let (loaded, list, canary) = (prepared.loaded, prepared.list, prepared.canary);
    let mut durations = prepared.durations;
    let batch = batches::find(queue, Some(batch)).await?;
    let (options, settings) = rules(invocation, queue, batch.id, canary).await?;
    let recorded = as_json(&options, &context.repeated, settings.as_ref());
    let (sender, display) = progress::start(&display_options(invocation, &batch))?;
    let keeper = invocation.service.map(|service| service.keeper);
    let (lease, held) = acquire(queue, batch.id, &recorded, keeper).await?;
    let watched = watched(invocation, queue, &batch, &lease).await;
    let systemd = &invocation.global.systemd;
    let tell = |event: Event| {
        watched.hear(&event);
        if matches!(event, Event::Stopping { .. }) && invocation.service.is_none() {
            systemd.stopping();
        }
        sender.send(event);
    };
    let images = look_back(queue, &batch, &mut durations).await?;
    let counts = queue.counts(batch.id).await?;
    let begun = (lease.run(), queue.shown(), counts, images);
    tell(run_started(invocation, &batch, loaded.resumed, begun));
    systemd.ready();
    let rounds = systemd.watch();
    let beat = || {
        rounds.come_round();
        // Of several runs each stands somewhere else.
        if !invocation.is_one_of_many() {
            systemd.status(|| display.standing());
        }
    };
    let afterwards = (invocation.command(), invocation.global.verbosity());
    let hooks = Hooks::of(queue, batch.id, settings, options.keys_take(), afterwards).await?;
    let mut hooks = invocation.pools.start(hooks);
    let tell_of_hook = |message| tell(Event::Warning { message });
    let run = async |signals: &mut Signals| {
        let setup = run::Setup {
            queue: &mut *queue,
            client: context.client.clone(),
            lease: &lease,
            owner: batch.owner.clone(),
            options: options.clone(),
            list,
            durations,
            trust: held.as_ref().map(|held| held.lease.trust().clone()),
            events: &tell,
            pulse: rounds.every().map(|every| Pulse { every, beat: &beat }),
        };
        let mut ending = run::run(setup, signals).await?;
        // The lease is not renewed beyond its end.
        drop(held);
        let left_out = !loaded.left_out.held.is_empty();
        let exit = conclude(invocation, queue, lease, &mut ending, left_out).await;
        Ok((ending, exit))
    };
    let worked = Box::pin(hooks.beside(&tell_of_hook, signals, run)).await;
    let followed_on = is_followed(invocation, loaded.once_more, &worked).then_some(&mut *queue);
    let going_on = hooks.end(
        is_sound(&worked),
        followed_on,
        &tell_of_hook,
        &rounds,
        signals,
    );
    let hooks_going_on = going_on.await;
    let (ending, exit) = match worked {
        Ok(worked) => worked,
        Err(error) => {
            display.finish("");
            return Err(CliError::Store(error));
        }
    };
    drop(rounds);
    let mut ended = how_it_ended(invocation, queue, &batch, &recorded, &ending, exit).await;
    ended.hooks_go_on(hooks_going_on);
    tell(run_ended(&ending, exit));
    close(invocation, display, &watched, ended);
    Ok(exit)
}

/// What a run of `batch` goes by, and what follows each success.
async fn rules(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: BatchId,
    canary: Option<NonZeroU32>,
) -> Result<(Options, Option<Settings>), CliError> {
    let before = queue.options(batch).await?;
    let args = &invocation.args.hooks;
    let settings = args.settings(&invocation.global.configured, before.as_ref());
    let mut options = invocation.context.options.clone();
    // The larger one: a smaller one that was typed now is no word on what is not proven.
    options.rollout.canary = options.rollout.canary.max(canary);
    options.rules.hooks = settings.is_some();
    Ok((options, settings))
}

/// How a run has ended, and its exit code.
type Worked = Result<(Ending, Exit), StoreError>;

/// The process goes on with something else.
fn is_followed(invocation: &Invocation<'_>, once_more: bool, worked: &Worked) -> bool {
    let has_ended = (worked.as_ref()).is_ok_and(|(_, exit)| exit.has_ended());
    invocation.service.is_some() || (once_more && has_ended)
}

/// The queue has taken all of it.
fn is_sound(worked: &Worked) -> bool {
    (worked.as_ref()).is_ok_and(|(ending, _)| ending.storage.is_none())
}

/// What is left to write when a run has ended, and its exit code.
async fn conclude(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    lease: Lease,
    ending: &mut Ending,
    left_out: bool,
) -> Exit {
    let heard = keep_late_words(queue, &lease, ending).await;
    let mut exit = ended::of_run(ending, left_out, !invocation.context.options.no_wait);
    if let Err(error @ CliError::Contradiction(_)) = heard {
        tell_prose(&error.render(&invocation.command()));
        exit = error.exit();
    }
    release(queue, lease, ending, exit).await;
    exit
}

/// How the run begins. `begun`: its number, its database, where the batch stands, and what its jobs get.
fn run_started(
    invocation: &Invocation<'_>,
    batch: &Batch,
    resumed: bool,
    begun: (RunId, PathBuf, Counts, Vec<OfImage>),
) -> Event {
    let context = invocation.context;
    let (run, database, counts, images) = begun;
    let simulated = context.simulator.as_ref().map(Simulator::url);
    let api_url = simulated.unwrap_or(&context.api_url).to_owned();
    Event::RunStarted {
        run,
        batch: batch.id,
        action: batch.action,
        counts,
        resumed,
        api_url,
        account: batch.owner.clone(),
        database,
        workers: context.options.workers,
        rate: context.options.rate_per_s,
        images,
        simulated: invocation.is_simulated(),
    }
}

/// How the run has ended.
fn run_ended(ending: &Ending, exit: Exit) -> Event {
    Event::RunEnded {
        counts: ending.counts,
        elapsed_ms: u64::try_from(ending.elapsed.as_millis()).unwrap_or(u64::MAX),
        exit_code: exit,
    }
}

/// Gives the right to work on the batch back, with how its run has ended.
async fn release(queue: &mut Queue, lease: Lease, ending: &Ending, exit: Exit) {
    let why = halted(ending).map(|why| text::brief(&why, text::MESSAGE_CHARS_MAX));
    let released = queue.release(lease, time::now_ms(), exit.code(), why.as_deref());
    if let Err(error) = released.await {
        tracing::debug!(%error, "the end of the run was not recorded");
    }
}

/// Closes with the summary, for a person and for the monitors.
fn close(
    invocation: &Invocation<'_>,
    display: progress::Handle,
    watched: &Watched,
    mut ended: Ended,
) {
    ended.completed = display.completed();
    ended.slowest = display.slowest();
    ended.halted = ended.halted.or_else(|| display.halted());
    // A service has many runs, and none of them is its end.
    if invocation.service.is_none() {
        watched.summary(|| summary(&ended, Verbosity::Normal, None));
    }
    let closing = closing(&ended, display.run(), invocation.global.verbosity());
    display.finish(&closing);
}

/// What the monitors are told of the run through.
async fn watched(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: &Batch,
    lease: &Lease,
) -> Watched {
    let watch = &invocation.global.watch;
    let mut previous = None;
    if watch.is_on() {
        // What the monitors do not hear must not end the run.
        let runs = queue.runs(batch.id, 2).await.unwrap_or_default();
        let before = runs.into_iter().find(|run| run.id != lease.run());
        previous = before.map(|run| Previous {
            exit_code: run.exit_code,
        });
    }
    let client = invocation.context.client.clone();
    // A service's logins live longer than its runs.
    let before = invocation.service.map_or(0, |_| client.calls());
    watch.begin(Begun {
        run: lease.run(),
        batch: batch.id,
        manifest: batch.manifest.clone(),
        action: batch.action,
        previous,
        calls: Box::new(move || client.calls().saturating_sub(before)),
    })
}

/// What the queued jobs of `batch` get, and how long that took before; `durations` learn it, unless they were
/// asked for already.
async fn look_back(
    queue: &mut Queue,
    batch: &Batch,
    durations: &mut Durations,
) -> Result<Vec<OfImage>, CliError> {
    let queued = queue.queued_images(batch.id).await?;
    if durations.usual().is_none() {
        let images: Vec<Option<ImageId>> = queued.iter().map(|(image, _)| *image).collect();
        let what = (batch.provider.as_str(), batch.action);
        *durations = window::learned(Some(queue), what, &images).await?;
    }
    let of_image = |(image, queued)| OfImage {
        image,
        queued,
        usual: durations.median(image),
    };
    Ok(queued.into_iter().map(of_image).collect())
}

fn closing(ended: &Ended, run: Option<RunId>, verbosity: Verbosity) -> String {
    if log::is_json() {
        return progress::closing_line(ended, run, verbosity);
    }
    summary(ended, verbosity, Surroundings::of_this_process().columns())
}

/// A lease that is renewed.
struct HeldLease {
    lease: Kept,
    /// Whoever renews it, where that is this run's own.
    _keeper: Option<Keeper>,
}

/// The right to work on `batch`, what was said late of it heard, and what keeps the right alive where it ends
/// with time: `keeper`, or one of its own.
async fn acquire(
    queue: &mut Queue,
    batch: BatchId,
    options: &Value,
    keeper: Option<&Keeper>,
) -> Result<(Lease, Option<HeldLease>), CliError> {
    let asked = BootTime::now();
    let run = NewRun {
        batch,
        started_ms: time::now_ms(),
        options: options.clone(),
    };
    let lease = queue.acquire(&run).await?;
    let held = match (keeper, queue.renewal()) {
        (_, None) => None,
        (Some(keeper), Some(_)) => Some(HeldLease {
            lease: keeper.keep(&lease, asked),
            _keeper: None,
        }),
        (None, Some(renewal)) => {
            let keeper = Keeper::start(renewal).map_err(CliError::System)?;
            Some(HeldLease {
                lease: keeper.keep(&lease, asked),
                _keeper: Some(keeper),
            })
        }
    };
    if let Err(error) = hear_what_has_ended(queue, batch).await {
        let code = error.exit().code();
        queue.release(lease, time::now_ms(), code, None).await?;
        return Err(error);
    }
    Ok((lease, held))
}

/// Says which earlier processes this machine's kernel has no more, and hears what was said late of `batch`.
async fn hear_what_has_ended(queue: &mut Queue, batch: BatchId) -> Result<(), CliError> {
    if let Some(shared) = queue.shared() {
        shared.say_what_has_ended(&operator()).await?;
    }
    late_word::hear(queue, batch).await
}

/// Keeps what the run could not write; where it could, or nobody else works on the batch by now, hears what
/// others have said of it meanwhile.
async fn keep_late_words(
    queue: &mut Queue,
    lease: &Lease,
    ending: &mut Ending,
) -> Result<(), CliError> {
    database::tell_unkept(queue);
    // A renewal waits for what was still being committed under the lease: after it, an intent whose commit
    // was not answered is there, or never will be.
    let renewed = match ending.storage {
        Some(_) => queue.renew(lease).await,
        None => Ok(()),
    };
    late_word::leave(queue, lease, &ending.unwritten).await;
    let is_alone = match renewed {
        Ok(()) => true,
        Err(lost @ StoreError::LeaseLost { .. }) => {
            // Why it could not be renewed in time is known now: somebody else works.
            ending.storage = Some(lost);
            at_work_on(queue, lease.batch()).await?.is_none()
        }
        Err(_) => false,
    };
    if queue.shared().is_some() && is_alone {
        late_word::hear(queue, lease.batch()).await?;
        ending.counts = queue.counts(lease.batch()).await?;
    }
    Ok(())
}

fn display_options(invocation: &Invocation<'_>, batch: &Batch) -> progress::Options {
    let &Invocation {
        global,
        args,
        context,
        ..
    } = invocation;
    let verbosity = global.verbosity();
    let surroundings = Surroundings::of_this_process();
    let is_one_of_many = invocation.is_one_of_many();
    let mode = match Mode::resolve(args.progress.into(), verbosity, surroundings) {
        // One display is redrawn in one place.
        Mode::Bar if is_one_of_many || log::is_json() => Mode::Plain,
        mode => mode,
    };
    progress::Options {
        action: batch.action,
        label: is_one_of_many.then(|| format!("batch {}", batch.id)),
        mode,
        verbosity,
        colour: surroundings.colour(),
        events: args.events_to(),
        no_wait: context.options.no_wait,
        command: invocation.command(),
    }
}

/// What jobs of `batch` failed for, as its report tells it; nothing, where that cannot be read.
async fn causes(queue: &mut Queue, batch: BatchId, counts: &Counts) -> Vec<Cause> {
    if counts.failed == 0 {
        return Vec::new();
    }
    let mut causes = Causes::default();
    let mut each = |row: ResultRow| {
        causes.row(&row);
        Ok(())
    };
    match queue.results(batch, &[State::Failed], &mut each).await {
        Ok(Ok(())) => causes.finish().into_iter().map(Cause::from).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// What the summary says of a run; what the display knows is not in it yet.
async fn how_it_ended(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: &Batch,
    recorded: &Value,
    ending: &Ending,
    exit: Exit,
) -> Ended {
    let failed_touched = queue.failed_touched(batch.id).await.ok();
    let causes = causes(queue, batch.id, &ending.counts).await;
    let flagged = queue.flagged(batch.id).await.unwrap_or_default();
    let beside = queue.beside(batch.id).await.unwrap_or_default();
    // The run may have bound it.
    let now = queue.batch(batch.id).await.ok().flatten();
    let path = (batch.path.as_os_str() != "-").then(|| {
        // As it was typed now, else where it lay when it was ordered.
        let typed = invocation.args.manifest.as_ref();
        typed
            .filter(|typed| typed.as_os_str() != "-")
            .unwrap_or(&batch.path)
    });
    let of_batch = if beside.newer {
        format!(" --batch {}", batch.id)
    } else {
        String::new()
    };
    let simulated = invocation.is_simulated();
    let command = invocation.command();
    let manifest = path.map(|path| text::shell_path(path) + &next::of_sheet(recorded));
    let is_paused = match said(queue, batch.id).await {
        Ok(control) => control.paused.is_some(),
        Err(_) => false,
    };
    let hint = |halt| {
        let manifest = manifest.as_deref();
        let mut hint = halt::hint(halt, batch.action, &command, &of_batch, manifest);
        if is_paused && matches!(halt, Halt::Drained { .. }) {
            hint.insert(
                0,
                format!(
                    "the batch is paused, too: `{command} go --reason TEXT{of_batch}` lifts that"
                ),
            );
        }
        hint
    };
    let resume = match path {
        _ if invocation.service.is_some() => invocation.resume_command(batch.action),
        Some(path) if beside.open && !simulated => {
            manifest::run(batch.action, path) + &next::of_sheet(recorded) + &next::of_run(recorded)
        }
        _ => invocation.resume_command(batch.action) + &next::of_run(recorded),
    };
    let is_no_more = matches!(
        ending.storage,
        Some(StoreError::Gone { .. } | StoreError::Another { .. })
    );
    let resume = (!is_no_more).then_some(resume);
    Ended {
        exit,
        batch: batch.id,
        action: batch.action,
        counts: ending.counts,
        failed_touched,
        flagged,
        hooks: queue.hook_counts(batch.id).await.unwrap_or_default(),
        hooks_going_on: 0,
        completed: 0,
        slowest: None,
        causes,
        elapsed: ending.elapsed,
        halted: halted(ending),
        hint: match &ending.halt {
            Some(halt) => hint(halt),
            None => Vec::from_iter(storage_hint(ending, &command)),
        },
        no_wait: invocation.context.options.no_wait,
        simulated,
        account: now.as_ref().unwrap_or(batch).owner.clone(),
        database: ending.database.clone(),
        command,
        resume,
        manifest,
        is_newest: !beside.newer,
    }
}

fn halted(ending: &Ending) -> Option<String> {
    let storage = ending.storage.as_ref().map(ToString::to_string);
    storage.or_else(|| ending.halt.as_ref().map(ToString::to_string))
}

fn storage_hint(ending: &Ending, command: &str) -> Option<String> {
    let error = ending.storage.as_ref()?;
    Some(typed(&storage_hints(error).join("; "), command))
}
