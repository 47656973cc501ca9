//! Asks on the terminal.
//!
//! The one fact to know: only what was typed after the question could be read is an answer to it.

use std::io::{self, BufRead as _, IsTerminal as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::termios::{QueueSelector, tcflush};
use tokio::signal::unix::SignalKind;

use super::pager::Pager;
use super::targets::Targets;
use super::text::Question;
use crate::cli::error::CliError;
use crate::cli::output::tell;
use crate::cli::signals;
use crate::cli::words::instances;
use crate::job::{Action, Owner};
use crate::progress::{Surroundings, Verbosity};
use crate::run::{InstanceList, Options, read_account};
use crate::zomro::Client;

/// A paste arrives in pieces: it has come to an end when nothing was typed for this long.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// Pieces that are thrown away at most; who goes on typing after that answers the question.
const PIECES_MAX: u32 = 50;

/// What is asked about, and which API.
pub struct Asked<'a> {
    /// What is to be done.
    pub action: Action,
    /// Whose instances they have to be, where that is known.
    pub owner: Option<&'a Owner>,
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
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CliError::NobodyToAsk {
            action: asked.action,
            instances: targets.count(),
        });
    }
    let capable = Surroundings::of_this_process().terminal;
    let account = read(targets, asked, capable).await?;
    let question = Question {
        action: asked.action,
        targets,
        account: &account,
        api_url: asked.api_url,
        heading,
        warnings,
        no_wait: asked.options.no_wait,
        rebuild_timeout: asked.options.rules.rebuild_timeout,
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

/// Reads the account, and shows how far it is: at one call a second a large one takes minutes.
pub async fn read(
    targets: &Targets,
    asked: &Asked<'_>,
    capable: bool,
) -> Result<crate::run::Account, CliError> {
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

/// Throws away what was typed before, asks, and waits for a line. An end of file is an empty one.
async fn answer(prompt: &str) -> io::Result<String> {
    tokio::task::spawn_blocking(discard_typed).await??;
    let mut continued = signals::heeded(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    tell(prompt);
    let mut reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    loop {
        tokio::select! {
            line = &mut reading => return line?,
            // After Ctrl-Z and `fg` the shell has written over the prompt.
            () = signals::next(&mut continued) => tell(&format!("\n{prompt}")),
        }
    }
}

/// Forgets everything that was typed or pasted so far, until it has come to an end.
fn discard_typed() -> io::Result<()> {
    let stdin = io::stdin();
    for _ in 0..PIECES_MAX {
        tcflush(&stdin, QueueSelector::IFlush)?;
        let mut typed = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut typed, Some(&QUIET)) {
            Ok(0) => break,
            // A terminal that is gone is always readable; reading the answer finds that out.
            Ok(_) if typed[0].revents().contains(PollFlags::HUP) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // `poll` does not report half a line, which would become the beginning of the answer.
    tcflush(&stdin, QueueSelector::IFlush)?;
    Ok(())
}
