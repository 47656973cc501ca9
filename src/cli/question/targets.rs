//! What is about to be rebuilt.

use std::collections::HashMap;

use crate::job::{AccessKind, ImageId, NewJob, ServiceId};
use crate::queue::QueuedJob;
use crate::run::InstanceList;

/// Images whose names are asked for.
pub const IMAGES_MAX: usize = 12;

/// Instances that are asked for the name of one image: not each of them offers it.
const ASKED_MAX: usize = 2;

/// An instance about to be rebuilt.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
    /// How one gets in afterwards.
    pub access: AccessKind,
}

impl From<&NewJob> for Target {
    fn from(job: &NewJob) -> Self {
        Self {
            service: job.service,
            image: job.image,
            access: job.access.kind(),
        }
    }
}

impl From<&QueuedJob> for Target {
    fn from(job: &QueuedJob) -> Self {
        Self {
            service: job.service,
            image: job.image,
            access: job.access,
        }
    }
}

/// What is about to be rebuilt, in the manifest's order.
#[derive(Debug, Default)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// One more.
    pub fn add(&mut self, target: Target) {
        self.0.push(target);
    }

    pub fn all(&self) -> &[Target] {
        &self.0
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
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
        for target in &self.0 {
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
        let mut images: HashMap<ImageId, u64> = HashMap::new();
        for target in &self.0 {
            *images.entry(target.image).or_default() += 1;
        }
        let mut ranked: Vec<_> = images.into_iter().collect();
        ranked.sort_unstable_by_key(|&(image, count)| (std::cmp::Reverse(count), image));
        ranked
    }
}
