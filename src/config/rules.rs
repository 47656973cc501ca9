//! What of an account does not go together, and who may read the file.

use std::collections::HashMap;
use std::path::Path;

use super::account::{Account, LoginBy, Secret};
use super::fault::Faults;
use crate::text;

/// The longest name of an account: it becomes a file's.
const NAME_MAX: usize = 64;

/// May write every file anyway.
pub(super) const ROOT: u32 = 0;

/// Names of databases that are no account's.
const RESERVED: [&str; 2] = ["refleet", "simulation"];

/// A name of an account is a name of a file, and a word of a command.
pub(super) fn check_name(name: &str, line: usize, faults: &mut Faults) {
    let is_word = name
        .chars()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_word || name.len() > NAME_MAX {
        let what = format!(
            "`{name}` is no name of an account: write letters a-z, digits, - and _, at most {NAME_MAX}, a letter or digit first"
        );
        faults.add(line, what);
    } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        let what = format!(
            "an account cannot be called `{name}`, because {name}.db is another queue: choose another name"
        );
        faults.add(line, what);
    }
}

/// What of one account does not go together.
pub(super) fn check_account(account: &Account, faults: &mut Faults) {
    if let (Some(password), None) = (&account.password, &account.username) {
        faults.add(
            password.line,
            format!(
                "account `{}` has a password and no `username`: add it",
                account.name
            ),
        );
    }
    if let Some(session) = &account.session {
        let login = account.username.as_ref().map(|username| username.line);
        if let Some(line) = login.or(account.password.as_ref().map(|password| password.line)) {
            let what = format!(
                "an account logs in by one way: keep the login of line {line} or the session's token"
            );
            faults.add(session.line, what);
        }
        if let Some(command) = &account.totp_command {
            faults.add(
                command.line,
                "`totp_command` goes with a `username`: a session's token needs no code, take it out",
            );
        }
    }
    let by_authinfo = account
        .login
        .as_ref()
        .filter(|login| login.value == LoginBy::AuthInfo);
    if let Some(login) = by_authinfo {
        if account.session.is_some() {
            faults.add(
                login.line,
                "login = \"authinfo\" sends a name and a password: give these instead of the session's token",
            );
        }
        if let Some(command) = &account.totp_command {
            faults.add(
                command.line,
                "the API takes no second factor beside login = \"authinfo\": take one of them out",
            );
        }
        if let Some(username) = account
            .username
            .as_ref()
            .filter(|name| name.value.contains(':'))
        {
            faults.add(
                username.line,
                "a `username` with a colon cannot be sent by login = \"authinfo\": the API takes what follows for the password",
            );
        }
    }
}

/// What the accounts of one file have to tell apart: their names as files, and their queues.
pub(super) fn check_together(accounts: &[Account], faults: &mut Faults) {
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut queues: HashMap<&Path, usize> = HashMap::new();
    for account in accounts {
        if let Some(first) = names.insert(account.name.to_ascii_lowercase(), account.line) {
            let what = format!(
                "`{}` differs from the account of line {first} only in upper and lower case: choose another name",
                account.name
            );
            faults.add(account.line, what);
        }
        // A server's database holds the queues of many accounts.
        let db = account.db.as_ref();
        let Some(db) = db.filter(|db| !is_server(&db.value.to_string_lossy())) else {
            continue;
        };
        if let Some(first) = queues.insert(&db.value, db.line) {
            let what = format!(
                "this is the queue of line {first}'s account: each account needs one of its own"
            );
            faults.add(db.line, what);
        }
    }
}

/// The address of a PostgreSQL server.
pub(super) fn is_server(database: &str) -> bool {
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| database.starts_with(scheme))
}

/// The options that are commands.
const COMMANDS: [&str; 1] = ["on-end"];

/// The line on which the first command stands.
fn first_command(accounts: &[Account]) -> Option<usize> {
    let commands = accounts.iter().flat_map(|account| {
        let password = account.password.iter();
        let password = password.filter(|secret| matches!(secret.value, Secret::Command(_)));
        let code = account.totp_command.iter().map(|command| command.line);
        let options = account.options.iter();
        let options = options.filter(|option| COMMANDS.contains(&option.name.as_str()));
        let options = options.map(|option| option.line);
        password
            .map(|secret| secret.line)
            .chain(code)
            .chain(options)
    });
    commands.min()
}

/// Who may write a file that names commands: they are carried out as `us`.
pub(super) fn check_owner(
    path: &Path,
    [owner, us]: [u32; 2],
    accounts: &[Account],
    faults: &mut Faults,
) {
    if owner == us || owner == ROOT {
        return;
    }
    if let Some(line) = first_command(accounts) {
        let path = path.to_string_lossy();
        let what = format!(
            "this command is carried out as you (user {us}), and the file is user {owner}'s: `chown {us} {}`",
            text::shell_word(&path)
        );
        faults.add(line, what);
    }
}

/// Who may read a file with a secret, and who may write one that names commands.
pub(super) fn check_mode(path: &Path, mode: u32, accounts: &[Account], faults: &mut Faults) {
    let path = path.to_string_lossy();
    let path = text::shell_word(&path);
    if mode & 0o002 != 0 {
        let what =
            format!("everybody may write this file, which can name commands: `chmod o-w {path}`");
        faults.add(1, what);
    } else if mode & 0o020 != 0
        && let Some(line) = first_command(accounts)
    {
        let what = format!(
            "the file's group may write this command, which is carried out as you: `chmod g-w {path}`"
        );
        faults.add(line, what);
    }
    if mode & 0o044 == 0 {
        return;
    }
    let secrets = accounts.iter().flat_map(|account| {
        let password = account.password.iter().map(|secret| ("password", secret));
        password.chain(account.session.iter().map(|secret| ("token", secret)))
    });
    for (what, secret) in secrets {
        if matches!(secret.value, Secret::Inline(_)) {
            let what = format!("others can read this {what}: `chmod 600 {path}`");
            faults.add(secret.line, what);
        }
    }
}
