//! A job as PostgreSQL gives it, and JSON as it takes it.

use std::borrow::Cow;

use serde::Serialize;

use crate::queue::stored::{json, queued_job};
use crate::queue::{QueuedJob, StoreError};

/// A job as one column of text. `record`: how its record is given, if not always.
macro_rules! job_as_text {
    () => {
        crate::queue::postgres::text::job_as_text!(record_as_array!("json_build_array", ""))
    };
    ($record:expr) => {
        concat!(
            crate::queue::stored::job_as_array!("json_build_array", "", $record),
            "::text"
        )
    };
}
pub(super) use job_as_text;

/// The jobs of rows that are [`job_as_text`].
pub(super) fn queued_jobs(rows: &[(String,)]) -> Result<Vec<QueuedJob>, StoreError> {
    rows.iter().map(|(text,)| queued_job(text)).collect()
}

/// Plain data as JSON that PostgreSQL can make text of: it holds no NUL in any text.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> String {
    let text = json(value);
    let mut clean = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        clean.push_str(before);
        let (written, length) = match escape.strip_prefix("\\u0000") {
            Some(_) => ("\\ufffd", 6),
            // An escape is a backslash and one more character, of ASCII.
            None => (&escape[..2], 2),
        };
        clean.push_str(written);
        rest = &escape[length..];
    }
    clean.push_str(rest);
    clean
}

/// `text` without NUL.
pub(super) fn no_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_becomes_a_replacement_and_nothing_else_changes() {
        for (text, becomes) in [
            ("plain \"text\"\n", "plain \"text\"\n"),
            ("nul\0here", "nul\u{fffd}here"),
            ("a backslash \\u0000 is none", "a backslash \\u0000 is none"),
            ("\\\0", "\\\u{fffd}"),
            ("\u{1}ü", "\u{1}ü"),
        ] {
            let read: String = serde_json::from_str(&json_text(text)).unwrap();
            assert_eq!(read, becomes);
            assert_eq!(no_nul(text), becomes);
        }
    }
}
