//! The header: which columns there are, and which of them mean something.

use super::access_names;
use super::cell;
use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, quoted};
use super::limits::COLUMNS_MAX;
use super::lines::MARK;
use super::names::normalised;
use super::sheet_fault::SheetFault;
use crate::text;

/// The name holds something that cannot be seen. Blanks of all kinds are none of it, nor is a byte
/// order mark before the name, which comes along when files or sheets are joined.
fn is_invisible(name: &str) -> bool {
    name.trim_start_matches(MARK)
        .split_whitespace()
        .any(cell::is_invisible)
}

/// How many of these names are known: what tells the delimiter.
pub fn known<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names
        .take(COLUMNS_MAX)
        .filter(|name| Column::of(&normalised(name)).is_some())
        .count()
}

/// These cells are a header that says which column is which: it has those that are `required`.
pub fn is_header<'a>(required: &[Column], names: impl Iterator<Item = &'a str>) -> bool {
    let mut found = [false; Column::ALL.len()];
    let known = names.take(COLUMNS_MAX);
    for column in known.filter_map(|name| Column::of(&normalised(name))) {
        found[column as usize] = true;
    }
    required.iter().all(|column| found[*column as usize])
}

/// The header of a report of ours, as it was written or saved by a spreadsheet program.
fn is_report(cells: &csv::StringRecord) -> bool {
    /// Columns that only results have.
    const RESULTS: [&str; 10] = [
        "executed",
        "state",
        "evidence",
        "attempts",
        "submittedat",
        "completedat",
        "errorkind",
        "error",
        "hostkeybefore",
        "hostkey",
    ];
    let count = |names: &[String]| {
        RESULTS
            .iter()
            .filter(|result| names.iter().any(|name| name == *result))
            .count()
    };
    // The table for people stands in one cell.
    let names: Vec<String> = match cells.len() {
        1 => cells[0].split_whitespace().map(normalised).collect(),
        _ => cells.iter().map(normalised).collect(),
    };
    let results = count(&names);
    results >= 4 || (results >= 3 && names.iter().any(|name| name == RESULTS[0]))
}

/// Which cell of a row means what.
#[derive(Debug, Default)]
pub struct Header {
    /// The names as they are written, safe to print.
    pub names: Vec<String>,
    /// The columns that mean nothing.
    pub ignored: Vec<String>,
    /// Of these, the positions of those that nobody named with `--ignore-column`.
    pub unnoticed: Vec<usize>,
    /// What is wrong, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
    /// Counted from 1.
    pub line: u64,
    /// The columns that a manifest of its action must have.
    required: &'static [Column],
    positions: [Option<usize>; Column::ALL.len()],
    /// The first column was named with `--ignore-column`.
    is_first_told: bool,
}

impl Header {
    /// Understands the header that stands on `line`; columns of these names are to be `ignored`.
    pub fn parse(
        required: &'static [Column],
        cells: &csv::StringRecord,
        line: u64,
        ignored: &[String],
    ) -> Self {
        let mut header = Self {
            line,
            required,
            ..Self::default()
        };
        if let Some(diagnostic) = no_header(cells, line) {
            header.diagnostics.push(diagnostic);
            return header;
        }
        let written = Written {
            cells,
            normalised: cells.iter().map(normalised).collect(),
            is_header: is_header(required, cells.iter()),
        };
        header.names = cells.iter().map(|name| text::brief(name, 40)).collect();
        let mut missing: Vec<&String> = ignored.iter().collect();
        for position in 0..cells.len() {
            // A column whose name holds something invisible may be another one than it looks like,
            // or be ignored and look like one that is not: names are compared without what cannot
            // be seen, and a person does not see it.
            if is_invisible(&cells[position]) {
                let diagnostic = Diagnostic::line(DiagnosticKind::Invisible, line);
                let shown = written.show(position);
                header.diagnostics.push(diagnostic.with(shown));
            }
            let is_named = |ignored: &str| written.is_named(position, ignored);
            let is_told = ignored.iter().any(|ignored| is_named(ignored));
            missing.retain(|ignored| !is_named(ignored));
            if is_told {
                header.is_first_told |= position == 0;
                header.ignore(&written, position);
            } else {
                header.take(&written, position);
            }
        }
        for name in missing {
            let diagnostic = Diagnostic::line(DiagnosticKind::IgnoredColumnMissing, line);
            let found = format!("{}; {}", quoted(name), written.found());
            header.diagnostics.push(diagnostic.with(found));
        }
        for &column in required {
            if header.position(column).is_none() {
                let diagnostic = Diagnostic::line(DiagnosticKind::ColumnMissing(column), line);
                header.diagnostics.push(diagnostic.with(written.found()));
            }
        }
        header
    }

    /// Takes a column that `--ignore-column` does not name for what its name says.
    fn take(&mut self, written: &Written<'_>, position: usize) {
        let name = &written.normalised[position];
        let cell = &written.cells[position];
        let kind = if let Some(column) = Column::of(name) {
            let Some(first) = self.positions[column as usize] else {
                self.positions[column as usize] = Some(position);
                return;
            };
            let both = format!("{} and {}", written.show(first), written.show(position));
            let diagnostic = Diagnostic::line(DiagnosticKind::ColumnTwice(column), self.line);
            self.diagnostics.push(diagnostic.with(both));
            return;
        } else if let Some(column) = Column::lookalike(cell) {
            Some(DiagnosticKind::ColumnLookalike(column))
        } else if let Some(column) = Column::near(name) {
            Some(DiagnosticKind::ColumnNearMiss(column))
        } else if written.is_shown(cell) {
            access_names::access(cell).map(DiagnosticKind::ColumnLooksLikeAccess)
        } else {
            None
        };
        if let Some(kind) = kind {
            let diagnostic = Diagnostic::line(kind, self.line);
            self.diagnostics
                .push(diagnostic.with(written.way_out(position)));
        } else {
            self.unnoticed.push(position);
            self.ignore(written, position);
        }
    }

