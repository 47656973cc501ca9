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
const VARIABLES: [&str; 3] = [USERNAME, PASSWORD, AUTH];
const USERNAME: &str = "ZOMRO_USERNAME";
const PASSWORD: &str = "ZOMRO_PASSWORD";
const AUTH: &str = "ZOMRO_AUTH";

/// How calls say whose they are: `session` or `authinfo`.
const LOGIN: &str = "ZOMRO_LOGIN";
/// Prints a one-time code.
const TOTP_COMMAND: &str = "ZOMRO_TOTP_COMMAND";

/// As whom the API is called, and what a login may need later.
pub struct Access {
    pub credentials: Credentials,
    pub sources: Sources,
}

/// Which credentials count. Decided in this one place, for those who use them and for `config show`.
enum Chosen<'a> {
    /// What an account of the file says of itself.
    OfAccount(&'a Config, &'a Account),
    /// A login with a password of the environment.
    Login(Name<'a>),
    /// A bare token of the environment.
    Token,
    /// A half of a login: the variable that is set, and the one that is not.
    Half(&'static str, &'static str),
    Nothing,
}

/// Whose name a login has.
enum Name<'a> {
    OfEnvironment,
    OfAccount(&'a Config, &'a Account, &'a Located<String>),
}

impl<'a> Chosen<'a> {
    /// A login before a bare token, since a login renews itself.
    ///
    /// The environment counts before the file, but the command line counts before both: an account that
    /// is named there never works with the credentials of another one that happen to lie in the
    /// environment.
    fn new(global: &'a Global) -> Self {
        let own = own(global);
        let is_typed = global.configured.is_typed("account");
        if let Some((config, account)) = own.filter(|_| is_typed || !is_any_set()) {
            return Self::OfAccount(config, account);
        }
        let [has_name, has_password, has_token] = VARIABLES.map(is_set);
        let name = own.and_then(|(config, account)| {
            Some(Name::OfAccount(config, account, account.username.as_ref()?))
        });
        match (has_name, has_password) {
            (true, true) => Self::Login(Name::OfEnvironment),
            (true, false) => Self::Half(USERNAME, PASSWORD),
            // The password alone may be there, for the name that the account has.
            (false, true) => name.map_or(Self::Half(PASSWORD, USERNAME), Self::Login),
            (false, false) if has_token => Self::Token,
            (false, false) => Self::Nothing,
        }
    }

    /// The account that logs in, with its own password or with one of the environment.
    fn account(&self) -> Option<(&'a Config, &'a Account)> {
        match self {
            Self::OfAccount(config, account) | Self::Login(Name::OfAccount(config, account, _)) => {
                Some((config, account))
            }
            Self::Login(Name::OfEnvironment) | Self::Token | Self::Half(..) | Self::Nothing => None,
        }
    }

    /// A session is opened with a name and a password.
    fn is_login(&self) -> bool {
        match self {
            Self::OfAccount(_, account) => account.session.is_none(),
            Self::Login(_) => true,
            Self::Token | Self::Half(..) | Self::Nothing => false,
        }
    }
}

/// The credentials that count.
pub async fn find(global: &Global) -> Result<Access, CliError> {
    let chosen = Chosen::new(global);
    let is_quiet = global.verbosity() == Verbosity::Quiet;
    match &chosen {
        Chosen::OfAccount(_, account) if is_any_set() && !is_quiet => tell_prose(&format!(
            "ZOMRO_… is not used: --account {} has its own credentials, and counts before the environment\n",
            account.name
        )),
        Chosen::Login(Name::OfEnvironment) if is_set(AUTH) && !is_quiet => tell_prose(
            "ZOMRO_AUTH is not used: ZOMRO_USERNAME and ZOMRO_PASSWORD are set too, and count before it\n",
        ),
        Chosen::OfAccount(..)
        | Chosen::Login(_)
        | Chosen::Token
        | Chosen::Half(..)
        | Chosen::Nothing => {}
    }
    let access = match &chosen {
        Chosen::OfAccount(config, account) => {
            return of_account(global, &chosen, config, account).await;
        }
        Chosen::Login(name) => {
            let username = match name {
                Name::OfEnvironment => secret(USERNAME)?.expose_secret().to_owned(),
                Name::OfAccount(_, _, username) => username.value.clone(),
            };
            login(global, &chosen, username, secret(PASSWORD)?, None)?
        }
        Chosen::Token => Access {
            credentials: Credentials::Token(secret(AUTH)?),
            sources: Sources::default(),
        },
        Chosen::Half(set, missing) => return Err(CliError::HalfCredentials(set, missing)),
        Chosen::Nothing => return Err(CliError::NoCredentials),
    };
    tell_whose(global, &chosen);
    Ok(access)
}

