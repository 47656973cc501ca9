//! The rows of a manifest as its operator wrote them, to be given back with what became of them.

use csv::StringRecord;

use super::access_names;
use super::column::Column;
use super::error::ManifestError;
use super::reader::Reader;
use super::row::Row;
use super::source::Source;
use super::suspects::Suspects;
use super::validate::validated;

/// The rows of a sound manifest, those included that are in no order.
pub struct OwnRows {
    reader: Reader,
    names: StringRecord,
    open: Vec<usize>,
}

impl OwnRows {
    /// Validates all of `source`, and goes back to its first row.
    pub fn open(source: &Source) -> Result<Self, ManifestError> {
        validated(source)?;
        let mut reader = Reader::open(source)?;
        let names = reader.record().clone();
        let known: Vec<usize> = reader.header().known().collect();
        let unknown: Vec<usize> = (0..names.len())
            .filter(|own| !known.contains(own))
            .collect();
        let mut suspects = Suspects::new(&unknown);
        while reader.next()?.is_some() {
            suspects.see(reader.record());
        }
        let secret: Vec<usize> = suspects.left().collect();
        let ways_in = [Column::Password, Column::SshKey].map(|own| reader.header().position(own));
        let is_open = |position: &usize| {
            let is_way_in = access_names::access(&names[*position]).is_some();
            !is_way_in && !ways_in.contains(&Some(*position)) && !secret.contains(position)
        };
        Ok(Self {
            open: (0..names.len()).filter(is_open).collect(),
            names,
            reader: Reader::open(source)?,
        })
    }

    /// What the header calls the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }

    /// The positions of the columns that everybody may see: none of passwords and keys, and none
    /// whose name or cells look like a way in.
    pub fn open_columns(&self) -> &[usize] {
        &self.open
    }

    /// The row of the header.
    pub fn header_line(&self) -> u64 {
        self.reader.header().line
    }

    /// They stand in a workbook, and not in lines of text.
    pub fn is_workbook(&self) -> bool {
        self.reader.is_workbook()
    }

    /// `on line 7`, `in row 7`
    pub fn on(&self, line: u64) -> String {
        self.reader.on(line)
    }

    /// The next row. Its job is missing where it has names, which nobody looks up.
    pub fn next(&mut self) -> Result<Option<Row>, ManifestError> {
        self.reader.next()
    }

    /// The cells of the last row.
    pub fn cells(&self) -> &StringRecord {
        self.reader.record()
    }
}
