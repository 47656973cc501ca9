//! The simulated account, as the command line describes it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::faults::FaultArgs;
use crate::job::ServiceId;
use crate::simulator::{Config, FleetRow, ImageAt};
use crate::time::parse_duration;

/// The vendor's own example of a service id.
pub const FIRST_SERVICE: i64 = 5_113_119;

const SERVICES_MAX: i64 = 1_000_000;

/// Run the API simulator on loopback.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address to listen on, loopback only; port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Instances to invent, beside those of a manifest, as a number or as the first and the last service id
    #[arg(long, value_name = "N|FIRST..LAST", value_parser = parse_services)]
    pub services: Option<Services>,

    /// Rows of one page of the list
    #[arg(long, value_name = "ROWS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub page_size: u32,

    /// Time from the acceptance of a rebuild until its status shows it
    #[arg(long, value_name = "DURATION", default_value = "300ms", value_parser = parse_duration)]
    pub accept_lag: Duration,

    /// How long a rebuild then takes, 30 % more or less
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub rebuild_duration: Duration,

    /// Show the new image's name once a rebuild is accepted, not only when it has ended
    #[arg(long)]
    pub image_at_accept: bool,

    /// Age of the instance list that a call gets
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub list_lag: Duration,

    /// How long each call takes
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub latency: Duration,

    /// How long a session may stay unused before it is forgotten
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub session_ttl: Duration,

    /// The account's id, as `whoami` names it; an empty one: it names nobody
    #[arg(long, value_name = "ID")]
    pub account_id: Option<String>,

    /// A session token that exists from the start, for `ZOMRO_AUTH` (the simulator's, no secret)
    #[arg(long, value_name = "TOKEN")]
    pub session: Option<String>,

    /// Ask every session for this one-time code
    #[arg(long, value_name = "CODE", conflicts_with = "session")]
    pub totp: Option<String>,

    /// Open no session: each call has to carry name and password (`ZOMRO_LOGIN=authinfo`)
    #[arg(long, conflicts_with_all = ["session", "totp"])]
    pub authinfo_only: bool,

    /// Let all instances answer by SSH at this port, each at its own address; 0 takes any free port
    ///
    /// Their host keys are new after each rebuild. Root logs in with the password of the last one, if that had
    /// one. Commands are recorded, and answered as if they had succeeded.
    #[arg(long, value_name = "PORT")]
    pub ssh_port: Option<u16>,

    /// File that keeps what happened; a simulator started with it again goes on from there
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    #[command(flatten)]
    pub faults: FaultArgs,
}

impl SimulateArgs {
    /// The account they describe; `fleet`: the rows of a manifest, which are known to it.
    pub fn config(&self, fleet: impl IntoIterator<Item = FleetRow>) -> Config {
        let invented = self.services.iter().flat_map(Services::rows);
        let usual = Config::for_fleet(fleet.into_iter().chain(invented));
        Config {
            account: match &self.account_id {
                Some(id) => Some(id.clone()).filter(|id| !id.is_empty()),
                None => usual.account,
            },
            page_size: self.page_size as usize,
            accept_lag: self.accept_lag,
            rebuild_duration: self.rebuild_duration,
            image_at: if self.image_at_accept {
                ImageAt::Accept
            } else {
                ImageAt::End
            },
            list_lag: self.list_lag,
            latency: self.latency,
            session_ttl: self.session_ttl,
            session: self.session.clone(),
            code: self.totp.clone(),
            authinfo_only: self.authinfo_only,
            faults: self.faults.plan(),
            odd: self.faults.oddities(),
            ssh_port: self.ssh_port,
            journal: self.journal.clone(),
            ..usual
        }
    }
}

/// Service ids to invent instances for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    pub first: i64,
    pub last: i64,
}

impl Services {
    fn rows(&self) -> impl Iterator<Item = FleetRow> + use<> {
        Config::example_rows((self.first..=self.last).filter_map(ServiceId::new))
    }
}

/// Why a text names no services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a number like 100, or the first and the last id like 5113119..5113218; at most {SERVICES_MAX} services"
)]
pub struct InvalidServices;

pub fn parse_services(text: &str) -> Result<Services, InvalidServices> {
    let services = if let Some((first, last)) = text.split_once("..") {
        let id = |text: &str| text.parse::<ServiceId>().map_err(|_| InvalidServices);
        Services {
            first: id(first)?.get(),
            last: id(last)?.get(),
        }
    } else {
        let count: u32 = text.parse().map_err(|_| InvalidServices)?;
        Services {
            first: FIRST_SERVICE,
            last: FIRST_SERVICE + i64::from(count) - 1,
        }
    };
    let count = services.last.saturating_sub(services.first);
    if (0..SERVICES_MAX).contains(&count) {
        Ok(services)
    } else {
        Err(InvalidServices)
    }
}
