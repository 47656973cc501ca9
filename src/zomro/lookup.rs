//! Documents that are read for themselves.

use super::preview::Preview;
use crate::job::ServiceId;

/// A document to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// What an instance can be rebuilt with.
    Form(ServiceId),
}

/// What a [`Lookup`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Of [`Lookup::Form`].
    Form(Preview),
}
