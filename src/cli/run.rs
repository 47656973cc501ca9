//! `refleet run`: load the manifest if it is new, then work until every job has ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::confirm::{Asked, confirm};
use super::error::CliError;
use super::load::{self, Loaded, Sheet, WishArgs};
use super::options::{self, PaceArgs};
use super::output::{tell, tell_prose};
use super::pager::Pager;
use super::sheet::{SheetArgs, tell_passed_over, tell_warnings};
use super::simulate::FaultArgs;
use super::targets::{Target, Targets};
use super::{Global, access, credentials, exit, files, halt, signals};
use crate::event::Event;
use crate::job::BatchId;
use crate::manifest::{self, Source, Validated};
use crate::progress::{self, Choice, Ended, EventsTo, Mode, Surroundings, Verbosity, summary};
use crate::queue::{self, Batch, NewRun, Note, Open, Queue, QueueError, QueueLock, Side};
use crate::run::machine::STALE_AFTER;
use crate::run::{self, Ending, InstanceList, Options, Signal, Signals};
use crate::simulator::{Config, FleetRow, Simulator};
use crate::zomro::{Client, Credentials, Endpoint, Settings};
use crate::{text, time};

/// The provider of the simulated instances: they are nobody else's.
pub const SIMULATION: &str = "simulation:";

/// The longest time a long request is followed.
const FOLLOW_TIMEOUT: Duration = Duration::from_mins(10);

const EXAMPLES: &str = "\
Examples:
  refleet run fleet.csv --simulate --yes   rehearse, nothing real is touched
  refleet run fleet.csv                    ask, then rebuild; again: resume
  refleet run fleet.csv --skip-done        one row was corrected: only that
  refleet run fleet.csv -yq --every 20h    nightly, from cron
  refleet run                              go on with the unfinished batch";

/// Rebuild what a manifest lists, or go on where an earlier run stopped.
#[derive(Debug, Args)]
#[command(override_usage = "refleet run [OPTIONS] [MANIFEST]")]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The spreadsheet, or `-` for stdin; without it: the unfinished batch
    pub manifest: Option<PathBuf>,

    /// Do not ask before instances are destroyed
    #[arg(long, short)]
    pub yes: bool,

    /// Which of a manifest's orders this is.
    #[command(flatten)]
    pub options: WishArgs,

    /// Go on with an unfinished batch in which nothing has happened for 24 hours
    #[arg(long)]
    pub stale: bool,

    /// How it is read.
    #[command(flatten)]
    pub sheet: SheetArgs,

    /// How it works.
    #[command(flatten)]
    pub pace: PaceArgs,

    /// How to show what happens
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub progress: Choice,

    /// Append every event as NDJSON to a file; `-`: stdout
    #[arg(long, value_name = "FILE|-")]
    pub events: Option<PathBuf>,

    /// Rehearse against a built-in simulator, with a database of its own and quick timings
    #[arg(long, requires = "manifest")]
    pub simulate: bool,

    /// What goes wrong in the simulation.
    #[command(flatten, next_help_heading = "Simulation")]
    pub faults: FaultArgs,
}

/// Where the work is, and who does it.
struct RunContext {
    database: PathBuf,
    /// Whose API it is.
    provider: String,
    /// As the batch knows the API's address.
    api_url: String,
    client: Client,
    simulator: Option<Simulator>,
    options: Options,
    pager: Pager,
}

/// Carries out the command.
pub async fn run(global: &Global, args: &RunArgs) -> Result<u8, CliError> {
    let verbosity = global.verbosity();
    let mut signals = signals::listen()?;
    let manifest = match &args.manifest {
        Some(path) => {
            let source = args.sheet.open(path)?;
            let validated = manifest::validated(&source)?;
            tell_warnings(&validated, verbosity);
            tell_passed_over(&validated, verbosity);
            Some((source, validated))
        }
        None => None,
    };
    let mut context = context(global, args, manifest.as_ref().map(|(source, _)| source)).await?;
    let result = work(global, args, manifest.as_ref(), &mut context, &mut signals).await;
    if let Some(simulator) = context.simulator.take() {
        simulator.shutdown().await;
    }
    result
}

