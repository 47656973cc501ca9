//! What the account offers under the names of images and keys that a sheet gives.
//!
//! Ids differ from data centre to data centre, so that the same name stands for another id in each: a
//! name is looked up in the offer to the row's own instance. What the API's catalogue says of the same
//! data centre confirms it: a rebuild cannot be taken back, and two sources that contradict each other
//! tell nobody which image is meant.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::job::{ImageId, ServiceId, image_name_form};

/// What instances can be rebuilt with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    pub form: ByName,
    /// Images that somebody has made: the catalogue has none of them.
    pub own: HashSet<ImageId>,
    /// What new instances are ordered with in the same data centre; `None`: nobody could tell.
    pub catalogue: Option<ByName>,
}

impl From<ByName> for Offer {
    fn from(form: ByName) -> Self {
        Self {
            form,
            ..Self::default()
        }
    }
}

/// Images and keys under their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByName {
    /// Each image, by name and id.
    pub images: Vec<(String, ImageId)>,
    /// Each key of the account, by label and id.
    pub keys: Vec<(String, String)>,
}

/// What is offered to which instance.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    offers: Vec<Offer>,
    of: HashMap<ServiceId, usize>,
}

/// Why a name stands for no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nameless {
    /// Nothing is known of what the instance is offered.
    NotAsked,
    /// Nothing has this name; these are the nearest.
    Unknown(Vec<String>),
    /// Several have it: their ids.
    Ambiguous(Vec<String>),
    /// The instance's own form gives it to this id, the catalogue to others.
    Disputed {
        form: String,
        catalogue: Vec<String>,
    },
}

/// Names that are proposed for one that is not known.
const PROPOSED_MAX: usize = 3;

impl Offers {
    /// All of `services` are offered the same.
    pub fn add(&mut self, offer: Offer, services: impl IntoIterator<Item = ServiceId>) {
        let number = self.offers.len();
        self.offers.push(offer);
        self.of
            .extend(services.into_iter().map(|service| (service, number)));
    }

    /// The image of this name, as `service` is offered it.
    pub fn image(&self, service: ServiceId, name: &str) -> Result<ImageId, Nameless> {
        let offer = self.of(service)?;
        let id = only(&offer.form.images, name, image_name_form)?;
        let listed = offer.catalogue.as_ref().map(|all| &*all.images);
        confirmed(id, listed.unwrap_or_default(), name, image_name_form)
    }

    /// The key of this label, as `service` is offered it. An id that is offered is taken as one.
    ///
    /// A key decides who gets root, and its label is its owner's own word: it is taken letter by letter,
    /// and in other letter case only where one key alone has it so.
    pub fn key(&self, service: ServiceId, label: &str) -> Result<String, Nameless> {
        let offer = self.of(service)?;
        let keys = &offer.form.keys;
        if let Some((_, id)) = keys.iter().find(|(_, id)| id == label) {
            return Ok(id.clone());
        }
        let form = |label: &str| Some(label.to_lowercase());
        let id = only(keys, label, form)?;
        let listed = offer.catalogue.as_ref().map(|all| &*all.keys);
        confirmed(id, listed.unwrap_or_default(), label, form)
    }

    /// The catalogue lists images, and not this one, which is nobody's own.
    pub fn is_unlisted_image(&self, service: ServiceId, id: ImageId) -> bool {
        self.of(service).is_ok_and(|offer| {
            let listed = offer.catalogue.as_ref().map(|all| &*all.images);
            !offer.own.contains(&id) && lacks(listed.unwrap_or_default(), &id)
        })
    }

    /// The catalogue lists keys, and not this one.
    pub fn is_unlisted_key(&self, service: ServiceId, id: &String) -> bool {
        self.of(service).is_ok_and(|offer| {
            let listed = offer.catalogue.as_ref().map(|all| &*all.keys);
            lacks(listed.unwrap_or_default(), id)
        })
    }

    fn of(&self, service: ServiceId) -> Result<&Offer, Nameless> {
        let number = self.of.get(&service).ok_or(Nameless::NotAsked)?;
        Ok(&self.offers[*number])
    }
}

/// All of `named` that have this name: as it is written, or else by its `form`.
fn all<T: Clone + Ord, F: PartialEq>(
    named: &[(String, T)],
    name: &str,
    form: impl Fn(&str) -> Option<F>,
) -> BTreeSet<T> {
    let with = |is_it: &dyn Fn(&str) -> bool| -> BTreeSet<T> {
        let found = named.iter().filter(|(known, _)| is_it(known));
        found.map(|(_, id)| id.clone()).collect()
    };
    let found = with(&|known| known == name);
    if !found.is_empty() {
        return found;
    }
    let wanted = form(name);
    with(&|known| wanted.is_some() && form(known) == wanted)
}

