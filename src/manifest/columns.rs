//! The header: which columns there are, and which of them mean something.

use super::diagnostic::{Diagnostic, FaultKind, quoted};
use super::names::{self, latinised, normalised};
use super::{COLUMNS_MAX, cell};
use crate::text;

const BOM: char = '\u{feff}';

/// A column that means something to refleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The instance.
    ServiceId,
    /// The image it gets.
    Image,
    /// Where the image stands in the provider's catalogue.
    Zone,
    /// Password for root or Administrator.
    Password,
    /// An SSH key of the account.
    SshKey,
    /// Whether the key is used: follows from the other two.
    Enablessh,
    /// Free text.
    Note,
}

impl Column {
    /// All of them, in the order in which a person would write them.
    pub const ALL: [Self; 7] = [
        Self::ServiceId,
        Self::Image,
        Self::Zone,
        Self::Password,
        Self::SshKey,
        Self::Enablessh,
        Self::Note,
    ];

    /// Its name and its other names. Compared without case, blanks and punctuation.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::ServiceId => &["service_id", "elid", "id", "service"],
            Self::Image => &["image", "select_rebuild", "image_id", "os"],
            Self::Zone => &["zone"],
            Self::Password => &["password"],
            Self::SshKey => &["ssh_key", "ssh_keys", "ssh_key_id"],
            Self::Enablessh => &["enablessh", "use_ssh_key"],
            Self::Note => &["note", "notes", "comment"],
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.aliases()[0]
    }

    fn is_required(self) -> bool {
        matches!(self, Self::ServiceId | Self::Image)
    }

    /// The column of this name.
    fn of(name: &str) -> Option<Self> {
        Self::best(|alias| (alias == name).then_some(0))
    }

    /// The column whose name, or nearly so, is written here in letters of another alphabet.
    fn lookalike(name: &str) -> Option<Self> {
        if name.is_ascii() {
            return None;
        }
        let latin = latinised(name);
        let column = Self::of(&latin).or_else(|| Self::near(&latin));
        column.filter(|_| latin != normalised(name))
    }

    /// The column of which this unknown name is a misspelling.
    fn near(name: &str) -> Option<Self> {
        Self::best(|alias| {
            // In a short name another letter makes another word (`notes`, `votes`); two letters
            // do so up to `service`, `device`.
            let distance_max = match alias.len() {
                0..=4 => return None,
                5..=7 => 1,
                _ => 2,
            };
            // `osa_distance` takes time and memory in the product of the lengths.
            if name.len() > alias.len() + 2 * distance_max {
                return None;
            }
            let distance = strsim::osa_distance(alias, name);
            (distance <= distance_max).then_some(distance)
        })
    }

    fn best(distance: impl Fn(&str) -> Option<usize>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .flat_map(|column| column.aliases().iter().map(move |alias| (column, *alias)))
            .filter_map(|(column, alias)| Some((distance(&normalised(alias))?, column)))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, column)| column)
    }
}

/// The name holds something that cannot be seen. Blanks of all kinds are none of it, nor is a byte
/// order mark before the name, which comes along when files or sheets are joined.
fn is_invisible(name: &str) -> bool {
    name.trim_start_matches(BOM)
        .split_whitespace()
        .any(cell::is_invisible)
}

/// How many of these names are known: what tells the delimiter.
pub(super) fn known<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names
        .take(COLUMNS_MAX)
        .filter(|name| Column::of(&normalised(name)).is_some())
        .count()
}

/// These cells are a header that says which column is which.
pub(super) fn is_header<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut found = [false; Column::ALL.len()];
    let known = names.take(COLUMNS_MAX);
    for column in known.filter_map(|name| Column::of(&normalised(name))) {
        found[column as usize] = true;
    }
    let is_found = |column: Column| found[column as usize] || !column.is_required();
    Column::ALL.into_iter().all(is_found)
}

