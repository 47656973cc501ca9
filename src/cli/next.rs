//! What to type to go on with a batch.

use super::error::CliError;
use super::global::{API_URL, Global};
use super::manifest;
use super::options::rollout_of;
use crate::queue::{Batch, Queue};
use crate::run::Rollout;
use crate::text;
use crate::time::Window;

/// The provider of the simulated instances, which no real provider has.
pub const SIMULATION: &str = "simulation:";

/// The command that goes on with `batch`, which has work now.
pub async fn go_on(global: &Global, queue: &mut Queue, batch: &Batch) -> Result<String, CliError> {
    let alone = !queue
        .batches()
        .await?
        .iter()
        .any(|other| other.id != batch.id && other.is_open());
    let last_run = queue.runs(batch.id, 1).await?.pop();
    let rollout = last_run.map(|run| rollout_of(&run.options));
    Ok(format!(
        "{} {}",
        command_for(global, batch),
        run(batch, alone, rollout.as_ref())
    ))
}

/// What makes a run go on with `batch`. `alone`: no other one is open, so that no manifest is needed.
/// `rollout`: the rules of its last run.
pub fn run(batch: &Batch, alone: bool, rollout: Option<&Rollout>) -> String {
    let run = manifest::run(batch.action, &batch.path);
    let rules = rollout.map(rules).unwrap_or_default();
    if batch.provider == SIMULATION {
        // The simulated account is made of the manifest.
        format!("{run} --simulate{rules}")
    } else if alone {
        format!("run{rules}")
    } else {
        format!("{run}{rules}")
    }
}

/// The options that keep a run to the rules of `rollout`, behind a blank each: who types the same command
/// without them takes down by day what was to be taken down at night.
pub fn rules(rollout: &Rollout) -> String {
    let Rollout {
        canary,
        max_per_group,
        window,
    } = rollout;
    let canary = canary.map(|each| format!(" --canary {each}"));
    let groups = (max_per_group.get() > 1).then(|| format!(" --max-per-group {max_per_group}"));
    let window = window
        .as_ref()
        .map(|Window { hours, zone }| format!(" --window {hours} --timezone {zone}"));
    [canary, groups, window].into_iter().flatten().collect()
}

/// How to call refleet on this very batch: its API too, where it is not the usual one.
pub fn command_for(global: &Global, batch: &Batch) -> String {
    let mut command = global.command(None);
    let is_given = global.address().is_some();
    let is_usual = batch.api_url == API_URL;
    if !is_given && !is_usual && batch.provider != SIMULATION {
        command.push_str(" --api-url ");
        command.push_str(&text::shell_word(&batch.api_url));
    }
    command
}
