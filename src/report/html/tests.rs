//! The page without a browser: its structure, its numbers, what no foreign text may do, and its colours.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::super::tests::{row, some_rows, subject};
use super::super::{Earlier, Report, ReportFormat, Subject};
use crate::job::{BatchId, Evidence, Executed, ResultRow, State};

fn written(format: ReportFormat, subject: Subject, rows: &[ResultRow]) -> String {
    let mut earlier = Earlier::new(BatchId(6), 1_795_312_800_000);
    for row in rows.iter().filter(|row| row.line % 2 == 0) {
        earlier.row(row);
    }
    let mut report = Report::new(format, Vec::new(), None, subject, Some(earlier)).unwrap();
    for row in rows {
        report.row(row).unwrap();
    }
    String::from_utf8(report.finish().unwrap()).unwrap()
}

fn page(rows: &[ResultRow]) -> String {
    written(ReportFormat::Html, subject(), rows)
}

/// The rows for the script.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// A page without its tags.
fn text(html: &str) -> String {
    let pieces = html.split('<').filter_map(|piece| piece.split_once('>'));
    pieces.map(|(_, text)| text).collect()
}

/// A fleet in which everything has happened.
fn fleet(count: u64) -> Vec<ResultRow> {
    let done = |line: u64| ResultRow {
        executed: Executed::Yes,
        evidence: Some(Evidence::Observed),
        attempts: 1,
        submitted_ms: Some(1_795_399_200_000 + i64::try_from(line).unwrap() * 1000),
        completed_ms: Some(1_795_399_400_000 + i64::try_from(line * line % 99_991).unwrap() * 10),
        name: Some(format!("web-{line}")),
        ip: Some("192.0.2.1".to_owned()),
        ..row(line, State::Done)
    };
    let wiped = ResultRow {
        evidence: None,
        error_kind: Some("rebuild_timeout".into()),
        error: Some("not back within 60m".to_owned()),
        ..ResultRow {
            state: State::Failed,
            ..done(count + 6)
        }
    };
    let flagged = ResultRow {
        error_kind: Some("old_image".into()),
        error: Some("the list shows the old image".to_owned()),
        ..done(count + 7)
    };
    let mut rows = some_rows();
    rows.extend((6..count + 6).map(done));
    rows.extend([wiped, flagged]);
    rows
}

#[test]
fn every_number_of_the_page_is_that_of_the_json() {
    let rows = fleet(300);
    let subject = Subject {
        rows: crate::job::SheetRows {
            all: 320,
            already_done: 3,
            held_elsewhere: 2,
            not_due: 4,
        },
        ..subject()
    };
    let json: Value =
        serde_json::from_str(&written(ReportFormat::Json, subject.clone(), &rows)).unwrap();
    let page = written(ReportFormat::Html, subject, &rows);
    let mut compared = BTreeMap::new();
    for figure in page.split("<data value=\"").skip(1) {
        let (value, rest) = figure.split_once("\" data-of=\"").unwrap();
        let (at, _) = rest.split_once('"').unwrap();
        let value: u64 = value.parse().unwrap();
        assert_eq!(
            json["summary"].pointer(at).and_then(Value::as_u64),
            Some(value),
            "{at}"
        );
        compared.insert(at.to_owned(), value);
    }
    for at in [
        "/needs_you",
        "/needs/0/count",
        "/counts/done",
        "/counts/failed",
        "/counts/held",
        "/causes/0/count",
        "/earlier/recovered",
        "/images/0/p95_ms",
        "/slowest/9/took_ms",
        "/rows/all",
        "/rows_left_out",
        "/rows_unaccounted",
        "/total",
    ] {
        assert!(
            compared.contains_key(at),
            "{at} is not on the page: {compared:?}"
        );
    }
    assert_eq!(data(&page)["rows"].as_array().unwrap().len(), rows.len());
}

