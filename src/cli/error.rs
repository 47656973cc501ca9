//! What a person is told when a command cannot do its work: what, where, and what to do next.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::{exit, halt, output};
use crate::job::{BatchId, ServiceId};
use crate::manifest::ManifestError;
use crate::progress::StartError;
use crate::queue::{Conflict, EnqueueError, Precious, QueueError, no_database};
use crate::run::Halt;
use crate::text;
use crate::time;
use crate::zomro::{ClientError, EndpointError};

/// Services that are named before the rest is only counted.
const NAMED_MAX: usize = 20;

/// What to do where a database belongs to another provider.
const OTHER_PROVIDER: &str = "give that address with --api-url or REFLEET_API_URL (another port, path or spelling of the same host will do); a really different provider needs a database of its own: --db";

/// What to do about services that have the image already.
const ALREADY_DONE: &str =
    "--skip-done queues only the rest, --again rebuilds all of them once more";

/// What to do about a date in the future.
const FUTURE: &str = "see to this machine's clock (`date`); if it is right now, it was wrong then: run it once with --again, which orders all of it now";

/// What to do about a date that may be too old.
const UNDATABLE: &str = "the clock was behind then, or ahead before, so that they may have been wiped less long ago than --every asks for; see to it (`date`), and when they are due, run it once with --again, which orders all of it now";

