//! The results as a workbook: the operator's own columns, then what became of each row, and a
//! summary.

use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::{Color, Format, Workbook};

use super::sheet::{Look, Sheet, Value, failed};
use crate::job::{Counter, Counts, FailureKind, HookState, ResultRow, ShownKey, State};
use crate::report::Subject;
use crate::report::fields::{COLUMNS, OF_THE_MANIFEST};
use crate::time::{self, Stamp};

/// The state of a row that is no job.
const LEFT_OUT: &str = "left out";

/// A workbook of results that is being written.
pub struct Xlsx {
    book: Workbook,
    sheet: Sheet,
    subject: Subject,
    /// How many columns are the operator's own; `None`: nobody has given the manifest.
    own: Option<usize>,
    looks: Looks,
    counts: Counts,
    left_out: u64,
}

/// How rows look, by what became of them.
struct Looks {
    good: Look,
    bad: Look,
    doubtful: Look,
    under_way: Look,
    untouched: Look,
}

impl Xlsx {
    /// `own`: the names of the operator's own columns. `folder`: where what is not yet part of the
    /// workbook lies, in a file without a name; `None`: where the system keeps such.
    pub fn new(
        own: Option<&[String]>,
        subject: Subject,
        folder: Option<&Path>,
    ) -> io::Result<Self> {
        let mut book = Workbook::new();
        if let Some(folder) = folder {
            book.set_tempdir(folder).map_err(failed)?;
        }
        let mut header: Vec<Value> = match own {
            Some(own) => own.iter().map(|name| Value::Text(name)).collect(),
            // What stands before the results where nobody has given the manifest.
            None => OF_THE_MANIFEST.map(Value::Text).to_vec(),
        };
        let results = COLUMNS
            .iter()
            .filter(|name| !OF_THE_MANIFEST.contains(name));
        header.extend(results.map(|name| Value::Text(name)));
        let colour =
            |rgb| Look::new(move |format: Format| format.set_background_color(Color::RGB(rgb)));
        Ok(Self {
            sheet: Sheet::begin(&mut book, "results", &header)?,
            book,
            subject,
            own: own.map(<[String]>::len),
            looks: Looks {
                good: colour(0x00E2_F0D9),
                bad: colour(0x00F8_D7DA),
                doubtful: colour(0x00FF_E699),
                under_way: colour(0x00DD_EBF7),
                untouched: Look::new(|format| format),
            },
            counts: Counts::default(),
            left_out: 0,
        })
    }

    /// Adds the row of a job. `own`: the cells of the operator's own columns, where there are any.
    pub fn row(&mut self, own: &[&str], row: &ResultRow) -> io::Result<()> {
        self.counts.add(row);
        let line = row.line.to_string();
        let service = row.service.to_string();
        let image = row.image.map(|image| image.to_string());
        let stored = [
            &line,
            &service,
            text(image.as_ref()),
            text(row.note.as_ref()),
        ];
        let own: Vec<&str> = match self.own {
            Some(columns) => own.iter().copied().take(columns).collect(),
            None => stored.to_vec(),
        };
        let moment = |ms: Option<i64>| ms.map_or_else(String::new, |ms| Stamp(ms).to_string());
        let (submitted_at, completed_at) = (moment(row.submitted_ms), moment(row.completed_ms));
        let fingerprint = |shown: &Option<ShownKey>| {
            let shown = shown.as_ref();
            shown.map_or_else(String::new, |shown| shown.key.fingerprint())
        };
        let host_keys = [&row.host_key_before, &row.host_key].map(fingerprint);
        let mut cells: Vec<Value> = own.into_iter().map(Value::Text).collect();
        cells.extend([
            Value::Text(row.state.as_str()),
            Value::Text(row.executed.as_str()),
            Value::Text(row.evidence.map_or("", |evidence| evidence.as_str())),
            Value::Number(u64::from(row.attempts)),
            Value::Text(&submitted_at),
            Value::Text(&completed_at),
            Value::Text(row.error_kind.as_ref().map_or("", FailureKind::as_str)),
            Value::Text(text(row.error.as_ref())),
            Value::Text(text(row.name.as_ref())),
            Value::Text(text(row.ip.as_ref())),
            Value::Text(text(row.image_name.as_ref())),
            match row.took() {
                Some(took) => Value::Number(time::whole_ms(took)),
                None => Value::Text(""),
            },
            Value::Text(&host_keys[0]),
            Value::Text(&host_keys[1]),
            Value::Text(row.hook.map_or("", HookState::as_str)),
        ]);
        let look = match row.state {
            State::Done if !row.is_flagged() => &self.looks.good,
            State::Done | State::InDoubt => &self.looks.doubtful,
            State::Failed => &self.looks.bad,
            State::Submitting | State::InProgress => &self.looks.under_way,
            State::Queued | State::Cancelled => &self.looks.untouched,
        };
        self.sheet.push(&mut self.book, &cells, look)
    }

    /// Adds a row of the operator's that is in no order.
    pub fn left_out(&mut self, own: &[&str]) -> io::Result<()> {
        self.left_out += 1;
        let own = own.iter().copied().chain([LEFT_OUT]);
        let cells: Vec<Value> = own.map(Value::Text).collect();
        self.sheet
            .push(&mut self.book, &cells, &self.looks.untouched)
    }

    pub fn finish(mut self, out: impl Write + Send) -> io::Result<()> {
        self.sheet.end(&mut self.book)?;
        self.summary()?;
        self.book.save_to_writer(out).map_err(failed)
    }

    fn summary(&mut self) -> io::Result<()> {
        let Subject {
            batch,
            manifest,
            api_url,
            account,
            simulated,
            created_at,
            made_ms,
            ..
        } = &self.subject;
        let simulated = if *simulated { " (simulated)" } else { "" };
        let (batch, created_at) = (batch.to_string(), created_at.to_string());
        let made_at = Stamp(*made_ms).to_string();
        let api = format!("{api_url}{simulated}");
        let account = account
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let mut lines = vec![
            ("batch", Value::Text(&batch)),
            ("manifest", Value::Text(manifest)),
            ("account", Value::Text(&account)),
            ("API", Value::Text(&api)),
            ("ordered at", Value::Text(&created_at)),
            ("as of", Value::Text(&made_at)),
            ("jobs", Value::Number(self.counts.total())),
        ];
        let counted =
            Counter::ALL.map(|counter| (counter.words(), Value::Number(counter.of(&self.counts))));
        lines.extend(counted);
        if self.own.is_some() {
            lines.push((LEFT_OUT, Value::Number(self.left_out)));
        }
        let header = ["what", "value"].map(Value::Text);
        let mut sheet = Sheet::begin(&mut self.book, "summary", &header)?;
        for (what, value) in lines {
            sheet.push(
                &mut self.book,
                &[Value::Text(what), value],
                &self.looks.untouched,
            )?;
        }
        sheet.end(&mut self.book)
    }
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}
