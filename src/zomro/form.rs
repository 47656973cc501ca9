//! The fields of each function, in the order in which the vendor documents them, as multipart forms.
//!
//! The encoding is written here, and not taken from a library, because it is part of the proof in
//! `wire`: a form is handed to the connection in one piece, so that there is one moment before which
//! not a byte of it was written. reqwest's own multipart form comes in four pieces a field, which also
//! was most of a submission's cost.
//!
//! `lang=en` keeps messages in one language; `p_cnt` and filters are never sent, because the server
//! stores them for the human who uses the panel.

use crate::job::ServiceId;

use super::wiped::Wiped;

pub(super) const AUTH: &str = "auth";
pub(super) const KEEPALIVE: &str = "keepalive";
pub(super) const WHOAMI: &str = "whoami";
pub(super) const INSTANCES: &str = "instances";
pub(super) const REBUILD: &str = "instances.fleio.rebuild";

/// A form as `multipart/form-data` (RFC 7578). Names are ours and need no escaping, values are
/// taken as they are.
pub(super) struct Form {
    /// 128 random bits: no value holds them.
    boundary: String,
    /// It may hold a password.
    body: Wiped,
}

impl Form {
    fn new() -> Self {
        Self {
            boundary: format!("{:032x}", fastrand::u128(..)),
            body: Wiped::with_capacity(1536),
        }
    }

    /// What every call within a session begins with.
    pub(super) fn within_session(func: &'static str, token: &str) -> Self {
        Self::new()
            .text("func", func)
            .text("auth", token)
            .text("out", "json")
    }

    pub(super) fn text(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        let head = "\r\nContent-Disposition: form-data; name=\"";
        let value = value.as_ref();
        for part in [
            "--",
            &self.boundary,
            head,
            name,
            "\"\r\n\r\n",
            value,
            "\r\n",
        ] {
            self.body.push(part.as_bytes());
        }
        self
    }

    /// The value of `Content-Type`, and the body that it describes.
    pub(super) fn encode(mut self) -> (String, Wiped) {
        for part in ["--", &self.boundary, "--\r\n"] {
            self.body.push(part.as_bytes());
        }
        let content_type = format!("multipart/form-data; boundary={}", self.boundary);
        (content_type, self.body)
    }
}

pub(super) fn login(username: &str, password: &str) -> Form {
    Form::new()
        .text("func", AUTH)
        .text("out", "json")
        .text("sok", "ok")
        .text("username", username)
        .text("password", password)
        .text("lang", "en")
}

/// Asks about the session itself: [`KEEPALIVE`], [`WHOAMI`].
pub(super) fn about_session(func: &'static str, token: &str) -> Form {
    Form::within_session(func, token).text("lang", "en")
}

/// One page of the account's list, counted from 1.
pub(super) fn list_page(token: &str, page: u32) -> Form {
    Form::within_session(INSTANCES, token)
        .text("p_num", page.to_string())
        .text("lang", "en")
}

/// The rebuild form of one instance: without `sok` nothing is done.
pub(super) fn preview(token: &str, service: ServiceId) -> Form {
    Form::within_session(REBUILD, token)
        .text("elid", service.to_string())
        .text("lang", "en")
}
