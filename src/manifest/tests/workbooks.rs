//! Workbooks as people and programs make them: each is the same order as its CSV, or is refused with
//! the cell.
//!
//! `made` has those of a program that writes what Excel writes, `parts` those that no such program
//! would write, `ods` those of the other kind, `foreign` those of other programs, which are files
//! beside the tests, `seen` those that show something else than they hold, or nothing, `styled` those
//! of which the styles of an `.ods` say that, and `filtered` those with a filter.

mod filtered;
mod foreign;
mod made;
mod ods;
mod parts;
mod seen;
mod styled;

use std::io::Cursor;

use calamine::{Data, Reader as _};
use secrecy::ExposeSecret as _;

use super::A;
use crate::job::{Access, Action, NewJob, Order};
use crate::manifest::{ManifestError, SheetOptions, Source, rows, validated};

/// The header and the rows of nearly all of them.
const HEADER: [&str; 4] = ["service_id", "image", "password", "note"];
const PASSWORD: &str = "Mypassword";

/// A workbook, how it is read, and what becomes of it.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    options: SheetOptions,
    ignored: &'static [&'static str],
    outcome: Outcome,
}

enum Outcome {
    /// The same jobs, with the same passwords and notes, on the same lines.
    Same(String),
    /// Refused, and the message has these words.
    Refused(&'static [&'static str]),
}

impl Case {
    fn same(name: &'static str, bytes: Vec<u8>, csv: impl Into<String>) -> Self {
        Self {
            name,
            bytes,
            options: SheetOptions::default(),
            ignored: &[],
            outcome: Outcome::Same(csv.into()),
        }
    }

    fn refused(name: &'static str, bytes: Vec<u8>, words: &'static [&'static str]) -> Self {
        Self {
            outcome: Outcome::Refused(words),
            ..Self::same(name, bytes, "")
        }
    }

    fn sheet(mut self, name: &str) -> Self {
        self.options.name = Some(name.to_owned());
        self
    }

    fn header_row(mut self, row: u64) -> Self {
        self.options.header_row = Some(row);
        self
    }

    fn with_hidden(mut self) -> Self {
        self.options.include_hidden = true;
        self
    }

    fn ignoring(self, ignored: &'static [&'static str]) -> Self {
        Self { ignored, ..self }
    }

    fn source(&self) -> Source {
        let ignored: Vec<String> = self.ignored.iter().map(|name| (*name).to_owned()).collect();
        Source::from_bytes(Action::Rebuild, "fleet", &self.bytes)
            .unwrap()
            .ignoring(&ignored)
            .reading(self.options.clone())
    }
}

/// The service of the nth row.
fn service(nth: usize) -> usize {
    5_113_119 + nth
}

/// The CSV of so many rows under [`HEADER`].
fn csv(rows: usize) -> String {
    let header = [HEADER.join(",")];
    let row = |nth| format!("{},{A},{PASSWORD}{nth},row {nth}", service(nth));
    let lines: Vec<String> = header.into_iter().chain((0..rows).map(row)).collect();
    lines.join("\n") + "\n"
}

/// Everything of a job.
fn told(job: &NewJob) -> String {
    let Order::Rebuild(rebuild) = &job.order;
    let access = match &rebuild.access {
        Access::Password(password) => format!("password {:?}", password.expose_secret()),
        other => format!("{other:?}"),
    };
    let NewJob {
        line,
        service,
        expected,
        group,
        ssh_port: _,
        note,
        order: _,
    } = job;
    let (image, zone) = (&rebuild.image, &rebuild.zone);
    format!("{line}: {service} {image} {zone:?} {access} {expected:?} {group:?} {note:?}")
}

fn jobs(source: &Source) -> Result<Vec<NewJob>, ManifestError> {
    let identity = validated(source)?.identity;
    let mut rows = rows(source)?;
    let jobs = rows.by_ref().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(rows.identity(), identity);
    Ok(jobs)
}

