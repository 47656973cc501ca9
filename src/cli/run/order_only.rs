//! `run --order-only`: an order is made, and services work on it.
//!
//! The one fact to know: the order belongs to the account of whoever has typed it before any service takes
//! it. No service ever guesses whose an order is.

use super::context::Invocation;
use crate::cli::batches;
use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::cli::recorded::as_json;
use crate::cli::sign_in::sign_in;
use crate::cli::words::jobs;
use crate::job::{Action, BatchId, Owner};
use crate::progress::Verbosity;
use crate::queue::{Queue, Store as _};
use crate::run::{Halt, read_owner};
use crate::text;

/// Whose account the credentials are.
pub async fn owner(invocation: &Invocation<'_>) -> Result<Owner, CliError> {
    let context = invocation.context;
    let (action, rate_per_s) = (Action::Rebuild, context.options.rate_per_s);
    sign_in(&context.client, rate_per_s, action).await?;
    let owner = read_owner(&context.client, rate_per_s).await;
    let owner = owner.map_err(|halt| CliError::Account { action, halt })?;
    owner.ok_or_else(|| {
        CliError::Usage(format!(
            "{} does not say whose account these credentials are, and a service has to know: `refleet run` works without that",
            context.api_url
        ))
    })
}

/// Binds `batch` to the account of the credentials, records by which rules it is ordered, and says so.
/// `is_resumed`: it was there before.
pub async fn leave_to_services(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: BatchId,
    ours: &Owner,
    is_resumed: bool,
) -> Result<(), CliError> {
    let batch = batches::find(queue, Some(batch)).await?;
    let theirs = queue.bind(batch.id, ours).await?;
    if !theirs.is_same(ours) {
        return Err(CliError::Account {
            action: batch.action,
            halt: Halt::OtherAccount {
                theirs,
                ours: ours.clone(),
            },
        });
    }
    let context = invocation.context;
    let hooks = (invocation.args.hooks).settings(&invocation.global.configured, None);
    let options = as_json(&context.options, &context.repeated, hooks.as_ref());
    let Some(shared) = queue.shared() else {
        return Ok(());
    };
    let was_loaded = shared.order(batch.id, &options).await?;
    if invocation.global.verbosity() != Verbosity::Quiet {
        let kept = if is_resumed && !was_loaded {
            ", by the rules that it was ordered with before"
        } else {
            ""
        };
        tell_prose(&format!(
            "batch {} is ordered for account {}{kept}, {}: `refleet work` works on it\n",
            batch.id,
            text::brief(&ours.to_string(), 100),
            jobs(batch.counts.open())
        ));
    }
    Ok(())
}
