//! The lists of choices of a form (`slist`), which every form of the panel writes alike.

use serde::Deserialize;

use super::shape::{Many, Text};

/// What one field of the form can be.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Choices<'a> {
    /// The field's.
    #[serde(borrow, rename = "$name")]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub val: Many<Choice<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    /// What to send.
    #[serde(borrow, rename = "$key")]
    pub key: Text<'a>,
    /// What a person reads.
    #[serde(borrow, rename = "$")]
    pub label: Text<'a>,
    /// The choice of another field that it belongs to.
    #[serde(borrow, rename = "$depend")]
    pub depend: Text<'a>,
}
