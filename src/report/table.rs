//! The table for people: aligned columns, as many as fit, then what went wrong, then the counts.
//!
//! Widths are chosen from the first rows; later ones are held to them, so that a table of a
//! million rows streams like any other.

use std::io::{self, BufWriter, Write};

use console::{measure_text_width, truncate_str};

use crate::job::{Counts, FailureKind, HookState, ResultRow, State};
use crate::text::{brief, printable};
use crate::time;

/// Rows that decide about the layout.
const SAMPLE: usize = 256;
/// What is left for the last column before another column gives way to it.
const DETAIL_COLUMNS: usize = 20;
/// Between two columns.
const GAP: usize = 2;

#[derive(Debug)]
pub struct Table<W: Write> {
    out: BufWriter<W>,
    width: Option<usize>,
    sample: Vec<Cells>,
    layout: Option<Layout>,
}

/// A row as the table shows it.
#[derive(Debug)]
struct Cells {
    fixed: [String; FIXED.len()],
    detail: String,
}

/// The columns before the last one; the higher the rank, the earlier it gives way.
const FIXED: [(&str, u8); 11] = [
    ("line", 5),
    ("service", 0),
    ("name", 2),
    ("ip", 6),
    ("image", 7),
    ("state", 0),
    ("executed", 0),
    ("evidence", 3),
    ("attempts", 8),
    ("took", 4),
    ("completed (UTC)", 1),
];
/// Characters of an instance's name.
const NAME_CHARS_MAX: usize = 20;
const DETAIL: &str = "error or note";

#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Width of each column; `None`: it gave way.
    widths: [Option<usize>; FIXED.len()],
    /// Width of the last column; `None`: as wide as its text.
    detail: Option<usize>,
}

impl<W: Write> Table<W> {
    pub fn new(out: W, width: Option<usize>) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, out),
            width,
            sample: Vec::new(),
            layout: None,
        }
    }

    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        let cells = Cells::of(row);
        if let Some(layout) = self.layout {
            return layout.write(&mut self.out, &cells);
        }
        self.sample.push(cells);
        if self.sample.len() == SAMPLE {
            self.lay_out()?;
        }
        Ok(())
    }

    pub fn finish(mut self, counts: &Counts) -> io::Result<W> {
        if self.layout.is_none() && !self.sample.is_empty() {
            self.lay_out()?;
        }
        if self.layout.is_some() {
            writeln!(self.out)?;
        }
        writeln!(self.out, "{}", footer(counts))?;
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }

    fn lay_out(&mut self) -> io::Result<()> {
        let layout = Layout::of(&self.sample, self.width);
        self.layout = Some(layout);
        layout.write(
            &mut self.out,
            &Cells {
                fixed: FIXED.map(|(name, _)| name.to_owned()),
                detail: DETAIL.to_owned(),
            },
        )?;
        for cells in std::mem::take(&mut self.sample) {
            layout.write(&mut self.out, &cells)?;
        }
        Ok(())
    }
}

impl Cells {
    fn of(row: &ResultRow) -> Self {
        let mut image = row.image.map(|id| id.to_string()).unwrap_or_default();
        image.truncate(8); // as people compare them; the whole is in CSV and JSON
        let state = if row.held {
            format!("{} (held)", row.state)
        } else {
            row.state.to_string()
        };
        Self {
            fixed: [
                row.line.to_string(),
                row.service.to_string(),
                brief_or_nothing(row.name.as_deref()),
                brief_or_nothing(row.ip.as_deref()),
                image,
                state,
                row.executed.to_string(),
                row.evidence
                    .map_or("", |evidence| evidence.as_str())
                    .to_owned(),
                row.attempts.to_string(),
                row.took().map(time::short).unwrap_or_default(),
                row.completed_ms.map(moment).unwrap_or_default(),
            ],
            detail: detail(row),
        }
    }
}

fn brief_or_nothing(text: Option<&str>) -> String {
    text.map(|text| brief(text, NAME_CHARS_MAX))
        .unwrap_or_default()
}

/// `2026-11-23 02:00:00`; the header says that it is UTC.
fn moment(unix_ms: i64) -> String {
    let mut text = time::rfc3339(unix_ms).replacen('T', " ", 1);
    text.truncate(19);
    text
}

/// `value: no such image [the manifest's note]`
fn detail(row: &ResultRow) -> String {
    let text = |text: Option<&str>| printable(text.unwrap_or_default()).into_owned();
    let kind = row.error_kind.as_ref().map(FailureKind::as_str);
    let mut pieces = vec![text(kind), text(row.error.as_deref())];
    pieces.retain(|piece| !piece.is_empty());
    let mut failure = pieces.join(": ");
    // Of one that has ended well nothing needs to be said.
    if let Some(hook) = row.hook.filter(|hook| *hook != HookState::Done) {
        let behind = if failure.is_empty() { "" } else { "; " };
        failure = format!("{failure}{behind}hook {hook}");
    }
    let note = text(row.note.as_deref());
    match (failure.is_empty(), note.is_empty()) {
        (true, _) => note,
        (false, true) => failure,
        (false, false) => format!("{failure} [{note}]"),
    }
}

impl Layout {
    fn of(sample: &[Cells], width: Option<usize>) -> Self {
        let mut widths = [None; FIXED.len()];
        for (column, (name, _)) in FIXED.iter().enumerate() {
            let widest = sample
                .iter()
                .map(|cells| measure_text_width(&cells.fixed[column]))
                .max();
            widths[column] = Some(name.len().max(widest.unwrap_or(0)));
        }
        let Some(width) = width else {
            return Self {
                widths,
                detail: None,
            };
        };
        let widest = sample
            .iter()
            .map(|cells| measure_text_width(&cells.detail))
            .max();
        let wanted = widest.unwrap_or(0).max(DETAIL.len()).min(DETAIL_COLUMNS);
        let taken = |widths: &[Option<usize>]| -> usize {
            widths.iter().flatten().map(|width| width + GAP).sum()
        };
        for rank in (1..=FIXED.len()).rev() {
            if taken(&widths) + wanted <= width {
                break;
            }
            for (column, (_, its_rank)) in FIXED.iter().enumerate() {
                if usize::from(*its_rank) == rank {
                    widths[column] = None;
                }
            }
        }
        Self {
            widths,
            detail: Some(width.saturating_sub(taken(&widths))),
        }
    }

    fn write(&self, out: &mut impl Write, cells: &Cells) -> io::Result<()> {
        let mut line = String::with_capacity(160);
        for (cell, width) in cells.fixed.iter().zip(self.widths) {
            let Some(width) = width else { continue };
            // A cell that is wider than every one of the sample pushes the rest to the right.
            line.push_str(cell);
            let padding = width.saturating_sub(measure_text_width(cell)) + GAP;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        match self.detail {
            None => line.push_str(&cells.detail),
            Some(0) => {}
            Some(width) => line.push_str(&truncate_str(&cells.detail, width, "…")),
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// `500 instances: 497 done, 2 failed, 1 in_doubt (1 held)`.
fn footer(counts: &Counts) -> String {
    let pieces: Vec<String> = State::ALL
        .iter()
        .filter(|state| counts.of(**state) > 0)
        .map(|state| {
            let held = if *state == State::InDoubt && counts.held > 0 {
                format!(" ({} held)", counts.held)
            } else {
                String::new()
            };
            format!("{} {state}{held}", counts.of(*state))
        })
        .collect();
    match counts.total() {
        0 => "no instances".to_owned(),
        1 => format!("1 instance: {}", pieces.join(", ")),
        total => format!("{total} instances: {}", pieces.join(", ")),
    }
}
