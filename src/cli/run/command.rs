//! The command: prepare a batch, work on it, and look once more.

use super::args::RunArgs;
use super::context::{Invocation, RunContext};
use super::hooks::left_behind;
use super::late_word::hand_in;
use super::order_only::{leave_to_services, owner};
use super::pools::Pools;
use super::prepare::prepare;
use super::work::work;
use tokio::task::LocalSet;

use crate::cli::error::CliError;
use crate::cli::global::{DATABASE, Global};
use crate::cli::manifest::{tell_passed_over, tell_warnings};
use crate::cli::output::{tell, tell_prose};
use crate::cli::plan::{Bounds, PlanFile};
use crate::cli::words::short_digest;
use crate::cli::{batches, database, ended, lookup, signals};
use crate::exit::Exit;
use crate::hook::Phase;
use crate::job::Owner;
use crate::manifest::{Source, Validated};
use crate::progress::{self, Verbosity};
use crate::queue::{Backend as _, Note, Open, Queue};
use crate::run::{Signal, Signals};
use crate::time;

pub async fn run(global: &Global, args: &RunArgs) -> Result<Exit, CliError> {
    let verbosity = global.verbosity();
    let mut signals = signals::listen()?;
    if let Some(events) = args.events_to() {
        progress::check_events(&events)?;
    }
    let manifest = match &args.manifest {
        Some(path) => {
            let (source, validated) = tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(interrupted(signal)),
                read = args.sheet.read(path) => read?,
            };
            tell_warnings(&validated, verbosity);
            tell_passed_over(&validated, verbosity);
            Some((source, validated))
        }
        None => None,
    };
    let source = manifest.as_ref().map(|(source, _)| source);
    if args.order_only && global.database(DATABASE)?.file().is_some() {
        return Err(CliError::Usage(
            "--order-only leaves the work to `refleet work`, and that needs a queue on a PostgreSQL server (--db postgres://…)"
                .to_owned(),
        ));
    }
    let plan = args.plan.as_deref().map(PlanFile::read).transpose()?;
    // A command that prints the password may take its time.
    let mut context = tokio::select! {
        biased;
        Some(signal) = signals.recv() => return Ok(interrupted(signal)),
        context = RunContext::new(global, args, source) => context?,
    };
    if let Some((path, plan)) = args.plan.as_ref().zip(plan.as_ref()) {
        // Before any call: names are looked up, and credentials sent, at the address that was approved.
        let action = source.map_or(plan.action, Source::action);
        let typed = Bounds::of(&context.options);
        plan.check_api(action, &context.provider, &context.api_url)
            .and_then(|()| plan.options.apply(&global.configured, &mut context.options))
            .map_err(|fault| CliError::Plan {
                path: path.clone(),
                fault,
            })?;
        // A run that goes on without the plan keeps within its bounds.
        context.repeated.options.extend(plan.options.beside(&typed));
        if verbosity != Verbosity::Quiet {
            tell_prose(&format!(
                "by plan {}, which was made {}\n",
                short_digest(&plan.digest),
                time::human(plan.created_ms)
            ));
        }
    }
    let called = Called {
        global,
        args,
        plan: plan.as_ref(),
    };
    let result = Box::pin(look_up_and_run(called, &context, manifest, &mut signals)).await;
    if let Some(simulator) = context.simulator.take() {
        simulator.shutdown().await;
    }
    result
}

fn interrupted(signal: Signal) -> Exit {
    tell("\ninterrupted before anything was sent\n");
    ended::of_signal(signal)
}

/// What the command was called with.
#[derive(Clone, Copy)]
struct Called<'a> {
    global: &'a Global,
    args: &'a RunArgs,
    /// What somebody has approved.
    plan: Option<&'a PlanFile>,
}

