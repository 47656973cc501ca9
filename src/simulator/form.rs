//! The fields of a request, however the client sent them.
//!
//! The API takes multipart forms (the vendor's articles), URL-encoded ones (the panel) and query
//! strings. The multipart reader is our own because it is the hot path: a submission is nine
//! fields of a few bytes each, already in memory.

use axum::Form;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;

/// Longest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why a request's fields could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the body is longer than {BODY_BYTES_MAX} bytes or ended early")]
    Body,
    #[error("neither a multipart form, nor a URL-encoded one, nor a query")]
    NotAForm,
    #[error("the multipart form is damaged")]
    Multipart,
}

/// Name and value of each field, in the order of the request.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of `request`.
    pub(super) async fn of(request: Request) -> Result<Self, Unreadable> {
        let boundary = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(multipart_boundary);
        let Some(boundary) = boundary else {
            let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, &())
                .await
                .map_err(|_| Unreadable::NotAForm)?;
            return Ok(Self(fields));
        };
        let body = body(request.into_body()).await?;
        multipart(&body, &boundary).ok_or(Unreadable::Multipart)
    }

    /// These fields.
    pub(super) fn from_pairs<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    /// The same with another value of `name`.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let others = self.0.iter().filter(|(field, _)| field != name);
        let mut fields: Vec<_> = others.cloned().collect();
        fields.push((name.to_owned(), value.to_owned()));
        Self(fields)
    }

    /// The first value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The first value of `name`, empty ones counting as absent (the panel sends those).
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All fields.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A name that was sent more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.0.iter().enumerate().find_map(|(index, (name, _))| {
            let again = self.0[..index].iter().any(|(earlier, _)| earlier == name);
            again.then_some(name.as_str())
        })
    }
}

async fn body(body: Body) -> Result<Bytes, Unreadable> {
    to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Unreadable::Body)
}

fn multipart_boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

/// The value of `name` in `; name="value"; other=…`.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// RFC 7578, as far as forms without files need it.
fn multipart(body: &[u8], boundary: &str) -> Option<Fields> {
    let delimiter = format!("\r\n--{boundary}");
    let delimiter = delimiter.as_bytes();
    // The first delimiter has no line end before it.
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut fields = Vec::with_capacity(12);
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n")?;
        let head_bytes = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..head_bytes]).ok()?;
        let name = head.split("\r\n").find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header
                .trim()
                .eq_ignore_ascii_case("content-disposition")
                .then(|| parameter(value, "name"))?
        })?;
        let value = &part[head_bytes + 4..];
        let value_bytes = find(value, delimiter)?;
        fields.push((
            name.to_owned(),
            String::from_utf8_lossy(&value[..value_bytes]).into_owned(),
        ));
        rest = &value[value_bytes + delimiter.len()..];
    }
    Some(Fields(fields))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(fields: &[(String, String)]) -> Vec<u8> {
        let mut body = String::new();
        for (name, value) in fields {
            let head = "--frontier\r\nContent-Disposition: form-data; name=";
            body += &[head, "\"", name, "\"\r\n\r\n", value, "\r\n"].concat();
        }
        body += "--frontier--\r\n";
        body.into_bytes()
    }

    #[test]
    fn a_damaged_multipart_form_is_no_form() {
        let whole = encode(&[("func".to_owned(), "auth".to_owned())]);
        assert!(multipart(&whole, "frontier").is_some());
        assert!(multipart(&whole, "other").is_none());
        for length in 0..whole.len() - "--\r\n".len() {
            assert!(
                multipart(&whole[..length], "frontier").is_none(),
                "{length}"
            );
        }
    }

    #[test]
    fn the_boundary_is_found_in_every_spelling() {
        for (content_type, boundary) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            (
                "Multipart/Form-Data;charset=utf-8; Boundary=\"abc\"",
                Some("abc"),
            ),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/x-www-form-urlencoded", None),
        ] {
            assert_eq!(
                multipart_boundary(content_type).as_deref(),
                boundary,
                "{content_type}"
            );
        }
    }

    #[test]
    fn a_name_sent_twice_is_noticed() {
        let pair = |name: &str| (name.to_owned(), String::new());
        assert_eq!(Fields(vec![pair("a"), pair("b")]).repeated(), None);
        assert_eq!(
            Fields(vec![pair("a"), pair("b"), pair("a")]).repeated(),
            Some("a")
        );
    }

    proptest! {
        #[test]
        fn what_a_form_holds_is_what_is_read(
            fields in proptest::collection::vec(("[a-z_]{1,12}", "[^\0]{0,40}"), 0..12)
        ) {
            let read = multipart(&encode(&fields), "frontier").unwrap();
            prop_assert_eq!(read.0, fields);
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = multipart(&body, "b");
        }
    }
}
