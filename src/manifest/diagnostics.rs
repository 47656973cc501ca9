//! Everything that is wrong with a manifest, so grouped that one mistake reads as one.

use std::fmt;

use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use super::workbook::place::letters;
use crate::job::Action;
use crate::text;

/// Places that are listed; what comes after is only counted, but for the first of each mistake.
const LISTED_MAX: usize = 100;
/// Different mistakes that are shown.
const GROUPS_MAX: usize = 100;
/// Places of one group that are shown with what stands there.
const SAMPLES_MAX: usize = 5;
/// Width of a terminal that nobody has widened.
const WIDTH: usize = 80;

/// What is wrong with a manifest, or worth knowing. `Display` is plain text for people.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// What the manifest orders.
    action: Action,
    /// The manifest, safe to print.
    source: String,
    places: Places,
    /// The header's columns, safe to print.
    columns: Vec<String>,
    /// In the order in which they were met.
    pub groups: Vec<Group>,
    listed: usize,
    /// Of all: those in no group.
    ungrouped: u64,
}

/// How the places of a manifest are called.
#[derive(Debug, Clone, Default)]
pub enum Places {
    /// Lines, and columns by their names.
    #[default]
    Lines,
    /// Rows, and cells as spreadsheet programs call them: `B17`.
    Cells {
        /// The sheet's name, where the workbook has several.
        sheet: Option<String>,
    },
}

/// How the places of one group are called: `line`, `row`, `cell`, and what stands before the number.
struct Called {
    noun: &'static str,
    letters: String,
}

/// The same mistake in the same column, once or on many lines.
#[derive(Debug, Clone)]
pub struct Group {
    pub kind: DiagnosticKind,
    /// Position in the header.
    column: Option<usize>,
    pub count: u64,
    /// Of all: those within `lines`.
    listed: u64,
    /// First and last line of each unbroken run of lines.
    lines: Vec<(u64, u64)>,
    samples: Vec<(u64, String)>,
    /// What is told of the file as a whole.
    whole: Option<String>,
}

impl Group {
    /// Where it was met, as far as it is listed; none: the file as a whole.
    pub fn listed_lines(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().flat_map(|(first, last)| *first..=*last)
    }
}

impl Diagnostics {
    pub fn new(action: Action, source: String, columns: Vec<String>) -> Self {
        Self {
            action,
            source,
            places: Places::default(),
            columns,
            groups: Vec::new(),
            listed: 0,
            ungrouped: 0,
        }
    }

