//! Why the API does not do what it was asked for (`doc.error`).

use std::borrow::Cow;

use super::form::Fields;
use super::json::Json;

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
}
