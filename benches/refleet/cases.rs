//! The figures.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::place::{self, Ended, Memory, Place, ended, refleet};
use crate::server::{MARK_EVERY, Server, now_us};
use crate::shared::{self, Shared};
use crate::{Figure, Goal, Sizes, bare};

pub type Figures = Result<Vec<Figure>, Box<dyn Error>>;

/// What every dispatch but the schedule works with.
const WORKERS: usize = 64;
/// Where nothing is sent.
pub const NOWHERE: &str = "http://127.0.0.1:9/";
pub const MIB: f64 = 1024.0 * 1024.0;

/// Every intent and every outcome committed, against loops that record nothing.
pub fn dispatch(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let (mut rounds, mut on_server) = (Vec::new(), Vec::new());
    let dispatched = |database: &Path| -> Result<Duration, Box<dyn Error>> {
        server.seen(true)?;
        let ours = ended(&mut place::run(database, &server.url(), WORKERS))?.elapsed;
        assert_eq!(
            server.seen(true)?.forms,
            sizes.dispatch,
            "each job is submitted once"
        );
        Ok(ours)
    };
    let (mut commits, mut bare_commits) = (0.0, 0.0);
    for _ in 0..sizes.rounds {
        let bare = bare::submit(&server.url(), WORKERS, sizes.dispatch)?;
        let database = place.loaded("dispatch.db", sizes.dispatch, &server.url())?;
        let ours = dispatched(&database)?;
        rounds.push((ours, bare));
        if let Some(cluster) = shared::server() {
            let queue = Shared::loaded(cluster, &place, sizes.dispatch, &server.url())?;
            let before = queue.commits()?;
            on_server.push((dispatched(&queue.address)?, ours));
            commits = queue.commits()? - before;
            bare_commits = queue.bare_commits()?;
        }
    }
    let (ours, bare) = middle(rounds);
    let rate = |elapsed: Duration| sizes.dispatch as f64 / elapsed.as_secs_f64();
    let mut figures = vec![Figure {
        name: "durable dispatch",
        measured: format!("{:.0}/s", rate(ours)),
        ceiling: format!("bare loop: {:.0}/s", rate(bare)),
        ratio: bare.as_secs_f64() / ours.as_secs_f64(),
        goal: Goal::AtLeast {
            floor: 0.5,
            aim: 0.7,
        },
    }];
    if !on_server.is_empty() {
        let (theirs, in_file) = middle(on_server);
        figures.push(Figure {
            name: "… on a server",
            measured: format!("{:.0}/s", rate(theirs)),
            ceiling: format!("in a file: {:.0}/s", rate(in_file)),
            ratio: in_file.as_secs_f64() / theirs.as_secs_f64(),
            goal: Goal::AtLeast {
                floor: 0.33,
                aim: 0.5,
            },
        });
        figures.push(Figure {
            name: "… its jobs a commit",
            measured: format!("{commits:.0} commits"),
            ceiling: format!("bare: {bare_commits:.0} commits/s"),
            ratio: sizes.dispatch as f64 / commits,
            goal: Goal::AtLeast {
                floor: 10.0,
                aim: 20.0,
            },
        });
    }
    Ok(figures)
}

/// Validated twice, de-duplicated, indexed and synced, against a table without an index.
pub fn load(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let manifest = place.manifest(sizes.large)?;
    let (ours, theirs) = (place.path("load.db"), place.path("import.db"));
    let mut rounds = Vec::new();
    let (mut copied, mut on_server) = (Vec::new(), Vec::new());
    let mut peak_bytes = 0;
    for _ in 0..sizes.rounds {
        place::remove(&theirs)?;
        let script = format!(".import --csv {} fleet", manifest.display());
        let import = ended(Command::new("sqlite3").arg(&theirs).arg(script))?.elapsed;
        place::remove(&ours)?;
        let load = ended(refleet(&ours, NOWHERE).arg("load").arg(&manifest))?;
        rounds.push((load.elapsed, import));
        peak_bytes = peak_bytes.max(load.peak_bytes);
        if let Some(cluster) = shared::server() {
            let queue = Shared::new(cluster);
            let copy = queue.copy(&manifest)?;
            let loaded = queue.load(&place, sizes.large, NOWHERE)?;
            copied.push((loaded, copy));
            on_server.push((loaded, load.elapsed));
        }
    }
    let (load, import) = middle(rounds);
    let mut figures = vec![
        times("load", load, "sqlite3 .import", import, (3.0, 2.0)),
        memory_figure("memory of load", peak_bytes),
    ];
    if !on_server.is_empty() {
        let (load, copy) = middle(copied);
        figures.push(times(
            "load on a server",
            load,
            "psql \\copy",
            copy,
            (25.0, 15.0),
        ));
        let (load, in_file) = middle(on_server);
        figures.push(times("…", load, "in a file", in_file, (6.0, 4.0)));
    }
    Ok(figures)
}

