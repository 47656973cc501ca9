//! Lines → records of cells, each line for itself.
//!
//! `csv` is given one line at a time, whose quotes are known to be in order: what is wrong with a
//! row stays with that row.

use std::io::{self, Read};

use csv::StringRecord;

use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::format::Legacy;
use super::layout::{Layout, Next};
use super::lines::{Line, Lines, MARK_BYTES, unreadable};
use super::preamble::{self, DELIMITERS};
use super::quotes::{Ending, Scan, scan};
use super::spreadsheet::{is_error, is_hashes};

/// How many lines a cell that was left open is followed for its closing quote.
const OPEN_LINES_MAX: u64 = 100;

/// The rows of a manifest.
pub struct Records {
    /// The columns that tell a header.
    required: &'static [Column],
    lines: Lines,
    csv: csv::Reader<Feed>,
    delimiter: u8,
    columns: usize,
    layout: Layout,
    /// Lines that a person took out.
    taken_out: u64,
    record: StringRecord,
    /// A quoted cell that the last lines left open.
    open: Option<Open>,
}

struct Open {
    /// Where it was opened.
    line: u64,
    /// Its position, counted from 0.
    column: usize,
    /// Cells seen of the row, this one included.
    cells: usize,
}

impl Records {
    /// Reads the header: the line `header_row`, or the first that means something. Its delimiter is
    /// the file's. `None`: there is none, or the diagnostics say why
    /// it could not be read.
    pub fn open(
        required: &'static [Column],
        mut lines: Lines,
        header_row: Option<u64>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> io::Result<Option<(Self, u64)>> {
        let Some(preamble::First {
            line,
            bytes,
            delimiter,
        }) = preamble::first(&mut lines, header_row, diagnostics)?
        else {
            return Ok(None);
        };
        let quotes = match scan(&bytes, delimiter, false).ending {
            Ending::Closed => None,
            Ending::Open => Some(DiagnosticKind::UnclosedQuote),
            Ending::Misplaced(kind) => Some(kind),
        };
        if let Some(kind) = quotes {
            diagnostics.push(Diagnostic::line(kind, line.number));
            return Ok(None);
        }
        let mut csv = reader(delimiter);
        let mut record = StringRecord::new();
        csv.get_mut().line = bytes;
        if parse(&mut csv, &mut record)?.is_err() {
            let legacy = Legacy::of(&csv.get_ref().line);
            diagnostics.push(Diagnostic::line(
                DiagnosticKind::NotUtf8(legacy),
                line.number,
            ));
            return Ok(None);
        }
        let records = Self {
            required,
            lines,
            csv,
            delimiter,
            columns: record.len(),
            layout: Layout {
                cells_min: record.len(),
                ..Layout::default()
            },
            taken_out: 0,
            record,
            open: None,
        };
        Ok(Some((records, line.number)))
    }

    /// What the rows are like; until it is told, a row is as long as the header.
    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// Lines so far that a person took out with `#`.
    pub fn taken_out(&self) -> u64 {
        self.taken_out
    }

    /// Where the header seems to stand, if it was not what was taken for it. Nothing can be read
    /// afterwards.
    pub fn header_below(&mut self) -> io::Result<Option<u64>> {
        preamble::header_below(self.required, &mut self.lines)
    }

    /// The character that the header seems to be delimited by, if that is none of ours.
    pub fn foreign_delimiter(&self) -> Option<char> {
        preamble::foreign_delimiter(self.required, &self.csv.get_ref().line)
    }

    /// What the last line is, if it cannot be a row because files were joined.
    pub fn joint(&self) -> Option<DiagnosticKind> {
        let line = &self.csv.get_ref().line;
        if preamble::looks_like_header(self.required, line) {
            Some(DiagnosticKind::HeaderAgain)
        } else if line
            .windows(MARK_BYTES.len())
            .any(|bytes| bytes == MARK_BYTES)
        {
            Some(DiagnosticKind::MarkInside)
        } else {
            None
        }
    }

    /// The cells of the header, and later of the last row.
    pub fn record(&self) -> &StringRecord {
        &self.record
    }

    /// Reads on to the next row, or to what should have been one. Blank lines, rows whose cells are
    /// all empty, as spreadsheets leave them at the end, and those that were taken out are passed
    /// over.
    pub fn next(&mut self, diagnostics: &mut Vec<Diagnostic>) -> io::Result<Next> {
        loop {
            let Some(line) = self.lines.next(&mut self.csv.get_mut().line)? else {
                return Ok(match self.open.take() {
                    Some(open) => {
                        diagnostics.push(open.unclosed());
                        Next::Faulty
                    }
                    None => Next::End,
                });
            };
            if let Some(open) = self.open.take() {
                match self.go_on(open, line) {
                    GoOn::Swallowed(open) => {
                        self.open = Some(open);
                        continue;
                    }
                    GoOn::Ended(diagnostic) => {
                        diagnostics.push(diagnostic);
                        return Ok(Next::Faulty);
                    }
                    GoOn::Unclosed(diagnostic) => diagnostics.push(diagnostic),
                }
            }
            let bytes = &self.csv.get_ref().line;
            if let Some(kind) = unreadable(line, bytes) {
                diagnostics.push(Diagnostic::line(kind, line.number));
                return Ok(Next::Faulty);
            }
            let is_taken_out = self.layout.has_remarks && is_taken_out(bytes, self.delimiter);
            if bytes.contains(&b'"') {
                let Scan { cells, ending } = scan(bytes, self.delimiter, false);
                match ending {
                    Ending::Closed => {}
                    // A remark may hold what it likes, as long as it ends with its line.
                    Ending::Misplaced(_) if is_taken_out => {}
                    Ending::Open => {
                        self.open = Some(Open {
                            line: line.number,
                            column: cells - 1,
                            cells,
                        });
                        if diagnostics.is_empty() {
                            continue;
                        }
                        return Ok(Next::Faulty);
                    }
                    Ending::Misplaced(kind) => {
                        diagnostics.push(Diagnostic::line(kind, line.number).at(cells - 1));
                        return Ok(Next::Faulty);
                    }
                }
            }
            if is_taken_out {
                self.taken_out += 1;
                if diagnostics.is_empty() {
                    continue;
                }
                return Ok(Next::Faulty);
            }
            if bytes.is_empty() {
                continue;
            }
            if let Err(column) = parse(&mut self.csv, &mut self.record)? {
                let legacy = Legacy::of(&self.csv.get_ref().line);
                diagnostics.push(
                    Diagnostic::line(DiagnosticKind::NotUtf8(legacy), line.number).at(column),
                );
                return Ok(Next::Faulty);
            }
            if self.record.iter().all(is_blank) {
                continue;
            }
            if self.record.len() != self.columns && !self.is_as_good_as_whole() {
                diagnostics.push(self.misfit(line.number));
                return Ok(Next::Faulty);
            }
            return Ok(Next::Row(line.number));
        }
    }

    /// Nothing is missing but cells at the end that may be empty: spreadsheets leave them out.
    /// (Empty cells too many may be the rest of a password that nobody put into quotes.)
    fn is_as_good_as_whole(&self) -> bool {
        (self.layout.cells_min..self.columns).contains(&self.record.len())
    }

    /// The last line does not have as many cells as the header.
    pub fn is_misfit(&self) -> bool {
        self.record.len() != self.columns
    }

    /// Why the last line does not have as many cells as the header.
    fn misfit(&self, line: u64) -> Diagnostic {
        let bytes = &self.csv.get_ref().line;
        if let Some(kind) = self.joint() {
            return Diagnostic::line(kind, line);
        }
        let other = DELIMITERS.into_iter().find(|delimiter| {
            let other = scan(bytes, *delimiter, false);
            *delimiter != self.delimiter
                && self.columns > 1
                && other.ending == Ending::Closed
                && other.cells == self.columns
        });
        if let Some(other) = other {
            let name = |delimiter: u8| match delimiter {
                b'\t' => "a tab".to_owned(),
                _ => format!("`{}`", char::from(delimiter)),
            };
            let both = format!("{} instead of {}", name(other), name(self.delimiter));
            return Diagnostic::line(DiagnosticKind::OtherDelimiter, line).with(both);
        }
        let cells = match self.record.len() {
            1 => "1 cell".to_owned(),
            cells => format!("{cells} cells"),
        };
        let counts = format!("{cells} instead of {}", self.columns);
        Diagnostic::line(DiagnosticKind::Ragged, line).with(counts)
    }

    /// A line after one that left a cell open: the rest of that cell, or a row of its own?
    fn go_on(&self, mut open: Open, line: Line) -> GoOn {
        let bytes = &self.csv.get_ref().line;
        let alone = scan(bytes, self.delimiter, false);
        let is_row = alone.ending == Ending::Closed && alone.cells == self.columns;
        let rest = scan(bytes, self.delimiter, true);
        open.cells += rest.cells - 1;
        match rest.ending {
            _ if is_row || line.too_long => GoOn::Unclosed(open.unclosed()),
            Ending::Closed if open.cells == self.columns => GoOn::Ended(open.newline()),
            Ending::Open if line.number - open.line < OPEN_LINES_MAX => GoOn::Swallowed(open),
            Ending::Closed | Ending::Open | Ending::Misplaced(_) => GoOn::Unclosed(open.unclosed()),
        }
    }
}

enum GoOn {
    /// The cell is still open.
    Swallowed(Open),
    /// The cell, and the row, end here.
    Ended(Diagnostic),
    /// The cell was never closed; this line stands for itself.
    Unclosed(Diagnostic),
}

impl Open {
    fn unclosed(&self) -> Diagnostic {
        Diagnostic::line(DiagnosticKind::UnclosedQuote, self.line).at(self.column)
    }