/// Holds the cases against what should become of them; what is said of them.
fn held(cases: &[Case]) -> String {
    let (mut said, mut wrong) = (Vec::new(), Vec::new());
    for case in cases {
        let name = case.name;
        let outcome = match &case.outcome {
            Outcome::Same(csv) => is_same(case, csv),
            Outcome::Refused(words) => is_refused(case, words),
        };
        match outcome {
            Ok(words) if words.is_empty() => {}
            Ok(words) => said.push(format!("### {name}\n{words}\n")),
            Err(words) => wrong.push(format!("### {name}\n{words}\n")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    said.concat()
}

/// It is the same order as `csv`; the warnings. `Err`: what it is instead.
fn is_same(case: &Case, csv: &str) -> Result<String, String> {
    let plain = Source::from_bytes(Action::Rebuild, "csv", csv.as_bytes()).unwrap();
    let source = case.source();
    let expected = jobs(&plain).map_err(|error| error.to_string())?;
    let found = jobs(&source).map_err(|error| error.to_string())?;
    let tell = |jobs: &[NewJob]| jobs.iter().map(told).collect::<Vec<_>>().join("\n");
    let identity = |source| validated(source).unwrap().identity;
    if tell(&found) != tell(&expected) || identity(&source) != identity(&plain) {
        return Err(format!("{}\ninstead of\n{}", tell(&found), tell(&expected)));
    }
    if case.bytes.starts_with(b"PK") {
        witness(case, &found)?;
    }
    Ok(validated(&source).unwrap().warnings.to_string())
}

/// It is refused in these words; the message. `Err`: what was said instead.
fn is_refused(case: &Case, words: &[&str]) -> Result<String, String> {
    let complaint = match validated(&case.source()) {
        Ok(validated) => return Err(format!("taken: {}", validated.plan)),
        Err(error) => error.to_string(),
    };
    let missing: Vec<_> = words
        .iter()
        .filter(|words| !complaint.contains(**words))
        .collect();
    if missing.is_empty() && !complaint.contains(PASSWORD) {
        Ok(complaint)
    } else {
        Err(format!("{missing:?} not in\n{complaint}"))
    }
}

/// A library that has nothing in common with our reader finds each service in the row that we say.
fn witness(case: &Case, jobs: &[NewJob]) -> Result<(), String> {
    let bytes = Cursor::new(case.bytes.as_slice());
    let is_ods = case.bytes.windows(11).any(|name| name == b"content.xml");
    let range = if is_ods {
        calamine::Ods::new(bytes)
            .map_err(|error| error.to_string())
            .and_then(|book| range(book, case))?
    } else {
        calamine::Xlsx::new(bytes)
            .map_err(|error| error.to_string())
            .and_then(|book| range(book, case))?
    };
    for job in jobs {
        let (_, columns) = range.end().unwrap();
        let row = u32::try_from(job.line - 1).unwrap();
        let service = job.service.to_string();
        let has_it = (0..=columns).any(|column| match range.get_value((row, column)) {
            Some(Data::String(text)) => text.trim() == service,
            Some(Data::Int(number)) => number.to_string() == service,
            Some(Data::Float(number)) => number.to_string() == service,
            Some(_) | None => false,
        });
        if !has_it {
            return Err(format!(
                "the witness does not find {service} in row {}",
                job.line
            ));
        }
    }
    Ok(())
}

/// Whatever stands in a sheet, there is an answer, and the two passes agree.
#[test]
fn no_sheet_panics_whatever_stands_in_it() {
    let mut random = fastrand::Rng::with_seed(7);
    let bits = [
        "<row>",
        "</row>",
        "<c>",
        "</c>",
        "<v>",
        "r=\"A1\"",
        " t=\"s\"",
        "&#0;",
        "&amp;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "\"",
        "'",
        "<",
        ">",
        "/",
        "_x000D_",
        "\u{feff}",
        "99999999999",
        "-1",
        "\0",
        "",
    ];
    let sheets = [(parts::sheet(3), false), (ods::rows(), true)];
    for _ in 0..1000 {
        let (mut xml, is_ods) = sheets[random.usize(..2)].clone();
        for _ in 0..random.usize(1..4) {
            let at = xml.floor_char_boundary(random.usize(..xml.len()));
            let end = xml.floor_char_boundary((at + random.usize(..9)).min(xml.len()));
            xml.replace_range(at..end, bits[random.usize(..bits.len())]);
        }
        let bytes = if is_ods {
            ods::plain(&xml)
        } else {
            parts::Parts::xlsx(&xml).packed()
        };
        let source = Source::from_bytes(Action::Rebuild, "fleet", &bytes).unwrap();
        // A name is looked up before a row of it is a job.
        if validated(&source).is_ok_and(|validated| validated.wanted.is_empty()) {
            jobs(&source).unwrap();
        }
    }
}

/// What the library finds in the sheet that is meant.
fn range<'a, B>(mut book: B, case: &Case) -> Result<calamine::Range<Data>, String>
where
    B: calamine::Reader<Cursor<&'a [u8]>>,
    B::Error: std::fmt::Display,
{
    let is_visible = |sheet: &calamine::Sheet| {
        sheet.visible == calamine::SheetVisible::Visible
            && sheet.typ == calamine::SheetType::WorkSheet
    };
    let is_meant = |sheet: &&calamine::Sheet| match &case.options.name {
        Some(name) => sheet.name.to_lowercase() == name.to_lowercase(),
        None => is_visible(sheet),
    };
    let name = book
        .sheets_metadata()
        .iter()
        .find(is_meant)
        .unwrap()
        .name
        .clone();
    book.worksheet_range(&name)
        .map_err(|error| error.to_string())
}

#[test]
fn a_workbook_is_the_same_order_as_its_csv_or_is_refused_with_the_cell() {
    let rooms = [
        made::cases(),
        parts::cases(),
        ods::cases(),
        foreign::cases(),
        seen::cases(),
        styled::cases(),
        filtered::cases(),
    ];
    assert!(rooms.iter().map(Vec::len).sum::<usize>() >= 100);
    let names = [
        "made", "parts", "ods", "foreign", "seen", "styled", "filtered",
    ];
    for (room, cases) in names.into_iter().zip(&rooms) {
        insta::assert_snapshot!(room, held(cases));
    }
}
