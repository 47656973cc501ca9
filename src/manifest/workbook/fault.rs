//! Why a workbook cannot be read on.

use std::fmt;
use std::io;

use crate::manifest::diagnostic::{Diagnostic, DiagnosticKind};
use crate::manifest::format::FileFormat;
use crate::manifest::sheet_fault::SheetFault;

/// Why a workbook cannot be read on.
#[derive(Debug)]
pub enum Fault {
    /// The medium failed.
    Io(io::Error),
    /// What was read is wrong.
    Wrong(Wrong),
}

/// What is wrong, and where, in our own words and never a cell's.
#[derive(Debug, Clone)]
pub struct Wrong {
    kind: DiagnosticKind,
    what: String,
}

impl Fault {
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::of(SheetFault::Damaged, what)
    }

    pub fn too_large(what: impl Into<String>) -> Self {
        Self::of(SheetFault::TooLarge, what)
    }

    /// `what` may be empty.
    pub fn of(fault: SheetFault, what: impl Into<String>) -> Self {
        Self::Wrong(Wrong {
            kind: DiagnosticKind::Workbook(fault),
            what: what.into(),
        })
    }

    /// It is no workbook that is read.
    pub fn format(format: FileFormat) -> Self {
        Self::Wrong(Wrong {
            kind: DiagnosticKind::NotCsv(format),
            what: String::new(),
        })
    }

    /// As a diagnostic of the file, or of `row`.
    pub fn diagnostic(self, row: Option<u64>) -> io::Result<Diagnostic> {
        match self {
            Self::Io(error) => Err(error),
            Self::Wrong(Wrong { kind, what }) => {
                let diagnostic = Diagnostic::file(kind);
                let diagnostic = Diagnostic {
                    line: row,
                    ..diagnostic
                };
                Ok(if what.is_empty() {
                    diagnostic
                } else {
                    diagnostic.with(what)
                })
            }
        }
    }
}

impl From<io::Error> for Fault {
    /// What a reader below an XML parser has found comes through it as an error of its own.
    fn from(error: io::Error) -> Self {
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Wrong>())
        {
            Some(wrong) => Self::Wrong(wrong.clone()),
            None => Self::Io(error),
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => error,
            Fault::Wrong(wrong) => Self::new(io::ErrorKind::InvalidData, wrong),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Wrong {}
