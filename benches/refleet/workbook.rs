//! The same rows as a workbook and as CSV: what it costs to load them.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use rust_xlsxwriter::Workbook;

use crate::cases::{Figures, MIB, NOWHERE, middle, times};
use crate::place::{self, IMAGE, PASSWORD, Place, ended, refleet, service};
use crate::{Figure, Goal, Sizes};

const HEADER: [&str; 3] = ["service_id", "image", "password"];

/// Each password is another one, so that the workbook shares no texts but the image.
fn password(index: usize) -> String {
    format!("{PASSWORD}{index}")
}

pub fn workbook(sizes: &Sizes) -> Figures {
    let place = Place::new()?;
    let (csv, xlsx) = (csv(&place, sizes.large)?, xlsx(&place, sizes.large)?);
    let database = place.path("load.db");
    let mut rounds = Vec::new();
    let mut peak_bytes = 0;
    for _ in 0..sizes.rounds {
        place::remove(&database)?;
        let theirs = ended(refleet(&database, NOWHERE).arg("load").arg(&csv))?;
        place::remove(&database)?;
        let ours = ended(refleet(&database, NOWHERE).arg("load").arg(&xlsx))?;
        rounds.push((ours.elapsed, theirs.elapsed));
        peak_bytes = peak_bytes.max(ours.peak_bytes);
    }
    let (ours, theirs) = middle(rounds);
    let mib = peak_bytes as f64 / MIB;
    Ok(vec![
        times("load of .xlsx", ours, "of CSV", theirs, (4.0, 3.0)),
        Figure {
            name: "memory of .xlsx",
            measured: format!("{mib:.1} MiB"),
            ceiling: "MiB at most".to_owned(),
            ratio: mib,
            goal: Goal::AtMost {
                floor: 72.0,
                aim: 64.0,
            },
        },
    ])
}

fn csv(place: &Place, rows: usize) -> io::Result<PathBuf> {
    let path = place.path("fleet.csv");
    let mut out = BufWriter::new(File::create(&path)?);
    writeln!(out, "{}", HEADER.join(","))?;
    for index in 0..rows {
        writeln!(out, "{},{IMAGE},{}", service(index), password(index))?;
    }
    out.into_inner()?.sync_all()?;
    Ok(path)
}

/// As Excel writes it: ids as numbers, texts in one table that all cells share.
fn xlsx(place: &Place, rows: usize) -> Result<PathBuf, Box<dyn Error>> {
    let path = place.path("fleet.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_low_memory()?;
    sheet.write_row(0, 0, HEADER)?;
    for index in 0..rows {
        let row = u32::try_from(index + 1)?;
        sheet.write_number(row, 0, service(index) as f64)?;
        sheet.write_string(row, 1, IMAGE)?;
        sheet.write_string(row, 2, password(index))?;
    }
    book.save(&path)?;
    Ok(path)
}
