//! The one path from a source to its rows, which both passes take.

use std::io;

use super::columns::Header;
use super::encoding::{self, Encoding};
use super::fault::{Fault, FaultKind, Severity};
use super::lines::Lines;
use super::records::{Next, Records};
use super::row::Row;
use super::{Diagnostics, ManifestError, Source};

/// A manifest whose header was understood, and whose rows come one by one.
pub(super) struct Reader {
    source: Source,
    header: Header,
    records: Records,
}

impl Reader {
    /// Opens `source` and reads its header. [`ManifestError::Faults`] only if no row can be read;
    /// what else is wrong with the header is in [`Header::faults`].
    pub fn open(source: &Source) -> Result<Self, ManifestError> {
        let mut faults = Vec::new();
        let (records, line) = match begin(source, &mut faults) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Err(faulty(source, faults)),
            Err(error) => return Err(source.unreadable(error)),
        };
        let mut header = Header::parse(records.record(), line);
        if !header.is_usable() {
            return Err(faulty(source, std::mem::take(&mut header.faults)));
        }
        Ok(Self {
            source: source.clone(),
            header,
            records,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// No faults yet, ready to name the columns.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::new(self.source.name().to_owned(), self.header.names.clone())
    }

    /// The next line that is a row, or should be one.
    pub fn next(&mut self) -> Result<Option<Row>, ManifestError> {
        let mut faults = Vec::new();
        match self.records.next(&mut faults) {
            Ok(Next::Row(line)) => {
                let mut row = Row::parse(self.records.record(), &self.header, line);
                if !faults.is_empty() {
                    // Of the line before; this row is one of a faulty file anyway.
                    row.faults.splice(..0, faults);
                    row.job = None;
                }
                Ok(Some(row))
            }
            Ok(Next::Faulty) => Ok(Some(Row {
                faults,
                ..Row::default()
            })),
            Ok(Next::End) => Ok(None),
            Err(error) => Err(self.source.unreadable(error)),
        }
    }
}

fn begin(source: &Source, faults: &mut Vec<Fault>) -> io::Result<Option<(Records, u64)>> {
    let input = match encoding::detect(source.read()?)? {
        Encoding::Readable(input) => input,
        Encoding::Utf16WithoutBom => {
            faults.push(Fault::file(FaultKind::Utf16WithoutBom));
            return Ok(None);
        }
    };
    Records::open(Lines::new(input), faults)
}

fn faulty(source: &Source, faults: Vec<Fault>) -> ManifestError {
    let mut diagnostics = Diagnostics::new(source.name().to_owned(), Vec::new());
    for fault in faults {
        if fault.kind.severity() == Severity::Error {
            diagnostics.add(fault);
        }
    }
    ManifestError::Faults(diagnostics)
}
