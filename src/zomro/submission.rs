//! What is submitted, and what its answer has to name.

use secrecy::ExposeSecret as _;

use super::claims::Ours;
use super::form::{Deed, Form, REBUILD};
use super::pass::Pass;
use crate::job::{Access, Order, ServiceId};

/// An order to submit for an instance. Its intent must have been committed.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The instance.
    pub service: ServiceId,
    /// What is to be done with it.
    pub order: Order,
}

impl Submission {
    /// What the answer to it may echo.
    pub(super) fn ours(&self) -> Ours<'static> {
        Ours {
            func: match self.order {
                Order::Rebuild(_) => REBUILD,
            },
            service: Some(self.service),
            image: self.order.image(),
            submits: true,
        }
    }

    /// What must not show up in a message; empty where there is nothing.
    pub(super) fn secret(&self) -> &str {
        let password = self.order.password();
        password.map_or("", |password| password.expose_secret())
    }

    /// Its fields, in the order in which the vendor documents them.
    pub(super) fn form(&self, pass: Pass<'_>) -> Form {
        match &self.order {
            Order::Rebuild(rebuild) => {
                let form = Form::of_deed(Deed::Rebuild, Some(pass))
                    .text("elid", self.service.to_string())
                    .text("zone", rebuild.sent_zone())
                    .text("select_rebuild", rebuild.image.to_string());
                match &rebuild.access {
                    Access::Password(password) => form
                        .text("enablessh", "off")
                        .text("password", password.expose_secret()),
                    Access::SshKey(key) => form.text("enablessh", "on").text("ssh_keys", key),
                    Access::Image => form.text("enablessh", "off"),
                }
                .text("lang", "en")
            }
        }
    }
}
