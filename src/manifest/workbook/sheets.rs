//! Which of a workbook's sheets is the manifest.

use super::fault::Fault;
use super::place::shown;
use crate::manifest::diagnostic::{Diagnostic, DiagnosticKind};
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::sheet_options::SheetOptions;
use crate::text;

/// The most names that a message lists.
const SHOWN_MAX: usize = 10;

/// A sheet, as the list of them has it.
#[derive(Debug)]
pub struct SheetName {
    pub name: String,
    pub is_hidden: bool,
}

/// Position of the sheet that is meant: the one that is named, or else the only one that can be
/// seen. What is worth knowing of the others is added to `diagnostics`.
pub fn chosen(
    sheets: &[SheetName],
    options: &SheetOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<usize, Fault> {
    if let Some(wanted) = &options.name {
        let position = position(sheets, wanted)
            .ok_or_else(|| Fault::of(SheetFault::Unknown, alternatives(sheets.iter())))?;
        if sheets[position].is_hidden && !options.include_hidden {
            return Err(Fault::of(SheetFault::Hidden, shown(&sheets[position].name)));
        }
        return Ok(position);
    }
    let visible = || sheets.iter().filter(|sheet| !sheet.is_hidden);
    let hidden = || sheets.iter().filter(|sheet| sheet.is_hidden);
    match visible().count() {
        0 if sheets.is_empty() => Err(Fault::damaged("it has no sheet")),
        0 => Err(Fault::of(SheetFault::NoneVisible, alternatives(hidden()))),
        1 => {
            if hidden().next().is_some() {
                let kind = DiagnosticKind::Workbook(SheetFault::OthersHidden);
                diagnostics.push(Diagnostic::file(kind).with(alternatives(hidden())));
            }
            let position = sheets.iter().position(|sheet| !sheet.is_hidden);
            Ok(position.unwrap_or_default())
        }
        _ => Err(Fault::of(SheetFault::Several, alternatives(visible()))),
    }
}

/// No program lets two sheets differ by case alone.
fn position(sheets: &[SheetName], wanted: &str) -> Option<usize> {
    let exact = sheets.iter().position(|sheet| sheet.name == wanted);
    exact.or_else(|| {
        let wanted = wanted.to_lowercase();
        sheets
            .iter()
            .position(|sheet| sheet.name.to_lowercase() == wanted)
    })
}

/// The sheets as they are named on the command line.
fn alternatives<'a>(sheets: impl Iterator<Item = &'a SheetName> + Clone) -> String {
    let more = sheets.clone().count().saturating_sub(SHOWN_MAX);
    let options: Vec<String> = sheets
        .take(SHOWN_MAX)
        .map(|sheet| {
            let word = text::brief(&sheet.name, 60);
            let word = text::shell_word(&word);
            let between = if word.starts_with('-') { '=' } else { ' ' };
            let state = if sheet.is_hidden { " (hidden)" } else { "" };
            format!("`--sheet{between}{word}`{state}")
        })
        .collect();
    match more {
        0 => options.join(", "),
        more => format!("{} and {more} more", options.join(", ")),
    }
}
