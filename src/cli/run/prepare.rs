//! The batch that a run works on: found, or ordered; and the question before it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::context::{Invocation, RunContext};
use crate::cli::error::CliError;
use crate::cli::held::{canary_now, down_already, said};
use crate::cli::lookup::Resolved;
use crate::cli::order::{self, Loaded, NewOrder, Plan, Sheet, access, check_groups};
use crate::cli::output::{can_write_over, tell, tell_prose};
use crate::cli::plan::{self, Approved, Bounds};
use crate::cli::question::{self, Asked, Targets, confirm};
use crate::cli::recorded::{as_json, rollout_of, sheet_words};
use crate::cli::sign_in::sign_in;
use crate::cli::words::short_digest;
use crate::cli::{batches, database, next, window};
use crate::exit::Exit;
use crate::job::{Action, BatchId, Expected, ImageId, NewJob, Owner, ServiceId};
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Batch, EnqueuePolicy, Overview as _, Queue, Store as _, Target};
use crate::run::machine::STALE_AFTER;
use crate::run::{Account, Durations, InstanceList, StartOrder};
use crate::{text, time};

/// What a run is to work on.
#[derive(Default)]
pub struct Prepared {
    pub loaded: Loaded,
    /// What the question has read of the account.
    pub list: InstanceList,
    /// With a window: how long it took to rebuild with the ordered images before.
    pub durations: Durations,
    /// Of each image so many go first, because an earlier run of the batch was told so.
    pub canary: Option<NonZeroU32>,
    /// The manifest's order has ended before.
    pub ended: Option<BatchId>,
}

/// The batch to work on, and what was read of the account on the way.
pub async fn prepare(invocation: &Invocation<'_>, queue: &mut Queue) -> Result<Prepared, CliError> {
    let options = &invocation.context.options;
    if options.no_wait && options.rollout.canary.is_some() {
        return Err(CliError::Usage(
            "--canary starts the others when the first are done, and --no-wait waits for none: leave one of them out".to_owned(),
        ));
    }
    if options.no_wait && options.rollout.order == StartOrder::List {
        return Err(CliError::Usage(
            "--order list is the order of the account's list, and --no-wait reads none: leave one of them out".to_owned(),
        ));
    }
    let prepared = if let Some(manifest) = invocation.manifest {
        order(invocation, queue, manifest).await?
    } else {
        let batch = unfinished(queue, invocation.context).await?;
        resume(invocation, queue, batch, None).await?
    };
    ready(invocation, queue, prepared).await
}

/// What is to be known before a run goes on with `batch`, of which nobody is asked.
pub async fn go_on_with(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: Batch,
) -> Result<Prepared, CliError> {
    let prepared = resume(invocation, queue, batch, None).await?;
    ready(invocation, queue, prepared).await
}

/// What is `prepared`, with the rules of earlier runs that still hold, and signed in.
async fn ready(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    mut prepared: Prepared,
) -> Result<Prepared, CliError> {
    let options = &invocation.context.options;
    let Some(batch) = prepared.loaded.batch else {
        return Ok(prepared);
    };
    let batch = batches::find(queue, Some(batch)).await?;
    // What lets the others start is `go --canaries`, and not an option that somebody has forgotten.
    prepared.canary = canary_now(queue, &batch).await?;
    if options.no_wait && prepared.canary.is_some() {
        return Err(CliError::Usage(format!(
            "batch {} waits for those that go first (--canary), and --no-wait waits for none: run it without --no-wait, or say `go --canaries` first",
            batch.id
        )));
    }
    if !invocation.is_simulated() && said(queue, batch.id).await?.paused.is_none() {
        // Now somebody is here; when the work has begun, nobody may be.
        let rate_per_s = invocation.context.options.rate_per_s;
        sign_in(&invocation.context.client, rate_per_s, batch.action).await?;
    }
    Ok(prepared)
}