/// Why a command ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The manifest.
    #[error("{}", with_source(.0))]
    Manifest(#[from] ManifestError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Rows that concern services with a past.
    #[error("{}", conflict(.0))]
    Conflict(Conflict),
    /// `--api-url`.
    #[error("the API's address cannot be used: {0}")]
    Endpoint(#[from] EndpointError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No way to log in.
    #[error("there are no credentials for the API")]
    NoCredentials,
    /// One half of a login.
    #[error("{0} is set, {1} is not")]
    HalfCredentials(&'static str, &'static str),
    /// A secret's file.
    #[error("cannot read the file that {variable} names: {}: {source}", path.display())]
    SecretFile {
        /// The environment variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret that is no text, or empty.
    #[error("{variable} is {what}")]
    BadSecret {
        /// The environment variable.
        variable: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The display.
    #[error("{}", with_source(.0))]
    Display(#[from] StartError),
    /// The question was not answered with yes.
    #[error("not confirmed: nothing was changed, nothing was sent")]
    NotConfirmed,
    /// None of the instances can be rebuilt.
    #[error("none of these instances can be rebuilt now: nothing was changed, nothing was sent")]
    NothingToSend,
    /// Nobody is there to be asked.
    #[error("this destroys {instances} instances, and there is no terminal to ask on")]
    NobodyToAsk {
        /// Instances that would be rebuilt.
        instances: u64,
    },
    /// An open batch that was left alone for long.
    #[error("{}", stale(*.batch, *.touched_ms))]
    Stale {
        /// The batch.
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
        /// The order.
        batch: BatchId,
        /// Its date, as Unix time.
        at_ms: i64,
    },
    /// A file that gives another access than the one that the order was made from.
    #[error(
        "this file gives another password or key for {} of batch {batch} than {}, from which it was ordered",
        output::jobs(*.jobs), text::brief(.manifest, 200)
    )]
    OtherFile {
        /// The batch.
        batch: BatchId,
        /// The manifest that it was ordered from.
        manifest: String,
        /// Jobs that would take it.
        jobs: u64,
    },
    /// An open batch of the same path, with jobs that the sheet does not order (any more).
    #[error("{}", not_in_sheet(*.batch, .services))]
    NotInSheet {
        /// The batch.
        batch: BatchId,
        /// The jobs' services.
        services: Vec<ServiceId>,
    },
    /// `run` without a manifest, and nothing unambiguous to go on with.
    #[error("{}", unfinished(.0))]
    WhichBatch(Vec<(BatchId, String)>),
    /// A batch that does not exist.
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
        /// The batch.
        batch: BatchId,
        /// Its API.
        theirs: String,
        /// The one given.
        ours: String,
    },
    /// A service that no batch knows.
    #[error("service {0} is in no batch of this database")]
    NoSuchService(ServiceId),
    /// The account could not be read for the question.
    #[error("{0}")]
    Account(Halt),
    /// A file or stdout.
    #[error("cannot write {what}: {source}")]
    Output {
        /// What was to be written.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The simulator.
    #[error("the simulator cannot run: {0}")]
    Simulator(io::Error),
    /// The operating system.
    #[error("cannot start: {0}")]
    System(io::Error),
    /// A path that nobody has expanded.
    #[error("{option}: {} {what}", without_login(path))]
    NotMeant {
        /// Where it was given.
        option: String,
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file that is worth more than what would be written over it.
    #[error("{option}: {} is {what}, and is not written over", path.display())]
    Precious {
        /// Where it was given.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Precious,
    },
    /// Options that do not go together.
    #[error("{0}")]
    Usage(String),
}

impl From<EnqueueError<ManifestError>> for CliError {
    fn from(error: EnqueueError<ManifestError>) -> Self {
        match error {
            EnqueueError::Rows(error) => error.into(),
            EnqueueError::Conflict(conflict) => Self::Conflict(conflict),
            EnqueueError::Queue(error) => Self::Queue(error),
        }
    }
}

impl CliError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Queue(error) => exit::of_queue(error),
            Self::Account(halt) => exit::of_halt(halt),
            Self::Output { .. } | Self::Simulator(_) | Self::System(_) => exit::STORAGE,
            Self::Manifest(_)
            | Self::Conflict(_)
            | Self::Endpoint(_)
            | Self::Client(_)
            | Self::NoCredentials
            | Self::HalfCredentials(..)
            | Self::SecretFile { .. }
            | Self::BadSecret { .. }
            | Self::Display(_)
            | Self::NotConfirmed
            | Self::NothingToSend
            | Self::NobodyToAsk { .. }
            | Self::Stale { .. }
            | Self::FutureOrder { .. }
            | Self::OtherFile { .. }
            | Self::NotInSheet { .. }
            | Self::WhichBatch(_)
            | Self::NoSuchBatch(_)
            | Self::NothingLoaded(_)
            | Self::OnlyRehearsed { .. }
            | Self::OtherApi { .. }
            | Self::NoSuchService(_)
            | Self::NotMeant { .. }
            | Self::Precious { .. }
            | Self::Usage(_) => exit::USAGE,
        }
    }

    /// What to do next, one line each.
    pub fn hints(&self) -> Vec<String> {
        let hint = |text: &str| vec![text.to_owned()];
        match self {
            Self::NoCredentials => hint(
                "set ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH with a session token; each also as …_FILE with a file's path",
            ),
            Self::HalfCredentials(_, missing) => vec![format!(
                "set {missing} too, or {missing}_FILE with a file's path"
            )],
            Self::NothingToSend => hint(
                "is it the right account? is a filter for the list set in the panel? --yes has the reason recorded for each of them",
            ),
            Self::NobodyToAsk { .. } => hint("pass --yes once you are sure"),
            Self::Stale { batch, .. } => vec![format!(
                "its servers may be in use by now; look at `refleet status --batch {batch}`, then pass --stale to go on, or `refleet cancel --all --batch {batch}`",
            )],
            Self::OtherFile { .. } => hint(
                "--update-access takes what this file says; `refleet run` without a manifest goes on with what was ordered",
            ),
            // A command that names some of them only would lead here again.
            Self::NotInSheet { batch, services } if services.len() > NAMED_MAX => vec![format!(
                "`refleet cancel --all --batch {batch}` gives up all of the batch that has not started, and its doubts, so that this command orders anew what is due; `refleet run` without a manifest finishes the batch as it was ordered",
            )],
            Self::NotInSheet { batch, services } => {
                let named: Vec<String> = services.iter().map(ToString::to_string).collect();
                vec![format!(
                    "`refleet cancel {} --batch {batch}` gives them up; `refleet run` without a manifest finishes the batch as it was ordered",
                    named.join(" ")
                )]
            }
            Self::FutureOrder { .. } | Self::Conflict(Conflict::Future(_)) => hint(FUTURE),
            Self::Conflict(Conflict::Undatable(_)) => hint(UNDATABLE),
            Self::OnlyRehearsed { rehearsal, .. } => vec![format!(
                "for the simulation's, repeat it with --db {}",
                text::shell_word(&rehearsal.to_string_lossy())
            )],
            Self::WhichBatch(batches) if !batches.is_empty() => {
                hint("name the manifest of the one you mean")
            }
            Self::WhichBatch(_) | Self::NothingLoaded(_) => {
                hint("name a manifest: `refleet run fleet.csv`")
            }
            Self::OtherApi { .. } | Self::Conflict(Conflict::OtherProvider { sent: true, .. }) => {
                hint(OTHER_PROVIDER)
            }
            Self::Conflict(Conflict::OtherProvider { batch, .. }) => vec![
                OTHER_PROVIDER.to_owned(),
                format!(
                    "nothing was sent there: `refleet cancel --all --batch {batch}` gives that order up"
                ),
            ],
            Self::Conflict(Conflict::Live(live)) => {
                let (service, batch) = live
                    .first()
                    .map_or_else(Default::default, |(service, batch, _)| {
                        (service.to_string(), batch.to_string())
                    });
                vec![format!(
                    "finish that batch (`refleet run` with its manifest), settle its doubts (`refleet resolve {service} --batch {batch} --as done|requeue|failed --reason TEXT`), or take these services out of it (`refleet cancel {service} --batch {batch}`)",
                )]
            }
            Self::Conflict(Conflict::Touched {
                touched,
                already_done,
            }) => {
                let service = touched
                    .first()
                    .map_or_else(String::new, |touched| touched.service.to_string());
                let mut hints = vec![format!(
                    "`refleet show {service}` tells what happened; take their rows out of the manifest, or pass --wiped to wipe them once more"
                )];
                if *already_done > 0 {
                    hints.push(ALREADY_DONE.to_owned());
                }
                hints
            }
            Self::Conflict(Conflict::AlreadyDone(_)) => hint(ALREADY_DONE),
            Self::Queue(error) => queue_hints(error),
            Self::Account(why) => hint(&halt::hint(why, "refleet")),
            Self::NoSuchBatch(_) | Self::NoSuchService(_) => {
                hint("`refleet status` shows what is there")
            }
            Self::Client(ClientError::Setup(_)) => hint(
                "install the system's CA certificates (for example the package ca-certificates)",
            ),
            Self::Client(
                ClientError::ProxyScheme { variable, .. } | ClientError::Proxy { variable },
            ) => {
                vec![format!(
                    "name an http:// or https:// proxy (http://HOST:PORT), exempt the API with NO_PROXY, or unset {variable}"
                )]
            }
            Self::NotMeant { path, .. } => not_meant_hint(path),
            Self::Precious { .. } => hint("name another file"),
            Self::Manifest(error) => error.hint().map_or_else(Vec::new, hint),
            Self::Endpoint(_)
            | Self::SecretFile { .. }
            | Self::BadSecret { .. }
            | Self::Display(_)
            | Self::NotConfirmed
            | Self::Output { .. }
            | Self::Simulator(_)
            | Self::System(_)
            | Self::Usage(_) => Vec::new(),
        }
    }

    /// The whole text for stderr, ending with a line feed. `command`: how to call refleet on this
    /// very queue again ([`super::Global::command`]); it stands in each hint that can be typed.
    pub fn render(&self, command: &str) -> String {
        if let Self::Manifest(ManifestError::Faults(faults)) = self {
            return faults.to_string();
        }
        let message = self.to_string();
        let mut lines = String::new();
        for (index, line) in message.trim_end().lines().enumerate() {
            lines.push_str(if index == 0 { "error: " } else { "" });
            lines.push_str(&text::printable(line));
            lines.push('\n');
        }
        for hint in self.hints() {
            lines.push_str("hint: ");
            lines.push_str(&text::printable(&typed(&hint, command)));
            lines.push('\n');
        }
        lines
    }
}

