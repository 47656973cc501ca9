//! What a plan is made of: the sheet, what the queue knows of its services, and what stands there now.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::file::{Row, Sent};
use super::forecast::Forecast;
use super::schedule::Planned;
use crate::cli::error::CliError;
use crate::cli::order::{self, NewOrder, OrderOptions, Plan, Sheet, sound_rows};
use crate::cli::question::{Fate, Question, Targets};
use crate::event::Taken;
use crate::job::{Group, ImageId, ServiceId};
use crate::queue::{Batch, FirstOfEach, Queue, Target};
use crate::run::start_order::{Pace, Spread};
use crate::run::{Durations, InstanceList, Options};
use crate::time;

/// The order that a sheet would be.
pub enum Gathered {
    /// A new one.
    New(Box<NewOrder>),
    /// A batch of it is open.
    Open(Batch),
    /// It has ended.
    Ended(Batch),
}

/// What `sheet` would order, given what the queue knows; `None`: nothing was ever ordered here.
pub async fn gather(
    queue: Option<&mut Queue>,
    sheet: &Sheet<'_>,
    options: OrderOptions,
) -> Result<Gathered, CliError> {
    let Some(queue) = queue else {
        let mut targets = Targets::default();
        for row in sound_rows(sheet.source, sheet.validated)? {
            targets.add(Target::from(&row?));
        }
        return Ok(Gathered::New(Box::new(NewOrder {
            targets,
            ..NewOrder::default()
        })));
    };
    match order::plan(queue, sheet, options).await? {
        Plan::Resume { batch, .. } => Ok(Gathered::Open(batch)),
        Plan::Ended(batch) => Ok(Gathered::Ended(batch)),
        Plan::New { policy, last } => order::preview(queue, sheet, policy, &last, options)
            .await
            .map(|order| Gathered::New(Box::new(order))),
    }
}

/// When what is sent starts, and when all of it ends.
pub fn forecast(question: &Question<'_>, options: &Options, durations: &Durations) -> Forecast {
    let images = question.targets.each_image();
    let numbers: HashMap<Option<ImageId>, usize> = images.iter().copied().zip(0..).collect();
    let mut groups: HashMap<Group, usize> = HashMap::new();
    let mut planned: Vec<Planned> = question
        .sent()
        .map(|target| Planned {
            service: target.service,
            image: numbers[&target.image],
            group: target.group.map(|group| {
                let next = groups.len();
                *groups.entry(group).or_insert(next)
            }),
        })
        .collect();
    let taken = put_in_order(&mut planned, &question.account.list, options, durations);
    Forecast::new(&planned, &images, durations, options, time::now_ms()).in_order(taken)
}

/// Puts them into the order in which a run starts them.
fn put_in_order(
    planned: &mut [Planned],
    list: &InstanceList,
    options: &Options,
    durations: &Durations,
) -> Taken {
    let page_of = |one: &Planned| list.get(one.service).and_then(|listed| listed.page);
    let mut spread = Spread::new(options.workers);
    let pages = planned.iter().filter_map(page_of);
    let pages: BTreeSet<u32> = pages.inspect(|page| spread.next(*page)).collect();
    let pace = Pace {
        workers: options.workers,
        rate_per_s: options.rate_per_s,
        rebuild: durations.usual(),
        launched: 0,
    };
    let taken = spread.take(options.rollout.order, pages.len(), &pace);
    if let Some(first) = taken.list_after {
        // Those that go first of each image go before any order.
        let mut each = options.rollout.canary.map(FirstOfEach::new);
        let mut goes_first =
            |one: &Planned| each.as_mut().is_some_and(|each| each.is_one(one.image));
        let canaries: HashSet<ServiceId> = (planned.iter())
            .filter(|one| goes_first(one))
            .map(|one| one.service)
            .collect();
        planned.sort_by_key(|one| !canaries.contains(&one.service));
        if let Some(others) = planned.get_mut(first.max(canaries.len())..) {
            others.sort_by_key(page_of);
        }
    }
    taken
}

/// Every row of the sheet, with what stands on its instance, whether it is sent, and when.
pub fn rows(
    sheet: &Sheet<'_>,
    question: &Question<'_>,
    forecast: &Forecast,
) -> Result<Vec<Row>, CliError> {
    let outlook = question.outlook();
    let targets: HashMap<ServiceId, Target> = (question
        .targets
        .iter()
        .map(|target| (target.service, target)))
    .collect();
    let mut rows = Vec::new();
    for job in sound_rows(sheet.source, sheet.validated)? {
        let job = job?;
        let mut row = Row::new(&job);
        row.starts = forecast.starts(job.service);
        row.now = question.account.list.seen(job.service);
        row.image_name = (row.image).and_then(|image| {
            let name = question.account.image_names.get(&image);
            name.cloned()
        });
        row.sent = match targets.get(&job.service).map(|target| outlook.fate(target)) {
            None => Sent::LeftOut,
            Some(Fate::Sent) => Sent::Yes,
            Some(Fate::Absent) => Sent::NotNow("it is not in the account's list".to_owned()),
            Some(Fate::Unseen) => Sent::NotNow(
                "the account's list, which contradicts itself, does not show it".to_owned(),
            ),
            Some(Fate::Differs(what)) => Sent::NotNow(what),
            Some(Fate::NotReady(status)) => Sent::NotNow(format!("its status is {status}")),
        };
        rows.push(row);
    }
    Ok(rows)
}
