//! Why a command ends without having done its work.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::conflict::{NAMED_MAX, listed, other_api, refusal};
use super::plan_fault::PlanFault;
use super::setup::SetupError;
use crate::cli::ended;
use crate::cli::words;
use crate::exit::Exit;
use crate::job::{Action, BatchId, Failure, Owner, ServiceId};
use crate::manifest::ManifestError;
use crate::progress::StartError;
use crate::queue::{Changes, Conflict, EnqueueError, OpenError, Precious, StoreError};
use crate::run::Halt;
use crate::zomro::{ClientError, EndpointError};
use crate::{log, text, time};

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("{}", with_source(.0))]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Open(OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows that concern services with a past.
    #[error("{}", refusal(*.action, .conflict))]
    Conflict {
        /// What was ordered.
        action: Action,
        conflict: Conflict,
    },
    #[error("the API's address cannot be used: {0}")]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The configuration, and the account that it names.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No way to log in.
    #[error("there are no credentials for the API")]
    NoCredentials,
    /// One half of a login.
    #[error("{0} is set, {1} is not")]
    HalfCredentials(&'static str, &'static str),
    /// A secret's file.
    #[error("cannot read the file that {variable} names: {}: {source}", path.display())]
    SecretFile {
        variable: String,
        path: PathBuf,
        source: io::Error,
    },
    /// A secret that is no text, or empty.
    #[error("{variable} is {what}")]
    BadSecret {
        variable: String,
        what: &'static str,
    },
    #[error("{}", with_source(.0))]
    Display(#[from] StartError),
    /// The question was not answered with yes.
    #[error("not confirmed: nothing was changed, nothing was sent")]
    NotConfirmed,
    /// To none of the instances this can be done.
    #[error(
        "none of these instances can be {} now: nothing was changed, nothing was sent",
        .0.terms().done
    )]
    NothingToSend(Action),
    /// `--max-wipes`
    #[error(
        "this orders {} to be {}, and --max-wipes allows {max}: nothing was queued, nothing was sent",
        words::instances(*.jobs), .action.terms().done
    )]
    TooMany { action: Action, jobs: u64, max: u64 },
    /// `--max-change`
    #[error("{}", too_different(.changes, *.percent))]
    TooDifferent { changes: Changes, percent: u8 },
    /// A document of the catalogue, or the rebuild form that tells what names stand for.
    #[error("the API does not tell {what}: {}", .failure.error)]
    Unanswered { what: String, failure: Failure },
    /// A plan by which a run may not go.
    #[error("the plan {}: {fault}; nothing was queued, nothing was sent", path.display())]
    Plan { path: PathBuf, fault: PlanFault },
    /// A plan of what is under way.
    #[error("batch {batch} of this manifest is open: a plan is for a new order")]
    PlanOfOpen {
        batch: BatchId,
        /// What goes on with it, without the program's name and options.
        run: String,
    },
    /// An account that is not the one of what is to be ordered: there is no batch yet.
    #[error("{meant} of account {theirs}, and {instead}; nothing was queued, nothing was sent")]
    NotItsAccount {
        /// What is another account's.
        meant: &'static str,
        theirs: Owner,
        /// What the API says of the session, in words.
        instead: String,
    },
    /// Nobody is there to be asked.
    #[error(
        "this {} {}, and {}: {}",
        .action.terms().costs, words::instances(*.instances), nobody_is_asked(), what_it_is(*.open)
    )]
    NobodyToAsk {
        /// What it would be.
        action: Action,
        /// How many it would be.
        instances: u64,
        /// The batch that would go on; `None`: it would be a new order.
        open: Option<BatchId>,
    },
    /// An open batch that was left alone for long.
    #[error("{}", stale(*.batch, *.touched_ms))]
    Stale {
        batch: BatchId,
        /// When a job of it last moved, as Unix time.
        touched_ms: i64,
    },
    /// An order by the clock, and the last one lies in the future.
    #[error(
        "the last order of this manifest, batch {batch}, is dated {}: that lies in the future",
        time::human(*.at_ms)
    )]
    FutureOrder {
        batch: BatchId,
        /// Its date, as Unix time.
        at_ms: i64,
    },
    /// A file that gives another access than the one that the order was made from.
    #[error(
        "this file gives another password, key or pin for {} of batch {batch} than {}, from which it was ordered",
        words::jobs(*.jobs), text::brief(.manifest, 200)
    )]
    OtherFile {
        batch: BatchId,
        /// The manifest that it was ordered from.
        manifest: String,
        /// Jobs that would take it.
        jobs: u64,
    },
    /// An open batch of the same path, with jobs that the sheet does not order (any more).
    #[error("{}", not_in_sheet(*.batch, .services))]
    NotInSheet {
        batch: BatchId,
        services: Vec<ServiceId>,
    },
    /// A run that would go on with an approved order outside of what was approved.
    #[error(
        "batch {batch} was ordered by plan {plan}, which holds {dropped}; this run would go on without that"
    )]
    OutOfPlan {
        batch: BatchId,
        plan: String,
        dropped: String,
        /// The command that goes on within it.
        go_on: String,
    },
    /// `run` without a manifest, and nothing unambiguous to go on with.
    #[error("{}", unfinished(.0))]
    WhichBatch(Vec<(BatchId, String)>),
    #[error("there is no batch {0} in this database")]
    NoSuchBatch(BatchId),
    /// A database without any batch.
    #[error("nothing was ever loaded into {}", .0.display())]
    NothingLoaded(PathBuf),
    /// Nothing was ever run but a rehearsal.
    #[error("there is no database at {}, only that of a simulation", path.display())]
    OnlyRehearsed {
        /// Where it would be.
        path: PathBuf,
        /// The simulation's.
        rehearsal: PathBuf,
    },
    /// A batch of another API.
    #[error("{}", other_api(*.batch, .theirs, .ours))]
    OtherApi {
        batch: BatchId,
        theirs: String,
        ours: String,
    },
    /// A service that no batch knows.
    #[error("service {0} is in no batch of this database")]
    NoSuchService(ServiceId),
    /// The account could not be read for the question.
    #[error("{halt}")]
    Account {
        /// What was to be done.
        action: Action,
        halt: Halt,
    },
    /// A file or stdout.
    #[error("cannot write {what}: {source}")]
    Output { what: String, source: io::Error },
    #[error("the simulator cannot run: {0}")]
    Simulator(io::Error),
    #[error("cannot start: {0}")]
    System(io::Error),
    /// `adopt`, sooner than what was sent with the other database has taken effect or is lost.
    #[error(
        "it is too early: what was sent with the other database may still take effect until {}",
        time::human(*.until_ms)
    )]
    AdoptedTooEarly {
        /// When it may be adopted, as Unix time.
        until_ms: i64,
    },
    /// Late words that can't be true together with the ledger.
    #[error("{}", .0.join("\n"))]
    Contradiction(Vec<String>),
    /// A path that nobody has expanded.
    #[error("{option}: {} {what}", without_login(path))]
    NotMeant {
        option: String,
        path: PathBuf,
        what: String,
    },
    /// A file that is worth more than what would be written over it.
    #[error("{option}: {} is {what}, and is not written over", path.display())]
    Precious {
        option: &'static str,
        path: PathBuf,
        what: Precious,
    },
    /// Options that do not go together.
    #[error("{0}")]
    Usage(String),
    /// What clap itself has to say: of a command line that it does not take, or the help that was asked for.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            other => Self::Open(other),
        }
    }
}

