//! What the API demands of a submission, and how the rebuild goes that it orders.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::behaviour::{Behaviour, ImageAt, Outcome};
use super::config::{Config, Image};
use super::form::Fields;
use super::instance::{Instance, PlannedRebuild};
use super::random::random;
use super::refusal::Refusal;
use crate::job::{ImageId, InstanceStatus};

/// Where each image stands in [`Config::images`].
#[derive(Debug)]
pub(super) struct Catalogue(HashMap<ImageId, usize>);

impl Catalogue {
    pub(super) fn new(config: &Config) -> Self {
        let images = config.images.iter().enumerate();
        Self(images.map(|(index, image)| (image.id, index)).collect())
    }

    /// The image that is ordered, if all fields are as the vendor documents them.
    pub(super) fn ordered<'c>(
        &self,
        config: &'c Config,
        fields: &Fields,
    ) -> Result<&'c Image, Refusal> {
        let field = |name| fields.filled(name).unwrap_or_default();
        let id = field("select_rebuild");
        let index = id.parse().ok().and_then(|id: ImageId| self.0.get(&id));
        let Some(image) = index.map(|index| &config.images[*index]) else {
            return Err(Refusal::value("select_rebuild", id, "no such image"));
        };
        let any_zone = field("zone") == "image" && !config.odd.strict_zone;
        if !any_zone && field("zone") != image.zone {
            return Err(Refusal::value(
                "zone",
                field("zone"),
                "the image is not there",
            ));
        }
        let (password, key) = (field("password"), field("ssh_keys"));
        match field("enablessh") {
            "on" => {
                if image.name.contains("Windows") {
                    let why = "Windows takes no SSH keys";
                    return Err(Refusal::value("enablessh", "on", why));
                }
                if !password.is_empty() {
                    let why = "must be omitted with enablessh=on";
                    return Err(Refusal::value("password", password, why));
                }
                if !config.ssh_keys.iter().any(|known| known.id == key) {
                    return Err(Refusal::value("ssh_keys", key, "no such key"));
                }
            }
            "off" => {
                if !key.is_empty() {
                    let why = "must be omitted with enablessh=off";
                    return Err(Refusal::value("ssh_keys", key, why));
                }
                if !password.is_empty() && !is_strong(password) {
                    let why = "at least 8 characters, an upper-case letter and a digit";
                    return Err(Refusal::value("password", password, why));
                }
            }
            other => return Err(Refusal::value("enablessh", other, "on or off")),
        }
        Ok(image)
    }
}

fn is_strong(password: &str) -> bool {
    password.chars().count() >= 8
        && password.chars().any(|c| c.is_ascii_uppercase())
        && password.chars().any(|c| c.is_ascii_digit())
}

/// An instance that is busy, or in a state of which the API makes no rebuild.
pub(super) fn check_state(instance: &Instance, now: Instant) -> Result<(), Refusal> {
    if instance.is_rebuilding(now) {
        return Err(Refusal::running_operation());
    }
    let status = instance.view(now).status.clone();
    if InstanceStatus::from(&*status).is_ready() {
        return Ok(());
    }
    match &*status {
        settled @ ("resized" | "rescued" | "booted_from_iso" | "suspended" | "suspend") => {
            let why = "the instance cannot be rebuilt in this state";
            Err(Refusal::value("instance_status", settled, why))
        }
        _ => Err(Refusal::running_operation()),
    }
}

/// How the next rebuild of this instance goes.
pub(super) fn plan(config: &Config, image: &Image, instance: &mut Instance) -> PlannedRebuild {
    let name: Arc<str> = image.name.as_str().into();
    let Behaviour {
        accept_lag_ms,
        duration_ms,
        outcome,
        image_after,
        image_at,
    } = instance.next.take().unwrap_or_default();
    let seed = [
        config.faults.seed,
        instance.id.unsigned_abs(),
        instance.submissions,
    ];
    let jitter = 1.0 + config.rebuild_jitter.clamp(0.0, 1.0) * (2.0 * random(&seed).f64() - 1.0);
    let odd = &config.odd;
    let mut rebuild = PlannedRebuild {
        image_id: image.id.to_string(),
        shown: image_after.map_or_else(|| name.clone(), Into::into),
        image: name,
        image_at: image_at.unwrap_or(config.image_at),
        accept_lag: accept_lag_ms.map_or(config.accept_lag, Duration::from_millis),
        duration: duration_ms.map_or_else(
            || config.rebuild_duration.mul_f64(jitter),
            Duration::from_millis,
        ),
        outcome: outcome.unwrap_or_default(),
    };
    let mut share = random(&[seed[0], seed[1], seed[2], 1]);
    let mut hits = |rate: f64| share.f64() < rate;
    if hits(odd.fails_at_once) {
        rebuild.outcome = Outcome::Error;
        rebuild.image_at = ImageAt::End;
        (rebuild.accept_lag, rebuild.duration) = (Duration::ZERO, Duration::ZERO);
    } else if hits(odd.rolls_back) {
        rebuild.outcome = Outcome::RolledBack;
        rebuild.image_at = ImageAt::End;
    } else if hits(odd.ignored) {
        rebuild.outcome = Outcome::Ignored;
    } else if hits(odd.third_name) {
        rebuild.shown = format!("{}-custom", rebuild.image).into();
    }
    rebuild
}
