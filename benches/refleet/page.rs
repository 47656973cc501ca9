//! The report as a page: what it costs to write, and how soon a browser can work with it.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::browser::Browser;
use crate::cases::{Figures, NOWHERE, memory_figure, middle, times};
use crate::place::{Place, ended, refleet};
use crate::{Figure, Goal, Sizes};

/// Jobs of a large fleet, as people open them.
const OPENED: usize = 10_000;
/// A reader does not notice less.
const READY_WITHIN_MS: f64 = 500.0;

/// As after a night: names, addresses, durations, and a failure now and then.
const NIGHT: &str =
    "UPDATE job SET state = 'done', attempt = 1, executed_now = 'yes', evidence = 'observed',
     intent_ms = 1795399200000 + line * 100, submitted_ms = 1795399200007 + line * 100,
     completed_ms = 1795399380000 + line * 100 + line * 7919 % 60000, target = 'AlmaLinux-8',
     baseline = json_object('image', 'CentOS-7', 'status', 'active', 'age_ms', 10,
         'name', 'web-' || line, 'ip', '192.0.2.' || (line % 250));
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

/// From the opening of a page of [`OPENED`] jobs until its table can be searched; nothing where there is no
/// browser.
fn ready(place: &Place, rounds: usize) -> Result<Option<Figure>, Box<dyn Error>> {
    let Some(browser) = Browser::start() else {
        return Ok(None);
    };
    let database = place.loaded("opened.db", OPENED, NOWHERE)?;
    ended(Command::new("sqlite3").arg(&database).arg(NIGHT))?;
    let page = place.path("opened.html");
    ended(&mut report(&database, "html", &page))?;
    let mut quickest = Duration::MAX;
    for _ in 0..rounds {
        browser.open(&page);
        let ready = browser.run("return performance.getEntriesByName('ready')[0].startTime");
        let ready_ms = ready.as_f64().ok_or("the script did not come to its end")?;
        quickest = quickest.min(Duration::from_secs_f64(ready_ms / 1000.0));
    }
    let ready_ms = quickest.as_secs_f64() * 1000.0;
    Ok(Some(Figure {
        name: "page can be used",
        measured: format!("{ready_ms:.0} ms at {OPENED} jobs"),
        ceiling: format!("{READY_WITHIN_MS} ms"),
        ratio: ready_ms / READY_WITHIN_MS,
        goal: Goal::AtMost {
            floor: 1.0,
            aim: 0.5,
        },
    }))
}
