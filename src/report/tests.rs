//! The three formats side by side, and what no foreign text may do in any of them.

use std::io::{self, Write};

use proptest::prelude::*;

use super::fields::COLUMNS;
use super::*;
use crate::job::{
    AccountId, Action, BatchId, Evidence, Executed, HookState, ImageId, Owner, ResultRow,
    ServiceId, SheetRows, State,
};
use crate::text::is_unsafe;
use crate::time::Stamp;

/// What the tests of this room report on.
pub(super) fn subject() -> Subject {
    Subject {
        batch: BatchId(7),
        order: 2,
        action: Action::Rebuild,
        manifest: "fleet.csv".to_owned(),
        api_url: "https://api.zomro.com/".to_owned(),
        simulated: false,
        plan: None,
        created_at: Stamp(1_795_399_200_000),
        rows: SheetRows {
            all: 4,
            ..SheetRows::default()
        },
        last_run: Some(LastRun {
            started_at: Stamp(1_795_399_200_001),
            ended_at: Some(Stamp(1_795_399_470_000)),
            exit_code: Some(3),
            why: Some("it came to the end, and some jobs are in doubt".to_owned()),
        }),
        account: None,
        database: "/srv/refleet.db".to_owned(),
        made_ms: 1_795_399_500_000,
        commands: Commands {
            program: "refleet --db /srv/refleet.db".to_owned(),
            of_batch: String::new(),
            resume: "refleet --db /srv/refleet.db run".to_owned(),
            next: Next {
                command: "refleet --db /srv/refleet.db run".to_owned(),
                what: "goes on with it".to_owned(),
                needs_a_word: false,
            },
        },
    }
}

pub(super) fn row(line: u64, state: State) -> ResultRow {
    let service = i64::try_from(5_113_100 + line).unwrap();
    ResultRow {
        line,
        service: ServiceId::new(service).unwrap(),
        image: "18d0ee2e-4d57-4f40-9b56-03c1773b5831"
            .parse::<ImageId>()
            .ok(),
        image_name: Some("AlmaLinux-8".to_owned()),
        state,
        executed: Executed::No,
        evidence: None,
        attempts: 0,
        submitted_ms: None,
        completed_ms: None,
        error_kind: None,
        error: None,
        note: None,
        group: None,
        held: false,
        by_word: false,
        name: Some("web-1".to_owned()),
        ip: None,
        ssh_port: None,
        host_key_before: None,
        host_key: None,
        hook: None,
    }
}

pub(super) fn some_rows() -> Vec<ResultRow> {
    vec![
        ResultRow {
            executed: Executed::Yes,
            evidence: Some(Evidence::Observed),
            attempts: 1,
            hook: Some(HookState::Failed),
            submitted_ms: Some(1_795_399_200_007),
            completed_ms: Some(1_795_399_450_132),
            note: Some("web-01, rack 4".to_owned()),
            ..row(2, State::Done)
        },
        ResultRow {
            attempts: 2,
            completed_ms: Some(1_795_399_460_000),
            error_kind: Some("value".into()),
            error: Some("the field \"image\" has a bad value".to_owned()),
            note: Some("=HYPERLINK(\"http://example.org\")".to_owned()),
            ..row(3, State::Failed)
        },
        ResultRow {
            executed: Executed::Maybe,
            attempts: 1,
            submitted_ms: Some(1_795_399_461_000),
            error_kind: Some("timeout".into()),
            error: Some("no answer within 60s\u{1b}[2J\nand more".to_owned()),
            note: Some("数据库 主".to_owned()),
            held: true,
            name: Some("web-1".to_owned()),
            ip: None,
            ..row(4, State::InDoubt)
        },
        row(5, State::Queued),
    ]
}

fn report(format: ReportFormat, width: Option<usize>, rows: &[ResultRow]) -> String {
    report_of(None, format, width, rows)
}

fn report_of(
    account: Option<Owner>,
    format: ReportFormat,
    width: Option<usize>,
    rows: &[ResultRow],
) -> String {
    let subject = Subject {
        account,
        ..subject()
    };
    let mut report = Report::new(format, Vec::new(), width, subject, None).unwrap();
    for row in rows {
        report.row(row).unwrap();
    }
    String::from_utf8(report.finish().unwrap()).unwrap()
}

#[test]
fn a_table_is_for_people() {
    let rows = some_rows();
    let mut tables = String::new();
    for width in [None, Some(120), Some(80), Some(40)] {
        let table = report(ReportFormat::Table, width, &rows);
        let (rows, _footer) = table.rsplit_once("\n4 instances").unwrap();
        for line in rows.lines() {
            assert!(
                width.is_none_or(|width| console::measure_text_width(line) <= width),
                "{line}"
            );
        }
        tables.push_str(&table);
        tables.push_str("==\n");
    }
    insta::assert_snapshot!(tables);
}

