//! `refleet services`: the account's instances; as CSV, a manifest that is ready but for its image.

use clap::Args;
use serde_json::{Value, json};

use super::look::{self, Doing, LookArgs};
use crate::cli::error::CliError;
use crate::cli::format::{FormatArgs, ListFormat};
use crate::cli::global::Global;
use crate::cli::output::tell_prose;
use crate::cli::words::instances;
use crate::exit::Exit;
use crate::job::is_cut;
use crate::progress::Verbosity;
use crate::report::{Format, Listing};
use crate::run::{InstanceList, read_account};

const EXAMPLES: &str = "\
Examples:
  refleet services
  refleet services --output fleet.csv    a manifest: fill in its column `image`
  refleet services --json | jq -c '.services[] | select(.status == \"stopped\")'

The CSV has what stands on each instance now in its columns expect_name,
expect_ip and expect_image: what is something else by then is not touched.
A manifest that is there already is not written over.
The exit code is 1 when the list could not be read whole.";

/// List the account's instances, or begin a manifest with them.
#[derive(Debug, Args)]
#[command(override_usage = "refleet services [OPTIONS]", after_help = EXAMPLES)]
pub struct ServicesArgs {
    #[command(flatten)]
    pub format: FormatArgs<ListFormat>,

    #[command(flatten)]
    look: LookArgs,
}

pub async fn services(global: &Global, args: &ServicesArgs) -> Result<Exit, CliError> {
    let format = args.format.format()?.into();
    let client = args.look.client(global).await?;
    let account = {
        let doing = Doing::new(global.verbosity());
        doing.say("reading the account's list");
        let progress = |read: u64, total: Option<u64>| match total {
            Some(total) => doing.say(&format!(
                "reading the account's list: {read} of {}",
                instances(total)
            )),
            None => doing.say(&format!("reading the account's list: {}", instances(read))),
        };
        read_account(&client, args.look.rate, None, &|_| Vec::new(), &progress).await
    };
    let list = account.map_err(look::not_read)?.list;
    let listing = match format {
        Format::Csv => manifest(&list),
        Format::Table | Format::Json => listing(&list),
    };
    let count = listing.rows.len() as u64;
    look::write(&listing, &instances(count), &args.format, global)?;
    if !list.is_read() {
        // A manifest without them would leave them as they are: nobody must think that it is all.
        tell_prose(&format!(
            "warning: the list says that it has {}, and {count} of them could be read: rows that cannot be read, or pages that contradict each other; type it again\n",
            instances(list.total())
        ));
        return Ok(Exit::Failed);
    }
    if count == 0 && global.verbosity() != Verbosity::Quiet {
        tell_prose(
            "the account's list shows no instance: is it the right account? is a filter for the list set in the panel?\n",
        );
    }
    Ok(Exit::Done)
}

fn listing(list: &InstanceList) -> Listing {
    let row = |(service, listed): (_, &crate::run::list::Listed)| {
        vec![
            json!(service),
            json!(listed.name),
            json!(listed.ip),
            json!(listed.observation.image),
            json!(listed.observation.status.as_str()),
            json!(listed.datacenter),
        ]
    };
    Listing {
        name: "services",
        columns: &["service_id", "name", "ip", "image", "status", "datacenter"],
        rows: list.instances().map(row).collect(),
    }
}

/// What stands on each instance now is pinned; the data centre is its note, because the ids of images
/// differ from one to the next.
fn manifest(list: &InstanceList) -> Listing {
    let row = |(service, listed): (_, &crate::run::list::Listed)| {
        vec![
            json!(service),
            Value::Null,
            pin(listed.name.as_deref()),
            pin(listed.ip.as_deref()),
            pin(listed.observation.image.as_deref()),
            json!(listed.datacenter),
        ]
    };
    Listing {
        name: "services",
        columns: &[
            "service_id",
            "image",
            "expect_name",
            "expect_ip",
            "expect_image",
            "note",
        ],
        rows: list.instances().map(row).collect(),
    }
}

/// What of a text could not be read, or was cut off, can't be compared either: such a cell pins nothing.
fn pin(text: Option<&str>) -> Value {
    json!(text.filter(|text| !text.contains(char::REPLACEMENT_CHARACTER) && !is_cut(text)))
}
