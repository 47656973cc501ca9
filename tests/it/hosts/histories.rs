//! Histories of two or three processes on one account and one PostgreSQL, at random.
//!
//! Some are runs, some services, and now and then somebody at a desk says something: pauses, cancels, retries, or
//! settles a doubt after a look at the instance. He tells the truth: what was wiped is done, and only what was
//! not, and whose sender is dead and fenced, is sent again. In every other history calls go wrong.
//!
//! Each process has a way of its own to the database. Now and then one is killed, frozen or cut off, for
//! shorter or longer than the lease, and one that has ended is started again. In the end all is mended, the
//! last ones come to their end, and the simulator's own record is held against the ledger.
//!
//! `REFLEET_HOSTS=500` lives so many of them, and otherwise as many are lived as fit into a while;
//! `REFLEET_HOSTS_SEED=n` begins with another seed. What a history does follows from its seed; how the
//! operating system interleaves it does not.

mod desk;

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use refleet::job::{LedgerEntry, State};
use refleet::simulator::{CallRecord, FaultPlan};

use crate::crash::oddities::KINDS;
use crate::rig::{Cluster, Pace, Proxy, Rig, Running, finish, side_by_side};

/// Histories that run at once: they mostly wait.
const THREADS: usize = 4;
/// For how long histories are begun, where nobody says how many.
const WHILE: Duration = Duration::from_secs(30);
/// Processes of one history; it ends far earlier.
const PROCESSES_MAX: u64 = 150;
/// One history takes no longer.
const HISTORY_MAX: Duration = Duration::from_secs(50);
/// An account's calls are counted in windows of this width.
const WINDOW: Duration = Duration::from_secs(1);

/// What all histories did together.
#[derive(Debug, Default)]
struct Figures {
    histories: u64,
    processes: u64,
    services: u64,
    faults: u64,
    /// What somebody at a desk has said.
    words: u64,
    requeued: u64,
    /// Leases that were acquired.
    tenures: u64,
    killed: u64,
    frozen: u64,
    cut_off: u64,
    silenced: u64,
    /// Processes that ended because another one had the account, or had taken it over.
    busy: u64,
    /// Processes that ended because the database was out of reach.
    unreachable: u64,
    instances: u64,
    wiped: u64,
    doubts: u64,
    held: u64,
    calls: u64,
    /// The window with the most calls, in percent of what the rate allows in it.
    fullest: usize,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.processes += other.processes;
        self.services += other.services;
        self.faults += other.faults;
        self.words += other.words;
        self.requeued += other.requeued;
        self.tenures += other.tenures;
        self.killed += other.killed;
        self.frozen += other.frozen;
        self.cut_off += other.cut_off;
        self.silenced += other.silenced;
        self.busy += other.busy;
        self.unreachable += other.unreachable;
        self.instances += other.instances;
        self.wiped += other.wiped;
        self.doubts += other.doubts;
        self.held += other.held;
        self.calls += other.calls;
        self.fullest = self.fullest.max(other.fullest);
    }
}

/// A machine, as far as a history knows one.
struct Host {
    /// It is a service, which ends when it is asked to.
    serves: bool,
    proxy: Proxy,
    process: Option<Running>,
    /// It is started then.
    starts: Instant,
    /// What was done to it is undone then.
    mended: Option<Instant>,
    is_frozen: bool,
}

impl Host {
    fn mend(&mut self) {
        self.mended = None;
        self.proxy.open();
        if let Some(process) = &self.process
            && std::mem::take(&mut self.is_frozen)
        {
            process.signal("CONT");
        }
    }
}

struct History {
    rig: Rig,
    random: fastrand::Rng,
    lease: Duration,
    /// Calls a second, all hosts together; 0: as quickly as they go.
    rate: u32,
    hosts: Vec<Host>,
    /// Misfortunes that are still to come, and after which submission the next one does.
    left: u32,
    next_at: u64,
    desk: desk::Desk,
    /// Calls of whoever has ordered it before all hosts.
    calls_before: usize,
    /// Whether all has ended is asked again then.
    ask_at: Instant,
    figures: Figures,
    began: Instant,
    /// What happened, for the one that fails.
    told: String,
}