#[test]
fn csv_is_for_spreadsheets() {
    insta::assert_snapshot!(report(ReportFormat::Csv, None, &some_rows()));
}

#[test]
fn json_is_for_scripts() {
    insta::assert_snapshot!(report(ReportFormat::Json, None, &some_rows()));
}

#[test]
fn a_report_about_nothing_is_whole() {
    assert_eq!(report(ReportFormat::Table, Some(80), &[]), "no instances\n");
    assert_eq!(
        report(ReportFormat::Csv, None, &[]),
        format!("{}\n", COLUMNS.join(","))
    );
    let json: serde_json::Value =
        serde_json::from_str(&report(ReportFormat::Json, None, &[])).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["account"], serde_json::Value::Null);
    assert_eq!(json["results"], serde_json::json!([]));
    assert_eq!(json["summary"]["total"], 0);
    let owner = Owner {
        id: AccountId::new("70001"),
        label: Some("\u{1b}[2J\u{202e}".to_owned()),
    };
    let text = report_of(Some(owner), ReportFormat::Json, None, &[]);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["account"]["id"], "70001");
}

#[test]
fn json_has_the_columns_of_the_csv_in_their_order() {
    let text = report(ReportFormat::Json, None, &some_rows()[..1]);
    let mut from = 0;
    for column in COLUMNS {
        let at = text[from..].find(&format!("\"{column}\":"));
        from += at.unwrap_or_else(|| panic!("{column} is missing or out of order"));
    }
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["results"][0].as_object().unwrap().len(), COLUMNS.len());
}

#[test]
fn a_long_table_streams_and_keeps_its_columns() {
    let mut report =
        Report::new(ReportFormat::Table, Vec::new(), Some(100), subject(), None).unwrap();
    for line in 1..=2000 {
        report.row(&row(line, State::Queued)).unwrap();
    }
    let text = String::from_utf8(report.finish().unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2003);
    let state = lines[0].find("state").unwrap();
    assert!(
        lines[1..2001]
            .iter()
            .all(|line| line[state..].starts_with("queued"))
    );
    assert_eq!(lines[2002], "2000 instances: 2000 queued");
}

/// Fails after some bytes.
#[derive(Debug)]
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_in_every_format() {
    for format in [
        ReportFormat::Table,
        ReportFormat::Csv,
        ReportFormat::Json,
        ReportFormat::Html,
    ] {
        let write = || -> io::Result<Full> {
            let mut report = Report::new(format, Full(100), None, subject(), None)?;
            for row in some_rows() {
                report.row(&row)?;
            }
            report.finish()
        };
        let error = write().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{format:?}");
    }
}

proptest! {
    #[test]
    fn no_text_harms_a_spreadsheet_or_a_terminal(
        error in ".{0,12}|[=+@;' \t\r\"-]{1,4}.{0,4}",
        note in ".{0,12}|[＝＋－＠ \u{a0}]{1,3}=.{0,4}",
    ) {
        let rows = [ResultRow {
            error_kind: Some("value".into()),
            error: Some(error.clone()),
            note: Some(note.clone()),
            ..row(2, State::Failed)
        }];
        let text = report(ReportFormat::Csv, None, &rows);
        prop_assert!(!text.chars().any(|c| is_unsafe(c) && c != '\n'));
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        prop_assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        let record = reader.records().next().unwrap().unwrap();
        for (column, original) in [(10, &error), (11, &note)] {
            let read = &record[column];
            for cell in read.split(';') {
                let runs = cell
                    .trim_start_matches(|c: char| c.is_whitespace() || c == '"')
                    .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
                prop_assert!(!runs, "{cell:?}");
            }
            // Nothing is lost: only apostrophes came in, and marks were made visible.
            let plain = |text: &str| crate::text::printable(text).replace('\'', "");
            prop_assert_eq!(plain(read), plain(original));
        }

        let text = report(ReportFormat::Json, None, &rows);
        prop_assert!(!text.chars().any(|c| is_unsafe(c) && c != '\n'));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(json["results"][0]["error"].as_str(), Some(&*error));
        prop_assert_eq!(json["results"][0]["note"].as_str(), Some(&*note));

        let text = report(ReportFormat::Table, Some(80), &rows);
        prop_assert!(!text.chars().any(|c| is_unsafe(c) && c != '\n'));
        prop_assert_eq!(text.lines().count(), 4);
    }
}
