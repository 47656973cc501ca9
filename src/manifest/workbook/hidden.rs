//! Which columns of a sheet are hidden.

use super::fault::Fault;
use crate::manifest::limits::SHEET_COLUMNS_MAX;

/// Runs of hidden columns, counted from 0.
#[derive(Default)]
pub struct Columns(Vec<(u32, u32)>);

impl Columns {
    /// Adds those from the first to the last.
    pub fn add(&mut self, first: u32, last: u32) -> Result<(), Fault> {
        self.0.push((first, last));
        if self.0.len() > SHEET_COLUMNS_MAX as usize {
            let what = format!("it has more than {SHEET_COLUMNS_MAX} hidden columns");
            return Err(Fault::too_large(what));
        }
        Ok(())
    }

    pub fn has(&self, column: usize) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first as usize..=*last as usize).contains(&column))
    }
}