/// The whole report, against the view of the same columns.
pub fn report(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let database = place.loaded("report.db", sizes.large, NOWHERE)?;
    // As after a run: times and outcomes stand in the rows.
    let ran = "UPDATE job SET state = 'in_progress', attempt = 1, executed_now = 'yes', accepted = 1,
               intent_ms = 1795399200000 + id % 100000, submitted_ms = 1795399200007 + id % 100000;";
    ended(Command::new("sqlite3").arg(&database).arg(ran))?;
    let out = place.path("report.csv");
    let mut rounds = Vec::new();
    let mut peak_bytes = 0;
    for _ in 0..sizes.rounds {
        let dump = format!(".once '{}'", out.display());
        let mut sqlite3 = Command::new("sqlite3");
        sqlite3
            .arg("-readonly")
            .args(["-csv", "-header"])
            .arg(&database);
        let theirs = ended(sqlite3.arg(dump).arg("SELECT * FROM results"))?.elapsed;
        let mut report = refleet(&database, NOWHERE);
        report
            .args(["report", "--format", "csv", "--output"])
            .arg(&out);
        let ours = ended(&mut report)?;
        rounds.push((ours.elapsed, theirs));
        peak_bytes = peak_bytes.max(ours.peak_bytes);
    }
    let (ours, theirs) = middle(rounds);
    Ok(vec![
        times("report", ours, "sqlite3 -csv", theirs, (2.0, 1.2)),
        memory_figure("memory of report", peak_bytes),
    ])
}

/// How close to the calls alone a run of slow calls comes.
pub fn schedule(sizes: &Sizes) -> Figures {
    const SLOW: Duration = Duration::from_millis(100);
    let workers = 32;
    let place = Place::new()?;
    let server = Server::start(SLOW)?;
    let mut rounds = Vec::new();
    for _ in 0..sizes.rounds {
        let bare = bare::submit(&server.url(), workers, sizes.schedule)?;
        let database = place.loaded("schedule.db", sizes.schedule, &server.url())?;
        let ours = ended(&mut place::run(&database, &server.url(), workers))?.elapsed;
        rounds.push((ours, bare));
    }
    let (ours, bare) = middle(rounds);
    Ok(vec![times(
        "schedule",
        ours,
        "bare loop",
        bare,
        (1.03, 1.01),
    )])
}

/// What a large queue costs a run that works on it.
#[expect(
    clippy::too_many_lines,
    reason = "figures of one large queue, taken one after the other"
)]
pub fn large(sizes: &Sizes) -> Figures {
    const MARKS: usize = 10_000 / MARK_EVERY;
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let url = server.url();

    let large = place.loaded("large.db", sizes.large, &url)?;
    let mut rounds = Vec::new();
    for _ in 0..sizes.rounds {
        let database = place.loaded("small.db", 10_000, &url)?;
        server.seen(true)?;
        ended(&mut place::run(&database, &url, WORKERS))?;
        let small = quickest(&server.seen(true)?.marks_us, MARKS);
        let child = place::run(&large, &url, WORKERS)
            .stderr(Stdio::null())
            .spawn()?;
        wait_for(&server, MARKS * MARK_EVERY)?;
        place::stop(child)?;
        rounds.push((quickest(&server.seen(true)?.marks_us, MARKS), small));
    }
    let (large_took, small_took) = middle(rounds);
    let mut fresh = Duration::MAX;
    for _ in 0..sizes.rounds {
        let database = place.loaded("fresh.db", 1_000, &url)?;
        let (child, first) = first_submission(&server, &database)?;
        fresh = fresh.min(first);
        place::stop(child)?;
    }

    server.seen(true)?;
    let child = place::run(&large, &url, WORKERS)
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(&server, MARKS * MARK_EVERY)?;
    let mut slowest_status = Duration::ZERO;
    for _ in 0..5 {
        let status = ended(refleet(&large, &url).arg("status"))?;
        slowest_status = slowest_status.max(status.elapsed);
        sleep(Duration::from_millis(100));
    }
    wait_for(&server, sizes.large / 2)?;
    let wal = std::fs::metadata(place.path("large.db-wal")).map_or(0, |wal| wal.len());
    place::stop(child)?;

    let mut half = Duration::MAX;
    let mut peak_bytes = 0;
    for _ in 0..sizes.rounds {
        let (child, first) = first_submission(&server, &large)?;
        half = half.min(first);
        let memory = Memory::watch(&child);
        sleep(Duration::from_millis(200));
        peak_bytes = peak_bytes.max(memory.peak());
        place::stop(child)?;
    }
    let rate = |took: Duration| ((MARKS - 1) * MARK_EVERY) as f64 / took.as_secs_f64();
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(vec![
        Figure {
            name: "rate at a large queue",
            measured: format!("{:.0}/s of {}", rate(large_took), sizes.large),
            ceiling: format!("{:.0}/s of 10000", rate(small_took)),
            ratio: rate(large_took) / rate(small_took),
            goal: Goal::AtLeast {
                floor: 0.9,
                aim: 0.97,
            },
        },
        Figure {
            name: "resume, first call",
            measured: format!("{:.1} ms", ms(half)),
            ceiling: format!("fresh queue: {:.1} ms", ms(fresh)),
            ratio: ms(half) - ms(fresh),
            goal: Goal::AtMost {
                floor: 150.0,
                aim: 50.0,
            },
        },
        memory_figure("memory of resume", peak_bytes),
        Figure {
            name: "status beside a run",
            measured: format!("{:.1} ms", ms(slowest_status)),
            ceiling: format!("its log: {:.1} MiB", wal as f64 / MIB),
            ratio: ms(slowest_status),
            goal: Goal::AtMost {
                floor: 100.0,
                aim: 20.0,
            },
        },
    ])
}

