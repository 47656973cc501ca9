//! Nothing is lost and nothing is wiped twice, whenever the process dies.
//!
//! A *history* is one small fleet on one simulated account, and a chain of processes of which the
//! first ones are killed: at a named failpoint, with SIGKILL at a random moment, or at the moment
//! when a submission has arrived and its answer has not. Whatever is left is begun again until the
//! batch has ended; doubts are resolved as an operator would who looks at the instance. After each
//! death the simulator's own record is held against the ledger.
//!
//! Half of the histories have instances that answer by SSH, so that a run has its second witness. Half,
//! and not the same half, live in an odd world, see [`oddities`]: lists that freeze, lag, lie or spell
//! images otherwise, rebuilds that fail unseen, answers that contradict themselves. Of the others some
//! order with pins, by names, or by a plan, see [`orders`].
//!
//! `REFLEET_CRASH_HISTORIES=5000` runs more of them, `REFLEET_CRASH_SEED=n` begins with another
//! seed: with `REFLEET_CRASH_HISTORIES=1` it repeats the one that failed.
//! `REFLEET_CRASH_ODD=words` lets all of them live in the world that these words of `--odd` describe;
//! `REFLEET_CRASH_FAILURES=n` looks for so many failures before it gives up.
//! `REFLEET_TEST_BINARY=path` lets another build live them, for example a release build with the
//! feature `failpoints` (see tests/README.md).
//!
//! What a history does follows from its seed; how the operating system interleaves it does not.

pub mod oddities;
mod orders;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use self::oddities::{KINDS, ODD_KINDS, World};
use self::orders::{How, PLAN, Rules};
use crate::rig::{self, Pace, Rig, Running, SIGABRT, any_ssh_port, finish, side_by_side};
use refleet::failpoint;
use refleet::job::{Executed, LedgerEntry, ServiceId, State, Verdict};
use refleet::simulator::{
    Call, Fault, FaultKind, FaultPlan, InstanceChange, Script, ServiceRecord,
};

/// Histories that run at once: they mostly wait.
const THREADS: usize = 12;
/// Processes of one history; it ends far earlier.
const PROCESSES_MAX: u32 = 40;
/// Processes of one history over which the owner has a filter now and then.
const FILTERED_MAX: u64 = 8;

/// How a process is ended.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// At the nth passage of a failpoint.
    At(&'static str, u32),
    /// So many milliseconds after its start.
    After(u64),
    /// As soon as so many submissions have arrived at the API, in all.
    Arrived(u64),
}

impl Death {
    fn word(self) -> &'static str {
        match self {
            Self::At(name, _) => name,
            Self::After(_) => "random moment",
            Self::Arrived(_) => "submission arrived",
        }
    }
}

/// What all histories did together.
#[derive(Debug, Default)]
struct Figures {
    histories: u64,
    processes: u64,
    instances: u64,
    wiped: u64,
    faults: u64,
    deaths: BTreeMap<&'static str, u64>,
    /// Said by an operator while a run worked.
    words_beside: u64,
    doubts: u64,
    doubts_ended: BTreeMap<&'static str, u64>,
    states: BTreeMap<State, u64>,
    /// Histories whose instances answered by SSH.
    witnessed: u64,
    /// Histories in whose world something was odd.
    odd: u64,
    /// How their orders were made.
    orders: BTreeMap<&'static str, u64>,
    /// Of those: by the first word of each oddity.
    oddities: BTreeMap<String, u64>,
    /// Jobs that are done by the API's answer alone, or flagged, though the rebuild did not come to its
    /// end: nothing else could be seen.
    done_by_word_alone: u64,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.processes += other.processes;
        self.instances += other.instances;
        self.wiped += other.wiped;
        self.faults += other.faults;
        self.words_beside += other.words_beside;
        self.doubts += other.doubts;
        self.witnessed += other.witnessed;
        self.odd += other.odd;
        self.done_by_word_alone += other.done_by_word_alone;
        for (word, count) in other.orders {
            *self.orders.entry(word).or_default() += count;
        }
        for (word, count) in other.oddities {
            *self.oddities.entry(word).or_default() += count;
        }
        for (word, count) in other.deaths {
            *self.deaths.entry(word).or_default() += count;
        }
        for (word, count) in other.doubts_ended {
            *self.doubts_ended.entry(word).or_default() += count;
        }
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
    }
}

