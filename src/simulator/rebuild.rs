//! A rebuild: its form, what the API demands of it, and what the list shows of one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::behaviour::{ImageAt, Outcome};
use super::config::{Config, Image};
use super::form::Fields;
use super::json::Json;
use super::random::random;
use super::refusal::Refusal;
use super::submission::{Course, Submission};
use super::timeline::View;
use crate::job::{ImageId, InstanceStatus};

/// The function of the API that shows the form and takes it.
pub(super) const FUNC: &str = "instances.fleio.rebuild";

/// A rebuild that was accepted, with everything decided that may vary.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedRebuild {
    pub(super) image_id: String,
    pub(super) image: String,
    /// The name that the list shows for that image.
    pub(super) shown: String,
    pub(super) image_at: ImageAt,
}

impl PlannedRebuild {
    /// What the list shows of it: how long after the acceptance, which view.
    pub(super) fn views(&self, course: &Course, before: &View) -> Vec<(Duration, View)> {
        let shown: Arc<str> = self.shown.as_str().into();
        let during = match self.image_at {
            ImageAt::Accept => &shown,
            ImageAt::End => &before.image,
        };
        let view = |status: &str, image: &Arc<str>| View {
            status: status.into(),
            image: Arc::clone(image),
        };
        let back = if *before.status == *InstanceStatus::Stopped.as_str() {
            InstanceStatus::Stopped
        } else {
            InstanceStatus::Active
        };
        let after = match course.outcome {
            Outcome::Active => Some(view(back.as_str(), &shown)),
            Outcome::Error => Some(view(InstanceStatus::Error.as_str(), during)),
            Outcome::RolledBack => Some(view(back.as_str(), &before.image)),
            Outcome::Never | Outcome::Ignored => None,
        };
        let rebuilding = view(InstanceStatus::Rebuilding.as_str(), during);
        let mut views = vec![
            (Duration::ZERO, view(&before.status, during)),
            (course.accept_lag, rebuilding),
        ];
        views.extend(after.map(|after| (course.length(), after)));
        views
    }
}

/// The rebuild that a submission orders, and how it goes.
pub(super) fn plan(
    config: &Config,
    submission: &Submission<'_>,
) -> Result<(Course, PlannedRebuild), Refusal> {
    let image = ordered(config, submission)?;
    check_state(submission)?;
    let Submission { next, seed, .. } = submission;
    let jitter = 1.0 + config.rebuild_jitter.clamp(0.0, 1.0) * (2.0 * random(seed).f64() - 1.0);
    let usual = config.rebuild_duration.mul_f64(jitter);
    let mut course = Course::new(next, config.accept_lag, usual);
    let mut rebuild = PlannedRebuild {
        image_id: image.id.to_string(),
        image: image.name.clone(),
        shown: next.image_after.as_ref().unwrap_or(&image.name).clone(),
        image_at: next.image_at.unwrap_or(config.image_at),
    };
    let odd = &config.odd;
    let mut share = random(&[seed[0], seed[1], seed[2], 1]);
    let mut hits = |rate: f64| share.f64() < rate;
    if hits(odd.fails_at_once) {
        rebuild.image_at = ImageAt::End;
        course = Course {
            accept_lag: Duration::ZERO,
            duration: Duration::ZERO,
            outcome: Outcome::Error,
        };
    } else if hits(odd.rolls_back) {
        rebuild.image_at = ImageAt::End;
        course.outcome = Outcome::RolledBack;
    } else if hits(odd.ignored) {
        course.outcome = Outcome::Ignored;
    } else if hits(odd.third_name) {
        rebuild.shown = format!("{}-custom", rebuild.image);
    }
    Ok((course, rebuild))
}

/// The image that is ordered, if all fields are as the vendor documents them.
fn ordered<'c>(config: &'c Config, submission: &Submission<'_>) -> Result<&'c Image, Refusal> {
    let field = |name| submission.fields.filled(name).unwrap_or_default();
    let text = field("select_rebuild");
    let id: Option<ImageId> = text.parse().ok();
    let mut offered = config.images_at(submission.datacenter);
    let Some(image) = offered.find(|image| Some(image.id) == id) else {
        return Err(Refusal::value("select_rebuild", text, "no such image"));
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

fn is_strong(password: &str) -> bool {
    password.chars().count() >= 8
        && password.chars().any(|c| c.is_ascii_uppercase())
        && password.chars().any(|c| c.is_ascii_digit())
}

/// An instance that is busy, or in a state of which the API makes no rebuild.
fn check_state(submission: &Submission<'_>) -> Result<(), Refusal> {
    if submission.is_busy {
        return Err(Refusal::running_operation());
    }
    match submission.status {
        "active" | "stopped" | "error" => Ok(()),
        settled @ ("resized" | "rescued" | "booted_from_iso" | "suspended" | "suspend") => {
            let why = "the instance cannot be rebuilt in this state";
            Err(Refusal::value("instance_status", settled, why))
        }
        _ => Err(Refusal::running_operation()),
    }
}

/// The form for `elid`, whatever that is, in the data centre of this name.
pub(super) fn form(config: &Config, datacenter: &str, fields: &Fields) -> Vec<u8> {
    let elid = fields.get("elid").unwrap_or_default();
    let lacks = &config.odd.preview_lacks;
    let images: Vec<&Image> = if lacks.iter().any(|service| service.to_string() == elid) {
        Vec::new()
    } else {
        config.images_at(datacenter).collect()
    };
    let mut json = Json::head(fields);
    json.raw("\"elid\":{\"$\":").text(elid).raw("},");
    if let Some(first) = images.first() {
        json.raw("\"zone\":{\"$\":").text(&first.zone);
        json.raw("},\"select_rebuild\":{\"$\":")
            .text(&first.id.to_string())
            .raw("},");
    }
    json.raw("\"enablessh\":{\"$\":\"off\"},\"slist\":[{\"$name\":\"zone\",\"val\":[");
    let mut zones: Vec<&str> = vec!["pub", "own"];
    for image in &images {
        if !zones.contains(&&*image.zone) {
            zones.push(&image.zone);
        }
    }
    for (index, zone) in zones.iter().enumerate() {
        json.comma(index).raw("{\"$key\":").text(zone);
        json.raw(",\"$\":").text(zone).raw("}");
    }
    json.raw("]},{\"$name\":\"select_rebuild\",\"val\":[");
    for image in &images {
        json.raw("{\"$key\":").text(&image.id.to_string());
        json.raw(",\"$depend\":").text(&image.zone);
        json.raw(",\"$\":").text(&image.name).raw("},");
    }
    json.raw("{\"$key\":\"null\",\"$depend\":\"own\",\"$\":\"-- none --\"}");
    json.raw("]},{\"$name\":\"ssh_keys\",\"val\":[");
    if config.ssh_keys.is_empty() {
        json.raw("{\"$key\":\"none\",\"$\":\"-- none --\"}");
    }
    for (index, key) in config.ssh_keys.iter().enumerate() {
        json.comma(index).raw("{\"$key\":").text(&key.id);
        json.raw(",\"$\":").text(&key.label).raw("}");
    }
    json.raw("]}],").echo(fields).raw("}}");
    json.0
}
