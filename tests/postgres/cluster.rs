//! A PostgreSQL cluster that a test process makes for itself, for as long as it lives. This file is part
//! of the unit tests, of `tests/it` and of the bench.
//!
//! PostgreSQL refuses to run as root, so there it runs as another user. Whatever ends the test process,
//! a shell that waits for that end stops the server and removes the folder.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Set where a missing PostgreSQL is a failure.
const REQUIRED: &str = "REFLEET_POSTGRES";

/// Ports that others may have taken between the question and the start.
const TRIES: u32 = 5;

/// The role that refleet has, which is no superuser's.
const ROLE: &str = "fleet";

/// A running cluster.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    shared_buffers: &'static str,
    databases: AtomicU32,
    /// Waits until this process ends.
    _undertaker: Child,
}

impl Cluster {
    /// The one of this process; `None`, said once: PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A cluster of its own.
    pub fn start() -> Option<Self> {
        Self::start_in(&std::env::temp_dir(), "32MB")
    }

    /// The same, in a folder of `parent`, and with as much memory as `shared_buffers` says.
    pub fn start_in(parent: &Path, shared_buffers: &'static str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "PostgreSQL is not installed, and {REQUIRED} is set"
            );
            let _ = writeln!(
                io::stderr(),
                "PostgreSQL is not installed: what needs it is skipped"
            );
            return None;
        };
        Some(Self::start_with(programs, parent, shared_buffers).expect("a cluster starts"))
    }

    fn start_with(
        programs: PathBuf,
        parent: &Path,
        shared_buffers: &'static str,
    ) -> io::Result<Self> {
        let mut cluster = Self::empty(programs, parent, shared_buffers)?;
        let data = cluster.data();
        cluster.run(
            "initdb",
            &[
                "-D",
                path(&data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
        )?;
        cluster.start_somewhere()?;
        cluster.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN CREATEDB"));
        Ok(cluster)
    }

    /// A standby of this one, which follows the server that it finds at `port`.
    pub fn standby(&self, port: u16) -> io::Result<Self> {
        let parent = self.folder.parent().unwrap_or(Path::new("/tmp"));
        let mut standby = Self::empty(self.programs.clone(), parent, self.shared_buffers)?;
        let data = standby.data();
        let port = port.to_string();
        standby.run(
            "pg_basebackup",
            &[
                "-D",
                path(&data),
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "postgres",
                "-R",
                "-c",
                "fast",
                "--no-sync",
            ],
        )?;
        standby.start_somewhere()?;
        Ok(standby)
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> io::Result<()> {
        let data = self.data();
        self.run("pg_ctl", &["-D", path(&data), "-w", "promote"])
    }

    /// Copies the data of the server, which is stopped, to where [`Self::put_back`] finds it.
    pub fn set_aside(&self) -> io::Result<()> {
        let (data, copy) = (self.data(), self.folder.join("copy"));
        let status = Command::new("cp")
            .args(["-a", path(&data), path(&copy)])
            .status()?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("cp: {status}")))
    }

    /// Puts the copy back in the place of the data of the server, which is stopped.
    pub fn put_back(&self) -> io::Result<()> {
        let (data, copy) = (self.data(), self.folder.join("copy"));
        fs::remove_dir_all(&data)?;
        fs::rename(copy, data)
    }

    /// Writes a dump of `database`.
    pub fn dump(&self, database: &str) -> io::Result<()> {
        let (port, file) = (self.port.to_string(), self.folder.join("dump"));
        self.run(
            "pg_dump",
            &[
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "postgres",
                "-Fc",
                "-f",
                path(&file),
                database,
            ],
        )
    }

    /// Restores the dump that `from` has written into an empty database of this one.
    pub fn restore(&self, from: &Self, database: &str) -> io::Result<()> {
        self.sql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
        );
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {database} OWNER {ROLE} TEMPLATE template0"),
        );
        let (port, file) = (self.port.to_string(), from.folder.join("dump"));
        self.run(
            "pg_restore",
            &[
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "postgres",
                "-d",
                database,
                path(&file),
            ],
        )
    }

    /// A folder of its own, and nothing in it.
    fn empty(programs: PathBuf, parent: &Path, shared_buffers: &'static str) -> io::Result<Self> {
        let user = other_user()?;
        let folder = tempfile::Builder::new()
            .prefix("refleet-pg-")
            .tempdir_in(parent)?
            .keep();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid))?;
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let undertaker = undertaker(&programs, &folder, user)?;
        Ok(Self {
            programs,
            folder,
            port: 0,
            user,
            shared_buffers,
            databases: AtomicU32::new(0),
            _undertaker: undertaker,
        })
    }

    fn start_somewhere(&mut self) -> io::Result<()> {
        let mut started = Err(io::Error::other("no port is free"));
        for _ in 0..TRIES {
            self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            started = self.resume();
            if started.is_ok() {
                break;
            }
        }
        started
    }

    /// Starts the server, which was stopped or is new.
    pub fn resume(&self) -> io::Result<()> {
        let options = format!(
            "-p {} -h 127.0.0.1 -k {} -c max_connections=200 -c shared_buffers={}",
            self.port,
            self.folder.display(),
            self.shared_buffers
        );
        let data = self.data();
        let log = self.folder.join("log");
        let [data, log] = [&data, &log].map(|path| path.to_str().expect("a plain path"));
        self.run(
            "pg_ctl",
            &[
                "-D", data, "-l", log, "-w", "-t", "60", "-o", &options, "start",
            ],
        )
    }

    /// Stops the server as `mode` says: `fast`, or `immediate` as if it had crashed.
    pub fn stop(&self, mode: &str) -> io::Result<()> {
        let data = self.data();
        let data = data.to_str().expect("a plain path");
        self.run("pg_ctl", &["-D", data, "-w", "-m", mode, "stop"])
    }

    /// A new database that belongs to refleet's role, as a copy of `template`; its address.
    pub fn database(&self, template: &str) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("ledger_{number}");
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}"),
        );
        self.address(&name)
    }

    /// The address of a database, for refleet's role.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a superuser is told for `statement`: values by `|`, rows by line.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = self.command("psql");
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
        ]);
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        psql.args(["-d", database, "-c", statement]);
        let output = psql.output().expect("psql runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        command(&self.programs, &self.folder, self.user, program)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        // The server inherits what pg_ctl has, and would keep a pipe open for ever.
        let said = self.folder.join(format!("{program}.said"));
        let file = fs::File::create(&said)?;
        let status = self
            .command(program)
            .args(arguments)
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(said)?;
        Err(io::Error::other(format!("{program}: {status}: {said}")))
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn command(folder: &Path, home: &Path, user: Option<(u32, u32)>, program: &str) -> Command {
    let mut command = Command::new(folder.join(program));
    command
        .current_dir(home)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        command.env_remove(name);
    }
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// A shell that removes everything when its input ends, which is when this process does. Signals of a
/// terminal don't reach it, since it is in a group of its own.
fn undertaker(programs: &Path, folder: &Path, user: Option<(u32, u32)>) -> io::Result<Child> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "cat >/dev/null; cd /; \"$1\" -D \"$2/data\" -m immediate stop >/dev/null 2>&1; rm -rf \"$2\""])
        .arg("sh")
        .arg(programs.join("pg_ctl"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some((uid, gid)) = user {
        shell.uid(uid).gid(gid);
    }
    shell.spawn()
}

/// Where PostgreSQL's programs are: the newest of Debian's places, or wherever PATH has them.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = debian.chain(std::env::split_paths(&path));
    places.find(|folder| {
        ["initdb", "pg_ctl", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}

/// Where this process is root: the user that the server runs as.
fn other_user() -> io::Result<Option<(u32, u32)>> {
    let own = tempfile::NamedTempFile::new()?;
    if std::os::unix::fs::MetadataExt::uid(&own.as_file().metadata()?) != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = ["postgres", "nobody"].iter().find_map(|name| ids(name));
    match user {
        Some(user) => Ok(Some(user)),
        None => Err(io::Error::other(
            "there is no user that PostgreSQL could run as",
        )),
    }
}