async fn context(
    global: &Global,
    args: &RunArgs,
    source: Option<&Source>,
) -> Result<RunContext, CliError> {
    let (options, timeout) = args.pace.resolve(args.simulate);
    let options = Options {
        stale: args.stale,
        ..options
    };
    let settings = |endpoint, credentials| Settings {
        endpoint,
        credentials,
        timeout,
        follow_interval: Duration::from_secs(2).min(timeout),
        follow_timeout: FOLLOW_TIMEOUT,
    };
    if !args.simulate {
        if args.faults.is_odd() {
            return Err(CliError::Usage(
                "--fault-rate and --odd need --simulate: faults are only simulated".to_owned(),
            ));
        }
        let endpoint = global.endpoint()?;
        let credentials = credentials::from_environment(global.verbosity())?;
        let client = Client::new(settings(endpoint.clone(), credentials))?;
        return Ok(RunContext {
            database: global.database(options::DATABASE)?,
            provider: endpoint.provider(),
            api_url: endpoint.to_string(),
            client,
            simulator: None,
            options,
            pager: Pager::default(),
        });
    }
    if global.api_url.is_some() {
        return Err(CliError::Usage(
            "--simulate brings its own API: leave --api-url and REFLEET_API_URL away".to_owned(),
        ));
    }
    let mut rows = Vec::new();
    if let Some(source) = source {
        for row in manifest::rows(source)? {
            rows.push(FleetRow::from(&row?));
        }
    }
    // Its journal lies beside the file itself, not beside a link.
    let given = global.database(options::SIMULATION_DATABASE)?;
    let database = queue::resolve(&given).map_err(QueueError::from)?;
    let config = Config {
        faults: args.faults.plan(),
        odd: args.faults.oddities(),
        journal: journal(&database)?,
        ..Config::for_fleet(rows)
    };
    let credentials = Credentials::Login {
        username: config.username.clone(),
        password: config.password.clone().into(),
    };
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let simulator = Simulator::start(config, any_port).await.map_err(|error| {
        match QueueLock::holder(&database) {
            Some(holder) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                CliError::Queue(QueueError::Locked(holder))
            }
            _ => CliError::Simulator(error),
        }
    })?;
    let endpoint = Endpoint::parse(simulator.url())?;
    let client = Client::new(settings(endpoint, credentials))?;
    Ok(RunContext {
        database,
        provider: SIMULATION.to_owned(),
        api_url: SIMULATION.to_owned(),
        client,
        simulator: Some(simulator),
        options,
        pager: Pager::default(),
    })
}

/// What the simulated instances have been through, kept beside the database so that a rehearsal
/// can be interrupted and resumed like the real thing. A new database begins with new instances.
fn journal(database: &Path) -> Result<Option<PathBuf>, CliError> {
    if database.is_dir() {
        return Ok(None); // the queue will say so; nothing is to be left beside it
    }
    let path = Side::Simulation.beside(database);
    if let Some(folder) = database.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(CliError::Simulator)?;
    }
    if !database.exists() {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::Simulator(error));
            }
            _ => {}
        }
    }
    Ok(Some(path))
}