/// `hint`, with `command` wherever it says how to call refleet.
pub fn typed(hint: &str, command: &str) -> String {
    hint.replace("`refleet ", &format!("`{command} "))
}

/// What to do about a queue's fault, one line each. Never another database: it would know nothing
/// of what was wiped.
pub fn queue_hints(error: &QueueError) -> Vec<String> {
    let hint = match error {
        QueueError::Unfit(unfit) => return unfit.remedies(),
        QueueError::NotFound { .. } => {
            "`refleet run MANIFEST` creates it; is --db or REFLEET_DB right?"
        }
        QueueError::Foreign { .. } => "is --db or REFLEET_DB right?",
        QueueError::Unusable { .. } => {
            "see to that, and try again: what was wiped is known to this database alone"
        }
        QueueError::Newer { .. } => "use the version of refleet that has written it",
        QueueError::Older { .. } => "`refleet run` or `refleet load` brings it up to date",
        QueueError::Locked(_) => "wait until it has ended; `refleet status` shows how far it is",
        QueueError::Busy => "close whatever else has it open (a sqlite3 shell?) and try again",
        QueueError::Storage { .. } => {
            "nothing more was sent; see to the disk, then run again: nothing is repeated"
        }
        QueueError::Bug(_) => "please report this; nothing more was sent, and the ledger is intact",
    };
    vec![hint.to_owned()]
}

/// What was probably meant by a path that nobody has expanded.
/// A path as it was given; where it is an address, without the login that it may hold.
fn without_login(path: &Path) -> String {
    let text = path.to_string_lossy();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        (Some(_) | None, Some(_) | None) => text.into_owned(),
    }
}

