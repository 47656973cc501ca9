//! How long nights last against the shortest that they could be, in virtual time: no socket, and no second
//! is waited for.

use std::time::Duration;

use refleet::run::StartOrder;

use crate::night::{Cost, Scene, Spread, rebuild_all};
use crate::{Figure, Goal, Sizes};

/// What a night is held against.
struct Bound {
    name: &'static str,
    /// Makespan ÷ ideal.
    goal: (f64, f64),
}

const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// The night of the figures in README: one call a second, pages of fifty rows, in the list's order.
const NIGHT: Scene = Scene {
    instances: 2_000,
    workers: 200,
    rate_per_s: 1.0,
    rebuild: Duration::from_millis(303_500),
    spread: Spread::Even(0.02),
    page_rows: 50,
    poll_interval: POLL_INTERVAL,
    shuffled: false,
    order: StartOrder::Auto,
    fault_of: 0,
    list_lag: Duration::ZERO,
    seed: 1,
};

fn nights(sizes: &Sizes) -> Vec<(Bound, Scene)> {
    let random = Scene {
        shuffled: true,
        ..NIGHT
    };
    let scarce = Scene {
        workers: 400,
        ..random
    };
    let mut nights = vec![
        (bound("list's order", 1.07, 1.05), NIGHT),
        (bound("random order", 1.10, 1.07), random),
        (bound("calls are scarce", 1.12, 1.08), scarce),
        (
            bound("manifest's, by --order", 1.30, 1.20),
            Scene {
                order: StartOrder::Manifest,
                ..random
            },
        ),
        (
            bound("pages of 20 rows", 1.20, 1.10),
            Scene {
                page_rows: 20,
                ..random
            },
        ),
        (
            bound("pages of 500 rows", 1.10, 1.07),
            Scene {
                page_rows: 500,
                ..random
            },
        ),
        (
            bound("skewed durations", 1.25, 1.15),
            Scene {
                spread: Spread::Skewed,
                ..random
            },
        ),
        (
            bound("bimodal durations", 1.20, 1.12),
            Scene {
                spread: Spread::Bimodal,
                ..random
            },
        ),
        (
            bound("5 % faults, lag 20 s", 1.40, 1.25),
            Scene {
                fault_of: 20,
                list_lag: Duration::from_secs(20),
                ..random
            },
        ),
    ];
    if sizes.large >= 1_000_000 {
        nights.extend(long_nights(random));
    }
    nights
}

/// Those that take a while even here.
fn long_nights(random: Scene) -> [(Bound, Scene); 2] {
    [
        (
            bound("5,000, random order", 1.10, 1.07),
            Scene {
                instances: 5_000,
                ..random
            },
        ),
        (
            bound("100,000, 3 calls/s", 1.10, 1.07),
            Scene {
                instances: 100_000,
                workers: 600,
                rate_per_s: 3.0,
                page_rows: 200,
                ..random
            },
        ),
    ]
}

const fn bound(name: &'static str, floor: f64, aim: f64) -> Bound {
    Bound {
        name,
        goal: (floor, aim),
    }
}

/// Each night, and the calls that watching an ordinary fleet costs.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every case has the same signature"
)]
pub fn nights_and_calls(sizes: &Sizes) -> crate::cases::Figures {
    let mut figures = Vec::new();
    for (Bound { name, goal }, scene) in nights(sizes) {
        let cost = rebuild_all(scene);
        let (floor, aim) = goal;
        figures.push(Figure {
            name,
            measured: in_words(&cost, &scene),
            ceiling: format!(
                "{} × {:.0} s, {} at once",
                scene.instances,
                scene.rebuild.as_secs_f64(),
                scene.workers
            ),
            ratio: cost.of_ideal(&scene),
            goal: Goal::AtMost { floor, aim },
        });
    }
    for (name, shuffled, floor, aim) in [
        ("calls per rebuild", false, 1.8, 1.6),
        ("… list in other order", true, 2.6, 2.2),
    ] {
        let scene = Scene {
            instances: 500,
            workers: 50,
            spread: Spread::Even(0.05),
            shuffled,
            ..NIGHT
        };
        let cost = rebuild_all(scene);
        figures.push(Figure {
            name,
            measured: format!("lag {:.1} s", cost.lag(50).as_secs_f64()),
            ceiling: format!("{} rebuilds, 50 at once", cost.done),
            ratio: cost.calls as f64 / cost.done as f64,
            goal: Goal::AtMost { floor, aim },
        });
    }
    Ok(figures)
}

fn in_words(cost: &Cost, scene: &Scene) -> String {
    format!(
        "{:.2} calls, lag {:.0}, {:.0} s, {} of {}",
        cost.calls as f64 / scene.instances as f64,
        cost.lag(50).as_secs_f64(),
        cost.lag(95).as_secs_f64(),
        cost.done,
        scene.instances
    )
}
