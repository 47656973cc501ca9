//! What the display says of when whole nights end, which a run lives through in virtual time.

#[path = "../../../benches/refleet/night.rs"]
#[expect(dead_code, reason = "others ask for what a night costs")]
mod scene;

use std::time::Duration;

use scene::{Scene, Spread, rebuild_all};

use super::{new_tally, started};
use crate::event::{Event, OfImage};
use crate::run::StartOrder;

/// 2,000 instances, one call a second.
fn night(workers: usize, shuffled: bool) -> Scene {
    Scene {
        instances: 2000,
        workers,
        rate_per_s: 1.0,
        rebuild: Duration::from_millis(303_500),
        other: None,
        has_seen: false,
        spread: Spread::Even(0.05),
        page_rows: 50,
        poll_interval: Duration::from_secs(10),
        shuffled,
        order: StartOrder::Auto,
        fault_of: 0,
        list_lag: Duration::ZERO,
        seed: 1,
    }
}

/// Of two images, in turn, one is quick and the other is not.
fn mixed(workers: usize, shuffled: bool) -> Scene {
    Scene {
        rebuild: Duration::from_mins(2),
        other: Some(Duration::from_mins(10)),
        ..night(workers, shuffled)
    }
}

/// What the command line tells before the machine begins.
fn begun(scene: &Scene) -> Event {
    let mut event = started(scene.instances as u64, false);
    if let Event::RunStarted {
        workers,
        rate,
        images,
        ..
    } = &mut event
    {
        (*workers, *rate) = (scene.workers, scene.rate_per_s);
        let seen = scene.seen();
        let of_image = scene.images().into_iter().map(|(image, queued)| OfImage {
            image: Some(image),
            queued,
            usual: seen.median(Some(image)),
        });
        *images = of_image.collect();
    }
    event
}

/// What the display says at one moment, and what was really left.
#[derive(Debug)]
struct Look {
    eta_s: Option<f64>,
    left_s: f64,
}

/// Lets a run live through the night, and looks three minutes after its beginning, when nothing has ended, and
/// when a quarter, half and three quarters have.
fn looks(scene: &Scene) -> Vec<Look> {
    let cost = rebuild_all(*scene);
    let mut tally = new_tally(false);
    tally.apply(&begun(scene), Duration::ZERO);
    let mut told = cost.told.iter().peekable();
    let mut marks = [25, 50, 75].into_iter().peekable();
    let mut looks = Vec::new();
    for second in 0..cost.makespan.as_secs() {
        let now = Duration::from_secs(second);
        while let Some((at, event)) = told.next_if(|(at, _)| *at <= now) {
            tally.apply(event, *at);
        }
        let pace = tally.pace(now).unwrap();
        let is_reached = marks.next_if(|mark| pace.percent() >= *mark).is_some();
        if second == 180 || is_reached {
            looks.push(Look {
                eta_s: pace.eta.map(|eta| eta.as_secs_f64()),
                left_s: cost.makespan.saturating_sub(now).as_secs_f64(),
            });
        }
    }
    looks
}

fn comes_true(scene: &Scene) {
    let looks = looks(scene);
    assert_eq!(looks.len(), 4);
    assert_eq!(looks[0].eta_s.is_some(), scene.has_seen, "{looks:?}");
    for look in &looks[usize::from(!scene.has_seen)..] {
        let off_s = (look.eta_s.unwrap_or(f64::INFINITY) - look.left_s).abs();
        assert!(off_s <= look.left_s * 0.15, "{look:?} of {looks:?}");
    }
}

#[test]
fn where_workers_are_scarce_the_eta_comes_true() {
    comes_true(&night(200, false));
    comes_true(&night(200, true));
}

#[test]
fn where_calls_are_scarce_the_eta_comes_true() {
    comes_true(&night(400, false));
    comes_true(&night(400, true));
}

#[test]
fn where_two_images_take_differently_long_the_eta_comes_true() {
    comes_true(&mixed(200, true));
    comes_true(&mixed(400, false));
}

#[test]
fn what_was_seen_before_tells_when_the_first_wave_will_be_back() {
    for scene in [night(200, true), mixed(200, false)] {
        comes_true(&Scene {
            has_seen: true,
            ..scene
        });
    }
}
