//! The second pass: the jobs of a manifest that was validated, one at a time.

use super::diagnostic::first_error;
use super::error::ManifestError;
use super::identity::{Identity, Sum};
use super::reader::Reader;
use super::source::Source;
use crate::job::NewJob;

/// Pass 2: the same rows again, one at a time.
///
/// What [`validated`](super::validated) would call a fault is [`ManifestError::Changed`] here; only that a service is
/// listed twice is left to the queue's constraint and to [`Rows::identity`].
pub fn rows(source: &Source) -> Result<Rows, ManifestError> {
    let reader = Reader::open(source).map_err(|error| match error {
        ManifestError::Invalid(diagnostics) => changed(source, diagnostics.first_line()),
        error => error,
    })?;
    if let Some(diagnostic) = first_error(&reader.header().diagnostics) {
        return Err(changed(source, diagnostic.line));
    }
    Ok(Rows {
        source: source.clone(),
        sum: Sum::new(source.action()),
        reader: Some(reader),
    })
}

/// The jobs of a manifest, in its order. Ends after the first error.
pub struct Rows {
    source: Source,
    sum: Sum,
    /// `None`: there is nothing more to read.
    reader: Option<Reader>,
}

impl Rows {
    /// The identity of the rows so far. If it differs from the validated one's after the last row, the
    /// file changed in between, and what was taken of it must be dropped.
    pub fn identity(&self) -> Identity {
        self.sum.identity()
    }

    fn read(&mut self) -> Result<Option<NewJob>, ManifestError> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let Some(row) = reader.next()? else {
            return Ok(None);
        };
        match row.job {
            Some(job) => Ok(Some(job)),
            None => Err(changed(
                &self.source,
                first_error(&row.diagnostics).and_then(|diagnostic| diagnostic.line),
            )),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<NewJob, ManifestError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        match &next {
            Some(Ok(job)) => self.sum.add(job),
            Some(Err(_)) | None => self.reader = None,
        }
        next
    }
}

fn changed(source: &Source, line: Option<u64>) -> ManifestError {
    let name = source.name().to_owned();
    ManifestError::Changed { name, line }
}