struct History {
    rig: Rig,
    /// The operator said something beside the latest process.
    word_was_said: bool,
    world: World,
    how: How,
    rules: Rules,
    random: fastrand::Rng,
    /// Deaths that are still to come.
    deaths: Vec<Death>,
    /// The failpoint in an operator's command or in the report that is still to be met.
    aside: Option<&'static str>,
    figures: Figures,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(3..=8);
        let rate = random.choice([0.0, 0.0, 0.05, 0.1, 0.2, 0.3]).unwrap();
        let world = World::choose(&mut random);
        let known = match random.u32(..3) {
            0 => [&KINDS[..], &ODD_KINDS[..]].concat(),
            1 => ODD_KINDS.to_vec(),
            _ => KINDS.to_vec(),
        };
        let kinds = if random.bool() {
            known
        } else {
            random.choose_multiple(known, 3)
        };
        let (latency, lag, page) = (random.u64(0..=8), random.u64(0..=20), random.usize(2..=8));
        let ssh_port = any_ssh_port().filter(|_| fastrand::Rng::with_seed(!seed).bool());
        let rig = Rig::brisk(count, |config| {
            config.latency = Duration::from_millis(latency);
            config.list_lag = Duration::from_millis(lag);
            config.page_size = page;
            config.faults = FaultPlan { rate, kinds, seed };
            config.ssh_port = ssh_port;
            world.furnish(config);
        });
        for script in &world.scripts {
            rig.simulator.script(script.clone());
        }
        if random.u32(..8) == 0 {
            let mut script = Script::next(
                random.choice([Call::Submission, Call::Instances]).unwrap(),
                Fault::new(FaultKind::SessionExpiry),
            );
            script.skip = random.u64(..6);
            rig.simulator.script(script);
        }
        let how = How::choose(!world.describe().is_empty(), &mut random);
        let rules = Rules::choose(!world.describe().is_empty(), &mut random);
        how.write(&rules, &rig);
        let (deaths, aside) = deaths(seed, count, &mut random);
        Self {
            rig,
            word_was_said: false,
            world: world.clone(),
            how,
            rules,
            random,
            deaths,
            aside,
            figures: Figures {
                histories: 1,
                witnessed: u64::from(ssh_port.is_some()),
                odd: u64::from(!world.describe().is_empty()),
                orders: BTreeMap::from([(how.word(), 1)]),
                oddities: world.counted(),
                instances: count as u64,
                ..Figures::default()
            },
        }
    }

    /// Lives it to its end. `Err` says what was wrong.
    fn live(mut self) -> Result<Figures, String> {
        let workers = self.random.u32(1..=6).to_string();
        self.rig.pace = Pace::brisk().with("--workers", &workers);
        if self.how == How::Plan {
            self.plan(&workers)?;
        } else if self.how != How::Names && self.random.u32(..3) == 0 {
            // Names are asked for with the patience of a command that has no option for it.
            self.command(|rig| {
                let manifest = rig.path("fleet.csv");
                let mut command = rig.refleet(&["load", "-q"]);
                command.arg(manifest);
                command
            })?;
        }
        let mut operations = 0;
        loop {
            let (how, rules) = (self.how, self.rules);
            let status = self.command(|rig| {
                let mut command = rig.order("fleet.csv", how.options());
                command.args(rules.options());
                command
            })?;
            match status {
                // The operator's word came after the run had asked the queue for the last time.
                0 | 1 | 3 if self.word_was_said && self.is_queued() => {}
                0 => break,
                // Once in a while the operator tries the failed ones again.
                1 if operations < 3 && self.random.u32(..3) == 0 => {
                    operations += 1;
                    if self.retry()? == 0 {
                        break;
                    }
                }
                1 => break,
                3 if operations < 6 => {
                    operations += 1;
                    self.resolve()?;
                }
                3 => break,
                // One that went first did not end well, or a member of a group did not.
                6 if self.rules.are_any() => self.let_go()?,
                // Faults that look like an outage, a filter, a dead session, a block.
                4 | 6 | 7 | 8 | ..0 => {}
                _ => return Err(format!("a run ended with exit code {status}")),
            }
        }
        self.rig.check_end()?;
        self.rules.check(&self.rig)?;
        self.report()?;
        self.count();
        Ok(self.figures)
    }

    /// Plans until a plan is written: it is whole or not there, and nothing else was changed.
    fn plan(&mut self, workers: &str) -> Result<(), String> {
        let file = self.rig.path(PLAN);
        let rules = self.rules;
        loop {
            let status = self.command(|rig| {
                let mut command = rig.refleet(&["plan", "fleet.csv", "-q", "--out", PLAN]);
                command.args(rules.options());
                command.args(["--timeout", "400ms", "--outage-timeout", "2s"]);
                command.args([
                    "--rate",
                    "0",
                    "--max-failures",
                    "100%",
                    "--workers",
                    workers,
                    "--rebuild-timeout",
                    "3s",
                ]);
                command
            })?;
            if self.rig.database().exists() || self.rig.submissions() > 0 {
                return Err(format!("a plan changed something, exit code {status}"));
            }
            if file.exists() {
                let text = std::fs::read_to_string(&file).unwrap();
                serde_json::from_str::<serde_json::Value>(&text).map_err(|e| e.to_string())?;
            }
            match status {
                0 => return Ok(()),
                // A login that meets a fault looks like one that is refused.
                4 | 7 | ..0 => {}
                _ => return Err(format!("a plan ended with exit code {status}")),
            }
        }
    }

    /// Starts a process, lets it die as planned, and looks at what is left.
    fn command(&mut self, make: impl Fn(&Rig) -> Command) -> Result<i32, String> {
        self.figures.processes += 1;
        if self.figures.processes > u64::from(PROCESSES_MAX) {
            return Err(format!("no end after {PROCESSES_MAX} processes"));
        }
        if self.world.is("filter") {
            // A run over a filter halts and says so; in the end the owner clears it.
            let is_cleared = self.figures.processes > FILTERED_MAX;
            let nth = self.random.usize(..self.rig.services.len());
            let change = InstanceChange {
                listed: Some(is_cleared || self.random.bool()),
                ..InstanceChange::default()
            };
            for (index, service) in self.rig.services.iter().enumerate() {
                if is_cleared || index == nth {
                    assert!(self.rig.simulator.change(*service, &change));
                }
            }
        }
        let mut command = make(&self.rig);
        let death = self.deaths.pop();
        if let Some(Death::At(name, nth)) = death {
            command.env("REFLEET_FAILPOINT", format!("{name}:{nth}"));
        }
        let mut running = Running::start(command);
        let began = Instant::now();
        let simulator = &self.rig.simulator;
        // Once in a while somebody says something while the process works, or is about to die.
        let mut word_after = (self.random.u32(..3) == 0).then(|| self.random.u64(20..=600));
        self.word_was_said = false;
        let choice = self.random.u32(..);
        let mut refused = None;
        let status = running.wait_until(|| {
            let elapsed = began.elapsed();
            if word_after.is_some_and(|ms| elapsed >= Duration::from_millis(ms)) {
                word_after = None;
                if let Some(said) = word_beside(&self.rig, choice).map(finish) {
                    self.figures.words_beside += 1;
                    self.word_was_said = true;
                    // The job may have ended by itself meanwhile.
                    if !matches!(said.code, 0..=2) {
                        refused = Some(said.to_string());
                    }
                }
            }
            match death {
                Some(Death::After(ms)) => elapsed >= Duration::from_millis(ms),
                Some(Death::Arrived(count)) => {
                    let record = simulator.record();
                    record.calls.get(&Call::Submission) >= Some(&count)
                }
                Some(Death::At(..)) | None => false,
            }
        });
        if let Some(refused) = refused {
            return Err(format!("a word beside a run: {refused}"));
        }
        let status = status.unwrap_or_else(|| running.kill());
        if let Some(death) = death
            && status < 0
        {
            *self.figures.deaths.entry(death.word()).or_default() += 1;
        } else if status < 0 {
            return Err(format!("it died by itself, of signal {}", -status));
        }
        let said = running.said();
        self.rig
            .check()
            .map_err(|what| format!("after {death:?}, exit code {status}: {what}\n{said}"))?;
        match status {
            2 | 70.. => Err(format!("exit code {status}\n{said}")),
            _ => Ok(status),
        }
    }

    /// The operator looks at each instance in doubt, and says what happened to it.
    fn resolve(&mut self) -> Result<(), String> {
        let verdicts = verdicts(&self.rig).ok_or("nothing was ever queued")?;
        for (verdict, services) in verdicts {
            self.operate(|rig| resolve(rig, verdict, &services))?;
        }
        Ok(())
    }

    /// The operator looks at whatever holds the others back, and lets them go.
    fn let_go(&mut self) -> Result<(), String> {
        self.resolve()?;
        let stories = self.rig.stories().ok_or("nothing was ever queued")?;
        let stories = self.rig.services.iter().zip(&stories);
        let is_down = |story: &rig::Story| {
            story.record.state == State::Failed && story.record.executed() != Executed::No
        };
        let down = stories.filter(|(_, story)| is_down(story));
        let down: Vec<String> = down.map(|(service, _)| service.to_string()).collect();
        if !down.is_empty() {
            self.operate(|rig| resolve(rig, "failed", &down))?;
        }
        self.operate(|rig| rig.refleet(&["go", "--canaries", "--reason", "looked at it"]))
    }

    fn is_queued(&self) -> bool {
        let is_queued = |story: &rig::Story| story.record.state == State::Queued;
        let stories = self.rig.stories();
        stories.is_some_and(|stories| stories.iter().any(is_queued))
    }

    /// The operator tries again what failed untouched; says how many jobs that were.
    fn retry(&mut self) -> Result<usize, String> {
        self.operate(|rig| rig.refleet(&["retry", "--failed"]))?;
        let stories = self.rig.stories().ok_or("nothing was ever queued")?;
        let queued = stories
            .iter()
            .filter(|story| story.record.state == State::Queued);
        Ok(queued.count())
    }

    /// Runs an operator's command, which may die in its transaction: then it is said again.
    fn operate(&mut self, make: impl Fn(&Rig) -> Command) -> Result<(), String> {
        if let Some(name) = self.aside.take_if(|name| name.starts_with("operate")) {
            let mut command = make(&self.rig);
            command.env("REFLEET_FAILPOINT", name);
            let output = finish(command);
            if output.code == 2 {
                // It had nothing to write, and said so: another one will.
                self.aside = Some(name);
                return self.rig.check();
            }
            if output.code != -SIGABRT {
                return Err(format!("it survived {name}: {output}"));
            }
            *self.figures.deaths.entry(name).or_default() += 1;
            self.rig.check()?;
            let verified = self.rig.call(&["verify"]);
            if verified.code != 0 {
                return Err(format!("after {name}: {verified}"));
            }
        }
        let output = finish(make(&self.rig));
        // The second time there is nothing left to resolve, and the command says so with exit 2.
        match output.code {
            0 | 2 => self.rig.check(),
            _ => Err(output.to_string()),
        }
    }

    /// The results become a file, whole or not at all.
    fn report(&mut self) -> Result<(), String> {
        let file = self.rig.path("results.csv");
        let report = |rig: &Rig| {
            let mut command = rig.refleet(&["report", "--format", "csv", "--output"]);
            command.arg(rig.path("results.csv"));
            command
        };
        if let Some(name) = self.aside.take() {
            std::fs::write(&file, "what stood there before").unwrap();
            let mut command = report(&self.rig);
            command.env("REFLEET_FAILPOINT", name);
            let output = finish(command);
            if output.code != -SIGABRT && name.starts_with("report") {
                return Err(format!("it survived {name}: {output}"));
            }
            *self.figures.deaths.entry(name).or_default() += 1;
            let old = std::fs::read_to_string(&file).unwrap() == "what stood there before";
            if old != (name == "report_before_rename") {
                return Err(format!("{name}: the file is not whole"));
            }
        }
        let output = finish(report(&self.rig));
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if output.code == 0 && lines == self.rig.services.len() + 1 {
            return Ok(());
        }
        Err(format!("a report of {lines} lines: {output}"))
    }

    fn count(&mut self) {
        let record = self.rig.simulator.record();
        let figures = &mut self.figures;
        figures.faults = record.faults.values().sum();
        figures.wiped = record.services.values().map(|service| service.wiped).sum();
        for (service, story) in self.rig.services.iter().zip(self.rig.stories().unwrap()) {
            let is_complete = record.services[&service.get()].completed > 0;
            if story.record.state == State::Done && !is_complete {
                figures.done_by_word_alone += 1;
            }
            *figures.states.entry(story.record.state).or_default() += 1;
            let mut held = false;
            let mut doubt = false;
            for line in &story.lines {
                let ended = match &line.entry {
                    LedgerEntry::Unknown { .. }
                    | LedgerEntry::Interrupted
                    | LedgerEntry::Doubted { .. } => {
                        figures.doubts += 1;
                        (doubt, held) = (true, false);
                        continue;
                    }
                    LedgerEntry::Held { .. } => {
                        held = true;
                        continue;
                    }
                    LedgerEntry::Sighted { .. } if doubt => "executed, by evidence",
                    LedgerEntry::Rekeyed { .. } => "executed, by its new host key",
                    LedgerEntry::Disproved { .. } => "not executed, by proof: sent again",
                    LedgerEntry::Exhausted { .. } => "not executed, by proof: no retry left",
                    LedgerEntry::Resolved { verdict, .. } => match verdict {
                        Verdict::Done => "operator: done",
                        Verdict::Requeue => "operator: sent again",
                        Verdict::Failed => "operator: failed",
                    },
                    _ => continue,
                };
                *figures.doubts_ended.entry(ended).or_default() += 1;
                (doubt, held) = (false, false);
            }
            if held {
                *figures.doubts_ended.entry("still held").or_default() += 1;
            }
        }
    }
}

