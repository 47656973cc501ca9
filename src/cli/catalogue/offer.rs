//! Reading what can be ordered: `v2.instances.order.pricelist`, then the form of an order in each data
//! centre. And what an instance's own form offers, and the account's own lists.

use super::look::{Doing, not_read};
use crate::cli::error::CliError;
use crate::job::{Failure, ServiceId};
use crate::run::Looker;
use crate::text;
use crate::zomro::{DataCenter, Found, Lookup, OwnPage, Preview, Tariffs};

/// Pages of an own list at most: an API that always shows something new would be read for ever.
const PAGES_MAX: u32 = 1_000;

/// What one data centre offers.
pub struct Offered {
    /// Its name; `None`: the API does not tell data centres apart.
    pub datacenter: Option<String>,
    pub form: Preview,
}

impl Offered {
    /// Of the data centre of this name, or of all of them.
    pub fn is_of(&self, name: &str) -> bool {
        let own = self.datacenter.as_ref();
        own.is_none_or(|own| own.to_lowercase() == name.trim().to_lowercase())
    }
}

/// An own list, as far as it could be read.
pub struct Own<T> {
    pub all: Vec<T>,
    /// Each row that the list says it has was read.
    pub is_whole: bool,
}

/// What the rebuild form of an instance offers.
pub async fn of_instance(looker: &mut Looker<'_>, service: ServiceId) -> Result<Preview, CliError> {
    let what = format!("what service {service} can be rebuilt with");
    read(looker, Lookup::Form(service), form, &what).await
}

/// What can be ordered in the data centre of this id or name; without one, in each.
pub async fn of_catalogue(
    looker: &mut Looker<'_>,
    datacenter: Option<&str>,
    doing: &Doing,
) -> Result<Vec<Offered>, CliError> {
    doing.say("reading the tariffs");
    let all = tariffs(looker, None).await?;
    let centres = chosen(&all, datacenter)?;
    of_centres(looker, &all, centres, doing).await
}

/// What can be ordered in the data centres of these names, as far as the API knows them; with none, in
/// each.
pub async fn of_named_centres(
    looker: &mut Looker<'_>,
    names: &[String],
    doing: &Doing,
) -> Result<Vec<Offered>, CliError> {
    doing.say("reading the tariffs");
    let all = tariffs(looker, None).await?;
    let is_meant = |centre: &&DataCenter| {
        let mut names = names.iter();
        names.len() == 0 || names.any(|name| centre.is_called(name))
    };
    let centres: Vec<_> = all.datacenters.iter().filter(is_meant).collect();
    if centres.is_empty() && !all.datacenters.is_empty() {
        return Ok(Vec::new());
    }
    of_centres(looker, &all, centres, doing).await
}

/// What can be ordered in each of `centres`; without one, where the API chooses.
async fn of_centres(
    looker: &mut Looker<'_>,
    all: &Tariffs,
    centres: Vec<&DataCenter>,
    doing: &Doing,
) -> Result<Vec<Offered>, CliError> {
    if centres.is_empty() {
        let form = order_form(looker, all, None).await?;
        return Ok(vec![Offered {
            datacenter: None,
            form,
        }]);
    }
    let mut offered = Vec::with_capacity(centres.len());
    for centre in centres {
        doing.say(&format!("reading what {} offers", centre.name));
        let own;
        let here = if all.datacenter.as_ref() == Some(&centre.id) {
            all
        } else {
            own = tariffs(looker, Some(centre.id.clone())).await?;
            &own
        };
        // What nobody can order there, nobody can install there.
        if !here.ids.is_empty() {
            let form = order_form(looker, here, Some(centre)).await?;
            offered.push(Offered {
                datacenter: Some(centre.name.clone()),
                form,
            });
        }
    }
    Ok(offered)
}

