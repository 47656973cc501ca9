//! Workbooks as the binary takes them: the same order as CSV, from a file or a pipe; and hostile
//! ones, which end quickly and in little memory.
//!
//! `manifest/tests/workbooks` has what each kind of workbook means.

mod hostile;

use rust_xlsxwriter::Workbook;

use crate::rig::{FIRST, IMAGE, PASSWORD, Rig, finish, manifest, wrapped};

const HEADER: [&str; 3] = ["service_id", "image", "password"];

/// A workbook of sheets of these names, of so many rows each.
pub fn workbook(names: &[&str], rows: u32) -> Vec<u8> {
    let mut book = Workbook::new();
    for name in names {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        sheet.write_row(0, 0, HEADER).unwrap();
        for nth in 0..rows {
            let id = (FIRST + i64::from(nth)).to_string();
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

/// Within 64 MiB of memory of its own, and a second of the processor's time; a debug build, which
/// nobody gives to operators, is far slower.
fn bounded(rig: &Rig, name: &str) -> crate::rig::Ended {
    let seconds = match std::env::var_os("REFLEET_TEST_BINARY") {
        Some(_) => 1,
        None => 50,
    };
    let limits = format!("ulimit -d 65536; ulimit -t {seconds}; exec \"$0\" \"$@\"");
    finish(wrapped(
        &["/bin/sh", "-c", &limits],
        &rig.refleet(&["check", name]),
    ))
}
