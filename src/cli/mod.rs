//! The command line: one file per command.
//!
//! The one fact to know: nothing is printed outside this module and `progress`; results go to
//! stdout, everything a person is told goes to stderr, and every way a command can end has its
//! exit code in [`exit`].

mod access;
mod adopt;
mod batches;
mod check;
mod confirm;
mod credentials;
mod error;
pub mod exit;
mod files;
mod halt;
mod list;
mod load;
mod options;
mod order;
mod output;
mod pager;
mod report;
mod resolve;
mod run;
mod sheet;
mod show;
mod signals;
pub mod simulate;
mod status;
mod targets;
mod verify;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::progress::Verbosity;
use crate::zomro::Endpoint;
use error::CliError;

/// What `refleet --help` ends with.
const AFTER_HELP: &str = "\
Credentials come from the environment, never from an argument:
  ZOMRO_USERNAME and ZOMRO_PASSWORD   log in, and renew the session when it ends
  ZOMRO_AUTH                          a session token that somebody else opened;
                                      not used where the two above are set
  Each also as …_FILE with the path of a file that holds it.

Examples:
  refleet check fleet.csv                  validate, show the plan, send nothing
  refleet run fleet.csv --simulate --yes   rehearse, nothing real is touched
  refleet run fleet.csv                    rebuild; run it again to resume
  refleet report --output results.csv

Exit codes:
  0 all done   1 some failed   2 invalid input, nothing sent   3 some in doubt
  4 halted by an outage: run again   6 by the failure budget: look into it
  7 credentials refused   8 address blocked
  70 a bug   74 database not writable   75 busy
  130, 143 interrupted: run again to resume";

/// Where the API is, unless it is said otherwise.
const API_URL: &str = "https://api.zomro.com/";

/// Options of every command stand apart from its own.
const GLOBAL: &str = "Global options";

/// Rebuild a whole fleet of Zomro Cloud VPS instances from a spreadsheet.
///
/// A rebuild destroys all data on the instance. refleet may be killed at any moment, on a network
/// that fails in any way, and afterwards it still knows which instances were wiped, which were not,
/// and which are in doubt; and it never wipes one twice on its own guess.
#[derive(Debug, Parser)]
#[command(name = "refleet", version, after_help = AFTER_HELP, max_term_width = 100)]
// Of an option that is given twice the last one counts, as aliases and wrappers expect.
#[command(args_override_self = true)]
struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Database with the queue and the ledger [default: `$XDG_STATE_HOME/refleet/refleet.db`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_DB", value_name = "PATH")]
    db: Option<PathBuf>,

    /// Address of the API [default: `https://api.zomro.com/`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_API_URL", value_name = "URL")]
    api_url: Option<String>,

    /// Tell more: every step; twice and thrice: what goes over the wire, without secrets
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    verbose: u8,

    /// Tell nothing but what needs a human
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    quiet: bool,
}

// What each one does is said at its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Check(check::CheckArgs),
    Load(load::LoadArgs),
    Status(status::StatusArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Retry(resolve::RetryArgs),
    Resolve(resolve::ResolveArgs),
    Cancel(resolve::CancelArgs),
    Report(report::ReportArgs),
    Verify(verify::VerifyArgs),
    Adopt(adopt::AdoptArgs),
    Simulate(Box<simulate::SimulateCommand>),
}

impl Command {
    /// How to call refleet on the same queue again.
    fn command(&self, global: &Global) -> String {
        if let Self::Run(args) = self
            && args.simulate
            && let Ok(database) = global.database(options::SIMULATION_DATABASE)
        {
            return global.command(Some(&database));
        }
        global.command(None)
    }
}

impl Global {
    /// The database: what was given, else the state folder's.
    fn database(&self, file: &str) -> Result<PathBuf, CliError> {
        if let Some(path) = &self.db {
            return Ok(path.clone());
        }
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local/state")))
            .ok_or_else(|| {
                CliError::Usage(
                    "neither HOME nor XDG_STATE_HOME is set: say with --db where the database is"
                        .to_owned(),
                )
            })?;
        Ok(state.join("refleet").join(file))
    }

