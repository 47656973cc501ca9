//! Which part of a file is the manifest.

/// How a sheet is read, as far as somebody has said so.
#[derive(Debug, Clone, Default)]
pub struct SheetOptions {
    /// The sheet of a workbook that is meant.
    pub name: Option<String>,
    /// The row, or line, of the header, counted from 1.
    pub header_row: Option<u64>,
    /// Hidden rows, columns and sheets are read like others.
    pub include_hidden: bool,
}
