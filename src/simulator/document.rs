//! The documents that the API answers with when it does what it was asked for.
//!
//! Shapes follow what is known of the real ones, their traps included: every scalar is a string
//! in a `$`, the request's parameters come back in `tparams` (a password too), one repeated node
//! collapses to an object, an empty list has no `elem`, texts carry blanks at their ends.

use std::borrow::Cow;
use std::sync::Arc;

use super::form::Fields;
use super::json::Json;
use crate::job::InstanceStatus;

/// `doc.ok`: accepted.
pub(super) fn ok(fields: &Fields) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.raw("\"ok\":{},\"saved_filters\":{},")
        .echo(fields)
        .raw("}}");
    json.0
}

/// A `doc.ok` that leads elsewhere.
pub(super) fn ok_to(fields: &Fields, leads_to: &str) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.raw("\"ok\":{\"$\":").text(leads_to).raw("},");
    json.echo(fields).raw("}}");
    json.0
}

/// The session of a login.
pub(super) fn session(fields: &Fields, token: &str) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.raw("\"auth\":{\"$id\":").text(token);
    json.raw(",\"$level\":\"16\",\"$\":").text(token);
    json.raw("},").echo(fields).raw("}}");
    json.0
}

/// Whose the session is.
pub(super) fn user(fields: &Fields, id: &str, name: &str) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.raw("\"user\":{\"$id\":").text(id);
    json.raw(",\"$email\":")
        .text(&format!("{name}@example.com"));
    json.raw(",\"$realname\":").text(name);
    json.raw("},").echo(fields).raw("}}");
    json.0
}

/// Stands for one half of a surrogate pair, which no `String` can hold.
pub(super) const BROKEN: char = '\u{f8ff}';
/// What is written in its place.
const HALF_SURROGATE: &str = "\\ud83d";

/// Rows that nobody can read.
const ALIEN_ROWS: [&str; 6] = [
    "{\"servername\":{\"$\":\"no id\"},\"instance_status\":{\"$\":\"active\"}}",
    "{\"id\":{\"$\":\"five\"},\"servername\":{\"$\":\"no number\"}}",
    "null",
    "{\"id\":{\"$\":true},\"instance_status\":[[]]}",
    "\"a row\"",
    "{\"id\":[],\"instance_status\":{\"$\":7}}",
];

/// One row of the list.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) id: i64,
    /// It has an id.
    pub(super) readable: bool,
    pub(super) name: &'a str,
    pub(super) ip: &'a str,
    pub(super) datacenter: &'a str,
    pub(super) status: Arc<str>,
    /// As the list spells it; half a surrogate pair is written in place of each [`BROKEN`].
    pub(super) image: Arc<str>,
    /// Blanks in it, to make it long.
    pub(super) padding: usize,
}

/// One page of the list, `alien` unreadable rows among its own.
pub(super) fn page(
    fields: &Fields,
    rows: &[Row<'_>],
    alien: usize,
    number: usize,
    size: usize,
    total: usize,
) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.0.reserve(rows.len() * 640);
    if rows.len() + alien > 0 {
        json.raw("\"elem\":[");
        // One before each of the first rows, and the rest at the end.
        let mut aliens = ALIEN_ROWS.iter().cycle().take(alien);
        let mut index = 0;
        for row in rows {
            if let Some(alien) = aliens.next() {
                json.comma(index).raw(alien);
                index += 1;
            }
            json.comma(index);
            write_row(&mut json, row);
            index += 1;
        }
        for alien in aliens {
            json.comma(index).raw(alien);
            index += 1;
        }
        json.raw("],");
    }
    for (name, value) in [("p_cnt", size), ("p_num", number), ("p_elems", total)] {
        json.raw("\"")
            .raw(name)
            .raw("\":{\"$\":")
            .text(&value.to_string())
            .raw("},");
    }
    json.raw("\"saved_filters\":{},").echo(fields).raw("}}");
    json.0
}

fn write_row(json: &mut Json, row: &Row<'_>) {
    let stopped = *row.status == *InstanceStatus::Stopped.as_str();
    json.raw("{");
    if row.readable {
        json.field("id", &row.id.to_string());
    }
    json.field("name", "Cloud VPS 2")
        .field("servername", row.name);
    json.field("status", if stopped { "3" } else { "2" });
    json.field(
        "item_status",
        if stopped {
            "Temporary suspended"
        } else {
            "Active"
        },
    );
    json.field("instance_status", &spelling(&row.status, row.id));
    json.raw("\"instances_os\":{\"$\":\"");
    for (nth, part) in row.image.split(BROKEN).enumerate() {
        json.raw(if nth == 0 { "" } else { HALF_SURROGATE });
        json.inner_text(part);
    }
    json.raw("\"},").field("ip", row.ip);
    if row.padding > 0 {
        json.field("used_traffic", &" ".repeat(row.padding));
    }
    if row.id % 2 == 0 {
        json.raw("\"ip_v6\":{},\"createdate\":{\"$\":\"2026-01-15\"},");
    } else {
        json.raw("\"createdate\":[{\"$\":\"2026-01-15\"},{\"$\":\"01/15/2026\"}],");
    }
    json.field("pricelist", "Cloud VPS 2")
        .field("cost", "0.17 / Day");
    if row.datacenter.is_empty() {
        json.raw("\"datacentername\":{},");
    } else {
        json.field("datacentername", row.datacenter);
    }
    json.field("change_pricelist", "off");
    json.raw("\"autoprolong\":{\"$\":\"on\"}}");
}

/// The same status has been seen in several spellings.
fn spelling(status: &str, id: i64) -> Cow<'_, str> {
    if id % 3 == 0 {
        return status.into();
    }
    let mut text = status.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if id % 3 == 1 {
        text.push(' ');
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parsed(document: &[u8]) -> Value {
        serde_json::from_slice(document).unwrap()
    }

    #[test]
    fn an_empty_list_has_no_elem() {
        let document = page(&Fields::default(), &[], 0, 3, 50, 100);
        let doc = &parsed(&document)["doc"];
        assert_eq!(doc.get("elem"), None);
        assert_eq!(doc["p_elems"]["$"], "100");
        assert_eq!(doc["p_num"]["$"], "3");
    }

    #[test]
    fn statuses_come_in_several_spellings() {
        assert_eq!(spelling("active", 3), "active");
        assert_eq!(spelling("active", 4), "Active ");
        assert_eq!(spelling("active", 5), "Active");
        assert_eq!(spelling("", 4), " ");
    }
}
