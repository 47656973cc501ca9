//! Options of every command.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};

use super::error::CliError;
use crate::progress::Verbosity;
use crate::text;
use crate::zomro::Endpoint;

/// The database's file in the state folder.
pub const DATABASE: &str = "refleet.db";
/// The same for `--simulate`: rehearsals never touch the real one.
pub const SIMULATION_DATABASE: &str = "simulation.db";

/// Where the API is, unless it is said otherwise.
pub const API_URL: &str = "https://api.zomro.com/";

/// Options of every command stand apart from its own.
const GLOBAL: &str = "Global options";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Database with the queue and the ledger [default: `$XDG_STATE_HOME/refleet/refleet.db`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_DB", value_name = "PATH")]
    pub db: Option<PathBuf>,

    /// Address of the API [default: `https://api.zomro.com/`]
    #[arg(long, global = true, help_heading = GLOBAL, env = "REFLEET_API_URL", value_name = "URL")]
    pub api_url: Option<String>,

    /// Print every step; given twice or three times, also what goes over the wire, without secrets
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print only what needs a human
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    quiet: bool,
}

impl Global {
    /// The database: what was given, else the state folder's.
    pub fn database(&self, file: &str) -> Result<PathBuf, CliError> {
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

    pub fn endpoint(&self) -> Result<Endpoint, CliError> {
        Ok(Endpoint::parse(self.api_url.as_deref().unwrap_or(API_URL))?)
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
        if let Some(path) = database.or(self.db.as_deref()) {
            command.push_str(" --db ");
            command.push_str(&text::shell_word(&path.to_string_lossy()));
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
