//! The fields of a request, however the client sent them.
//!
//! The API takes multipart forms (the vendor's articles), URL-encoded ones (the panel) and query
//! strings.

use axum::Form;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// Longest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
const MULTIPART: &str = "multipart/form-data";

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
        if is_multipart(request.headers()) {
            return Self::of_multipart(request).await;
        }
        let Form(fields) = Form::from_request(request, &())
            .await
            .map_err(|_| Unreadable::NotAForm)?;
        Ok(Self(fields))
    }

    async fn of_multipart(request: Request) -> Result<Self, Unreadable> {
        let (head, body) = request.into_parts();
        // The whole body first, because hyper closes a connection on which a part of a request was
        // left unread.
        let body = to_bytes(body, BODY_BYTES_MAX)
            .await
            .map_err(|_| Unreadable::Body)?;
        let request = Request::from_parts(head, Body::from(body));
        let damaged = |_| Unreadable::Multipart;
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|_| Unreadable::NotAForm)?;
        let mut fields = Vec::with_capacity(12);
        while let Some(field) = form.next_field().await.map_err(damaged)? {
            let name = field.name().ok_or(Unreadable::Multipart)?.to_owned();
            // Not `text()`, which would drop a byte order mark.
            let value = field.bytes().await.map_err(damaged)?;
            fields.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
        Ok(Self(fields))
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

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(MULTIPART))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=frontier";

    fn encode(fields: &[(String, String)]) -> Vec<u8> {
        let mut body = String::new();
        for (name, value) in fields {
            let head = "--frontier\r\nContent-Disposition: form-data; name=";
            body += &[head, "\"", name, "\"\r\n\r\n", value, "\r\n"].concat();
        }
        body += "--frontier--\r\n";
        body.into_bytes()
    }

    fn read(content_type: &str, body: &[u8]) -> Result<Fields, Unreadable> {
        let request = Request::post("/")
            .header(CONTENT_TYPE, content_type)
            .body(Body::from(body.to_vec()))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(Fields::of(request))
    }

    #[test]
    fn a_damaged_multipart_form_is_no_form() {
        let whole = encode(&[("func".to_owned(), "auth".to_owned())]);
        assert!(read(TYPE, &whole).is_ok());
        assert!(read("multipart/form-data; boundary=other", &whole).is_err());
        for length in 0..whole.len() - "--\r\n".len() {
            assert!(read(TYPE, &whole[..length]).is_err(), "{length}");
        }
        let nameless = b"--frontier\r\nContent-Disposition: form-data\r\n\r\nx\r\n--frontier--\r\n";
        assert!(read(TYPE, nameless).is_err());
    }

    #[test]
    fn the_boundary_is_found_in_every_spelling() {
        let form = encode(&[("func".to_owned(), "auth".to_owned())]);
        for (content_type, is_read) in [
            (TYPE, true),
            (
                "Multipart/Form-Data;charset=utf-8; Boundary=\"frontier\"",
                true,
            ),
            ("multipart/form-data; boundary=", false),
            ("multipart/form-data", false),
            ("multipart/mixed; boundary=frontier", false),
        ] {
            assert_eq!(read(content_type, &form).is_ok(), is_read, "{content_type}");
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_not_read() {
        let long = encode(&[("name".to_owned(), "x".repeat(BODY_BYTES_MAX))]);
        assert!(matches!(read(TYPE, &long), Err(Unreadable::Body)));
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
            let read = read(TYPE, &encode(&fields)).unwrap();
            prop_assert_eq!(read.0, fields);
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read("multipart/form-data; boundary=b", &body);
        }
    }
}
