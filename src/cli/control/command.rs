//! The commands.

use super::args::{DrainArgs, GoArgs, PauseArgs, SetArgs};
use super::operator::operator;
use super::wire;
use crate::cli::at_work::{at_work, at_work_on};
use crate::cli::batches::{self, BatchArg};
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::held::{held_now, said};
use crate::cli::output::{print_text, tell, tell_prose};
use crate::cli::words::{instances, jobs, jobs_wait};
use crate::cli::{ended, next, signals};
use crate::exit::Exit;
use crate::job::{BatchId, Control, ControlEntry, Instruction, RunId};
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Open, Queue, Store as _};
use crate::time;

pub async fn pause(global: &Global, args: &PauseArgs) -> Result<Exit, CliError> {
    // From the first moment on: Ctrl-C ends the waiting, and the pause is committed by then.
    let mut signals = signals::listen()?;
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Change).await?;
    let id = batch.id;
    if !batch.is_open() {
        queue.close().await?;
        return Err(CliError::Usage(format!(
            "batch {id} has ended: nothing of it is left that a pause could hold"
        )));
    }
    let reason = Some(args.reason.clone());
    say(&mut queue, id, None, reason, Instruction::Pause).await?;
    let is_quiet = global.verbosity() == Verbosity::Quiet;
    let outstanding = |calls: u64| {
        if !is_quiet {
            tell(&format!(
                "batch {id} is paused; waiting for the answers to what was sent before ({}); Ctrl-C ends the waiting, not the pause\n",
                jobs(calls)
            ));
        }
    };
    let left = tokio::select! {
        biased;
        left = wire::answered(&mut queue, id, outstanding) => left?,
        Some(signal) = signals.recv() => {
            tell(&format!("\nno longer waiting: batch {id} stays paused, and some of what was sent is not answered yet\n"));
            return Ok(ended::of_signal(signal));
        }
    };
    let counts = queue.counts(id).await?;
    let elsewhere = at_work(&mut queue, id).await?;
    queue.close().await?;
    if let Some((other, _)) = elsewhere.filter(|(on, _)| *on != id) {
        // Who wants the brake must not believe that it is on.
        tell_prose(&format!(
            "warning: the run at work is on batch {other}, and goes on: `{} pause --batch {other} --reason TEXT` pauses it\n",
            global.command(None)
        ));
    }
    if is_quiet {
        return Ok(Exit::Done);
    }
    let then = if left > 0 {
        format!(
            "; the run that had sent {} is gone, and the next one has to find out what became of them",
            jobs(left)
        )
    } else if counts.in_progress > 0 {
        format!("; rebuilds of {} go on", instances(counts.in_progress))
    } else {
        String::new()
    };
    print_text(&format!(
        "batch {id} is paused{then}; `{} go --reason TEXT{}` lifts that\n",
        global.command(None),
        of_batch(&args.batch)
    ))?;
    Ok(Exit::Done)
}

