//! `refleet images`: what an instance can be rebuilt with, what can be ordered, the account's own images.

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
  refleet images 5113119                   what it can be rebuilt with
  refleet images --catalogue --datacenter NL
  refleet images --own --json | jq -r '.images[] | .image'

Ids of images differ from one data centre to the next: where several come into
question, what counts is the instance's own form, images SERVICE_ID.
Nothing is ordered: the forms are only read.";

/// List the images that an instance can be rebuilt with, or that can be ordered.
#[derive(Debug, Args)]
#[command(
    override_usage = "refleet images [OPTIONS] <SERVICE_ID|--catalogue|--own>",
    after_help = EXAMPLES
)]
#[group(id = "of", required = true, multiple = false, args = ["service_id", "catalogue", "own"])]
pub struct ImagesArgs {
    /// The instance whose rebuild form is read
    service_id: Option<ServiceId>,

    /// What a new server can be ordered with, in each data centre, as its first tariff offers it
    #[arg(long)]
    catalogue: bool,

    /// Only this data centre, by its name or id
    #[arg(long, value_name = "DC", requires = "catalogue")]
    datacenter: Option<String>,

    /// The images that the account itself has made or brought
    #[arg(long)]
    own: bool,

    #[command(flatten)]
    pub format: FormatArgs<ListFormat>,

    #[command(flatten)]
    look: LookArgs,
}

pub async fn images(global: &Global, args: &ImagesArgs) -> Result<Exit, CliError> {
    args.format.format()?;
    let client = args.look.client(global).await?;
    let mut looker = Looker::new(&client, args.look.rate);
    let doing = Doing::new(global.verbosity());
    let mut is_whole = true;
    let listing = if let Some(service) = args.service_id {
        doing.say("reading the rebuild form");
        let form = offer::of_instance(&mut looker, service).await?;
        let rows = form.images.into_iter();
        Listing {
            name: "images",
            columns: &["image", "name", "zone"],
            rows: rows
                .map(|image| vec![json!(image.id), json!(image.name), json!(image.zone)])
                .collect(),
        }
    } else if args.own {
        doing.say("reading the account's own images");
        let (listing, whole) = own(&mut looker).await?;
        is_whole = whole;
        listing
    } else {
        let datacenter = args.datacenter.as_deref();
        let offered = offer::of_catalogue(&mut looker, datacenter, &doing).await?;
        let mut rows = Vec::new();
        for of in offered {
            for image in of.form.images {
                rows.push(vec![
                    json!(image.id),
                    json!(image.name),
                    json!(image.zone),
                    json!(of.datacenter),
                ]);
            }
        }
        Listing {
            name: "images",
            columns: &["image", "name", "zone", "datacenter"],
            rows,
        }
    };
    drop(doing);
    look::finish(
        &listing,
        ["image", "images"],
        is_whole,
        &args.format,
        global,
    )
}

async fn own(looker: &mut Looker<'_>) -> Result<(Listing, bool), CliError> {
    let take = |found| match found {
        Found::OwnImages(page) => Some(page),
        Found::Form(_) | Found::Tariffs(_) | Found::SshKeys(_) => None,
    };
    let own = offer::own(looker, Lookup::OwnImages, take, "which images it has").await?;
    let rows = own.all.into_iter();
    let listing = Listing {
        name: "images",
        columns: &["image", "name", "status", "min_disk", "min_ram"],
        rows: rows
            .map(|image| {
                vec![
                    json!(image.id),
                    json!(image.name),
                    json!(image.status),
                    json!(image.min_disk),
                    json!(image.min_ram),
                ]
            })
            .collect(),
    };
    Ok((listing, own.is_whole))
}