/// The memory of a whole run.
pub fn memory(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let database = place.loaded("memory.db", sizes.large, &server.url())?;
    let Ended {
        peak_bytes,
        elapsed,
    } = ended(&mut place::run(&database, &server.url(), WORKERS))?;
    let mut figure = memory_figure("memory of run", peak_bytes);
    figure.ceiling = format!("{} jobs in {:.1} s", sizes.large, elapsed.as_secs_f64());
    Ok(vec![figure])
}

/// How long nothing takes.
pub fn start(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let database = place.loaded("start.db", 1_000, NOWHERE)?;
    let mut version = Duration::MAX;
    let mut status = Duration::MAX;
    for _ in 0..sizes.rounds * 5 {
        version = version.min(ended(refleet(&database, NOWHERE).arg("--version"))?.elapsed);
        status = status.min(ended(refleet(&database, NOWHERE).arg("status"))?.elapsed);
    }
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_refleet"))?.len();
    let figure = |name, elapsed: Duration| Figure {
        name,
        measured: format!("{:.1} ms", elapsed.as_secs_f64() * 1e3),
        ceiling: format!("a binary of {:.1} MiB", bytes as f64 / MIB),
        ratio: elapsed.as_secs_f64() * 1e3,
        goal: Goal::AtMost {
            floor: 10.0,
            aim: 10.0,
        },
    };
    Ok(vec![
        figure("start: --version", version),
        figure("start: status", status),
    ])
}

/// The shortest time in which so many marks passed in a row.
fn quickest(marks_us: &[u64], marks: usize) -> Duration {
    let windows = marks_us.windows(marks);
    windows
        .map(|marks| Duration::from_micros(marks[marks.len() - 1] - marks[0]))
        .min()
        .unwrap_or(Duration::MAX)
}

/// Starts a run, and waits for its first submission.
fn first_submission(server: &Server, database: &Path) -> Result<(Child, Duration), Box<dyn Error>> {
    server.seen(true)?;
    let began_us = now_us();
    let child = place::run(database, &server.url(), WORKERS)
        .stderr(Stdio::null())
        .spawn()?;
    let first_us = loop {
        if let Some(&first_us) = server.seen(false)?.marks_us.first() {
            break first_us;
        }
        sleep(Duration::from_millis(5));
    };
    Ok((
        child,
        Duration::from_micros(first_us.saturating_sub(began_us)),
    ))
}

pub fn wait_for(server: &Server, forms: usize) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    while server.seen(false)?.forms < forms {
        if began.elapsed() > Duration::from_mins(10) {
            return Err("the run does not get on".into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Of rounds (ours and theirs) the one whose ratio is in the middle: the machine's speed changes,
/// but hardly within a round.
pub fn middle(mut rounds: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    let ratio = |(ours, theirs): &(Duration, Duration)| ours.as_secs_f64() / theirs.as_secs_f64();
    rounds.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    rounds[rounds.len() / 2]
}

pub fn times(
    name: &'static str,
    ours: Duration,
    whose: &str,
    theirs: Duration,
    (floor, aim): (f64, f64),
) -> Figure {
    Figure {
        name,
        measured: format!("{:.3} s", ours.as_secs_f64()),
        ceiling: format!("{whose}: {:.3} s", theirs.as_secs_f64()),
        ratio: ours.as_secs_f64() / theirs.as_secs_f64(),
        goal: Goal::AtMost { floor, aim },
    }
}

pub fn memory_figure(name: &'static str, peak_bytes: u64) -> Figure {
    let mib = peak_bytes as f64 / MIB;
    Figure {
        name,
        measured: format!("{mib:.1} MiB"),
        ceiling: "MiB at most".to_owned(),
        ratio: mib,
        goal: Goal::AtMost {
            floor: 64.0,
            aim: 40.0,
        },
    }
}
