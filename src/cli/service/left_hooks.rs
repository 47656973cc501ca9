//! Hooks that a process which has died, or was asked to end, has left behind in an order that is at rest.

use std::time::Duration;

use super::login::Login;
use crate::cli::error::CliError;
use crate::cli::run::{Hooks, Pools};
use crate::hook::may_live;
use crate::job::{HookState, Owner};
use crate::queue::{
    AccountKey, Backend as _, Batch, OpenOrders, Overview as _, PostgresQueue, Queue, StoreError,
};
use crate::time;

/// Hooks that are looked at: as many as one process may have at work.
const LOOKED_AT: usize = 1000;

/// Batches of `open` whose hooks nobody looks after, each with the account whose it is.
pub fn left<'a>(open: &'a OpenOrders, pools: &Pools) -> Vec<(AccountKey, &'a Owner, &'a Batch)> {
    let left = open.with_hooks.iter().filter_map(|batch| {
        let owner = batch.owner.as_ref()?;
        let key = (batch.provider.clone(), owner.id.clone());
        // Its next run sees to them.
        let mut orders = open.orders.iter();
        let is_taken =
            orders.any(|order| order.batch.id == batch.id && open.rests(order).is_none());
        let is_left = !is_taken && !open.at_work.contains_key(&key) && !pools.work_for(batch.id);
        is_left.then_some((key, owner, batch))
    });
    left.collect()
}

/// Carries out the hooks of `batch`, unless another process has some of them.
pub async fn carry_out(
    batch: &Batch,
    login: &Login,
    queue: &mut Queue,
    runs_on: &PostgresQueue,
    pools: &Pools,
) -> Result<(), CliError> {
    let recorded = queue.options(batch.id).await?;
    let hooks = &login.args.hooks;
    let settings = hooks.settings(&login.global.configured, recorded.as_ref());
    if settings.is_none() || others_have_some(batch, queue).await? {
        return Ok(());
    }
    let afterwards = (login.global.command(None), login.global.verbosity());
    let runs_on = Queue::Postgres(runs_on.another());
    // No run looks for keys any more.
    let hooks = Hooks::of(&runs_on, batch.id, settings, Duration::ZERO, afterwards).await?;
    if let Some(hooks) = hooks {
        pools.finish(hooks);
    }
    Ok(())
}

async fn others_have_some(batch: &Batch, queue: &mut Queue) -> Result<bool, StoreError> {
    let states = [HookState::Pending, HookState::Started];
    let jobs = queue.hooks(batch.id, &states, None, LOOKED_AT).await?;
    let now_ms = time::now_ms();
    let runners = jobs
        .iter()
        .filter_map(|job| job.record.hook.as_ref()?.runner.as_ref());
    Ok(runners.into_iter().any(|runner| may_live(runner, now_ms)))
}
