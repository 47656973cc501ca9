//! The rows with which the table begins: those that somebody has to look at, then the manifest's order.

use super::super::summary::rank;
use crate::job::ResultRow;

/// Rows on one page of the table.
pub const PAGE: usize = 200;
/// The last of [`rank`].
const RANKS: usize = 5;

#[derive(Debug, Default)]
pub struct FirstRows {
    of_rank: [Vec<ResultRow>; RANKS],
}

impl FirstRows {
    pub fn row(&mut self, row: &ResultRow) {
        let rows = &mut self.of_rank[usize::from(rank(row))];
        if rows.len() < PAGE {
            rows.push(row.clone());
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &ResultRow> {
        self.of_rank.iter().flatten().take(PAGE)
    }
}
