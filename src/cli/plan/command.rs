//! The command.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::file::{Bounds, PlanFile, place};
use super::gather::{self, Gathered};
use super::text;
use crate::cli::connect::connect;
use crate::cli::error::CliError;
use crate::cli::global::{DATABASE, Global};
use crate::cli::manifest::{ManifestArgs, tell_passed_over, tell_warnings};
use crate::cli::options::PaceArgs;
use crate::cli::order::{self, OrderArgs, Sheet};
use crate::cli::output::{print_text, tell_prose};
use crate::cli::question::{Asked, Pager, Question, read};
use crate::cli::{database, lookup, window};
use crate::exit::Exit;
use crate::manifest;
use crate::progress::{Surroundings, Verbosity};
use crate::queue::{Open, OpenError, Queue};
use crate::text::{printable, shell_word};

const EXAMPLES: &str = "\
Examples:
  refleet plan fleet.csv                          look at it
  refleet plan fleet.csv --out plan.json          write it down, to be approved
  refleet run fleet.csv --plan plan.json          do exactly that";

/// Show what an order would do, and write it down so that somebody can approve it; nothing is changed.
///
/// Reads the account's list and asks for the names of images. `run --plan` does exactly what the file
/// says: it is refused when the sheet, the account or the API is another one, and an instance on which
/// something else stands by then is left alone.
#[derive(Debug, Args)]
#[command(override_usage = "refleet plan [OPTIONS] <MANIFEST>", after_help = EXAMPLES)]
pub struct PlanArgs {
    /// The spreadsheet, or `-` for standard input
    pub manifest: PathBuf,

    /// File to write the plan to, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: FormatArg,

    #[command(flatten)]
    pub options: OrderArgs,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub pace: PaceArgs,
}

/// How to print a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// For people
    #[default]
    Table,
    /// For scripts: what --out writes
    Json,
}

pub async fn plan(global: &Global, args: &PlanArgs) -> Result<Exit, CliError> {
    let verbosity = global.verbosity();
    let (options, timeout) = args.pace.resolve(false)?;
    let endpoint = global.endpoint()?;
    let client = connect(global, timeout).await?;
    let source = args.sheet.open(&args.manifest)?;
    let validated = manifest::validated(&source)?;
    tell_warnings(&validated, verbosity);
    tell_passed_over(&validated, verbosity);
    let manifest =
        lookup::resolve(source, validated, &client, options.rate_per_s, verbosity).await?;
    let (provider, api_url) = (endpoint.provider(), endpoint.to_string());
    let sheet = Sheet {
        source: &manifest.source,
        validated: &manifest.validated,
        path: &args.manifest,
        provider: &provider,
        api_url: &api_url,
        owner: manifest.owner,
        plan: None,
    };
    let command = global.command(None);
    let mut queue = open_if_there(global).await?;
    let order = match gather::gather(queue.as_mut(), &sheet, args.options.options()).await? {
        Gathered::New(order) => order,
        Gathered::Open(batch) => return Err(CliError::PlanOfOpen { batch: batch.id }),
        Gathered::Ended(batch) => {
            tell_prose(&order::ended(&batch, &sheet, &command));
            return Ok(Exit::of_counts(&batch.counts));
        }
    };
    let action = sheet.source.action();
    let images = order.targets.each_image();
    let durations = window::learned(queue.as_mut(), (&provider, action), &images).await?;
    window::check(&options, &durations, &images)?;
    let asked = Asked {
        action,
        owner: sheet.owner.as_ref(),
        client: &client,
        api_url: &api_url,
        options: &options,
        verbosity,
        pager: &Pager::default(),
    };
    let capable = Surroundings::of_this_process().terminal;
    let account = read(&order.targets, &asked, capable).await?;
    let differences = order.changes.as_ref().map(text::differences);
    let warnings = differences.unwrap_or_default();
    let mut question = Question {
        action,
        targets: &order.targets,
        account: &account,
        api_url: &api_url,
        heading: "",
        warnings: &warnings,
        no_wait: false,
        rollout: options.rollout.clone(),
        rebuild_timeout: options.rules.rebuild_timeout,
        starts: HashMap::new(),
    };
    let forecast = gather::forecast(&question, &options, &durations);
    question.starts = forecast.words();
    let database = place(&global.database(DATABASE)?);
    let rows = gather::rows(&sheet, &question, &forecast)?;
    let bounds = Bounds::of(&options);
    let plan = PlanFile::new(&sheet, account.owner.clone(), database, bounds, rows);
    print_text(&match args.format {
        FormatArg::Json => plan.to_json(),
        FormatArg::Table => text::text(&question, &forecast),
    })?;
    let options = args.options.options();
    order::tell_left_out(&order.left_out, action, options, &command, verbosity);
    match &args.out {
        Some(path) => {
            let next = text::next(&command, &args.manifest, path, &words(args));
            write(&plan, path, &next, verbosity)
        }
        None => Ok(Exit::Done),
    }
}

/// What was typed to say which order is meant, behind a blank each: a run by the plan has to be told the
/// same.
fn words(args: &PlanArgs) -> String {
    let OrderArgs {
        again,
        every,
        skip_done,
        wiped,
        max_wipes: _,
        max_change: _,
        update_access: _,
    } = &args.options;
    let flags = [
        (*again, "--again"),
        (*skip_done, "--skip-done"),
        (*wiped, "--wiped"),
    ];
    let flags = flags.into_iter().filter(|(is_given, _)| *is_given);
    let mut words = vec![String::new()];
    words.extend(flags.map(|(_, flag)| flag.to_owned()));
    words.extend(every.map(|every| match every.as_millis() {
        ms if ms % 3_600_000 == 0 => format!("--every {}h", ms / 3_600_000),
        ms => format!("--every {ms}ms"),
    }));
    let ignored = args.sheet.ignore_column.iter();
    words.extend(ignored.map(|name| format!("--ignore-column {}", shell_word(name))));
    words.join(" ")
}

/// Writes the plan to `path`, and says what comes `next`.
fn write(plan: &PlanFile, path: &Path, next: &str, verbosity: Verbosity) -> Result<Exit, CliError> {
    let name = path.display().to_string();
    plan.write(path).map_err(|source| CliError::Output {
        what: name.clone(),
        source,
    })?;
    if verbosity != Verbosity::Quiet {
        tell_prose(&format!("written to {}\n", printable(&name)));
        tell_prose(next);
    }
    Ok(Exit::Done)
}

/// The queue, to read what was ordered before; `None`: nothing ever was.
async fn open_if_there(global: &Global) -> Result<Option<Queue>, CliError> {
    match Queue::open(&global.database(DATABASE)?, Open::Read).await {
        Ok(queue) => {
            database::tell_notes(global, queue.notes());
            Ok(Some(queue))
        }
        Err(OpenError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