    fn endpoint(&self) -> Result<Endpoint, CliError> {
        Ok(Endpoint::parse(self.api_url.as_deref().unwrap_or(API_URL))?)
    }

    fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// How to call refleet on the same queue again, for hints. `database`: that of a simulation,
    /// which has its own API too.
    fn command(&self, database: Option<&Path>) -> String {
        let mut command = "refleet".to_owned();
        if let Some(path) = database.or(self.db.as_deref()) {
            command.push_str(" --db ");
            command.push_str(&crate::text::shell_word(&path.to_string_lossy()));
        }
        // An address that cannot be used may hold a password.
        if self.api_url.is_some()
            && database.is_none()
            && let Ok(endpoint) = self.endpoint()
        {
            command.push_str(" --api-url ");
            command.push_str(&crate::text::shell_word(&endpoint.to_string()));
        }
        command
    }
}

/// Parses the arguments, carries out the command, and says how it ended.
pub fn main() -> ExitCode {
    keep_memory_private();
    let cli = Cli::parse_from(arguments());
    start_log(&cli.global);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no message");
        output::tell(&format!(
            "error: a bug in refleet, at {place}: {}\nhint: please report it; run again to resume, the ledger is intact\n",
            crate::text::brief(what, 300)
        ));
    }));
    let command = cli.command.command(&cli.global);
    let ended = std::panic::catch_unwind(|| carry_out(cli));
    match ended {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => {
            output::tell_prose(&error.render(&command));
            ExitCode::from(error.exit_code())
        }
        Err(_) => ExitCode::from(exit::BUG),
    }
}

/// The arguments. `refleet help --help` asks for what `refleet help` shows: clap takes the option
/// there for the name of a command.
fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|command| command == "help") {
        arguments.retain(|argument| argument != "--help" && argument != "-h");
    }
    arguments
}

/// This process holds passwords: it leaves no core dump, and other processes of the same user may
/// neither attach to it nor read its memory and its environment.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // Where the kernel knows no such thing there is nothing to be done, and nothing is lost by going on.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// How many tasks are polled before the runtime looks for other news. tokio's own 61 calls would
/// keep a run's loop from the answer of the database for a millisecond.
const TASKS_PER_TURN: u32 = 8;

fn carry_out(cli: Cli) -> Result<u8, CliError> {
    let Cli { global, command } = cli;
    files::check(&global, &command)?;
    let mut builder = match &command {
        Command::Simulate(_) => tokio::runtime::Builder::new_multi_thread(),
        // SQLite and the display have threads of their own; one for all the rest is quicker than
        // several that wake each other.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .event_interval(TASKS_PER_TURN)
        .build()
        .map_err(CliError::System)?;
    let code = runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(&global, &args).await,
            Command::Check(args) => check::check(&global, &args),
            Command::Load(args) => load::load(&global, &args).await,
            Command::Status(args) => status::status(&global, &args).await,
            Command::List(args) => list::list(&global, &args).await,
            Command::Show(args) => show::show(&global, &args).await,
            Command::Retry(args) => resolve::retry(&global, &args).await,
            Command::Resolve(args) => resolve::resolve(&global, &args).await,
            Command::Cancel(args) => resolve::cancel(&global, &args).await,
            Command::Report(args) => report::report(&global, &args).await,
            Command::Verify(args) => verify::verify(&global, &args).await,
            Command::Adopt(args) => adopt::adopt(&global, &args).await,
            Command::Simulate(args) => simulate::run(&args).await,
        }
    });
    // A reader of a pipe or a name look-up that hangs must not keep the process.
    runtime.shutdown_background();
    code
}

