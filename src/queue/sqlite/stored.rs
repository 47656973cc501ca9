//! How what stands in a column is read, and what is said where it can't be.

use serde::Deserialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::job::{AccountId, ImageId, Owner, UnknownWord};
use crate::queue::StoreError;

/// What stands as JSON in the only column of `row`.
pub(super) fn stored<'a, T: Deserialize<'a>>(
    row: &'a SqliteRow,
    what: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(row.try_get(0)?).map_err(|_| damaged(what))
}

pub(super) fn word<T: std::str::FromStr<Err = UnknownWord>>(word: &str) -> Result<T, StoreError> {
    word.parse()
        .map_err(|error: UnknownWord| damaged(&error.to_string()))
}

pub(super) fn image_id(id: &str) -> Result<ImageId, StoreError> {
    id.parse().map_err(|_| damaged("an image id"))
}

/// The columns of an account.
pub(super) fn owner(account: Option<String>, label: Option<String>) -> Option<Owner> {
    let id = AccountId::new(account?);
    Some(Owner { id, label })
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Storage {
        reason: format!("the database is damaged: {what} cannot be read"),
    }
}