/// The queue is an account's, and the login is not: somebody may have forgotten what lies in the
/// environment. A password for the account's name is that account's.
fn tell_whose(global: &Global, chosen: &Chosen<'_>) {
    if let Some((_, account)) = global.configured.account()
        && chosen.account().is_none()
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
    let chosen = Chosen::new(global);
    let mut parts = Vec::new();
    match &chosen {
        Chosen::OfAccount(config, account) => {
            if let Some(session) = &account.session {
                parts.push(of_file_shown("auth", config, session));
            } else {
                parts.extend(account.username.as_ref().map(|name| username(config, name)));
                let password = account.password.as_ref();
                parts.extend(password.map(|secret| of_file_shown("password", config, secret)));
            }
        }
        Chosen::Login(Name::OfEnvironment) => {
            parts.extend([
                of_variable("username", USERNAME),
                of_variable("password", PASSWORD),
            ]);
        }
        Chosen::Login(Name::OfAccount(config, _, name)) => {
            parts.extend([username(config, name), of_variable("password", PASSWORD)]);
        }
        Chosen::Token => parts.push(of_variable("auth", AUTH)),
        Chosen::Half(USERNAME, _) => parts.push(of_variable("username", USERNAME)),
        Chosen::Half(..) => parts.push(of_variable("password", PASSWORD)),
        Chosen::Nothing => {}
    }
    if chosen.is_login() {
        if let Some((word, place)) = login_word(global, &chosen) {
            parts.push(("login", word, place));
        }
        if let Some((_, place)) = totp_command(global, &chosen) {
            parts.push(("totp_command", "set".to_owned(), place));
        }
    }
    parts
}

fn username(config: &Config, name: &Located<String>) -> (&'static str, String, String) {
    ("username", name.value.clone(), config.place(name.line))
}

fn of_variable(name: &'static str, variable: &str) -> (&'static str, String, String) {
    if env::var_os(variable).is_some() {
        (name, "set".to_owned(), variable.to_owned())
    } else {
        let file = format!("{variable}_FILE");
        (name, "set, from a file".to_owned(), file)
    }
}

fn of_file_shown(
    name: &'static str,
    config: &Config,
    secret: &Located<Secret>,
) -> (&'static str, String, String) {
    let how = match &secret.value {
        Secret::Inline(_) => "set".to_owned(),
        Secret::File(_) => format!("set, from {name}_file"),
        Secret::Command(_) => format!("set, from {name}_command"),
    };
    (name, how, config.place(secret.line))
}

/// The account that was chosen, where it says how to log in.
fn own(global: &Global) -> Option<(&Config, &Account)> {
    let account = global.configured.account();
    account.filter(|(_, account)| account.session.is_some() || account.username.is_some())
}

/// The environment has credentials, or a part of them.
fn is_any_set() -> bool {
    VARIABLES.iter().any(|name| is_set(name))
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some() || env::var_os(format!("{name}_FILE")).is_some()
}

/// How calls say whose they are, as it was written, and where.
fn login_word(global: &Global, chosen: &Chosen<'_>) -> Option<(String, String)> {
    let of_account = chosen.account().and_then(|(config, account)| {
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
fn totp_command(global: &Global, chosen: &Chosen<'_>) -> Option<(String, String)> {
    let of_account = chosen.account().and_then(|(config, account)| {
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
async fn of_account(
    global: &Global,
    chosen: &Chosen<'_>,
    config: &Config,
    account: &Account,
) -> Result<Access, CliError> {
    if let Some(session) = &account.session {
        let token = of_file("auth", config, session).await?;
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
    let password = of_file("password", config, password).await?;
    login(global, chosen, username.value.clone(), password, again)
}

/// A login with this name and password; `again` fetches the password once more.
fn login(
    global: &Global,
    chosen: &Chosen<'_>,
    username: String,
    password: SecretString,
    again: Option<Source>,
) -> Result<Access, CliError> {
    let by_authinfo = match login_word(global, chosen) {
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
                code: totp_command(global, chosen).map(|(command, place)| {
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
        let (name, command) = (name.clone(), command.clone());
        async move {
            let line = secret_command::first_line(&command).await;
            line.map_err(|why| format!("{name} gave nothing, {why}"))
        }
    })
}

/// The secret that the file names for `key`.
async fn of_file(
    key: &str,
    config: &Config,
    secret: &Located<Secret>,
) -> Result<SecretString, CliError> {
    let place = config.place(secret.line);
    match &secret.value {
        Secret::Inline(secret) => Ok(secret.clone()),
        Secret::File(path) => read(&format!("{key}_file ({place})"), path),
        Secret::Command(command) => {
            let failed = |why| SetupError::SecretCommand {
                name: format!("{key}_command ({place})"),
                why,
            };
            Ok(secret_command::first_line(command).await.map_err(failed)?)
        }
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
fn secret(name: &str) -> Result<SecretString, CliError> {
    let bad = |variable: &str, what| CliError::BadSecret {
        variable: variable.to_owned(),
        what,
    };
    match env::var(name) {
        Ok(value) if value.is_empty() => return Err(bad(name, "empty")),
        Ok(value) => return Ok(SecretString::from(value)),
        Err(VarError::NotUnicode(_)) => return Err(bad(name, "no UTF-8 text")),
        Err(VarError::NotPresent) => {}
    }
    let variable = format!("{name}_FILE");
    let path = env::var_os(&variable).map(PathBuf::from);
    let path = path.ok_or(CliError::NoCredentials)?;
    check_meant(&variable, &path)?;
    read(&variable, &path)
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
