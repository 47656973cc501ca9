//! How long nights last against the shortest that they could be, in virtual time: no socket, and no second
//! is waited for.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use refleet::run::StartOrder;

use crate::night::{Cost, Scene, Spread, rebuild_all};
use crate::place::{IMAGE, Place, TOKEN, ended, refleet, service, stop};
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
    other: None,
    has_seen: false,
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
    figures.push(over_http()?);
    Ok(figures)
}

/// So much quicker than a night is one that is not only thought of.
const HURRY: u32 = 100;

/// A night of seconds over HTTP, against the built-in simulator, and the same one in virtual time: whether
/// this one tells the truth.
fn over_http() -> Result<Figure, Box<dyn Error>> {
    let scene = Scene {
        instances: 800,
        workers: 160,
        rebuild: Duration::from_secs(150),
        // That is what the simulator draws.
        spread: Spread::Even(0.3),
        shuffled: true,
        ..NIGHT
    };
    let place = Place::new()?;
    let sheet = place.path("random.csv");
    let mut rows: Vec<String> = (0..scene.instances)
        .map(|index| format!("{},{IMAGE}\n", service(index)))
        .collect();
    fastrand::Rng::with_seed(scene.seed).shuffle(&mut rows);
    fs::write(&sheet, format!("service_id,image\n{}", rows.concat()))?;
    let ms = |duration: Duration| format!("{}ms", (duration / HURRY).as_millis());
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_refleet"))
        .args(["simulate", "--session", TOKEN, "--services"])
        .arg(format!("{}..{}", service(0), service(scene.instances - 1)))
        .args([
            "--accept-lag",
            "30ms",
            "--latency",
            "2ms",
            "--rebuild-duration",
        ])
        .arg(ms(scene.rebuild))
        .stdout(Stdio::piped())
        .spawn()?;
    let told = BufReader::new(simulator.stdout.take().expect("it is piped"));
    let listens = told.lines().find_map(|line| {
        let url = line
            .ok()?
            .strip_prefix("simulator listening on ")?
            .to_owned();
        Some(url)
    });
    let url = listens.ok_or("the simulator does not listen")?;
    let rate = scene.rate_per_s * f64::from(HURRY);
    let run = ended(
        refleet(&place.path("night.db"), &url)
            .args([
                "run",
                "--yes",
                "--settle",
                "3s",
                "--rate",
                &rate.to_string(),
            ])
            .args(["--poll-interval", &ms(scene.poll_interval)])
            .args(["--workers", &scene.workers.to_string()])
            .arg(&sheet),
    );
    stop(simulator)?;
    let lasted = run?.elapsed * HURRY;
    let thought = rebuild_all(scene).makespan;
    Ok(Figure {
        name: "the same over HTTP",
        measured: format!(
            "{:.0} s, a hundredth of it waited for",
            lasted.as_secs_f64()
        ),
        ceiling: format!("{:.0} s in virtual time", thought.as_secs_f64()),
        ratio: lasted.as_secs_f64() / thought.as_secs_f64(),
        goal: Goal::AtMost {
            floor: 1.15,
            aim: 1.08,
        },
    })
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
