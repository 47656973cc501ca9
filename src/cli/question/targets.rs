//! What is about to be rebuilt.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::job::{AccessKind, Expected, Group, ImageId, ServiceId};
use crate::queue::Target;
use crate::run::InstanceList;

/// Images whose names are asked for.
pub const IMAGES_MAX: usize = 12;

/// Instances that are asked for the name of one image: not each of them offers it.
const ASKED_MAX: usize = 2;

/// What is about to be rebuilt, in the order in which it is sent.
///
/// Twelve bytes an instance, because a question over a million of them is to stay small: each image
/// is kept once, and an instance holds its number beside the kind of access.
#[derive(Debug, Default)]
pub struct Targets {
    services: Vec<ServiceId>,
    /// Number of the image in `images`, times four, and the number of the access in [`ACCESS`].
    ordered: Vec<u32>,
    /// Each image, and how many get it.
    images: Vec<(Option<ImageId>, u64)>,
    numbers: HashMap<Option<ImageId>, u32>,
    /// Of those that expect something of their instance: what, and whether they may have touched it.
    expected: HashMap<ServiceId, (Expected, bool)>,
    /// Of those in a group: which, by its number in `groups`.
    grouped: HashMap<ServiceId, usize>,
    groups: Vec<Group>,
    group_numbers: HashMap<Group, usize>,
}

/// The kinds of access, as [`Targets`] numbers them.
const ACCESS: [Option<AccessKind>; 4] = [
    None,
    Some(AccessKind::Password),
    Some(AccessKind::SshKey),
    Some(AccessKind::Image),
];

impl Targets {
    /// One more.
    pub fn add(&mut self, target: Target) {
        let images = &mut self.images;
        let number = *self.numbers.entry(target.image).or_insert_with(|| {
            images.push((target.image, 0));
            u32::try_from(images.len() - 1).expect("a manifest has fewer rows than that")
        });
        self.images[number as usize].1 += 1;
        let access = match target.access {
            None => 0,
            Some(AccessKind::Password) => 1,
            Some(AccessKind::SshKey) => 2,
            Some(AccessKind::Image) => 3,
        };
        if !target.expected.is_nothing() {
            let expected = (target.expected, target.is_touched);
            self.expected.insert(target.service, expected);
        }
        if let Some(group) = target.group {
            let groups = &mut self.groups;
            let number = *self.group_numbers.entry(group).or_insert_with_key(|group| {
                groups.push(group.clone());
                groups.len() - 1
            });
            self.grouped.insert(target.service, number);
        }
        self.services.push(target.service);
        self.ordered.push(number << 2 | access);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.services.len() as u64
    }

    pub fn iter(&self) -> impl Iterator<Item = Target> + Clone {
        let ordered = self.services.iter().zip(&self.ordered);
        ordered.map(|(&service, &ordered)| {
            let expected = self.expected.get(&service).cloned();
            let (expected, is_touched) = expected.unwrap_or_default();
            Target {
                service,
                image: self.images[(ordered >> 2) as usize].0,
                access: ACCESS[(ordered & 3) as usize],
                is_touched,
                expected,
                group: (self.grouped.get(&service)).map(|number| self.groups[*number].clone()),
            }
        })
    }

    /// The images that most of them get, each with instances of `list` whose previews may name it.
    pub fn images(&self, list: &InstanceList) -> Vec<(ImageId, Vec<ServiceId>)> {
        let wanted: Vec<ImageId> = self
            .ranked_images()
            .into_iter()
            .take(IMAGES_MAX)
            .map(|(image, _)| image)
            .collect();
        let mut images: Vec<(ImageId, Vec<ServiceId>)> = wanted
            .into_iter()
            .map(|image| (image, Vec::new()))
            .collect();
        for target in self.iter() {
            let mut images = images.iter_mut();
            let Some((_, asked)) = images.find(|(image, _)| Some(*image) == target.image) else {
                continue;
            };
            if asked.len() < ASKED_MAX && list.get(target.service).is_some() {
                asked.push(target.service);
            }
        }
        images
    }

    /// How many of each group.
    pub fn groups(&self) -> BTreeMap<Group, u64> {
        let mut groups = BTreeMap::new();
        for number in self.grouped.values() {
            *groups.entry(self.groups[*number].clone()).or_default() += 1;
        }
        groups
    }

    /// Each of their images once; `None`: something that gives none.
    pub fn each_image(&self) -> Vec<Option<ImageId>> {
        self.images.iter().map(|(image, _)| *image).collect()
    }

    /// The most frequent first.
    pub fn ranked_images(&self) -> Vec<(ImageId, u64)> {
        let images = self.images.iter();
        ranked(images.filter_map(|&(image, count)| Some((image?, count))))
    }
}

/// Images, each with how many get it: what most get first.
pub fn ranked(images: impl Iterator<Item = (ImageId, u64)>) -> Vec<(ImageId, u64)> {
    let mut ranked: Vec<(ImageId, u64)> = images.collect();
    ranked.sort_unstable_by_key(|&(image, count)| (Reverse(count), image));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_targets_take_sixteen_mebibytes_at_most() {
        let image = "18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().ok();
        let mut targets = Targets::default();
        let target = |number| Target {
            service: ServiceId::new(number).unwrap(),
            image,
            access: ACCESS[usize::try_from(number % 4).unwrap()],
            is_touched: false,
            expected: Expected::default(),
            group: None,
        };
        (1..=1_000_000).for_each(|number| targets.add(target(number)));
        let bytes = size_of::<ServiceId>() * targets.services.capacity()
            + size_of::<u32>() * targets.ordered.capacity();
        assert!(bytes <= 16 * 1024 * 1024, "{bytes}");
        assert_eq!(targets.count(), 1_000_000);
        for (number, found) in (1..).zip(targets.iter()).step_by(99_991) {
            let target = target(number);
            assert_eq!(
                (found.service, found.image, found.access),
                (target.service, target.image, target.access)
            );
        }
    }
}
