//! The command line, with what `config.toml` says behind it.
//!
//! The one fact to know: what the file gives becomes clap's own default of an option. So an option of
//! the command line and a variable count before it, and a value of the file is parsed, and refused,
//! exactly as one that was typed.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::arguments::{Cli, Command};
use super::error::{CliError, SetupError};
use super::global::{Configured, Global, Typed};
use super::headings::SIMULATION;
use super::output::tell_prose;
use super::paths::check_meant;
use super::plan;
use crate::config::{self, Account, Config, Found, Given, KnownOption, Takes};
use crate::progress::Verbosity;

/// The command whose options a file may give.
const RUN: &str = "run";

/// Options of the command line alone.
const NO_KEYS: [&str; 7] = [
    "help",
    "version",
    "config",
    "account",
    "db",
    "api-url",
    // What is wrong with the file is told in it.
    "log-format",
];

/// What an operator says of one order.
const OF_ONE_ORDER: [&str; 10] = [
    "yes",
    "plan",
    "again",
    "every",
    "wiped",
    "stale",
    "order-only",
    "update-access",
    // What nobody sees is wiped by it.
    "include-hidden",
    // As a default it would shut out plans and pins, and a flag can't be taken back.
    "no-wait",
];
const NO_DEFAULT: &str =
    "is an operator's word on one order, and no default: give it on the command line";

const OF_A_REHEARSAL: &str = "belongs to a rehearsal: give it on the command line";

/// Whether a command works with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Not even the file is read.
    Nothing,
    /// One that was named, or the only one.
    Perhaps,
    One,
}

impl Need {
    fn of(cli: &Cli) -> Self {
        match &cli.command {
            Command::Simulate(_) | Command::Completions(_) | Command::Man(_) => Self::Nothing,
            Command::Check(_) => Self::Perhaps,
            // Of a plan that was written, only the file is read.
            Command::Plan(args) if plan::is_plan(&args.manifest) => Self::Perhaps,
            // Of several, none named: for all of them.
            Command::Work(_) => Self::Perhaps,
            Command::Run(_)
            | Command::Plan(_)
            | Command::Load(_)
            | Command::Services(_)
            | Command::Images(_)
            | Command::Keys(_)
            | Command::Config(_) => Self::One,
            // Of all accounts, none is chosen.
            Command::Status(args) if args.all => Self::Perhaps,
            Command::Status(_)
            | Command::List(_)
            | Command::Show(_)
            | Command::Retry(_)
            | Command::Resolve(_)
            | Command::Cancel(_)
            | Command::Pause(_)
            | Command::Go(_)
            | Command::Set(_)
            | Command::Drain(_)
            | Command::Hooks(_)
            | Command::Report(_)
            | Command::Verify(_)
            | Command::Adopt(_)
            | Command::Hosts(_) => {
                // They read the account's queue, and nothing else of it.
                if cli.global.db.is_some() {
                    Self::Perhaps
                } else {
                    Self::One
                }
            }
        }
    }
}

/// Parses the command line, and adds what the configuration says of its account.
pub fn parse(arguments: &[OsString]) -> Result<Cli, CliError> {
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let need = Need::of(&cli);
    if need == Need::Nothing {
        return Ok(cli);
    }
    let Some(config) = read(&cli.global)? else {
        if let Some(name) = cli.global.account {
            let error = SetupError::NoSuchAccount {
                name,
                path: None,
                names: Vec::new(),
            };
            return Err(error.into());
        }
        cli.global.configured.typed = typed_options(&matches);
        return Ok(cli);
    };
    let account = choose(&config, cli.global.account.as_deref(), need)?.cloned();
    cli = match &account {
        Some(account) => with_defaults(arguments, &matches, account)?,
        None => cli,
    };
    cli.global.configured = Configured {
        file: Some(Arc::new(config)),
        account: account.map(Arc::new),
        typed: typed_options(&matches),
    };
    put_environment_aside(&mut cli.global);
    Ok(cli)
}

