//! Lines → records of cells, each line for itself.
//!
//! `csv` is given one line at a time, whose quotes are known to be in order: what is wrong with a
//! row stays with that row.

use std::io::{self, Read};

use csv::StringRecord;

use super::columns;
use super::fault::{Fault, FaultKind};
use super::lines::{Line, Lines};
use super::quotes::{Ending, Scan, scan};

/// How many lines a cell that was left open is followed for its closing quote.
const OPEN_LINES_MAX: u64 = 100;
const BOM: &[u8] = "\u{feff}".as_bytes();
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The rows of a manifest.
pub(super) struct Records {
    lines: Lines,
    csv: csv::Reader<Feed>,
    delimiter: u8,
    columns: usize,
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

/// What a line was.
pub(super) enum Next {
    /// A row; its cells are [`Records::record`].
    Row(u64),
    /// No row that could be read: the faults say why.
    Faulty,
    End,
}

impl Records {
    /// Reads the header; its delimiter is the file's. `None`: there is none, or the faults say why
    /// it could not be read.
    pub fn open(mut lines: Lines, faults: &mut Vec<Fault>) -> io::Result<Option<(Self, u64)>> {
        let mut bytes = Vec::new();
        let line = loop {
            let Some(line) = lines.next(&mut bytes)? else {
                faults.push(Fault::file(FaultKind::Empty));
                return Ok(None);
            };
            // Marks that were doubled on the way; `csv` would drop the first one, too, and find no
            // record where nothing is left.
            let marks = bytes.chunks(BOM.len()).take_while(|mark| *mark == BOM);
            let marks_bytes = marks.count() * BOM.len();
            bytes.drain(..marks_bytes);
            if !bytes.trim_ascii().is_empty() {
                break line;
            }
        };
        if let Some(kind) = unreadable(line, &bytes) {
            faults.push(Fault::line(kind, line.number));
            return Ok(None);
        }
        let delimiter = delimiter(&String::from_utf8_lossy(&bytes));
        let quotes = match scan(&bytes, delimiter, false).ending {
            Ending::Closed => None,
            Ending::Open => Some(FaultKind::UnclosedQuote),
            Ending::Misplaced(kind) => Some(kind),
        };
        if let Some(kind) = quotes {
            faults.push(Fault::line(kind, line.number));
            return Ok(None);
        }
        let mut csv = reader(delimiter);
        let mut record = StringRecord::new();
        csv.get_mut().line = bytes;
        if parse(&mut csv, &mut record)?.is_err() {
            faults.push(Fault::line(FaultKind::NotUtf8, line.number));
            return Ok(None);
        }
        let records = Self {
            lines,
            csv,
            delimiter,
            columns: record.len(),
            record,
            open: None,
        };
        Ok(Some((records, line.number)))
    }

    /// The cells of the header, and later of the last row.
    pub fn record(&self) -> &StringRecord {
        &self.record
    }

    /// Reads on to the next row, or to what should have been one. Blank lines, and rows whose
    /// cells are all empty, as spreadsheets leave them at the end, are passed over.
    pub fn next(&mut self, faults: &mut Vec<Fault>) -> io::Result<Next> {
        loop {
            let Some(line) = self.lines.next(&mut self.csv.get_mut().line)? else {
                return Ok(match self.open.take() {
                    Some(open) => {
                        faults.push(open.unclosed());
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
                    GoOn::Ended(fault) => {
                        faults.push(fault);
                        return Ok(Next::Faulty);
                    }
                    GoOn::Unclosed(fault) => faults.push(fault),
                }
            }
            let bytes = &self.csv.get_ref().line;
            if let Some(kind) = unreadable(line, bytes) {
                faults.push(Fault::line(kind, line.number));
                return Ok(Next::Faulty);
            }
            if bytes.contains(&b'"') {
                let Scan { cells, ending } = scan(bytes, self.delimiter, false);
                match ending {
                    Ending::Closed => {}
                    Ending::Open => {
                        self.open = Some(Open {
                            line: line.number,
                            column: cells - 1,
                            cells,
                        });
                        if faults.is_empty() {
                            continue;
                        }
                        return Ok(Next::Faulty);
                    }
                    Ending::Misplaced(kind) => {
                        faults.push(Fault::line(kind, line.number).at(cells - 1));
                        return Ok(Next::Faulty);
                    }
                }
            }
            if bytes.is_empty() {
                continue;
            }
            if let Err(column) = parse(&mut self.csv, &mut self.record)? {
                faults.push(Fault::line(FaultKind::NotUtf8, line.number).at(column));
                return Ok(Next::Faulty);
            }
            if self.record.iter().all(is_blank) {
                continue;
            }
            if self.record.len() != self.columns {
                let counts = format!("{} cells instead of {}", self.record.len(), self.columns);
                faults.push(Fault::line(FaultKind::Ragged, line.number).with(counts));
                return Ok(Next::Faulty);
            }
            return Ok(Next::Row(line.number));
        }
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
    Ended(Fault),
    /// The cell was never closed; this line stands for itself.
    Unclosed(Fault),
}

impl Open {
    fn unclosed(&self) -> Fault {
        Fault::line(FaultKind::UnclosedQuote, self.line).at(self.column)
    }

    fn newline(&self) -> Fault {
        Fault::line(FaultKind::NewlineInField, self.line).at(self.column)
    }
}

fn is_blank(cell: &str) -> bool {
    cell.trim_start().is_empty()
}

/// What hinders reading a line at all.
fn unreadable(line: Line, bytes: &[u8]) -> Option<FaultKind> {
    // A tail of zero bytes is often a long one.
    if bytes.contains(&0) {
        Some(FaultKind::Nul)
    } else if line.too_long {
        Some(FaultKind::LineTooLong)
    } else {
        None
    }
}

/// The delimiter that makes the most of the header: known columns first, then columns.
fn delimiter(header: &str) -> u8 {
    DELIMITERS
        .into_iter()
        .rev() // `max_by_key` takes the last of equals
        .max_by_key(|delimiter| {
            let cells = header.split(char::from(*delimiter));
            (columns::known(cells.clone()), cells.count())
        })
        .unwrap_or(b',')
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
