//! What is wrong with the configuration, and with the account that it names.

use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::text;
use crate::zomro::EndpointError;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Several accounts, and none was named.
    #[error("{} has {} accounts, and none was named: {}", path.display(), names.len(), names.join(", "))]
    WhichAccount { path: PathBuf, names: Vec<String> },
    #[error("{}", no_such_account(name, path.as_deref(), names))]
    NoSuchAccount {
        name: String,
        /// The file; `None`: there is none.
        path: Option<PathBuf>,
        names: Vec<String>,
    },
    #[error("{place}: the API's address cannot be used: {error}")]
    ApiUrl { place: String, error: EndpointError },
    /// An account that cannot log in.
    #[error("{place}: account `{name}` has a username and no password")]
    NoPassword { name: String, place: String },
    /// A command that was to print a secret. Its output is never told, and neither is its text, which
    /// may hold a secret too: only its key and where it stands.
    #[error("{name} gave nothing, {why}")]
    SecretCommand { name: String, why: String },
}

impl SetupError {
    /// What to do about it, one line each.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Config(ConfigError::Invalid(_)) => return Vec::new(), // each fault has its own
            Self::Config(ConfigError::Unreadable { .. } | ConfigError::NoFile { .. }) => {
                "name another file with --config or REFLEET_CONFIG; an empty one will do"
            }
            Self::WhichAccount { names, .. } => {
                let name = names.first().map_or("NAME", String::as_str);
                return vec![format!(
                    "name it: --account {name}, or REFLEET_ACCOUNT={name}"
                )];
            }
            Self::NoSuchAccount { path: None, .. } => {
                "write it into ~/.config/refleet/config.toml, or name the file with --config or REFLEET_CONFIG"
            }
            Self::NoSuchAccount { names, .. } if names.is_empty() => {
                "write one into it: [account.NAME]"
            }
            Self::NoSuchAccount { .. } => "name one of these with --account or REFLEET_ACCOUNT",
            Self::ApiUrl { .. } => "correct `api_url` there, or take it out",
            Self::NoPassword { .. } => {
                "add `password_file` or `password_command` there, or set ZOMRO_PASSWORD_FILE"
            }
            Self::SecretCommand { .. } => {
                "type the command to a shell, and see to what it says; nothing was sent"
            }
        };
        vec![hint.to_owned()]
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::WhichAccount { .. }
            | Self::NoSuchAccount { .. }
            | Self::ApiUrl { .. }
            | Self::NoPassword { .. } => Exit::Usage,
            Self::SecretCommand { .. } => Exit::Credentials,
        }
    }
}

fn no_such_account(name: &str, path: Option<&Path>, names: &[String]) -> String {
    let name = text::brief(name, 100);
    match path {
        None => format!("there is no configuration file, so there is no account `{name}`"),
        Some(path) if names.is_empty() => format!("{} has no account", path.display()),
        Some(path) => format!(
            "{} has no account `{name}`, but {}",
            path.display(),
            names.join(", ")
        ),
    }
}
