//! How an execution goes, and what somebody else does to an instance: what tests may ask for.

use serde::{Deserialize, Serialize};

/// When an instance's image changes its name in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageAt {
    /// At once, before the disk is written, as the cloud behind the panel does it.
    Accept,
    /// When the rebuild is complete.
    #[default]
    End,
}

/// How an execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it was ordered. After a rebuild: back as it was, `active` or `stopped`, with the new image.
    #[default]
    Active,
    /// In status `error`. A rebuild has wiped the instance by then.
    Error,
    /// Never: the status in between stays for ever. A rebuild has wiped the instance.
    Never,
    /// Back as it was before. A rebuild has wiped the instance, which stands under the old image's
    /// name.
    RolledBack,
    /// The API said ok, and nothing happened at all.
    Ignored,
}

/// How one execution differs from the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// From the acceptance until the status shows.
    pub accept_lag_ms: Option<u64>,
    /// How long it then takes. With 0 the status in between, `rebuilding`, is never seen.
    pub duration_ms: Option<u64>,
    pub outcome: Option<Outcome>,
    /// Of a rebuild: the name that the list shows afterwards instead of the ordered image's.
    pub image_after: Option<String>,
    /// When that name appears.
    pub image_at: Option<ImageAt>,
}

/// What somebody else does to an instance, at a later moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// From now.
    pub after_ms: u64,
    /// The new status; `None`: as before.
    pub status: Option<String>,
    /// The new image's name; `None`: as before.
    pub image: Option<String>,
}