/// Which order the manifest is, asked for and queued.
async fn order(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    manifest: &Resolved,
) -> Result<Prepared, CliError> {
    let &Invocation {
        global,
        args,
        context,
        ..
    } = invocation;
    let Resolved {
        source, validated, ..
    } = manifest;
    check_no_wait(invocation, manifest)?;
    let options = args.options.options();
    let sheet = Sheet {
        source,
        validated,
        path: args.manifest.as_deref().unwrap_or(Path::new("-")),
        reading: next::line(&sheet_words(&global.configured.typed)),
        provider: &context.provider,
        api_url: &context.api_url,
        owner: manifest.owner.clone(),
        plan: None,
        options: Some(as_json(
            &context.options,
            &context.repeated,
            args.hooks.settings(&global.configured, None).as_ref(),
        )),
    };
    let mut refused = None;
    loop {
        match order::plan(queue, &sheet, options).await? {
            Plan::Resume { batch, once_more } => {
                let mut prepared = resume(invocation, queue, batch, Some(&sheet)).await?;
                // A plan is for one order.
                prepared.loaded.once_more = once_more && args.plan.is_none();
                return Ok(prepared);
            }
            Plan::Ended(batch) => {
                let loaded = Loaded::of_ended(&batch);
                if global.verbosity() != Verbosity::Quiet || loaded.exit != Exit::Done {
                    let said = order::ended(queue, &batch, &sheet, &invocation.command()).await?;
                    tell_prose(&said);
                }
                return Ok(Prepared {
                    loaded,
                    ended: Some(batch.id),
                    ..Prepared::default()
                });
            }
            Plan::New { policy, last } => {
                if let Some(refused) = refused {
                    return Err(refused);
                }
                match new_order(invocation, queue, sheet.clone(), policy, &last).await {
                    // Another host may have queued this very order since it was looked for.
                    Err(error @ CliError::Conflict { .. }) => refused = Some(error),
                    other => return other,
                }
            }
        }
    }
}

/// `--no-wait` never sees an instance come back, and reads no list.
fn check_no_wait(invocation: &Invocation<'_>, manifest: &Resolved) -> Result<(), CliError> {
    let &Invocation { args, context, .. } = invocation;
    let Resolved {
        source, validated, ..
    } = manifest;
    if context.options.no_wait && validated.plan.pins.iter().any(|rows| *rows > 0) {
        return Err(CliError::Usage(format!(
            "{} pins what must stand on its instances (expect_...), and --no-wait reads no list to see it: run it without --no-wait",
            text::brief(source.name(), 200)
        )));
    }
    if context.options.no_wait && !validated.plan.groups.is_empty() {
        return Err(CliError::Usage(format!(
            "{} has groups of which only so many may be down at once, and --no-wait never sees one come back: run it without --no-wait",
            text::brief(source.name(), 200)
        )));
    }
    if context.options.no_wait && args.plan.is_some() {
        return Err(CliError::Usage(
            "a plan says what stands on the instances, and --no-wait reads no list to see it: run it without --no-wait".to_owned(),
        ));
    }
    Ok(())
}

