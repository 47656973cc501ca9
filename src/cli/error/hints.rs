//! What to do next about each error.

use std::path::{Path, PathBuf};

use super::conflict::NAMED_MAX;
use super::halt;
use super::kinds::CliError;
use super::storage::{open_hints, storage_hints};
use crate::cli::ended;
use crate::exit::Exit;
use crate::job::{Action, BatchId, Failure, ServiceId};
use crate::queue::{Conflict, no_database};
use crate::text;
use crate::zomro::ClientError;

/// What to do where a database belongs to another provider.
const OTHER_PROVIDER: &str = "give that address with --api-url or REFLEET_API_URL (another port, path or spelling of the same host will do); a really different provider needs a database of its own: --db";

/// What to do where no question is asked.
const NOBODY_TO_ASK: &str = "pass --yes once you are sure, or --plan with what was approved";

/// What to do about a date in the future.
const FUTURE: &str = "see to this machine's clock (`date`); if it is right now, it was wrong then: run it once with --again, which orders all of it now";

const TOO_DIFFERENT: &str = "was the sheet sorted, filtered, or replaced by an old one? `refleet plan` shows each difference; if all of them are meant, run it once without --max-change";

const OTHER_FILE: &str = "--update-access takes what this file says; `refleet run` without a manifest goes on with what was ordered";

/// What to do next, one line each.
pub fn hints(error: &CliError) -> Vec<String> {
    let hint = |text: &str| vec![text.to_owned()];
    match error {
        CliError::NoCredentials => hint(
            "set ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH with a session token; each also as …_FILE with a file's path; or write an account into config.toml",
        ),
        CliError::Setup(error) => error.hints(),
        CliError::HalfCredentials(_, missing) => vec![format!(
            "set {missing} too, or {missing}_FILE with a file's path"
        )],
        CliError::NothingToSend(_) => hint(
            "is it the right account? is a filter for the list set in the panel? --yes has the reason recorded for each of them",
        ),
        CliError::TooMany { jobs, .. } => vec![format!(
            "is it the right file? if all of them are meant, give --max-wipes {jobs}"
        )],
        CliError::TooDifferent { .. } => hint(TOO_DIFFERENT),
        CliError::Unanswered { failure, .. } => hint(unanswered_hint(failure)),
        CliError::Plan { fault, .. } => hint(&fault.hint()),
        CliError::PlanOfOpen { batch, run } => vec![format!(
            "`refleet {run}` goes on with it, as it was ordered; `refleet cancel --all --batch {batch}` gives up what has not started, and a sheet of those rows alone can be planned then"
        )],
        CliError::NotItsAccount { theirs, .. } => vec![format!(
            "give the credentials of account {} (ZOMRO_USERNAME and ZOMRO_PASSWORD, or ZOMRO_AUTH), or plan with these",
            theirs.id
        )],
        CliError::NobodyToAsk { .. } => hint(NOBODY_TO_ASK),
        CliError::Stale { batch, .. } => vec![format!(
            "its servers may be in use by now; look at `refleet status --batch {batch}`, then pass --stale to go on, or `refleet cancel --all --batch {batch}`",
        )],
        CliError::OtherFile { .. } => hint(OTHER_FILE),
        CliError::OutOfPlan { go_on, .. } => vec![format!(
            "`{go_on}` goes on within it, and so does --plan with its file; what is to be otherwise has to be typed"
        )],
        CliError::NotInSheet { batch, services } => vec![not_in_sheet_hint(*batch, services)],
        CliError::FutureOrder { .. } => hint(FUTURE),
        CliError::Conflict { action, conflict } => conflict_hints(*action, conflict),
        CliError::OnlyRehearsed { rehearsal, .. } => vec![format!(
            "for the simulation's, repeat it with --db {}",
            text::shell_path(rehearsal)
        )],
        CliError::WhichBatch(batches) if !batches.is_empty() => {
            hint("name the manifest of the one you mean")
        }
        CliError::WhichBatch(_) | CliError::NothingLoaded(_) => {
            hint("name a manifest: `refleet run fleet.csv`")
        }
        CliError::OtherApi { .. } => hint(OTHER_PROVIDER),
        CliError::Open(error) => open_hints(error),
        CliError::Store(error) => storage_hints(error),
        CliError::Account { action, halt } => halt::hint(halt, *action, "refleet", "", None),
        CliError::NoSuchBatch(_) | CliError::NoSuchService(_) => {
            hint("`refleet status` shows what is there")
        }
        CliError::Client(ClientError::Setup(_)) => {
            hint("install the system's CA certificates (for example the package ca-certificates)")
        }
        CliError::Client(
            ClientError::ProxyScheme { variable, .. } | ClientError::Proxy { variable },
        ) => {
            vec![format!(
                "name an http:// or https:// proxy (http://HOST:PORT), exempt the API with NO_PROXY, or unset {variable}"
            )]
        }
        CliError::NotMeant { path, .. } => not_meant_hint(path),
        CliError::Precious { .. } => hint(ANOTHER_FILE),
        CliError::Contradiction(_) => hint(TWO_WORDS),
        CliError::AdoptedTooEarly { .. } => hint(TOO_EARLY),
        CliError::Manifest(error) => error.hint().map_or_else(Vec::new, hint),
        CliError::Endpoint(_)
        | CliError::SecretFile { .. }
        | CliError::BadSecret { .. }
        | CliError::Display(_)
        | CliError::NotConfirmed
        | CliError::Output { .. }
        | CliError::Simulator(_)
        | CliError::System(_)
        | CliError::CommandLine(_)
        | CliError::Usage(_) => Vec::new(),
    }
}

