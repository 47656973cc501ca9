//! A fleet, the simulated account that it belongs to, and a folder with its manifest and database.

use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use refleet::job::{Expected, ServiceId};
use refleet::simulator::{
    Behaviour, Call, Config, Fault, FaultKind, FleetRow, InstanceChange, Oddities, Script,
    Simulator,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::pace::Pace;
use super::process::{Ended, Running, bare, finish};
use super::share::Share;

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

/// One runtime for the simulators of all tests.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    });
    runtime.block_on(future)
}

/// The SSH port of all instances, any free one; `None`: the simulator has none on this system.
pub fn any_ssh_port() -> Option<u16> {
    block_on(async { Simulator::has_ssh() }).then_some(0)
}

/// A fleet, its account, and a folder with `fleet.csv` in which the database will be.
pub struct Rig {
    pub folder: TempDir,
    /// The manifest's services, in its order.
    pub services: Vec<ServiceId>,
    pub simulator: Simulator,
    /// The times of its runs.
    pub pace: Pace,
    /// `ZOMRO_AUTH` instead of a login.
    pub token: Option<String>,
    /// The address of a database on a server, where the queue does not lie in the folder.
    pub server: Option<String>,
    /// What is odd about the account.
    pub(super) odd: Oddities,
    _share: Share,
}

impl Rig {
    /// A fleet of `count`, whose rebuilds take about 100 ms.
    pub fn new(count: usize) -> Self {
        Self::with(count, |_| {})
    }

    /// The same on an account that was changed before it began.
    pub fn with(count: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = account(count);
        config.accept_lag = Duration::from_millis(20);
        config.rebuild_duration = Duration::from_millis(100);
        change(&mut config);
        Self::on(config, count, Pace::quick())
    }

    /// A fleet whose rebuilds take about 60 ms, at a pace for tests of many runs.
    pub fn brisk(count: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = account(count);
        config.accept_lag = Duration::from_millis(10);
        config.rebuild_duration = Duration::from_millis(60);
        config.rebuild_jitter = 0.2;
        change(&mut config);
        Self::on(config, count, Pace::brisk())
    }

    fn on(config: Config, count: usize, pace: Pace) -> Self {
        let share = Share::take();
        let odd = config.odd.clone();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = block_on(Simulator::start(config, any_port)).unwrap();
        // A process that is killed loses nothing that it had handed to the system, so memory will do.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let rig = Self {
            folder: folder.unwrap(),
            services: services(count).map(id).collect(),
            simulator,
            pace,
            token: None,
            server: None,
            odd,
            _share: share,
        };
        rig.fleet(count);
        rig
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the queue of every command lies.
    pub(super) fn queue(&self) -> PathBuf {
        let file = || self.database();
        self.server.as_ref().map_or_else(file, PathBuf::from)
    }

    /// The file that every command works on, unless there is a server.
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

    /// `refleet` with these arguments, credentials, and this rig's API and database.
    pub fn refleet(&self, args: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command
            .env("REFLEET_DB", self.queue())
            .env("REFLEET_API_URL", self.simulator.url())
            .args(args);
        match &self.token {
            Some(token) => command.env("ZOMRO_AUTH", token),
            None => command
                .env("ZOMRO_USERNAME", USERNAME)
                .env("ZOMRO_PASSWORD", LOGIN_PASSWORD),
        };
        command
    }

    /// Carries out a command; one that looks at the account does it as quickly as it goes, unless `args`
    /// say otherwise.
    pub fn call(&self, args: &[&str]) -> Ended {
        let mut command = self.refleet(args);
        let looks = ["services", "images", "keys", "plan"];
        if args.first().is_some_and(|name| looks.contains(name)) && !args.contains(&"--rate") {
            command.args(["--rate", "0"]);
        }
        finish(command)
    }

    /// A word on doubts, said again as long as what was sent may still take effect.
    pub fn call_once_settled(&self, args: &[&str]) -> Ended {
        loop {
            let ended = self.call(args);
            if !ended.err.contains("is not sent again yet") {
                return ended;
            }
        }
    }

