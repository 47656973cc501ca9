//! Credentials from the environment, from files or from an account of `config.toml`, never from an
//! argument: arguments are seen by every user of the machine.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::error::{CliError, SetupError};
use super::global::Global;
use super::output::tell_prose;
use super::paths::check_meant;
use super::secret_command;
use crate::config::{Account, Config, Located, LoginBy, Secret};
use crate::progress::Verbosity;
use crate::zomro::{Credentials, Source, Sources};

/// The variables that hold a part of a login, or name with `_FILE` behind it the file that does.
const VARIABLES: [&str; 3] = ["ZOMRO_USERNAME", "ZOMRO_PASSWORD", "ZOMRO_AUTH"];

/// How calls say whose they are: `session` or `authinfo`.
const LOGIN: &str = "ZOMRO_LOGIN";
/// Prints a one-time code.
const TOTP_COMMAND: &str = "ZOMRO_TOTP_COMMAND";

/// As whom the API is called, and what a login may need later.
pub struct Access {
    pub credentials: Credentials,
    pub sources: Sources,
}

/// The credentials of the environment or of the account that was chosen: a login before a bare token,
/// since a login renews itself.
///
/// The environment counts before the file, but the command line counts before both: an account that is
/// named there never works with the credentials of another one that happen to lie in the environment.
pub fn find(global: &Global) -> Result<Access, CliError> {
    let own = own(global);
    if let Some((config, account)) = own.filter(|_| counts_before_environment(global)) {
        if is_any_set() && global.verbosity() != Verbosity::Quiet {
            tell_prose(&format!(
                "ZOMRO_… is not used: --account {} has its own credentials, and counts before the environment\n",
                account.name
            ));
        }
        return of_account(global, config, account);
    }
    let access = from_environment(global, own)?;
    tell_whose(global);
    Ok(access)
}

/// The queue is an account's, and the login is not: somebody may have forgotten what lies in the
/// environment. A password for the account's name is that account's.
fn tell_whose(global: &Global) {
    let is_its_name = !is_set("ZOMRO_USERNAME") && is_set("ZOMRO_PASSWORD");
    if let Some((_, account)) = global.configured.account()
        && !is_its_name
        && global.db.is_none()
        && global.verbosity() != Verbosity::Quiet
    {
        tell_prose(&format!(
            "account {}: the credentials of ZOMRO_… are used on its queue: the environment counts before the file\n",
            account.name
        ));
    }
}

/// Where each part of the credentials comes from: its name, what may be shown of it, and the place.
pub fn origins(global: &Global) -> Vec<(&'static str, String, String)> {
    let mut parts = Vec::new();
    let own = own(global);
    if let Some((config, account)) = own.filter(|_| counts_before_environment(global)) {
        if let Some(username) = &account.username {
            let place = config.place(username.line);
            parts.push(("username", username.value.clone(), place));
        }
        let secrets = [("password", &account.password), ("auth", &account.session)];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                let how = match &secret.value {
                    Secret::Inline(_) => "set".to_owned(),
                    Secret::File(_) => format!("set, from {name}_file"),
                    Secret::Command(_) => format!("set, from {name}_command"),
                };
                parts.push((name, how, config.place(secret.line)));
            }
        }
    } else {
        let is_login = is_set("ZOMRO_USERNAME") || is_set("ZOMRO_PASSWORD");
        let named = own.and_then(|(config, account)| Some((config, account.username.as_ref()?)));
        if let Some((config, username)) = named
            && is_login
            && !is_set("ZOMRO_USERNAME")
        {
            let place = config.place(username.line);
            parts.push(("username", username.value.clone(), place));
        }
        for (name, variable) in ["username", "password", "auth"].into_iter().zip(VARIABLES) {
            let is_used = name != "auth" || !is_login;
            let file = format!("{variable}_FILE");
            if is_used && env::var_os(variable).is_some() {
                parts.push((name, "set".to_owned(), variable.to_owned()));
            } else if is_used && env::var_os(&file).is_some() {
                parts.push((name, "set, from a file".to_owned(), file));
            }
        }
    }
    if let Some((word, place)) = login_word(global) {
        parts.push(("login", word, place));
    }
    if let Some((_, place)) = totp_command(global) {
        parts.push(("totp_command", "set".to_owned(), place));
    }
    parts
}

