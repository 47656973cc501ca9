//! How long rebuilds took: by image, and the slowest of all.

use maud::{Markup, html};

use super::super::summary::{OfImage, Slow, Summary};
use super::charts::strip;
use super::figures::{foreign, number, took};
use crate::job::ImageId;

/// Images that are told.
const TOLD: usize = 50;

pub fn section(summary: &Summary) -> Markup {
    let images = &summary.images;
    let scale_ms = summary.took.slowest_ms.unwrap_or(0);
    html! {
        section #images aria-labelledby="images-title" {
            h2 #images-title { "How long it took" }
            p.aside {
                "From the submission until the instance was seen to be back. The bar reaches to what 19 of 20 took at
                 most, with a mark at the half; the line ends at the slowest."
            }
            div.wide tabindex="0" role="region" aria-labelledby="images-title" {
                table.durations {
                    thead {
                        tr {
                            th scope="col" { "image" }
                            th.count scope="col" { "half of them" }
                            th.count scope="col" { "19 of 20" }
                            th.count scope="col" { "slowest" }
                            th.count scope="col" { "jobs" }
                            th.count scope="col" { "failed" }
                            th.count scope="col" { "seen back" }
                            td.picture {}
                        }
                    }
                    tbody {
                        @for (place, of) in images.iter().take(TOLD).enumerate() { (one(place, of, scale_ms)) }
                    }
                }
            }
            @if images.len() > TOLD { p { (images.len() - TOLD) " more images are in the table of all jobs." } }
            (slowest(&summary.slowest))
        }
    }
}

fn one(place: usize, of: &OfImage, scale_ms: u64) -> Markup {
    let at = |field: &str| format!("/images/{place}/{field}");
    let durations = of
        .took
        .median_ms
        .zip(of.took.p95_ms)
        .zip(of.took.slowest_ms);
    html! {
        tr {
            th scope="row" title=[of.image.map(|image| image.to_string())] {
                (name_of(of.image, of.image_name.as_deref()))
            }
            td.count { (took(&at("median_ms"), of.took.median_ms)) }
            td.count { (took(&at("p95_ms"), of.took.p95_ms)) }
            td.count { (took(&at("slowest_ms"), of.took.slowest_ms)) }
            td.count { (number(&at("jobs"), of.jobs)) }
            td.count { (number(&at("failed"), of.failed)) }
            td.count { (number(&at("seen"), of.took.seen)) }
            td.picture {
                @if let Some(((median_ms, p95_ms), slowest_ms)) = durations {
                    (strip(median_ms, p95_ms, slowest_ms, scale_ms))
                }
            }
        }
    }
}

fn slowest(slowest: &[Slow]) -> Markup {
    html! {
        @if !slowest.is_empty() {
            h3 { "The slowest instances" }
            ol.slowest {
                @for (place, slow) in slowest.iter().enumerate() {
                    li {
                        b { (took(&format!("/slowest/{place}/took_ms"), Some(slow.took_ms))) } " "
                        @if let Some(name) = &slow.name { (foreign(name)) " " }
                        span.ids {
                            (slow.service_id) " · " (name_of(slow.image, slow.image_name.as_deref()))
                        }
                    }
                }
            }
        }
    }
}

/// What people call an image: its name, else its id.
pub fn name_of(image: Option<ImageId>, name: Option<&str>) -> Markup {
    html! {
        @match (name, image) {
            (Some(name), _) => (foreign(name)),
            (None, Some(image)) => (image),
            (None, None) => "no image",
        }
    }
}