/// The command line as it would be with `--account` and the name of `account` in it, for a service that works
/// for several: what the environment says of a login and of an API is then another one's.
pub fn as_if_typed(global: &Global, account: &Account) -> Result<Cli, CliError> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = Cli::command().try_get_matches_from(&arguments)?;
    let mut cli = with_defaults(&arguments, &matches, account)?;
    let mut configured = global.configured.clone();
    configured.account = Some(Arc::new(account.clone()));
    configured.typed.push(Typed {
        name: "account".to_owned(),
        values: vec![account.name.clone()],
    });
    cli.global.account = Some(account.name.clone());
    cli.global.db.clone_from(&global.db);
    if account.api_url.is_some() && !configured.is_typed("api-url") {
        cli.global.api_url = None;
    }
    cli.global.configured = configured;
    cli.global.watch = global.watch.clone();
    cli.global.systemd = global.systemd.clone();
    Ok(cli)
}

/// The options that were typed.
fn typed_options(matches: &ArgMatches) -> Vec<Typed> {
    // Those of every command are among those of the one that was called.
    let Some((_, mut matches)) = matches.subcommand() else {
        return Vec::new();
    };
    while let Some((_, of_command)) = matches.subcommand() {
        matches = of_command;
    }
    let ids = matches.ids().map(clap::Id::as_str);
    let typed = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
    let values = |id| {
        let values = matches.get_raw(id).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned())
    };
    typed
        .map(|id| Typed {
            name: id.replace('_', "-"),
            values: values(id).collect(),
        })
        .collect()
}

/// An account that was typed counts before what the environment says of another one's queue and API:
/// its login must never meet them. Where it names no API, `Global::endpoint` refuses that of the
/// environment, since the usual one may be just what was not meant.
fn put_environment_aside(global: &mut Global) {
    let Some(account) = global.configured.account.clone() else {
        return;
    };
    if !global.configured.is_typed("account") {
        return;
    }
    let mut unused = Vec::new();
    if !global.configured.is_typed("db") && global.db.take().is_some() {
        unused.push("REFLEET_DB");
    }
    let has_address = account.api_url.is_some() && !global.configured.is_typed("api-url");
    if has_address && global.api_url.take().is_some() {
        unused.push("REFLEET_API_URL");
    }
    if !unused.is_empty() && global.verbosity() != Verbosity::Quiet {
        let is = if unused.len() == 1 { "is" } else { "are" };
        tell_prose(&format!(
            "{} {is} not used: --account {} has its own, and counts before the environment\n",
            unused.join(" and "),
            account.name
        ));
    }
}

/// The file that was named, or that is there.
fn read(global: &Global) -> Result<Option<Config>, CliError> {
    let path = match &global.config {
        Some(path) => {
            check_meant("--config or REFLEET_CONFIG", path)?;
            path.clone()
        }
        None => match config::search() {
            Some(Found::File(path)) => path,
            Some(Found::Closed(path)) => {
                if global.verbosity() != Verbosity::Quiet {
                    tell_prose(&format!(
                        "{} is not for this user to read, and is left out\n",
                        path.display()
                    ));
                }
                return Ok(None);
            }
            None => return Ok(None),
        },
    };
    let known = known_options();
    let refused = |given: &Given| {
        let words = given
            .iter()
            .flat_map(|(name, values)| typed(name, values, &known));
        refused(words.collect())
    };
    let options = config::Options {
        known: &known,
        refused: &refused,
    };
    let config = config::read(&path, options).map_err(SetupError::from)?;
    Ok(Some(config))
}

/// The account that was named, or the only one.
fn choose<'a>(
    config: &'a Config,
    name: Option<&str>,
    need: Need,
) -> Result<Option<&'a Account>, SetupError> {
    let names = || {
        let names = config.accounts.iter().map(|account| account.name.clone());
        names.collect()
    };
    if let Some(name) = name {
        let account = config.account(name);
        return account.map(Some).ok_or_else(|| SetupError::NoSuchAccount {
            name: name.to_owned(),
            path: Some(config.path.clone()),
            names: names(),
        });
    }
    match config.accounts.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ if need == Need::Perhaps => Ok(None),
        _ => Err(SetupError::WhichAccount {
            path: config.path.clone(),
            names: names(),
        }),
    }
}

