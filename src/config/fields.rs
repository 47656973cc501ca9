//! The keys of one account.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::account::{Account, Located, LoginBy, OptionDefault, Options, Secret, Takes};
use super::fault::Faults;
use super::lines::Lines;
use super::rules;

/// The keys that are no options.
const KEYS: [&str; 10] = [
    "username",
    "password",
    "password_file",
    "password_command",
    "auth",
    "auth_file",
    "login",
    "totp_command",
    "api_url",
    "db",
];

/// Takes the values of one account, and notes what is wrong with them.
pub(super) struct Fields<'a> {
    account: Account,
    lines: &'a Lines,
    folder: &'a Path,
    options: Options<'a>,
    faults: &'a mut Faults,
    /// The line of each key so far, by its one spelling.
    seen: HashMap<String, usize>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        name: &str,
        line: usize,
        lines: &'a Lines,
        folder: &'a Path,
        options: Options<'a>,
        faults: &'a mut Faults,
    ) -> Self {
        Self {
            account: Account {
                name: name.to_owned(),
                line,
                username: None,
                password: None,
                session: None,
                login: None,
                totp_command: None,
                api_url: None,
                db: None,
                options: Vec::new(),
            },
            lines,
            folder,
            options,
            faults,
            seen: HashMap::new(),
        }
    }

    /// The account of `table`.
    pub(super) fn account(mut self, table: &DeTable<'_>) -> Account {
        let mut fields: Vec<_> = table.iter().collect();
        // The table is sorted by its keys; people read from the top.
        fields.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in fields {
            let line = self.lines.of(&key.span());
            self.field(key.get_ref(), value, line);
        }
        rules::check_account(&self.account, self.faults);
        // Each by itself is sound; do they go together?
        let defaults = self.account.options.iter();
        let all: Vec<_> = defaults
            .map(|default| (default.name.clone(), default.values.clone()))
            .collect();
        if let Some(why) = (self.options.refused)(&all) {
            let what = format!("account `{}`: {why}", self.account.name);
            self.faults.add(self.account.line, what);
        }
        self.account
    }

    fn field(&mut self, key: &str, value: &Spanned<DeValue<'_>>, line: usize) {
        let spelling = key.replace('-', "_");
        if let Some(first) = self.seen.insert(spelling.clone(), line) {
            let what = format!("`{key}` stands on line {first} already: keep one of them");
            self.faults.add(line, what);
            return;
        }
        let value = value.get_ref();
        match spelling.as_str() {
            "username" => self.account.username = self.text(key, value, line),
            "password" => {
                let secret = self.text(key, value, line).map(inline);
                self.secret(key, secret, line);
            }
            "password_file" => {
                let secret = self.path(key, value, line);
                self.secret(key, secret.map(|path| at(line, Secret::File(path))), line);
            }
            "password_command" => {
                let command = self.text(key, value, line);
                let secret = command.map(|command| at(line, Secret::Command(command.value)));
                self.secret(key, secret, line);
            }
            "auth" => {
                let secret = self.text(key, value, line).map(inline);
                self.session(key, secret, line);
            }
            "auth_file" => {
                let secret = self.path(key, value, line);
                self.session(key, secret.map(|path| at(line, Secret::File(path))), line);
            }
            "login" => self.login(key, value, line),
            "totp_command" => self.account.totp_command = self.text(key, value, line),
            "api_url" => self.account.api_url = self.text(key, value, line),
            "db" => {
                let database = self.database(key, value, line);
                self.account.db = database.map(|path| at(line, path));
            }
            _ => self.option(key, value, line),
        }
    }

    fn secret(&mut self, key: &str, secret: Option<Located<Secret>>, line: usize) {
        if let Some(first) = &self.account.password {
            let what = format!(
                "`{key}`: line {} says already where the password comes from; keep one of them",
                first.line
            );
            self.faults.add(line, what);
        } else {
            self.account.password = secret;
        }
    }

    fn session(&mut self, key: &str, secret: Option<Located<Secret>>, line: usize) {
        if let Some(first) = &self.account.session {
            let what = format!(
                "`{key}`: line {} says already where the session's token comes from; keep one of them",
                first.line
            );
            self.faults.add(line, what);
        } else {
            self.account.session = secret;
        }
    }

    fn login(&mut self, key: &str, value: &DeValue<'_>, line: usize) {
        let Some(word) = self.text(key, value, line) else {
            return;
        };
        let login = match word.value.as_str() {
            "session" => LoginBy::Session,
            "authinfo" => LoginBy::AuthInfo,
            _ => {
                self.faults.add(
                    line,
                    "`login` is neither \"session\" nor \"authinfo\": write one of them, or leave it out",
                );
                return;
            }
        };
        self.account.login = Some(at(line, login));
    }

    fn option(&mut self, key: &str, value: &DeValue<'_>, line: usize) {
        let name = key.replace('_', "-");
        let Some(known) = self.options.known.iter().find(|known| known.name == name) else {
            let what = match self.nearest(key) {
                Some(nearest) => format!("there is no key `{key}`: did you mean `{nearest}`?"),
                None => format!(
                    "there is no key `{key}`: take it out; `refleet run --help` has the options"
                ),
            };
            self.faults.add(line, what);
            return;
        };
        if let Some(why) = known.refused {
            self.faults.add(line, format!("`{key}` {why}"));
            return;
        }
        let Some(values) = self.values(key, value, known.takes, line) else {
            return;
        };
        let given = [(name, values)];
        if let Some(why) = (self.options.refused)(&given) {
            self.faults.add(line, format!("`{key}`: {why}"));
            return;
        }
        let [(name, values)] = given;
        let default = OptionDefault { name, values, line };
        self.account.options.push(default);
    }

    /// What an option is given.
    fn values(
        &mut self,
        key: &str,
        value: &DeValue<'_>,
        takes: Takes,
        line: usize,
    ) -> Option<Vec<String>> {
        let wanted = match (takes, value) {
            (Takes::Nothing, DeValue::Boolean(is_on)) => return Some(vec![is_on.to_string()]),
            (Takes::Nothing, _) => "true or false",
            (Takes::Path, DeValue::String(path)) if path.as_ref() == "-" => {
                return Some(vec!["-".to_owned()]);
            }
            (Takes::Path, DeValue::String(_)) => {
                let path = self.path(key, value, line)?;
                return Some(vec![path.to_string_lossy().into_owned()]);
            }
            (Takes::Path, _) => "a path in quotes",
            (Takes::One, one) => match scalar(one) {
                Some(word) => return Some(vec![word]),
                None => "one value",
            },
            (Takes::Many, DeValue::Array(array)) => {
                let words: Option<Vec<String>> =
                    array.iter().map(|one| scalar(one.get_ref())).collect();
                match words {
                    Some(words) => return Some(words),
                    None => "a list of texts in quotes",
                }
            }
            (Takes::Many, one) => match scalar(one) {
                Some(word) => return Some(vec![word]),
                None => "a list of texts in quotes",
            },
        };
        self.faults
            .add(line, format!("`{key}` is {}: write {wanted}", kind(value)));
        None
    }

    /// A text that is not empty and stands on one line.
    fn text(&mut self, key: &str, value: &DeValue<'_>, line: usize) -> Option<Located<String>> {
        let DeValue::String(text) = value else {
            let what = format!("`{key}` is {}: write a text in quotes", kind(value));
            self.faults.add(line, what);
            return None;
        };
        if text.trim().is_empty() {
            let what = format!("`{key}` is empty: fill it in, or take it out");
            self.faults.add(line, what);
            return None;
        }
        if text.chars().any(char::is_control) {
            let what = format!("`{key}` holds a control character or a line break: take it out");
            self.faults.add(line, what);
            return None;
        }
        Some(at(line, text.as_ref().to_owned()))
    }

    /// A path, relative to the file's folder.
    /// A file's path, or the address of a PostgreSQL server as it stands.
    fn database(&mut self, key: &str, value: &DeValue<'_>, line: usize) -> Option<PathBuf> {
        match value {
            DeValue::String(text) if rules::is_server(text) => Some(PathBuf::from(text.as_ref())),
            _ => self.path(key, value, line),
        }
    }

    fn path(&mut self, key: &str, value: &DeValue<'_>, line: usize) -> Option<PathBuf> {
        let path = self.text(key, value, line)?.value;
        if path.starts_with('~') || path.contains('$') {
            let what = format!(
                "`{key}`: ~ and variables mean nothing in this file; write the whole path, from the / on"
            );
            self.faults.add(line, what);
            return None;
        }
        if path.contains("://") {
            let what = format!("`{key}` is an address: write a path");
            self.faults.add(line, what);
            return None;
        }
        Some(self.folder.join(path))
    }

    /// The key or option that is named most like `key`.
    fn nearest(&self, key: &str) -> Option<String> {
        let key = key.to_lowercase().replace('-', "_");
        let options = self
            .options
            .known
            .iter()
            .filter(|known| known.refused.is_none());
        let options = options.map(|known| known.name.replace('-', "_"));
        let names = KEYS.iter().map(ToString::to_string).chain(options);
        names
            .map(|name| (strsim::osa_distance(&key, &name), name))
            .filter(|(distance, name)| *distance <= (name.len() / 3).clamp(1, 3))
            .min()
            .map(|(_, name)| name)
    }
}

fn at<T>(line: usize, value: T) -> Located<T> {
    Located { value, line }
}

fn inline(text: Located<String>) -> Located<Secret> {
    at(text.line, Secret::Inline(text.value.into()))
}

/// A value as it would stand on the command line.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// What kind of value it is, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
