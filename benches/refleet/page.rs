//! The report as a page: what it costs to write, and how soon a browser can work with it.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::browser::Browser;
use crate::cases::{Figures, NOWHERE, memory_figure, middle, times};
use crate::place::{Place, ended, refleet};
use crate::{Figure, Goal, Sizes};

/// Jobs of a large fleet, as people open them.
const OPENED: usize = 10_000;
/// A reader does not notice less.
const READY_WITHIN_MS: f64 = 500.0;
/// What a mail takes.
const BYTES_MAX: f64 = 3e6;
/// Of the largest fleets; their page has to open.
const OPENED_LARGE: usize = 100_000;
const OPENS_WITHIN_MS: f64 = 5000.0;

/// As after a night: names, addresses, durations, and a failure now and then.
const NIGHT: &str =
    "UPDATE job SET state = 'done', attempt = 1, executed_now = 'yes', evidence = 'observed',
     intent_ms = 1795399200000 + line * 100, submitted_ms = 1795399200007 + line * 100,
     completed_ms = 1795399380000 + line * 100 + line * 7919 % 60000, target = 'AlmaLinux-8',
     baseline = json_object('image', 'CentOS-7', 'status', 'active', 'age_ms', 10,
         'name', 'web-' || line, 'ip', '192.0.2.' || (line % 250)),
     note = 'rack ' || line % 48 || ', of ' || iif(line % 3, 'the shop', 'accounting') || ', ticket OPS-' || line * 7 % 99991;
 UPDATE job SET state = 'failed', evidence = NULL, error_kind = 'instance_error',
     error = 'the instance ended in status error ' || line WHERE line % 50 = 0;";

pub fn page(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let database = place.loaded("page.db", sizes.large, NOWHERE)?;
    ended(Command::new("sqlite3").arg(&database).arg(NIGHT))?;
    let mut rounds = Vec::new();
    let mut peak_bytes = 0;
    for _ in 0..sizes.rounds {
        let csv = ended(&mut report(&database, "csv", &place.path("report.csv")))?;
        let page = ended(&mut report(&database, "html", &place.path("report.html")))?;
        rounds.push((page.elapsed, csv.elapsed));
        peak_bytes = peak_bytes.max(page.peak_bytes);
    }
    let (page, csv) = middle(rounds);
    let mut figures = vec![
        times("page", page, "the same as CSV", csv, (3.0, 2.0)),
        memory_figure("memory of page", peak_bytes),
    ];
    figures.extend(ready(&place, sizes.rounds)?);
    Ok(figures)
}

fn report(database: &Path, format: &str, out: &Path) -> Command {
    let mut command = refleet(database, NOWHERE);
    command
        .args(["report", "--format", format, "--output"])
        .arg(out);
    command
}

/// How large a page is, and how soon its table can be searched; nothing where there is no browser.
fn ready(place: &Place, rounds: usize) -> Result<Vec<Figure>, Box<dyn Error>> {
    let Some(browser) = Browser::start() else {
        return Ok(Vec::new());
    };
    let (bytes, ready_ms) = opened(place, &browser, OPENED, rounds)?;
    let (large_bytes, large_ms) = opened(place, &browser, OPENED_LARGE, rounds)?;
    let at_most = |name, measured, ceiling, ratio, aim| Figure {
        name,
        measured,
        ceiling,
        ratio,
        goal: Goal::AtMost { floor: 1.0, aim },
    };
    Ok(vec![
        at_most(
            "size of page",
            format!("{:.2} MB at {OPENED} jobs with notes", bytes / 1e6),
            format!("{:.0} MB", BYTES_MAX / 1e6),
            bytes / BYTES_MAX,
            0.7,
        ),
        at_most(
            "page can be used",
            format!("{ready_ms:.0} ms at {OPENED} jobs"),
            format!("{READY_WITHIN_MS} ms"),
            ready_ms / READY_WITHIN_MS,
            0.5,
        ),
        at_most(
            "large page opens",
            format!(
                "{large_ms:.0} ms at {OPENED_LARGE} jobs, {:.1} MB",
                large_bytes / 1e6
            ),
            format!("{OPENS_WITHIN_MS} ms"),
            large_ms / OPENS_WITHIN_MS,
            0.5,
        ),
    ])
}

/// The size of a page of so many jobs, in bytes, and from its opening until its table can be searched, in
/// milliseconds: the middle one of all rounds.
fn opened(
    place: &Place,
    browser: &Browser,
    jobs: usize,
    rounds: usize,
) -> Result<(f64, f64), Box<dyn Error>> {
    let database = place.loaded(&format!("opened-{jobs}.db"), jobs, NOWHERE)?;
    ended(Command::new("sqlite3").arg(&database).arg(NIGHT))?;
    let page = place.path("opened.html");
    ended(&mut report(&database, "html", &page))?;
    let mut all_ms = Vec::new();
    for _ in 0..rounds {
        browser.open(&page);
        let ready = browser.run("return performance.getEntriesByName('ready')[0].startTime");
        all_ms.push(ready.as_f64().ok_or("the script did not come to its end")?);
    }
    all_ms.sort_by(f64::total_cmp);
    let bytes = std::fs::metadata(&page)?.len();
    Ok((bytes as f64, all_ms[all_ms.len() / 2]))
}
