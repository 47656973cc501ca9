//! The loop: look, take what is there and nobody works on, wait, and look again.

use std::collections::HashSet;
use std::time::Duration;

use super::args::WorkArgs;
use super::choice::{Choice, Next, Resting, choose};
use crate::cli::error::CliError;
use crate::cli::global::{Configured, DATABASE, Global};
use crate::cli::output::{tell, tell_prose};
use crate::cli::plan::Bounds;
use crate::cli::recorded::Repeated;
use crate::cli::run::{Invocation, RunArgs, RunContext, go_on_with};
use crate::cli::sign_in::sign_in;
use crate::cli::{ended, next, run, signals};
use crate::exit::Exit;
use crate::job::{Action, BatchId, Owner};
use crate::progress::{self, Verbosity};
use crate::queue::{Backend as _, Batch, HostLease, Overview as _, Queue, StoreError};
use crate::run::{Options, Signals, read_account};
use crate::text;

/// So long is waited before the next look, at most.
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub async fn work(global: &Global, args: &WorkArgs) -> Result<Exit, CliError> {
    let mut signals = signals::listen()?;
    if global.database(DATABASE)?.file().is_some() {
        return Err(CliError::Usage(
            "a queue in a file is one machine's, and `refleet run` works on it; several hosts share a queue on a PostgreSQL server (--db postgres://…)"
                .to_owned(),
        ));
    }
    if args.pace.no_wait {
        return Err(CliError::Usage(
            "--no-wait is for one run: a service waits for what it has sent; leave it out"
                .to_owned(),
        ));
    }
    let args = args.of_run();
    if let Some(events) = args.events_to() {
        progress::check_events(&events)?;
    }
    let started = tokio::select! {
        biased;
        Some(signal) = signals.recv() => return Ok(ended::of_signal(signal)),
        started = start(global, &args) => started?,
    };
    let (mut service, mut queue) = started;
    let ended = Box::pin(service.until_ended(&mut queue, &mut signals)).await;
    // Everything was on the server's disk before.
    let _ = queue.close().await;
    ended
}

/// Opens the queue, and learns whose account the credentials are.
async fn start<'a>(
    global: &'a Global,
    args: &'a RunArgs,
) -> Result<(Service<'a>, Queue), CliError> {
    let context = RunContext::new(global, args, None).await?;
    let queue = Queue::open_for_load(&context.database).await?;
    let owner = account(&context).await?;
    let service = Service {
        global,
        args,
        owner,
        typed: (context.options.clone(), context.repeated.clone()),
        again: format!("work{}", next::line(&context.repeated.options)),
        context,
        resting: Resting::default(),
        named: HashSet::new(),
        said: String::new(),
    };
    Ok((service, queue))
}

/// Whose account the credentials are.
async fn account(context: &RunContext) -> Result<Owner, CliError> {
    let action = Action::Rebuild;
    let rate_per_s = context.options.rate_per_s;
    sign_in(&context.client, rate_per_s, action).await?;
    let account = read_account(
        &context.client,
        rate_per_s,
        None,
        &|_| Vec::new(),
        &|_, _| {},
    );
    let account = account.await;
    let account = account.map_err(|halt| CliError::Account { action, halt })?;
    account.owner.ok_or_else(|| {
        CliError::Usage(format!(
            "{} does not say whose account these credentials are, and it is by the account that hosts keep apart: `refleet run`, on one host, works without that",
            context.api_url
        ))
    })
}

/// A service, between two looks.
struct Service<'a> {
    global: &'a Global,
    args: &'a RunArgs,
    owner: Owner,
    /// What the batch at hand is worked on with.
    context: RunContext,
    /// What every batch would be worked on with that has no rules of its own.
    typed: (Options, Repeated),
    /// What starts this service again.
    again: String,
    resting: Resting,
    /// Batches of nobody that were named.
    named: HashSet<BatchId>,
    /// What it waits for, as it was told last.
    said: String,
}