/// The log for those who look into the wire: `-vv`, `-vvv`. It never holds a secret.
fn start_log(global: &Global) {
    let level = match global.verbose {
        0 | 1 => return,
        2 => "refleet=debug",
        _ => "refleet=trace,reqwest=debug,hyper_util=debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would complain on stderr that stderr is gone, and panic.
        .log_internal_errors(false)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// What an option of this kind may be given, in the order of trial.
    const VALUES: &[&str] = &[
        "7",
        "3",
        "0.5",
        "0.25",
        "2s",
        "1m",
        "127.0.0.1:1",
        "http://127.0.0.1:1/",
        "auto",
        "none",
        "table",
        "json",
        "done",
        "failed",
        "dropped",
        "lost",
        "a.csv",
        "b.csv",
    ];

    /// Two values that `option` takes on this command line.
    fn two_values(line: &[String], option: &str) -> Option<[String; 2]> {
        let possible = |value: &&str| {
            let line = line.iter().cloned().chain([format!("{option}={value}")]);
            Cli::try_parse_from(line).is_ok()
        };
        let mut taken = VALUES.iter().copied().filter(possible);
        let first = taken.next()?;
        Some([first, taken.next().unwrap_or(first)].map(str::to_owned))
    }

    #[test]
    fn of_an_option_that_is_given_twice_the_last_one_counts() {
        // DESIGN section 9; field case E10.
        let mut tree = Cli::command();
        tree.build();
        let mut tried = 0;
        for command in tree
            .get_subcommands()
            .filter(|command| command.get_name() != "help")
        {
            let mut line = vec!["refleet".to_owned(), command.get_name().to_owned()];
            match command.get_name() {
                "check" | "load" | "run" => line.push("fleet.csv".to_owned()),
                "show" => line.push("5113119".to_owned()),
                _ => {}
            }
            for argument in command.get_arguments() {
                let Some(name) = argument.get_long() else {
                    continue;
                };
                // An option that may be repeated collects what it is given.
                if ["help", "version"].contains(&name)
                    || matches!(argument.get_action(), ArgAction::Append)
                {
                    continue;
                }
                let option = format!("--{name}");
                let mut line = line.clone();
                // What these ask for besides.
                let others: &[&str] = match command.get_name() {
                    "resolve" => &["--all", "--as=failed"],
                    "retry" => &["--failed"],
                    "cancel" => &["--all"],
                    _ => &[],
                };
                let required = command
                    .get_arguments()
                    .filter(|other| other.is_required_set());
                let reason = required.filter_map(|other| other.get_long());
                let reason = reason.filter(|name| *name == "reason");
                let others = others.iter().map(ToString::to_string);
                let others = others.chain(reason.map(|name| format!("--{name}=seen")));
                line.extend(others.filter(|other| !other.starts_with(&option)));
                tried += 1;
                if !argument.get_action().takes_values() {
                    line.push(option.clone());
                    // Some flags exclude those that the line has already.
                    if Cli::try_parse_from(&line).is_ok() {
                        line.push(option.clone());
                        let parsed = Cli::try_parse_from(&line);
                        assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
                    }
                    continue;
                }
                // Some go with another one only.
                let values = two_values(&line, &option).or_else(|| {
                    line.push("--simulate".to_owned());
                    two_values(&line, &option)
                });
                let [first, last] = values.unwrap_or_else(|| panic!("no value: {line:?} {option}"));
                line.extend([format!("{option}={first}"), format!("{option}={last}")]);
                let matches = Cli::command().try_get_matches_from(&line);
                let matches = matches.unwrap_or_else(|error| panic!("{line:?}: {error}"));
                let (_, matches) = matches.subcommand().unwrap();
                let mut values = matches.get_raw(argument.get_id().as_str()).unwrap();
                assert_eq!(values.len(), 1, "{line:?}");
                assert_eq!(values.next_back().unwrap(), last.as_str(), "{line:?}");
            }
        }
        assert!(tried > 60, "{tried}");
    }

    #[test]
    fn of_two_manifests_none_is_taken() {
        for command in ["run", "load", "check"] {
            let line = ["refleet", command, "one.csv", "two.csv"];
            assert!(Cli::try_parse_from(line).is_err(), "{command}");
        }
    }
}