    fn ignore(&mut self, written: &Written<'_>, position: usize) {
        self.ignored
            .push(if written.normalised[position].is_empty() {
                format!("column {} (no name)", position + 1)
            } else {
                self.names[position].clone()
            });
    }

    /// The position of a column's cell in each row.
    pub fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }

    /// The positions of all columns that mean something.
    pub fn known(&self) -> impl Iterator<Item = usize> {
        self.positions.iter().copied().flatten()
    }

    /// Notes that the columns at these positions cannot be seen. One that is ignored because
    /// somebody said so may be hidden.
    pub fn refuse_hidden(&mut self, is_hidden: impl Fn(usize) -> bool) {
        let ignored = self.unnoticed.iter().copied();
        let ignored = ignored.filter(|position| !self.names[*position].is_empty());
        let mut hidden: Vec<usize> = self.known().chain(ignored).collect();
        hidden.retain(|position| is_hidden(*position));
        hidden.sort_unstable();
        for position in hidden {
            let kind = DiagnosticKind::Workbook(SheetFault::ColumnHidden);
            let diagnostic = Diagnostic::line(kind, self.line).at(position);
            self.diagnostics.push(diagnostic);
        }
    }

    /// A row that begins with `#` is read like any other, although somebody may have meant to take it
    /// out: the service is not its first cell, and `--ignore-column` does not name the first column.
    pub fn may_be_left_out(&self) -> bool {
        self.position(Column::ServiceId) != Some(0) && !self.is_first_told
    }

    /// How many cells a row has at least: up to the last column that is required.
    pub fn cells_min(&self) -> usize {
        let required = self.required.iter();
        let positions = required.filter_map(|column| self.position(*column));
        positions.max().map_or(0, |last| last + 1)
    }

    /// The rows can be read, whatever else is wrong.
    pub fn is_usable(&self) -> bool {
        let mut required = self.required.iter();
        required.all(|column| self.position(*column).is_some())
    }
}

/// Why this line cannot be the header of a manifest.
fn no_header(cells: &csv::StringRecord, line: u64) -> Option<Diagnostic> {
    if is_report(cells) {
        Some(Diagnostic::line(DiagnosticKind::Report, line))
    } else if cells.len() > COLUMNS_MAX {
        let count = format!("{} columns", cells.len());
        Some(Diagnostic::line(DiagnosticKind::TooManyColumns, line).with(count))
    } else if cells.iter().any(cell::is_data) {
        // A file without a header has a password where a name should be: nothing of it is shown.
        Some(Diagnostic::line(DiagnosticKind::NoHeader, line))
    } else {
        None
    }
}

/// The names of the columns as the file has them, and how much of them may be shown.
struct Written<'a> {
    cells: &'a csv::StringRecord,
    normalised: Vec<String>,
    /// It has the columns that a manifest needs, so that it is no row of data.
    is_header: bool,
}

impl Written<'_> {
    /// As long as the row may be data, a name with a digit is not shown: passwords have one.
    fn is_shown(&self, name: &str) -> bool {
        self.is_header || !name.contains(|character: char| character.is_ascii_digit())
    }

    /// The column for people.
    fn show(&self, position: usize) -> String {
        let name = &self.cells[position];
        if self.is_shown(name) {
            quoted(name)
        } else {
            format!("column {}", position + 1)
        }
    }

    /// [`way_out`], as far as the name may be shown.
    fn way_out(&self, position: usize) -> String {
        let name = &self.cells[position];
        if self.is_shown(name) {
            way_out(name)
        } else {
            self.show(position)
        }
    }

    /// The column has the name `name`.
    fn is_named(&self, position: usize, name: &str) -> bool {
        let own = &self.normalised[position];
        !own.is_empty() && normalised(name) == *own
    }

    /// Which columns there are, as far as they may be shown.
    fn found(&self) -> String {
        let shown = self.cells.iter().filter(|name| self.is_shown(name));
        found(shown.map(quoted), self.cells.len())
    }
}

/// A column's name, and what one types to have it ignored.
pub fn way_out(name: &str) -> String {
    const CHARS_MAX: usize = 100;
    let shown = quoted(name);
    if is_invisible(name) || normalised(name).is_empty() || name.chars().count() > CHARS_MAX {
        return shown;
    }
    let word = text::brief(name, CHARS_MAX);
    let word = text::shell_word(&word);
    let between = if word.starts_with('-') { '=' } else { ' ' };
    format!("{shown} (or `--ignore-column{between}{word}`)")
}

/// What a header of so many columns has, by the first of its names.
fn found(names: impl Iterator<Item = String>, columns: usize) -> String {
    const SHOWN_MAX: usize = 8;
    let shown: Vec<_> = names.take(SHOWN_MAX).collect();
    match (shown.as_slice(), columns - shown.len()) {
        ([], 1) => "found one column".to_owned(),
        ([], columns) => format!("found {columns} columns"),
        (shown, 0) => format!("found {}", shown.join(", ")),
        (shown, more) => format!("found {} and {more} more", shown.join(", ")),
    }
}
