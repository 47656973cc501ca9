//! The documents that the API answers with.
//!
//! Shapes follow what is known of the real ones, their traps included: every scalar is a string
//! in a `$`, the request's parameters come back in `tparams` (a password too), one repeated node
//! collapses to an object, an empty list has no `elem`, texts carry blanks at their ends.

use std::borrow::Cow;
use std::sync::Arc;

use super::config::{Image, SshKey};
use super::form::Fields;

/// Why the API does not do what it was asked for: `doc.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Cow<'static, str>,
    pub(super) object: Cow<'static, str>,
    pub(super) value: String,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    fn new(kind: &'static str, object: impl Into<Cow<'static, str>>, message: String) -> Self {
        Self {
            kind: kind.into(),
            object: object.into(),
            value: String::new(),
            message: message.into(),
        }
    }

    /// A field holds something that it may not hold.
    pub(super) fn value(field: &'static str, value: &str, why: &str) -> Self {
        Self {
            value: value.to_owned(),
            ..Self::new(
                "value",
                field,
                format!("Invalid value of the field '{field}': {why}"),
            )
        }
    }

    /// No such element.
    pub(super) fn missed(what: &'static str, id: &str) -> Self {
        Self {
            value: id.to_owned(),
            ..Self::new("missed", what, format!("The element '{id}' was not found"))
        }
    }

    /// No session, a dead one, or somebody else's element.
    pub(super) fn access(func: &str) -> Self {
        let message = format!("Insufficient privileges to perform the function '{func}'");
        Self::new("access", func.to_owned(), message)
    }

    /// A login that is not let in.
    pub(super) fn login(object: &'static str, message: &'static str) -> Self {
        Self {
            value: "remote_addr: [127.0.0.1]".to_owned(),
            ..Self::new("auth", object, message.to_owned())
        }
    }

    /// A login that only a person can pass. Nobody has documented the type.
    pub(super) fn captcha() -> Self {
        let message = "Confirm that you are not a robot".to_owned();
        Self::new("captcha_required", "g-recaptcha-response", message)
    }

    /// The instance is busy with a rebuild or something like it. The type misleads on purpose.
    pub(super) fn running_operation() -> Self {
        let message = "Another operation is being performed on this element".to_owned();
        Self::new("exists", "runningoperation", message)
    }

    /// No such function.
    pub(super) fn no_function(func: &str) -> Self {
        Self::new(
            "nofunc",
            func.to_owned(),
            format!("The function '{func}' does not exist"),
        )
    }

    /// The form of an instance cannot be made.
    pub(super) fn failed_form() -> Self {
        let message = "The list of images could not be read".to_owned();
        Self::new("cloud_error", "images", message)
    }

    /// The document.
    pub(super) fn document(&self, fields: &Fields) -> Vec<u8> {
        let mut json = Json::default();
        json.raw("{\"doc\":{");
        self.node(&mut json);
        json.echo(fields).raw("}}");
        json.0
    }

    /// The document of a call that was refused, and accepted as well.
    pub(super) fn document_with_ok(&self, fields: &Fields) -> Vec<u8> {
        let mut json = Json::head(fields);
        self.node(&mut json);
        json.raw("\"ok\":{},").echo(fields).raw("}}");
        json.0
    }

    /// `"error":{…},`
    fn node(&self, json: &mut Json) {
        json.raw("\"error\":{\"$type\":").text(&self.kind);
        if !self.object.is_empty() {
            json.raw(",\"$object\":").text(&self.object);
        }
        // The real thing ends its messages with a blank, too.
        let message = format!("{} ", self.message);
        json.raw(",\"$lang\":\"en\",\"detail\":{\"$\":")
            .text(&message);
        json.raw("},\"msg\":{\"$\":")
            .text(&message)
            .raw("},\"param\":");
        let object = |json: &mut Json| {
            json.raw("{\"$name\":\"object\",\"$type\":\"msg\",\"$\":")
                .text(&self.object)
                .raw("}");
        };
        if self.value.is_empty() {
            object(json);
        } else {
            json.raw("[");
            object(json);
            json.raw(",{\"$name\":\"value\",\"$\":")
                .text(&self.value)
                .raw("}]");
        }
        json.raw("},");
    }
}

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

