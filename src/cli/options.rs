//! The options of `run`: as a person gives them, and as the runner takes them.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use super::global::Global;
use super::headings::{PACE, PATIENCE, SAFETY};
use crate::run::backoff::Backoff;
use crate::run::evidence::Rules;
use crate::run::{Options, Rollout, StartOrder, Tolerance, Tolerances, Witnesses};
use crate::time::{Hours, Window, Zone, parse_duration};
use crate::zomro::HistoryShape;

/// How a run works. Defaults are resolved later: a simulation has quicker ones.
#[derive(Debug, Clone, Default, Args)]
pub struct PaceArgs {
    /// Instances rebuilt at once, each counted from its submission until it works again [default: 8]
    #[arg(long, help_heading = PACE, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub workers: Option<u32>,

    /// API calls per second, all kinds together and evenly spaced; 0 for no limit [default: 1]
    #[arg(long, help_heading = PACE, value_name = "N", value_parser = parse_rate)]
    pub rate: Option<f64>,

    /// Start nothing that would not be back within these hours of the day, for example 01:00-05:00; what is left when they end is left (exit code 5)
    #[arg(long, help_heading = PACE, value_name = "FROM-TO")]
    pub window: Option<Hours>,

    /// The time zone of --window, for example Europe/Berlin [default: this machine's]
    #[arg(long, help_heading = PACE, hide_short_help = true, value_name = "NAME")]
    pub timezone: Option<Zone>,

    /// In which order instances start: `manifest`, `list` (the order of the account's list, which takes fewer calls to watch), or `auto`: the list's after the first --workers instances, where the manifest's would make the night more than 5 % longer [default: auto]
    #[arg(long, help_heading = PACE, hide_short_help = true, value_name = "ORDER")]
    pub order: Option<StartOrder>,

    /// End when every submission is accepted; a later run waits for the rebuilds
    #[arg(long, help_heading = PACE, hide_short_help = true)]
    pub no_wait: bool,

    /// Start with this many instances of each image, and with the others only when these are done and were seen to be
    #[arg(long, help_heading = SAFETY, value_name = "N", value_parser = parse_count)]
    pub canary: Option<NonZeroU32>,

    /// Never have more instances than this of one group (column `group`) down at once [default: 1]
    #[arg(long, help_heading = SAFETY, value_name = "N", value_parser = parse_count)]
    pub max_per_group: Option<NonZeroU32>,

    /// Halt when this many jobs, or this share of the batch, have failed or are in doubt; 100% for never [default: 20%]
    #[arg(long, help_heading = SAFETY, value_name = "N|P%")]
    pub max_failures: Option<Tolerance>,

    /// Halt when more instances than this, of the batch, are other than the order expects; 100% for never [default: 2%]
    #[arg(long, help_heading = SAFETY, hide_short_help = true, value_name = "N|P%")]
    pub max_mismatch: Option<Tolerance>,

    /// Never take the silence of the instance list for a proof that a submission was not executed; such doubts wait for `resolve`
    #[arg(long, help_heading = SAFETY, hide_short_help = true)]
    pub no_requeue: bool,

    /// Before a doubt is left to `resolve`, read what the API has noted of its service, in a function such as service.history: a hint that is shown with the doubt, and no proof. Behind it, separated by commas, stands what is other than time=changedate,text=desc,user=user,ip=ip, and rebuild=WORD for each word that tells a rebuild (rebuild, rebuilt, reinstall)
    #[arg(long, help_heading = SAFETY, hide_short_help = true, value_name = "FUNC[,KEY=NAME]")]
    pub history: Option<HistoryShape>,
    /// Never look at the instances' SSH ports: their host keys, read before and after without logging in, tell rebuilds that the instance list does not show
    #[arg(long, help_heading = SAFETY, hide_short_help = true)]
    pub no_witness: bool,

    /// Where instances answer SSH that have nothing in the column `ssh_port` [default: 22]
    #[arg(long, help_heading = SAFETY, hide_short_help = true, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ssh_port: Option<u16>,

    /// How often a submission is sent again that was proven not to be executed [default: 5]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "N")]
    pub retries: Option<u32>,

    /// Longest delay before the first retry; it doubles with each further one [default: 1s]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub backoff_initial: Option<Duration>,

    /// Longest delay before any retry [default: 60s]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub backoff_max: Option<Duration>,

    /// How long one API call may take [default: 60s]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub timeout: Option<Duration>,

    /// End with exit code 4 when the API has answered nothing but "slow down", or nothing at all, for this long [default: 30m]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub outage_timeout: Option<Duration>,

    /// How long a page of the account's instance list may go unread while an instance on it is due back and calls are to spare [default: 10s]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub poll_interval: Option<Duration>,

    /// How long at least the instance list is watched before a doubt is decided by what it shows [default: 5m]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub settle: Option<Duration>,

    /// Count an accepted rebuild as done when the instance list has shown nothing of it for this long [default: 10m]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub unseen_after: Option<Duration>,

    /// Put a rebuild in doubt when its instance does not work again after this long [default: 60m]
    #[arg(long, help_heading = PATIENCE, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub rebuild_timeout: Option<Duration>,
}

/// What is used where nothing was given.
struct Defaults {
    rate_per_s: f64,
    backoff_initial: Duration,
    backoff_max: Duration,
    timeout: Duration,
    outage_timeout: Duration,
    poll_interval: Duration,
    settle: Duration,
    unseen_after: Duration,
    rebuild_timeout: Duration,
}

/// How long one API call may take, unless it is said otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Where a machine answers SSH, unless it is said otherwise.
const SSH_PORT: u16 = 22;

