//! Credentials from the environment or from files, never from an argument: arguments are seen by
//! every user of the machine.

use std::env::{self, VarError};
use std::path::PathBuf;

use secrecy::SecretString;

use super::error::CliError;
use super::output::tell_prose;
use super::paths::check_meant;
use crate::progress::Verbosity;
use crate::zomro::Credentials;

/// The credentials that the environment names: a login before a bare token, since a login renews
/// itself. Says so where both are there.
pub fn from_environment(verbosity: Verbosity) -> Result<Credentials, CliError> {
    let username = secret("ZOMRO_USERNAME")?;
    let password = secret("ZOMRO_PASSWORD")?;
    match (username, password) {
        (Some(username), Some(password)) => {
            use secrecy::ExposeSecret as _;
            let has_token = ["ZOMRO_AUTH", "ZOMRO_AUTH_FILE"]
                .iter()
                .any(|name| env::var_os(name).is_some());
            if has_token && verbosity != Verbosity::Quiet {
                tell_prose(
                    "ZOMRO_AUTH is not used: ZOMRO_USERNAME and ZOMRO_PASSWORD are set too, and count before it\n",
                );
            }
            Ok(Credentials::Login {
                username: username.expose_secret().to_owned(),
                password,
            })
        }
        (Some(_), None) => Err(CliError::HalfCredentials(
            "ZOMRO_USERNAME",
            "ZOMRO_PASSWORD",
        )),
        (None, Some(_)) => Err(CliError::HalfCredentials(
            "ZOMRO_PASSWORD",
            "ZOMRO_USERNAME",
        )),
        (None, None) => match secret("ZOMRO_AUTH")? {
            Some(token) => Ok(Credentials::Token(token)),
            None => Err(CliError::NoCredentials),
        },
    }
}

/// The files that hold a secret.
pub fn files() -> impl Iterator<Item = PathBuf> {
    ["ZOMRO_USERNAME", "ZOMRO_PASSWORD", "ZOMRO_AUTH"]
        .into_iter()
        .filter_map(|name| env::var_os(format!("{name}_FILE")).map(PathBuf::from))
}

/// The secret that the variable `name`, or the file that `name_FILE` names, holds.
fn secret(name: &str) -> Result<Option<SecretString>, CliError> {
    let bad = |variable: &str, what| CliError::BadSecret {
        variable: variable.to_owned(),
        what,
    };
    match env::var(name) {
        Ok(value) if value.is_empty() => return Err(bad(name, "empty")),
        Ok(value) => return Ok(Some(SecretString::from(value))),
        Err(VarError::NotUnicode(_)) => return Err(bad(name, "no UTF-8 text")),
        Err(VarError::NotPresent) => {}
    }
    let variable = format!("{name}_FILE");
    let Some(path) = env::var_os(&variable).map(PathBuf::from) else {
        return Ok(None);
    };
    check_meant(&variable, &path)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => {
            return Err(CliError::SecretFile {
                variable,
                path,
                source,
            });
        }
    };
    // An editor ends the file with a line feed; whatever else stands there is the secret.
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(bad(&variable, "the path of an empty file"));
    }
    Ok(Some(SecretString::from(value)))
}