/// The rebuild form.
pub(super) fn preview(fields: &Fields, elid: &str, images: &[Image], keys: &[SshKey]) -> Vec<u8> {
    let mut json = Json::head(fields);
    json.raw("\"elid\":{\"$\":").text(elid).raw("},");
    if let Some(first) = images.first() {
        json.raw("\"zone\":{\"$\":").text(&first.zone);
        json.raw("},\"select_rebuild\":{\"$\":")
            .text(&first.id.to_string())
            .raw("},");
    }
    json.raw("\"enablessh\":{\"$\":\"off\"},\"slist\":[{\"$name\":\"zone\",\"val\":[");
    let mut zones: Vec<&str> = vec!["pub", "own"];
    for image in images {
        if !zones.contains(&&*image.zone) {
            zones.push(&image.zone);
        }
    }
    for (index, zone) in zones.iter().enumerate() {
        json.comma(index).raw("{\"$key\":").text(zone);
        json.raw(",\"$\":").text(zone).raw("}");
    }
    json.raw("]},{\"$name\":\"select_rebuild\",\"val\":[");
    for image in images {
        json.raw("{\"$key\":").text(&image.id.to_string());
        json.raw(",\"$depend\":").text(&image.zone);
        json.raw(",\"$\":").text(&image.name).raw("},");
    }
    json.raw("{\"$key\":\"null\",\"$depend\":\"own\",\"$\":\"-- none --\"}");
    json.raw("]},{\"$name\":\"ssh_keys\",\"val\":[");
    if keys.is_empty() {
        json.raw("{\"$key\":\"none\",\"$\":\"-- none --\"}");
    }
    for (index, key) in keys.iter().enumerate() {
        json.comma(index).raw("{\"$key\":").text(&key.id);
        json.raw(",\"$\":").text(&key.label).raw("}");
    }
    json.raw("]}],").echo(fields).raw("}}");
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
    pub(super) status: Arc<str>,
    /// As the list spells it; [`BROKEN`] in it is written as what it stands for.
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
            json.comma(index).row(row);
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

#[derive(Default)]
struct Json(Vec<u8>);

impl Json {
    /// Up to the first node: what stands on top of every answer.
    fn head(fields: &Fields) -> Self {
        let mut json = Self(Vec::with_capacity(1024));
        json.raw("{\"doc\":{\"$lang\":\"en\",\"$func\":");
        json.text(fields.get("func").unwrap_or_default());
        json.raw(
            ",\"$binary\":\"/billmgr\",\"$host\":\"http://127.0.0.1:1500\",\"$themename\":\"lite\",\
             \"$theme\":\"/manimg/lite/\",\"$features\":\"simulator\",\"$notify\":\"0\",",
        );
        json
    }

    fn raw(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    fn comma(&mut self, index: usize) -> &mut Self {
        self.raw(if index == 0 { "" } else { "," })
    }

    fn text(&mut self, text: &str) -> &mut Self {
        serde_json::to_writer(&mut self.0, text).expect("text goes into memory");
        self
    }

    /// Text without its quotes.
    fn inner_text(&mut self, text: &str) -> &mut Self {
        let quoted = serde_json::to_string(text).expect("text goes into memory");
        self.raw(&quoted[1..quoted.len() - 1])
    }

    /// `tparams`: the request's parameters, the password among them.
    fn echo(&mut self, fields: &Fields) -> &mut Self {
        self.raw("\"tparams\":{");
        for (index, (name, value)) in fields.iter().enumerate() {
            self.comma(index)
                .text(name)
                .raw(":{\"$\":")
                .text(value)
                .raw("}");
        }
        self.raw("}")
    }

    fn field(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw("\"")
            .raw(name)
            .raw("\":{\"$\":")
            .text(value)
            .raw("},")
    }

    fn row(&mut self, row: &Row<'_>) {
        let stopped = &*row.status == "stopped";
        self.raw("{");
        if row.readable {
            self.field("id", &row.id.to_string());
        }
        self.field("name", "Cloud VPS 2")
            .field("servername", row.name);
        self.field("status", if stopped { "3" } else { "2" });
        self.field(
            "item_status",
            if stopped {
                "Temporary suspended"
            } else {
                "Active"
            },
        );
        self.field("instance_status", &spelling(&row.status, row.id));
        self.raw("\"instances_os\":{\"$\":\"");
        for (nth, part) in row.image.split(BROKEN).enumerate() {
            self.raw(if nth == 0 { "" } else { HALF_SURROGATE });
            self.inner_text(part);
        }
        self.raw("\"},").field("ip", row.ip);
        if row.padding > 0 {
            self.field("used_traffic", &" ".repeat(row.padding));
        }
        if row.id % 2 == 0 {
            self.raw("\"ip_v6\":{},\"createdate\":{\"$\":\"2026-01-15\"},");
        } else {
            self.raw("\"createdate\":[{\"$\":\"2026-01-15\"},{\"$\":\"01/15/2026\"}],");
        }
        self.field("pricelist", "Cloud VPS 2")
            .field("cost", "0.17 / Day");
        self.field("datacentername", "Simulated")
            .field("change_pricelist", "off");
        self.raw("\"autoprolong\":{\"$\":\"on\"}}");
    }
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
    use serde_json::{Value, json};

    use super::*;

    fn parsed(document: &[u8]) -> Value {
        serde_json::from_slice(document).unwrap()
    }

    #[test]
    fn a_refusal_has_the_documented_shape() {
        let document = Refusal::value("zone", "\"x\"", "unknown").document(&Fields::default());
        let message = "Invalid value of the field 'zone': unknown ";
        assert_eq!(
            parsed(&document),
            json!({"doc": {
                "error": {
                    "$type": "value", "$object": "zone", "$lang": "en",
                    "detail": {"$": message}, "msg": {"$": message},
                    "param": [
                        {"$name": "object", "$type": "msg", "$": "zone"},
                        {"$name": "value", "$": "\"x\""},
                    ],
                },
                "tparams": {},
            }})
        );
    }

    #[test]
    fn a_lone_parameter_collapses_to_an_object() {
        let document = Refusal::running_operation().document(&Fields::default());
        let error = &parsed(&document)["doc"]["error"];
        assert_eq!(error["$object"], "runningoperation");
        assert!(error["param"].is_object());
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
