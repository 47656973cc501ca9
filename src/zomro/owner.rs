//! Whom a session belongs to, as the answer to `func=whoami` names it.
//!
//! The shape is inferred from what the panel reads (`doc.user.$id`, `$email`, `$realname`), so it is
//! read leniently, and [`AccountField`] can be told another place.

use std::str::FromStr;

use serde_json::Value;

use crate::job::{AccountId, Owner};
use crate::text;

use super::call_error::CallError;
use super::redact::redact;
use super::shape;

/// An id is a number of a few digits; what is much longer is something else.
const ID_CHARS_MAX: usize = 64;
const LABEL_CHARS_MAX: usize = 64;

/// What stands beside an account's id and tells people which one it is, the best first.
const LABELS: [&str; 2] = ["$email", "$realname"];

/// The nodes from `doc` to the account's id, as in `user.$id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountField(Vec<String>);

impl Default for AccountField {
    fn default() -> Self {
        Self(vec!["user".to_owned(), "$id".to_owned()])
    }
}

/// Why a text names no node of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write the names of the nodes below `doc`, separated by dots, as in user.$id")]
pub struct InvalidAccountField;

impl FromStr for AccountField {
    type Err = InvalidAccountField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let is_name = |name: &String| !name.is_empty() && name.trim() == name;
        if names.iter().all(is_name) {
            Ok(Self(names))
        } else {
            Err(InvalidAccountField)
        }
    }
}

/// The account that a document names, safe to print; `None`: it names none. What holds one of the
/// `secrets` of the call is no name of an account.
pub(super) fn decode(
    body: &str,
    field: &AccountField,
    secrets: &[&str],
) -> Result<Option<Owner>, CallError> {
    let document: Value = shape::document(body).map_err(|error| CallError::json(&error))?;
    let Some((last, parents)) = field.0.split_last() else {
        return Ok(None);
    };
    let mut names = parents.iter();
    let parent = names.try_fold(&document, |node, name| child(node, name));
    let filled = |name: &str| {
        let text = scalar(child(parent?, name)?)?;
        let is_whole = !shape::is_damaged(&text) && redact(&text, secrets) == text;
        is_whole.then_some(text)
    };
    let is_id = |text: &String| {
        text.chars().count() <= ID_CHARS_MAX
            && !text
                .chars()
                .any(|c| c.is_whitespace() || text::is_unsafe(c))
    };
    Ok(filled(last).filter(is_id).map(|id| Owner {
        id: AccountId::new(id),
        label: LABELS
            .into_iter()
            .find_map(filled)
            .map(|label| text::brief(&label, LABEL_CHARS_MAX)),
    }))
}

/// The node `name` of a node, or of the first of several.
fn child<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    match node {
        Value::Array(nodes) => child(nodes.first()?, name),
        Value::Object(fields) => fields.get(name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The text of a node, in every dress of the API's scalars; `None`: there is none, or it is empty.
fn scalar(node: &Value) -> Option<String> {
    match node {
        Value::Array(nodes) => scalar(nodes.first()?),
        Value::Object(fields) => scalar(fields.get("$")?),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Null | Value::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "0123456789abcdef01234567";

    fn named(json: &str, field: &str) -> Option<String> {
        let owner = decode(json, &field.parse().unwrap(), &[TOKEN, "Mypassword1"]).unwrap();
        owner.map(|owner| owner.to_string())
    }

    fn usual(json: &str) -> Option<String> {
        named(json, "user.$id")
    }

    #[test]
    fn the_account_is_named_in_every_dress() {
        for (json, expected) in [
            (
                r#"{"doc":{"user":{"$id":"4711","$email":"ops@example.com","$realname":"Ops"}}}"#,
                "4711 (ops@example.com)",
            ),
            (
                r#"{"doc":{"user":{"$id":4711,"$realname":" Ops "}}}"#,
                "4711 (Ops)",
            ),
            (
                r#"{"doc":{"user":[{"$id":{"$":" 4711 "},"$email":{}},{"$id":"8"}]}}"#,
                "4711",
            ),
            (r#"{"doc":{"ok":{},"user":{"$id":["4711"]}}}"#, "4711"),
        ] {
            assert_eq!(usual(json).as_deref(), Some(expected), "{json}");
        }
        let elsewhere =
            r#"{"doc":{"user":{"$id":"1"},"account":{"no":{"$":"4711"},"$email":"a@b"}}}"#;
        assert_eq!(
            named(elsewhere, "account.no").as_deref(),
            Some("4711 (a@b)")
        );
        assert_eq!(
            named(r#"{"doc":{"login":{"$":"x"}}}"#, "login").as_deref(),
            Some("x")
        );
        assert_eq!("user.$id".parse(), Ok(AccountField::default()));
        for bad in ["", ".", "user.", " user.$id"] {
            assert_eq!(
                bad.parse::<AccountField>(),
                Err(InvalidAccountField),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_no_name_of_an_account_names_nobody() {
        let long = "7".repeat(65);
        for id in [
            "",
            " ",
            "4 711",
            "4711\\u001b[2J",
            "47\\u202e11",
            "47\\ufffd11",
            TOKEN,
            "xMypassword1x",
            long.as_str(),
        ] {
            let json = format!(r#"{{"doc":{{"user":{{"$id":"{id}"}}}}}}"#);
            assert_eq!(usual(&json), None, "{json}");
        }
        for json in [
            r#"{"doc":{"ok":{}}}"#,
            r#"{"doc":{"user":"4711"}}"#,
            r#"{"doc":{"user":[]}}"#,
            r#"{"doc":{"user":{"$id":{}}}}"#,
            r#"{"doc":{"user":{"$id":true}}}"#,
        ] {
            assert_eq!(usual(json), None, "{json}");
        }
        assert!(decode("<html>", &AccountField::default(), &[]).is_err());
    }

    #[test]
    fn what_people_call_it_can_neither_steer_a_terminal_nor_tell_a_secret() {
        let json = r#"{"doc":{"user":{"$id":"1","$email":"a\u001b[2J\nb"}}}"#;
        assert_eq!(usual(json).as_deref(), Some("1 (a\\u{1b}[2J b)"));
        let json =
            format!(r#"{{"doc":{{"user":{{"$id":"1","$email":"x{TOKEN}","$realname":"Ops"}}}}}}"#);
        assert_eq!(usual(&json).as_deref(), Some("1 (Ops)"));
        let json = format!(
            r#"{{"doc":{{"user":{{"$id":"1","$email":"{}"}}}}}}"#,
            "e".repeat(5000)
        );
        assert!(usual(&json).unwrap().chars().count() < 80);
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"user":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = decode(&json, &AccountField::default(), &[TOKEN]);
        }
    }
}
