//! Workbooks as the binary takes them: the same order as CSV, from a file or a pipe; and hostile
//! ones, which end quickly and in little memory.
//!
//! `manifest/tests/workbooks` has what each kind of workbook means.

mod hostile;

use std::ops::Range;

use rust_xlsxwriter::Workbook;

use crate::rig::{FIRST, IMAGE, PASSWORD, Rig, finish, manifest, wrapped};

const HEADER: [&str; 3] = ["service_id", "image", "password"];

/// A workbook of sheets of these names, of so many rows each, which are the same.
pub fn workbook(names: &[&str], rows: u32) -> Vec<u8> {
    let sheets: Vec<_> = names.iter().map(|name| (*name, 0..rows)).collect();
    workbook_of(&sheets)
}

/// A workbook of sheets of these names, each with these instances.
fn workbook_of(sheets: &[(&str, Range<u32>)]) -> Vec<u8> {
    let mut book = Workbook::new();
    for (name, services) in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        sheet.write_row(0, 0, HEADER).unwrap();
        for (nth, service) in (0..).zip(services.clone()) {
            let id = (FIRST + i64::from(service)).to_string();
            let cells = [id.as_str(), IMAGE, PASSWORD];
            sheet.write_row(nth + 1, 0, cells).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn a_workbook_is_run_and_is_the_same_order_as_its_csv() {
    let rig = Rig::new(3);
    rig.write("fleet.xlsx", workbook(&["fleet"], 3));
    finish(rig.order("fleet.xlsx", &[]))
        .exit(0)
        .says("done 3, failed 0");
    rig.assert_truth(1);
    rig.write("fleet.csv", manifest(3));
    rig.call(&["load", "fleet.csv"]).exit(0).says("ended");
    let lines = rig.sql("SELECT line FROM job ORDER BY line");
    let lines: Vec<i64> = lines.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn a_workbook_comes_from_stdin_too() {
    let rig = Rig::new(2);
    let mut command = assert_cmd::Command::from_std(rig.order("-", &["--sheet", "web"]));
    command
        .write_stdin(workbook(&["mail", "web"], 2))
        .assert()
        .code(0);
    assert_eq!(rig.wiped(), [1, 1]);
}

#[test]
fn a_sheet_is_named_by_every_command_that_takes_a_manifest() {
    let rig = Rig::new(2);
    rig.write("fleet.xlsx", workbook(&["mail", "web"], 2));
    let commands = [
        &["check", "fleet.xlsx"][..],
        &["plan", "fleet.xlsx"],
        &["load", "fleet.xlsx"],
        &["run", "fleet.xlsx", "--yes"],
        &["simulate", "fleet.xlsx"],
    ];
    for args in commands {
        rig.call(args).exit(2).says("`--sheet mail`, `--sheet web`");
    }
    for args in [&["check", "fleet.xlsx"][..], &["load", "fleet.xlsx"]] {
        rig.call(&[args, &["--sheet", "web"]].concat()).exit(0);
    }
    rig.call(&["load", "fleet.xlsx", "--sheet", "old"])
        .exit(2)
        .says("no sheet of this name");
    assert_eq!(rig.calls(), 0);
}

#[test]
fn two_sheets_of_a_workbook_are_two_manifests() {
    let rig = Rig::new(4);
    rig.write("fleet.xlsx", workbook_of(&[("mail", 0..2), ("web", 2..4)]));
    rig.call(&["load", "fleet.xlsx", "--sheet", "mail"]).exit(0);
    // The open order is of another sheet, which is neither gone on with nor a measure.
    let by_the_clock = ["--sheet", "web", "--every", "20h", "--max-change", "0%"];
    finish(rig.order("fleet.xlsx", &by_the_clock))
        .exit(0)
        .says("nothing to compare with: --max-change did not apply");
    assert_eq!(rig.wiped(), [0, 0, 1, 1]);
    finish(rig.order("fleet.xlsx", &["--sheet", "mail"])).exit(0);
    finish(rig.order("fleet.xlsx", &["--sheet", "mail", "--again"])).exit(0);
    let before = |batch: &str| {
        let report = rig
            .call(&["report", "--batch", batch, "--format", "json"])
            .exit(0);
        let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
        report["summary"]["earlier"].clone()
    };
    assert_eq!(before("2"), serde_json::Value::Null);
    assert_ne!(before("3"), serde_json::Value::Null);
}

#[test]
fn options_of_a_sheet_want_a_manifest() {
    let rig = Rig::new(1);
    for option in [
        &["--sheet", "x"][..],
        &["--header-row", "2"],
        &["--include-hidden"],
    ] {
        rig.call(&[&["run"], option].concat()).exit(2);
    }
    rig.call(&["check", "fleet.csv", "--header-row", "0"])
        .exit(2)
        .says("--header-row");
}

/// The build under test is one that operators are given, and not that of the tests, which is far slower.
fn is_release() -> bool {
    std::env::var_os("REFLEET_TEST_BINARY").is_some()
}

/// Within 64 MiB of memory of its own, and in a release build a second of the processor's time.
fn bounded(rig: &Rig, name: &str) -> crate::rig::Ended {
    let seconds = if is_release() { 1 } else { 50 };
    let limits = format!("ulimit -d 65536; ulimit -t {seconds}; exec \"$0\" \"$@\"");
    finish(wrapped(
        &["/bin/sh", "-c", &limits],
        &rig.refleet(&["check", name]),
    ))
}