    /// `refleet run MANIFEST --yes` at this rig's pace, and with a look at the instances' SSH ports where they
    /// have some (`Config.ssh_port`); what `more` says goes before that.
    pub fn order(&self, manifest: &str, more: &[&str]) -> Command {
        let mut command = self.refleet(&["run", manifest, "--yes"]);
        command.args(self.pace.words());
        if let Some(port) = self.simulator.ssh_port() {
            command.args(["--ssh-port", &port.to_string()]);
        }
        command.args(more);
        command
    }

    /// Runs `fleet.csv` to the end.
    pub fn run(&self, more: &[&str]) -> Ended {
        finish(self.order("fleet.csv", more))
    }

    /// The same, to be looked after while it works.
    pub fn start(&self, more: &[&str]) -> Running {
        Running::start(self.order("fleet.csv", more))
    }

    /// The same, to be watched through its events.
    pub fn watch(&self, more: &[&str]) -> Running {
        self.start(&[more, &["--events", "-"]].concat())
    }

    /// A run at the moment at which `count` submissions have arrived.
    pub fn run_until(&self, count: u64) -> Running {
        let mut running = self.start(&[]);
        let ended = running.wait_until(|| self.submissions() >= count);
        assert!(ended.is_none(), "it ended early: {}", running.said());
        running
    }

    /// Changes the `nth` instance behind everybody's back.
    pub fn change(&self, nth: usize, change: &InstanceChange) {
        assert!(self.simulator.change(self.services[nth], change));
    }

    /// How the next rebuild of the `nth` instance goes.
    pub fn next(&self, nth: usize, next: Behaviour) {
        let next = InstanceChange {
            next: Some(next),
            ..InstanceChange::default()
        };
        self.change(nth, &next);
    }

    /// The next submission of the `nth` instance meets `fault`.
    pub fn fault(&self, nth: usize, fault: impl Into<Fault>) {
        self.simulator.script(Script {
            elid: Some(self.services[nth]),
            ..Script::next(Call::Submission, fault)
        });
    }

    /// The next rebuild of the `nth` instance leaves a doubt that nobody but the operator can settle:
    /// its answer is lost, and the list cannot tell, because the same image stood there before.
    pub fn doubt(&self, nth: usize) {
        let change = InstanceChange {
            image: Some("AlmaLinux-8".to_owned()),
            ..InstanceChange::default()
        };
        self.change(nth, &change);
        self.fault(nth, FaultKind::ResetBefore);
    }

    /// Queues `fleet.csv`.
    pub fn load(&self) {
        self.call(&["load", "fleet.csv", "-q"]).exit(0);
    }

    /// Runs SQL on the database, as a person with a `sqlite3` shell would.
    pub fn sql(&self, statement: &'static str) -> Vec<SqliteRow> {
        sql(&self.database(), statement)
    }
}

/// An account with the first `count` services, two images, and the key 490.
fn account(count: usize) -> Config {
    account_of(services(count))
}

/// The same with these services.
pub fn account_of(services: std::ops::Range<i64>) -> Config {
    let rows = services.flat_map(|service| {
        [IMAGE, OTHER_IMAGE].map(|image| FleetRow {
            service: id(service),
            image: image.parse().ok(),
            image_name: None,
            key_label: None,
            expected: Expected::default(),
            zone: None,
            ssh_key: Some("490".to_owned()),
        })
    });
    Config {
        username: USERNAME.to_owned(),
        password: LOGIN_PASSWORD.to_owned(),
        ..Config::for_fleet(rows)
    }
}

/// Runs SQL on any database.
pub fn sql(path: &Path, statement: &'static str) -> Vec<SqliteRow> {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut connection = options.create_if_missing(true).connect().await.unwrap();
        let rows = sqlx::query(statement).fetch_all(&mut connection).await;
        connection.close().await.unwrap();
        rows.unwrap()
    })
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
    manifest_of(services(count))
}

/// The same of these services.
pub fn manifest_of(services: std::ops::Range<i64>) -> String {
    let mut text = "service_id,image,password,note\n".to_owned();
    for service in services {
        writeln!(
            text,
            "{service},{IMAGE},{PASSWORD}-{service},row of {service}"
        )
        .unwrap();
    }
    text
}