pub async fn go(global: &Global, args: &GoArgs) -> Result<Exit, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Change).await?;
    let is_paused = said(&mut queue, batch.id).await?.paused.is_some();
    let waiting = held_now(&mut queue, &batch).await?.behind_canaries;
    let canaries = format!(
        "`{} go --canaries --reason TEXT{}` starts them all the same",
        global.command(None),
        of_batch(&args.batch)
    );
    // Who lifts a pause that somebody else has just lifted must not start a fleet by that: the word for
    // it is one of its own.
    let refused = match (args.canaries, is_paused, waiting) {
        (true, _, 0) => Some("waits for none that go first".to_owned()),
        (false, false, 0) => Some("is not paused: nothing holds it".to_owned()),
        (false, false, _) => Some(format!(
            "is not paused; {} for those that go first: {canaries}",
            jobs_wait(waiting)
        )),
        (true, _, _) | (false, true, _) => None,
    };
    if let Some(why) = refused {
        queue.close().await?;
        return Err(CliError::Usage(format!("batch {} {why}", batch.id)));
    }
    let reason = Some(args.reason.clone());
    let instruction = if args.canaries {
        Instruction::Release
    } else {
        Instruction::Go
    };
    say(&mut queue, batch.id, None, reason, instruction).await?;
    let run = at_work_on(&mut queue, batch.id).await?;
    let mut heard = Control::of(run);
    heard.hear_all(&queue.control(batch.id, 0).await?);
    let next = next::go_on(global, &mut queue, &batch).await?;
    queue.close().await?;
    let then = match (run, heard.drained) {
        (Some(_), None) => "the run at work goes on".to_owned(),
        (Some(_), Some(_)) => format!(
            "the run at work is drained, and starts nothing more; when it has ended, `{next}` goes on"
        ),
        (None, _) => format!("`{next}` goes on with it"),
    };
    let batch = batch.id;
    let done = match (args.canaries, is_paused) {
        (false, _) => format!("batch {batch} is no longer paused: {then}\n"),
        (true, false) => {
            format!("batch {batch} no longer waits for those that go first: {then}\n")
        }
        (true, true) => {
            format!("batch {batch} no longer waits for those that go first, and is still paused\n")
        }
    };
    tell_done(global, &done)?;
    if !args.canaries && waiting > 0 && global.verbosity() != Verbosity::Quiet {
        tell(&format!(
            "{} for those that go first, still; {canaries}\n",
            jobs_wait(waiting)
        ));
    }
    Ok(Exit::Done)
}

pub async fn set(global: &Global, args: &SetArgs) -> Result<Exit, CliError> {
    let limits = args.limits();
    let instruction = Instruction::Set(limits);
    let (batch, run) =
        say_to_the_run(global, &args.batch, args.reason.clone(), instruction).await?;
    let done = format!("run {run} of batch {batch} goes on with {limits}\n");
    tell_done(global, &done)
}

pub async fn drain(global: &Global, args: &DrainArgs) -> Result<Exit, CliError> {
    let said = say_to_the_run(global, &args.batch, args.reason.clone(), Instruction::Drain).await?;
    let (batch, run) = said;
    let done = format!(
        "run {run} of batch {batch} starts nothing more, and ends when what is in flight has ended\n"
    );
    tell_done(global, &done)
}

/// Says it to the run that is at work on the batch; refused where none is.
async fn say_to_the_run(
    global: &Global,
    arg: &BatchArg,
    reason: Option<String>,
    instruction: Instruction,
) -> Result<(BatchId, RunId), CliError> {
    let (mut queue, batch) = batches::open(global, arg, Open::Change).await?;
    let at_work = at_work(&mut queue, batch.id).await?;
    let nobody = nobody_works(batch.id, &instruction, at_work);
    let heard = match at_work {
        Some((on, run)) if on == batch.id => {
            let is_heard = say(&mut queue, batch.id, Some(run), reason, instruction).await?;
            is_heard.then_some(run)
        }
        Some(_) | None => None,
    };
    queue.close().await?;
    let run = heard.ok_or_else(|| CliError::Usage(nobody))?;
    Ok((batch.id, run))
}

fn nobody_works(
    batch: BatchId,
    instruction: &Instruction,
    at_work: Option<(BatchId, RunId)>,
) -> String {
    match at_work {
        Some((other, _)) if other != batch => format!(
            "the run at work is on batch {other}, not on batch {batch}: say it with --batch {other}"
        ),
        Some(_) | None => format!(
            "no run is at work on batch {batch}: `{}` is for the run at work, and ends with it",
            instruction.kind()
        ),
    }
}

/// Returns whether the run that it is for, if any, is still at work.
async fn say(
    queue: &mut Queue,
    batch: BatchId,
    run: Option<RunId>,
    reason: Option<String>,
    instruction: Instruction,
) -> Result<bool, CliError> {
    let entry = ControlEntry {
        run,
        at_ms: time::now_ms(),
        operator: operator(),
        reason,
        instruction,
    };
    Ok(queue.instruct(batch, &entry).await?)
}

fn of_batch(arg: &BatchArg) -> String {
    arg.batch
        .map_or_else(String::new, |batch| format!(" --batch {batch}"))
}

fn tell_done(global: &Global, text: &str) -> Result<Exit, CliError> {
    if global.verbosity() != Verbosity::Quiet {
        print_text(text)?;
    }
    Ok(Exit::Done)
}