impl CliError {
    /// Why a manifest of `action` was not queued, or not taken for a batch.
    pub fn of_order(action: Action, error: EnqueueError<ManifestError>) -> Self {
        match error {
            EnqueueError::Rows(error) => error.into(),
            EnqueueError::Conflict(conflict) => Self::Conflict { action, conflict },
            EnqueueError::Store(error) => Self::Store(error),
        }
    }

    /// Why a run may not go on by its plan with an open batch of the manifest, with which `run` does.
    #[must_use]
    pub fn of_open(mut self, batch: BatchId, run: &str) -> Self {
        if let Self::Plan { fault, .. } = &mut self
            && let PlanFault::OtherRows { open, .. } = fault
        {
            *open = Some((batch, run.to_owned()));
        }
        self
    }

    /// Why what is `meant` may not be ordered, where that is another account's: there is no batch yet of
    /// which a halt could speak.
    #[must_use]
    pub fn before_the_order(self, meant: &'static str) -> Self {
        let Self::Account { halt, .. } = &self else {
            return self;
        };
        let (theirs, instead) = if let Halt::OtherAccount { theirs, ours } = halt {
            let ours = format!("the credentials are those of account {ours}");
            (theirs, ours)
        } else if let Halt::UnknownAccount { theirs, why } = halt {
            let nobody = format!("the API does not say whose this session is{why}");
            (theirs, nobody)
        } else {
            return self;
        };
        Self::NotItsAccount {
            meant,
            theirs: theirs.clone(),
            instead,
        }
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Open(error) => ended::of_opening(error),
            Self::Store(error) => ended::of_store(error),
            Self::Account { halt, .. } => ended::of_halt(halt),
            Self::Setup(error) => error.exit(),
            Self::Unanswered { failure, .. } => ended::of_reading(failure),
            Self::Output { .. } | Self::Simulator(_) | Self::System(_) => Exit::Storage,
            Self::Contradiction(_) => Exit::Bug,
            Self::CommandLine(error) if !error.use_stderr() => Exit::Done,
            Self::AdoptedTooEarly { .. } => Exit::Busy,
            Self::Manifest(_)
            | Self::Conflict { .. }
            | Self::Endpoint(_)
            | Self::Client(_)
            | Self::NoCredentials
            | Self::HalfCredentials(..)
            | Self::SecretFile { .. }
            | Self::BadSecret { .. }
            | Self::Display(_)
            | Self::NotConfirmed
            | Self::NothingToSend(_)
            | Self::TooMany { .. }
            | Self::Plan { .. }
            | Self::PlanOfOpen { .. }
            | Self::NotItsAccount { .. }
            | Self::TooDifferent { .. }
            | Self::NobodyToAsk { .. }
            | Self::Stale { .. }
            | Self::FutureOrder { .. }
            | Self::OtherFile { .. }
            | Self::NotInSheet { .. }
            | Self::OutOfPlan { .. }
            | Self::WhichBatch(_)
            | Self::NoSuchBatch(_)
            | Self::NothingLoaded(_)
            | Self::OnlyRehearsed { .. }
            | Self::OtherApi { .. }
            | Self::NoSuchService(_)
            | Self::NotMeant { .. }
            | Self::Precious { .. }
            | Self::CommandLine(_)
            | Self::Usage(_) => Exit::Usage,
        }
    }
}