    /// With the places of this kind of manifest.
    #[must_use]
    pub fn at(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The line of the first mistake that has one.
    pub fn first_line(&self) -> Option<u64> {
        self.groups
            .iter()
            .find_map(|group| group.listed_lines().next())
    }

    /// The name of a group's column as the header has it, safe to print; `None`: the whole row.
    pub fn column(&self, group: &Group) -> Option<&str> {
        let name = self.columns.get(group.column?)?;
        Some(name)
    }

    /// Those that are told under `-q`, too.
    #[must_use]
    pub fn that_need_a_human(&self) -> Self {
        let mut urgent = self.clone();
        urgent.groups.retain(|group| group.kind.needs_a_human());
        urgent.ungrouped = 0;
        urgent
    }

    /// What the API's catalogue has to say of it, and not the file itself.
    #[must_use]
    pub fn of_the_catalogue(&self) -> Self {
        let mut of_catalogue = self.clone();
        of_catalogue
            .groups
            .retain(|group| group.kind.is_of_the_catalogue());
        of_catalogue.ungrouped = 0;
        of_catalogue
    }

    pub fn add(&mut self, diagnostic: Diagnostic) {
        let known = self
            .groups
            .iter()
            .position(|group| group.kind == diagnostic.kind && group.column == diagnostic.column);
        if known.is_none() && self.groups.len() == GROUPS_MAX {
            self.ungrouped += 1;
            return;
        }
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group {
                kind: diagnostic.kind,
                column: diagnostic.column,
                count: 0,
                listed: 0,
                lines: Vec::new(),
                samples: Vec::new(),
                whole: None,
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.count += 1;
        let may_list = self.listed < LISTED_MAX || known.is_none();
        let Some(line) = diagnostic.line else {
            group.listed += 1;
            group.whole = diagnostic.text.or(group.whole.take());
            return;
        };
        match group.lines.last_mut() {
            Some((_, last)) if line == *last || line == *last + 1 => *last = line,
            _ if may_list => {
                group.lines.push((line, line));
                self.listed += 1;
            }
            _ => return,
        }
        group.listed += 1;
        if let Some(text) = diagnostic.text
            && group.samples.len() < SAMPLES_MAX
        {
            group.samples.push((line, text));
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, group: &Group) -> fmt::Result {
        let severity = group.kind.severity().as_str();
        wrap(f, &format!("{severity}: "), &group.kind.message())?;

        let source = self.source();
        let called = self.called(group);
        let column = match self.column(group) {
            None | Some("") => String::new(),
            Some(name) => format!(", column `{name}`"),
        };
        let place = match (group.lines.as_slice(), group.samples.as_slice()) {
            ([], _) => match &group.whole {
                Some(text) => format!("{source}: {text}"),
                None => format!("{source}{column}"),
            },
            ([(line, last)], []) if line == last => {
                format!("{source}, {}{column}", called.one(*line))
            }
            (_, [(line, text)]) if group.count == 1 => {
                format!("{source}, {}{column}: {text}", called.one(*line))
            }
            (lines, []) => {
                let lines = called.list(lines.iter().copied());
                match group.count - group.listed {
                    0 => format!("{source}{column}, {lines}"),
                    more => format!("{source}{column}, {lines} and {more} more"),
                }
            }
            (_, [..]) => format!("{source}{column}"),
        };
        wrap(f, "  --> ", &place)?;

        if let [.., (last_shown, _)] = group.samples.as_slice()
            && group.count > 1
        {
            for (line, text) in &group.samples {
                wrap(f, &format!("      {}: ", called.one(*line)), text)?;
            }
            let more = group.count - group.samples.len() as u64;
            if more > 0 {
                let lines = called.list(after(&group.lines, *last_shown));
                let separator = if lines.is_empty() { "" } else { ": " };
                let rest = if group.count > group.listed {
                    ", …"
                } else {
                    ""
                };
                wrap(
                    f,
                    "      ",
                    &format!("and {more} more{separator}{lines}{rest}"),
                )?;
            }
        }
        wrap(f, "  help: ", &group.kind.help(self.action.terms()))
    }

    /// The manifest, and its sheet where it has several.
    fn source(&self) -> String {
        match &self.places {
            Places::Cells { sheet: Some(sheet) } => {
                format!("{}, sheet `{}`", self.source, text::brief(sheet, 40))
            }
            Places::Lines | Places::Cells { sheet: None } => self.source.clone(),
        }
    }

    fn called(&self, group: &Group) -> Called {
        let (noun, letters) = match (&self.places, group.column) {
            (Places::Lines, _) => ("line", String::new()),
            (Places::Cells { .. }, Some(column)) => ("cell", letters(column)),
            (Places::Cells { .. }, None) => ("row", String::new()),
        };
        Called { noun, letters }
    }
}

/// What of these runs of lines comes after `line`.
fn after(runs: &[(u64, u64)], line: u64) -> impl Iterator<Item = (u64, u64)> {
    runs.iter()
        .map(move |(first, last)| ((*first).max(line + 1), *last))
        .filter(|(first, last)| first <= last)
}

impl Called {
    /// `line 7`, `cell B7`
    fn one(&self, line: u64) -> String {
        format!("{} {}{line}", self.noun, self.letters)
    }

    /// `line 7`, `lines 2-5, 9`, `cells B2-B5, B9`; empty for no lines.
    fn list(&self, runs: impl Iterator<Item = (u64, u64)>) -> String {
        let Self { noun, letters } = self;
        let runs: Vec<_> = runs.collect();
        let words: Vec<_> = runs
            .iter()
            .map(|(first, last)| match last - first {
                0 => format!("{letters}{first}"),
                1 => format!("{letters}{first}, {letters}{last}"),
                _ => format!("{letters}{first}-{letters}{last}"),
            })
            .collect();
        let plural = match runs.as_slice() {
            [] => return String::new(),
            [(first, last)] if first == last => "",
            _ => "s",
        };
        format!("{noun}{plural} {}", words.join(", "))
    }
}

/// Writes `text` behind `indent`, broken between words at [`WIDTH`]; further lines are indented as
/// deeply.
pub fn wrap(f: &mut fmt::Formatter<'_>, indent: &str, text: &str) -> fmt::Result {
    let indent_chars = indent.chars().count();
    let mut column = indent_chars;
    f.write_str(indent)?;
    for (index, word) in text.split(' ').enumerate() {
        let word_chars = word.chars().count();
        if index > 0 && column + 1 + word_chars > WIDTH {
            write!(f, "\n{:indent_chars$}", "")?;
            column = indent_chars;
        } else if index > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += word_chars;
    }
    f.write_str("\n")
}

/// Errors one below the other, each with its place and its remedy; no blank line at the end.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.groups.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.show(f, group)?;
        }
        if self.ungrouped > 0 {
            let severity = Severity::Error.as_str();
            writeln!(f, "\n{severity}: {} more are not listed", self.ungrouped)?;
        }
        Ok(())
    }
}
