//! What is about to be rebuilt.

use std::collections::HashMap;

use crate::job::{AccessKind, ImageId, ServiceId};
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
    /// Number of the image in `images`, times four, and the kind of access.
    ordered: Vec<u32>,
    /// Each image, and how many get it.
    images: Vec<(ImageId, u64)>,
    numbers: HashMap<ImageId, u32>,
}

/// The kinds of access, as [`Targets`] numbers them.
const ACCESS: [AccessKind; 3] = [AccessKind::Password, AccessKind::SshKey, AccessKind::Image];

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
            AccessKind::Password => 0,
            AccessKind::SshKey => 1,
            AccessKind::Image => 2,
        };
        self.services.push(target.service);
        self.ordered.push(number << 2 | access);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.services.len() as u64
    }

    pub fn iter(&self) -> impl Iterator<Item = Target> + Clone {
        let ordered = self.services.iter().zip(&self.ordered);
        ordered.map(|(&service, &ordered)| Target {
            service,
            image: self.images[(ordered >> 2) as usize].0,
            access: ACCESS[(ordered & 3) as usize],
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
            let Some((_, asked)) = images.iter_mut().find(|(image, _)| *image == target.image)
            else {
                continue;
            };
            if asked.len() < ASKED_MAX && list.get(target.service).is_some() {
                asked.push(target.service);
            }
        }
        images
    }

    /// The most frequent first.
    pub fn ranked_images(&self) -> Vec<(ImageId, u64)> {
        let mut ranked = self.images.clone();
        ranked.sort_unstable_by_key(|&(image, count)| (std::cmp::Reverse(count), image));
        ranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_targets_take_sixteen_mebibytes_at_most() {
        let image = "18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap();
        let mut targets = Targets::default();
        let target = |number| Target {
            service: ServiceId::new(number).unwrap(),
            image,
            access: ACCESS[usize::try_from(number % 3).unwrap()],
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
