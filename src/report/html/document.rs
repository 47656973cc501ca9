//! The page: what stands at its head, its sections, and the rows for the script.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::super::summary::{Earlier, Gathering, Subject, Summary};
use super::data::Data;
use super::first_rows::FirstRows;
use super::{about, answers, causes, comparison, images, needs, sheet, table, timeline};
use crate::job::{Happened, ResultRow};
use crate::text::printable;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The page, as long as its rows go by.
#[derive(Debug)]
pub struct Html<W: Write> {
    out: W,
    gathering: Gathering,
    first: FirstRows,
    data: Data,
}

impl<W: Write> Html<W> {
    /// Of the rows of `subject`. `earlier`: the order before it, all of whose rows have gone by.
    pub fn new(out: W, subject: Subject, earlier: Option<Earlier>) -> io::Result<Self> {
        Ok(Self {
            out,
            data: Data::new(subject.created_at.0, subject.action)?,
            gathering: Gathering::new(subject, earlier),
            first: FirstRows::default(),
        })
    }

    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        let group = self.gathering.row(row);
        self.first.row(row);
        self.data.row(row, group)
    }

    pub fn overtaken(&mut self, what: Happened, at_ms: i64) {
        self.gathering.overtaken(what, at_ms);
    }

    pub fn finish(mut self) -> io::Result<W> {
        let summary = self.gathering.finish();
        let page = page(&summary, &self.first).into_string();
        self.out.write_all(page.as_bytes())?;
        self.out
            .write_all(b"<script type=\"application/json\" id=\"data\">")?;
        io::copy(&mut self.data.finish(&summary.causes)?, &mut self.out)?;
        write!(
            self.out,
            "</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
        )?;
        Ok(self.out)
    }
}

/// All of it up to the rows for the script.
fn page(summary: &Summary, first: &FirstRows) -> Markup {
    let manifest = printable(&summary.subject.manifest);
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">\n"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (answers::headline(summary)) " · " (manifest) " · refleet" }
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("\n<body>\n"))
        a.skip href="#jobs" { "Skip to the table of all jobs" }
        (answers::head(summary))
        main {
            (answers::tiles(summary))
            (needs::section(summary))
            (sheet::section(summary))
            (causes::section(summary))
            (comparison::section(summary))
            (images::section(summary))
            (timeline::section(summary))
            (table::section(summary, first))
        }
        (about::footer(summary))
    }
}

/// Nothing is fetched, and nothing runs but what stands in this program: even a mistake in escaping would
/// start no script.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}
