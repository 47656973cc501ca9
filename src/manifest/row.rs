//! The cells of one row → one job, or everything that is wrong with them.

use csv::StringRecord;

use super::cell;
use super::cells::Cells;
use super::column::Column;
use super::diagnostic::{Diagnostic, first_error};
use super::header::Header;
use super::rebuild::{self, Reading, Unresolved};
use super::source::Source;
use crate::job::{Action, Expected, NewJob, Order, ServiceId};

/// What became of one line.
#[derive(Debug, Default)]
pub struct Row {
    /// Counted from 1.
    pub line: u64,
    /// The instance, even where something else is wrong with the row.
    pub service: Option<ServiceId>,
    /// What is wrong, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
    /// What is ordered; exactly the rows without an error and without names have it.
    pub job: Option<NewJob>,
    /// Names that were not looked up yet, of a row without an error.
    pub names: Option<Unresolved>,
}

impl Row {
    /// Understands the cells of `line` of `source`. Those that are missing at its end are
    /// empty.
    pub fn parse(source: &Source, record: &StringRecord, header: &Header, line: u64) -> Self {
        let mut cells = Cells::new(record, header, line);
        let service = cells.read(Column::ServiceId, cell::service);
        let mut names = None;
        let order = match source.action() {
            Action::Rebuild => match rebuild::read(&mut cells, service, source.offers()) {
                Reading::Whole(rebuild) => Some(Order::Rebuild(rebuild)),
                Reading::Named(found) => {
                    names = Some(found);
                    None
                }
                Reading::Faulty => None,
            },
        };
        let note = cells.read(Column::Note, cell::note);
        let diagnostics = cells.into_diagnostics();

        let job = match (service, order) {
            (Some(service), Some(order)) if first_error(&diagnostics).is_none() => Some(NewJob {
                line,
                service,
                order,
                expected: Expected::default(),
                note: note.flatten(),
            }),
            _ => None,
        };
        Self {
            line,
            service,
            names: names.filter(|_| first_error(&diagnostics).is_none()),
            diagnostics,
            job,
        }
    }
}
