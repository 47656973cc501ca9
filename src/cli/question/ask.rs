//! Asks on the terminal.

use std::collections::HashMap;

use super::pager::Pager;
use super::targets::Targets;
use super::text::Question;
use crate::cli::error::CliError;
use crate::cli::output::{can_ask, can_write_over, tell};
use crate::cli::sign_in::sign_in;
use crate::cli::typed::answer;
use crate::cli::words::instances;
use crate::job::{Action, BatchId, Owner};
use crate::progress::Verbosity;
use crate::run::{InstanceList, Options, Rollout, read_account};
use crate::zomro::Client;

/// What is asked about, and which API.
pub struct Asked<'a> {
    /// What is to be done.
    pub action: Action,
    /// Whose instances they have to be, where that is known.
    pub owner: Option<&'a Owner>,
    /// The open batch that would go on; `None`: a new order.
    pub open: Option<BatchId>,
    /// Jobs of the batch, those included that are not asked about.
    pub jobs: u64,
    pub client: &'a Client,
    pub api_url: &'a str,
    /// What the run will do.
    pub options: &'a Options,
    /// How much is said on the way.
    pub verbosity: Verbosity,
    /// Shows the whole list.
    pub pager: &'a Pager,
}

/// Asks on the terminal: `heading` stands first, `warnings` above the number. Returns what was read of
/// the account, which the run goes on with, and whose it is.
pub async fn confirm(
    targets: &Targets,
    heading: &str,
    warnings: &[String],
    asked: &Asked<'_>,
) -> Result<(InstanceList, Option<Owner>), CliError> {
    if !can_ask() {
        return Err(CliError::NobodyToAsk {
            action: asked.action,
            instances: targets.count(),
            open: asked.open,
        });
    }
    let capable = can_write_over();
    let account = read(targets, asked, capable).await?;
    let question = Question {
        action: asked.action,
        targets,
        account: &account,
        api_url: asked.api_url,
        heading,
        warnings,
        jobs: asked.jobs,
        no_wait: asked.options.no_wait,
        rollout: rollout(asked.options, heading),
        rebuild_timeout: asked.options.rules.rebuild_timeout,
        starts: HashMap::new(),
    };
    let count = question.count();
    let (rows, columns) = size();
    tell(&question.text(rows, columns));
    if count == 0 {
        return Err(CliError::NothingToSend(asked.action));
    }
    loop {
        tell("l shows the whole list; anything but the number stops.\n");
        let cost = asked.action.terms().cost;
        let prompt = format!("Type {count} to {cost} {}: ", instances(count));
        let answer = answer(&prompt).await;
        match answer.as_ref().map(|line| line.trim()) {
            Ok(number) if number == count.to_string() => {
                return Ok((account.list, account.owner));
            }
            Ok("l" | "L") => {
                let (_, columns) = size();
                asked.pager.show(|| question.list(columns), capable).await;
                tell("\n");
                tell(&question.closing(columns));
            }
            Ok(_) | Err(_) => return Err(CliError::NotConfirmed),
        }
    }
}

/// Of what is left of an open batch, those that go first may be done already: the status names them.
fn rollout(options: &Options, heading: &str) -> Rollout {
    let is_new = heading.is_empty();
    Rollout {
        canary: options.rollout.canary.filter(|_| is_new),
        ..options.rollout.clone()
    }
}

/// Reads the account, and shows how far it is: at one call a second a large one takes minutes.
pub async fn read(
    targets: &Targets,
    asked: &Asked<'_>,
    capable: bool,
) -> Result<crate::run::Account, CliError> {
    sign_in(asked.client, asked.options.rate_per_s, asked.action).await?;
    let quiet = asked.verbosity == Verbosity::Quiet;
    let say = |doing: &str| {
        if capable && !quiet {
            tell(&format!("\r\x1b[K{doing}"));
        }
    };
    say("reading the account's list");
    if !capable && !quiet {
        // A terminal that can't go back gets one line, and not one for each page.
        tell("reading the account's list\n");
    }
    let progress = |read: u64, total: Option<u64>| match total {
        Some(total) if read < total => {
            say(&format!(
                "reading the account's list: {read} of {total} instances"
            ));
        }
        Some(_) => say("asking for the names of the images"),
        None => say(&format!("reading the account's list: {read} instances")),
    };
    let account = read_account(
        asked.client,
        asked.options.rate_per_s,
        asked.owner,
        &|list| targets.images(list),
        &progress,
    )
    .await;
    say("");
    account.map_err(|halt| CliError::Account {
        action: asked.action,
        halt,
    })
}

/// Rows and columns of the terminal.
fn size() -> (usize, usize) {
    let (rows, columns) = console::Term::stderr().size();
    (usize::from(rows), usize::from(columns))
}