/// Shows what a new order of the sheet would do, as far as somebody is there to see it, and queues it.
async fn new_order(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    mut sheet: Sheet<'_>,
    policy: EnqueuePolicy,
    earlier: &[BatchId],
) -> Result<Prepared, CliError> {
    let &Invocation { global, args, .. } = invocation;
    let options = args.options.options();
    let verbosity = global.verbosity();
    let action = sheet.source.action();
    check_groups(global, &sheet)?;
    let mut list = InstanceList::default();
    if !invocation.is_simulated() {
        database::announce_if_empty(queue, action).await?;
    }
    let approved = approved(invocation, &sheet, Some(args.plan_age))?;
    sheet.plan = approved.as_ref().map(|plan| plan.digest.clone());
    let mut durations = Durations::default();
    let window = &invocation.context.options.rollout.window;
    if args.asks() || options.has_caps() || approved.is_some() || window.is_some() {
        let is_compared = args.asks() || options.max_change.is_some();
        let earlier = if is_compared { earlier } else { &[] };
        let preview = order::preview(queue, &sheet, policy, earlier, options).await?;
        let NewOrder {
            targets, changes, ..
        } = preview;
        let images = targets.each_image();
        durations = learned(invocation, queue, action, &images, true).await?;
        if let Some(plan) = &approved {
            plan.check_targets(&targets)?;
            plan.check_unused(queue).await?;
            let subject = Subject {
                targets: &targets,
                open: None,
                jobs: targets.count(),
                action,
                owner: plan.account.as_ref(),
            };
            // Another account is refused before anything is queued; the run takes the list over.
            let account = look(&subject, invocation).await;
            let account = account.map_err(|error| error.before_the_order("the plan is"))?;
            (list, sheet.owner) = (account.list, account.owner);
        } else if targets.count() > 0 && args.asks() {
            let warnings = changes.as_ref().map(plan::differences);
            let mut warnings = warnings.unwrap_or_default();
            let max = invocation.context.options.rollout.max_per_group;
            warnings.extend(down_already(Some(queue), &targets.groups(), max).await?);
            let subject = Subject {
                targets: &targets,
                open: None,
                jobs: targets.count(),
                action,
                owner: sheet.owner.as_ref(),
            };
            // What was asked about, the order is bound to.
            let answered = ask(&subject, invocation, "", &warnings).await;
            (list, sheet.owner) = answered
                .map_err(|error| error.before_the_order("the names of the sheet are those"))?;
        }
    }
    // What was shown is what is done: the operator's yes is a plan, too.
    let reads_list = !invocation.context.options.no_wait;
    let seen = |job: &NewJob| match &approved {
        Some(plan) => plan.seen(job),
        None if reads_list => Ok(list.seen(job.service)),
        None => Ok(None),
    };
    let loaded = order::enqueue(queue, &sheet, policy, &seen).await?;
    let command = invocation.command();
    order::tell_left_out(&loaded.left_out, action, options, &command, verbosity);
    if loaded.batch.is_none() && verbosity != Verbosity::Quiet {
        tell(&format!(
            "nothing to do: no row of this manifest is left to be {} now\n",
            action.terms().done
        ));
    }
    Ok(Prepared {
        canary: None,
        ended: None,
        loaded,
        list,
        durations,
    })
}

/// With a window: how long it took to rebuild with these images before. If it `has_to_fit`, a window in which
/// one of them could never start is refused.
async fn learned(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    action: Action,
    images: &[Option<ImageId>],
    has_to_fit: bool,
) -> Result<Durations, CliError> {
    let context = invocation.context;
    if context.options.rollout.window.is_none() {
        return Ok(Durations::default());
    }
    let what = (context.provider.as_str(), action);
    let durations = window::learned(Some(queue), what, images).await?;
    if has_to_fit {
        window::check(&context.options, &durations, images)?;
    }
    Ok(durations)
}

/// The plan that the run is to go by, for a new order of the sheet.
fn approved(
    invocation: &Invocation<'_>,
    sheet: &Sheet<'_>,
    age_max: Option<Duration>,
) -> Result<Option<Approved>, CliError> {
    let args = invocation.args;
    match args.plan.as_ref().zip(invocation.plan) {
        Some((path, plan)) => Approved::new(
            path,
            plan.clone(),
            sheet,
            &invocation.context.database,
            age_max,
        )
        .map(Some),
        None => Ok(None),
    }
}

