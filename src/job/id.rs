//! Names of things. Each is a type of its own, so that none is passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The provider's number of an instance (`elid` in the API): 1 to 2⁶³−1, written without leading zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceId(i64);

/// Why a text is no [`ServiceId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceId {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Something else than ASCII digits.
    #[error("is not a whole number")]
    NotDigits,
    /// `007`, and `0` itself.
    #[error("begins with a zero")]
    LeadingZero,
    /// More than 2⁶³−1.
    #[error("is too large")]
    TooLarge,
}

impl ServiceId {
    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// From a number, as the database holds it; `None` unless it is positive.
    pub fn new(id: i64) -> Option<Self> {
        (id > 0).then_some(Self(id))
    }
}

impl FromStr for ServiceId {
    type Err = InvalidServiceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Err(InvalidServiceId::Empty)
        } else if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            Err(InvalidServiceId::NotDigits)
        } else if text.starts_with('0') {
            Err(InvalidServiceId::LeadingZero)
        } else {
            text.parse()
                .map(Self)
                .map_err(|_| InvalidServiceId::TooLarge)
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The provider's id of an image (`select_rebuild` in the API), always in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(Uuid);

impl ImageId {
    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for ImageId {
    type Err = uuid::Error;

    /// Accepts the hyphenated form only, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `Uuid` also reads braces, URNs and 32 bare digits; what a spreadsheet holds in such a
        // form was not copied from the provider.
        if text.len() == 36 {
            text.parse().map(Self)
        } else {
            "".parse().map(Self)
        }
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl Serialize for ImageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id! {
    /// One order to rebuild what a manifest lists.
    BatchId
}
/// One instance in one batch. What the number means, the store alone knows; elsewhere it only tells
/// jobs apart, and that a batch's jobs lie in the manifest's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(i64);

impl JobId {
    /// For stores, and for tests that stand for one.
    pub fn from_stored(number: i64) -> Self {
        Self(number)
    }

    /// For stores.
    pub fn stored(self) -> i64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

row_id! {
    /// One process that worked on a batch.
    RunId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_id_is_digits_without_a_leading_zero() {
        assert_eq!("5113119".parse(), Ok(ServiceId(5_113_119)));
        assert_eq!("9223372036854775807".parse(), Ok(ServiceId(i64::MAX)));
        for (text, why) in [
            ("", InvalidServiceId::Empty),
            ("0", InvalidServiceId::LeadingZero),
            ("007", InvalidServiceId::LeadingZero),
            ("+7", InvalidServiceId::NotDigits),
            ("-7", InvalidServiceId::NotDigits),
            ("٣", InvalidServiceId::NotDigits),
            ("9223372036854775808", InvalidServiceId::TooLarge),
        ] {
            assert_eq!(text.parse::<ServiceId>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn an_image_id_is_a_hyphenated_uuid_and_shown_in_lower_case() {
        let id: ImageId = "18D0EE2E-4D57-4F40-9B56-03C1773B5831".parse().unwrap();
        assert_eq!(id.to_string(), "18d0ee2e-4d57-4f40-9b56-03c1773b5831");
        for text in [
            "",
            "18d0ee2e4d574f409b5603c1773b5831",
            "{18d0ee2e-4d57-4f40-9b56-03c1773b5831}",
            "18d0ee2e-4d57-4f40-9b56-03c1773b583",
            "18d0ee2e-4d57-4f40-9b56-03c1773b583g",
        ] {
            assert!(text.parse::<ImageId>().is_err(), "{text:?}");
        }
    }
}
