//! The place that tells the actions apart: their functions, what is planned of them, and what becomes of
//! that. What is an action's own stands in a file of its name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::form::Fields;
use super::rebuild::{self, PlannedRebuild};
use super::refusal::Refusal;
use super::submission::{Course, Submission};
use super::timeline::View;
use crate::job::Action;

/// What a form is made by: the form for `elid`, whatever that is, in the data centre of this name.
pub(super) type Form = fn(&Config, &str, &Fields) -> Vec<u8>;

/// A function of the API that is about an action.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// What it does when it is asked with `sok=ok`.
    pub(super) action: Action,
    /// What it shows without; `None`: without, nothing is known of it.
    pub(super) form: Option<Form>,
}

/// All of them.
pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: rebuild::FUNC,
    action: Action::Rebuild,
    form: Some(rebuild::form),
}];

/// What has been accepted, with everything decided that may vary.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Planned {
    Rebuild(PlannedRebuild),
}

impl Planned {
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Rebuild(_) => Action::Rebuild,
        }
    }

    /// What the list shows of it, in ascending order: how long after the acceptance, which view.
    /// `before`: what it shows by then.
    pub(super) fn views(&self, course: &Course, before: &View) -> Vec<(Duration, View)> {
        match self {
            Self::Rebuild(rebuild) => rebuild.views(course, before),
        }
    }

    /// Id and name of the image that takes the place of all that was there; `None`: nothing is
    /// destroyed.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "not every action destroys what is there, though the only one so far does"
    )]
    pub(super) fn wiped_for(&self) -> Option<(&str, &str)> {
        match self {
            Self::Rebuild(rebuild) => Some((&rebuild.image_id, &rebuild.image)),
        }
    }
}

/// What a submission orders, and how it goes. `Err`: the API demands something else of its fields,
/// or the instance is in no state for it.
pub(super) fn plan(
    action: Action,
    config: &Config,
    submission: &Submission<'_>,
) -> Result<(Course, Planned), Refusal> {
    match action {
        Action::Rebuild => {
            let (course, rebuild) = rebuild::plan(config, submission)?;
            Ok((course, Planned::Rebuild(rebuild)))
        }
    }
}