fn not_meant_hint(path: &Path) -> Vec<String> {
    let whole = "write the whole path, from the / on: only a shell expands ~ and variables, and only outside quotes";
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let text = path.to_string_lossy();
    let behind = ["~/", "$HOME/", "${HOME}/", "%h/"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    match (home, behind) {
        (Some(home), Some(behind)) => vec![format!(
            "{whole}; here that is {}",
            text::shell_word(&home.join(behind).to_string_lossy())
        )],
        (Some(_) | None, None) if no_database(path).is_some() => {
            vec!["name the file itself, by its whole path, from the / on".to_owned()]
        }
        (Some(_) | None, Some(_) | None) => vec![whole.to_owned()],
    }
}

fn conflict(conflict: &Conflict) -> String {
    match conflict {
        Conflict::OtherProvider {
            batch,
            theirs,
            ours,
            ..
        } => other_api(*batch, theirs, ours),
        Conflict::AlreadyDone(count) => already_done(*count),
        Conflict::Touched {
            touched,
            already_done: done,
        } => {
            let mut lines = match touched.len() {
                1 => "one of these services was, or may have been, wiped by an order that did not end well:".to_owned(),
                count => format!("{count} of these services were, or may have been, wiped by orders that did not end well:"),
            };
            listed(&mut lines, touched, |touched| {
                format!(
                    "service {} (batch {}: {}, executed={})",
                    touched.service, touched.batch, touched.state, touched.executed
                )
            });
            if *done > 0 {
                let _ = write!(lines, "\n{}", already_done(*done));
            }
            lines
        }
        Conflict::Future(services) => {
            let mut lines = match services.len() {
                1 => "the last submission of one of these services lies in the future:".to_owned(),
                count => {
                    format!("the last submission of {count} of these services lies in the future:")
                }
            };
            listed(&mut lines, services, |(service, at_ms)| {
                format!("service {service} ({})", time::human(*at_ms))
            });
            lines
        }
        Conflict::Undatable(services) => {
            let mut lines = match services.len() {
                1 => "nobody can tell how long ago one of these services was last submitted, since this machine's clock went back before:".to_owned(),
                count => format!("nobody can tell how long ago {count} of these services were last submitted, since this machine's clock went back before:"),
            };
            listed(&mut lines, services, |it| {
                format!(
                    "service {} (batch {}: dated {}, after the clock had gone from {} back to {})",
                    it.service,
                    it.batch,
                    time::human(it.dated_ms),
                    time::human(it.from_ms),
                    time::human(it.to_ms)
                )
            });
            lines
        }
        Conflict::Live(live) => {
            let mut lines = match live.len() {
                1 => "one of these services is still live in another batch:".to_owned(),
                count => format!("{count} of these services are still live in another batch:"),
            };
            listed(&mut lines, live, |(service, batch, held)| {
                let state = if *held { ", held in doubt" } else { "" };
                format!("service {service} (batch {batch}{state})")
            });
            lines
        }
    }
}

/// Adds a line for each of the first `items`, and the number of the rest.
fn listed<T>(lines: &mut String, items: &[T], line: impl Fn(&T) -> String) {
    // Writing to a String cannot fail.
    for item in items.iter().take(NAMED_MAX) {
        let _ = write!(lines, "\n  {}", line(item));
    }
    if items.len() > NAMED_MAX {
        let _ = write!(lines, "\n  … and {} more", items.len() - NAMED_MAX);
    }
}

fn already_done(count: u64) -> String {
    match count {
        1 => "one of these services already got this image by an earlier manifest".to_owned(),
        count => format!("{count} of these services already got this image by an earlier manifest"),
    }
}

/// Says that a batch was left alone for long, or that nobody can tell for how long.
pub fn stale(batch: BatchId, touched_ms: i64) -> String {
    let when = time::human(touched_ms);
    if touched_ms > time::now_ms() {
        format!(
            "batch {batch} is unfinished, and its last change is dated {when}: that lies in the future"
        )
    } else {
        format!("batch {batch} is unfinished, and nothing has happened in it since {when}")
    }
}

fn other_api(batch: BatchId, theirs: &str, ours: &str) -> String {
    format!("batch {batch} of this database belongs to {theirs}, and the API given is {ours}")
}

fn not_in_sheet(batch: BatchId, services: &[ServiceId]) -> String {
    let mut lines = format!(
        "batch {batch} of this file is unfinished, and still holds {} that the file does not order now:",
        output::jobs(services.len() as u64)
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

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