/// Says that a batch was left alone for long, or that nobody can tell for how long.
fn stale(batch: BatchId, touched_ms: i64) -> String {
    let when = time::human(touched_ms);
    if touched_ms > time::now_ms() {
        format!(
            "batch {batch} is unfinished, and its last change is dated {when}: that lies in the future"
        )
    } else {
        format!("batch {batch} is unfinished, and nothing has happened in it since {when}")
    }
}

fn not_in_sheet(batch: BatchId, services: &[ServiceId]) -> String {
    let mut lines = format!(
        "batch {batch} of this file is unfinished, and still holds {} that the file does not order now:",
        words::jobs(services.len() as u64)
    );
    listed(&mut lines, services, |service| format!("service {service}"));
    lines
}

fn unfinished(batches: &[(BatchId, String)]) -> String {
    if batches.is_empty() {
        return "there is no unfinished batch".to_owned();
    }
    let mut lines = format!("{} batches are unfinished:", batches.len());
    for (batch, manifest) in batches.iter().take(NAMED_MAX) {
        let _ = write!(lines, "\n  batch {batch}: {}", text::brief(manifest, 100));
    }
    lines
}

/// A path as it was given; where it is an address, without the login that it may hold.
fn without_login(path: &Path) -> String {
    let text = path.to_string_lossy();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        (Some(_) | None, Some(_) | None) => text.into_owned(),
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn too_different(changes: &Changes, percent: u8) -> String {
    let Changes {
        last,
        services,
        added,
        other_image,
        gone,
    } = changes;
    let mut text = format!(
        "this order differs in {} from batch {last}, the last one of this manifest, which was for {services}: more than --max-change allows ({percent}%); nothing was queued, nothing was sent",
        words::services(changes.count())
    );
    for (what, services) in [
        ("new in it", added),
        ("with another image", other_image),
        ("not in it any more", gone),
    ] {
        if !services.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n  {what}: {} ({})",
                services.len(),
                words::named(services, NAMED_MAX)
            );
        }
    }
    text
}

/// Why no question is asked.
fn nobody_is_asked() -> &'static str {
    if log::is_json() {
        "with --log-format json nobody is asked"
    } else {
        "there is no terminal to ask on"
    }
}

/// Which order a run is about.
fn what_it_is(open: Option<BatchId>) -> String {
    match open {
        Some(batch) => format!("batch {batch} would go on"),
        None => "it would be a new order".to_owned(),
    }
}