/// How the processes of a history die, the first one last; and the failpoint that is met aside.
fn deaths(
    seed: u64,
    count: usize,
    random: &mut fastrand::Rng,
) -> (Vec<Death>, Option<&'static str>) {
    let name = failpoint::NAMES[usize::try_from(seed).unwrap() % failpoint::NAMES.len()];
    let (first, aside) = match name {
        // These failpoints need a doubt to resolve: a process that dies before the send leaves one.
        "operate_before_commit" | "operate_after_commit" => ("before_send", Some(name)),
        "report_before_rename" | "report_after_rename" => ("after_commit", Some(name)),
        name => (name, None),
    };
    let nth = match first {
        "before_commit" | "after_commit" | "outcome_taken" => random.u32(1..=8),
        "form_handed_over" => random.u32(1..=10),
        "before_send" | "after_answer" => random.u32(1..=u32::try_from(count).unwrap().min(4)),
        _ => 1,
    };
    let mut deaths = vec![Death::At(first, nth)];
    for _ in 0..random.u32(..4) {
        deaths.push(match random.u32(..4) {
            0 => Death::Arrived(random.u64(1..=count as u64 + 1)),
            1 => Death::At(
                random
                    .choice([
                        "before_commit",
                        "after_commit",
                        "before_send",
                        "after_answer",
                    ])
                    .unwrap(),
                random.u32(1..=3),
            ),
            _ => Death::After(random.u64(1..=350)),
        });
    }
    deaths.reverse();
    (deaths, aside)
}