/// How long the list may lag behind, unless it is said otherwise.
pub const SETTLE: Duration = Duration::from_mins(5);

/// How long a rebuild may take, unless it is said otherwise.
pub const REBUILD_TIMEOUT: Duration = Duration::from_hours(1);

const REAL: Defaults = Defaults {
    rate_per_s: 1.0,
    backoff_initial: Duration::from_secs(1),
    backoff_max: Duration::from_mins(1),
    timeout: REQUEST_TIMEOUT,
    outage_timeout: Duration::from_mins(30),
    poll_interval: Duration::from_secs(10),
    settle: SETTLE,
    unseen_after: Duration::from_mins(10),
    rebuild_timeout: REBUILD_TIMEOUT,
};

/// The simulator rebuilds in seconds.
const SIMULATED: Defaults = Defaults {
    rate_per_s: 50.0,
    backoff_initial: Duration::from_millis(200),
    backoff_max: Duration::from_secs(2),
    timeout: Duration::from_secs(2),
    outage_timeout: Duration::from_secs(20),
    poll_interval: Duration::from_millis(400),
    settle: Duration::from_secs(4),
    unseen_after: Duration::from_secs(8),
    rebuild_timeout: Duration::from_secs(30),
};

impl PaceArgs {
    /// What the runner takes, and the longest duration of one call.
    pub fn resolve(&self, simulated: bool) -> Result<(Options, Duration), CliError> {
        let defaults = if simulated { &SIMULATED } else { &REAL };
        let timeout = self.timeout.unwrap_or(defaults.timeout);
        let options = Options {
            workers: self.workers.unwrap_or(8) as usize,
            rate_per_s: self.rate.unwrap_or(defaults.rate_per_s),
            backoff: Backoff {
                initial: self.backoff_initial.unwrap_or(defaults.backoff_initial),
                max: self.backoff_max.unwrap_or(defaults.backoff_max),
            },
            outage_timeout: self.outage_timeout.unwrap_or(defaults.outage_timeout),
            rules: Rules {
                settle: self.settle.unwrap_or(defaults.settle),
                poll_interval: self.poll_interval.unwrap_or(defaults.poll_interval),
                unseen_after: self.unseen_after.unwrap_or(defaults.unseen_after),
                rebuild_timeout: self.rebuild_timeout.unwrap_or(defaults.rebuild_timeout),
                request_timeout: timeout,
                silence_counts: !self.no_requeue,
                hooks: false,
                retries: self.retries.unwrap_or(5),
            },
            tolerances: Tolerances {
                failures: self.max_failures.unwrap_or(Tolerance::Percent(20)),
                mismatches: self.max_mismatch.unwrap_or(Tolerance::Percent(2)),
            },
            rollout: self.rollout()?,
            witnesses: Witnesses {
                ssh_port: self.witness_port(simulated),
                history: self.history.clone(),
            },
            no_wait: self.no_wait,
            stale: false,
        };
        Ok((options, timeout))
    }

    /// Where instances are asked for their host keys; `None`: nowhere. Without a wait there is nothing to
    /// compare them with.
    fn witness_port(&self, simulated: bool) -> Option<u16> {
        let usual = if simulated { None } else { Some(SSH_PORT) };
        let port = self.ssh_port.or(usual);
        port.filter(|_| !self.no_witness && !self.no_wait)
    }

    /// Refuses clocks that were typed for no window; a default of the configuration waits for one.
    pub fn check_zone(&self, global: &Global) -> Result<(), CliError> {
        if global.configured.is_typed("timezone") && self.window.is_none() {
            return Err(CliError::Usage(
                "--timezone says whose clocks --window means, and there is no --window: give one, or leave the option out".to_owned(),
            ));
        }
        Ok(())
    }

    fn rollout(&self) -> Result<Rollout, CliError> {
        Ok(Rollout {
            canary: self.canary,
            max_per_group: self.max_per_group.unwrap_or(NonZeroU32::MIN),
            window: self.window()?,
            order: self.order.unwrap_or_default(),
        })
    }

    fn window(&self) -> Result<Option<Window>, CliError> {
        let Some(hours) = self.window else {
            return Ok(None);
        };
        let zone = match &self.timezone {
            Some(zone) => zone.clone(),
            None => Zone::system().map_err(|error| {
                CliError::Usage(format!(
                    "{error}: say with --timezone whose clocks --window {hours} means, for example --timezone Europe/Berlin"
                ))
            })?,
        };
        Ok(Some(Window { hours, zone }))
    }
}

/// Why a text is no number of instances.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("write a number of instances, 1 or more")]
pub(super) struct InvalidCount;

pub(super) fn parse_count(text: &str) -> Result<NonZeroU32, InvalidCount> {
    text.parse().map_err(|_| InvalidCount)
}

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("write a number of calls per second, 0 (no limit) up to 100000")]
pub(super) struct InvalidRate;

pub(super) fn parse_rate(text: &str) -> Result<f64, InvalidRate> {
    let rate: f64 = text.parse().map_err(|_| InvalidRate)?;
    // Below one call a day nothing would ever be done.
    let possible = rate == 0.0 || (1.0 / 86_400.0..=100_000.0).contains(&rate);
    possible.then_some(rate).ok_or(InvalidRate)
}

/// Why a text is no positive duration.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum InvalidPositive {
    #[error(transparent)]
    Duration(#[from] crate::time::InvalidDuration),
    #[error("must be more than zero, and at most 366d")]
    Range,
}

pub(super) fn parse_positive(text: &str) -> Result<Duration, InvalidPositive> {
    let duration = parse_duration(text)?;
    let possible = !duration.is_zero() && duration <= Duration::from_hours(366 * 24);
    possible.then_some(duration).ok_or(InvalidPositive::Range)
}
