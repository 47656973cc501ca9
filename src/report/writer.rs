//! A report in whatever format was asked for.

use std::io::{self, Write};

use super::csv::Csv;
use super::html::Html;
use super::inventory::Inventory;
use super::json::Json;
use super::known_hosts::KnownHosts;
use super::summary::{Earlier, Subject};
use super::table::Table;
use crate::job::{Counts, Happened, ResultRow};

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For scripts.
    Json,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For scripts.
    Json,
    /// One page for people, with what stands out first.
    Html,
    /// For Ansible.
    Inventory,
    /// For OpenSSH: the host keys of what was rebuilt.
    KnownHosts,
}

impl ReportFormat {
    /// It says what the rows come to, too.
    pub fn sums_up(self) -> bool {
        match self {
            Self::Table | Self::Csv | Self::Inventory | Self::KnownHosts => false,
            Self::Json | Self::Html => true,
        }
    }
}

/// A report that is being written. Nothing is complete before [`finish`](Self::finish).
#[derive(Debug)]
pub struct Report<W: Write> {
    sheet: Sheet<W>,
    counts: Counts,
}

#[derive(Debug)]
enum Sheet<W: Write> {
    Table(Table<W>),
    Csv(Csv<W>),
    Json(Box<Json<W>>),
    Html(Box<Html<W>>),
    Inventory(Box<Inventory<W>>),
    KnownHosts(KnownHosts<W>),
}

impl<W: Write> Report<W> {
    /// A report into `out`, which needs no buffer of its own. `width`: the columns of the terminal
    /// that a table must fit; `None` cuts nothing. `subject` and `earlier`: what it is about, and the
    /// order that it is compared with, for the formats that have room for it.
    pub fn new(
        format: ReportFormat,
        out: W,
        width: Option<usize>,
        subject: Subject,
        earlier: Option<Earlier>,
    ) -> io::Result<Self> {
        let sheet = match format {
            ReportFormat::Table => Sheet::Table(Table::new(out, width)),
            ReportFormat::Csv => Sheet::Csv(Csv::new(out)?),
            ReportFormat::Json => Sheet::Json(Box::new(Json::new(out, subject, earlier)?)),
            ReportFormat::Html => Sheet::Html(Box::new(Html::new(out, subject, earlier)?)),
            ReportFormat::Inventory => Sheet::Inventory(Box::new(Inventory::new(out)?)),
            ReportFormat::KnownHosts => Sheet::KnownHosts(KnownHosts::new(out)),
        };
        Ok(Self {
            sheet,
            counts: Counts::default(),
        })
    }

    /// Adds a row.
    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        self.counts.add(row);
        match &mut self.sheet {
            Sheet::Table(table) => table.row(row),
            Sheet::Csv(csv) => csv.row(row),
            Sheet::Json(json) => json.row(row),
            Sheet::Html(html) => html.row(row),
            Sheet::Inventory(inventory) => inventory.row(row),
            Sheet::KnownHosts(known_hosts) => known_hosts.row(row),
        }
    }

    /// Adds what happened, and when, that no row says any more ([`Overview::overtaken`](crate::queue::Overview::overtaken)).
    pub fn overtaken(&mut self, what: Happened, at_ms: i64) {
        match &mut self.sheet {
            Sheet::Table(_) | Sheet::Csv(_) | Sheet::Inventory(_) | Sheet::KnownHosts(_) => {}
            Sheet::Json(json) => json.overtaken(what, at_ms),
            Sheet::Html(html) => html.overtaken(what, at_ms),
        }
    }

    /// Writes what is left, and gives back where it was written to.
    pub fn finish(self) -> io::Result<W> {
        match self.sheet {
            Sheet::Table(table) => table.finish(&self.counts),
            Sheet::Csv(csv) => csv.finish(),
            Sheet::Json(json) => json.finish(),
            Sheet::Html(html) => html.finish(),
            Sheet::Inventory(inventory) => inventory.finish(),
            Sheet::KnownHosts(known_hosts) => known_hosts.finish(),
        }
    }
}
