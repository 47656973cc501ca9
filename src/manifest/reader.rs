//! The one path from a source to its rows, which both passes take.

use std::io;

use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use super::diagnostics::{Diagnostics, Places};
use super::encoding::{self, Encoding};
use super::error::ManifestError;
use super::format::Container;
use super::header::Header;
use super::layout::{Layout, Next};
use super::lines::Lines;
use super::records::Records;
use super::row::{self, Row};
use super::sheet_fault::SheetFault;
use super::source::Source;
use super::table::Table;
use super::workbook::{self, SheetRecords};

/// A manifest whose header was understood, and whose rows come one by one.
pub struct Reader {
    source: Source,
    header: Header,
    table: Table,
    places: Places,
    sheet: Option<String>,
}

/// What is found while the header is looked for.
#[derive(Default)]
struct Found {
    diagnostics: Vec<Diagnostic>,
    places: Places,
    sheet: Option<String>,
}

impl Reader {
    /// Opens `source` and reads its header. [`ManifestError::Invalid`] only if no row can be read;
    /// what else is wrong with the header is in [`Header::diagnostics`].
    pub fn open(source: &Source) -> Result<Self, ManifestError> {
        let mut found = Found::default();
        let required = row::required(source.action());
        let (mut table, line) = match begin(source, required, &mut found) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Err(faulty(source, found)),
            Err(error) => return Err(source.unreadable(error)),
        };
        let mut header = Header::parse(required, table.record(), line, source.ignored_columns());
        if !header.is_usable() {
            found.diagnostics = std::mem::take(&mut header.diagnostics);
            if found
                .diagnostics
                .iter()
                .all(|diagnostic| diagnostic.kind != DiagnosticKind::Report)
            {
                if let Some(delimiter) = table.foreign_delimiter() {
                    let diagnostic = Diagnostic::line(DiagnosticKind::DelimiterUnknown, line);
                    found.diagnostics = vec![diagnostic.with(format!("`{delimiter}`"))];
                } else if let Some(below) = table
                    .header_below()
                    .map_err(|error| source.unreadable(error))?
                {
                    found.diagnostics = vec![Diagnostic::line(DiagnosticKind::HeaderBelow, below)];
                }
            }
            return Err(faulty(source, found));
        }
        header.refuse_hidden(|position| table.is_hidden(position));
        header.diagnostics.splice(..0, found.diagnostics);
        table.set_layout(Layout {
            cells_min: header.cells_min(),
            has_remarks: header.position(Column::ServiceId) == Some(0),
            known: header.known().collect(),
        });
        Ok(Self {
            source: source.clone(),
            header,
            table,
            places: found.places,
            sheet: found.sheet,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The cells of the last row.
    pub fn record(&self) -> &csv::StringRecord {
        self.table.record()
    }

    /// The name of the sheet, if it is a workbook.
    pub fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    pub fn is_workbook(&self) -> bool {
        matches!(self.table, Table::Sheet(_))
    }

    /// Lines so far that a person took out with `#`.
    pub fn taken_out(&self) -> u64 {
        self.table.taken_out()
    }

    /// A filter is set that hides no row. To be asked behind the last row.
    pub fn has_idle_filter(&self) -> bool {
        self.table.has_idle_filter()
    }

    /// Empty, and ready to name the columns.
    pub fn diagnostics(&self) -> Diagnostics {
        let name = self.source.name().to_owned();
        let names = self.header.names.clone();
        Diagnostics::new(self.source.action(), name, names).at(self.places.clone())
    }

    /// `on line 7`, `in row 7`
    pub fn on(&self, line: u64) -> String {
        match self.places {
            Places::Lines => format!("on line {line}"),
            Places::Cells { .. } => format!("in row {line}"),
        }
    }

    /// The next line that is a row, or should be one.
    pub fn next(&mut self) -> Result<Option<Row>, ManifestError> {
        let mut diagnostics = Vec::new();
        match self.table.next(&mut diagnostics) {
            Ok(Next::Row(line)) => {
                let (record, odd) = (self.table.record(), self.table.odd());
                let mut row = Row::parse(&self.source, record, &self.header, line, odd);
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
        if let Some(kind) = self.table.joint() {
            row.diagnostics = vec![Diagnostic::line(kind, row.line)];
        } else if self.table.is_misfit() {
            for diagnostic in &mut row.diagnostics {
                diagnostic.text = None;
            }
        }
    }
}

/// Reads up to the header; its place.
fn begin(
    source: &Source,
    required: &'static [Column],
    found: &mut Found,
) -> io::Result<Option<(Table, u64)>> {
    let input = match encoding::detect(source.read()?)? {
        Encoding::Readable(input) => input,
        Encoding::Packed(container) => return begin_sheet(source, container, required, found),
        Encoding::Unreadable(kind) => {
            found.diagnostics.push(Diagnostic::file(kind));
            return Ok(None);
        }
    };
    let options = source.sheet();
    if options.name.is_some() {
        let kind = DiagnosticKind::Workbook(SheetFault::NoSheets);
        found.diagnostics.push(Diagnostic::file(kind));
        return Ok(None);
    }
    let lines = Lines::new(input);
    let begun = Records::open(required, lines, options.header_row, &mut found.diagnostics)?;
    Ok(begun.map(|(records, line)| (Table::Text(Box::new(records)), line)))
}

fn begin_sheet(
    source: &Source,
    container: Container,
    required: &'static [Column],
    found: &mut Found,
) -> io::Result<Option<(Table, u64)>> {
    let blob = source.blob()?;
    let options = source.sheet();
    let opened = match container {
        Container::Zip => workbook::open(&blob, options, &mut found.diagnostics),
        Container::Ole => Err(workbook::compound(&blob)),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(fault) => {
            found.diagnostics.push(fault.diagnostic(None)?);
            return Ok(None);
        }
    };
    let sheet = opened.is_one_of_several.then(|| opened.name.clone());
    found.places = Places::Cells { sheet };
    found.sheet = Some(opened.name.clone());
    let begun = SheetRecords::open(required, opened, options, &mut found.diagnostics)?;
    Ok(begun.map(|(records, row)| (Table::Sheet(Box::new(records)), row)))
}

fn faulty(source: &Source, found: Found) -> ManifestError {
    let name = source.name().to_owned();
    let diagnostics = Diagnostics::new(source.action(), name, Vec::new());
    let mut diagnostics = diagnostics.at(found.places);
    for diagnostic in found.diagnostics {
        if diagnostic.kind.severity() == Severity::Error {
            diagnostics.add(diagnostic);
        }
    }
    ManifestError::Invalid(diagnostics)
}
