//! The one path from a source to its rows, which both passes take.

use std::io;

use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use super::diagnostics::Diagnostics;
use super::encoding::{self, Encoding};
use super::error::ManifestError;
use super::header::Header;
use super::lines::Lines;
use super::records::{Layout, Next, Records};
use super::row::{self, Row};
use super::source::Source;

/// A manifest whose header was understood, and whose rows come one by one.
pub struct Reader {
    source: Source,
    header: Header,
    records: Records,
}

impl Reader {
    /// Opens `source` and reads its header. [`ManifestError::Invalid`] only if no row can be read;
    /// what else is wrong with the header is in [`Header::diagnostics`].
    pub fn open(source: &Source) -> Result<Self, ManifestError> {
        let mut diagnostics = Vec::new();
        let required = row::required(source.action());
        let (mut records, line) = match begin(source, required, &mut diagnostics) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Err(faulty(source, diagnostics)),
            Err(error) => return Err(source.unreadable(error)),
        };
        let mut header = Header::parse(required, records.record(), line, source.ignored_columns());
        if !header.is_usable() {
            let mut diagnostics = std::mem::take(&mut header.diagnostics);
            if diagnostics
                .iter()
                .all(|diagnostic| diagnostic.kind != DiagnosticKind::Report)
            {
                if let Some(delimiter) = records.foreign_delimiter() {
                    let diagnostic = Diagnostic::line(DiagnosticKind::DelimiterUnknown, line);
                    diagnostics = vec![diagnostic.with(format!("`{delimiter}`"))];
                } else if let Some(below) = records
                    .header_below()
                    .map_err(|error| source.unreadable(error))?
                {
                    diagnostics = vec![Diagnostic::line(DiagnosticKind::HeaderBelow, below)];
                }
            }
            return Err(faulty(source, diagnostics));
        }
        records.set_layout(Layout {
            cells_min: header.cells_min(),
            has_remarks: header.position(Column::ServiceId) == Some(0),
        });
        Ok(Self {
            source: source.clone(),
            header,
            records,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The cells of the last row.
    pub fn record(&self) -> &csv::StringRecord {
        self.records.record()
    }

    /// Lines so far that a person took out with `#`.
    pub fn taken_out(&self) -> u64 {
        self.records.taken_out()
    }

    /// Empty, and ready to name the columns.
    pub fn diagnostics(&self) -> Diagnostics {
        let name = self.source.name().to_owned();
        Diagnostics::new(self.source.action(), name, self.header.names.clone())
    }

    /// The next line that is a row, or should be one.
    pub fn next(&mut self) -> Result<Option<Row>, ManifestError> {
        let mut diagnostics = Vec::new();
        match self.records.next(&mut diagnostics) {
            Ok(Next::Row(line)) => {
                let record = self.records.record();
                let mut row = Row::parse(&self.source, record, &self.header, line);
                if row.job.is_none() {
                    self.look_again(&mut row);
                }
                if !diagnostics.is_empty() {
                    // Of the line before; this row is one of a faulty file anyway.
                    row.diagnostics.splice(..0, diagnostics);
                    row.job = None;
                    row.names = None;
                }
                Ok(Some(row))
            }
            Ok(Next::Faulty) => Ok(Some(Row {
                diagnostics,
                ..Row::default()
            })),
            Ok(Next::End) => Ok(None),
            Err(error) => Err(self.source.unreadable(error)),
        }
    }
}

impl Reader {
    /// What is wrong with a row may be wrong with all of it, and then its cells are not what their
    /// columns say: nothing of them is shown, for one may be a password.
    fn look_again(&self, row: &mut Row) {
        if let Some(kind) = self.records.joint() {
            row.diagnostics = vec![Diagnostic::line(kind, row.line)];
        } else if self.records.is_misfit() {
            for diagnostic in &mut row.diagnostics {
                diagnostic.text = None;
            }
        }
    }
}

fn begin(
    source: &Source,
    required: &'static [Column],
    diagnostics: &mut Vec<Diagnostic>,
) -> io::Result<Option<(Records, u64)>> {
    let input = match encoding::detect(source.read()?)? {
        Encoding::Readable(input) => input,
        Encoding::Unreadable(kind) => {
            diagnostics.push(Diagnostic::file(kind));
            return Ok(None);
        }
    };
    Records::open(required, Lines::new(input), diagnostics)
}

fn faulty(source: &Source, found: Vec<Diagnostic>) -> ManifestError {
    let name = source.name().to_owned();
    let mut diagnostics = Diagnostics::new(source.action(), name, Vec::new());
    for diagnostic in found {
        if diagnostic.kind.severity() == Severity::Error {
            diagnostics.add(diagnostic);
        }
    }
    ManifestError::Invalid(diagnostics)
}
