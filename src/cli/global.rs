//! Options of every command.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::error::{CliError, SetupError};
use super::headings::GLOBAL;
use super::systemd::Systemd;
use crate::config::{self, Account, Config};
use crate::monitor::Watch;
use crate::progress::Verbosity;
use crate::queue::Location;
use crate::text;
use crate::time::parse_duration;
use crate::zomro::{AccountField, Endpoint};

/// The database's file in the state folder.
pub const DATABASE: &str = "refleet.db";
/// The same for `--simulate`: rehearsals never touch the real one.
pub const SIMULATION_DATABASE: &str = "simulation.db";

/// Where the API is, unless it is said otherwise.
pub const API_URL: &str = "https://api.zomro.com/";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// File with the accounts [default: `~/.config/refleet/config.toml`, else `/etc/refleet/config.toml`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_CONFIG", hide_short_help = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Account of that file to work with [default: its only one]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_ACCOUNT", value_name = "NAME")]
    pub account: Option<String>,

    /// Database with the queue and the ledger: a file, or `postgres://USER@HOST/NAME` [default: `$XDG_STATE_HOME/refleet/refleet.db`; of an account, `…/NAME.db`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_DB", value_name = "PATH|URL")]
    pub db: Option<PathBuf>,

    /// Address of the API [default: `https://api.zomro.com/`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_API_URL", hide_short_help = true, value_name = "URL")]
    pub api_url: Option<String>,

    /// Where `whoami` names the account: the nodes below `doc`
    #[arg(
        long,
        global = true,
        hide = true,
        env = "REFLEET_ACCOUNT_FIELD",
        value_name = "PATH",
        default_value = "user.$id"
    )]
    pub account_field: AccountField,

    /// How long the lease of an account lasts that is not renewed, on a PostgreSQL server
    #[arg(
        long,
        global = true,
        hide = true,
        env = "REFLEET_LEASE",
        value_name = "DURATION",
        value_parser = parse_duration,
        default_value = "60s"
    )]
    pub lease: Duration,

    /// How this machine is called, on a PostgreSQL server [default: as its system calls it]
    #[arg(
        long,
        global = true,
        hide = true,
        env = "REFLEET_HOST",
        value_name = "NAME"
    )]
    pub host: Option<String>,

    /// Print every step; given twice or three times, also what goes over the wire, without secrets
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print only what needs a human
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    quiet: bool,

    /// How everything that is told on standard error is written; `json`: one object a line, and no question is asked
    #[arg(long, global = true, help_heading = GLOBAL, hide_short_help = true, env = "REFLEET_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// What the configuration adds; `configured` fills it in.
    #[arg(skip)]
    pub configured: Configured,

    /// Who is told how it stands; `start` fills it in.
    #[arg(skip)]
    pub watch: Watch,

    /// Who has started this process, and wants to hear of it; `start` fills it in.
    #[arg(skip)]
    pub systemd: Systemd,
}

/// How what is told on stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl LogFormat {
    /// As the command line and the environment say before anybody has parsed them: what is wrong with them
    /// is told in it, too.
    pub fn foreseen(arguments: &[OsString]) -> Self {
        let named = |value: &OsStr| Self::from_str(&value.to_string_lossy(), false).ok();
        let options = arguments.iter().take_while(|argument| *argument != "--");
        let options: Vec<&OsString> = options.collect();
        let mut typed = options.iter().enumerate().filter_map(|(nth, option)| {
            if *option == "--log-format" {
                return options.get(nth + 1).map(|value| (*value).clone());
            }
            let value = option.to_str()?.strip_prefix("--log-format=")?;
            Some(value.into())
        });
        let of_environment = || std::env::var_os("REFLEET_LOG_FORMAT");
        let given = typed.next_back().or_else(of_environment);
        given.as_deref().and_then(named).unwrap_or_default()
    }
}

/// What the configuration adds to the options of every command.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    /// The file that was read.
    pub file: Option<Arc<Config>>,
    /// The account that the command works with.
    pub account: Option<Arc<Account>>,
    /// The options that were typed, and so count before the environment and the file.
    pub typed: Vec<Typed>,
}

/// An option as it was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Its long name.
    pub name: String,
    /// What was typed behind it.
    pub values: Vec<String>,
}

