//! Rows of a manifest in the text format of COPY: what a load sends.

use std::fmt::Write as _;

use super::text::{json_text, no_nul};
use crate::job::{BatchId, Group, NewJob};
use crate::queue::stored::{OrderColumns, job_id};

pub(super) const JOBS: &str = "COPY job (id, batch_id, line, service_id, image, zone, access, ssh_key, expected, group_name, ssh_port, note) FROM STDIN";
pub(super) const SECRETS: &str = "COPY secret (job_id, password) FROM STDIN";

/// The jobs of batch `id` that `rows` become, as [`JOBS`] takes them.
pub(super) fn jobs(id: BatchId, rows: &[NewJob]) -> String {
    let mut text = String::with_capacity(rows.len() * 160);
    for row in rows {
        let order = OrderColumns::from(&row.order);
        let expected = (!row.expected.is_nothing()).then(|| json_text(&row.expected));
        let ssh_port = row.ssh_port.map(|port| port.to_string());
        let job = job_id(id, row.line).stored();
        write!(text, "{job}\t{id}\t{}\t{}", row.line, row.service.get())
            .expect("a text takes whatever is written");
        for value in [
            order.image.as_deref(),
            order.zone,
            order.access,
            order.ssh_key,
            expected.as_deref(),
            row.group.as_ref().map(Group::as_str),
            ssh_port.as_deref(),
            row.note.as_deref(),
        ] {
            text.push('\t');
            push(&mut text, value);
        }
        text.push('\n');
    }
    text
}

/// Their passwords, as [`SECRETS`] takes them.
pub(super) fn secrets(id: BatchId, rows: &[NewJob]) -> String {
    let mut text = String::new();
    for row in rows {
        if let Some(password) = OrderColumns::from(&row.order).password {
            let job = job_id(id, row.line).stored();
            write!(text, "{job}\t").expect("a text takes whatever is written");
            push(&mut text, Some(password));
            text.push('\n');
        }
    }
    text
}

/// Adds a value, with what would mean something else escaped.
fn push(text: &mut String, value: Option<&str>) {
    let Some(value) = value else {
        text.push_str("\\N");
        return;
    };
    for character in no_nul(value).chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_value_or_a_row_is_escaped() {
        for (value, written) in [
            (None, "\\N"),
            (Some(""), ""),
            (Some("\\N"), "\\\\N"),
            (Some("\\."), "\\\\."),
            (Some("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e"),
            (Some("p\0ss"), "p\u{fffd}ss"),
            (Some("ключ"), "ключ"),
        ] {
            let mut text = String::new();
            push(&mut text, value);
            assert_eq!(text, written, "{value:?}");
        }
    }
}