/// `id`, unless `listed` gives its name to others alone.
fn confirmed<T: Clone + Ord + ToString, F: PartialEq>(
    id: T,
    listed: &[(String, T)],
    name: &str,
    form: impl Fn(&str) -> Option<F>,
) -> Result<T, Nameless> {
    let others = all(listed, name, form);
    if others.is_empty() || others.contains(&id) {
        return Ok(id);
    }
    Err(Nameless::Disputed {
        form: id.to_string(),
        catalogue: others.iter().map(ToString::to_string).collect(),
    })
}

/// A list with nothing in it tells nothing.
fn lacks<T: PartialEq>(listed: &[(String, T)], id: &T) -> bool {
    !listed.is_empty() && !listed.iter().any(|(_, known)| known == id)
}

/// The one of `named` that has this name.
fn only<T: Clone + Ord + ToString, F: PartialEq>(
    named: &[(String, T)],
    name: &str,
    form: impl Fn(&str) -> Option<F>,
) -> Result<T, Nameless> {
    let mut ids = all(named, name, form).into_iter();
    match (ids.next(), ids.len()) {
        (Some(id), 0) => Ok(id),
        (Some(first), _) => {
            let all = std::iter::once(first).chain(ids);
            Err(Nameless::Ambiguous(all.map(|id| id.to_string()).collect()))
        }
        (None, _) => Err(Nameless::Unknown(nearest(named, name))),
    }
}

