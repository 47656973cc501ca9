//! The summary itself, and how it comes about.

use serde::Serialize;

use super::causes::{Cause, Causes};
use super::durations::{Durations, OfImage, Took};
use super::earlier::{Comparison, Earlier};
use super::needs::{Need, Needs};
use super::slowest::{Slow, Slowest};
use super::span::Span;
use super::subject::Subject;
use super::timeline::{Buckets, Timeline};
use crate::job::{Counts, Happened, ResultRow};
use crate::pace::Pace;
use crate::time::Stamp;

/// What a report says of a batch as a whole.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    pub subject: Subject,
    pub total: u64,
    /// How far it is, as `status` and the events say it; a report knows no pace.
    pub progress: Pace,
    pub counts: Counts,
    /// Rows of the manifest that did not become jobs, for a reason that is known.
    pub rows_left_out: u64,
    /// Rows of the manifest that are neither jobs nor left out for a reason that is known. There are none.
    pub rows_unaccounted: u64,
    /// Jobs that wait for somebody.
    pub needs_you: u64,
    pub needs: Vec<Need>,
    pub causes: Vec<Cause>,
    /// How it compares with the order of the same manifest before it; `None`: there was none.
    pub earlier: Option<Comparison>,
    /// When the first job was submitted.
    pub first_submitted_at: Option<Stamp>,
    /// When the last one ended, but for what somebody said afterwards.
    pub last_completed_at: Option<Stamp>,
    pub elapsed_ms: Option<u64>,
    /// How long rebuilds took, of all images.
    pub took: Took,
    pub images: Vec<OfImage>,
    pub slowest: Vec<Slow>,
    pub timeline: Timeline,
}

/// A summary whose rows go by.
#[derive(Debug)]
pub struct Gathering {
    subject: Subject,
    earlier: Option<Earlier>,
    counts: Counts,
    needs: Needs,
    causes: Causes,
    span: Span,
    durations: Durations,
    slowest: Slowest,
    timeline: Buckets,
}

impl Gathering {
    /// Of the rows of `subject`. `earlier`: the order before it, all of whose rows have gone by.
    pub fn new(subject: Subject, earlier: Option<Earlier>) -> Self {
        Self {
            subject,
            earlier,
            counts: Counts::default(),
            needs: Needs::default(),
            causes: Causes::default(),
            span: Span::default(),
            durations: Durations::default(),
            slowest: Slowest::default(),
            timeline: Buckets::default(),
        }
    }

    /// The group of its cause that the row belongs to, as [`Causes::row`] numbers them.
    pub fn row(&mut self, row: &ResultRow) -> Option<u32> {
        self.counts.add(row);
        self.needs.row(row, &self.subject.commands);
        self.span.row(row);
        self.durations.row(row);
        self.slowest.row(row);
        self.timeline.row(row);
        if let Some(earlier) = &mut self.earlier {
            earlier.compare(row);
        }
        self.causes.row(row)
    }

    /// Something that rows do not say any more, since somebody's word about the job took its place.
    pub fn overtaken(&mut self, what: Happened, at_ms: i64) {
        self.span.happened(what, at_ms);
        self.timeline.happened(what, at_ms);
    }

    pub fn finish(self) -> Summary {
        let needs = self.needs.finish(&self.counts, &self.subject.commands);
        let (took, images) = self.durations.finish();
        let rows = &self.subject.rows;
        let total = self.counts.total();
        Summary {
            total,
            progress: Pace {
                ended: self.counts.ended(),
                total,
                ..Pace::default()
            },
            counts: self.counts,
            rows_left_out: rows.left_out(),
            rows_unaccounted: rows.all.saturating_sub(total + rows.left_out()),
            needs_you: needs
                .iter()
                .filter(|need| need.kind.is_somebodys())
                .map(|need| need.count)
                .sum(),
            needs,
            causes: self.causes.finish(),
            earlier: self.earlier.map(Earlier::finish),
            first_submitted_at: self.span.first(),
            last_completed_at: self.span.last(),
            elapsed_ms: self.span.elapsed_ms(),
            took,
            images,
            slowest: self.slowest.finish(),
            timeline: self.timeline.finish(),
            subject: self.subject,
        }
    }
}
