//! The table of all jobs. Its first page is readable as it stands; the script searches, sorts and turns
//! the pages, and writes rows in the same form as [`one`].

use maud::{Markup, html};

use super::super::summary::Summary;
use super::figures::{foreign, moment, number, span, zone};
use super::first_rows::{FirstRows, PAGE};
use super::words::{badge, proof, sign, touched};
use crate::job::{Action, ImageId, ResultRow};
use crate::time::{Stamp, whole_ms};

/// The columns: what each is called, and how the script knows it.
const COLUMNS: [(&str, &str); 6] = [
    ("instance", "name"),
    ("state", "state"),
    ("image", "image"),
    ("took", "took"),
    ("when", "when"),
    ("details", "kind"),
];

pub fn section(summary: &Summary, first: &FirstRows) -> Markup {
    let shown = usize::try_from(summary.total)
        .unwrap_or(usize::MAX)
        .min(PAGE);
    html! {
        section #jobs aria-labelledby="jobs-title" {
            h2 #jobs-title { "All " (number("/total", summary.total)) " jobs" }
            (controls())
            p #found role="status" aria-live="polite" {
                @if (shown as u64) < summary.total {
                    "The first " (shown) ", those that need a human before all others. To see all, let the page run
                     its script, or write them down with "
                    code { (foreign(&summary.subject.commands.with("report --format csv"))) } "."
                }
            }
            table #table role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for (name, key) in COLUMNS {
                            th role="columnheader" scope="col" data-key=(key) {
                                (name)
                                @if key == "when" { span.zone { " " (zone()) } }
                            }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in first.iter() { (one(row, summary)) }
                }
            }
            nav #pages.scripted aria-label="Pages of the table" {
                button type="button" data-page="first" { "First" }
                button type="button" data-page="back" { "Back" }
                span #page {}
                button type="button" data-page="next" { "Next" }
                button type="button" data-page="last" { "Last" }
            }
        }
    }
}

fn controls() -> Markup {
    html! {
        form #controls.scripted role="search" aria-label="Search the table" {
            label { "Search" input #search type="search" autocomplete="off" spellcheck="false"
                placeholder="name, address, number, note …"; }
            label { "State" select #state { option value="" { "all" } } }
            label { "Image" select #image { option value="" { "all" } } }
            label { "Cause" select #cause { option value="" { "all" } } }
            button.quiet type="button" { "Show all" }
        }
    }
}

fn one(row: &ResultRow, summary: &Summary) -> Markup {
    let image = row
        .image
        .map_or_else(String::new, |image| named(image, summary));
    let at = row.completed_ms.or(row.submitted_ms);
    html! {
        tr role="row" {
            th role="rowheader" scope="row" {
                @match &row.name { Some(name) => (foreign(name)), None => (row.service) }
                span.ids {
                    @if row.name.is_some() { (row.service) " · " }
                    @if let Some(ip) = &row.ip { (foreign(ip)) " · " }
                    "line " (row.line)
                }
            }
            td role="cell" { (badge(sign(row.state, row.held))) }
            td.image role="cell" data-label="image" { (foreign(&image)) }
            td.count role="cell" data-label="took" { @if let Some(took) = row.took() { (span(whole_ms(took))) } }
            td.count role="cell" data-label="when" { @if let Some(at) = at { (moment(Stamp(at))) } }
            td.said role="cell" { (said(row, summary.subject.action)) }
        }
    }
}

/// What went wrong, what proves that nothing did, how often it was submitted, and what the manifest notes.
fn said(row: &ResultRow, action: Action) -> Markup {
    let proof = row.evidence.map(proof);
    let is_told = proof.is_none() && row.attempts > 0;
    html! {
        @if let Some(kind) = &row.error_kind {
            b { (foreign(kind.as_str())) }
            @if let Some(error) = &row.error { ": " (foreign(error)) }
            "; "
        }
        @if let Some(proof) = proof { (proof) }
        @if is_told { (touched(row.executed, action)) }
        @if row.attempts > 1 { ", submitted " (row.attempts) " times" }
        @if let Some(note) = &row.note { span.note { (foreign(note)) } }
    }
}

/// Rows that were never submitted do not know what their image is called, others do.
fn named(image: ImageId, summary: &Summary) -> String {
    let known = summary.images.iter().find(|of| of.image == Some(image));
    let name = known.and_then(|of| of.image_name.clone());
    name.unwrap_or_else(|| image.to_string())
}
