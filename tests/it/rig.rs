//! A small fleet, a simulator that outlives the process under test, and both of their stories:
//! what really happened to each instance, and what the ledger says of it.

use std::fmt::Write as _;
use std::future::Future;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use refleet::job::{Evidence, Executed, JobRecord, LedgerEntry, ServiceId, State};
use refleet::queue::{LedgerLine, Open, Queue};
use refleet::simulator::{Config, Oddities, ServiceRecord, Simulator};
use tokio::runtime::Runtime;

/// What is ordered: the image of the vendor's own example.
pub const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
/// No process under test may take longer, whatever it waits for.
const PROCESS_MAX: Duration = Duration::from_mins(1);
const FIRST_SERVICE: i64 = 5_113_119;

/// One runtime for all simulators of a test binary.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    runtime.block_on(future)
}

/// The times with which the tests run: a hundred to a thousand times the usual pace.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Words for the command line.
    pub words: Vec<(&'static str, String)>,
}

impl Default for Pace {
    fn default() -> Self {
        let words = [
            ("--progress", "none"),
            ("--rate", "0"),
            ("--backoff-initial", "5ms"),
            ("--backoff-max", "30ms"),
            ("--timeout", "400ms"),
            ("--outage-timeout", "2s"),
            ("--poll-interval", "20ms"),
            ("--settle", "400ms"),
            ("--unseen-after", "800ms"),
            ("--rebuild-timeout", "3s"),
            ("--max-failures", "100%"),
        ];
        Self {
            words: words.map(|(name, value)| (name, value.to_owned())).to_vec(),
        }
    }
}

impl Pace {
    /// The same with another value of `name`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.words.retain(|(known, _)| *known != name);
        self.words.push((name, value.into()));
        self
    }
}

/// A fleet, its manifest, an empty folder for the database, and the simulated account.
pub struct Rig {
    folder: tempfile::TempDir,
    /// The manifest's services, in its order.
    pub services: Vec<ServiceId>,
    /// The account.
    pub simulator: Simulator,
    /// With which times it runs.
    pub pace: Pace,
    /// `ZOMRO_AUTH` instead of a login.
    pub token: Option<String>,
    /// What is odd about the account.
    odd: Oddities,
}

/// What the ledger says of one instance.
#[derive(Debug)]
pub struct Story {
    /// Where its job stands.
    pub record: JobRecord,
    /// Everything that happened to it, in order.
    pub lines: Vec<LedgerLine>,
}

/// A quick account for `services`: rebuilds take 60 ms, the list lags by `list_lag`.
pub fn account(services: &[ServiceId]) -> Config {
    let rows = Config::example_rows(services.iter().copied());
    Config {
        accept_lag: Duration::from_millis(10),
        rebuild_duration: Duration::from_millis(60),
        rebuild_jitter: 0.2,
        ..Config::for_fleet(rows)
    }
}

/// The binary under test: `REFLEET_TEST_BINARY` names another one than the debug build, for example
/// a release build with the feature `failpoints`.
pub fn binary() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_refleet").into();
    std::env::var_os("REFLEET_TEST_BINARY").map_or_else(built, PathBuf::from)
}

/// `count` services with numbers in a row.
pub fn services(count: i64) -> Vec<ServiceId> {
    (0..count)
        .map(|nth| ServiceId::new(FIRST_SERVICE + nth).expect("a positive number"))
        .collect()
}

impl Rig {
    /// A fleet of `count` on an account that `adjust` has made of the quick one.
    pub fn new(count: i64, adjust: impl FnOnce(&mut Config)) -> Self {
        let services = services(count);
        let mut config = account(&services);
        adjust(&mut config);
        let token = config.session.clone();
        let odd = config.odd.clone();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = block_on(Simulator::start(config, listen)).expect("a simulator");
        // A process that is killed loses nothing that it had handed to the system, so memory will do.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .expect("a folder");
        let mut manifest = "service_id,image,password\n".to_owned();
        for service in &services {
            let _ = writeln!(manifest, "{service},{IMAGE},Mypassword1");
        }
        std::fs::write(folder.path().join("fleet.csv"), manifest).expect("a manifest");
        Self {
            folder,
            services,
            simulator,
            pace: Pace::default(),
            token,
            odd,
        }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("state").join("refleet.db")
    }

    /// A file beside it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `refleet` with its global options, in an environment of its own.
    pub fn refleet(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .arg("--db")
            .arg(self.database())
            .arg("--api-url")
            .arg(self.simulator.url())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match &self.token {
            Some(token) => command.env("ZOMRO_AUTH", token),
            None => command
                .env("ZOMRO_USERNAME", "simulator")
                .env("ZOMRO_PASSWORD", "Simulator1"),
        };
        command
    }

    /// `refleet run` of the manifest at this rig's pace.
    pub fn run(&self, words: &[&str]) -> Command {
        let mut command = self.refleet(&["run"]);
        command.arg(self.file("fleet.csv")).arg("--yes");
        for (name, value) in &self.pace.words {
            command.arg(name).arg(value);
        }
        command.args(words);
        command
    }

    /// What the ledger says of every service; `None` where nothing is queued yet.
    pub fn stories(&self) -> Option<Vec<Story>> {
        if !self.database().exists() {
            return None;
        }
        block_on(async {
            let Ok(mut queue) = Queue::open(&self.database(), Open::Read).await else {
                return None;
            };
            let mut stories = Vec::new();
            for service in &self.services {
                let jobs = queue.jobs_of(*service).await.expect("a job");
                let (_, job) = jobs.into_iter().next()?;
                let lines = queue.history(job.id).await.expect("its history");
                stories.push(Story {
                    record: job.record,
                    lines,
                });
            }
            Some(stories)
        })
    }