async fn work(
    global: &Global,
    args: &RunArgs,
    manifest: Option<&(Source, Validated)>,
    context: &mut RunContext,
    signals: &mut Signals,
) -> Result<u8, CliError> {
    let mut queue = match manifest {
        Some(_) => Queue::open_for_load(&context.database).await?,
        None => Queue::open(&context.database, Open::Change).await?,
    };
    let rehearsal = context.simulator.is_some();
    let is_told = |note: &&Note| !rehearsal || !matches!(note, Note::Volatile { .. });
    files::tell_notes(global, queue.notes().iter().filter(is_told));
    let _lock = QueueLock::acquire(&context.database)?;
    let mut code = exit::DONE;
    loop {
        // Ctrl-C at the question means no: what was begun in the database is undone with it.
        let prepared = {
            let mut preparing =
                std::pin::pin!(prepare(global, args, manifest, context, &mut queue));
            loop {
                tokio::select! {
                    biased;
                    Some(signal) = signals.recv() => {
                        if signal == Signal::Interrupt && context.pager.is_open() {
                            continue; // it was typed into the pager, and means something there
                        }
                        tell("\ninterrupted before anything was sent\n");
                        return Ok(exit::of_signal(signal));
                    }
                    prepared = &mut preparing => break prepared,
                }
            }
        };
        let (loaded, list) = prepared?;
        code = exit::worse(code, loaded.exit_code);
        let Some(batch) = loaded.batch else {
            break;
        };
        let of_batch = run_batch(
            global, args, context, &mut queue, batch, &loaded, list, signals,
        )
        .await?;
        code = exit::worse(code, of_batch);
        let has_ended = exit::has_ended(of_batch)
            && !super::batches::find(&mut queue, Some(batch))
                .await?
                .is_open();
        if !(loaded.once_more && has_ended) {
            break;
        }
    }
    crate::failpoint!("run_ended");
    match queue.close().await {
        Err(error) if code != exit::STORAGE => Err(error.into()),
        _ => Ok(code),
    }
}

/// The batch to work on, and what was read of the account on the way.
async fn prepare(
    global: &Global,
    args: &RunArgs,
    manifest: Option<&(Source, Validated)>,
    context: &RunContext,
    queue: &mut Queue,
) -> Result<(Loaded, InstanceList), CliError> {
    if let Some((source, validated)) = manifest {
        order(global, args, context, queue, source, validated).await
    } else {
        let batch = unfinished(queue, context).await?;
        resume(global, args, context, queue, batch, None).await
    }
}

/// Which order the manifest is, asked for and queued.
async fn order(
    global: &Global,
    args: &RunArgs,
    context: &RunContext,
    queue: &mut Queue,
    source: &Source,
    validated: &Validated,
) -> Result<(Loaded, InstanceList), CliError> {
    let options = args.options.options();
    let sheet = Sheet {
        source,
        validated,
        path: args.manifest.as_deref().unwrap_or(Path::new("-")),
        provider: &context.provider,
        api_url: &context.api_url,
    };
    let verbosity = global.verbosity();
    match load::plan(queue, &sheet, options).await? {
        load::Plan::Resume { batch, once_more } => {
            let (loaded, list) = resume(global, args, context, queue, batch, Some(&sheet)).await?;
            Ok((
                Loaded {
                    once_more,
                    ..loaded
                },
                list,
            ))
        }
        load::Plan::Ended(batch) => {
            let loaded = Loaded::of_ended(&batch);
            if verbosity != Verbosity::Quiet || loaded.exit_code != exit::DONE {
                tell_prose(&load::ended(&batch, &sheet, &command(global, context)));
            }
            Ok((loaded, InstanceList::default()))
        }
        load::Plan::New(policy) => {
            let mut list = InstanceList::default();
            if context.simulator.is_none() {
                files::announce_if_empty(queue).await?;
            }
            if !args.yes {
                let targets = load::rehearse(queue, &sheet, policy).await?;
                if targets.count() > 0 {
                    list = ask(&targets, context, verbosity, "", None).await?;
                }
            }
            let loaded = load::enqueue(queue, &sheet, policy).await?;
            load::tell_left_out(
                &loaded.left_out,
                options,
                &command(global, context),
                verbosity,
            );
            if loaded.batch.is_none() && verbosity != Verbosity::Quiet {
                tell("nothing to do: no row of this manifest is left to be rebuilt now\n");
            }
            Ok((loaded, list))
        }
    }
}

