//! From the text to accounts.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::account::{Account, Options};
use super::fault::Faults;
use super::fields::Fields;
use super::lines::Lines;
use super::rules;

/// What the file holds at its top.
const TOP: &str = "account";

/// The accounts of `text`; what is wrong with it is added to `faults`. `folder`: paths are relative
/// to it.
pub(super) fn accounts(
    text: &str,
    folder: &Path,
    options: Options<'_>,
    faults: &mut Faults,
) -> Vec<Account> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| lines.of(&span));
        // Only the message: the error's own text quotes the line, which may hold a password.
        faults.add(line, format!("this is no TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        // What was made of the rest is a guess, and its faults may be no faults.
        return Vec::new();
    }
    let mut accounts = Vec::new();
    for (key, value) in table.get_ref() {
        let line = lines.of(&key.span());
        match (key.get_ref().as_ref(), value.get_ref()) {
            (TOP, DeValue::Table(tables)) => {
                accounts.extend(tables.iter().filter_map(|(name, value)| {
                    account(name, value, &lines, folder, options, faults)
                }));
            }
            (TOP, _) => faults.add(line, "`account` is no table: write [account.NAME]"),
            (other, DeValue::Table(_)) => faults.add(
                line,
                format!("there is no [{other}]: accounts are written [account.NAME]"),
            ),
            (other, _) => faults.add(
                line,
                format!("`{other}` stands in no account: put it below a line [account.NAME]"),
            ),
        }
    }
    accounts.sort_by_key(|account| account.line);
    accounts
}

fn account(
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    lines: &Lines,
    folder: &Path,
    options: Options<'_>,
    faults: &mut Faults,
) -> Option<Account> {
    let line = lines.of(&name.span());
    let name = name.get_ref();
    let DeValue::Table(table) = value.get_ref() else {
        let what = format!("`account.{name}` is no table: write [account.{name}]");
        faults.add(line, what);
        return None;
    };
    rules::check_name(name, line, faults);
    Some(Fields::new(name, line, lines, folder, options, faults).account(table))
}