/// The names that a misspelling may have meant, the nearest first.
fn nearest<T>(named: &[(String, T)], name: &str) -> Vec<String> {
    let plain = |name: &str| image_name_form(name).unwrap_or_else(|| name.to_lowercase());
    let wanted = plain(name);
    let offered: BTreeSet<&String> = named.iter().map(|(known, _)| known).collect();
    let mut by_distance: Vec<(usize, &String)> = offered
        .into_iter()
        .map(|one| (strsim::osa_distance(&plain(one), &wanted), one))
        .filter(|(distance, one)| *distance <= one.chars().count().max(4) / 2)
        .collect();
    by_distance.sort();
    let nearest = by_distance.into_iter().take(PROPOSED_MAX);
    nearest.map(|(_, one)| one.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(number: u8) -> ImageId {
        format!("00000000-0000-4000-8000-0000000000{number:02}")
            .parse()
            .unwrap()
    }

    fn service(number: i64) -> ServiceId {
        ServiceId::new(number).unwrap()
    }

    fn offers() -> Offers {
        let named = |name: &str, number| (name.to_owned(), image(number));
        let mut offers = Offers::default();
        let images = vec![
            named("AlmaLinux-8", 1),
            named("AlmaLinux-9", 2),
            named("Debian-12", 3),
            named("Debian-12", 4),
        ];
        let keys = [("laptop", "490"), ("desk", "491"), ("490", "492")];
        let keys = keys.map(|(label, id)| (label.to_owned(), id.to_owned()));
        let first = ByName {
            images,
            keys: keys.to_vec(),
        };
        offers.add(first.into(), [service(1), service(2)]);
        let other = ByName {
            images: vec![named("AlmaLinux-8", 5)],
            keys: Vec::new(),
        };
        offers.add(other.into(), [service(3)]);
        offers
    }

    #[test]
    fn a_name_is_looked_up_in_the_offer_to_the_rows_own_instance() {
        let offers = offers();
        assert_eq!(offers.image(service(1), "AlmaLinux-8"), Ok(image(1)));
        assert_eq!(offers.image(service(2), "alma linux 8"), Ok(image(1)));
        assert_eq!(offers.image(service(3), "AlmaLinux-8"), Ok(image(5)));
        assert_eq!(
            offers.image(service(9), "AlmaLinux-8"),
            Err(Nameless::NotAsked)
        );
    }

    #[test]
    fn what_is_unknown_or_stands_for_several_is_said_with_what_may_be_meant() {
        let offers = offers();
        let both = vec![image(3).to_string(), image(4).to_string()];
        assert_eq!(
            offers.image(service(1), "Debian-12"),
            Err(Nameless::Ambiguous(both))
        );
        let near = ["AlmaLinux-8", "AlmaLinux-9"].map(str::to_owned).to_vec();
        assert_eq!(
            offers.image(service(1), "AlmaLinx-8"),
            Err(Nameless::Unknown(near))
        );
        assert_eq!(
            offers.image(service(1), "Windows"),
            Err(Nameless::Unknown(Vec::new()))
        );
    }

    #[test]
    fn an_id_of_a_key_goes_before_a_label() {
        let offers = offers();
        assert_eq!(offers.key(service(1), "laptop").unwrap(), "490");
        assert_eq!(offers.key(service(1), "490").unwrap(), "490");
        assert!(offers.key(service(3), "laptop").is_err());
    }

    #[test]
    fn a_label_of_a_key_is_taken_letter_by_letter_and_a_near_one_is_proposed() {
        let keys = [
            ("ops-1", "490"),
            ("Operations, old", "491"),
            ("Team", "492"),
            ("team", "493"),
            ("Ünal", "494"),
            ("twice", "495"),
            ("twice", "496"),
        ];
        let mut offers = Offers::default();
        let form = ByName {
            images: Vec::new(),
            keys: (keys.map(|(label, id)| (label.to_owned(), id.to_owned()))).to_vec(),
        };
        offers.add(form.into(), [service(1)]);
        let key = |label: &str| offers.key(service(1), label);
        for (label, id) in [
            ("ops-1", "490"),
            ("OPS-1", "490"),
            ("Team", "492"),
            ("team", "493"),
            ("ünal", "494"),
        ] {
            assert_eq!(key(label).as_deref(), Ok(id), "{label}");
        }
        for near in ["ops 1", "ops1", "OPS_1"] {
            let proposed = Err(Nameless::Unknown(vec!["ops-1".to_owned()]));
            assert_eq!(key(near), proposed, "{near}");
        }
        for (several, ids) in [("TEAM", ["492", "493"]), ("twice", ["495", "496"])] {
            let ids = ids.map(str::to_owned).to_vec();
            assert_eq!(key(several), Err(Nameless::Ambiguous(ids)), "{several}");
        }
    }

    #[test]
    fn the_catalogue_confirms_a_name_or_disputes_it() {
        let named = |name: &str, number| (name.to_owned(), image(number));
        let key = |label: &str, id: &str| (label.to_owned(), id.to_owned());
        let form = ByName {
            images: vec![
                named("AlmaLinux-8", 1),
                named("Debian-12", 2),
                named("golden", 3),
            ],
            keys: vec![key("desk", "490"), key("laptop", "491")],
        };
        let with = |catalogue: Option<ByName>| {
            let mut offers = Offers::default();
            let own = HashSet::from([image(3)]);
            let form = form.clone();
            offers.add(
                Offer {
                    form,
                    own,
                    catalogue,
                },
                [service(1)],
            );
            offers
        };
        let disputing = with(Some(ByName {
            images: vec![named("almalinux 8", 9), named("Other", 8)],
            keys: vec![key("DESK", "700")],
        }));
        let disputed = |form: &dyn ToString, catalogue: &dyn ToString| Nameless::Disputed {
            form: form.to_string(),
            catalogue: vec![catalogue.to_string()],
        };
        let (service, alma) = (service(1), "AlmaLinux-8");
        assert_eq!(
            disputing.image(service, alma),
            Err(disputed(&image(1), &image(9)))
        );
        assert_eq!(
            disputing.key(service, "desk"),
            Err(disputed(&"490", &"700"))
        );
        // What it does not list, it does not dispute.
        assert_eq!(disputing.image(service, "Debian-12"), Ok(image(2)));
        assert!(disputing.is_unlisted_image(service, image(2)));
        assert!(
            !disputing.is_unlisted_image(service, image(3)),
            "an own one"
        );
        assert!(disputing.is_unlisted_key(service, &"491".to_owned()));
        // An id is an id, and one of several of a name will do.
        assert_eq!(disputing.key(service, "490").unwrap(), "490");
        let confirming = with(Some(ByName {
            images: vec![named(alma, 9), named(alma, 1)],
            keys: Vec::new(),
        }));
        assert_eq!(confirming.image(service, alma), Ok(image(1)));
        assert!(!confirming.is_unlisted_image(service, image(1)));
        for silent in [None, Some(ByName::default())] {
            let silent = with(silent);
            assert_eq!(silent.image(service, alma), Ok(image(1)));
            assert!(!silent.is_unlisted_image(service, image(1)));
            assert!(!silent.is_unlisted_key(service, &"490".to_owned()));
        }
    }
}
