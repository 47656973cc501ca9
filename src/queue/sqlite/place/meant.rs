//! Paths that are surely a mistake, told by their text alone.

use std::path::Path;

use super::Side;

/// Why a path is surely not what was meant; `None`: it may well be. Such a path names no file that
/// exists: in a crontab, a unit or an env-file nobody expands it, and it would be created as it stands.
pub fn unexpanded(path: &Path) -> Option<&'static str> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let text = path.as_os_str().to_string_lossy();
    let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let strange_end = |end: Option<char>| end.is_some_and(char::is_whitespace);
    if text.is_empty() {
        return Some("is empty");
    }
    if quoted('"') || quoted('\'') {
        return Some("stands in quotes that nobody took off");
    }
    if strange_end(text.chars().next()) || strange_end(text.chars().next_back()) {
        return Some("begins or ends with a space or a line end");
    }
    if text.starts_with('~') {
        return Some("begins with ~, which only a shell expands, and only unquoted");
    }
    if text.contains("$(") || text.contains("${") || has_variable(&text) {
        return Some("names a variable, which nobody has expanded");
    }
    if text.contains("{{") {
        return Some("holds a template that nobody has filled in");
    }
    if has_percent_variable(&text) {
        return Some("holds a %-specifier, which nobody has expanded");
    }
    if text
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains('/'))
    {
        return Some("is an address, and a file's path is wanted");
    }
    None
}

/// Why a path that names no file is surely not meant for a database; `None`: it may well be. Other
/// programs take such words for more than a name, and what they mean may be an old ledger; and what
/// bears the name of a side file is thrown away by whoever opens the database that it goes by.
pub fn no_database(path: &Path) -> Option<&'static str> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let text = path.as_os_str().to_string_lossy();
    if text == ":memory:" {
        return Some("would keep the ledger in memory: it would be gone with the process");
    }
    let is_scheme = |scheme: &&str| {
        text.strip_prefix(*scheme)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    if ["file", "sqlite", "sqlite3", "postgres", "postgresql"]
        .iter()
        .any(is_scheme)
    {
        return Some("is an address, and a file's path is wanted");
    }
    if text
        .split_once('?')
        .is_some_and(|(_, options)| options.contains('='))
    {
        return Some("ends with options of an address, and a file's path is wanted");
    }
    let goes_by_another = |side: Side| {
        text.strip_suffix(side.suffix())
            .is_some_and(|database| !database.is_empty() && !database.ends_with('/'))
    };
    Side::ALL
        .into_iter()
        .any(goes_by_another)
        .then_some("is the name of a file beside a database, and not of the database itself")
}

/// `$HOME/x`
fn has_variable(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| next.is_ascii_alphabetic() || next == '_')
    })
}

/// `%USERPROFILE%`, or systemd's `%h/x`.
fn has_percent_variable(text: &str) -> bool {
    let specifier = |part: &str| {
        let mut letters = part.chars();
        letters.next() == Some('%')
            && letters
                .next()
                .is_some_and(|letter| letter.is_ascii_alphabetic())
            && letters.next().is_none()
    };
    if text.split('/').any(specifier) {
        return true;
    }
    let pieces: Vec<&str> = text.split('%').collect();
    pieces.len() >= 3
        && pieces[1..pieces.len() - 1].iter().any(|name| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Field case B11.
    #[test]
    fn a_path_that_nobody_has_expanded_is_recognised() {
        for path in [
            "~/x.db",
            "~root/x.db",
            "~",
            "$HOME/x.db",
            "/srv/${USER}.db",
            "/srv/$(date).db",
            "%USERPROFILE%/x.db",
            "%h/x.db",
            "/var/%S/refleet.db",
            "{{ state }}/x.db",
            "\"/srv/x.db\"",
            "'/srv/x.db'",
            "/srv/x.db\r",
            " /srv/x.db",
            "file:///srv/x.db",
            "sqlite://x.db",
            "postgres://host/x",
            "",
        ] {
            assert!(unexpanded(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/srv/x.db",
            "x~1.db",
            "a$.db",
            "a$1.db",
            "50%.db",
            "100%-done.csv",
            "5%h.csv",
            "a%20b%20c d.db",
            "{x}.db",
            "C:/x.db",
            "it's.db",
            "/srv//x.db",
        ] {
            assert_eq!(unexpanded(Path::new(path)), None, "{path}");
        }
        // Where somebody did make such a folder, it is meant.
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("$HOME"), "").unwrap();
        assert_eq!(unexpanded(&folder.path().join("$HOME")), None);
    }

    #[test]
    fn what_is_surely_no_database_s_path_is_told_from_what_may_be_one() {
        for path in [
            ":memory:",
            "file:x.db",
            "file:/srv/x.db",
            "sqlite:/srv/x.db",
            "postgres:x",
            "/srv/x.db?mode=ro",
            "x.db-wal",
            "/srv/x.db-shm",
            "/srv/x.db-journal",
            "/srv/x.db.lock",
            "/srv/x.db.simulator",
        ] {
            assert!(no_database(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/srv/x.db",
            "/srv/file:x.db",
            "files.db",
            "what?.db",
            "/srv/.lock",
            "x.lock.db",
        ] {
            assert_eq!(no_database(Path::new(path)), None, "{path}");
        }
        // What is there already says itself what it is.
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("x.db.lock");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(no_database(&odd), None);
    }
}
