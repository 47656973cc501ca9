//! What refleet costs beside the calls it makes: each figure next to its ceiling, both measured in
//! the same run, because a figure without the machine it was measured on says nothing.
//!
//! `cargo bench` takes under three minutes. `REFLEET_BENCH_FULL=1` takes the sizes that README's
//! table speaks of; `REFLEET_BENCH_DIR` names a folder on the disk to be measured;
//! `cargo bench -- load report` measures only these. The table also goes, as JSON, to
//! `target/refleet-bench.json`.

#![expect(clippy::print_stdout, reason = "a program for people")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bare;
#[path = "../../tests/it/rig/browser.rs"]
#[allow(dead_code, reason = "the tests ask more of it")]
mod browser;
mod cases;
#[path = "../../tests/postgres/cluster.rs"]
#[expect(dead_code, reason = "the tests ask more of it")]
mod cluster;
mod cpu;
mod fleet;
mod hosts;
#[expect(dead_code, reason = "the display of a night asks for more")]
mod night;
mod nights;
mod page;
mod place;
mod server;
mod shared;
mod workbook;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

/// How many of everything.
pub struct Sizes {
    /// Jobs that are dispatched.
    dispatch: usize,
    /// Rows of a large manifest, jobs of a large queue.
    large: usize,
    /// Jobs of the schedule.
    schedule: usize,
    /// Measurements, of which the best counts; of ratios the one in the middle.
    rounds: usize,
    /// How long the lease of an account lasts.
    lease: Duration,
    /// Accounts that are worked for at once.
    accounts: usize,
    /// Instances of each.
    instances: usize,
    /// How long their work is watched.
    window: Duration,
}

const SMALL: Sizes = Sizes {
    dispatch: 20_000,
    large: 100_000,
    schedule: 960,
    rounds: 3,
    lease: Duration::from_secs(6),
    accounts: 40,
    instances: 400,
    window: Duration::from_secs(3),
};
const FULL: Sizes = Sizes {
    dispatch: 100_000,
    large: 1_000_000,
    schedule: 2_000,
    rounds: 3,
    lease: Duration::from_mins(1),
    accounts: 1_000,
    instances: 1_000,
    window: Duration::from_secs(30),
};

/// One line of the table.
pub struct Figure {
    /// What is measured.
    name: &'static str,
    /// What came out, in words.
    measured: String,
    /// What it is held against, in words.
    ceiling: String,
    /// The two in one number.
    ratio: f64,
    /// What the number must reach, and what it should.
    goal: Goal,
}

/// What a figure must reach, and what it should.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At least so much.
    AtLeast {
        /// What it must reach.
        floor: f64,
        /// What it should reach.
        aim: f64,
    },
    /// At most so much.
    AtMost {
        /// What it must not exceed.
        floor: f64,
        /// What it should not exceed.
        aim: f64,
    },
}

impl Goal {
    fn verdict(self, ratio: f64) -> &'static str {
        let (floor, aim) = match self {
            Self::AtLeast { floor, aim } => (ratio >= floor, ratio >= aim),
            Self::AtMost { floor, aim } => (ratio <= floor, ratio <= aim),
        };
        match (floor, aim) {
            (_, true) => "aim",
            (true, false) => "floor",
            (false, false) => "MISSED",
        }
    }

    fn bounds(self) -> (f64, f64) {
        match self {
            Self::AtLeast { floor, aim } | Self::AtMost { floor, aim } => (floor, aim),
        }
    }
}

type Case = fn(&Sizes) -> Result<Vec<Figure>, Box<dyn Error>>;

const CASES: [(&str, Case); 13] = [
    ("start", cases::start),
    ("night", nights::nights_and_calls),
    ("load", cases::load),
    ("workbook", workbook::workbook),
    ("report", cases::report),
    ("page", page::page),
    ("dispatch", cases::dispatch),
    ("schedule", cases::schedule),
    ("large", cases::large),
    ("memory", cases::memory),
    ("hosts-status", hosts::large),
    ("hosts-take-over", hosts::take_over),
    ("hosts-fleet", hosts::fleet),
];

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(delay_ms) = std::env::var_os(server::SERVE) {
        let delay_ms = delay_ms.to_string_lossy().parse()?;
        return Ok(server::serve(Duration::from_millis(delay_ms))?);
    }
    let sizes = if std::env::var_os("REFLEET_BENCH_FULL").is_some() {
        FULL
    } else {
        SMALL
    };
    // cargo passes flags of its own.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    place::forget_state()?;
    let machine = machine();
    println!("{machine}\n");
    println!(
        "{:<22} {:>26} {:>30} {:>8} {:>7} {:>7}",
        "figure", "measured", "held against", "ratio", "floor", "aim"
    );
    let mut figures = Vec::new();
    for (name, case) in CASES {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        for figure in case(&sizes)? {
            let (floor, aim) = figure.goal.bounds();
            println!(
                "{:<22} {:>26} {:>30} {:>8.2} {:>7.2} {:>7.2}  {}",
                figure.name,
                figure.measured,
                figure.ceiling,
                figure.ratio,
                floor,
                aim,
                figure.goal.verdict(figure.ratio)
            );
            figures.push(figure);
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("refleet-bench.json");
    fs::write(&path, as_json(&machine, &sizes, &figures))?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, model)| model.trim());
    format!(
        "refleet {} on {cores} cores {model}",
        env!("CARGO_PKG_VERSION")
    )
}

fn as_json(machine: &str, sizes: &Sizes, figures: &[Figure]) -> String {
    let figures: Vec<_> = figures
        .iter()
        .map(|figure| {
            let (floor, aim) = figure.goal.bounds();
            json!({
                "figure": figure.name,
                "measured": figure.measured,
                "held_against": figure.ceiling,
                "ratio": (figure.ratio * 1000.0).round() / 1000.0,
                "floor": floor,
                "aim": aim,
                "reached": figure.goal.verdict(figure.ratio),
            })
        })
        .collect();
    let document = json!({
        "version": 1,
        "machine": machine,
        "at": refleet::time::rfc3339(refleet::time::now_ms()),
        "jobs_dispatched": sizes.dispatch,
        "jobs_large": sizes.large,
        "figures": figures,
    });
    format!("{document:#}\n")
}