    fn newline(&self) -> Diagnostic {
        Diagnostic::line(DiagnosticKind::NewlineInField, self.line).at(self.column)
    }
}

fn is_blank(cell: &str) -> bool {
    cell.trim_start().is_empty()
}

/// The line begins with `#`: a person has taken it out. A spreadsheet's error value begins so, too,
/// and is none: the instance behind it would be left out without anybody knowing.
fn is_taken_out(line: &[u8], delimiter: u8) -> bool {
    // Nearly every row begins with a digit.
    if line.first().is_some_and(u8::is_ascii_alphanumeric) {
        return false;
    }
    let line = line.trim_ascii_start();
    let (cell, rest) = match line {
        [b'#', ..] => {
            let end = line.iter().position(|byte| *byte == delimiter);
            line.split_at(end.unwrap_or(line.len()))
        }
        [b'"', quoted @ ..] if quoted.trim_ascii_start().first() == Some(&b'#') => {
            let end = quoted.iter().position(|byte| *byte == b'"');
            quoted.split_at(end.unwrap_or(quoted.len()))
        }
        _ => return false,
    };
    let cell = String::from_utf8_lossy(cell);
    let cell = cell.trim();
    let is_alone = || {
        rest.iter()
            .all(|byte| *byte == delimiter || *byte == b'"' || byte.is_ascii_whitespace())
    };
    !is_error(cell) && (!is_hashes(cell) || is_alone())
}

fn reader(delimiter: u8) -> csv::Reader<Feed> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .from_reader(Feed::default())
}

/// The cells of the line that the feed holds; `Err`: the position of a cell that is no UTF-8.
fn parse(csv: &mut csv::Reader<Feed>, record: &mut StringRecord) -> io::Result<Result<(), usize>> {
    csv.get_mut().rewind();
    match csv.read_record(record).map_err(csv::Error::into_kind) {
        Ok(true) => Ok(Ok(())),
        Ok(false) => Err(io::Error::other("a line without a record")),
        Err(csv::ErrorKind::Utf8 { err, .. }) => Ok(Err(err.field())),
        Err(csv::ErrorKind::Io(error)) => Err(error),
        Err(other) => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// One line and its end, for `csv` to read.
#[derive(Default)]
struct Feed {
    line: Vec<u8>,
    offset: usize,
}

impl Feed {
    fn rewind(&mut self) {
        self.line.push(b'\n');
        self.offset = 0;
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.line[self.offset..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.offset += count;
        Ok(count)
    }
}
