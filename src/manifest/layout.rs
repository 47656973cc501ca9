//! What the records of a manifest are like, whatever file they stand in.

/// What the header says about the shape of its rows.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Cells that a row has at least; those at its end may be left out.
    pub cells_min: usize,
    /// A row that begins with `#` is taken out.
    pub has_remarks: bool,
    /// The positions of the columns that mean something.
    pub known: Vec<usize>,
}

/// What was read.
pub enum Next {
    /// A row, and its number; its cells are the record.
    Row(u64),
    /// No row that could be read: the diagnostics say why.
    Faulty,
    End,
}
