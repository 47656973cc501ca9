//! The queue on a PostgreSQL server, which the bench makes for itself: what the cases need of it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::cluster::Cluster;
use crate::place::{self, Place, ended, refleet};

/// As much as Debian's own configuration gives it.
const SHARED_BUFFERS: &str = "128MB";

/// The server; `None`, said once: PostgreSQL is not installed.
pub fn server() -> Option<&'static Cluster> {
    static SERVER: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = || Cluster::start_in(&place::parent().ok()?, SHARED_BUFFERS);
    SERVER.get_or_init(start).as_ref()
}

/// A queue in an empty database of the server, which goes with it.
pub struct Shared {
    server: &'static Cluster,
    /// As `--db` takes it.
    pub address: PathBuf,
}

impl Shared {
    pub fn new(server: &'static Cluster) -> Self {
        let address = server.database("template0").into();
        Self { server, address }
    }

    /// One with `rows` rows in it.
    pub fn loaded(
        server: &'static Cluster,
        place: &Place,
        rows: usize,
        url: &str,
    ) -> io::Result<Self> {
        let shared = Self::new(server);
        shared.load(place, rows, url)?;
        Ok(shared)
    }

    /// Queues `rows` rows, and says how long that took.
    pub fn load(&self, place: &Place, rows: usize, url: &str) -> io::Result<Duration> {
        let manifest = place.manifest(rows)?;
        Ok(ended(refleet(&self.address, url).arg("load").arg(manifest))?.elapsed)
    }

    fn name(&self) -> String {
        let name = self.address.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// What a superuser is told for `statement`.
    pub fn ask(&self, statement: &str) -> String {
        self.server.sql(&self.name(), statement)
    }

    /// The same as a number.
    pub fn number(&self, statement: &str) -> io::Result<f64> {
        self.ask(statement).parse().map_err(io::Error::other)
    }

    /// Transactions so far that were committed.
    pub fn commits(&self) -> io::Result<f64> {
        self.number("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    }

    /// How long psql takes to copy `manifest` into a table without an index.
    pub fn copy(&self, manifest: &Path) -> io::Result<Duration> {
        self.ask("CREATE TABLE public.bare (service_id text, image text, zone text, password text, ssh_key text, note text)");
        let manifest = manifest.display();
        let copy = format!("\\copy public.bare FROM '{manifest}' CSV HEADER");
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-h", "127.0.0.1", "-U", "postgres"])
            .args(["-p", &self.server.port().to_string()])
            .args(["-d", &self.name(), "-c", &copy]);
        Ok(ended(&mut psql)?.elapsed)
    }

    /// How many rows a second one connection inserts that commits each of them.
    pub fn bare_commits(&self) -> Result<f64, Box<dyn Error>> {
        const FOR: Duration = Duration::from_secs(1);
        let address = self.address.to_string_lossy();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&address).await?;
            connection
                .execute("CREATE SCHEMA bare CREATE TABLE commit (number bigint)")
                .await?;
            let began = Instant::now();
            let mut commits = 0.0;
            while began.elapsed() < FOR {
                let insert = sqlx::query("INSERT INTO bare.commit VALUES ($1)");
                insert.bind(1_i64).execute(&mut connection).await?;
                commits += 1.0;
            }
            Ok(commits / began.elapsed().as_secs_f64())
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name());
        self.server.sql("postgres", &drop);
    }
}
