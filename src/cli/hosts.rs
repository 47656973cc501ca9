//! `refleet hosts`: which machines work on the queue, and the operator's word that one of them is down.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;

use super::control::operator;
use super::error::CliError;
use super::format::{FormatArgs, ListFormat};
use super::global::Global;
use super::output::{print_text, tell_prose};
use super::resolve::parse_reason;
use super::{catalogue, database, left_alone};
use crate::exit::Exit;
use crate::queue::{Backend as _, DownBy, HostLease, Open, PostgresQueue, Queue};
use crate::report::Listing;
use crate::{text, time};

const EXAMPLES: &str = "\
Examples:
  refleet hosts
  refleet hosts fence web7 --reason \"powered off by hand, ticket 4711\"

What a host was about to send when its lease ended is in doubt, and it may
still send it: frozen, or cut off from the database. `resolve --as requeue`
sends such a job again only when somebody has said that the host is down, and
what it had sent can no longer arrive.";

/// List the machines that work on the queue, on a PostgreSQL server.
#[derive(Debug, Args)]
#[command(override_usage = "refleet hosts [OPTIONS] [COMMAND]", args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct HostsArgs {
    #[command(subcommand)]
    command: Option<HostsCommand>,

    #[command(flatten)]
    pub format: FormatArgs<ListFormat>,
}

#[derive(Debug, Subcommand)]
enum HostsCommand {
    Fence(FenceArgs),
}
const FENCE_EXAMPLES: &str = "\
Examples:
  refleet hosts fence web7 --reason \"powered off by hand, ticket 4711\"";

/// Say that a machine is down, and all its connections with it.
///
/// Only say it of one that surely sends nothing any more: switched off, or cut off from the network. A
/// host that is fenced while it lives may wipe an instance that has been sent again.
#[derive(Debug, Args)]
#[command(override_usage = "refleet hosts fence [OPTIONS] --reason <TEXT> <HOST>", after_help = FENCE_EXAMPLES)]
struct FenceArgs {
    /// The machine, as `refleet hosts` names it
    host: String,

    /// How you know; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: String,
}

pub async fn hosts(global: &Global, args: &HostsArgs) -> Result<Exit, CliError> {
    match &args.command {
        Some(HostsCommand::Fence(fence)) => self::fence(global, fence).await,
        None => list(global, args).await,
    }
}

async fn list(global: &Global, args: &HostsArgs) -> Result<Exit, CliError> {
    args.format.format()?;
    let mut queue = database::open(global, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let leases = shared(&mut queue)?.hosts().await?;
    let open = shared(&mut queue)?.open_orders().await?;
    let mut left_alone = String::new();
    for order in &open.orders {
        if let Some(why) = left_alone::why(global, &mut queue, &open, order).await? {
            let id = order.batch.id;
            // Writing to a String cannot fail.
            let _ = writeln!(left_alone, "batch {id} is left alone: {why}");
        }
    }
    queue.close().await?;
    let row = |lease: &HostLease| {
        vec![
            json!(lease.provider),
            json!(lease.account),
            json!(lease.host),
            json!(lease.pid),
            json!(lease.epoch),
            json!(lease.batch.0),
            json!(time::rfc3339(lease.since_ms)),
            json!(lease.renewed_ms.map(time::rfc3339)),
            json!(state(lease)),
        ]
    };
    let listing = Listing {
        name: "hosts",
        columns: &[
            "provider", "account", "host", "pid", "epoch", "batch", "since", "renewed", "state",
        ],
        rows: leases.iter().map(row).collect(),
    };
    let what = match listing.rows.len() {
        1 => "1 lease".to_owned(),
        count => format!("{count} leases"),
    };
    catalogue::write(&listing, &what, &args.format, global)?;
    tell_prose(&left_alone);
    Ok(Exit::Done)
}

/// What has become of a process.
fn state(lease: &HostLease) -> String {
    match lease.expires_ms {
        _ if lease.has_ended => "ended".to_owned(),
        _ if lease.is_down_by == Some(DownBy::Kernel) => {
            "has ended, says its machine's kernel".to_owned()
        }
        _ if lease.is_down_by == Some(DownBy::Operator) && !lease.works() => {
            "is down, by an operator's word".to_owned()
        }
        _ if lease.works() => "works".to_owned(),
        Some(expires_ms) => format!(
            "lost its lease {} ago",
            time::short(time::between(expires_ms, lease.now_ms))
        ),
        None => "lost its lease to another".to_owned(),
    }
}

async fn fence(global: &Global, args: &FenceArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Change).await?;
    let shared = shared(&mut queue)?;
    let leases = shared.hosts().await?;
    let of_host = |lease: &&HostLease| lease.host == args.host;
    let host = text::printable(&args.host);
    if !leases.iter().any(|lease| of_host(&lease)) {
        queue.close().await?;
        let known: Vec<_> = leases
            .iter()
            .map(|lease| text::printable(&lease.host))
            .collect();
        return Err(CliError::Usage(format!(
            "no host {host} has worked on this queue; those that have: {}",
            known.join(", ")
        )));
    }
    // One that has renewed a lease just now is not down.
    let is_at_work = |lease: &&HostLease| of_host(lease) && lease.works();
    if let Some(lease) = leases.iter().find(is_at_work) {
        let until = time::human(lease.expires_ms.unwrap_or(lease.now_ms));
        queue.close().await?;
        return Err(CliError::Usage(format!(
            "host {host} has renewed its lease a moment ago: it works; where that is wrong, say it again after {until}"
        )));
    }
    shared.fence(&args.host, &operator(), &args.reason).await?;
    queue.close().await?;
    print_text(&format!("host {host} is down, by your word\n"))?;
    tell_prose(&format!(
        "hint: what it left in doubt can be sent again when nothing of it can arrive any more: `{} resolve SERVICE_ID --as requeue --reason TEXT` says how long that takes\n",
        global.command(None)
    ));
    Ok(Exit::Done)
}

fn shared(queue: &mut Queue) -> Result<&mut PostgresQueue, CliError> {
    queue.shared().ok_or_else(|| {
        CliError::Usage(
            "this queue is a file, and its lock says who works: `refleet status`; several hosts share a queue on a PostgreSQL server (--db postgres://…)"
                .to_owned(),
        )
    })
}