/// The account that was chosen, where it says how to log in.
fn own(global: &Global) -> Option<(&Config, &Account)> {
    let account = global.configured.account();
    account.filter(|(_, account)| account.session.is_some() || account.username.is_some())
}

fn counts_before_environment(global: &Global) -> bool {
    global.configured.is_typed("account") || !is_any_set()
}

/// The environment has credentials, or a part of them.
fn is_any_set() -> bool {
    VARIABLES.iter().any(|name| is_set(name))
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some() || env::var_os(format!("{name}_FILE")).is_some()
}

/// The account whose login is used, or whose name at least.
fn named(global: &Global) -> Option<(&Config, &Account)> {
    own(global).filter(|_| counts_before_environment(global) || !is_set("ZOMRO_USERNAME"))
}

/// How calls say whose they are, as it was written, and where.
fn login_word(global: &Global) -> Option<(String, String)> {
    let account = named(global);
    let of_account = account.and_then(|(config, account)| {
        let login = account.login.as_ref()?;
        let word = match login.value {
            LoginBy::Session => "session",
            LoginBy::AuthInfo => "authinfo",
        };
        Some((word.to_owned(), config.place(login.line)))
    });
    beside(global, LOGIN, of_account)
}

/// The command that prints a one-time code, and where it was written.
fn totp_command(global: &Global) -> Option<(String, String)> {
    let account = named(global);
    let of_account = account.and_then(|(config, account)| {
        let command = account.totp_command.as_ref()?;
        Some((command.value.clone(), config.place(command.line)))
    });
    beside(global, TOTP_COMMAND, of_account)
}

/// What the variable says, or the account: whichever counts.
fn beside(
    global: &Global,
    variable: &str,
    of_account: Option<(String, String)>,
) -> Option<(String, String)> {
    let typed = global.configured.is_typed("account") && own(global).is_some();
    let set = env::var(variable).ok().filter(|value| !value.is_empty());
    let of_variable = set
        .filter(|_| !typed)
        .map(|value| (value, variable.to_owned()));
    of_variable.or(of_account)
}

/// What the account says of itself.
fn of_account(global: &Global, config: &Config, account: &Account) -> Result<Access, CliError> {
    if let Some(session) = &account.session {
        let token = of_file("auth", config, session)?;
        return Ok(Access {
            credentials: Credentials::Token(token),
            sources: Sources::default(),
        });
    }
    let Some(username) = &account.username else {
        return Err(CliError::NoCredentials);
    };
    let Some(password) = &account.password else {
        let error = SetupError::NoPassword {
            name: account.name.clone(),
            place: config.place(username.line),
        };
        return Err(error.into());
    };
    let again = match &password.value {
        Secret::Command(command) => {
            let name = format!("password_command ({})", config.place(password.line));
            Some(source(name, command.clone()))
        }
        Secret::Inline(_) | Secret::File(_) => None,
    };
    let password = of_file("password", config, password)?;
    login(global, username.value.clone(), password, again)
}

/// A login with this name and password; `again` fetches the password once more.
fn login(
    global: &Global,
    username: String,
    password: SecretString,
    again: Option<Source>,
) -> Result<Access, CliError> {
    let by_authinfo = match login_word(global) {
        None => false,
        Some((word, _)) if word == "session" => false,
        Some((word, _)) if word == "authinfo" => true,
        Some((_, place)) => {
            return Err(CliError::Usage(format!(
                "{place} is neither `session` nor `authinfo`: write one of them, or leave it away"
            )));
        }
    };
    if !by_authinfo {
        return Ok(Access {
            credentials: Credentials::Login { username, password },
            sources: Sources {
                password: again,
                code: totp_command(global).map(|(command, place)| {
                    let name = match place.as_str() {
                        TOTP_COMMAND => place,
                        place => format!("totp_command ({place})"),
                    };
                    source(name, command)
                }),
            },
        });
    }
    if username.contains(':') {
        return Err(CliError::Usage(
            "a name with a colon cannot be sent by `authinfo`: the API takes what follows for the password"
                .to_owned(),
        ));
    }
    Ok(Access {
        credentials: Credentials::AuthInfo { username, password },
        sources: Sources::default(),
    })
}

