//! Names of images and keys in a sheet: what they stand for is asked of the account before anything else.

use std::collections::BTreeMap;

use super::connect::{TIMEOUT, connect};
use super::error::CliError;
use super::global::Global;
use super::output::tell_prose;
use super::sign_in::sign_in;
use crate::job::{Owner, ServiceId};
use crate::manifest::{self, Offer, Offers, Source, Validated};
use crate::progress::Verbosity;
use crate::run::{InstanceList, look_up, read_account};
use crate::zomro::{Client, Found, Lookup, Preview};

/// Calls per second of a command that has no option for it.
const RATE_PER_S: f64 = 1.0;

/// A manifest of which each name is known by its id.
pub struct Resolved {
    pub source: Source,
    pub validated: Validated,
    /// Whose account was asked for the ids, if one was: the order is bound to it.
    pub owner: Option<Owner>,
}

/// Looks up the names that the sheet gives: the account's list tells the data centre of each instance,
/// and the rebuild form of one instance in each of them its images and keys.
pub async fn resolve(
    source: Source,
    validated: Validated,
    client: &Client,
    rate_per_s: f64,
    verbosity: Verbosity,
) -> Result<Resolved, CliError> {
    if validated.wanted.is_empty() {
        return Ok(Resolved {
            source,
            validated,
            owner: None,
        });
    }
    let action = source.action();
    let unread = |halt| CliError::Account { action, halt };
    if verbosity != Verbosity::Quiet {
        tell_prose("reading the account's list, to look up the names of images and keys\n");
    }
    sign_in(client, rate_per_s, action).await?;
    let account = read_account(client, rate_per_s, None, &|_| Vec::new(), &|_, _| {})
        .await
        .map_err(unread)?;
    let groups = alike(&account.list, &validated.wanted);
    let asked = groups.iter().map(|group| Lookup::Form(group[0])).collect();
    let looked = look_up(client, rate_per_s, asked, &|_| {})
        .await
        .map_err(unread)?;
    let mut offers = Offers::default();
    for (lookup, found) in looked {
        let Lookup::Form(service) = lookup else {
            continue;
        };
        match found {
            Ok(Found::Form(form)) => {
                let group = groups.iter().find(|group| group[0] == service);
                offers.add(offer(form), group.into_iter().flatten().copied());
            }
            Err(failure) => {
                return Err(CliError::Unanswered {
                    what: format!("what service {service} can be rebuilt with"),
                    failure,
                });
            }
            Ok(Found::Tariffs(_) | Found::OwnImages(_) | Found::SshKeys(_)) => {}
        }
    }
    let source = source.with_offers(offers);
    let validated = manifest::validated(&source)?;
    Ok(Resolved {
        source,
        validated,
        owner: account.owner,
    })
}

/// The same for a command that asks the API for nothing else, and so needs credentials only where the
/// sheet gives names.
pub async fn resolve_if_named(global: &Global, source: Source) -> Result<Resolved, CliError> {
    let validated = manifest::validated(&source)?;
    if validated.wanted.is_empty() {
        return Ok(Resolved {
            source,
            validated,
            owner: None,
        });
    }
    let client = connect(global, TIMEOUT).await?;
    resolve(source, validated, &client, RATE_PER_S, global.verbosity()).await
}

/// The instances that are offered the same, the first of each to be asked: those of one data centre,
/// and each by itself where the list does not say in which it stands. One that the list does not show
/// is not among them.
fn alike(list: &InstanceList, services: &[ServiceId]) -> Vec<Vec<ServiceId>> {
    let mut groups = Vec::new();
    let mut of_centre: BTreeMap<&str, Vec<ServiceId>> = BTreeMap::new();
    for &service in services {
        match list.get(service).map(|listed| listed.datacenter.as_deref()) {
            Some(Some(centre)) => of_centre.entry(centre).or_default().push(service),
            Some(None) => groups.push(vec![service]),
            None => {}
        }
    }
    groups.extend(of_centre.into_values());
    groups
}

fn offer(form: Preview) -> Offer {
    Offer {
        images: (form.images.into_iter().map(|image| (image.name, image.id))).collect(),
        keys: (form.ssh_keys.into_iter().map(|key| (key.label, key.id))).collect(),
    }
}
