//! The cells of one row → one job, or everything that is wrong with them.

use csv::StringRecord;

use super::cell;
use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, first_error, quoted};
use super::header::Header;
use super::spreadsheet::is_error;
use crate::job::{Access, NewJob, ServiceId};

/// What became of one line.
#[derive(Debug, Default)]
pub struct Row {
    /// Counted from 1.
    pub line: u64,
    /// The instance, even where something else is wrong with the row.
    pub service: Option<ServiceId>,
    /// What is wrong, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
    /// What is ordered; exactly the rows without an error have it.
    pub job: Option<NewJob>,
}

impl Row {
    /// Understands the cells of `line`. Those that are missing at its end are empty.
    pub fn parse(record: &StringRecord, header: &Header, line: u64) -> Self {
        let mut cells = Cells {
            record,
            header,
            line,
            diagnostics: Vec::new(),
        };
        cells.look_at_shape();
        let service = cells.read(Column::ServiceId, cell::service);
        let image = cells.read(Column::Image, cell::image);
        let zone = cells.read(Column::Zone, cell::zone);
        let note = cells.read(Column::Note, cell::note);
        let access = cells.access();
        let diagnostics = cells.diagnostics;

        let job = match (service, image) {
            (Some(service), Some(image)) if first_error(&diagnostics).is_none() => Some(NewJob {
                line,
                service,
                image,
                zone: zone.flatten(),
                access,
                note: note.flatten(),
            }),
            _ => None,
        };
        Self {
            line,
            service,
            diagnostics,
            job,
        }
    }
}

struct Cells<'a> {
    record: &'a StringRecord,
    header: &'a Header,
    line: u64,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Cells<'a> {
    /// Was the row to be left out, or does a cell stand where another one should?
    fn look_at_shape(&mut self) {
        let first = || self.record.get(0).unwrap_or_default().trim();
        if self.header.may_be_left_out() && first().starts_with('#') && !is_error(first()) {
            self.diagnostics
                .push(Diagnostic::line(DiagnosticKind::NoComment, self.line));
        }
        if self.record.len() < self.header.names.len() && self.is_shifted() {
            self.diagnostics
                .push(Diagnostic::line(DiagnosticKind::Shifted, self.line));
        }
    }

    /// A short row from which a cell in the middle was left out, not those at the end: what should
    /// be a password or a key stands in another column.
    fn is_shifted(&self) -> bool {
        let is_missing = |column| {
            let position = self.header.position(column);
            position.is_some_and(|position| position >= self.record.len())
        };
        let others = || {
            let known = [
                Column::ServiceId,
                Column::Image,
                Column::Password,
                Column::SshKey,
            ];
            let known = known.map(|column| self.header.position(column));
            (0..)
                .zip(self.record.iter())
                .filter_map(move |(position, cell)| {
                    (!known.contains(&Some(position))).then_some(cell.trim())
                })
        };
        (is_missing(Column::Password) && others().any(cell::fits_password_rule))
            || (is_missing(Column::SshKey) && self.raw(Column::Zone).trim().parse::<u64>().is_ok())
    }

    /// The cell as it stands; empty where there is no such column.
    fn raw(&self, column: Column) -> &'a str {
        self.header
            .position(column)
            .and_then(|position| self.record.get(position))
            .unwrap_or_default()
    }

    fn read<T>(
        &mut self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, DiagnosticKind>,
    ) -> Option<T> {
        let cell = self.raw(column).trim();
        parse(cell)
            .map_err(|kind| {
                let diagnostic = self.diagnostic(column, kind);
                self.diagnostics.push(if cell.is_empty() {
                    diagnostic
                } else {
                    diagnostic.with(quoted(cell))
                });
            })
            .ok()
    }

    /// How one gets in, as password, key and switch say together.
    fn access(&mut self) -> Access {
        let mut kinds = Vec::new();
        let password = cell::password(self.raw(Column::Password), |kind| kinds.push(kind));
        // What is wrong with a password is said without a word of it.
        for kind in kinds {
            let diagnostic = self.diagnostic(Column::Password, kind);
            self.diagnostics.push(diagnostic);
        }
        let key_given = !self.raw(Column::SshKey).trim().is_empty();
        let ssh_key = self.read(Column::SshKey, cell::ssh_key).flatten();
        let enablessh = self.read(Column::Enablessh, cell::enablessh).flatten();

        let conflict = match enablessh {
            _ if key_given && password.is_some() => {
                Some((Column::Password, DiagnosticKind::PasswordWithSshKey))
            }
            Some(true) if !key_given => {
                Some((Column::Enablessh, DiagnosticKind::EnablesshOnWithoutKey))
            }
            Some(false) if key_given => {
                Some((Column::Enablessh, DiagnosticKind::EnablesshOffWithKey))
            }
            Some(_) | None => None,
        };
        if let Some((column, kind)) = conflict {
            let diagnostic = self.diagnostic(column, kind);
            self.diagnostics.push(diagnostic);
        }
        match (ssh_key, password) {
            (Some(key), _) => Access::SshKey(key),
            (None, Some(password)) => Access::Password(password),
            (None, None) => Access::Image,
        }
    }

    fn diagnostic(&self, column: Column, kind: DiagnosticKind) -> Diagnostic {
        let diagnostic = Diagnostic::line(kind, self.line);
        match self.header.position(column) {
            Some(position) => diagnostic.at(position),
            None => diagnostic,
        }
    }
}
