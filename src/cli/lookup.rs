//! Names of images and keys in a sheet: what they stand for is asked of the account before anything else.
//!
//! The one fact to know: the rebuild form of an instance decides, because that is what a rebuild of it
//! takes. The API's catalogue is asked as a witness: it may have another word for the same name, or none.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::catalogue::{Doing, Offered, of_named_centres};
use super::connect::{TIMEOUT, connect};
use super::error::CliError;
use super::global::Global;
use super::manifest::{self, tell_unconfirmed, tell_warnings};
use super::output::tell_prose;
use super::sign_in::sign_in;
use crate::job::{Owner, ServiceId};
use crate::manifest::{ByName, Offer, Offers, Source, Validated};
use crate::progress::Verbosity;
use crate::run::{InstanceList, Looker, read_account};
use crate::text;
use crate::zomro::{Client, Found, Lookup, Preview};

/// Calls per second of a command that has no option for it.
const RATE_PER_S: f64 = 1.0;

/// Where an image stands that somebody has made, as forms call it.
const OWN_ZONES: [&str; 2] = ["own", "shr"];

/// A manifest of which each name is known by its id.
pub struct Resolved {
    pub source: Source,
    pub validated: Validated,
    /// Whose account was asked for the ids, if one was: the order is bound to it.
    pub owner: Option<Owner>,
    /// Calls that this took.
    pub calls: u64,
}

impl Resolved {
    /// A manifest that gives no names.
    fn without_names(source: Source, validated: Validated) -> Self {
        Self {
            source,
            validated,
            owner: None,
            calls: 0,
        }
    }
}

/// Instances that are offered the same.
struct Alike {
    /// The first of them is asked.
    services: Vec<ServiceId>,
    /// Where they stand; `None`: the list does not say.
    datacenter: Option<String>,
}

/// Looks up the names that the sheet gives: the account's list tells the data centre of each instance,
/// the rebuild form of one instance in each of them its images and keys, and the catalogue whether it
/// knows them under the same ids. Tells what the catalogue does not know.
pub async fn resolve(
    source: Source,
    validated: Validated,
    client: &Client,
    rate_per_s: f64,
    verbosity: Verbosity,
) -> Result<Resolved, CliError> {
    if validated.wanted.is_empty() {
        return Ok(Resolved::without_names(source, validated));
    }
    let action = source.action();
    let unread = |halt| CliError::Account { action, halt };
    let calls_before = client.calls();
    if verbosity != Verbosity::Quiet {
        tell_prose("reading the account's list, to look up the names of images and keys\n");
    }
    sign_in(client, rate_per_s, action).await?;
    let account = read_account(client, rate_per_s, None, &|_| Vec::new(), &|_, _| {})
        .await
        .map_err(unread)?;
    let all = alike(&account.list, &validated.wanted);
    let mut looker = Looker::new(client, rate_per_s);
    let asked = all.iter().map(|alike| Lookup::Form(alike.services[0]));
    let answers = looker.look_up(asked.collect(), &|_| {}).await;
    let mut forms: BTreeMap<ServiceId, Preview> = BTreeMap::new();
    for (lookup, found) in answers.map_err(unread)? {
        match (lookup, found) {
            (Lookup::Form(service), Ok(Found::Form(form))) => {
                forms.insert(service, form);
            }
            (Lookup::Form(service), Err(failure)) => {
                return Err(CliError::Unanswered {
                    what: format!("what service {service} can be rebuilt with"),
                    failure,
                });
            }
            (lookup, Ok(_) | Err(_)) => {
                unreachable!("{lookup:?} is no form, or was answered by something else")
            }
        }
    }
    let catalogue = catalogue(&mut looker, &all, verbosity).await;
    let mut offers = Offers::default();
    for Alike {
        services,
        datacenter,
    } in all
    {
        if let Some(form) = forms.remove(&services[0]) {
            offers.add(offer(&form, &catalogue, datacenter.as_deref()), services);
        }
    }
    let (source, validated) = manifest::validated(source.with_offers(offers)).await?;
    tell_unconfirmed(&validated, verbosity);
    Ok(Resolved {
        source,
        validated,
        owner: account.owner,
        calls: client.calls() - calls_before,
    })
}