/// Goes on with an open batch, after asking where that is called for.
async fn resume(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: Batch,
    sheet: Option<&Sheet<'_>>,
) -> Result<Prepared, CliError> {
    let &Invocation {
        global,
        args,
        context,
        ..
    } = invocation;
    let now_ms = time::now_ms();
    // Of a batch dated in the future nobody can tell how long it was left alone.
    let is_stale = time::between(batch.touched_ms, now_ms) >= STALE_AFTER
        || batch.touched_ms > now_ms + time::CLOCK_STEP_MS;
    if is_stale && !args.stale && !args.asks() {
        return Err(CliError::Stale {
            batch: batch.id,
            touched_ms: batch.touched_ms,
        });
    }
    check_bounds(invocation, queue, &batch).await?;
    if context.options.no_wait {
        check_unwatched(queue, batch.id).await?;
    }
    let verbosity = global.verbosity();
    let news = match sheet {
        Some(sheet) => {
            // What somebody has approved is that order, and no other one of the same sheet.
            if args.plan.is_some() {
                let recorded = queue.options(batch.id).await?;
                let run = next::run(&batch, false, recorded.as_ref());
                let approved = approved(invocation, sheet, None);
                let approved = approved.map_err(|error| error.of_open(batch.id, &run))?;
                if let Some(plan) = approved {
                    plan.check_batch(&batch, &run)?;
                }
            }
            let news = access::look(queue, sheet, &batch, args.options.options()).await?;
            access::tell(&news, sheet, &batch, &invocation.command(), verbosity);
            Some((sheet, news))
        }
        None => None,
    };
    let images = match &context.options.rollout.window {
        Some(_) => queue.queued_images(batch.id).await?,
        None => Vec::new(),
    };
    let images: Vec<Option<ImageId>> = images.into_iter().map(|(image, _)| image).collect();
    // What is in flight is to be seen through, whatever has become of the window.
    let is_clear = batch.counts.open() == batch.counts.queued;
    let durations = learned(invocation, queue, batch.action, &images, is_clear).await?;
    // The run says so and ends, before anything of the account is read.
    let is_paused = said(queue, batch.id).await?.paused.is_some();
    let list = if args.asks() && batch.counts.queued > 0 && !is_paused {
        let is_stale = is_stale && !args.stale;
        ask_about_the_rest(invocation, queue, &batch, sheet, is_stale).await?
    } else {
        InstanceList::default()
    };
    if let Some((sheet, news)) = news {
        access::take(queue, sheet, &batch, &news).await?;
    }
    if !context.options.no_wait {
        // What was shown is what is done.
        let seen = |service| Some(list.seen(service)?.until(batch.action));
        queue.expect_what_was_seen(batch.id, &seen).await?;
    }
    Ok(Prepared {
        canary: None,
        ended: None,
        loaded: Loaded {
            batch: Some(batch.id),
            resumed: true,
            ..Loaded::default()
        },
        list,
        durations,
    })
}

/// With `--no-wait` no list is read: refused is what rests on one.
async fn check_unwatched(queue: &mut Queue, batch: BatchId) -> Result<(), CliError> {
    if queue.expects(batch).await? {
        return Err(CliError::Usage(format!(
            "batch {batch} expects something of its instances, and --no-wait reads no list to see it: run it without --no-wait"
        )));
    }
    if queue.has_groups(batch).await? {
        return Err(CliError::Usage(format!(
            "batch {batch} has groups of which only so many may be down at once, and --no-wait never sees one come back: run it without --no-wait"
        )));
    }
    Ok(())
}

/// Of what somebody has approved no run drops a bound that nobody has typed otherwise; of any other order it is
/// said where the last run kept to a window and this one does not.
async fn check_bounds(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: &Batch,
) -> Result<(), CliError> {
    let &Invocation {
        global, context, ..
    } = invocation;
    if let Some(plan) = &batch.plan {
        let ordered = queue.ordered_with(batch.id).await?;
        let bounds = ordered.as_ref().and_then(Bounds::recorded);
        let given = Bounds::of(&context.options);
        let dropped = bounds.map(|bounds| bounds.dropped(&given, &global.configured));
        let dropped = dropped.unwrap_or_default();
        if !dropped.is_empty() {
            return Err(CliError::OutOfPlan {
                batch: batch.id,
                plan: short_digest(plan).to_owned(),
                dropped: dropped.join(" "),
                go_on: next::go_on(global, queue, batch).await?,
            });
        }
    }
    let last = queue.options(batch.id).await?.unwrap_or_default();
    if let (Some(window), None) = (rollout_of(&last).window, &context.options.rollout.window) {
        tell_prose(&format!(
            "warning: batch {} was worked on within --window {} --timezone {}, and this run starts at any time\n",
            batch.id, window.hours, window.zone
        ));
    }
    Ok(())
}

