//! Names and zones of the ordered images: asked for through previews of instances that are to get them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::job::{ImageId, ServiceId};
use crate::run::Now;

/// Failed previews after which an image's name stays unknown.
const TRIES_MAX: u32 = 3;

/// Instances that are asked for an image which their forms do not offer.
const LACKING_MAX: usize = 5;

/// Previews under way at once.
const UNDER_WAY_MAX: usize = 4;

/// What is known of an image; both unknown where no preview could tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) name: Option<String>,
    pub(super) zone: Option<String>,
}

/// Zones whose images are the account's own, or somebody's who shares them with it.
const OWN_ZONES: [&str; 2] = ["own", "shr"];
/// Zones of the provider's images; the second is how they were called before.
const PROVIDERS_ZONES: [&str; 2] = ["pub", "image"];

impl Image {
    /// It may be the account's own, for all that is known of it and what the order says (`zone`).
    pub(super) fn may_be_own(&self, zone: Option<&str>) -> bool {
        match (self.zone.as_deref(), zone) {
            (Some(told), _) => OWN_ZONES.contains(&told),
            (None, Some(given)) => !PROVIDERS_ZONES.contains(&given),
            (None, None) => true,
        }
    }
}

#[derive(Debug, Clone)]
enum Known {
    Wanted(Wanted),
    /// The preview is under way.
    Asked(Wanted),
    /// As far as it can be known.
    Told(Image),
}

/// An image that is to be asked for.
#[derive(Debug, Clone)]
struct Wanted {
    not_before: Instant,
    failures: u32,
    /// Instances whose forms do not offer it.
    lacking: Vec<ServiceId>,
}

/// All ordered images, as far as their jobs have come up.
#[derive(Debug, Default)]
pub(super) struct Images {
    known: HashMap<ImageId, Known>,
    /// Images that no instance offered which was asked for them.
    not_offered: HashSet<ImageId>,
    /// Those that are wanted without a job, and the instances that may show them.
    wanted: Vec<(ImageId, Vec<ServiceId>)>,
}

/// What became of a preview that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is asked for again.
    Again,
    /// The image stays unknown.
    GivenUp,
}

impl Images {
    /// Names are wanted of these, through these instances.
    pub(super) fn want(&mut self, wanted: Vec<(ImageId, Vec<ServiceId>)>) {
        self.wanted = wanted;
        self.wanted.retain(|(_, services)| !services.is_empty());
    }

