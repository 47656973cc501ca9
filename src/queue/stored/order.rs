//! How an order stands in the columns of its job, and in the table of secrets.

use std::borrow::Cow;

use secrecy::ExposeSecret as _;

use super::decode::{damaged, json, word};
use crate::job::{Access, AccessKind, Action, Expected, NewJob, Order, Rebuild, StoredAccess};
use crate::queue::{EnqueueError, Rows, StoreError};

/// What is written of an order. A column that its action does not need is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderColumns<'a> {
    pub image: Option<String>,
    pub zone: Option<&'a str>,
    pub access: Option<&'static str>,
    pub ssh_key: Option<&'a str>,
    /// Stands in the table of secrets.
    pub password: Option<&'a str>,
}

impl<'a> From<&'a Order> for OrderColumns<'a> {
    fn from(order: &'a Order) -> Self {
        match order {
            Order::Rebuild(Rebuild {
                image,
                zone,
                access,
            }) => {
                let (password, ssh_key) = match access {
                    Access::Password(password) => (Some(password.expose_secret()), None),
                    Access::SshKey(key) => (None, Some(key.as_str())),
                    Access::Image => (None, None),
                };
                Self {
                    image: Some(image.to_string()),
                    zone: zone.as_deref(),
                    access: Some(access.kind().as_str()),
                    ssh_key,
                    password,
                }
            }
        }
    }
}

/// What is expected, as its column has it: NULL where that is nothing.
pub fn expected(expected: &Expected) -> Option<String> {
    (!expected.is_nothing()).then(|| json(expected))
}

/// What is read of an order.
pub struct StoredOrder<'a> {
    pub action: Action,
    pub image: Option<Cow<'a, str>>,
    pub zone: Option<String>,
    pub access: Option<Cow<'a, str>>,
    pub ssh_key: Option<String>,
    pub password: Option<String>,
}

impl TryFrom<StoredOrder<'_>> for Order<StoredAccess> {
    type Error = StoreError;

    fn try_from(stored: StoredOrder<'_>) -> Result<Self, StoreError> {
        match stored.action {
            Action::Rebuild => {
                let image = stored.image.and_then(|image| image.parse().ok());
                let access = stored.access.ok_or_else(|| damaged("a way of access"))?;
                Ok(Self::Rebuild(Rebuild {
                    image: image.ok_or_else(|| damaged("an image id"))?,
                    zone: stored.zone,
                    access: stored_access(&access, stored.ssh_key, stored.password)?,
                }))
            }
        }
    }
}

fn stored_access(
    kind: &str,
    ssh_key: Option<String>,
    password: Option<String>,
) -> Result<StoredAccess, StoreError> {
    Ok(StoredAccess::Known(
        match (word(kind)?, password, ssh_key) {
            (AccessKind::Password, Some(password), _) => Access::Password(password.into()),
            (AccessKind::Password, None, _) => return Ok(StoredAccess::ErasedPassword),
            (AccessKind::SshKey, _, Some(key)) => Access::SshKey(key),
            (AccessKind::SshKey, _, None) => return Err(damaged("an SSH key")),
            (AccessKind::Image, _, _) => Access::Image,
        },
    ))
}

/// The next `count` rows of a manifest, none at the end.
pub fn next_rows<E: std::error::Error + 'static>(
    rows: &mut Rows<'_, E>,
    count: usize,
) -> Result<Vec<NewJob>, EnqueueError<E>> {
    let rows = rows.take(count).collect::<Result<_, _>>();
    rows.map_err(EnqueueError::Rows)
}
