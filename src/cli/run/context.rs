//! Where the work of a run is, and who does it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::RunArgs;
use super::pools::Pools;
use crate::cli::connect::{client, connect};
use crate::cli::credentials::Access;
use crate::cli::error::CliError;
use crate::cli::global::{DATABASE, Global, SIMULATION_DATABASE};
use crate::cli::lookup::Resolved;
use crate::cli::manifest;
use crate::cli::next::{self, SIMULATION};
use crate::cli::plan::PlanFile;
use crate::cli::question::Pager;
use crate::cli::recorded::Repeated;
use crate::cli::simulate;
use crate::job::Action;
use crate::manifest::Source;
use crate::queue::{self, Location, OpenError, QueueLock, Side, StoreError};
use crate::run::Options;
use crate::run::hosts::Keeper;
use crate::simulator::{Config, Simulator};
use crate::zomro::{Client, Credentials, Endpoint, Sources};

/// What the command was called with, and what that came to.
pub struct Invocation<'a> {
    pub global: &'a Global,
    pub args: &'a RunArgs,
    /// `None`: the unfinished batch is worked on.
    pub manifest: Option<&'a Resolved>,
    /// What somebody has approved.
    pub plan: Option<&'a PlanFile>,
    /// The service that does it, if one does.
    pub service: Option<OfService<'a>>,
    /// Who carries out the hooks.
    pub pools: &'a Pools,
    pub context: &'a RunContext,
}

/// A service, which works on one order after the other, and may work for many accounts at once.
#[derive(Clone, Copy)]
pub struct OfService<'a> {
    /// What is typed to go on: `work`, with its options.
    pub again: &'a str,
    /// Who renews the leases of all its runs.
    pub keeper: &'a Keeper,
    /// Other runs write to the same screen.
    pub is_one_of_many: bool,
}

impl Invocation<'_> {
    /// How to call refleet on this run's database again.
    pub fn command(&self) -> String {
        let own_database = self.is_simulated().then(|| self.context.database.shown());
        self.global.command(own_database.as_deref())
    }

    /// What follows [`command`](Self::command) to go on with this run's batch of `action`. A simulation
    /// needs its manifest: the simulated account is made of it.
    pub fn resume_command(&self, action: Action) -> String {
        if let Some(service) = self.service {
            return service.again.to_owned();
        }
        match &self.args.manifest {
            Some(path) if self.is_simulated() => {
                let yes = if self.args.yes { " --yes" } else { "" };
                let run = manifest::run(action, path);
                let sheet = next::line(&self.context.repeated.sheet);
                format!("{run}{sheet} --simulate{yes}")
            }
            _ => "run".to_owned(),
        }
    }

    /// Other runs of this process write to the same screen.
    pub fn is_one_of_many(&self) -> bool {
        self.service.is_some_and(|service| service.is_one_of_many)
    }

    /// Nothing real is touched.
    pub fn is_simulated(&self) -> bool {
        self.context.simulator.is_some()
    }
}

/// Where the work is, and who does it.
pub struct RunContext {
    pub database: Location,
    /// Whose API it is.
    pub provider: String,
    /// As the batch knows the API's address.
    pub api_url: String,
    pub client: Client,
    pub simulator: Option<Simulator>,
    pub options: Options,
    /// What the next run of the batch needs as well.
    pub repeated: Repeated,
    pub pager: Pager,
}

impl RunContext {
    /// `source`: the manifest, of which a simulated account is made.
    pub async fn new(
        global: &Global,
        args: &RunArgs,
        source: Option<&Source>,
    ) -> Result<Self, CliError> {
        if args.simulate {
            Self::simulated(global, args, source).await
        } else {
            Self::real(global, args).await
        }
    }

    async fn real(global: &Global, args: &RunArgs) -> Result<Self, CliError> {
        if args.faults.is_odd() {
            return Err(CliError::Usage(
                "--fault-rate and --odd need --simulate: faults are only simulated".to_owned(),
            ));
        }
        args.pace.check_zone(global)?;
        let endpoint = global.endpoint()?;
        let (options, timeout) = options(args)?;
        Ok(Self {
            repeated: Repeated::of(&global.configured.typed, &options),
            database: global.database(DATABASE)?,
            provider: endpoint.provider(),
            api_url: endpoint.to_string(),
            client: connect(global, timeout).await?,
            simulator: None,
            options,
            pager: Pager::default(),
        })
    }

    async fn simulated(
        global: &Global,
        args: &RunArgs,
        source: Option<&Source>,
    ) -> Result<Self, CliError> {
        args.pace.check_zone(global)?;
        if global.api_url.is_some() {
            return Err(CliError::Usage(
                "--simulate brings its own API: leave --api-url and REFLEET_API_URL away"
                    .to_owned(),
            ));
        }
        let rows = source.map(simulate::rows).transpose()?.unwrap_or_default();
        // Its journal lies beside the file itself, not beside a link.
        let given = global.database(SIMULATION_DATABASE)?;
        let Some(given) = given.file() else {
            return Err(CliError::Usage(
                "--simulate keeps its queue and its instances in files: leave --db and REFLEET_DB away, or name a file".to_owned(),
            ));
        };
        let database = queue::resolve(given).map_err(OpenError::from)?;
        let config = Config {
            faults: args.faults.plan(),
            odd: args.faults.oddities(),
            ssh_port: Simulator::has_ssh().then_some(0),
            journal: journal(&database)?,
            ..Config::for_fleet(rows)
        };
        let access = Access {
            credentials: Credentials::Login {
                username: config.username.clone(),
                password: config.password.clone().into(),
            },
            sources: Sources::default(),
        };
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(config, any_port).await.map_err(|error| {
            match QueueLock::holder(&database) {
                Some(holder) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    CliError::Store(StoreError::Locked(holder))
                }
                _ => CliError::Simulator(error),
            }
        })?;
        let (mut options, timeout) = options(args)?;
        if !args.pace.no_witness && !args.pace.no_wait {
            options.witnesses.ssh_port = args.pace.ssh_port.or(simulator.ssh_port());
        }
        let endpoint = Endpoint::parse(simulator.url())?;
        Ok(Self {
            database: Location::File(database),
            provider: SIMULATION.to_owned(),
            api_url: SIMULATION.to_owned(),
            client: client(global, endpoint, access, timeout)?,
            simulator: Some(simulator),
            repeated: Repeated::of(&global.configured.typed, &options),
            options,
            pager: Pager::default(),
        })
    }
}

/// What the run takes, and the longest duration of one call.
fn options(args: &RunArgs) -> Result<(Options, Duration), CliError> {
    let (options, timeout) = args.pace.resolve(args.simulate)?;
    let options = Options {
        stale: args.stale,
        ..options
    };
    Ok((options, timeout))
}

/// What the simulated instances have been through, kept beside the database so that a rehearsal
/// can be interrupted and resumed like the real thing. A new database begins with new instances.
fn journal(database: &Path) -> Result<Option<PathBuf>, CliError> {
    if database.is_dir() {
        return Ok(None); // the queue will say so; nothing is to be left beside it
    }
    let path = Side::Simulation.beside(database);
    if let Some(folder) = database.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(CliError::Simulator)?;
    }
    if !database.exists() {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::Simulator(error));
            }
            _ => {}
        }
    }
    Ok(Some(path))
}
