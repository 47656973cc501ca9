//! The fields of each function, in the order in which the vendor documents them.
//!
//! `lang=en` keeps messages in one language; `p_cnt` and filters are never sent, because the server
//! stores them for the human who uses the panel.

use reqwest::multipart::Form;
use secrecy::ExposeSecret;

use crate::job::{Access, ServiceId};

use super::client::Rebuild;

pub(super) const AUTH: &str = "auth";
pub(super) const KEEPALIVE: &str = "keepalive";
pub(super) const INSTANCES: &str = "instances";
pub(super) const REBUILD: &str = "instances.fleio.rebuild";

/// What every call within a session begins with.
fn within_session(func: &'static str, token: &str) -> Form {
    Form::new()
        .text("func", func)
        .text("auth", token.to_owned())
        .text("out", "json")
}

/// Opens a session.
pub(super) fn login(username: &str, password: &str) -> Form {
    Form::new()
        .text("func", AUTH)
        .text("out", "json")
        .text("sok", "ok")
        .text("username", username.to_owned())
        .text("password", password.to_owned())
        .text("lang", "en")
}

/// Asks whether the session lives.
pub(super) fn keepalive(token: &str) -> Form {
    within_session(KEEPALIVE, token).text("lang", "en")
}

/// One page of the account's list, counted from 1.
pub(super) fn list_page(token: &str, page: u32) -> Form {
    within_session(INSTANCES, token)
        .text("p_num", page.to_string())
        .text("lang", "en")
}

/// The rebuild form of one instance: without `sok` nothing is done.
pub(super) fn preview(token: &str, service: ServiceId) -> Form {
    within_session(REBUILD, token)
        .text("elid", service.to_string())
        .text("lang", "en")
}

/// The rebuild itself.
pub(super) fn rebuild(token: &str, rebuild: &Rebuild) -> Form {
    let form = within_session(REBUILD, token)
        .text("sok", "ok")
        .text("elid", rebuild.service.to_string())
        .text("zone", rebuild.zone.clone())
        .text("select_rebuild", rebuild.image.to_string());
    match &rebuild.access {
        Access::Password(password) => form
            .text("enablessh", "off")
            .text("password", password.expose_secret().to_owned()),
        Access::SshKey(key) => form.text("enablessh", "on").text("ssh_keys", key.clone()),
        Access::Image => form.text("enablessh", "off"),
    }
    .text("lang", "en")
}
