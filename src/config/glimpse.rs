//! What can be read of a file that is refused: whom to tell that it was.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::file::BYTES_MAX;
use super::rules::ROOT;

/// The texts that the file gives for the options `names` of `account`, or of its only one, as far as they can
/// be read and as they stand there.
///
/// Nothing is taken of a file that others could have written: among what it gives are a command, and a file
/// that is written over.
pub fn glimpse(path: &Path, account: Option<&str>, names: &[&str]) -> Vec<(String, String)> {
    let is_ours_alone = fs::metadata(path).is_ok_and(|metadata| {
        let us = rustix::process::geteuid().as_raw();
        metadata.is_file()
            && metadata.len() <= BYTES_MAX
            && [us, ROOT].contains(&metadata.uid())
            && metadata.mode() & 0o022 == 0
    });
    let text = fs::read_to_string(path).ok().filter(|_| is_ours_alone);
    let text = text.unwrap_or_default();
    let (table, _) = DeTable::parse_recoverable(&text);
    let Some(DeValue::Table(accounts)) = table.get_ref().get("account").map(toml::Spanned::get_ref)
    else {
        return Vec::new();
    };
    let mut wanted = accounts
        .iter()
        .filter(|(name, _)| account.is_none_or(|account| name.get_ref() == account));
    let (Some((_, DeValue::Table(fields))), None) = (
        wanted.next().map(|(name, value)| (name, value.get_ref())),
        wanted.next(),
    ) else {
        return Vec::new();
    };
    let given = fields.iter().filter_map(|(key, value)| {
        let name = key.get_ref().replace('_', "-");
        let DeValue::String(value) = value.get_ref() else {
            return None;
        };
        names
            .contains(&name.as_str())
            .then(|| (name, value.to_string()))
    });
    given.collect()
}
