//! Columns that are ignored, and whose cells look like passwords.
//!
//! A name may say nothing (`Spalte3`, `new`), and then only the cells tell that a way in is about
//! to be lost. Memory is constant: whether cells differ is asked of the first ones, and of each and
//! its predecessor. A column is dropped at its first ordinary cell, so nearly all are gone after
//! the first row.

use std::hash::{BuildHasher as _, RandomState};

use csv::StringRecord;

use super::cell::fits_password_rule;
use super::spreadsheet::is_date;
use crate::job::ImageId;

/// Cells that are remembered of a column, the last one besides.
const REMEMBERED_MAX: usize = 64;

/// The columns that may still be passwords.
pub struct Suspects {
    columns: Vec<Suspect>,
    /// Keyed anew in each process: nothing that is kept can be looked up.
    hasher: RandomState,
}

struct Suspect {
    position: usize,
    remembered: Vec<u64>,
    last: Option<u64>,
}

impl Suspects {
    /// The columns at these positions.
    pub fn new(positions: &[usize]) -> Self {
        let suspect = |position: &usize| Suspect {
            position: *position,
            remembered: Vec::new(),
            last: None,
        };
        Self {
            columns: positions.iter().map(suspect).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Looks at a row.
    pub fn see(&mut self, record: &StringRecord) {
        if self.columns.is_empty() {
            return;
        }
        let hasher = &self.hasher;
        self.columns.retain_mut(|column| {
            let cell = record.get(column.position).unwrap_or_default().trim();
            cell.is_empty() || (is_like_a_password(cell) && column.is_new(hasher.hash_one(cell)))
        });
    }

    /// The positions of those whose cells all look like passwords.
    pub fn left(&self) -> impl Iterator<Item = usize> {
        self.columns
            .iter()
            .filter(|column| column.last.is_some())
            .map(|column| column.position)
    }
}

impl Suspect {
    /// The cell was not met before, as far as is remembered.
    fn is_new(&mut self, cell: u64) -> bool {
        if self.last == Some(cell) || self.remembered.contains(&cell) {
            return false;
        }
        if self.remembered.len() < REMEMBERED_MAX {
            self.remembered.push(cell);
        }
        self.last = Some(cell);
        true
    }
}

/// Fits the rule for passwords, and is nothing that is known to fit it by accident.
fn is_like_a_password(cell: &str) -> bool {
    fits_password_rule(cell) && !is_id_or_moment(cell)
}

/// A UUID, an address or a moment, written in capitals.
fn is_id_or_moment(cell: &str) -> bool {
    let is_hardware_address = || {
        let mut pairs = cell.split([':', '-']);
        pairs.clone().count() >= 6
            && pairs
                .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    cell.parse::<ImageId>().is_ok()
        || cell.parse::<std::net::IpAddr>().is_ok()
        || is_hardware_address()
        || is_date(cell)
}