/// What `command` prints. It may hold a secret itself, so `name` is told in its place.
fn source(name: String, command: String) -> Source {
    Source::new(move || {
        secret_command::first_line(&command).map_err(|why| format!("{name} gave nothing, {why}"))
    })
}

/// The secret that the file names for `key`.
fn of_file(key: &str, config: &Config, secret: &Located<Secret>) -> Result<SecretString, CliError> {
    let place = config.place(secret.line);
    match &secret.value {
        Secret::Inline(secret) => Ok(secret.clone()),
        Secret::File(path) => read(&format!("{key}_file ({place})"), path),
        Secret::Command(command) => {
            let failed = |why| SetupError::SecretCommand {
                name: format!("{key}_command ({place})"),
                why,
            };
            Ok(secret_command::first_line(command).map_err(failed)?)
        }
    }
}

/// The credentials of the environment. `account`: the password alone may be there, for the name that
/// the account has. Says so where more is there than is used.
fn from_environment(
    global: &Global,
    account: Option<(&Config, &Account)>,
) -> Result<Access, CliError> {
    let username = secret("ZOMRO_USERNAME")?;
    let password = secret("ZOMRO_PASSWORD")?;
    let of_account = account.and_then(|(_, account)| account.username.as_ref());
    match (username, password) {
        (Some(username), Some(password)) => {
            if is_set("ZOMRO_AUTH") && global.verbosity() != Verbosity::Quiet {
                tell_prose(
                    "ZOMRO_AUTH is not used: ZOMRO_USERNAME and ZOMRO_PASSWORD are set too, and count before it\n",
                );
            }
            login(global, username.expose_secret().to_owned(), password, None)
        }
        (Some(_), None) => Err(CliError::HalfCredentials(
            "ZOMRO_USERNAME",
            "ZOMRO_PASSWORD",
        )),
        (None, Some(password)) => match of_account {
            Some(username) => login(global, username.value.clone(), password, None),
            None => Err(CliError::HalfCredentials(
                "ZOMRO_PASSWORD",
                "ZOMRO_USERNAME",
            )),
        },
        (None, None) => match secret("ZOMRO_AUTH")? {
            Some(token) => Ok(Access {
                credentials: Credentials::Token(token),
                sources: Sources::default(),
            }),
            None => Err(CliError::NoCredentials),
        },
    }
}

/// The files that hold a secret, and that which says where they are.
pub fn files(global: &Global) -> impl Iterator<Item = PathBuf> {
    let of_account = global.configured.account().into_iter();
    let of_account = of_account.flat_map(|(config, account)| {
        let secrets = account.password.iter().chain(&account.session);
        let files = secrets.filter_map(|secret| match &secret.value {
            Secret::File(path) => Some(path.clone()),
            Secret::Inline(_) | Secret::Command(_) => None,
        });
        files.chain([config.path.clone()])
    });
    VARIABLES
        .into_iter()
        .filter_map(|name| env::var_os(format!("{name}_FILE")).map(PathBuf::from))
        .chain(of_account)
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
    read(&variable, &path).map(Some)
}

/// The secret that the file at `path` holds; `name` is what names that file.
fn read(name: &str, path: &Path) -> Result<SecretString, CliError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) => {
            return Err(CliError::SecretFile {
                variable: name.to_owned(),
                path: path.to_owned(),
                source,
            });
        }
    };
    // An editor ends the file with a line feed; whatever else stands there is the secret.
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(CliError::BadSecret {
            variable: name.to_owned(),
            what: "the path of an empty file",
        });
    }
    Ok(SecretString::from(value))
}
