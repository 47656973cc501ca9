//! One order of one account: worked on until its run ends, and what that means for what is next.

use std::rc::Rc;
use std::time::Duration;

use super::login::Login;
use crate::cli::error::CliError;
use crate::cli::held::held_now;
use crate::cli::output::{tell, tell_prose};
use crate::cli::run::{Invocation, OfService, Pools, go_on_with};
use crate::cli::{next, run};
use crate::exit::Exit;
use crate::job::BatchId;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Batch, Overview as _, Queue, Resting, Store as _, StoreError};
use crate::run::Signals;
use crate::run::hosts::Keeper;
use crate::{text, time};

/// An account is left alone for so long after something that only a person can mend, unless it mends itself: refused credentials, a
/// block, an API that is none.
const AFTER_REFUSAL: Duration = Duration::from_mins(10);

/// What follows from the work on an order.
pub enum Next {
    /// Another look.
    Look,
    /// Others may have it, or have it already.
    Wait(String),
    /// The account is left alone by all hosts for a while, and by this one twice as long: another one may
    /// have what this one lacks.
    LeaveAccount { exit: Exit, lasts: Duration },
    /// The whole service ends.
    End(Result<Exit, CliError>),
}

/// What an order is worked on with.
pub struct Work {
    pub login: Box<Login>,
    pub queue: Queue,
    pub batch: Batch,
    pub keeper: Rc<Keeper>,
    pub pools: Rc<Pools>,
    pub signals: Signals,
    /// Other accounts are worked for beside it.
    pub is_one_of_many: bool,
    /// The last word of an operator when its run began.
    pub word: i64,
}

/// What came of it.
pub struct Worked {
    pub login: Box<Login>,
    pub batch: BatchId,
    pub next: Next,
    /// What can't be true together has been found, and the order is held.
    pub is_contradictory: bool,
}

impl Work {
    /// Works on the order until its run ends.
    pub async fn until_ended(mut self) -> Worked {
        let batch = self.batch.id;
        let ended = self.run().await;
        let is_contradictory = match &ended {
            Ok(exit) => *exit == Exit::Bug,
            Err(error) => error.exit() == Exit::Bug,
        };
        let next = match ended {
            Ok(exit) => self.after(exit).await,
            Err(error) => self.after_error(error).await,
        };
        Worked {
            next: next.unwrap_or_else(|error| {
                if waits(&error) {
                    Next::Wait(error.to_string())
                } else {
                    Next::End(Err(error))
                }
            }),
            login: self.login,
            batch,
            is_contradictory,
        }
    }

    async fn run(&mut self) -> Result<Exit, CliError> {
        let (queue, batch) = (&mut self.queue, &self.batch);
        self.word = last_word(queue, batch.id).await?;
        self.login.go_by_the_rules_of(queue, batch).await?;
        let login = &self.login;
        let invocation = Invocation {
            global: &login.global,
            args: &login.args,
            manifest: None,
            plan: None,
            service: Some(OfService {
                again: &login.again,
                keeper: &self.keeper,
                is_one_of_many: self.is_one_of_many,
            }),
            pools: &self.pools,
            context: &login.context,
        };
        let prepared = tokio::select! {
            biased;
            Some(signal) = self.signals.recv() => return Ok(crate::cli::ended::of_signal(signal)),
            prepared = go_on_with(&invocation, queue, batch.clone()) => prepared?,
        };
        if login.global.verbosity() != Verbosity::Quiet {
            let account = text::brief(&login.owner.to_string(), 100);
            tell(&format!(
                "working on batch {} for account {account}\n",
                batch.id
            ));
        }
        Box::pin(run::work(
            &invocation,
            queue,
            batch.id,
            prepared,
            &mut self.signals,
        ))
        .await
    }

