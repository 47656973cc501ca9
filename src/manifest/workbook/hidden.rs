//! Which columns of a sheet are hidden.

/// Runs of hidden columns, counted from 0.
#[derive(Default)]
pub struct Columns(Vec<(u32, u32)>);

impl Columns {
    /// Adds those from the first to the last.
    pub fn add(&mut self, run: Option<(u32, u32)>) {
        self.0.extend(run);
    }

    pub fn has(&self, column: usize) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first as usize..=*last as usize).contains(&column))
    }
}