/// Goes on with an open batch, after asking where that is called for.
async fn resume(
    global: &Global,
    args: &RunArgs,
    context: &RunContext,
    queue: &mut Queue,
    batch: Batch,
    sheet: Option<&Sheet<'_>>,
) -> Result<(Loaded, InstanceList), CliError> {
    let now_ms = time::now_ms();
    // A date in the future tells nothing of how long it was left alone.
    let is_stale = time::between(batch.touched_ms, now_ms) >= STALE_AFTER
        || batch.touched_ms > now_ms + time::CLOCK_STEP_MS;
    if is_stale && !args.stale && args.yes {
        return Err(CliError::Stale {
            batch: batch.id,
            touched_ms: batch.touched_ms,
        });
    }
    let verbosity = global.verbosity();
    let news = match sheet {
        Some(sheet) => {
            let news = access::look(queue, sheet, &batch, args.options.options()).await?;
            access::tell(&news, sheet, &batch, &command(global, context), verbosity);
            Some((sheet, news))
        }
        None => None,
    };
    let mut list = InstanceList::default();
    if !args.yes && batch.counts.queued > 0 {
        let mut targets = Targets::default();
        let limit = usize::try_from(batch.counts.queued).unwrap_or(usize::MAX);
        for job in queue.ready(batch.id, i64::MAX, limit).await? {
            targets.add(Target::from(&job));
        }
        let (left, all) = (batch.counts.queued, batch.counts.total());
        let heading = format!(
            "Batch {} goes on: {left} of {all} are still to be sent.\n",
            batch.id
        );
        let stale = (is_stale && !args.stale).then(|| {
            format!(
                "Nothing has happened in batch {} since {}: ITS SERVERS MAY BE IN USE BY NOW.",
                batch.id,
                time::human(batch.touched_ms)
            )
        });
        list = ask(&targets, context, verbosity, &heading, stale).await?;
    }
    if let Some((sheet, news)) = news {
        access::take(queue, sheet, &batch, &news).await?;
    }
    Ok((
        Loaded {
            batch: Some(batch.id),
            resumed: true,
            ..Loaded::default()
        },
        list,
    ))
}

async fn ask(
    targets: &Targets,
    context: &RunContext,
    verbosity: Verbosity,
    heading: &str,
    warning: Option<String>,
) -> Result<InstanceList, CliError> {
    let asked = Asked {
        client: &context.client,
        api_url: &context.api_url,
        options: &context.options,
        verbosity,
        pager: &context.pager,
    };
    confirm(targets, heading, warning.as_deref(), &asked).await
}