    /// What follows from the end of its run.
    async fn after(&mut self, exit: Exit) -> Result<Next, CliError> {
        match exit {
            // Nothing is open any more, or not before somebody has spoken or the window opens.
            Exit::Done | Exit::Failed | Exit::InDoubt | Exit::Budget | Exit::Window => {
                self.leave_order(exit.meaning()).await?;
                Ok(Next::Look)
            }
            Exit::Bug => {
                let id = self.batch.id;
                tell_prose(&format!(
                    "batch {id} is left alone until somebody has looked at it: {}\n",
                    exit.meaning()
                ));
                self.leave_order(exit.meaning()).await?;
                Ok(Next::Look)
            }
            // Another one has it, or the server is away.
            Exit::Busy | Exit::Storage => Ok(Next::Wait(exit.meaning().to_owned())),
            // For as long as a host is waited for.
            Exit::Outage => self.leave_account(exit, self.login.global.lease).await,
            Exit::Usage | Exit::Credentials | Exit::Blocked if self.is_one_of_many => {
                self.leave_account(exit, AFTER_REFUSAL).await
            }
            Exit::Usage
            | Exit::Credentials
            | Exit::Blocked
            | Exit::Interrupted
            | Exit::Terminated => Ok(Next::End(Ok(exit))),
        }
    }

    /// What follows where no run came about, or none that could say how it ended.
    async fn after_error(&mut self, error: CliError) -> Result<Next, CliError> {
        let is_of_the_batch = matches!(
            error,
            CliError::Stale { .. }
                | CliError::Usage(_)
                | CliError::Contradiction(_)
                | CliError::Store(StoreError::Bug(_))
        );
        if !is_of_the_batch {
            return match error {
                CliError::Account { halt, .. } => {
                    let exit = crate::cli::ended::of_halt(&halt);
                    tell_prose(&format!("{}\n", text::printable(&halt.to_string())));
                    Box::pin(self.after(exit)).await
                }
                error => Err(error),
            };
        }
        let id = self.batch.id;
        let options = self.queue.options(id).await?;
        let run = next::run(&self.batch, false, options.as_ref());
        let why = left_alone(&error, &self.login.global.command(None), &run, id);
        tell_prose(&format!("batch {id} is left alone: {why}"));
        self.leave_order(&error.to_string()).await?;
        Ok(Next::Look)
    }

    async fn leave_account(&mut self, exit: Exit, lasts: Duration) -> Result<Next, CliError> {
        tell_prose(&format!(
            "account {} is left alone for {}: {}\n",
            text::brief(&self.login.owner.to_string(), 100),
            time::short(lasts),
            exit.meaning()
        ));
        let key = self.login.key();
        if let Some(queue) = self.queue.shared() {
            let account = Resting::Account(&key);
            queue
                .leave_alone(account, Some(lasts), exit.meaning())
                .await?;
        }
        Ok(Next::LeaveAccount { exit, lasts })
    }

    /// Leaves the order alone as it stands now.
    async fn leave_order(&mut self, why: &str) -> Result<(), CliError> {
        let id = self.batch.id;
        let batch = self.queue.batch(id).await?;
        let Some(batch) = batch.filter(Batch::is_open) else {
            return Ok(());
        };
        // Somebody has spoken meanwhile, perhaps too late for the run to hear it: the next one hears it.
        if last_word(&mut self.queue, id).await? != self.word {
            return Ok(());
        }
        let window = held_now(&mut self.queue, &batch).await?.window;
        let until = window.map(|window| time::between(time::now_ms(), window.opens_ms));
        if let Some(queue) = self.queue.shared() {
            let open = queue.open_orders().await?;
            if let Some(order) = open.orders.iter().find(|order| order.batch.id == id) {
                queue.leave_alone(Resting::Order(order), until, why).await?;
            }
        }
        Ok(())
    }
}

/// The number of the last word that an operator has said of `batch`.
async fn last_word(queue: &mut Queue, batch: BatchId) -> Result<i64, StoreError> {
    let said = queue.control(batch, 0).await?;
    Ok(said.last().map_or(0, |(number, _)| *number))
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

/// It passes by itself, or by a word that is not this service's: another process is at work, the server is
/// away, or nobody has adopted the database yet.
pub fn waits(error: &CliError) -> bool {
    match error {
        CliError::Store(error) => match error {
            StoreError::Locked(_)
            | StoreError::LeaseLost { .. }
            | StoreError::Busy
            | StoreError::Server { .. }
            | StoreError::Another { .. }
            | StoreError::Storage { .. } => true,
            StoreError::Gone { .. } | StoreError::Bug(_) => false,
        },
        _ => false,
    }
}