/// The options of which a file may give defaults.
pub fn known_options() -> Vec<KnownOption> {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand(RUN);
    run.into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(known)
        .collect()
}

fn known(argument: &Arg) -> Option<KnownOption> {
    let name = argument.get_long().filter(|name| !NO_KEYS.contains(name))?;
    let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let takes = match argument.get_action() {
        ArgAction::Append => Takes::Many,
        ArgAction::Set if is_path => Takes::Path,
        ArgAction::Set => Takes::One,
        _ => Takes::Nothing,
    };
    let is_rehearsal = name == "simulate" || argument.get_help_heading() == Some(SIMULATION);
    let refused = if OF_ONE_ORDER.contains(&name) {
        Some(NO_DEFAULT)
    } else {
        is_rehearsal.then_some(OF_A_REHEARSAL)
    };
    Some(KnownOption {
        name: name.to_owned(),
        takes,
        refused,
    })
}

/// An option of the file as it would be typed.
fn typed(name: &str, values: &[String], known: &[KnownOption]) -> Vec<String> {
    let is_flag = known
        .iter()
        .any(|known| known.name == name && known.takes == Takes::Nothing);
    match values {
        [on] if is_flag && on == "true" => vec![format!("--{name}")],
        _ if is_flag => Vec::new(),
        values => {
            let words = values.iter().map(|value| format!("--{name}={value}"));
            words.collect()
        }
    }
}

/// Why clap refuses these options of a run.
fn refused(options: Vec<String>) -> Option<String> {
    let words = ["refleet", RUN, "manifest.csv"].map(str::to_owned);
    let error = Cli::command()
        .try_get_matches_from(words.into_iter().chain(options))
        .err()?;
    let text = error.to_string();
    // What follows is on how to call refleet.
    let what = text.split("\n\n").next().unwrap_or_default();
    Some(what.trim_start_matches("error: ").to_owned())
}

/// Parses the command line once more, with the account's options for defaults.
fn with_defaults(
    arguments: &[OsString],
    matches: &ArgMatches,
    account: &Account,
) -> Result<Cli, CliError> {
    let Some((name, given)) = matches.subcommand() else {
        return Ok(Cli::from_arg_matches(matches)?);
    };
    let mut built = Cli::command();
    built.build();
    let Some(built) = built.find_subcommand(name) else {
        return Ok(Cli::from_arg_matches(matches)?);
    };
    let mut command = Cli::command();
    for default in &account.options {
        let Some(argument) = built
            .get_arguments()
            .find(|argument| argument.get_long() == Some(&default.name))
        else {
            continue; // this command has no such option
        };
        if gives_way(built, argument, given) {
            continue;
        }
        let id = argument.get_id().clone();
        // A flag that may be repeated counts.
        let counts = matches!(argument.get_action(), ArgAction::Count);
        let values = default.values.iter().map(|value| match value.as_str() {
            "true" if counts => "1".to_owned(),
            "false" if counts => "0".to_owned(),
            _ => value.clone(),
        });
        let set = |argument: Arg| argument.default_values(values);
        command = if argument.is_global_set() {
            command.mut_arg(id, set)
        } else {
            command.mut_subcommand(name, |command| command.mut_arg(id, set))
        };
    }
    let matches = command.try_get_matches_from(arguments)?;
    Ok(Cli::from_arg_matches(&matches)?)
}

/// The operator gave an option that excludes this one.
fn gives_way(command: &clap::Command, argument: &Arg, given: &ArgMatches) -> bool {
    let is_given = |other: &Arg| {
        matches!(
            given.value_source(other.get_id().as_str()),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    let excludes = |one: &Arg, other: &Arg| {
        command
            .get_arg_conflicts_with(one)
            .iter()
            .any(|conflict| conflict.get_id() == other.get_id())
    };
    command
        .get_arguments()
        .filter(|other| is_given(other))
        .any(|other| excludes(argument, other) || excludes(other, argument))
}