const ANOTHER_FILE: &str =
    "name another file; one that is written each night, by its date: failed-$(date +%F).csv";

const TOO_EARLY: &str =
    "say it again then; `refleet adopt --wait --reason TEXT` waits for that by itself";

const TWO_WORDS: &str = "nothing was sent. See with `refleet show SERVICE_ID` what the ledger says of each, and in the account what stands there; the next run goes on by the ledger, and does not say it again";

/// What to do about jobs of an open batch that the sheet does not order.
fn not_in_sheet_hint(batch: BatchId, services: &[ServiceId]) -> String {
    // With so many, a command could name some of them only, and the rest would lead here again.
    if services.len() > NAMED_MAX {
        return format!(
            "`refleet cancel --all --batch {batch}` gives up all of the batch that has not started, and its doubts, so that this command orders anew what is due; `refleet run` without a manifest finishes the batch as it was ordered",
        );
    }
    let named: Vec<String> = services.iter().map(ToString::to_string).collect();
    format!(
        "`refleet cancel {} --batch {batch}` gives them up; `refleet run` without a manifest finishes the batch as it was ordered",
        named.join(" ")
    )
}

/// What to do where the API does not tell something.
fn unanswered_hint(failure: &Failure) -> &'static str {
    match ended::of_reading(failure) {
        Exit::Usage => "`refleet services` lists the account's instances; is it the right account?",
        Exit::Credentials => {
            "`refleet services` lists the account's instances; if this is one of them, this user lacks the right to it"
        }
        Exit::Blocked => {
            "blocks are temporary: wait a while, leave VPNs and shared addresses, lower --rate"
        }
        Exit::Done
        | Exit::Failed
        | Exit::InDoubt
        | Exit::Outage
        | Exit::Window
        | Exit::Budget
        | Exit::Bug
        | Exit::Storage
        | Exit::Busy
        | Exit::Interrupted
        | Exit::Terminated => "try again later; nothing was changed",
    }
}

/// What to do about rows of an order of `action` that concern services with a past.
fn conflict_hints(action: Action, conflict: &Conflict) -> Vec<String> {
    let terms = action.terms();
    let already_done = || {
        format!(
            "--skip-done queues only the rest, --again {} all of them once more",
            terms.does
        )
    };
    match conflict {
        Conflict::OtherProvider { sent: true, .. } => vec![OTHER_PROVIDER.to_owned()],
        Conflict::OtherProvider { batch, .. } => vec![
            OTHER_PROVIDER.to_owned(),
            format!(
                "nothing was sent there: `refleet cancel --all --batch {batch}` gives that order up"
            ),
        ],
        Conflict::Live(live) => {
            let (service, batch) = live.first().map_or_else(Default::default, |live| {
                (live.service.to_string(), live.batch.to_string())
            });
            vec![format!(
                "finish that batch (`refleet status --batch {batch}` says how), settle its doubts (`refleet resolve {service} --batch {batch} --as WORD --reason TEXT`: done, requeue or failed), or take these services out of it (`refleet cancel {service} --batch {batch}`)",
            )]
        }
        Conflict::Touched {
            touched,
            already_done: done,
        } => {
            let service = touched
                .first()
                .map_or_else(String::new, |touched| touched.service.to_string());
            let mut hints = vec![format!(
                "`refleet show {service}` tells what happened; take their rows out of the manifest, or pass --wiped to {} them once more",
                terms.touch
            )];
            if *done > 0 {
                hints.push(already_done());
            }
            hints
        }
        Conflict::AlreadyDone(_) => vec![already_done()],
        Conflict::Future(_) => vec![FUTURE.to_owned()],
        Conflict::Undatable(_) => vec![format!(
            "the clock was behind then, or ahead before, so that they may have been {} less long ago than --every asks for; see to it (`date`), and when they are due, run it once with --again, which orders all of it now",
            terms.touched
        )],
    }
}

/// `hint`, with `command` wherever it says how to call refleet.
pub fn typed(hint: &str, command: &str) -> String {
    hint.replace("`refleet ", &format!("`{command} "))
}

/// What was probably meant by a path that nobody has expanded.
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