/// What the API's catalogue has in the data centres of these instances; nothing where it does not tell.
/// That is said, and is no reason to stop: the forms decide.
async fn catalogue(looker: &mut Looker<'_>, all: &[Alike], verbosity: Verbosity) -> Vec<Offered> {
    let centres = all.iter().map(|alike| alike.datacenter.clone());
    // Where one is not known, it may be any.
    let names: Option<BTreeSet<String>> = centres.collect();
    let names = Vec::from_iter(names.unwrap_or_default());
    let read = of_named_centres(looker, &names, &Doing::new(verbosity)).await;
    let (offered, why) = match read {
        Ok(offered) => {
            let has = |name: &String| offered.iter().any(|of| of.is_of(name));
            let missing: Vec<&str> = (names.iter())
                .filter(|name| !has(name))
                .map(String::as_str)
                .collect();
            let why = (!missing.is_empty()).then(|| {
                format!(
                    "it has nothing of {}",
                    text::brief(&missing.join(", "), 200)
                )
            });
            (offered, why)
        }
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    if let Some(why) = why.filter(|_| verbosity != Verbosity::Quiet) {
        tell_prose(&format!(
            "the API's catalogue does not confirm what the names stand for: {}\n",
            text::printable(&why)
        ));
    }
    offered
}

/// The same for a command that asks the API for nothing else, and so needs credentials only where the
/// sheet gives names. Tells what is worth a look in the sheet before that.
pub async fn resolve_if_named(
    global: &Global,
    (source, validated): (Source, Validated),
) -> Result<Resolved, CliError> {
    tell_warnings(&validated, global.verbosity());
    if validated.wanted.is_empty() {
        // Before anybody is asked for credentials.
        return Ok(Resolved::without_names(source, validated));
    }
    let client = connect(global, TIMEOUT).await?;
    resolve(source, validated, &client, RATE_PER_S, global.verbosity()).await
}

/// The instances that are offered the same: those of one data centre, and each by itself where the list
/// does not say in which it stands. One that the list does not show is not among them.
fn alike(list: &InstanceList, services: &[ServiceId]) -> Vec<Alike> {
    let mut all = Vec::new();
    let mut of_centre: BTreeMap<&str, Vec<ServiceId>> = BTreeMap::new();
    for &service in services {
        match list.get(service).map(|listed| listed.datacenter.as_deref()) {
            Some(Some(centre)) => of_centre.entry(centre).or_default().push(service),
            Some(None) => all.push(Alike {
                services: vec![service],
                datacenter: None,
            }),
            None => {}
        }
    }
    all.extend(of_centre.into_iter().map(|(centre, services)| Alike {
        services,
        datacenter: Some(centre.to_owned()),
    }));
    all
}

/// What the form offers, beside what the catalogue has in `datacenter`; in all of them, where it is not
/// known.
fn offer(form: &Preview, catalogue: &[Offered], datacenter: Option<&str>) -> Offer {
    let is_own = |zone: &Option<String>| {
        zone.as_deref()
            .is_some_and(|zone| OWN_ZONES.contains(&zone))
    };
    let own = form.images.iter().filter(|image| is_own(&image.zone));
    let own: HashSet<_> = own.map(|image| image.id).collect();
    let there = catalogue
        .iter()
        .filter(|offered| datacenter.is_none_or(|name| offered.is_of(name)));
    let there = there.map(|offered| by_name(&offered.form));
    Offer {
        form: by_name(form),
        own,
        catalogue: there.reduce(|mut all, more| {
            all.images.extend(more.images);
            all.keys.extend(more.keys);
            all
        }),
    }
}

fn by_name(form: &Preview) -> ByName {
    let images = form.images.iter();
    let keys = form.ssh_keys.iter();
    ByName {
        images: images.map(|image| (image.name.clone(), image.id)).collect(),
        keys: keys
            .map(|key| (key.label.clone(), key.id.clone()))
            .collect(),
    }
}
