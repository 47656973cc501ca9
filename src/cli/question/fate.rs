//! What becomes of an instance, as far as the account's list tells.

use crate::job::{Action, same_image};
use crate::queue::Target;
use crate::run::Account;

/// What will become of an instance, by the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It will be sent, at once or when it is ready.
    Sent,
    /// It is not in the list.
    Absent,
    /// The list, which contradicts itself, does not show it: nobody has seen what stands there.
    Unseen,
    /// It is in a state from which the action does not start, and which does not end by itself.
    NotReady(String),
    /// Something else stands there than its order expects: what, in words.
    Differs(String),
}

/// What the account says of the instances that are about to be rebuilt.
#[derive(Clone, Copy)]
pub struct Outlook<'a> {
    /// What is to be done.
    pub action: Action,
    pub account: &'a Account,
    /// `--no-wait`: everything is sent, whatever the list says.
    pub no_wait: bool,
}

impl Outlook<'_> {
    pub fn fate(&self, target: &Target) -> Fate {
        let list = &self.account.list;
        if self.no_wait {
            return Fate::Sent;
        }
        let Some(listed) = list
            .get(target.service)
            .filter(|listed| listed.page.is_some())
        else {
            // An instance is known to be absent only from a list that was read whole.
            return if list.is_read() {
                Fate::Absent
            } else {
                Fate::Unseen
            };
        };
        let status = &listed.observation.status;
        let may_differ = target.is_touched || status.is_passing();
        if let Some(what) = listed.mismatch(&target.expected, may_differ) {
            Fate::Differs(what)
        } else if self.action.may_begin(status) || status.is_passing() {
            Fate::Sent
        } else {
            Fate::NotReady(status.to_string())
        }
    }

    /// The image that is there already, by its name.
    pub fn is_same_again(&self, target: &Target) -> bool {
        let now = self
            .account
            .list
            .get(target.service)
            .and_then(|listed| listed.observation.image.as_ref());
        let then = (target.image).and_then(|image| self.account.image_names.get(&image));
        now.zip(then)
            .is_some_and(|(now, then)| same_image(now, then))
    }
}
