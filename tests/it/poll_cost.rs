//! What waiting for rebuilds costs: an hour of a run in virtual time, through its pure core.

#[path = "../../benches/refleet/account.rs"]
mod account;

use std::time::Duration;

use account::{Cost, Scene, rebuild_all};

const POLL_INTERVAL: Duration = Duration::from_secs(10);

fn fleet(shuffled: bool, seed: u64) -> Scene {
    Scene {
        instances: 500,
        workers: 50,
        rate_per_s: 1.0,
        rebuild: Duration::from_mins(5),
        jitter: 0.05,
        page_rows: 50,
        poll_interval: POLL_INTERVAL,
        shuffled,
        seed,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of thousands")]
fn calls_per_rebuild(cost: &Cost) -> f64 {
    assert_eq!(cost.done, 500, "every rebuild is seen through");
    assert_eq!(cost.observed, cost.done, "each was seen rebuilding");
    cost.calls as f64 / cost.done as f64
}

#[test]
fn a_fleet_in_the_lists_order_is_seen_through_with_few_calls_and_little_lag() {
    for seed in 1..=3 {
        let cost = rebuild_all(fleet(false, seed));
        let calls = calls_per_rebuild(&cost);
        assert!(
            calls <= 1.8,
            "{calls} calls per rebuild, of which {} pages",
            cost.pages
        );
        let lag = cost.median_lag();
        assert!(lag <= POLL_INTERVAL.mul_f64(0.6), "{lag:?}");
    }
}

#[test]
fn a_fleet_all_over_the_list_takes_no_more_than_the_call_budget_gives() {
    let cost = rebuild_all(fleet(true, 1));
    let calls = calls_per_rebuild(&cost);
    assert!(
        calls <= 3.6,
        "{calls} calls per rebuild, of which {} pages",
        cost.pages
    );
    let half_of_all_slots = cost.makespan.as_secs() / 2;
    assert!(
        cost.pages as u64 <= half_of_all_slots,
        "{} pages",
        cost.pages
    );
}

#[test]
fn a_few_rebuilds_at_a_time_do_not_make_the_poller_ask_all_the_time() {
    let mut scene = fleet(false, 1);
    (scene.instances, scene.workers) = (60, 8);
    let cost = rebuild_all(scene);
    let constant = cost.makespan.as_secs() / POLL_INTERVAL.as_secs();
    assert_eq!(cost.done, 60);
    assert!(
        (cost.pages as u64) < constant,
        "{} pages, of {constant} without a rest",
        cost.pages
    );
}
