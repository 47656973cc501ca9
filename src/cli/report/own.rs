//! The operator's own rows beside the jobs that were made of them.

use std::io;

use crate::cli::error::CliError;
use crate::job::{BatchId, ResultRow};
use crate::manifest::{ManifestError, OwnRows, Row, Source};

/// The rows of the manifest of a batch, read along with the batch's jobs: both stand in the
/// manifest's order.
pub struct Own {
    pub rows: OwnRows,
    name: String,
    batch: BatchId,
    /// Why reading had to end; what reads can only pass on an error of the medium.
    fault: Option<CliError>,
}

impl Own {
    pub fn open(source: &Source, batch: BatchId) -> Result<Self, ManifestError> {
        Ok(Self {
            rows: OwnRows::open(source)?,
            name: source.name().to_owned(),
            batch,
            fault: None,
        })
    }

    /// Reads on to the row of this job; `passed` sees the cells of rows before it, which are no
    /// jobs.
    pub fn find(
        &mut self,
        job: &ResultRow,
        mut passed: impl FnMut(&Self) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let row = match self.next()? {
                Some(row) if row.line < job.line => {
                    passed(self)?;
                    continue;
                }
                Some(row) if row.line == job.line => row,
                Some(_) | None => return self.refuse(job, "no service"),
            };
            let image = row.job.as_ref().map(|new| new.order.image());
            return match row.service {
                Some(service) if service != job.service => {
                    self.refuse(job, &format!("service {service}"))
                }
                None => self.refuse(job, "no service"),
                Some(_) => match image {
                    Some(Some(image)) if Some(image) != job.image => {
                        self.refuse(job, &format!("image {image}"))
                    }
                    Some(_) | None => Ok(()),
                },
            };
        }
    }

    /// Reads the rows behind the last job.
    pub fn rest(&mut self, mut passed: impl FnMut(&Self) -> io::Result<()>) -> io::Result<()> {
        while self.next()?.is_some() {
            passed(self)?;
        }
        Ok(())
    }

    /// The cells of the last row that everybody may see.
    pub fn open_cells(&self) -> Vec<&str> {
        let cells = self.rows.cells();
        let position = self.rows.open_columns().iter();
        position
            .map(|own| cells.get(*own).unwrap_or_default())
            .collect()
    }

    fn next(&mut self) -> io::Result<Option<Row>> {
        self.rows.next().map_err(|error| {
            self.fault = Some(error.into());
            io::Error::other("the manifest changed")
        })
    }

    fn refuse(&mut self, job: &ResultRow, there: &str) -> io::Result<()> {
        let Self { name, batch, .. } = self;
        let place = self.rows.on(job.line);
        self.fault = Some(CliError::Usage(format!(
            "{name} is not the manifest of batch {batch}: {place} it has {there}, and the batch has \
             service {}{}; give the file as it was when it was ordered",
            job.service,
            job.image
                .map_or_else(String::new, |image| format!(" with image {image}"))
        )));
        Err(io::Error::other("another manifest"))
    }

    /// What `written` became, or why reading had to end.
    pub fn outcome<T>(&mut self, written: io::Result<T>) -> Result<io::Result<T>, CliError> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(written),
        }
    }
}
