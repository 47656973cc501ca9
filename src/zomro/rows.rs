//! A page of any list of the account (`elem`, `p_num`, `p_elems`), each of its rows read by itself: one
//! that cannot be read must not hide the others.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::call_error::CallError;
use super::shape::{self, Object, Text};

/// Rows of one page at most; the panel itself shows a few hundred.
pub(super) const ROWS_MAX: usize = 10_000;

/// One page of a list.
#[derive(Debug)]
pub(super) struct ListPage<R> {
    /// Which page the API says this is, counted from 1.
    pub(super) number: Option<u32>,
    pub(super) per_page: Option<u32>,
    /// Rows of the whole list.
    pub(super) total: Option<u64>,
    /// `None`: it cannot be read.
    pub(super) rows: Vec<Option<R>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List<'a> {
    #[serde(borrow)]
    elem: Option<&'a RawValue>,
    #[serde(borrow)]
    p_num: Text<'a>,
    #[serde(borrow)]
    p_cnt: Text<'a>,
    #[serde(borrow)]
    p_elems: Text<'a>,
}

impl<'a, R: Deserialize<'a> + Default + PartialEq> ListPage<R> {
    pub(super) fn decode(body: &'a str) -> Result<Self, CallError> {
        let list: List<'_> = shape::document(body).map_err(|error| CallError::json(&error))?;
        let rows = match list.elem {
            Some(raw) => raw_rows(raw).map_err(|error| CallError::json(&error))?,
            None => Vec::new(),
        };
        Ok(Self {
            number: list.p_num.trimmed().parse().ok(),
            per_page: list.p_cnt.trimmed().parse().ok(),
            total: list.p_elems.trimmed().parse().ok(),
            // An empty list may be written as one empty element.
            rows: rows
                .into_iter()
                .map(|row| serde_json::from_str(row.get()).map(|Object(row)| row).ok())
                .filter(|row| *row != Some(R::default()))
                .collect(),
        })
    }
}

/// The rows of a list, not yet read: an array, one row alone, or an empty element, however that is
/// written.
fn raw_rows(list: &RawValue) -> serde_json::Result<Vec<&RawValue>> {
    match list.get().as_bytes().first() {
        Some(b'[') => serde_json::Deserializer::from_str(list.get()).deserialize_seq(Bounded),
        Some(b'{') => Ok(vec![list]),
        // `null` or a text: no rows.
        Some(_) | None => Ok(Vec::new()),
    }
}

struct Bounded;

impl<'de> Visitor<'de> for Bounded {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {ROWS_MAX} rows")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element()? {
            if rows.len() == ROWS_MAX {
                return Err(S::Error::invalid_length(ROWS_MAX + 1, &self));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}
