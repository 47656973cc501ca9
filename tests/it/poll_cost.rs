//! What waiting for rebuilds costs, and how long a night lasts: hours of runs in virtual time, through
//! their pure core.

#[path = "../../benches/refleet/night.rs"]
#[allow(dead_code, reason = "the bench asks more of it")]
mod night;

use std::time::Duration;

use night::{Cost, Scene, Spread, rebuild_all};
use refleet::run::StartOrder;

const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// 500 instances, fifty at once, five minutes each.
fn fleet(shuffled: bool, seed: u64) -> Scene {
    Scene {
        instances: 500,
        workers: 50,
        rate_per_s: 1.0,
        rebuild: Duration::from_mins(5),
        other: None,
        has_seen: false,
        spread: Spread::Even(0.05),
        page_rows: 50,
        poll_interval: POLL_INTERVAL,
        shuffled,
        order: StartOrder::Auto,
        fault_of: 0,
        list_lag: Duration::ZERO,
        seed,
    }
}

/// A night of 2,000 instances.
fn night(workers: usize, shuffled: bool) -> Scene {
    Scene {
        instances: 2_000,
        workers,
        rebuild: Duration::from_millis(303_500),
        spread: Spread::Even(0.0),
        ..fleet(shuffled, 1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of thousands")]
fn calls_per_rebuild(cost: &Cost, scene: &Scene) -> f64 {
    assert_eq!(cost.done, scene.instances, "every rebuild is seen through");
    assert_eq!(cost.observed, cost.done, "each was seen rebuilding");
    cost.calls as f64 / cost.done as f64
}

/// Checks the most that a night may take of calls, of the ideal, and of poll intervals until half of those that
/// are back are known to be.
fn check(scene: Scene, calls: f64, of_ideal: f64, intervals: f64) {
    let cost = rebuild_all(scene);
    let took = calls_per_rebuild(&cost, &scene);
    assert!(
        took <= calls,
        "{took} calls per rebuild, {} pages",
        cost.pages
    );
    let lasted = cost.of_ideal(&scene);
    assert!(lasted <= of_ideal, "{lasted} times the ideal");
    let lag = cost.lag(50);
    assert!(lag <= POLL_INTERVAL.mul_f64(intervals), "{lag:?}");
    // Polls never take more than every second slot of what the rate allows.
    let slots = cost.makespan.as_secs_f64() * scene.rate_per_s;
    let scan = scene.instances.div_ceil(scene.page_rows);
    let polls = u32::try_from(cost.pages - scan).unwrap();
    assert!(f64::from(polls) <= slots / 2.0 + 1.0, "{polls} polls");
    assert!(f64::from(u32::try_from(cost.calls).unwrap()) <= slots + 1.0);
}

#[test]
fn a_fleet_in_the_lists_order_is_seen_through_with_few_calls_and_little_lag() {
    for seed in 1..=3 {
        check(fleet(false, seed), 1.8, 1.05, 0.3);
    }
}

#[test]
fn a_fleet_all_over_the_list_takes_hardly_longer() {
    check(fleet(true, 1), 2.5, 1.07, 1.0);
}

#[test]
fn a_night_in_the_lists_order_is_close_to_the_ideal() {
    check(night(200, false), 1.4, 1.05, 0.4);
}

#[test]
fn a_night_in_a_random_order_is_close_to_the_ideal() {
    check(night(200, true), 1.5, 1.07, 0.4);
}

#[test]
fn where_calls_are_scarce_they_go_to_submissions() {
    check(night(400, false), 1.10, 1.08, 12.0);
    check(night(400, true), 1.15, 1.12, 12.0);
}

#[test]
fn the_lists_order_is_taken_because_the_sheets_would_cost_more_than_a_twentieth() {
    let [auto, manifest] = [StartOrder::Auto, StartOrder::Manifest].map(|order| {
        let scene = Scene {
            order,
            ..night(200, true)
        };
        rebuild_all(scene).makespan.as_secs_f64()
    });
    assert!(manifest > auto * 1.05, "{manifest} {auto}");
    let [auto, manifest] = [StartOrder::Auto, StartOrder::Manifest].map(|order| {
        let scene = Scene {
            order,
            ..fleet(true, 2)
        };
        rebuild_all(scene).makespan.as_secs_f64()
    });
    assert!(manifest < auto * 1.05, "{manifest} {auto}");
}

#[test]
fn whatever_goes_wrong_and_however_long_they_take_the_night_ends() {
    for spread in [Spread::Skewed, Spread::Bimodal] {
        let scene = Scene {
            spread,
            fault_of: 20,
            list_lag: Duration::from_secs(20),
            ..fleet(true, 3)
        };
        let cost = rebuild_all(scene);
        assert!(cost.done >= 470, "{} are done", cost.done);
        assert!(cost.of_ideal(&scene) < 1.5, "{}", cost.of_ideal(&scene));
    }
}

#[test]
fn a_few_rebuilds_at_a_time_do_not_make_the_poller_ask_all_the_time() {
    let scene = Scene {
        instances: 60,
        workers: 8,
        ..fleet(false, 1)
    };
    let cost = rebuild_all(scene);
    let constant = cost.makespan.as_secs() / POLL_INTERVAL.as_secs();
    assert_eq!(cost.done, 60);
    assert!(
        (cost.pages as u64) < constant / 2,
        "{} pages, of {constant} at a fixed beat",
        cost.pages
    );
}