/// What somebody who looks at the instances in doubt finds; `None`: nothing is queued yet.
fn verdicts(rig: &Rig) -> Option<BTreeMap<&'static str, Vec<String>>> {
    let mut verdicts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (service, story) in rig.services.iter().zip(&rig.stories()?) {
        if story.record.state == State::InDoubt {
            let truth = settled(rig, *service);
            let verdict = match (truth.wiped, truth.completed) {
                (0, _) => "requeue",
                (_, 0) => "failed",
                (_, _) => "done",
            };
            let services = verdicts.entry(verdict).or_default();
            services.push(service.to_string());
        }
    }
    Some(verdicts)
}

/// What has become of an instance, once a rebuild that goes on has had its time.
fn settled(rig: &Rig, service: ServiceId) -> ServiceRecord {
    let began = Instant::now();
    loop {
        let truth = rig.truth(service);
        let goes_on = truth.wiped > 0 && truth.completed == 0;
        if !goes_on || began.elapsed() > Duration::from_millis(200) {
            return truth;
        }
        std::thread::yield_now();
    }
}

fn resolve(rig: &Rig, verdict: &str, services: &[String]) -> Command {
    let mut command = rig.refleet(&["resolve", "--as", verdict]);
    command.args(["--reason", "looked at it"]).args(services);
    command
}