/// The data centres that are meant.
fn chosen<'a>(
    tariffs: &'a Tariffs,
    datacenter: Option<&str>,
) -> Result<Vec<&'a DataCenter>, CliError> {
    let all = &tariffs.datacenters;
    let Some(wanted) = datacenter else {
        return Ok(all.iter().collect());
    };
    let is_meant = |centre: &&DataCenter| centre.id == wanted || centre.is_called(wanted);
    let meant: Vec<_> = all.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let known: Vec<String> = all
            .iter()
            .map(|centre| format!("{} (id {})", centre.name, centre.id))
            .collect();
        return Err(CliError::Usage(format!(
            "--datacenter {}: the API knows no such data centre; it knows {}",
            text::brief(wanted, 60),
            if known.is_empty() {
                "none by name: leave the option away".to_owned()
            } else {
                known.join(", ")
            }
        )));
    }
    Ok(meant)
}

async fn tariffs(looker: &mut Looker<'_>, datacenter: Option<String>) -> Result<Tariffs, CliError> {
    let take = |found| match found {
        Found::Tariffs(tariffs) => Some(tariffs),
        Found::Form(_) | Found::OwnImages(_) | Found::SshKeys(_) => None,
    };
    let lookup = Lookup::Tariffs { datacenter };
    read(looker, lookup, take, "which tariffs can be ordered").await
}

/// The form of an order of the first tariff: within a data centre all have the same images.
async fn order_form(
    looker: &mut Looker<'_>,
    tariffs: &Tariffs,
    centre: Option<&DataCenter>,
) -> Result<Preview, CliError> {
    let what = "what a server can be ordered with";
    let Some(tariff) = tariffs.ids.first().cloned() else {
        return Err(CliError::Unanswered {
            what: what.to_owned(),
            failure: Failure::new("missed", "it lists no tariff"),
        });
    };
    let datacenter = centre.map(|centre| centre.id.clone());
    let lookup = Lookup::Order { tariff, datacenter };
    read(looker, lookup, form, what).await
}

/// All pages of an own list. `take` gives the page that was found; `what` says what that is.
pub async fn own<T: PartialEq>(
    looker: &mut Looker<'_>,
    page: impl Fn(u32) -> Lookup,
    take: impl Fn(Found) -> Option<OwnPage<T>>,
    what: &str,
) -> Result<Own<T>, CliError> {
    let mut own = Own {
        all: Vec::new(),
        is_whole: false,
    };
    let mut unreadable = 0;
    for number in 1..=PAGES_MAX {
        let OwnPage {
            total,
            rows,
            own: here,
        } = read(looker, page(number), &take, what).await?;
        let before = own.all.len();
        unreadable += rows.saturating_sub(here.len() as u64);
        for one in here {
            // A list that moves shows some twice.
            if !own.all.contains(&one) {
                own.all.push(one);
            }
        }
        let read = own.all.len() as u64;
        own.is_whole = unreadable == 0 && total.is_none_or(|total| read == total);
        let is_last = total.is_none_or(|total| read + unreadable >= total);
        if is_last || own.all.len() == before {
            break;
        }
    }
    Ok(own)
}

/// Reads one document. `take` gives what it holds; `what` says what that is.
async fn read<T>(
    looker: &mut Looker<'_>,
    lookup: Lookup,
    take: impl FnOnce(Found) -> Option<T>,
    what: &str,
) -> Result<T, CliError> {
    let ended = looker.look_up(vec![lookup], &|_| {}).await;
    let found = ended.map_err(not_read)?.pop().map(|(_, found)| found);
    match found.transpose() {
        Ok(found) => Ok(found
            .and_then(take)
            .expect("a document is of the kind that was asked for")),
        Err(failure) => Err(CliError::Unanswered {
            what: what.to_owned(),
            failure,
        }),
    }
}

fn form(found: Found) -> Option<Preview> {
    match found {
        Found::Form(form) => Some(form),
        Found::Tariffs(_) | Found::OwnImages(_) | Found::SshKeys(_) => None,
    }
}
