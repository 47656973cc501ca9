//! A world to test the command line in: the real binary, a simulator in this process, a folder of
//! its own. Nothing of the environment of the one who tests gets in.
//!
//! What a test waits for is an event of the run (`--events -`), never a stretch of time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use refleet::job::ServiceId;
use refleet::simulator::{
    Call, Config, Fault, FaultKind, FleetRow, InstanceChange, Record, Script, Simulator,
};
use serde_json::Value;
use tempfile::TempDir;

/// The image of the vendor's own example, AlmaLinux-8 by name.
pub const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
/// Another one.
pub const OTHER_IMAGE: &str = "a95d4c18-72be-4d61-8f30-6b1e07d924ca";
/// The first service.
pub const FIRST: i64 = 5_113_119;
/// A way in that any search finds again.
pub const PASSWORD: &str = "Sesame-Xyzzy-4711";
/// Of the simulated account.
pub const USERNAME: &str = "operator";
/// Of the simulated account.
pub const LOGIN_PASSWORD: &str = "Plugh-Frotz-0815";

/// Timings under which a rebuild takes a fraction of a second.
pub const QUICK: &[&str] = &[
    "--rate",
    "0",
    "--poll-interval",
    "50ms",
    "--settle",
    "400ms",
    "--unseen-after",
    "2s",
    "--rebuild-timeout",
    "1m",
    "--timeout",
    "1s",
    "--backoff-initial",
    "20ms",
    "--backoff-max",
    "200ms",
    "--outage-timeout",
    "20s",
    "--max-failures",
    "100%",
];

/// No command may take longer.
const LIMIT: Duration = Duration::from_mins(1);

/// A simulated account, and a folder with the manifests and the database.
pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    /// An account with the first `count` services, whose rebuilds take about 100 ms.
    pub fn new(count: usize) -> Self {
        Self::with(count, |_| {})
    }

    /// The same, changed before it starts.
    pub fn with(count: usize, change: impl FnOnce(&mut Config)) -> Self {
        let rows = services(count).flat_map(|service| {
            [IMAGE, OTHER_IMAGE].map(|image| FleetRow {
                service: id(service),
                image: image.parse().unwrap(),
                zone: None,
                ssh_key: Some("490".to_owned()),
            })
        });
        let mut config = Config {
            username: USERNAME.to_owned(),
            password: LOGIN_PASSWORD.to_owned(),
            accept_lag: Duration::from_millis(20),
            rebuild_duration: Duration::from_millis(100),
            ..Config::for_fleet(rows)
        };
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = runtime
            .block_on(Simulator::start(config, any_port))
            .unwrap();
        Self {
            simulator,
            folder: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The database that every command works on.
    pub fn database(&self) -> PathBuf {
        self.path("state/refleet.db")
    }

    /// Writes a file into the folder; `name` is how commands call it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `fleet.csv` with the first `count` services.
    pub fn fleet(&self, count: usize) {
        self.write("fleet.csv", manifest(count));
    }

    /// `refleet` with these arguments, credentials, and this world's API and database.
    pub fn refleet(&self, args: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command
            .env("REFLEET_DB", self.database())
            .env("REFLEET_API_URL", self.simulator.url())
            .env("ZOMRO_USERNAME", USERNAME)
            .env("ZOMRO_PASSWORD", LOGIN_PASSWORD)
            .args(args);
        command
    }

    /// Carries out a command.
    pub fn call(&self, args: &[&str]) -> Ended {
        ended(self.refleet(args))
    }

    /// `refleet run fleet.csv --yes` with quick timings and `more`.
    pub fn run(&self, more: &[&str]) -> Ended {
        self.call(&quick("fleet.csv", more))
    }

    /// The same, to be watched while it works.
    pub fn start(&self, more: &[&str]) -> Running {
        let args = [more, &["--events", "-"]].concat();
        Running::new(self.refleet(&quick("fleet.csv", &args)))
    }

    /// The truth.
    pub fn record(&self) -> Record {
        self.simulator.record()
    }

    /// How often each instance was really wiped, in the order of the services.
    pub fn wiped(&self) -> Vec<u64> {
        self.record()
            .services
            .values()
            .map(|service| service.wiped)
            .collect()
    }

    /// Calls that arrived so far, of every kind.
    pub fn calls(&self) -> u64 {
        self.record().calls.values().sum()
    }

    /// The next submission of `service` meets `fault`.
    pub fn fault(&self, service: i64, fault: impl Into<Fault>) {
        self.simulator.script(Script {
            elid: Some(id(service)),
            ..Script::next(Call::Submission, fault)
        });
    }

    /// The next rebuild of `service` leaves a doubt that nobody but the operator can settle: its
    /// answer is lost, and the list cannot tell, because the same image stood there before.
    pub fn doubt(&self, service: i64) {
        let change = InstanceChange {
            image: Some("AlmaLinux-8".to_owned()),
            ..InstanceChange::default()
        };
        assert!(self.simulator.change(id(service), &change));
        self.fault(service, FaultKind::ResetBefore);
    }

    /// The results as `refleet report --format json` gives them.
    pub fn report(&self) -> Vec<Value> {
        let report = self.call(&["report", "--format", "json"]).exit(0).json();
        report["results"].as_array().unwrap().clone()
    }

    /// Services per state, by the report.
    pub fn states(&self) -> BTreeMap<String, Vec<i64>> {
        let mut states: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in self.report() {
            let state = row["state"].as_str().unwrap().to_owned();
            states
                .entry(state)
                .or_default()
                .push(row["service_id"].as_i64().unwrap());
        }
        states
    }

    /// Report and database say of every instance what the simulator knows to be true, nobody was
    /// wiped more often than `orders` times, and the database is sound.
    pub fn assert_truth(&self, orders: u64) {
        let record = self.record();
        assert_eq!(record.violations, [""; 0], "no client may ever do that");
        for row in self.report() {
            let service = row["service_id"].as_i64().unwrap();
            let truth = &record.services[&service];
            assert!(
                truth.wiped <= orders,
                "{service} was wiped twice: {row} {truth:?}"
            );
            let executed = row["executed"].as_str().unwrap();
            match row["state"].as_str().unwrap() {
                "done" => {
                    assert_eq!(executed, "yes", "{row}");
                    assert!(truth.wiped >= 1 && truth.completed >= 1, "{row} {truth:?}");
                    assert_eq!(truth.status, "active", "{row} {truth:?}");
                }
                "failed" if executed == "yes" => {
                    assert!(truth.wiped >= 1, "{row} {truth:?}");
                    assert_eq!(truth.status, "error", "{row} {truth:?}");
                }
                "failed" | "queued" | "cancelled" if executed == "no" => {
                    assert!(truth.wiped < orders, "{row} {truth:?}");
                }
                "in_doubt" => assert_ne!(executed, "no", "{row}"),
                other => panic!("{other}: {row} {truth:?}"),
            }
        }
        self.call(&["verify"]).exit(0).says_out("sound");
    }

    /// Runs SQL on the database, as a person with a `sqlite3` shell would.
    pub fn sql(&self, statement: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
        sql(&self.database(), statement)
    }
}

/// Runs SQL on any database.
pub fn sql(path: &Path, statement: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.create_if_missing(true).connect().await.unwrap();
        let rows = sqlx::query(statement)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows
    })
}