/// Asks whether an open batch is to go on; what was read of the account for that.
async fn ask_about_the_rest(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: &Batch,
    sheet: Option<&Sheet<'_>>,
    is_stale: bool,
) -> Result<InstanceList, CliError> {
    let mut targets = Targets::default();
    // The pins of the sheet as it is now: the jobs take them when the answer is yes.
    let pins = sheet.map(pins).transpose()?;
    let mut add = |mut target: Target| {
        if let Some(pins) = pins.as_ref().filter(|_| !target.is_touched) {
            let of_row = pins.get(&target.service);
            target.expected = target
                .expected
                .repinned(of_row.unwrap_or(&Expected::default()));
        }
        targets.add(target);
    };
    queue.targets(batch.id, &mut add).await?;
    let (left, all) = (batch.counts.queued, batch.counts.total());
    let heading = format!(
        "Batch {} goes on: {left} of {all} are still to be sent.\n",
        batch.id
    );
    let stale: Vec<String> = Vec::from_iter(is_stale.then(|| {
        format!(
            "Nothing has happened in batch {} since {}: ITS SERVERS MAY BE IN USE BY NOW.",
            batch.id,
            time::human(batch.touched_ms)
        )
    }));
    let subject = Subject {
        targets: &targets,
        open: Some(batch.id),
        jobs: all,
        action: batch.action,
        owner: batch.owner.as_ref(),
    };
    let (list, owner) = ask(&subject, invocation, &heading, &stale).await?;
    if let Some(owner) = owner {
        queue.bind(batch.id, &owner).await?;
    }
    Ok(list)
}

/// What the rows of the sheet expect of their instances, where they expect something.
fn pins(sheet: &Sheet<'_>) -> Result<HashMap<ServiceId, Expected>, CliError> {
    let mut pins = HashMap::new();
    for row in order::sound_rows(sheet.source, sheet.validated)? {
        let row = row?;
        if !row.expected.is_nothing() {
            pins.insert(row.service, row.expected);
        }
    }
    Ok(pins)
}

/// What is asked about.
struct Subject<'a> {
    targets: &'a Targets,
    /// The open batch that would go on; `None`: a new order.
    open: Option<BatchId>,
    /// Jobs of the batch, those included that are not asked about.
    jobs: u64,
    action: Action,
    /// Whose it has to be, where it was begun already.
    owner: Option<&'a Owner>,
}

impl<'a> Subject<'a> {
    fn asked(&self, invocation: &'a Invocation<'_>) -> Asked<'a> {
        let context = invocation.context;
        Asked {
            action: self.action,
            owner: self.owner,
            open: self.open,
            jobs: self.jobs,
            client: &context.client,
            api_url: &context.api_url,
            options: &context.options,
            verbosity: invocation.global.verbosity(),
            pager: &context.pager,
        }
    }
}

/// What was read of the account, and whose it is.
async fn ask(
    subject: &Subject<'_>,
    invocation: &Invocation<'_>,
    heading: &str,
    warnings: &[String],
) -> Result<(InstanceList, Option<Owner>), CliError> {
    let asked = subject.asked(invocation);
    confirm(subject.targets, heading, warnings, &asked).await
}

/// The account, for a run that asks nobody.
async fn look(subject: &Subject<'_>, invocation: &Invocation<'_>) -> Result<Account, CliError> {
    let capable = can_write_over();
    question::read(subject.targets, &subject.asked(invocation), capable).await
}

/// The one batch that is open.
async fn unfinished(queue: &mut Queue, context: &RunContext) -> Result<Batch, CliError> {
    let mut open: Vec<Batch> = queue
        .batches()
        .await?
        .into_iter()
        .filter(Batch::is_open)
        .collect();
    match open.len() {
        1 => {
            let batch = open.remove(0);
            if batch.provider == context.provider {
                Ok(batch)
            } else {
                Err(CliError::OtherApi {
                    batch: batch.id,
                    theirs: batch.api_url,
                    ours: context.api_url.clone(),
                })
            }
        }
        _ => Err(CliError::WhichBatch(
            open.into_iter()
                .map(|batch| (batch.id, batch.manifest))
                .collect(),
        )),
    }
}
