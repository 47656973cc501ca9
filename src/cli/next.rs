//! What to type to go on with a batch.

use serde_json::Value;

use super::error::CliError;
use super::global::{API_URL, Global};
use super::manifest;
use crate::queue::{Backend as _, Batch, Overview as _, Queue};
use crate::text;

/// The provider of the simulated instances, which no real provider has.
pub const SIMULATION: &str = "simulation:";

/// The command that goes on with `batch`, which has work now.
pub async fn go_on(global: &Global, queue: &mut Queue, batch: &Batch) -> Result<String, CliError> {
    let alone = !queue.beside(batch.id).await?.open;
    let options = queue.options(batch.id).await?;
    Ok(format!(
        "{} {}",
        command_for(global, batch),
        run(batch, alone, options.as_ref())
    ))
}

/// What makes a run go on with `batch`. `alone`: no other one is open, so that no manifest is needed.
/// `options`: those of its last run, or of the one that has ordered it, as they are recorded.
pub fn run(batch: &Batch, alone: bool, options: Option<&Value>) -> String {
    let nothing = Value::Null;
    let recorded = options.unwrap_or(&nothing);
    let run = manifest::run(batch.action, &batch.path) + &of_sheet(recorded);
    let options = of_run(recorded);
    if batch.provider == SIMULATION {
        // The simulated account is made of the manifest.
        format!("{run} --simulate{options}")
    } else if alone {
        format!("run{options}")
    } else {
        format!("{run}{options}")
    }
}

/// What was typed for a run and its next one needs as well, behind a blank each: who types the same
/// command without it takes down by day what was to be taken down at night.
///
/// The run's record is the one source, because a hint is given by other processes too: what was typed
/// there, none of them knows.
pub fn of_run(recorded: &Value) -> String {
    words(&recorded["repeated"]["options"])
}

/// What was typed to say how the manifest is read, likewise.
pub fn of_sheet(recorded: &Value) -> String {
    words(&recorded["repeated"]["sheet"])
}

fn words(words: &Value) -> String {
    let words = words.as_array().into_iter().flatten();
    let words = words.filter_map(Value::as_str).map(str::to_owned);
    line(&words.collect::<Vec<_>>())
}

/// Words of a command line, behind a blank each.
pub fn line(words: &[String]) -> String {
    let words = words.iter();
    words.fold(String::new(), |line, word| {
        line + " " + &text::shell_word(word)
    })
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
