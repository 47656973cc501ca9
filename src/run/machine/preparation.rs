//! What an order needs to know before its intent is written: of a rebuild, how the list will name its
//! image, and in which zone that stands. A preview of an instance that is to get it tells both.

use super::images::{Image, Tried};
use super::{Call, Machine};
use crate::job::{ImageId, Order, ServiceId};
use crate::queue::QueuedJob;
use crate::run::Now;
use crate::run::rate_limiter::Purpose;
use crate::zomro::{Preview, Read};

impl Machine {
    /// What its order needs to know; `None`: it has to be asked for, by [`Self::prepare`].
    pub(super) fn prepared(&self, job: &QueuedJob) -> Option<Image> {
        match &job.order {
            // Nobody looks at the list, so nobody needs the name.
            Order::Rebuild(rebuild) if rebuild.zone.is_some() && self.options.no_wait => {
                Some(Image::default())
            }
            Order::Rebuild(rebuild) => self.account.images.get(rebuild.image).cloned(),
        }
    }

    /// Asks for what the job's order needs to know.
    pub(super) fn prepare(&mut self, job: &QueuedJob, now: Now) {
        match &job.order {
            Order::Rebuild(rebuild) => self.ask_for_image(rebuild.image, job.service, now),
        }
    }

    fn ask_for_image(&mut self, image: ImageId, service: ServiceId, now: Now) {
        let Some(not_before) = self.account.images.may_ask(image, service, now) else {
            return;
        };
        match self.gate.take_slot(Purpose::Submission, not_before, now) {
            Ok(()) => {
                self.account.images.asked(image);
                self.desk.call(Call::Preview(image, service));
            }
            Err(at) => self.wake_by(at),
        }
    }

    /// Asks for the names that are wanted without a job.
    pub(super) fn name_images(&mut self, now: Now) {
        for (image, services) in self.account.images.wanted() {
            for service in services {
                self.ask_for_image(image, service, now);
            }
        }
    }

    /// No instance is left that could show these images: they go without name and zone.
    pub(super) fn give_up_previews(&mut self) {
        let waiting = self.backlog.waiting();
        let given_up = self.account.images.give_up(|image, lacking| {
            let mut waiting = waiting.iter();
            waiting.any(|waiting| {
                waiting.job.order.image() == Some(image)
                    && waiting.deferred_since.is_none()
                    && !lacking.contains(&waiting.job.service)
            })
        });
        for image in given_up {
            self.narrator.warn(format!(
                "no instance that is to get image {image} offers it: `image` is sent as its zone, and its name stays unknown, which is less evidence"
            ));
        }
    }

    pub(super) fn preview_finished(
        &mut self,
        image: ImageId,
        service: ServiceId,
        result: Read<Preview>,
        now: Now,
    ) {
        let error = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                if let Some(found) = reply.value.image(image) {
                    let told = Image {
                        name: Some(found.name.clone()),
                        zone: found.zone.clone(),
                    };
                    self.account.images.told(image, told);
                } else if self.account.images.lacks(image, service, now) {
                    // Images differ from data centre to data centre: another instance may offer it.
                    self.narrator.warn(format!(
                        "image {image} is not offered to service {service}: another one that is to get it is asked"
                    ));
                }
                return;
            }
            Err(error) => error,
        };
        let failures = self.account.images.failures(image);
        if self.reading_was_refused(&error, now) {
            let delay = self.gate.delay(failures + 1);
            if self.account.images.failed(image, delay, now) == Tried::GivenUp {
                self.narrator.warn_once("preview", || {
                    format!("the rebuild preview fails ({error}): images stay without names, which is less evidence")
                });
            }
        } else {
            let delay = self.gate.delay(failures.max(1));
            self.account.images.again(image, delay, now);
        }
    }
}