impl Configured {
    /// The account, and the file in which it stands.
    pub fn account(&self) -> Option<(&Config, &Account)> {
        Some((self.file.as_deref()?, self.account.as_deref()?))
    }

    /// The option of this long name was typed. One that has a value all the same has it from the
    /// environment or the file.
    pub fn is_typed(&self, option: &str) -> bool {
        self.typed.iter().any(|typed| typed.name == option)
    }
}

impl Global {
    /// The database: what was given, else the state folder's.
    pub fn database(&self, file: &str) -> Result<Location, CliError> {
        if let Some(given) = &self.db {
            return Ok(self.held(location(given)?));
        }
        // A rehearsal has its own, whichever account it rehearses for.
        let account = self.configured.account.as_ref();
        let account = account.filter(|_| file == DATABASE);
        if let Some(db) = account.and_then(|account| account.db.as_ref()) {
            return Ok(self.held(location(&db.value)?));
        }
        let file = account.map_or(file.to_owned(), |account| format!("{}.db", account.name));
        let state = config::own_folder("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
            CliError::Usage(
                "neither HOME nor XDG_STATE_HOME is set: say with --db where the database is"
                    .to_owned(),
            )
        })?;
        Ok(Location::File(state.join("refleet").join(file)))
    }

    fn held(&self, location: Location) -> Location {
        let state = config::own_folder("XDG_STATE_HOME", ".local/state");
        let marks = state.map(|state| state.join("refleet/marks"));
        location.held(self.lease, self.host.as_deref(), marks)
    }

    /// Refused: an account that was typed, beside an API of the environment that it may not be of.
    pub fn endpoint(&self) -> Result<Endpoint, CliError> {
        if let Some(account) = &self.configured.account
            && account.api_url.is_none()
            && self.api_url.is_some()
            && self.configured.is_typed("account")
            && !self.configured.is_typed("api-url")
        {
            return Err(CliError::Usage(format!(
                "--account {} counts before the environment, and names no API for itself: give --api-url, write `api_url` into the configuration, or take REFLEET_API_URL away",
                account.name
            )));
        }
        Endpoint::parse(self.address().unwrap_or(API_URL)).map_err(|error| {
            let account = self.configured.account().filter(|_| self.api_url.is_none());
            let url = account.and_then(|(file, account)| Some((file, account.api_url.as_ref()?)));
            match url {
                Some((file, url)) => SetupError::ApiUrl {
                    place: file.place(url.line),
                    error,
                }
                .into(),
                None => error.into(),
            }
        })
    }

    /// The address of the API that was given: by an option or a variable, else by the account.
    pub fn address(&self) -> Option<&str> {
        let account = self.configured.account.as_ref();
        let of_account = account.and_then(|account| account.api_url.as_ref());
        self.api_url
            .as_deref()
            .or(of_account.map(|url| url.value.as_str()))
    }

    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// How to call refleet on the same queue again, for hints. `database`: that of a simulation,
    /// which has its own API too.
    pub fn command(&self, database: Option<&Path>) -> String {
        let mut command = "refleet".to_owned();
        if let Some(path) = &self.config {
            command.push_str(" --config ");
            command.push_str(&text::shell_path(path));
        }
        if let Some(account) = &self.configured.account {
            command.push_str(" --account ");
            command.push_str(&account.name);
        }
        if let Some(path) = database.or(self.db.as_deref()) {
            command.push_str(" --db ");
            // Never with a server's password: that is for PGPASSFILE.
            let path = location(path).map_or_else(|_| path.to_owned(), |known| known.shown());
            command.push_str(&text::shell_path(&path));
        }
        // An address that cannot be parsed is left out: it may hold a password.
        if self.api_url.is_some()
            && database.is_none()
            && let Ok(endpoint) = self.endpoint()
        {
            command.push_str(" --api-url ");
            command.push_str(&text::shell_word(&endpoint.to_string()));
        }
        command
    }
}

/// Where a database is that was given.
pub fn location(given: &Path) -> Result<Location, CliError> {
    Location::parse(given).map_err(|what| CliError::NotMeant {
        option: "--db or REFLEET_DB".to_owned(),
        path: given.to_owned(),
        what,
    })
}