    /// Some of them are not known yet.
    pub(super) fn are_wanted(&self) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.any(|(image, _)| self.get(*image).is_none())
    }

    /// Those that are not known yet, each with the instances that may show it.
    pub(super) fn wanted(&self) -> Vec<(ImageId, Vec<ServiceId>)> {
        let wanted = self.wanted.iter();
        let unknown = wanted.filter(|(image, _)| self.get(*image).is_none());
        unknown.cloned().collect()
    }

    /// The names that are known, and the images that no instance offered which was asked for them.
    pub(super) fn names(&self) -> (HashMap<ImageId, String>, HashSet<ImageId>) {
        let names = self.known.iter().filter_map(|(image, known)| match known {
            Known::Told(told) => Some((*image, told.name.clone()?)),
            Known::Wanted(_) | Known::Asked(_) => None,
        });
        (names.collect(), self.not_offered.clone())
    }

    /// `None`: it has to be asked for first.
    pub(super) fn get(&self, image: ImageId) -> Option<&Image> {
        match self.known.get(&image) {
            Some(Known::Told(told)) => Some(told),
            Some(Known::Wanted(_) | Known::Asked(_)) | None => None,
        }
    }

    /// From when on `service` may be asked for `image`. `None`: it is asked for already, its form was
    /// seen to lack it, or enough previews are under way.
    pub(super) fn may_ask(
        &mut self,
        image: ImageId,
        service: ServiceId,
        now: Now,
    ) -> Option<Instant> {
        let is_asked = |known: &&Known| matches!(known, Known::Asked(_));
        let under_way = self.known.values().filter(is_asked).count();
        let known = self.known.entry(image).or_insert_with(|| {
            Known::Wanted(Wanted {
                not_before: now.at,
                failures: 0,
                lacking: Vec::new(),
            })
        });
        match known {
            Known::Wanted(wanted)
                if !wanted.lacking.contains(&service) && under_way < UNDER_WAY_MAX =>
            {
                Some(wanted.not_before)
            }
            Known::Wanted(_) | Known::Asked(_) | Known::Told(_) => None,
        }
    }

    /// A preview is being asked for `image`.
    pub(super) fn asked(&mut self, image: ImageId) {
        if let Some(known) = self.known.get_mut(&image)
            && let Known::Wanted(wanted) = known
        {
            *known = Known::Asked(wanted.clone());
        }
    }

    /// A preview showed it.
    pub(super) fn told(&mut self, image: ImageId, told: Image) {
        self.known.insert(image, Known::Told(told));
    }

    /// The form of `service` does not offer it: another instance's may. Returns whether it is the
    /// first one.
    pub(super) fn lacks(&mut self, image: ImageId, service: ServiceId, now: Now) -> bool {
        let mut wanted = self.take(image, now.at);
        let is_first = wanted.lacking.is_empty();
        wanted.lacking.push(service);
        wanted.not_before = now.at;
        self.known.insert(image, Known::Wanted(wanted));
        is_first
    }

    /// The preview failed in a way that says nothing of previews: again after `delay`.
    pub(super) fn again(&mut self, image: ImageId, delay: Duration, now: Now) {
        let mut wanted = self.take(image, now.at);
        wanted.not_before = now.at + delay;
        self.known.insert(image, Known::Wanted(wanted));
    }

    /// How often previews of it have failed.
    pub(super) fn failures(&self, image: ImageId) -> u32 {
        match self.known.get(&image) {
            Some(Known::Wanted(wanted) | Known::Asked(wanted)) => wanted.failures,
            Some(Known::Told(_)) | None => 0,
        }
    }

    /// The preview failed: again after `delay`, or given up.
    pub(super) fn failed(&mut self, image: ImageId, delay: Duration, now: Now) -> Tried {
        let mut wanted = self.take(image, now.at);
        wanted.failures += 1;
        if wanted.failures >= TRIES_MAX {
            self.told(image, Image::default());
            return Tried::GivenUp;
        }
        wanted.not_before = now.at + delay;
        self.known.insert(image, Known::Wanted(wanted));
        Tried::Again
    }

    /// Gives up those that no instance is left for which could show them. `has_job` says whether a
    /// job waits for the image whose instance is none of those whose forms lack it.
    pub(super) fn give_up(
        &mut self,
        has_job: impl Fn(ImageId, &[ServiceId]) -> bool,
    ) -> Vec<ImageId> {
        let wanted = &self.wanted;
        let is_wanted = |image: ImageId, lacking: &[ServiceId]| {
            let mut wanted = wanted.iter().filter(|(one, _)| *one == image);
            wanted.any(|(_, services)| services.iter().any(|one| !lacking.contains(one)))
        };
        let mut given_up = Vec::new();
        for (image, known) in &mut self.known {
            let Known::Wanted(Wanted { lacking, .. }) = known else {
                continue;
            };
            let may_show = is_wanted(*image, lacking) || has_job(*image, lacking);
            let is_over = lacking.len() >= LACKING_MAX || !may_show;
            if !lacking.is_empty() && is_over {
                given_up.push(*image);
                self.not_offered.insert(*image);
                *known = Known::Told(Image::default());
            }
        }
        given_up
    }

    fn take(&mut self, image: ImageId, not_before: Instant) -> Wanted {
        match self.known.remove(&image) {
            Some(Known::Wanted(wanted) | Known::Asked(wanted)) => wanted,
            Some(Known::Told(_)) | None => Wanted {
                not_before,
                failures: 0,
                lacking: Vec::new(),
            },
        }
    }
}
