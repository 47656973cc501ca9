//! All rows for the script: one compact array each, what repeats as a number.
//!
//! They are kept aside until the page is written, since what stands above them is known last: in memory
//! while they are few, else in a temporary file.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};

use serde::Serialize;
use serde_json::json;
use serde_json::ser::Formatter;
use tempfile::SpooledTempFile;

use super::super::summary::{Cause, VARIOUS, rank};
use super::first_rows::PAGE;
use super::words;
use crate::job::{Action, Evidence, Executed, ImageId, ResultRow, ServiceId, State};
use crate::text::{brief, printable};
use crate::time::{self, whole_ms};

/// What is kept in memory.
const MEMORY_BYTES: usize = 1 << 22;
/// Messages that are written once, whoever has them; those beyond are written where they stand.
const MESSAGES_MAX: usize = 10_000;
/// Whole numbers beyond this lose digits in the script.
const SCRIPT_NUMBER_MAX: i64 = (1 << 53) - 1;
/// The end of the year 9999, as Unix time, and about as long before 1970.
const MOMENT_MS_MAX: i64 = 253_402_300_799_999;
/// Of a cause's name among the filters.
const CAUSE_CHARS_MAX: usize = 80;

#[derive(Debug)]
pub struct Data {
    out: BufWriter<SpooledTempFile>,
    base_ms: i64,
    is_empty: bool,
    images: Images,
    kinds: Numbers,
    messages: Numbers,
}

/// Texts, each with the number under which rows name it; 0 is none.
#[derive(Debug, Default)]
struct Numbers {
    known: HashMap<String, usize>,
    texts: Vec<String>,
}

impl Numbers {
    fn of(&mut self, text: &str, max: usize) -> Option<usize> {
        if let Some(number) = self.known.get(text) {
            return Some(*number);
        }
        if self.texts.len() == max {
            return None;
        }
        self.texts.push(text.to_owned());
        self.known.insert(text.to_owned(), self.texts.len());
        Some(self.texts.len())
    }
}

/// Images, numbered likewise.
#[derive(Debug, Default)]
struct Images {
    known: HashMap<ImageId, usize>,
    /// The id of each, and its name, where it is known.
    images: Vec<(String, Option<String>)>,
}

impl Images {
    fn of(&mut self, row: &ResultRow) -> usize {
        let Some(image) = row.image else { return 0 };
        let number = *self.known.entry(image).or_insert_with(|| {
            self.images.push((image.to_string(), None));
            self.images.len()
        });
        let (_, name) = &mut self.images[number - 1];
        if name.is_none() {
            *name = row
                .image_name
                .as_deref()
                .map(|name| printable(name).into_owned());
        }
        number
    }
}

/// A text that stands in the row, or the number of one.
#[derive(Serialize)]
#[serde(untagged)]
enum Message<'a> {
    Number(usize),
    Text(&'a str),
}

/// A number; as a text, where the script could not hold all of its digits or make a date of it.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Number(i64),
    Text(String),
}

