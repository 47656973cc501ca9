//! What tests change while a simulator runs: an instance, or the account's behaviour.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Step};
use super::config::Config;
use super::kind::FaultKind;
use super::oddity::Oddities;
use super::sessions::{Login, Sessions};

/// What somebody other than the client does to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceChange {
    /// Status from now on. With `rebuilding`, the owner has begun a rebuild in the panel.
    pub status: Option<String>,
    /// Image name from now on.
    pub image: Option<String>,
    /// The owner's name for it from now on.
    pub name: Option<String>,
    /// Its address from now on.
    pub ip: Option<String>,
    /// Changes that come later, in ascending order of their time.
    pub steps: Vec<Step>,
    /// Does the list show it? `false`: the panel holds a filter.
    pub listed: Option<bool>,
    /// `true`: its row goes on showing this moment, while the rest of the page changes; `false`: no
    /// longer.
    pub frozen: Option<bool>,
    /// Can its row be read? `false`: it has no id.
    pub readable: Option<bool>,
    /// How its next execution differs from the usual.
    pub next: Option<Behaviour>,
}

impl InstanceChange {
    pub(super) fn all_steps(&self) -> Vec<Step> {
        let mut steps = self.steps.clone();
        if self.status.is_some() || self.image.is_some() {
            let (status, image) = (self.status.clone(), self.image.clone());
            steps.push(Step {
                after_ms: 0,
                status,
                image,
            });
        }
        steps.sort_by_key(|step| step.after_ms);
        steps
    }
}

/// Changes of the account's behaviour; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountChange {
    /// How old the list is that a call gets.
    pub list_lag_ms: Option<u64>,
    /// By how many rows the list's order moves after each call.
    pub list_shift: Option<usize>,
    /// Rows of one page.
    pub page_size: Option<usize>,
    /// From the acceptance of a submission until its status shows.
    pub accept_lag_ms: Option<u64>,
    /// How long a rebuild then takes.
    pub rebuild_duration_ms: Option<u64>,
    /// How long each call takes.
    pub latency_ms: Option<u64>,
    /// A session unused for so long is forgotten.
    pub session_ttl_ms: Option<u64>,
    /// The account's id from now on, as if the session were another's; empty: it names nobody.
    pub account: Option<String>,
    /// What happens to sessions.
    pub sessions: Option<Sessions>,
    /// What logins are answered with.
    pub login: Option<Login>,
    /// Share of the calls that meet a fault.
    pub fault_rate: Option<f64>,
    /// What they meet.
    pub fault_kinds: Option<Vec<FaultKind>>,
    /// What is odd from now on, in place of all that was odd before (a `baseline` stays what it
    /// was). As JSON: a list of the words of [`Oddities`].
    pub odd: Option<Oddities>,
}

impl AccountChange {
    /// Applies everything but what concerns logins and sessions, which are no part of the
    /// configuration.
    pub(super) fn apply(self, config: &mut Config) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        let duration = |ms: Option<u64>| ms.map(Duration::from_millis);
        set(&mut config.odd, self.odd);
        let account = self.account.map(|id| Some(id).filter(|id| !id.is_empty()));
        set(&mut config.account, account);
        set(&mut config.odd.shift, self.list_shift);
        set(&mut config.list_lag, duration(self.list_lag_ms));
        set(&mut config.accept_lag, duration(self.accept_lag_ms));
        set(
            &mut config.rebuild_duration,
            duration(self.rebuild_duration_ms),
        );
        set(&mut config.latency, duration(self.latency_ms));
        set(&mut config.session_ttl, duration(self.session_ttl_ms));
        set(&mut config.page_size, self.page_size);
        set(&mut config.faults.rate, self.fault_rate);
        set(&mut config.faults.kinds, self.fault_kinds);
    }
}
