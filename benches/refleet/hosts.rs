//! What several hosts on one PostgreSQL server do with the accounts that they share.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cases::{Figures, wait_for};
use crate::fleet::Account;
use crate::place::{self, Place, ended, refleet};
use crate::server::{Server, now_us};
use crate::shared::{self, Shared};
use crate::{Figure, Goal, Sizes, cpu};

/// How both an order and the service work: as a person would, but for the calls, of which there may be any
/// number, and for the pause between two looks at the list.
const PACE: [&str; 6] = [
    "--rate",
    "0",
    "--poll-interval",
    "1s",
    "--max-failures",
    "100%",
];

/// Orders a rebuild of each of the account's instances, and leaves the work to services.
fn order(queue: &Shared, place: &Place, account: Account, url: &str) -> io::Result<()> {
    let manifest = place.manifest_of(account.first(), account.instances)?;
    let mut order = refleet(&queue.address, url);
    order
        .env("ZOMRO_AUTH", account.to_string())
        .args(["run", "--yes", "--order-only"])
        .args(PACE)
        .arg(manifest);
    ended(&mut order)?;
    Ok(())
}

/// `refleet work` on a host of this name, which rebuilds so many of an account's instances at once.
fn work(queue: &Shared, url: &str, host: &str, workers: usize) -> Command {
    let mut command = refleet(&queue.address, url);
    command
        .env("REFLEET_HOST", host)
        .arg("work")
        .args(PACE)
        .args(["--workers", &workers.to_string()])
        .stderr(Stdio::null());
    command
}

/// From the end of a host until another one has sent the next form of its account.
pub fn take_over(sizes: &Sizes) -> Figures {
    let Some(cluster) = shared::server() else {
        return Ok(Vec::new());
    };
    let account = Account {
        number: 0,
        instances: 1_000,
    };
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let queue = Shared::new(cluster);
    order(&queue, &place, account, &server.url())?;
    let lease = sizes.lease;
    let start = |host: &str, workers: usize| -> io::Result<Child> {
        work(&queue, &server.url(), host, workers)
            .env("ZOMRO_AUTH", account.to_string())
            .env("REFLEET_LEASE", format!("{}s", lease.as_secs()))
            .spawn()
    };
    let mut first = start("first", 16)?;
    wait_for(&server, 20)?;
    // It has workers to spare: what is back before somebody has seen it rebuilt is waited for much longer.
    let second = start("second", 64)?;
    // Until it has seen that the first one works.
    sleep(lease / 3);
    first.kill()?;
    first.wait()?;
    let killed_us = now_us();
    server.seen(true)?;
    wait_for(&server, 1)?;
    let next_us = server.seen(false)?.marks_us[0];
    place::stop(second)?;
    assert_eq!(server.seen(true)?.repeated, 0, "no instance is wiped twice");
    let took = Duration::from_micros(next_us.saturating_sub(killed_us));
    Ok(vec![Figure {
        name: "take-over",
        measured: format!("{:.1} s", took.as_secs_f64()),
        ceiling: format!("a lease of {} s", lease.as_secs()),
        ratio: took.as_secs_f64() / lease.as_secs_f64(),
        goal: Goal::AtMost {
            floor: 1.5,
            aim: 1.1,
        },
    }])
}

/// What a look at a large queue on a server costs beside a run that works on it.
pub fn large(sizes: &Sizes) -> Figures {
    let Some(cluster) = shared::server() else {
        return Ok(Vec::new());
    };
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let queue = Shared::loaded(cluster, &place, sizes.large, &server.url())?;
    let run = place::run(&queue.address, &server.url(), 64)
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(&server, 10_000)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let status = ended(refleet(&queue.address, &server.url()).arg("status"))?;
        slowest = slowest.max(status.elapsed);
        sleep(Duration::from_millis(100));
    }
    place::stop(run)?;
    let megabytes = queue.number("SELECT pg_database_size(current_database()) / 1000000")?;
    Ok(vec![Figure {
        name: "status, on a server",
        measured: format!("{:.1} ms", slowest.as_secs_f64() * 1e3),
        ceiling: format!("a database of {megabytes:.0} MB"),
        ratio: slowest.as_secs_f64() * 1e3,
        goal: Goal::AtMost {
            floor: 200.0,
            aim: 50.0,
        },
    }])
}

