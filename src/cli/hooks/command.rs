//! The commands.

use super::args::{ForgetArgs, HooksArgs, HooksCommand, RetryArgs, Which};
use super::carry_out::carry_out;
use super::listed::{list, not_done};
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::output::{print_text, tell_prose};
use crate::cli::{batches, database, ended, next, signals};
use crate::exit::Exit;
use crate::hook::{Asked, may_live};
use crate::job::{BatchId, HookState, HookStep, LedgerEntry, ServiceId, State};
use crate::progress::Verbosity;
use crate::queue::{
    Backend as _, Batch, CommandOutcome, Open, Overview as _, Queue, QueuedJob, Selection,
};
use crate::time;

pub async fn hooks(global: &Global, args: &HooksArgs) -> Result<Exit, CliError> {
    match &args.command {
        Some(HooksCommand::Retry(args)) => retry(global, args).await,
        Some(HooksCommand::Forget(args)) => forget(global, args).await,
        None => list(global, args).await,
    }
}

async fn open(global: &Global, which: &Which) -> Result<(Queue, Batch, Vec<ServiceId>), CliError> {
    let (mut queue, batch) = batches::open(global, &which.batch, Open::Change).await?;
    database::make_sure(&mut queue).await?;
    let states: &[HookState] = match (which.all, which.failed) {
        (true, _) => &[HookState::Pending, HookState::Started, HookState::Failed],
        (false, true) => &[HookState::Failed],
        (false, false) => return Ok((queue, batch, which.services.clone())),
    };
    let jobs = not_done(&mut queue, batch.id, states).await?;
    let services = jobs.into_iter().map(|job| job.service).collect();
    Ok((queue, batch, services))
}

/// There is none of those that are meant.
fn nothing(global: &Global, batch: &Batch) -> Result<Exit, CliError> {
    if global.verbosity() != Verbosity::Quiet {
        print_text(&format!("batch {} has no such hook\n", batch.id))?;
    }
    Ok(Exit::Done)
}

async fn retry(global: &Global, args: &RetryArgs) -> Result<Exit, CliError> {
    let mut signals = signals::listen()?;
    let (mut queue, batch, services) = open(global, &args.which).await?;
    if services.is_empty() {
        queue.close().await?;
        return nothing(global, &batch);
    }
    let recorded = queue.options(batch.id).await?;
    let settings = args.hooks.settings(&global.configured, recorded.as_ref());
    let Some(settings) = settings else {
        queue.close().await?;
        return Err(CliError::Usage(format!(
            "batch {} was ordered without --on-done: say with --on-done what is to be carried out",
            batch.id
        )));
    };
    let asked = Asked::Services(services.into());
    let tell = |message: String| tell_prose(&format!("{message}\n"));
    let (outcome, stopped_by) =
        carry_out(&mut queue, batch.id, (settings, asked), &tell, &mut signals).await?;
    // Empties the write-ahead log too: the passwords of those that have ended well must not stay there.
    queue.close().await?;
    let command = next::command_for(global, &batch);
    if global.verbosity() != Verbosity::Quiet || outcome.failed > 0 {
        let failed = match outcome.failed {
            0 => String::new(),
            failed => format!(", {failed} failed: `{command} hooks` says why"),
        };
        let (id, done) = (batch.id, outcome.done);
        print_text(&format!("hooks of batch {id}: {done} ended well{failed}\n"))?;
    }
    Ok(match stopped_by {
        Some(signal) => ended::of_signal(signal),
        None if outcome.failed > 0 => Exit::Failed,
        None if outcome.left_alone > 0 && !args.which.services.is_empty() => Exit::Usage,
        None => Exit::Done,
    })
}

async fn forget(global: &Global, args: &ForgetArgs) -> Result<Exit, CliError> {
    let (mut queue, batch, services) = open(global, &args.which).await?;
    if services.is_empty() {
        queue.close().await?;
        return nothing(global, &batch);
    }
    let now_ms = time::now_ms();
    let decide = move |job: &QueuedJob, _: Option<BatchId>| {
        let Some(hook) = &job.record.hook else {
            return Err("has no hook".to_owned());
        };
        if hook
            .runner
            .as_ref()
            .is_some_and(|runner| may_live(runner, now_ms))
        {
            return Err("is being carried out".to_owned());
        }
        if !hook.state.is_open() {
            return Err(format!("is {}", hook.state));
        }
        Ok(LedgerEntry::Hook(HookStep::Forgotten))
    };
    let selection = Selection::Services(services);
    let outcome = queue
        .command(batch.id, &selection, &[State::Done], &decide, now_ms)
        .await?;
    // The passwords are erased, and must not stay in the log.
    queue.close().await?;
    let CommandOutcome { changed, refused } = outcome;
    if global.verbosity() != Verbosity::Quiet {
        let (id, count) = (batch.id, changed.len());
        let hooks = if count == 1 { "hook" } else { "hooks" };
        print_text(&format!("{count} {hooks} of batch {id} given up\n"))?;
    }
    for (service, why) in &refused {
        tell_prose(&format!(
            "left alone: the hook of service {service}: {why}\n"
        ));
    }
    let is_wrong = !refused.is_empty() && !args.which.services.is_empty();
    Ok(if is_wrong { Exit::Usage } else { Exit::Done })
}
