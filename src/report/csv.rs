//! CSV for spreadsheets: comma, LF, UTF-8 without a byte order mark, quotes where they are needed.

use std::io::{self, Write};

use super::cell;
use super::fields::COLUMNS;
use crate::job::{FailureKind, HookState, ResultRow};
use crate::time::{self, Stamp};

/// Large enough that a million rows are a few thousand writes.
const BUFFER_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub struct Csv<W: Write> {
    writer: csv::Writer<W>,
    scratch: Vec<u8>,
}

impl<W: Write> Csv<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new()
            .buffer_capacity(BUFFER_BYTES)
            .from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self {
            writer,
            scratch: Vec::with_capacity(64),
        })
    }

    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        self.field(row.line)?;
        self.field(row.service)?;
        match row.image {
            Some(image) => self.field(image)?,
            None => self.writer.write_field("")?,
        }
        self.writer.write_field(row.state.as_str())?;
        self.writer.write_field(row.executed.as_str())?;
        self.writer
            .write_field(row.evidence.map_or("", |evidence| evidence.as_str()))?;
        self.field(row.attempts)?;
        self.moment(row.submitted_ms)?;
        self.moment(row.completed_ms)?;
        let kind = row.error_kind.as_ref().map(FailureKind::as_str);
        let texts = [
            kind,
            row.error.as_deref(),
            row.note.as_deref(),
            row.name.as_deref(),
            row.ip.as_deref(),
            row.image_name.as_deref(),
        ];
        for text in texts {
            let text = text.unwrap_or_default();
            self.writer.write_field(cell::neutral(text).as_bytes())?;
        }
        match row.took() {
            Some(took) => self.field(time::whole_ms(took))?,
            None => self.writer.write_field("")?,
        }
        for shown in [&row.host_key_before, &row.host_key] {
            match shown {
                Some(shown) => self.field(shown.key.fingerprint())?,
                None => self.writer.write_field("")?,
            }
        }
        let hook = row.hook.map_or("", HookState::as_str);
        self.writer.write_field(hook)?;
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    pub fn finish(self) -> io::Result<W> {
        self.writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }

    fn field(&mut self, value: impl std::fmt::Display) -> io::Result<()> {
        self.scratch.clear();
        write!(self.scratch, "{value}")?;
        self.writer.write_field(&self.scratch)?;
        Ok(())
    }

    fn moment(&mut self, unix_ms: Option<i64>) -> io::Result<()> {
        self.scratch.clear();
        if let Some(unix_ms) = unix_ms {
            write!(self.scratch, "{}", Stamp(unix_ms))?;
        }
        self.writer.write_field(&self.scratch)?;
        Ok(())
    }
}