impl Service<'_> {
    async fn until_ended(
        &mut self,
        queue: &mut Queue,
        signals: &mut Signals,
    ) -> Result<Exit, CliError> {
        loop {
            let chosen = tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(ended::of_signal(signal)),
                chosen = self.look(queue) => chosen,
            };
            let turn = match chosen {
                Ok(choice) => Box::pin(self.turn(queue, choice, signals)).await,
                Err(error) => Err(error),
            };
            match turn {
                Ok(Turn::Again) => continue,
                Ok(Turn::Wait) => {}
                Ok(Turn::End(exit)) => return Ok(exit),
                Err(error) if waits(&error) => self.tell_once(&format!("{error}: waiting")),
                Err(error) => return Err(error),
            }
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(ended::of_signal(signal)),
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// What there is. What earlier runs of this machine could not say is handed in before: whoever works
    /// instead of it may wait for that.
    async fn look(&self, queue: &mut Queue) -> Result<Choice, CliError> {
        run::hand_in(queue).await?;
        choose(queue, &self.context.provider, &self.owner, &self.resting).await
    }

    /// Takes what is there, if something is.
    async fn turn(
        &mut self,
        queue: &mut Queue,
        choice: Choice,
        signals: &mut Signals,
    ) -> Result<Turn, CliError> {
        for batch in &choice.unbound {
            if self.named.insert(batch.id) {
                self.name(queue, batch).await?;
            }
        }
        match choice.next {
            Next::Take(batch) => self.take(queue, *batch, signals).await,
            Next::StandBy(HostLease { host, pid, .. }) => {
                let host = text::brief(&host, 64);
                let owner = &self.owner;
                self.tell_once(&format!(
                    "process {pid} on {host} works for account {owner}: standing by"
                ));
                Ok(Turn::Wait)
            }
            Next::Nothing => {
                let owner = &self.owner;
                self.tell_once(&format!("nothing to do for account {owner}: waiting"));
                Ok(Turn::Wait)
            }
        }
    }

    /// Works on `batch` until that run ends.
    async fn take(
        &mut self,
        queue: &mut Queue,
        batch: Batch,
        signals: &mut Signals,
    ) -> Result<Turn, CliError> {
        let id = batch.id;
        self.go_by_the_rules_of(queue, &batch).await?;
        let invocation = Invocation {
            global: self.global,
            args: self.args,
            manifest: None,
            plan: None,
            service: Some(&self.again),
            context: &self.context,
        };
        let run = next::run(&batch, false, queue.options(id).await?.as_ref());
        let prepared = tokio::select! {
            biased;
            Some(signal) = signals.recv() => return Ok(Turn::End(ended::of_signal(signal))),
            prepared = go_on_with(&invocation, queue, batch) => prepared,
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) if is_of_the_batch(&error) => {
                let why = left_alone(&error, &invocation.command(), &run, id);
                tell_prose(&format!("batch {id} is left alone: {why}"));
                self.resting.leave(queue, id).await?;
                return Ok(Turn::Again);
            }
            Err(error) => return Err(error),
        };
        self.said.clear();
        if self.global.verbosity() != Verbosity::Quiet {
            tell(&format!(
                "working on batch {id} for account {}\n",
                text::brief(&self.owner.to_string(), 100)
            ));
        }
        let exit = run::work(&invocation, queue, id, prepared, signals).await?;
        match exit {
            Exit::Done | Exit::Failed | Exit::InDoubt | Exit::Budget | Exit::Window => {
                self.resting.leave(queue, id).await?;
                Ok(Turn::Again)
            }
            // Another one has it, or the server is away.
            Exit::Busy | Exit::Storage => Ok(Turn::Wait),
            Exit::Usage
            | Exit::Outage
            | Exit::Credentials
            | Exit::Blocked
            | Exit::Bug
            | Exit::Interrupted
            | Exit::Terminated => Ok(Turn::End(exit)),
        }
    }

    /// The rules that the batch was ordered with count, but for what was typed for this service.
    async fn go_by_the_rules_of(
        &mut self,
        queue: &mut Queue,
        batch: &Batch,
    ) -> Result<(), CliError> {
        (self.context.options, self.context.repeated) = self.typed.clone();
        let recorded = match &batch.plan {
            // What somebody has approved.
            Some(_) => queue.ordered_with(batch.id).await?,
            None => queue.options(batch.id).await?,
        };
        let Some(bounds) = recorded.as_ref().and_then(Bounds::recorded) else {
            return Ok(());
        };
        let typed = Bounds::of(&self.context.options);
        let bounds = bounds.unless_typed(typed.clone(), &self.global.configured);
        let applied = bounds.apply(&Configured::default(), &mut self.context.options);
        applied.map_err(|fault| {
            let id = batch.id;
            StoreError::Bug(format!("the rules of batch {id} can't be read: {fault}"))
        })?;
        // The next run of the batch keeps to them, too.
        self.context.repeated.options.extend(bounds.beside(&typed));
        Ok(())
    }

    /// Says that a batch belongs to nobody yet, and what binds it.
    async fn name(&self, queue: &mut Queue, batch: &Batch) -> Result<(), CliError> {
        let options = queue.options(batch.id).await?;
        tell_prose(&format!(
            "batch {} belongs to no account yet, and is left alone: `{} {}` binds it to yours, and works on it\n",
            batch.id,
            next::command_for(self.global, batch),
            next::run(batch, false, options.as_ref())
        ));
        Ok(())
    }

    /// Says what is waited for, unless that was the last thing that was said.
    fn tell_once(&mut self, what: &str) {
        if self.said != what {
            what.clone_into(&mut self.said);
            if self.global.verbosity() != Verbosity::Quiet {
                tell_prose(&format!("{}\n", text::printable(what)));
            }
        }
    }

    /// Until the next look. Hosts that were started together don't look together.
    fn pause(&self) -> Duration {
        PAUSE_MAX
            .min(self.global.lease / 3)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// It keeps one batch from being worked on, and no other.
fn is_of_the_batch(error: &CliError) -> bool {
    matches!(
        error,
        CliError::Stale { .. } | CliError::OtherDatabase(_) | CliError::Usage(_)
    )
}

/// Why `batch` is left alone, and what to do about it; `run` goes on with it.
fn left_alone(error: &CliError, command: &str, run: &str, batch: BatchId) -> String {
    match error {
        // What `run` says of it is for the one who has typed that.
        CliError::Stale { .. } => format!(
            "{error}\nhint: its servers may be in use by now: `{command} {run} --stale` goes on with it, `{command} cancel --all --batch {batch}` gives it up\n"
        ),
        _ => error.render(command).replacen("error: ", "", 1),
    }
}

/// What follows a look.
enum Turn {
    /// Another look, at once.
    Again,
    /// Another look, after a while.
    Wait,
    End(Exit),
}

/// It passes by itself: another process is at work, or the server is away. One that has become another
/// server is not waited for.
fn waits(error: &CliError) -> bool {
    match error {
        CliError::Store(error) => match error {
            StoreError::Locked(_)
            | StoreError::LeaseLost { .. }
            | StoreError::Busy
            | StoreError::Storage { .. } => true,
            StoreError::Gone { .. } | StoreError::Bug(_) => false,
        },
        _ => false,
    }
}