/// The one batch that is open.
async fn unfinished(queue: &mut Queue, context: &RunContext) -> Result<Batch, CliError> {
    let mut open: Vec<Batch> = queue
        .batches()
        .await?
        .into_iter()
        .filter(Batch::is_open)
        .collect();
    match open.len() {
        1 => {
            let batch = open.remove(0);
            if batch.provider == context.provider {
                Ok(batch)
            } else {
                Err(CliError::OtherApi {
                    batch: batch.id,
                    theirs: batch.api_url,
                    ours: context.api_url.clone(),
                })
            }
        }
        _ => Err(CliError::WhichBatch(
            open.into_iter()
                .map(|batch| (batch.id, batch.manifest))
                .collect(),
        )),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one context where everything comes together"
)]
async fn run_batch(
    global: &Global,
    args: &RunArgs,
    context: &RunContext,
    queue: &mut Queue,
    batch: BatchId,
    loaded: &Loaded,
    list: InstanceList,
    signals: &mut Signals,
) -> Result<u8, CliError> {
    let verbosity = global.verbosity();
    let surroundings = Surroundings::of_this_process();
    let simulated = context.simulator.is_some();
    let (sender, display) = progress::start(&progress::Options {
        mode: Mode::resolve(args.progress, verbosity, surroundings),
        verbosity,
        colour: surroundings.colour(),
        events: args.events.as_ref().map(|path| match path.to_str() {
            Some("-") => EventsTo::Stdout,
            _ => EventsTo::File(path.clone()),
        }),
        no_wait: context.options.no_wait,
        command: command(global, context),
    })?;
    let started_ms = time::now_ms();
    let run = queue
        .begin_run(&NewRun {
            batch,
            started_ms,
            options: options::as_json(&context.options),
        })
        .await?;
    let Batch { counts, path, .. } = super::batches::find(queue, Some(batch)).await?;
    let api_url = match &context.simulator {
        Some(simulator) => simulator.url().to_owned(),
        None => context.api_url.clone(),
    };
    sender.send(Event::RunStarted {
        run,
        batch,
        counts,
        resumed: loaded.resumed,
        api_url,
        database: context.database.clone(),
        workers: context.options.workers,
        simulated,
    });
    let ended = run::run(
        run::Setup {
            queue,
            client: context.client.clone(),
            batch,
            run,
            options: context.options.clone(),
            list,
            events: &|event| sender.send(event),
        },
        signals,
    )
    .await;
    let ending = match ended {
        Ok(ending) => ending,
        Err(error) => {
            display.finish("");
            return Err(error.into());
        }
    };
    let code = exit::of_run(&ending, !loaded.left_out.held.is_empty());
    if let Err(error) = queue.end_run(run, time::now_ms(), code).await {
        tracing::debug!(%error, "the end of the run was not recorded");
    }
    let failed_wiped = queue.failed_wiped(batch).await.ok();
    let flagged = queue.flagged(batch).await.unwrap_or_default();
    // Commands speak of the newest batch, and `run` of the only open one, unless they are told.
    let batches = queue.batches().await.unwrap_or_default();
    let is_newest = batches.last().is_none_or(|last| last.id == batch);
    let is_alone = !batches
        .iter()
        .any(|other| other.id != batch && other.is_open());
    let manifest = (path.as_os_str() != "-").then(|| {
        // As it was typed now, else where it lay when it was ordered.
        let typed = args.manifest.as_ref();
        let path = typed
            .filter(|typed| typed.as_os_str() != "-")
            .unwrap_or(&path);
        text::shell_word(&path.to_string_lossy()).into_owned()
    });
    sender.send(Event::RunEnded {
        counts: ending.counts,
        elapsed_ms: u64::try_from(ending.elapsed.as_millis()).unwrap_or(u64::MAX),
        exit_code: code,
    });
    let closing = summary(
        &Ended {
            exit_code: code,
            batch,
            counts: ending.counts,
            failed_wiped,
            flagged,
            completed: display.completed(),
            elapsed: ending.elapsed,
            halted: halted(&ending).or_else(|| display.halted()),
            hint: ending
                .halt
                .as_ref()
                .map(|halt| halt::hint(halt, &command(global, context)))
                .or_else(|| storage_hint(&ending)),
            no_wait: context.options.no_wait,
            simulated,
            database: ending.database.clone(),
            command: command(global, context),
            resume: match &manifest {
                Some(manifest) if !is_alone && !simulated => format!("run {manifest}"),
                _ => resume_command(args, simulated),
            },
            manifest,
            is_newest,
        },
        verbosity,
    );
    display.finish(&closing);
    Ok(code)
}

/// How to call refleet on this run's database again.
fn command(global: &Global, context: &RunContext) -> String {
    let own_database = context
        .simulator
        .is_some()
        .then_some(context.database.as_path());
    global.command(own_database)
}

/// What follows [`command`] to go on with this run's batch. A simulation needs its manifest: the
/// simulated account is made of it.
fn resume_command(args: &RunArgs, simulated: bool) -> String {
    match &args.manifest {
        Some(path) if simulated => {
            let path = text::shell_word(&path.to_string_lossy()).into_owned();
            let yes = if args.yes { " --yes" } else { "" };
            format!("run {path} --simulate{yes}")
        }
        _ => "run".to_owned(),
    }
}

fn halted(ending: &Ending) -> Option<String> {
    let storage = ending.storage.as_ref().map(ToString::to_string);
    storage.or_else(|| ending.halt.as_ref().map(ToString::to_string))
}

fn storage_hint(ending: &Ending) -> Option<String> {
    ending
        .storage
        .as_ref()
        .map(|error| super::error::queue_hints(error).join("; "))
}