/// `refleet` in an empty environment, with `folder` for a home.
pub fn bare(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("refleet"));
    command
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// `run MANIFEST --yes` with quick timings, except those that `more` gives.
pub fn quick<'a>(manifest: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", manifest, "--yes"];
    for pair in QUICK.chunks(2).filter(|pair| !more.contains(&pair[0])) {
        args.extend_from_slice(pair);
    }
    args.extend_from_slice(more);
    args
}

/// Carries out a command to its end.
pub fn ended(command: Command) -> Ended {
    let output = assert_cmd::Command::from_std(command)
        .timeout(LIMIT)
        .output()
        .unwrap();
    Ended {
        code: code(output.status),
        out: String::from_utf8(output.stdout).unwrap(),
        err: without_word_of_the_disk(&String::from_utf8(output.stderr).unwrap()),
    }
}

/// Where the folder for temporary files lies in a container's layer, each command says so: that is
/// the machine's matter, and no test of this kind is about it.
fn without_word_of_the_disk(err: &str) -> String {
    let lines = err.split_inclusive('\n');
    lines
        .filter(|line| !line.contains("lies where nothing stays"))
        .collect()
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; a signal that killed it is negative.
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// It ended with this exit code.
    #[track_caller]
    pub fn exit(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    /// It said this on stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in:\n{}", self.err);
        self
    }

    /// It said this on stdout.
    #[track_caller]
    pub fn says_out(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} is not in:\n{}", self.out);
        self
    }

    /// It said nothing at all.
    #[track_caller]
    pub fn said_nothing(self) -> Self {
        assert_eq!((self.out.as_str(), self.err.as_str()), ("", ""));
        self
    }

    /// Its stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A run that is watched through its events. Dropping it kills it.
pub struct Running {
    child: Child,
    events: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    err: File,
    /// Lines of its events so far.
    pub lines: Vec<String>,
}

impl Running {
    /// Starts `command`, whose stdout is NDJSON.
    pub fn new(mut command: Command) -> Self {
        let err = tempfile::tempfile().unwrap();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(err.try_clone().unwrap())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, events) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in out.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            events,
            reader: Some(reader),
            err,
            lines: Vec::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the `count`th event from now on that is like `wanted`.
    #[track_caller]
    pub fn wait(&mut self, count: usize, wanted: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut left = count;
        while left > 0 {
            match self
                .events
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let event = serde_json::from_str(&line).unwrap();
                    left -= usize::from(wanted(&event));
                    self.lines.push(line);
                }
                Err(error) => panic!("{error}; after these events:\n{}", self.lines.join("\n")),
            }
        }
    }

    /// Waits for the `count`th job that becomes `state`.
    #[track_caller]
    pub fn wait_for(&mut self, count: usize, state: &str) {
        self.wait(count, |event| {
            event["type"] == "job" && event["to"] == state
        });
    }

    /// Sends it a signal: `INT`, `TERM`, `HUP`, `KILL`, …
    pub fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere.
        let kill = format!("kill -{name} {}", self.pid());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end; its stdout is the events.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self
                .events
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let status = self.child.wait().unwrap();
        Ended {
            code: code(status),
            out: self.lines.join("\n"),
            err: read(&self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already, both say so, and that is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(mut file: &File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// The first `count` services.
pub fn services(count: usize) -> std::ops::Range<i64> {
    FIRST..FIRST + i64::try_from(count).unwrap()
}

pub fn id(service: i64) -> ServiceId {
    ServiceId::new(service).unwrap()
}

/// A manifest of the first `count` services, each with a password of its own.
pub fn manifest(count: usize) -> String {
    let mut text = "service_id,image,password,note\n".to_owned();
    for service in services(count) {
        writeln!(
            text,
            "{service},{IMAGE},{PASSWORD}-{service},row of {service}"
        )
        .unwrap();
    }
    text
}