impl Data {
    /// Of rows whose dates are counted from `base_ms`, as Unix time.
    pub fn new(base_ms: i64, action: Action) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 16, SpooledTempFile::new(MEMORY_BYTES));
        let sign = |state, held| {
            let words::Sign { class, glyph, word } = words::sign(state, held);
            json!([class, glyph, word])
        };
        let signs = State::ALL.iter().map(|state| sign(*state, false));
        let signs: Vec<_> = signs.chain([sign(State::InDoubt, true)]).collect();
        let executed = Executed::ALL
            .iter()
            .map(|executed| words::touched(*executed, action));
        let proofs = Evidence::ALL.iter().map(|evidence| words::proof(*evidence));
        write!(out, "{{\"page\":{PAGE},\"base\":{base_ms},\"states\":")?;
        write_in_script(&mut out, &signs)?;
        write!(out, ",\"executed\":")?;
        write_in_script(&mut out, &executed.collect::<Vec<_>>())?;
        write!(out, ",\"proofs\":")?;
        write_in_script(&mut out, &proofs.collect::<Vec<_>>())?;
        write!(out, ",\"rows\":[")?;
        Ok(Self {
            out,
            base_ms,
            is_empty: true,
            images: Images::default(),
            kinds: Numbers::default(),
            messages: Numbers::default(),
        })
    }

    /// `group`: the one of its cause that the row belongs to.
    pub fn row(&mut self, row: &ResultRow, group: Option<u32>) -> io::Result<()> {
        let place = |all: usize, held: bool| if held { State::ALL.len() } else { all };
        let text = |text: &Option<String>| text.as_deref().map(|text| printable(text).into_owned());
        let kind = row.error_kind.as_ref().map(|kind| printable(kind.as_str()));
        let kind = kind.and_then(|kind| self.kinds.of(&kind, usize::MAX));
        let error = text(&row.error);
        let message = error.as_deref().map(|error| {
            let number = self.messages.of(error, MESSAGES_MAX);
            number.map_or(Message::Text(error), Message::Number)
        });
        // The script knows these by their place.
        let fields = (
            rank(row),
            row.line,
            service(row.service),
            text(&row.name),
            text(&row.ip),
            self.images.of(row),
            place(row.state as usize, row.held),
            row.executed as usize,
            row.evidence.map_or(0, |evidence| evidence as usize + 1),
            row.attempts,
            row.took().map(whole_ms),
            row.completed_ms
                .or(row.submitted_ms)
                .map(|at_ms| since(self.base_ms, at_ms)),
            kind.unwrap_or(0),
            message,
            text(&row.note),
            group.unwrap_or(0),
        );
        self.out
            .write_all(if self.is_empty { b"\n" } else { b",\n" })?;
        self.is_empty = false;
        write_in_script(&mut self.out, &fields)
    }

    /// What has been written, to be read from its beginning.
    pub fn finish(mut self, causes: &[Cause]) -> io::Result<impl Read> {
        let causes: Vec<_> = causes
            .iter()
            .map(|cause| (called(cause), &cause.groups))
            .collect();
        write!(self.out, "\n],\"images\":")?;
        write_in_script(&mut self.out, &self.images.images)?;
        write!(self.out, ",\"kinds\":")?;
        write_in_script(&mut self.out, &self.kinds.texts)?;
        write!(self.out, ",\"messages\":")?;
        write_in_script(&mut self.out, &self.messages.texts)?;
        write!(self.out, ",\"causes\":")?;
        write_in_script(&mut self.out, &causes)?;
        self.out.write_all(b"}")?;
        let mut file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(BufReader::with_capacity(1 << 16, file))
    }
}

fn service(service: ServiceId) -> Number {
    if service.get() > SCRIPT_NUMBER_MAX {
        return Number::Text(service.to_string());
    }
    Number::Number(service.get())
}

/// A moment, in milliseconds since `base_ms`; one of a broken clock as people see it everywhere.
fn since(base_ms: i64, at_ms: i64) -> Number {
    let is_date = [base_ms, at_ms]
        .iter()
        .all(|ms| (-MOMENT_MS_MAX..=MOMENT_MS_MAX).contains(ms));
    if is_date {
        Number::Number(at_ms - base_ms)
    } else {
        Number::Text(time::human(at_ms))
    }
}

/// A cause among the filters.
fn called(cause: &Cause) -> String {
    let doubt = if cause.state == State::InDoubt {
        " (in doubt)"
    } else {
        ""
    };
    let error = cause.error.as_deref().unwrap_or(VARIOUS);
    brief(
        &format!("{}{doubt}: {error}", cause.error_kind.as_str()),
        CAUSE_CHARS_MAX,
    )
}

fn write_in_script(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, InScript);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Compact, and without a character that could end the element in which it stands.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&']) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        out.write_all(rest.as_bytes())
    }
}
