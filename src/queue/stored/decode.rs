//! How what stands in a column is read, and what is said where it can't be.

use serde::{Deserialize, Serialize};

use crate::job::{AccountId, ImageId, Owner, ServiceId, UnknownWord};
use crate::queue::StoreError;

/// What stands as JSON in a column.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}

/// Plain data as JSON.
pub fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data is always JSON")
}

pub fn service_id(number: i64) -> Result<ServiceId, StoreError> {
    ServiceId::new(number).ok_or_else(|| damaged("a service id"))
}

/// What a database counts is never negative.
pub fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged("a count of jobs"))
}

pub fn word<T: std::str::FromStr<Err = UnknownWord>>(word: &str) -> Result<T, StoreError> {
    word.parse()
        .map_err(|error: UnknownWord| damaged(&error.to_string()))
}

pub fn image_id(id: &str) -> Result<ImageId, StoreError> {
    id.parse().map_err(|_| damaged("an image id"))
}

/// The columns of an account.
pub fn owner(account: Option<String>, label: Option<String>) -> Option<Owner> {
    let id = AccountId::new(account?);
    Some(Owner { id, label })
}

pub fn damaged(what: &str) -> StoreError {
    StoreError::Storage {
        reason: format!("the database is damaged: {what} cannot be read"),
    }
}
