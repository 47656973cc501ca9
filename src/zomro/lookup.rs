//! Documents that are read for themselves.

use super::catalogue::{OwnImage, OwnKey, OwnPage, Tariffs};
use super::preview::Preview;
use crate::job::ServiceId;

/// A document to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// What an instance can be rebuilt with.
    Form(ServiceId),
    /// The tariffs that can be ordered, in this data centre or in the one that the API chooses.
    Tariffs { datacenter: Option<String> },
    /// What a server can be ordered with, under a tariff.
    Order {
        tariff: String,
        datacenter: Option<String>,
    },
    /// A page of the account's own images, counted from 1.
    OwnImages(u32),
    /// A page of the account's SSH keys, counted from 1.
    SshKeys(u32),
}

/// What a [`Lookup`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Of [`Lookup::Form`] and [`Lookup::Order`].
    Form(Preview),
    /// Of [`Lookup::Tariffs`].
    Tariffs(Tariffs),
    /// Of [`Lookup::OwnImages`].
    OwnImages(OwnPage<OwnImage>),
    /// Of [`Lookup::SshKeys`].
    SshKeys(OwnPage<OwnKey>),
}