/// Looks up the names in the manifest, and works on the batch.
async fn look_up_and_run(
    called: Called<'_>,
    context: &RunContext,
    manifest: Option<(Source, Validated)>,
    signals: &mut Signals,
) -> Result<Exit, CliError> {
    let Called { global, args, plan } = called;
    let manifest = match manifest {
        Some((source, validated)) => {
            let rate_per_s = context.options.rate_per_s;
            let resolving = lookup::resolve(
                source,
                validated,
                &context.client,
                rate_per_s,
                global.verbosity(),
            );
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Ok(interrupted(signal)),
                resolved = resolving => Some(resolved?),
            }
        }
        None => None,
    };
    let pools = Pools::default();
    let invocation = Invocation {
        global,
        args,
        manifest: manifest.as_ref(),
        plan,
        service: None,
        pools: &pools,
        context,
    };
    let ended = Box::pin(until_ended(&invocation, signals));
    LocalSet::new().run_until(ended).await
}

/// Works on the batch, and on what the same manifest orders after it (`--every`).
async fn until_ended(invocation: &Invocation<'_>, signals: &mut Signals) -> Result<Exit, CliError> {
    let context = invocation.context;
    let mut queue = match invocation.manifest {
        Some(_) => Queue::open_for_load(&context.database).await?,
        None => Queue::open(&context.database, Open::Change).await?,
    };
    let is_told =
        |note: &&Note| !invocation.is_simulated() || !matches!(note, Note::Volatile { .. });
    database::tell_notes(invocation.global, queue.notes().iter().filter(is_told));
    let _lock = Queue::lock(&context.database)?;
    database::make_sure(&mut queue).await?;
    hand_in(&mut queue).await?;
    // Before anything is queued: an order of nobody's is taken by no service.
    let owner = if invocation.args.order_only {
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => return Ok(interrupted(signal)),
            owner = owner(invocation) => Some(owner?),
        }
    } else {
        None
    };
    let worked = Box::pin(order_after_order(
        invocation,
        &mut queue,
        owner.as_ref(),
        signals,
    ))
    .await;
    let rounds = invocation.global.systemd.watch();
    (invocation.pools).until_ended(&rounds, signals).await;
    let exit = worked?;
    crate::failpoint!("run_ended");
    let closed = queue.close().await;
    if exit != Exit::Storage {
        closed?;
    }
    Ok(exit)
}

/// Works on one order, and on the next one where one is due. `owner`: they are left to the services of this account.
async fn order_after_order(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    owner: Option<&Owner>,
    signals: &mut Signals,
) -> Result<Exit, CliError> {
    let Invocation { context, pools, .. } = invocation;
    let mut exit = Exit::Done;
    loop {
        // Ctrl-C at the question means no. Dropping `preparing` rolls its transaction back.
        let prepared = {
            let mut preparing = std::pin::pin!(prepare(invocation, queue));
            // Of a further order that has to be made, after work on another one.
            let rounds = invocation.global.systemd.watch();
            loop {
                tokio::select! {
                    biased;
                    Some(signal) = signals.recv() => {
                        if signal == Signal::Interrupt && context.pager.is_open() {
                            continue; // it was typed into the pager, and means something there
                        }
                        pools.go_no_further_than(Phase::Stop);
                        return Ok(interrupted(signal));
                    }
                    prepared = &mut preparing => break prepared,
                    () = rounds.keep_coming() => {}
                }
            }
        };
        // What came of the rounds before is not undone by the refusal of a further one.
        if let Err(error) = &prepared
            && error.exit() == Exit::Usage
            && exit != Exit::Done
        {
            tell_prose(&error.render(&invocation.command()));
            break;
        }
        let prepared = prepared?;
        exit = exit.and_then(prepared.loaded.exit);
        let Some(batch) = prepared.loaded.batch else {
            if let Some(batch) = prepared.ended {
                left_behind(invocation, queue, batch, signals).await?;
            }
            break;
        };
        if let Some(owner) = owner {
            let is_resumed = prepared.loaded.resumed;
            leave_to_services(invocation, queue, batch, owner, is_resumed).await?;
            break;
        }
        let once_more = prepared.loaded.once_more;
        let of_batch = Box::pin(work(invocation, queue, batch, prepared, signals)).await?;
        exit = exit.and_then(of_batch);
        let has_ended = of_batch.has_ended() && !batches::find(queue, Some(batch)).await?.is_open();
        if !(once_more && has_ended) {
            break;
        }
    }
    Ok(exit)
}