/// Many accounts over several processes: how many instances a second they rebuild together, and what of the
/// machine that takes.
pub fn fleet(sizes: &Sizes) -> Figures {
    let Some(cluster) = shared::server() else {
        return Ok(Vec::new());
    };
    let place = Place::new()?;
    let server = Server::start(Duration::ZERO)?;
    let queue = Shared::new(cluster);
    for account in accounts(sizes) {
        order(&queue, &place, account, &server.url())?;
    }
    let config = config(&place, sizes)?;
    let mut figures = Vec::new();
    let mut alone = None;
    for (name, processes) in [
        ("fleet, 1 process", 1),
        ("fleet, 2 processes", 2),
        ("fleet, 4 processes", 4),
    ] {
        let work = (0..processes).map(|nth| {
            work(&queue, &server.url(), &format!("host{nth}"), 32)
                .env_remove("ZOMRO_AUTH")
                .env("REFLEET_CONFIG", &config)
                .args([
                    "--accounts",
                    &sizes.accounts.div_ceil(processes).to_string(),
                ])
                .spawn()
        });
        let work = work.collect::<io::Result<Vec<Child>>>()?;
        let pids: Vec<u32> = work.iter().map(Child::id).collect();
        let began = Instant::now();
        wait_until_at_work(&queue)?;
        let all_at_work = began.elapsed();
        let steady = steady(&server, &queue, &pids, sizes.window)?;
        for process in work {
            place::stop(process)?;
        }
        let alone = *alone.get_or_insert(steady.rate);
        figures.push(Figure {
            name,
            measured: format!(
                "{:.0}/s, {:.0} connections, all at work after {:.0} s",
                steady.rate,
                steady.connections,
                all_at_work.as_secs_f64()
            ),
            ceiling: format!(
                "cores: {:.1}, server {:.1}, API {:.1}",
                steady.work, steady.postgres, steady.api
            ),
            ratio: steady.rate / alone,
            goal: Goal::AtLeast {
                floor: 0.8,
                aim: 1.0,
            },
        });
    }
    assert_eq!(server.seen(true)?.repeated, 0, "no instance is wiped twice");
    Ok(figures)
}

/// Until nearly all accounts that have work are worked for: of a thousand there is always one that has just
/// ended, or is about to begin.
fn wait_until_at_work(queue: &Shared) -> Result<(), Box<dyn Error>> {
    const WITH_WORK: &str = "SELECT count(*) FROM refleet.batch
         WHERE EXISTS (SELECT 1 FROM refleet.job WHERE batch_id = batch.id AND state = 'queued')";
    const AT_WORK: &str =
        "SELECT count(*) FROM refleet.lease WHERE released_at IS NULL AND account <> ''";
    let began = Instant::now();
    while queue.number(AT_WORK)? < 0.95 * queue.number(WITH_WORK)? {
        if began.elapsed() > Duration::from_mins(5) {
            return Err("some accounts are not worked for".into());
        }
        sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn accounts(sizes: &Sizes) -> impl Iterator<Item = Account> {
    let instances = sizes.instances;
    (0..sizes.accounts).map(move |number| Account { number, instances })
}

/// A configuration with the login of each account.
fn config(place: &Place, sizes: &Sizes) -> io::Result<PathBuf> {
    let path = place.path("config.toml");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    for account in accounts(sizes) {
        let number = account.number;
        writeln!(file, "[account.a{number}]\nauth = \"{account}\"\n")?;
    }
    Ok(path)
}

/// What happens while all accounts are at work.
struct Steady {
    /// Instances a second.
    rate: f64,
    /// To the server, at most.
    connections: f64,
    /// Cores that `refleet work`, the PostgreSQL server and the stand-in for the API use.
    work: f64,
    postgres: f64,
    api: f64,
}

fn steady(
    server: &Server,
    queue: &Shared,
    work: &[u32],
    window: Duration,
) -> Result<Steady, Box<dyn Error>> {
    let child = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
    let postgres = cpu::family(queue.ask(child).parse()?)?;
    let used = || {
        [
            cpu::seconds(work),
            cpu::seconds(&postgres),
            cpu::seconds(&[server.pid()]),
        ]
    };
    let (before, began) = (used(), Instant::now());
    server.seen(true)?;
    let mut connections: f64 = 0.0;
    while began.elapsed() < window {
        let now = queue.number("SELECT count(*) FROM pg_stat_activity WHERE usename = 'fleet'")?;
        connections = connections.max(now);
        sleep(Duration::from_millis(500));
    }
    let forms = server.seen(false)?.forms;
    let (after, took) = (used(), began.elapsed().as_secs_f64());
    let cores = |nth: usize| (after[nth] - before[nth]) / took;
    Ok(Steady {
        rate: forms as f64 / took,
        connections,
        work: cores(0),
        postgres: cores(1),
        api: cores(2),
    })
}