    /// What really happened to `service`.
    pub fn truth(&self, service: ServiceId) -> ServiceRecord {
        self.simulator.service(service).expect("an instance")
    }

    /// What must hold at every moment at which no process works, however the last one ended.
    /// `Err` says what does not.
    pub fn check(&self) -> Result<(), String> {
        // The truth first: a request of a killed process may still arrive and be executed.
        let truths: Vec<_> = self.services.iter().map(|id| self.truth(*id)).collect();
        let Some(stories) = self.stories() else {
            return if truths.iter().all(|truth| truth.submissions == 0) {
                Ok(())
            } else {
                Err("something was sent, and there is no ledger of it".to_owned())
            };
        };
        for ((service, truth), story) in self.services.iter().zip(&truths).zip(&stories) {
            check_one(truth, story, &self.odd).map_err(|what| {
                let kinds: Vec<_> = story
                    .lines
                    .iter()
                    .map(|line| format!("{}#{}", line.entry.kind(), line.attempt))
                    .collect();
                format!(
                    "service {service}: {what}\nledger: {}\ntruth: {truth:?}",
                    kinds.join(" ")
                )
            })?;
        }
        Ok(())
    }

    /// [`check`](Self::check), and that the batch has come to its end and the database is sound.
    pub fn check_end(&self) -> Result<(), String> {
        self.check()?;
        let stories = self.stories().ok_or("nothing was ever queued")?;
        for (service, story) in self.services.iter().zip(&stories) {
            let record = &story.record;
            let ended = record.state.is_final() || record.held;
            if !ended {
                return Err(format!("service {service} is still {}", record.state));
            }
        }
        let verified = finish(self.refleet(&["verify"]));
        if verified.status.code() != Some(0) {
            return Err(format!("verify: {verified}"));
        }
        let violations = self.simulator.record().violations;
        match violations.first() {
            None => Ok(()),
            Some(first) => Err(format!("{} violations: {first}", violations.len())),
        }
    }
}

fn check_one(truth: &ServiceRecord, story: &Story, odd: &Oddities) -> Result<(), String> {
    let Story { record, lines } = story;
    if truth.wiped > 1 {
        return Err(format!("wiped {} times", truth.wiped));
    }
    // An API that says ok and does nothing.
    let may_ignore = odd.ignored > 0.0;
    if truth.accepted > truth.wiped && !may_ignore {
        return Err("the simulator contradicts itself".to_owned());
    }
    let intents = lines
        .iter()
        .filter(|line| matches!(line.entry, LedgerEntry::Intent { .. }))
        .count();
    if truth.submissions > intents as u64 {
        return Err(format!(
            "{} submissions arrived, the ledger knows {intents}",
            truth.submissions
        ));
    }
    if truth.wiped == 1 && record.executed() == Executed::No {
        return Err(format!(
            "it was wiped, and the ledger says it was not ({})",
            record.state
        ));
    }
    let was_accepted = truth.wiped == 1 || (may_ignore && truth.accepted > 0);
    match record.state {
        State::Done if is_by_word_alone(record, odd) && was_accepted => Ok(()),
        State::Done if truth.wiped != 1 => Err("it is done, and was never wiped".to_owned()),
        State::Done if truth.completed != 1 => Err("it is done, and not complete".to_owned()),
        State::Rebuilding if !was_accepted => {
            Err("it is rebuilding, and was never wiped".to_owned())
        }
        State::Failed if record.executed() == Executed::Yes && !was_accepted => {
            Err("it failed as executed, and was never wiped".to_owned())
        }
        State::Queued
        | State::Submitting
        | State::Rebuilding
        | State::InDoubt
        | State::Done
        | State::Failed
        | State::Cancelled => Ok(()),
    }
}

/// Done because the API had said ok and nothing else could be seen, or flagged for a human, in a
/// world where that may be: the report says so, and it is all that anybody could know.
fn is_by_word_alone(record: &JobRecord, odd: &Oddities) -> bool {
    let hides = odd.never_shown || odd.freeze.is_some();
    let ends_otherwise = odd.fails_at_once + odd.rolls_back + odd.ignored > 0.0;
    let is_flagged = record.failure.is_some();
    (record.evidence == Some(Evidence::Accepted) && (hides || ends_otherwise))
        || (is_flagged && ends_otherwise)
}

/// A process that does not outlive the test.
pub struct Running(pub Child);

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("refleet starts"))
    }

    /// Kills it with SIGKILL, if it still works.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.0.kill();
        self.0.wait().expect("its end")
    }

    /// What it has said; only after its end.
    pub fn said(&mut self) -> String {
        let mut bytes = Vec::new();
        // What is written in these tests fits into a pipe, so nobody had to read it before.
        if let Some(mut out) = self.0.stdout.take() {
            let _ = out.read_to_end(&mut bytes);
        }
        if let Some(mut err) = self.0.stderr.take() {
            let _ = err.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it has ended, or `stop` says that it should be looked after.
    pub fn wait_until(&mut self, mut stop: impl FnMut() -> bool) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("its state") {
                return Some(status);
            }
            if stop() {
                return None;
            }
            assert!(began.elapsed() < PROCESS_MAX, "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a process ended, and everything that it said.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it said.
    pub said: String,
}

/// Runs it to its end.
pub fn finish(command: Command) -> Ended {
    let mut running = Running::start(command);
    let status = running.wait_until(|| false).expect("its end");
    let said = running.said();
    Ended { status, said }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.status, self.said)
    }
}