/// The header of a report of ours, as it was written or saved by a spreadsheet program.
fn is_report(cells: &csv::StringRecord) -> bool {
    /// Columns that only results have.
    const RESULTS: [&str; 8] = [
        "executed",
        "state",
        "evidence",
        "attempts",
        "submittedat",
        "completedat",
        "errorkind",
        "error",
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
pub(super) struct Header {
    /// The names as they are written, safe to print.
    pub names: Vec<String>,
    /// The columns that mean nothing.
    pub ignored: Vec<String>,
    /// Of these, the positions of those that nobody named with `--ignore-column`.
    pub unnoticed: Vec<usize>,
    /// What is wrong, and what is worth knowing.
    pub faults: Vec<Diagnostic>,
    /// Counted from 1.
    pub line: u64,
    positions: [Option<usize>; Column::ALL.len()],
    /// The first column was named with `--ignore-column`.
    is_first_told: bool,
}

impl Header {
    /// Understands the header that stands on `line`; columns of these names are to be `ignored`.
    pub fn parse(cells: &csv::StringRecord, line: u64, ignored: &[String]) -> Self {
        let mut header = Self {
            line,
            ..Self::default()
        };
        if is_report(cells) {
            header
                .faults
                .push(Diagnostic::line(FaultKind::Report, line));
            return header;
        }
        if cells.len() > COLUMNS_MAX {
            let count = format!("{} columns", cells.len());
            header
                .faults
                .push(Diagnostic::line(FaultKind::TooManyColumns, line).with(count));
            return header;
        }
        // A file without a header has a password where a name should be: nothing of it is shown.
        if cells.iter().any(cell::is_data) {
            header
                .faults
                .push(Diagnostic::line(FaultKind::NoHeader, line));
            return header;
        }
        let names: Vec<_> = cells.iter().map(normalised).collect();
        let is_header = is_header(cells.iter());
        // Nor is a name with a digit, as long as the row may be data: passwords have one.
        let is_shown = |name: &str| is_header || !name.contains(|c: char| c.is_ascii_digit());
        let show = |position: usize| {
            let name = &cells[position];
            if is_shown(name) {
                quoted(name)
            } else {
                format!("column {}", position + 1)
            }
        };

        let way_out = |position: usize| {
            if is_shown(&cells[position]) {
                way_out(&cells[position])
            } else {
                show(position)
            }
        };

        header.names = cells.iter().map(|name| text::brief(name, 40)).collect();
        let mut missing: Vec<&String> = ignored.iter().collect();
        for (position, name) in names.iter().enumerate() {
            // The comparison passes over what cannot be seen, a person does not see it: a column
            // may be another one than it looks like, or be ignored and look like one that is not.
            if is_invisible(&cells[position]) {
                let fault = Diagnostic::line(FaultKind::Invisible, line);
                header.faults.push(fault.with(show(position)));
            }
            let is_named = |ignored: &str| !name.is_empty() && normalised(ignored) == *name;
            let is_told = ignored.iter().any(|ignored| is_named(ignored));
            missing.retain(|ignored| !is_named(ignored));
            let kind = if is_told {
                None
            } else if let Some(column) = Column::of(name) {
                let Some(first) = header.positions[column as usize] else {
                    header.positions[column as usize] = Some(position);
                    continue;
                };
                let both = format!("{} and {}", show(first), show(position));
                let fault = Diagnostic::line(FaultKind::ColumnTwice(column), line);
                header.faults.push(fault.with(both));
                continue;
            } else if let Some(column) = Column::lookalike(&cells[position]) {
                Some(FaultKind::ColumnLookalike(column))
            } else if let Some(column) = Column::near(name) {
                Some(FaultKind::ColumnNearMiss(column))
            } else if is_shown(name) {
                names::access(&cells[position]).map(FaultKind::ColumnLooksLikeAccess)
            } else {
                None
            };
            if let Some(kind) = kind {
                let fault = Diagnostic::line(kind, line);
                header.faults.push(fault.with(way_out(position)));
                continue;
            }
            if is_told {
                header.is_first_told |= position == 0;
            } else {
                header.unnoticed.push(position);
            }
            header.ignored.push(if name.is_empty() {
                format!("column {} (no name)", position + 1)
            } else {
                header.names[position].clone()
            });
        }
        for name in missing {
            let fault = Diagnostic::line(FaultKind::IgnoredColumnMissing, line);
            let found = found(
                cells.iter().filter(|name| is_shown(name)).map(quoted),
                cells.len(),
            );
            header
                .faults
                .push(fault.with(format!("{}; {found}", quoted(name))));
        }
        for column in Column::ALL {
            if column.is_required() && header.position(column).is_none() {
                let shown = cells.iter().filter(|name| is_shown(name));
                let found = found(shown.map(quoted), cells.len());
                let fault = Diagnostic::line(FaultKind::ColumnMissing(column), line);
                header.faults.push(fault.with(found));
            }
        }
        header
    }

    /// The position of a column's cell in each row.
    pub fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }

    /// A row that begins with `#` is none that is taken out, and may be meant as one: the service
    /// is not its first cell, and nobody has said that the first column means nothing.
    pub fn may_be_left_out(&self) -> bool {
        self.position(Column::ServiceId) != Some(0) && !self.is_first_told
    }

    /// How many cells a row has at least: up to the last column that is required.
    pub fn cells_min(&self) -> usize {
        Column::ALL
            .into_iter()
            .filter(|column| column.is_required())
            .filter_map(|column| self.position(column))
            .max()
            .map_or(0, |last| last + 1)
    }

    /// The rows can be read, whatever else is wrong.
    pub fn is_usable(&self) -> bool {
        Column::ALL
            .into_iter()
            .all(|column| !column.is_required() || self.position(column).is_some())
    }
}

/// A column's name, and what one types to have it ignored.
pub(super) fn way_out(name: &str) -> String {
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