/// What an operator says while a run works: about a doubt, about what failed untouched, or that one
/// instance shall be left alone. `None`: there is nothing to say.
fn word_beside(rig: &Rig, choice: u32) -> Option<Command> {
    match choice % 4 {
        0 => {
            let mut command = rig.refleet(&["cancel"]);
            let nth = usize::try_from(choice / 4).ok()? % rig.services.len();
            let stories = rig.stories()?;
            // A doubt is not dropped unseen.
            let is_queued = stories[nth].record.state == State::Queued;
            command.arg(rig.services[nth].to_string());
            is_queued.then_some(command)
        }
        1 => rig.stories().map(|_| rig.refleet(&["retry", "--failed"])),
        _ => {
            let (verdict, services) = verdicts(rig)?.into_iter().next()?;
            Some(resolve(rig, verdict, &services))
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_crash_loses_a_rebuild_or_repeats_one() {
    let first = number("REFLEET_CRASH_SEED", 0);
    let histories = usize::try_from(number("REFLEET_CRASH_HISTORIES", 100)).unwrap();
    let failures_max = usize::try_from(number("REFLEET_CRASH_FAILURES", 3)).unwrap();
    let began = Instant::now();
    let figures = Mutex::new(Figures::default());
    let failed = Mutex::new(Vec::new());
    side_by_side(THREADS, histories, |nth| {
        if failed.lock().unwrap().len() >= failures_max {
            return;
        }
        let seed = first + nth as u64;
        let lived = std::panic::catch_unwind(|| {
            let history = History::new(seed);
            let world = history.world.describe();
            history
                .live()
                .map_err(|what| format!("world: {world}\n{what}"))
        });
        match lived {
            Ok(Ok(lived)) => figures.lock().unwrap().add(lived),
            Ok(Err(what)) => failed.lock().unwrap().push((seed, what)),
            Err(_) => failed.lock().unwrap().push((seed, "a panic".to_owned())),
        }
    });
    let figures = figures.into_inner().unwrap();
    #[expect(clippy::print_stderr, reason = "the figures are for those who look")]
    {
        eprintln!("{figures:#?}\nin {:?}", began.elapsed());
    }
    let mut message = String::new();
    for (seed, what) in failed.into_inner().unwrap() {
        let _ = writeln!(
            message,
            "history {seed} failed; repeat it with REFLEET_CRASH_SEED={seed} \
             REFLEET_CRASH_HISTORIES=1 cargo test no_crash_loses\n{what}\n"
        );
    }
    assert!(message.is_empty(), "{message}");
    let mut names = failpoint::NAMES.iter();
    assert!(
        histories < 20 || names.any(|name| figures.deaths.contains_key(name)),
        "nothing died at a failpoint: {} was built without them",
        rig::binary().display()
    );
    if histories >= 200 {
        for name in failpoint::NAMES {
            assert!(
                figures.deaths.contains_key(name),
                "nothing ever died at {name}"
            );
        }
    }
}