#[test]
fn the_page_has_landmarks_one_heading_and_headers_with_a_scope() {
    let page = page(&fleet(300));
    let count = |what: &str| page.matches(what).count();
    for once in [
        "<h1>",
        "<main>",
        "<header>",
        "<footer>",
        "<!DOCTYPE html>",
        "lang=\"en\"",
        "</html>",
    ] {
        assert_eq!(count(once), 1, "{once}");
    }
    let headers = page
        .split("<th")
        .skip(1)
        .filter(|rest| !rest.starts_with("ead"));
    for header in headers {
        let (attributes, _) = header.split_once('>').unwrap();
        assert!(attributes.contains("scope="), "{attributes}");
    }
    for section in page.split("aria-labelledby=\"").skip(1) {
        let (id, _) = section.split_once('"').unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for link in page.split("href=\"").skip(1) {
        let (target, _) = link.split_once('"').unwrap();
        let id = target
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{target} leads elsewhere"));
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(page.contains("aria-live=\"polite\""));
}

#[test]
fn the_page_asks_for_nothing_and_runs_nothing_but_its_own_script() {
    let page = page(&fleet(10));
    for word in [
        " src=",
        "url(",
        "@import",
        "<link",
        "<iframe",
        "<img",
        " style=",
        " onclick=",
        "innerHTML",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("<script").count(), 2);
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// The rows of each cause, by the groups that the script is told of, are as many as its number says.
#[test]
fn each_row_that_failed_is_told_to_belong_to_one_cause() {
    let letter = |line: u64| char::from(b'a' + u8::try_from(line % 20).unwrap());
    let mut rows = fleet(10);
    rows.extend((100..160).map(|line| ResultRow {
        error_kind: (line % 7 > 0).then(|| if line % 2 == 0 { "value" } else { "limit" }.into()),
        error: (line % 7 > 0).then(|| format!("the field {} is bad", letter(line))),
        ..row(line, State::Failed)
    }));
    let page = page(&rows);
    let data = data(&page);
    let numbers = page.split("data-of=\"/causes/").skip(1);
    let counted: Vec<(&str, u64)> = numbers
        .filter_map(|rest| rest.split_once("/count\">"))
        .map(|(place, rest)| (place, rest.split_once('<').unwrap().0.parse().unwrap()))
        .collect();
    let causes = data["causes"].as_array().unwrap();
    assert!(causes.len() > 8, "{causes:?}");
    for (place, count) in counted {
        let groups = causes[place.parse::<usize>().unwrap()][1]
            .as_array()
            .unwrap();
        let all = data["rows"].as_array().unwrap().iter();
        let of_it = all.filter(|row| groups.contains(&row[15]));
        assert_eq!(of_it.count() as u64, count, "{place}");
    }
    let in_none = data["rows"].as_array().unwrap().iter();
    let in_none = in_none.filter(|row| row[15] == 0).count();
    let well = rows
        .iter()
        .filter(|row| !matches!(row.state, State::Failed | State::InDoubt));
    assert_eq!(in_none, well.count());
}

#[test]
fn what_matters_can_be_read_without_the_script() {
    let page = page(&fleet(300));
    let (html, _) = page.split_once("<script").unwrap();
    let text = text(html);
    for words in [
        "4 of 306 need you, 1 is not finished",
        "refleet --db /srv/refleet.db resolve 5113104 --as done --reason TEXT",
        "refleet --db /srv/refleet.db retry 5113406 --wiped",
        "rebuild_timeout",
        "not back within 60m",
        "the field &quot;image&quot; has a bad value",
        "AlmaLinux-8",
        "2026-11-23 02:00:00 UTC",
        "exit code",
        "https://api.zomro.com/",
    ] {
        assert!(text.contains(words), "{words}");
    }
    let (_, table) = html.split_once("<tbody role=").unwrap();
    assert_eq!(
        table.matches("role=\"rowheader\"").count(),
        200,
        "the first page of it"
    );
    let first = table.split("role=\"rowheader\"").nth(1).unwrap();
    assert!(first.contains("in doubt, held"), "{first}");
}

#[test]
fn ten_thousand_jobs_are_less_than_three_megabytes() {
    let rows = fleet(9994);
    let page = page(&rows);
    assert_eq!(data(&page)["rows"].as_array().unwrap().len(), 10_000);
    assert!(page.len() < 3_000_000, "{}", page.len());
    // More than fits into memory goes by way of a file, and is all there.
    let large = written(ReportFormat::Html, subject(), &fleet(60_000));
    assert_eq!(data(&large)["rows"].as_array().unwrap().len(), 60_006);
}

#[test]
fn a_report_about_nothing_is_a_page_too() {
    let page = page(&[]);
    assert!(page.contains("<h1>No jobs</h1>"), "{page}");
    assert_eq!(data(&page)["rows"], serde_json::json!([]));
}

const HOSTILE: [&str; 7] = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "&lt;b&gt; &amp; <b>",
    "left\u{202e}thgir\u{2028}\u{200b}",
    "\u{0}\u{1b}[2J\r\n",
];

fn hostile(text: &str) -> Vec<ResultRow> {
    let text = || Some(text.to_owned());
    vec![ResultRow {
        executed: Executed::Maybe,
        attempts: 1,
        held: true,
        error_kind: Some("value".into()),
        error: text(),
        note: text(),
        name: text(),
        ip: text(),
        image_name: text(),
        ..row(2, State::InDoubt)
    }]
}

/// Nothing of `text` has become markup, and the script gets what a person may see of it.
fn assert_harmless(text: &str) {
    let page = page(&hostile(text));
    assert_eq!(page.matches("<script").count(), 2, "{text:?}");
    assert_eq!(page.matches("</script").count(), 2, "{text:?}");
    let tags = |page: &str| {
        page.split_once("<script")
            .unwrap()
            .0
            .matches(['<', '>'])
            .count()
    };
    assert_eq!(
        tags(&page),
        tags(&self::page(&hostile("plain"))),
        "{text:?}"
    );
    let (_, rows) = page.split_once("id=\"data\">").unwrap();
    let (rows, _) = rows.split_once("</script>").unwrap();
    assert!(!rows.contains(['<', '>', '&']), "{text:?}");
    assert!(!page.contains(" onmouseover=\""), "{text:?}");
    let seen = |character: char| crate::text::is_unsafe(character) && character != '\n';
    assert!(!page.contains(seen), "{text:?}");
    let data = data(&page);
    let printable = crate::text::printable(text);
    assert_eq!(data["rows"][0][3], *printable);
    assert_eq!(data["rows"][0][14], *printable);
    assert_eq!(data["images"][0][1], *printable);
    assert_eq!(data["messages"][0], *printable);
}

#[test]
fn hostile_names_stay_text() {
    HOSTILE.into_iter().for_each(assert_harmless);
}

proptest! {
    #[test]
    fn whatever_the_names_are_they_stay_text(text in r#"[<>&"'/!\-a-z\n\u{202e}\u{2028}=]{0,24}|.{0,12}"#) {
        assert_harmless(&text);
    }
}

#[test]
fn colours_can_be_read_in_both_schemes() {
    let css = include_str!("report.css");
    let (light, rest) = css
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    let (dark, _) = rest.split_once("* {").unwrap();
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| luminance(css, name);
        for text in [
            "ink", "muted", "link", "done", "failed", "doubt", "busy", "waits", "gone",
        ] {
            for ground in ["paper", "card", "tint"] {
                let ratio = contrast(colour(text), colour(ground));
                assert!(ratio >= 4.5, "{scheme}: {text} on {ground}: {ratio:.2}");
            }
        }
        // What is no text: the frame of a field, a bar, what has the focus.
        for (shape, ground) in [("muted", "card"), ("focus", "paper"), ("focus", "card")] {
            let ratio = contrast(colour(shape), colour(ground));
            assert!(ratio >= 3.0, "{scheme}: {shape} on {ground}: {ratio:.2}");
        }
    }
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Relative luminance, as WCAG computes it.
fn luminance(css: &str, name: &str) -> f64 {
    let (_, rest) = css
        .split_once(&format!("--{name}: #"))
        .unwrap_or_else(|| panic!("{name}"));
    let channel = |place: usize| {
        let byte = u8::from_str_radix(&rest[place * 2..place * 2 + 2], 16).unwrap();
        let share = f64::from(byte) / 255.0;
        if share <= 0.040_45 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
}