impl History {
    fn new(seed: u64, cluster: &Cluster) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(6..=16);
        let faults = FaultPlan {
            rate: random.choice([0.0, 0.0, 0.05, 0.1]).unwrap(),
            kinds: KINDS.to_vec(),
            seed,
        };
        let (latency, lag) = (random.u64(0..=150), random.u64(0..=20));
        let mut rig = Rig::brisk(count, |config| {
            config.latency = Duration::from_millis(latency);
            config.list_lag = Duration::from_millis(lag);
            config.rebuild_duration = Duration::from_millis(300);
            config.faults = faults;
        })
        .on_server(cluster);
        let rate = random.choice([0, 8, 16]).unwrap();
        rig.pace = Pace::brisk()
            .with("--rate", rate.to_string())
            .with("--workers", random.u32(1..=4).to_string());
        let now = Instant::now();
        let hosts = random.usize(2..=3);
        let hosts = (0..hosts).map(|_| Host {
            serves: random.bool(),
            proxy: Proxy::to(cluster.port()),
            process: None,
            starts: now + Duration::from_millis(random.u64(0..=300)),
            mended: None,
            is_frozen: false,
        });
        Self {
            rig,
            hosts: hosts.collect(),
            lease: Duration::from_millis(random.u64(1200..=2000)),
            rate,
            left: random.u32(2..=6),
            next_at: random.u64(0..=4),
            desk: desk::Desk::new(&mut random, now),
            calls_before: 0,
            ask_at: now,
            random,
            figures: Figures {
                histories: 1,
                instances: count as u64,
                ..Figures::default()
            },
            began: now,
            told: String::new(),
        }
    }

    /// Lives it to its end. `Err` says what was wrong.
    fn live(mut self, cluster: &Cluster) -> Result<Figures, String> {
        let lived = self
            .until_the_end(cluster)
            .and_then(|()| self.judge(cluster));
        let Self { told, figures, .. } = self;
        lived
            .map(|()| figures)
            .map_err(|what| format!("{what}\n{told}"))
    }

    /// Until the batch has come to its end, and every process to its own.
    fn until_the_end(&mut self, cluster: &Cluster) -> Result<(), String> {
        let mut has_ended = false;
        if self.hosts.iter().any(|host| host.serves) {
            self.order()?;
        }
        loop {
            for nth in 0..self.hosts.len() {
                self.look_after(nth, has_ended)?;
            }
            has_ended = has_ended || self.has_ended(cluster)?;
            if has_ended && self.hosts.iter().all(|host| host.process.is_none()) {
                // The last one may have heard a late word, and so there is something to wait for again.
                self.ask_at = Instant::now();
                has_ended = self.has_ended(cluster)?;
                if has_ended {
                    return Ok(());
                }
            }
            if self.began.elapsed() > HISTORY_MAX {
                return Err("it does not end".to_owned());
            }
            let sent = self.rig.submissions();
            if !has_ended && self.left > 0 && sent >= self.next_at {
                self.left -= 1;
                self.next_at = sent + self.random.u64(1..=4);
                self.befall(cluster);
            }
            if self.is_ordered() {
                self.say(cluster)?;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The order is made before any host is there.
    fn order(&mut self) -> Result<(), String> {
        for _ in 0..20 {
            let ended = finish(self.rig.order("fleet.csv", &["--order-only"]));
            match ended.code {
                0 => {
                    self.calls_before = self.rig.simulator.calls().len();
                    self.began = Instant::now();
                    return Ok(());
                }
                // What may go wrong with a call.
                4 => {}
                _ => return Err(format!("the order: {ended}")),
            }
        }
        Err("it can't be ordered".to_owned())
    }

    /// There is a queue.
    fn is_ordered(&self) -> bool {
        self.calls_before > 0 || self.rig.submissions() > 0
    }

    /// Nobody has anything to do any more, and nobody anything to say.
    fn has_ended(&mut self, cluster: &Cluster) -> Result<bool, String> {
        let now = Instant::now();
        if !self.desk.is_silent() || !self.is_ordered() || now < self.ask_at {
            return Ok(false);
        }
        self.ask_at = now + Duration::from_millis(100);
        let open = "SELECT count(*) FROM refleet.job WHERE completed_ms IS NULL AND held = 0";
        if self.rig.ask(cluster, open).trim() != "0" {
            return Ok(false);
        }
        let held = "SELECT count(*) FROM refleet.job WHERE held = 1";
        if self.desk.looks == 0 || self.rig.ask(cluster, held).trim() == "0" {
            return Ok(true);
        }
        // What was sent may arrive for a while.
        self.desk.looks -= 1;
        self.ask_at = now + Duration::from_millis(300);
        self.settle(cluster)?;
        Ok(false)
    }

    /// Starts the process of a host, mends what is due, asks it to end, and hears how it has ended.
    fn look_after(&mut self, nth: usize, has_ended: bool) -> Result<(), String> {
        let now = Instant::now();
        let is_due = self.hosts[nth].mended.is_some_and(|then| now >= then);
        if is_due || has_ended && self.hosts[nth].mended.is_some() {
            self.hosts[nth].mend();
            self.tell(nth, "mended");
        }
        let serves = self.hosts[nth].serves;
        let Some(process) = &mut self.hosts[nth].process else {
            if !has_ended && now >= self.hosts[nth].starts {
                self.start(nth)?;
            }
            return Ok(());
        };
        let Some(code) = process.wait_until(|| true) else {
            // A process that has not come so far yet is ended by it at once.
            if has_ended && serves {
                process.signal("TERM");
            }
            return Ok(());
        };
        let said = process.said();
        self.hosts[nth].process = None;
        self.hosts[nth].is_frozen = false;
        self.hosts[nth].starts = now + Duration::from_millis(self.random.u64(100..=700));
        self.tell(nth, &format!("ended with {code}"));
        match code {
            // A service ends when it is asked to, a run may be paused when it begins.
            0 | 1 | 3 | 6 | 143 | -15 => {}
            75 => self.figures.busy += 1,
            74 => self.figures.unreachable += 1,
            4 | -9 => {}
            _ => return Err(format!("exit code {code}\n{said}")),
        }
        Ok(())
    }

    fn start(&mut self, nth: usize) -> Result<(), String> {
        self.figures.processes += 1;
        if self.figures.processes > PROCESSES_MAX {
            return Err(format!("no end after {PROCESSES_MAX} processes"));
        }
        // What one machine keeps on its disk another one does not see.
        let home = self.rig.path(&format!("host{nth}"));
        std::fs::create_dir_all(&home).unwrap();
        let host = &mut self.hosts[nth];
        let address = host.proxy.address(self.rig.server.as_ref().unwrap());
        let mut command = if host.serves {
            self.figures.services += 1;
            let mut command = self.rig.refleet(&["work", "-q"]);
            command.args(self.rig.pace.words());
            command
        } else {
            self.rig.order("fleet.csv", &["-q"])
        };
        command
            .env("HOME", home)
            .env("REFLEET_HOST", format!("host{nth}"))
            .env("REFLEET_DB", address)
            .env("REFLEET_LEASE", format!("{}ms", self.lease.as_millis()));
        host.process = Some(Running::start(command));
        self.tell(nth, "started");
        Ok(())
    }

    /// A misfortune, mostly of the one that works.
    fn befall(&mut self, cluster: &Cluster) {
        let any = self.random.usize(..self.hosts.len());
        let is_anybodys = self.random.u32(..4) == 0;
        let working = self.working(cluster).filter(|_| !is_anybodys);
        let nth = working.unwrap_or(any);
        let longest = u64::try_from(self.lease.as_millis()).unwrap() * 5 / 2;
        let lasts = Duration::from_millis(self.random.u64(20..=longest));
        let kind = self.random.u32(..4);
        let host = &mut self.hosts[nth];
        if host.mended.is_some() {
            return;
        }
        let what = match kind {
            0 => {
                if let Some(process) = &mut host.process {
                    process.kill();
                    self.figures.killed += 1;
                }
                return self.tell(nth, "killed");
            }
            1 => {
                let Some(process) = &host.process else { return };
                process.signal("STOP");
                host.is_frozen = true;
                self.figures.frozen += 1;
                "frozen"
            }
            2 => {
                host.proxy.cut();
                self.figures.cut_off += 1;
                "cut off"
            }
            _ => {
                host.proxy.silence();
                self.figures.silenced += 1;
                "silenced"
            }
        };
        host.mended = Some(Instant::now() + lasts);
        self.tell(nth, &format!("{what} for {lasts:?}"));
    }

    /// The host whose process acquired the lease last.
    fn working(&self, cluster: &Cluster) -> Option<usize> {
        // Before something was sent there may be no table to ask.
        if self.rig.submissions() == 0 {
            return None;
        }
        let last = "SELECT pid FROM refleet.lease ORDER BY acquired_at DESC LIMIT 1";
        let pid = self.rig.ask(cluster, last).parse().ok();
        let pids = self
            .hosts
            .iter()
            .map(|host| host.process.as_ref().map(Running::pid));
        pids.enumerate()
            .find_map(|(nth, own)| (own.is_some() && own == pid).then_some(nth))
    }

    fn tell(&mut self, nth: usize, what: &str) {
        let sent = self.rig.submissions();
        let at = self.began.elapsed();
        let _ = writeln!(self.told, "{at:.3?} host {nth} {what} ({sent} sent)");
    }

    fn judge(&mut self, cluster: &Cluster) -> Result<(), String> {
        self.rig.check_end()?;
        let calls = self.rig.simulator.calls();
        self.figures.calls = calls.len() as u64;
        self.check_rate(&calls[self.calls_before..])?;
        self.figures.faults = self.rig.simulator.record().faults.values().sum();
        self.figures.wiped = self.rig.wiped().iter().sum();
        for story in self.rig.stories().ok_or("nothing was ever queued")? {
            let doubts = (story.lines.iter()).filter(|line| {
                matches!(
                    line.entry,
                    LedgerEntry::Interrupted
                        | LedgerEntry::Unknown { .. }
                        | LedgerEntry::Doubted { .. }
                )
            });
            self.figures.doubts += doubts.count() as u64;
            if story.record.state == State::InDoubt {
                self.figures.held += 1;
                let is_explained = story.lines.iter().any(|line| {
                    matches!(&line.entry, LedgerEntry::Held { reason } if !reason.is_empty())
                });
                if !is_explained {
                    return Err(format!("a doubt without a reason: {story:?}"));
                }
            }
        }
        let tenures = (self.rig).ask(cluster, "SELECT sum(epoch) FROM refleet.lease");
        self.figures.tenures = tenures.parse().map_err(|_| format!("epochs: {tenures}"))?;
        Ok(())
    }

    /// No window has more calls than the rate allows: one more stands at its edge, and one may have been
    /// late.
    fn check_rate(&mut self, calls: &[CallRecord]) -> Result<(), String> {
        if self.rate == 0 {
            return Ok(());
        }
        let width = u64::try_from(WINDOW.as_micros()).unwrap();
        let rate = usize::try_from(self.rate).unwrap();
        // A service that finds nobody at work asks whose the login is, before it has the lease.
        let services = self.hosts.iter().filter(|host| host.serves).count();
        let allowed = rate + 2 + 2 * services;
        for (first, call) in calls.iter().enumerate() {
            let later = calls[first..].iter();
            let count = later
                .take_while(|later| later.at_us < call.at_us + width)
                .count();
            self.figures.fullest = self.figures.fullest.max(count * 100 / rate);
            if count > allowed {
                let at = Duration::from_micros(call.at_us);
                return Err(format!(
                    "{count} calls within {WINDOW:?} from {at:?} on, at {} a second",
                    self.rate
                ));
            }
        }
        Ok(())
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

#[test]
fn whatever_becomes_of_hosts_and_of_their_way_to_the_database_nothing_is_wiped_twice_or_lost() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let wanted = number("REFLEET_HOSTS");
    let first = number("REFLEET_HOSTS_SEED").unwrap_or(0);
    // Not yet: other tests may have the machine to themselves first.
    let began = OnceLock::new();
    let figures = Mutex::new(Figures::default());
    let failed = Mutex::new(Vec::new());
    let histories = usize::try_from(wanted.unwrap_or(1000)).unwrap();
    side_by_side(THREADS, histories, |nth| {
        let began = *began.get_or_init(Instant::now);
        let is_over = wanted.is_none() && began.elapsed() > WHILE;
        if is_over || failed.lock().unwrap().len() >= 3 {
            return;
        }
        let seed = first + nth as u64;
        let lived = std::panic::catch_unwind(|| History::new(seed, cluster).live(cluster));
        match lived {
            Ok(Ok(lived)) => figures.lock().unwrap().add(&lived),
            Ok(Err(what)) => failed.lock().unwrap().push((seed, what)),
            Err(_) => failed.lock().unwrap().push((seed, "a panic".to_owned())),
        }
    });
    let figures = figures.into_inner().unwrap();
    #[expect(clippy::print_stderr, reason = "the figures are for those who look")]
    {
        eprintln!("{figures:?} in {:?}", began.get().map(Instant::elapsed));
    }
    let mut message = String::new();
    for (seed, what) in failed.into_inner().unwrap() {
        let _ = writeln!(
            message,
            "history {seed} failed; repeat it with REFLEET_HOSTS_SEED={seed} REFLEET_HOSTS=1\n{what}\n"
        );
    }
    assert!(message.is_empty(), "{message}");
    assert!(figures.histories > 0, "none was lived");
}
