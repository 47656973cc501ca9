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

use super::pass::Pass;
use super::wiped::Wiped;

pub(super) const AUTH: &str = "auth";
pub(super) const SECOND_FACTOR: &str = "totp.confirm";
pub(super) const KEEPALIVE: &str = "keepalive";
pub(super) const WHOAMI: &str = "whoami";
pub(super) const INSTANCES: &str = "instances";
pub(super) const REBUILD: &str = "instances.fleio.rebuild";
pub(super) const TARIFFS: &str = "v2.instances.order.pricelist";
pub(super) const ORDER: &str = "v2.instances.order.param";
pub(super) const OWN_IMAGES: &str = "image";
pub(super) const SSH_KEYS: &str = "sshkeys";

/// The functions that do something when `sok=ok` is with them. No other form can say it: with
/// [`ORDER`], for one, it would order a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Login,
    /// The second half of a login: the one-time code.
    Confirmation,
    Rebuild,
}

impl Deed {
    fn func(self) -> &'static str {
        match self {
            Self::Login => AUTH,
            Self::Confirmation => SECOND_FACTOR,
            Self::Rebuild => REBUILD,
        }
    }
}

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

    /// What every call begins with that only reads within a session.
    pub(super) fn within_session(func: &str, pass: Pass<'_>) -> Self {
        let (name, value) = pass.field();
        Self::new()
            .part("func", func)
            .part(name, value)
            .part("out", "json")
    }

    /// What a call begins with that does something; a login has no session yet.
    pub(super) fn of_deed(deed: Deed, pass: Option<Pass<'_>>) -> Self {
        let form = Self::new().part("func", deed.func());
        let form = match pass.map(Pass::field) {
            Some((name, value)) => form.part(name, value),
            None => form,
        };
        form.part("out", "json").part("sok", "ok")
    }

    /// A field. What a form does is decided where it begins.
    pub(super) fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        assert!(
            is_plain && !["func", "sok"].contains(&name.to_ascii_lowercase().as_str()),
            "a field cannot change what the form does"
        );
        self.part(name, value)
    }

    fn part(mut self, name: &str, value: impl AsRef<str>) -> Self {
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
    Form::of_deed(Deed::Login, None)
        .text("username", username)
        .text("password", password)
        .text("lang", "en")
}

/// The one-time code for a session that waits for it.
pub(super) fn confirm(pass: Pass<'_>, code: &str) -> Form {
    Form::of_deed(Deed::Confirmation, Some(pass))
        .text("qrcode", code)
        .text("clicked_button", "ok")
        .text("lang", "en")
}

/// Asks about the session itself: [`KEEPALIVE`], [`WHOAMI`].
pub(super) fn about_session(func: &'static str, pass: Pass<'_>) -> Form {
    Form::within_session(func, pass).text("lang", "en")
}

/// The tariffs that can be ordered in a data centre.
pub(super) fn tariffs(pass: Pass<'_>, datacenter: Option<&str>) -> Form {
    let form = Form::within_session(TARIFFS, pass);
    match datacenter {
        Some(datacenter) => form.text("datacenter", datacenter),
        None => form,
    }
    .text("lang", "en")
}

/// The form of an order of a server, as it is shown before anything is ordered.
pub(super) fn order(pass: Pass<'_>, tariff: &str, datacenter: Option<&str>) -> Form {
    let form = Form::within_session(ORDER, pass).text("pricelist", tariff);
    match datacenter {
        Some(datacenter) => form.text("datacenter", datacenter),
        None => form,
    }
    // By the day, as the panel asks first.
    .text(&format!("period_{tariff}"), "-50")
    .text("lang", "en")
}

/// One page of a list of the account, counted from 1.
pub(super) fn page_of(func: &'static str, pass: Pass<'_>, page: u32) -> Form {
    Form::within_session(func, pass)
        .text("p_num", page.to_string())
        .text("lang", "en")
}

/// The first page of what the API has noted of a service. `func` only reads, which `HistoryShape` sees to.
pub(super) fn history(func: &str, pass: Pass<'_>, service: ServiceId) -> Form {
    Form::within_session(func, pass)
        .text("elid", service.to_string())
        .text("p_num", "1")
        .text("lang", "en")
}

/// The rebuild form of one instance: without `sok` nothing is done.
pub(super) fn preview(pass: Pass<'_>, service: ServiceId) -> Form {
    Form::within_session(REBUILD, pass)
        .text("elid", service.to_string())
        .text("lang", "en")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Pass<'_> = Pass::Session("token");

    fn says_sok(form: Form) -> bool {
        let (_, body) = form.encode();
        let body = String::from_utf8(body.as_ref().to_vec()).unwrap();
        body.contains("name=\"sok\"")
    }

    #[test]
    fn only_a_login_and_a_submission_say_sok() {
        let service = ServiceId::new(5).unwrap();
        assert!(says_sok(login("name", "password")));
        assert!(says_sok(Form::of_deed(Deed::Rebuild, Some(PASS))));
        assert!(says_sok(confirm(PASS, "246810")));
        for form in [
            about_session(KEEPALIVE, PASS),
            about_session(WHOAMI, PASS),
            page_of(INSTANCES, PASS, 1),
            page_of(OWN_IMAGES, PASS, 1),
            page_of(SSH_KEYS, PASS, 1),
            preview(PASS, service),
            history("service.history", PASS, service),
            tariffs(PASS, Some("2")),
            order(PASS, "3010", Some("2")),
        ] {
            assert!(!says_sok(form));
        }
    }

    #[test]
    fn no_field_turns_a_form_that_reads_into_one_that_orders() {
        for name in ["sok", "func", "x\"\r\n", "Sok"] {
            let form =
                std::panic::catch_unwind(|| Form::within_session(ORDER, PASS).text(name, "ok"));
            assert!(form.is_err(), "{name:?}");
        }
    }
}
