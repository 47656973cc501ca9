//! The first pass: all of a manifest is read and validated, and nothing is changed.

use std::path::Path;

use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use super::diagnostics::Diagnostics;
use super::error::ManifestError;
use super::format::Container;
use super::header;
use super::identity::{Identity, Sum};
use super::plan::Plan;
use super::reader::Reader;
use super::sheet_fault::SheetFault;
use super::sheet_options::SheetOptions;
use super::source::Source;
use super::suspects::Suspects;
use crate::job::{Action, ServiceId};

/// What a valid manifest orders.
#[derive(Debug)]
pub struct Validated {
    /// Which order it is.
    pub identity: Identity,
    /// The name of its sheet, if it is a workbook.
    pub sheet: Option<String>,
    /// What it orders, in numbers.
    pub plan: Plan,
    /// What is worth knowing; only warnings.
    pub warnings: Diagnostics,
    /// The instances of rows that give names of images or keys. If there are any, the sheet is
    /// validated once more with what they stand for ([`Source::with_offers`]), and only then is the
    /// identity that of its order.
    pub wanted: Vec<ServiceId>,
}

/// Whether the file at `path`, which begins like this, is a manifest, as far as its header tells: it
/// has the columns that one needs, and is no report.
///
/// Those of any action make it one: what asks is about to write over the file, and a list of a fleet is
/// worth keeping whatever this command, or another one, orders with it.
pub fn looks_like_one(path: &Path, beginning: &[u8]) -> bool {
    Action::ALL.iter().any(|action| {
        // What a workbook holds is told at its end.
        let source = if Container::of(beginning).is_some() {
            Source::open(*action, path).map(|source| {
                source.reading(SheetOptions {
                    include_hidden: true,
                    ..SheetOptions::default()
                })
            })
        } else {
            Source::from_bytes(*action, "", beginning)
        };
        let reader = source.and_then(|source| Reader::open(&source));
        reader.is_ok_and(|reader| {
            let names = &reader.header().names;
            !names.iter().any(|name| name == "executed")
        })
    })
}

/// Pass 1: reads and validates all of it, and changes nothing. Lists every fault, not the first
/// one only.
///
/// Holds 16 bytes per row (to find a service that is listed twice) and no row.
pub fn validated(source: &Source) -> Result<Validated, ManifestError> {
    let mut reader = Reader::open(source)?;
    let mut diagnostics = reader.diagnostics();
    let mut warnings = diagnostics.clone();
    let mut services = Vec::new();
    let mut wanted = Vec::new();
    let mut sum = Sum::new(source.action());
    let mut plan = Plan::new(source.action(), reader.header().ignored.clone());
    let mut report = |diagnostic: Diagnostic| match diagnostic.kind.severity() {
        Severity::Error => diagnostics.add(diagnostic),
        Severity::Warning => warnings.add(diagnostic),
    };
    reader
        .header()
        .diagnostics
        .iter()
        .cloned()
        .for_each(&mut report);
    let mut suspects = Suspects::new(&reader.header().unnoticed);
    let mut any = false;
    while let Some(row) = reader.next()? {
        any = true;
        row.diagnostics.into_iter().for_each(&mut report);
        if let Some(service) = row.service {
            services.push((service.get(), row.line));
        }
        if let Some(job) = &row.job {
            plan.add(job);
            sum.add(job);
            suspects.see(reader.record());
        }
        if let Some((names, service)) = row.names.as_ref().zip(row.service) {
            plan.add_named(names);
            wanted.push(service);
            suspects.see(reader.record());
        }
    }
    plan.taken_out = reader.taken_out();
    if reader.has_idle_filter() {
        let kind = DiagnosticKind::Workbook(SheetFault::FilterIdle);
        report(Diagnostic::file(kind));
    }
    if plan.gives_no_access() {
        for position in suspects.left() {
            let header = reader.header();
            let name = match header.names[position].as_str() {
                "" => format!("column {}", position + 1),
                name => header::way_out(name),
            };
            report(
                Diagnostic::line(DiagnosticKind::CellsLookLikePasswords, header.line).with(name),
            );
        }
    }
    if !any {
        report(Diagnostic::file(match plan.taken_out {
            0 => DiagnosticKind::NoRows,
            1.. => DiagnosticKind::NoRowsLeft,
        }));
    }
    let position = reader.header().position(Column::ServiceId);
    for (line, service, first) in twice(services) {
        let text = format!("`{service}`, as {}", reader.on(first));
        let mut diagnostic = Diagnostic::line(DiagnosticKind::ServiceTwice, line).with(text);
        diagnostic.column = position;
        report(diagnostic);
    }
    if diagnostics.is_empty() {
        Ok(Validated {
            identity: sum.identity(),
            sheet: reader.sheet().map(str::to_owned),
            plan,
            warnings,
            wanted,
        })
    } else {
        Err(ManifestError::Invalid(diagnostics))
    }
}

/// Each line, in order, whose service stands on an earlier line, too; the service, and that line.
fn twice(mut services: Vec<(i64, u64)>) -> Vec<(u64, i64, u64)> {
    services.sort_unstable();
    let mut again: Vec<_> = services
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter_map(|same| same.split_first())
        .flat_map(|((service, first), later)| {
            later.iter().map(move |(_, line)| (*line, *service, *first))
        })
        .collect();
    again.sort_unstable();
    again
}
