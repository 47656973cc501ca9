//! The command.

use std::collections::HashMap;

use super::args::{FormatArg, PlanArgs};
use super::bounds::Bounds;
use super::file::{PlanFile, Shown, place};
use super::gather::{self, Gathered};
use super::show::{is_plan, show};
use super::text;
use crate::cli::connect::connect;
use crate::cli::error::CliError;
use crate::cli::global::{DATABASE, Global, Typed};
use crate::cli::held::down_already;
use crate::cli::lookup::Resolved;
use crate::cli::manifest::{tell_passed_over, tell_warnings};
use crate::cli::order::{self, OrderArgs, Sheet};
use crate::cli::output::{can_write_over, print_text, tell_prose};
use crate::cli::question::{Asked, Pager, Question, read};
use crate::cli::recorded::{beside_plan, sheet_words};
use crate::cli::words::short_digest;
use crate::cli::{database, lookup, next, window};
use crate::exit::Exit;
use crate::progress::Verbosity;
use crate::queue::{Batch, Open, OpenError, Overview as _, Queue};
use crate::text::printable;
use crate::time;
use crate::zomro::Client;

pub async fn plan(global: &Global, args: &PlanArgs) -> Result<Exit, CliError> {
    if is_plan(&args.manifest) {
        show(global, args.format, &args.manifest)
    } else {
        make(global, args).await
    }
}

/// Plans what the manifest orders.
async fn make(global: &Global, args: &PlanArgs) -> Result<Exit, CliError> {
    let verbosity = global.verbosity();
    let (options, timeout) = args.pace.resolve(false)?;
    args.pace.check_zone(global)?;
    let endpoint = global.endpoint()?;
    let client = connect(global, timeout).await?;
    let manifest = read_manifest(args, &client, options.rate_per_s, verbosity).await?;
    let (provider, api_url) = (endpoint.provider(), endpoint.to_string());
    let sheet = Sheet {
        source: &manifest.source,
        validated: &manifest.validated,
        path: &args.manifest,
        reading: next::line(&sheet_words(&global.configured.typed)),
        provider: &provider,
        api_url: &api_url,
        owner: manifest.owner,
        plan: None,
        options: None,
    };
    order::check_groups(global, &sheet)?;
    let command = global.command(None);
    let mut queue = open_if_there(global).await?;
    let order = match gather::gather(queue.as_mut(), &sheet, args.options.options()).await? {
        Gathered::New(order) => order,
        Gathered::Open(batch) => return Err(of_open(queue.as_mut(), &batch).await?),
        Gathered::Ended(batch) => return of_ended(queue.as_mut(), &batch, &sheet, &command).await,
    };
    let action = sheet.source.action();
    let images = order.targets.each_image();
    let durations = window::learned(queue.as_mut(), (&provider, action), &images).await?;
    window::check(&options, &durations, &images)?;
    let asked = Asked {
        action,
        owner: sheet.owner.as_ref(),
        open: None,
        jobs: order.targets.count(),
        client: &client,
        api_url: &api_url,
        options: &options,
        verbosity,
        pager: &Pager::default(),
    };
    let capable = can_write_over();
    let account = read(&order.targets, &asked, capable).await?;
    let mut warnings: Vec<String> =
        (order.changes.as_ref()).map_or_else(Vec::new, text::differences);
    let max = options.rollout.max_per_group;
    warnings.extend(down_already(queue.as_mut(), &order.targets.groups(), max).await?);
    let mut question = Question {
        action,
        targets: &order.targets,
        account: &account,
        api_url: &api_url,
        heading: "",
        warnings: &warnings,
        jobs: asked.jobs,
        no_wait: false,
        rollout: options.rollout.clone(),
        rebuild_timeout: options.rules.rebuild_timeout,
        starts: HashMap::new(),
    };
    let forecast = gather::forecast(&question, &options, &durations);
    question.starts = forecast.words();
    let database = place(&global.database(DATABASE)?);
    let mut said = question.sentences();
    said.push(forecast.sentence());
    let shown = Shown {
        said,
        rows: gather::rows(&sheet, &question, &forecast)?,
        lookup_calls: manifest.calls,
    };
    let bounds = Bounds::of(&options);
    let plan = PlanFile::new(&sheet, account.owner.clone(), database, bounds, shown);
    let text = || text::text(&question, &forecast, manifest.calls);
    print_plan(&plan, args.format, text)?;
    let options = args.options.options();
    order::tell_left_out(&order.left_out, action, options, &command, verbosity);
    write(&plan, args, global)
}

fn print_plan(
    plan: &PlanFile,
    format: FormatArg,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    print_text(&match format {
        FormatArg::Json => plan.to_json(),
        FormatArg::Table => text(),
    })
}

/// The manifest, with what its names stand for.
async fn read_manifest(
    args: &PlanArgs,
    client: &Client,
    rate_per_s: f64,
    verbosity: Verbosity,
) -> Result<Resolved, CliError> {
    let (source, validated) = args.sheet.read(&args.manifest).await?;
    tell_warnings(&validated, verbosity);
    tell_passed_over(&validated, verbosity);
    lookup::resolve(source, validated, client, rate_per_s, verbosity).await
}

/// Says what there is left to do about a batch of the sheet that has ended.
async fn of_ended(
    queue: Option<&mut Queue>,
    batch: &Batch,
    sheet: &Sheet<'_>,
    command: &str,
) -> Result<Exit, CliError> {
    if let Some(queue) = queue {
        tell_prose(&order::ended(queue, batch, sheet, command).await?);
    }
    Ok(Exit::of_counts(&batch.counts))
}

/// What goes on with an open batch of the sheet, which cannot be planned.
async fn of_open(queue: Option<&mut Queue>, batch: &Batch) -> Result<CliError, CliError> {
    let options = match queue {
        Some(queue) => queue.options(batch.id).await?,
        None => None,
    };
    Ok(CliError::PlanOfOpen {
        batch: batch.id,
        run: next::run(batch, false, options.as_ref()),
    })
}

/// What was typed to say which order is meant, how the sheet is read and how the run works, behind a blank
/// each: a run by the plan has to be told the same, but for what stands in the plan.
fn words(args: &PlanArgs, typed: &[Typed]) -> String {
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
    words.extend(every.map(|every| format!("--every {}", time::exact(every))));
    words.join(" ") + &next::line(&sheet_words(typed)) + &next::line(&beside_plan(typed))
}

/// Writes the plan to where it was asked for, and says what comes next.
fn write(plan: &PlanFile, args: &PlanArgs, global: &Global) -> Result<Exit, CliError> {
    let Some(path) = &args.out else {
        return Ok(Exit::Done);
    };
    let name = path.display().to_string();
    plan.write(path).map_err(|source| CliError::Output {
        what: name.clone(),
        source,
    })?;
    if global.verbosity() != Verbosity::Quiet {
        tell_prose(&format!(
            "plan {} is written to {}\n",
            short_digest(&plan.digest),
            printable(&name)
        ));
        let words = words(args, &global.configured.typed);
        let command = global.command(None);
        tell_prose(&text::next(&command, &args.manifest, path, &words));
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
