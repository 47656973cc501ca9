//! The hooks that an earlier run has left.

use std::time::Duration;

use super::context::Invocation;
use crate::cli::error::CliError;
use crate::cli::hooks::carry_out;
use crate::cli::output::tell_prose;
use crate::hook::Asked;
use crate::job::BatchId;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Overview as _, Queue};
use crate::run::Signals;

/// Carries out what an earlier run has left of the hooks of `batch`, which has ended.
pub async fn left_behind(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: BatchId,
    signals: &mut Signals,
) -> Result<(), CliError> {
    if invocation.pools.work_for(batch) {
        return Ok(()); // nothing is left behind yet
    }
    let pending = queue.hook_counts(batch).await?.pending;
    let recorded = queue.options(batch).await?;
    let Invocation { global, args, .. } = invocation;
    let settings = args.hooks.settings(&global.configured, recorded.as_ref());
    let Some(settings) = settings.filter(|_| pending > 0) else {
        return Ok(());
    };
    let tell = |message: String| tell_prose(&format!("{message}\n"));
    // No run looks for keys any more.
    let keys_take = Duration::ZERO;
    let work = (settings, Asked::Pending { keys_take });
    let (outcome, _) = carry_out(queue, batch, work, &tell, signals).await?;
    let (done, failed) = (outcome.done, outcome.failed);
    if global.verbosity() != Verbosity::Quiet || failed > 0 {
        tell_prose(&format!(
            "hooks that batch {batch} had left: {done} ended well, {failed} failed\n"
        ));
    }
    Ok(())
}
