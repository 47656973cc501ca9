//! What a file says.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// A value, and the line on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub line: usize,
}

/// Where a secret comes from. The secret itself is not looked for before it is needed.
#[derive(Debug, Clone)]
pub enum Secret {
    /// It stands in the file itself.
    Inline(SecretString),
    /// A file holds it, and nothing else.
    File(PathBuf),
    /// The first line that a shell command prints.
    Command(String),
}

/// How an account's calls say whose they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginBy {
    /// A session is opened, and renewed when it ends.
    Session,
    /// Each call carries name and password.
    AuthInfo,
}

/// One `[account.NAME]`.
#[derive(Debug, Clone)]
pub struct Account {
    pub name: String,
    /// Of its first key.
    pub line: usize,
    pub username: Option<Located<String>>,
    pub password: Option<Located<Secret>>,
    /// The token of a session that somebody else opened.
    pub session: Option<Located<Secret>>,
    pub login: Option<Located<LoginBy>>,
    /// Prints a one-time code.
    pub totp_command: Option<Located<String>>,
    pub api_url: Option<Located<String>>,
    pub db: Option<Located<PathBuf>>,
    /// Defaults of options, in the file's order.
    pub options: Vec<OptionDefault>,
}

/// What an option is given unless it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDefault {
    /// Its long name.
    pub name: String,
    pub values: Vec<String>,
    pub line: usize,
}

/// A whole file.
#[derive(Debug, Clone)]
pub struct Config {
    pub path: PathBuf,
    /// In the file's order.
    pub accounts: Vec<Account>,
}

impl Config {
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// How a place in the file is written.
    pub fn place(&self, line: usize) -> String {
        place(&self.path, line)
    }
}

pub(super) fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}

/// What an option of the command line takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    One,
    /// A path, which in a file is relative to that file.
    Path,
    /// Any number, one after the other.
    Many,
}

/// Options with their values.
pub type Given = [(String, Vec<String>)];

/// What a file may say of options.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    pub known: &'a [KnownOption],
    /// Why the command line would refuse these options with these values, if it would.
    pub refused: &'a dyn Fn(&Given) -> Option<String>,
}

/// An option of which a file may give the default.
#[derive(Debug, Clone)]
pub struct KnownOption {
    /// Its long name.
    pub name: String,
    pub takes: Takes,
    /// Why a file may not give it all the same.
    pub refused: Option<&'static str>,
}
