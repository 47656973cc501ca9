//! `refleet keys`: the SSH keys that an instance can be rebuilt with, that can be ordered, and that the
//! account has.

use clap::Args;
use serde_json::json;

use super::look::{self, Doing, LookArgs};
use super::offer;
use crate::cli::error::CliError;
use crate::cli::format::{FormatArgs, ListFormat};
use crate::cli::global::Global;
use crate::exit::Exit;
use crate::job::ServiceId;
use crate::report::Listing;
use crate::run::Looker;
use crate::zomro::{Found, Lookup};

const EXAMPLES: &str = "\
Examples:
  refleet keys 5113119        what the manifest's column `ssh_key` takes for it
  refleet keys                the account's own list, with fingerprints
  refleet keys --catalogue --json

What is sent with a rebuild is the id in the instance's own form, as
keys SERVICE_ID shows it; compare by it where the lists differ.";

/// List the SSH keys that an instance can be rebuilt with, or that the account has.
#[derive(Debug, Args)]
#[command(override_usage = "refleet keys [OPTIONS] [SERVICE_ID|--catalogue]", after_help = EXAMPLES)]
pub struct KeysArgs {
    /// The instance whose rebuild form is read [default: the account's own list]
    service_id: Option<ServiceId>,

    /// What a new server can be ordered with, in each data centre
    #[arg(long, conflicts_with = "service_id")]
    catalogue: bool,

    /// Only this data centre, by its name or id
    #[arg(long, value_name = "DC", requires = "catalogue")]
    datacenter: Option<String>,

    #[command(flatten)]
    pub format: FormatArgs<ListFormat>,

    #[command(flatten)]
    look: LookArgs,
}

pub async fn keys(global: &Global, args: &KeysArgs) -> Result<Exit, CliError> {
    args.format.format()?;
    let client = args.look.client(global).await?;
    let mut looker = Looker::new(&client, args.look.rate);
    let doing = Doing::new(global.verbosity());
    let mut is_whole = true;
    let listing = if let Some(service) = args.service_id {
        doing.say("reading the rebuild form");
        let form = offer::of_instance(&mut looker, service).await?;
        let rows = form.ssh_keys.into_iter();
        Listing {
            name: "keys",
            columns: &["key", "label"],
            rows: rows
                .map(|key| vec![json!(key.id), json!(key.label)])
                .collect(),
        }
    } else if args.catalogue {
        let datacenter = args.datacenter.as_deref();
        let offered = offer::of_catalogue(&mut looker, datacenter, &doing).await?;
        let mut rows = Vec::new();
        for of in offered {
            for key in of.form.ssh_keys {
                rows.push(vec![json!(key.id), json!(key.label), json!(of.datacenter)]);
            }
        }
        Listing {
            name: "keys",
            columns: &["key", "label", "datacenter"],
            rows,
        }
    } else {
        doing.say("reading the account's keys");
        let (listing, whole) = own(&mut looker).await?;
        is_whole = whole;
        listing
    };
    drop(doing);
    look::finish(&listing, ["key", "keys"], is_whole, &args.format, global)
}

async fn own(looker: &mut Looker<'_>) -> Result<(Listing, bool), CliError> {
    let take = |found| match found {
        Found::SshKeys(page) => Some(page),
        Found::Form(_) | Found::Tariffs(_) | Found::OwnImages(_) => None,
    };
    let own = offer::own(looker, Lookup::SshKeys, take, "which SSH keys it has").await?;
    let rows = own.all.into_iter();
    let listing = Listing {
        name: "keys",
        columns: &["key", "label", "fingerprint", "uuid"],
        rows: rows
            .map(|key| {
                vec![
                    json!(key.id),
                    json!(key.label),
                    json!(key.fingerprint),
                    json!(key.uuid),
                ]
            })
            .collect(),
    };
    Ok((listing, own.is_whole))
}
