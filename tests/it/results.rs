//! The results beside the operator's own columns, and the operator's own lines back.

use std::fs;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use calamine::{Data, Reader as _, Xlsx};
use refleet::simulator::{Fault, FaultKind};

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, PASSWORD, Rig, finish};
use crate::workbooks::workbook;

/// Such a file as a spreadsheet program writes it where lists are separated by semicolons: a byte
/// order mark, a remark, own columns, one of them a way in that is not to be used.
fn sheet(ids: &[i64]) -> String {
    let mut text =
        "\u{feff}# the shop's\r\nRack;Service ID;image;password;root_pw;note\r\n".to_owned();
    for (nth, id) in ids.iter().enumerate() {
        let cells = [
            "=1+1".to_owned(),
            id.to_string(),
            IMAGE.to_owned(),
            format!("\"{PASSWORD}{nth}\""),
        ];
        text += &cells.join(";");
        text += &[";", PASSWORD, "9;\"say \"\"hi\"\"; you\"\r\n"].concat();
    }
    text
}

fn refusal() -> Fault {
    Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    }
}

/// A fleet of five of which the second has failed untouched, and the fourth is in doubt.
fn mixed(name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Rig {
    let rig = Rig::new(5);
    rig.fault(1, refusal());
    rig.doubt(3);
    rig.write(name, content);
    let options = [&["--max-failures", "100%"], more].concat();
    finish(rig.order(name, &options)).exit(3);
    rig
}

/// Asks for the lines of these jobs.
fn lines_of<'a>(which: &'a str, from: &'a str, output: &'a str) -> [&'a str; 7] {
    [
        "report", "--rows", which, "--from", from, "--output", output,
    ]
}

fn ids(count: i64) -> Vec<i64> {
    (FIRST..FIRST + count).collect()
}

const TOLD: [&str; 2] = ["--ignore-column", "root_pw"];

/// The cells of a sheet, as another library reads them.
fn cells(rig: &Rig, file: &str, sheet: &str) -> Vec<Vec<Data>> {
    let bytes = Cursor::new(fs::read(rig.path(file)).unwrap());
    let mut book: Xlsx<_> = Xlsx::new(bytes).unwrap();
    let range = book.worksheet_range(sheet).unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

fn texts(row: &[Data]) -> Vec<String> {
    row.iter().map(ToString::to_string).collect()
}

#[test]
fn a_workbook_of_results_has_the_operators_own_columns_and_no_way_in() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    let args = ["report", "--from", "fleet.csv", "--output", "results.xlsx"];
    rig.call(&[&args[..], &TOLD].concat())
        .exit(0)
        .says("5 jobs of batch 1 written to results.xlsx as a workbook");
    let rows = cells(&rig, "results.xlsx", "results");
    let header = texts(&rows[0]);
    assert_eq!(
        header[..6],
        ["Rack", "Service ID", "image", "note", "state", "executed"]
    );
    assert_eq!(rows.len(), 6);
    let states: Vec<String> = rows[1..].iter().map(|row| row[4].to_string()).collect();
    assert_eq!(states, ["done", "failed", "done", "in_doubt", "done"]);
    for (row, id) in rows[1..].iter().zip(ids(5)) {
        assert_eq!(row[0], Data::String("=1+1".to_owned()));
        assert_eq!(row[1], Data::String(id.to_string()));
        assert_eq!(row[3], Data::String("say \"hi\"; you".to_owned()));
        assert!(!texts(row).concat().contains(PASSWORD));
    }
    let summary: Vec<Vec<String>> = cells(&rig, "results.xlsx", "summary")
        .iter()
        .map(|row| texts(row))
        .collect();
    for line in [
        ["jobs", "5"],
        ["done", "3"],
        ["failed", "1"],
        ["in doubt", "1"],
        ["left out", "0"],
    ] {
        assert!(
            summary.iter().any(|row| row == &line),
            "{line:?}: {summary:?}"
        );
    }
    // It is a report, and no manifest.
    rig.call(&["check", "results.xlsx", "--sheet", "results"])
        .exit(2)
        .says("a report of refleet");
}

#[test]
fn a_workbook_of_results_is_one_to_look_at() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    rig.call(&["report", "--format", "xlsx", "--output", "r"])
        .exit(0);
    let mut archive = zip::ZipArchive::new(fs::File::open(rig.path("r")).unwrap()).unwrap();
    let mut xml = String::new();
    archive
        .by_name("xl/worksheets/sheet1.xml")
        .unwrap()
        .read_to_string(&mut xml)
        .unwrap();
    assert!(xml.contains("<pane ySplit=\"1\""), "{xml}");
    assert!(xml.contains("<autoFilter ref=\"A1:S6\"/>"), "{xml}");
    assert!(!xml.contains("<f>"), "{xml}");
    // A colour for each of the states that occur.
    let style = |row: &str| {
        let (_, cell) = xml.split_once(&format!("<c r=\"A{row}\" s=\"")).unwrap();
        cell.split('"').next().unwrap().to_owned()
    };
    let (done, failed, doubt) = (style("2"), style("3"), style("5"));
    assert!(done != failed && failed != doubt && doubt != done);
    assert_eq!(done, style("6"));
    let rows = cells(&rig, "r", "results");
    assert_eq!(
        texts(&rows[0])[..5],
        ["line", "service_id", "image", "note", "state"]
    );
    assert_eq!(texts(&rows[1])[..2], ["3", &FIRST.to_string()]);
}

/// Skipped, and said so, where openpyxl is not installed.
#[test]
fn openpyxl_reads_a_workbook_of_results() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    rig.call(&["report", "--output", "results.xlsx"]).exit(0);
    let script = "import openpyxl, sys\n\
        book = openpyxl.load_workbook(sys.argv[1])\n\
        sheet = book['results']\n\
        print(sheet.freeze_panes, sheet.auto_filter.ref, sheet['B2'].value, sheet['B2'].data_type)\n";
    let python = |args: &[&str]| Command::new("/usr/bin/python3").args(args).output();
    if !python(&["-c", "import openpyxl"]).is_ok_and(|ended| ended.status.success()) {
        #[expect(clippy::print_stderr, reason = "who reads the log is to know")]
        {
            eprintln!("skipped: openpyxl is not there");
        }
        return;
    }
    let path = rig.path("results.xlsx");
    let ended = python(&["-c", script, path.to_str().unwrap()]).unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(out.trim(), format!("A2 A1:R6 {FIRST} s"));
}

#[test]
fn rows_that_are_in_no_order_are_in_the_results_all_the_same() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", sheet(&ids(2)));
    finish(rig.order("fleet.csv", &TOLD)).exit(0);
    rig.write("fleet.csv", sheet(&ids(4)));
    finish(rig.order("fleet.csv", &[&TOLD[..], &["--skip-done"]].concat())).exit(0);
    let args = ["report", "--from", "fleet.csv", "--output", "results.xlsx"];
    rig.call(&[&args[..], &TOLD].concat()).exit(0);
    let rows = cells(&rig, "results.xlsx", "results");
    let states: Vec<String> = rows[1..].iter().map(|row| row[4].to_string()).collect();
    assert_eq!(states, ["left out", "left out", "done", "done"]);
}

#[test]
fn the_operators_own_lines_come_back_byte_for_byte() {
    let text = sheet(&ids(5));
    let rig = mixed("fleet.csv", &text, &TOLD);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(rig.path("failed.csv"), "something else\n").unwrap();
    for (which, own) in [
        ("failed", &[3][..]),
        ("in_doubt", &[5]),
        ("untouched", &[3]),
    ] {
        let file = format!("{which}.csv");
        let args = lines_of(which, "fleet.csv", &file);
        rig.call(&[&args[..], &TOLD].concat())
            .exit(0)
            .says("1 row of fleet.csv written to");
        let kept = own.iter().map(|line| lines[*line]).collect::<String>();
        let expected = [lines[0], lines[1], &kept].concat();
        assert_eq!(
            fs::read_to_string(rig.path(&file)).unwrap(),
            expected,
            "{which}"
        );
        let mode = fs::metadata(rig.path(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{which}");
    }
    // Corrected, they are run.
    finish(rig.order("failed.csv", &TOLD))
        .exit(0)
        .says("done 1, failed 0");
}

#[test]
fn lines_of_utf_16_come_back_in_utf_16() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let text = sheet(&ids(5));
    let rig = mixed("fleet.csv", utf16(&text), &TOLD);
    let args = lines_of("failed", "fleet.csv", "failed.csv");
    rig.call(&[&args[..], &TOLD].concat()).exit(0);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let expected = [lines[0], lines[1], lines[3]].concat();
    assert_eq!(fs::read(rig.path("failed.csv")).unwrap(), utf16(&expected));
}

#[test]
fn rows_of_a_workbook_come_back_as_a_workbook() {
    let rig = mixed("fleet.xlsx", workbook(&["fleet"], 5), &[]);
    let args = [
        "report",
        "--rows",
        "untouched",
        "--from",
        "fleet.xlsx",
        "--output",
    ];
    rig.call(&[&args[..], &["left.csv"]].concat())
        .exit(2)
        .says("name a file that ends in .xlsx");
    rig.call(&[&args[..], &["left.xlsx"]].concat()).exit(0);
    let mode = fs::metadata(rig.path("left.xlsx"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let rows = cells(&rig, "left.xlsx", "rows");
    let expected = [
        (FIRST + 1).to_string(),
        IMAGE.to_owned(),
        PASSWORD.to_owned(),
    ];
    assert_eq!(texts(&rows[1]), expected);
    assert_eq!(rows.len(), 2);
    finish(rig.order("left.xlsx", &[]))
        .exit(0)
        .says("done 1, failed 0");
}

/// What has no place in a cell would come back as something else: as another password, for all one knows.
#[test]
fn a_cell_that_would_not_come_back_as_it_stands_is_refused() {
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    page.write_row(0, 0, ["service_id", "image", "password", "owner"])
        .unwrap();
    let id = FIRST.to_string();
    page.write_row(1, 0, [&id, IMAGE, PASSWORD, "the\u{1}shop"])
        .unwrap();
    let rig = Rig::new(1);
    rig.write("fleet.xlsx", book.save_to_buffer().unwrap());
    rig.call(&["load", "fleet.xlsx"]).exit(0);
    let before = files(&rig);
    let refused = rig
        .call(&lines_of("untouched", "fleet.xlsx", "left.xlsx"))
        .says("would not come back as it stands");
    assert_ne!(refused.code, 0);
    assert_eq!(files(&rig), before, "and nothing is left of it");
}

/// The names of the rig's files but for the queue's, of which some come and go.
fn files(rig: &Rig) -> Vec<String> {
    let folder = fs::read_dir(rig.path("")).unwrap();
    let mut names: Vec<String> = folder
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains(".db"))
        .collect();
    names.sort();
    names
}

/// However it ends, no file with passwords stays behind.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_is_killed_leaves_no_rows_behind() {
    for (name, output) in [("fleet.csv", "left.csv"), ("fleet.xlsx", "left.xlsx")] {
        let rig = Rig::new(5);
        if name == "fleet.csv" {
            rig.write(name, sheet(&ids(5)));
        } else {
            rig.write(name, workbook(&["fleet"], 5));
        }
        let told: &[&str] = if name == "fleet.csv" { &TOLD } else { &[] };
        rig.call(&[&["load", name], told].concat()).exit(0);
        rig.write(output, "what stood there\n");
        let before = files(&rig);
        let mut command = rig.refleet(&[&lines_of("untouched", name, output), told].concat());
        command
            .env("REFLEET_FAILPOINT", "report_before_rename")
            // Nothing lies elsewhere, either.
            .env("TMPDIR", rig.path("none"));
        let killed = finish(command);
        assert_eq!(killed.code, -6, "{killed}");
        assert_eq!(files(&rig), before);
        let stood = fs::read_to_string(rig.path(output)).unwrap();
        assert_eq!(stood, "what stood there\n");
    }
}

#[test]
fn another_manifest_than_the_orders_is_refused_with_its_place() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    let args = lines_of("failed", "other.csv", "x.csv");
    let args = [&args[..], &TOLD].concat();
    let mut other = ids(5);
    other.swap(1, 2);
    for (ids, says) in [
        (other, format!("on line 4 it has service {}", FIRST + 2)),
        (ids(4), "on line 7 it has no service".to_owned()),
        (
            ids(5)[1..].to_vec(),
            format!("on line 3 it has service {}", FIRST + 1),
        ),
    ] {
        rig.write("other.csv", sheet(&ids));
        rig.call(&args).exit(2).says(&says);
        assert!(!rig.path("x.csv").exists());
    }
    rig.write("other.csv", "service_id;image\n5;x y\n");
    rig.call(&args).exit(2);
}

#[test]
fn what_rows_and_from_go_with_is_said() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    rig.call(&["report", "--from", "fleet.csv"])
        .exit(2)
        .says("--format xlsx");
    rig.call(&["report", "--rows", "failed", "--output", "x.csv"])
        .exit(2)
        .says("--from");
    rig.call(&["report", "--rows", "failed", "--from", "fleet.csv"])
        .exit(2)
        .says("--output");
    let args = [
        "report",
        "--rows",
        "failed",
        "--from",
        "fleet.csv",
        "--output",
    ];
    rig.call(&[&args[..], &["-"], &TOLD].concat())
        .exit(2)
        .says("name a file");
    rig.call(&[&args[..], &["x.xlsx"], &TOLD].concat())
        .exit(2)
        .says("ends in .csv");
    rig.call(&[&args[..], &["fleet.csv"], &TOLD].concat())
        .exit(2);
}

/// A workbook of results may be written again; one that is a manifest may not, however large.
#[test]
fn a_workbook_that_is_a_manifest_is_not_written_over() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    let large = workbook(&["fleet"], 5000);
    assert!(large.len() > 64 * 1024);
    rig.write("other.xlsx", large);
    let args = ["report", "--output", "other.xlsx"];
    rig.call(&args).exit(2).says("a manifest");
    let args = ["report", "--output", "results.xlsx"];
    rig.call(&args).exit(0);
    rig.call(&args).exit(0);
}

/// A manifest that lies there is not written over at all; where nothing does, the answer is a file that nothing
/// runs, and not none.
#[test]
fn no_such_row_is_a_header_alone_which_nothing_runs() {
    let rig = Rig::new(3);
    for (name, file) in [("fleet.csv", "failed.csv"), ("fleet.xlsx", "failed.xlsx")] {
        if name == "fleet.csv" {
            rig.write(name, sheet(&ids(3)));
        } else {
            rig.write(name, workbook(&["fleet"], 3));
        }
        let told: &[&str] = if name == "fleet.csv" { &TOLD } else { &[] };
        finish(rig.order(name, &[told, &["--again"]].concat())).exit(0);
        let wiped = rig.wiped();
        let args = lines_of("failed", name, file);
        rig.call(&[&args[..], told].concat())
            .exit(0)
            .says(&format!("{file} has the header alone"));
        finish(rig.order(file, &[told, &["--again"]].concat())).exit(2);
        assert_eq!(rig.wiped(), wiped, "{file}");
    }
}

/// What lies there from another night is not run as the answer of this one: neither a sheet that is told only
/// by its options, nor one that is known and not written over.
#[test]
fn no_such_row_leaves_nothing_that_a_run_takes() {
    let rig = Rig::new(3);
    let told = ["--header-row", "3"];
    let rows = ids(3).iter().fold(String::new(), |rows, id| {
        rows + &format!("{id},{IMAGE},{PASSWORD}\n")
    });
    let titled = format!("The fleet of the shop\n\nservice_id,image,password\n{rows}");
    rig.write("fleet.csv", &titled);
    rig.write("failed.csv", &titled);
    finish(rig.order("fleet.csv", &told)).exit(0);
    let wiped = rig.wiped();
    let args = [
        "report",
        "--rows",
        "failed",
        "--from",
        "fleet.csv",
        "--output",
    ];
    rig.call(&[&args[..], &["failed.csv"], &told].concat())
        .exit(0)
        .says("failed.csv has the header alone");
    finish(rig.order("failed.csv", &[&told[..], &["--again"]].concat())).exit(2);
    rig.call(&[&["load", "failed.csv"][..], &told].concat())
        .exit(2);
    assert_eq!(rig.wiped(), wiped);
    assert_eq!(
        fs::read_to_string(rig.path("failed.csv")).unwrap(),
        titled.replace(&rows, "")
    );

    rig.write("known.csv", sheet(&ids(3)));
    rig.call(&[&args[..], &["known.csv"], &told].concat())
        .exit(2)
        .says("is a manifest, and is not written over");
}

#[test]
fn rows_that_were_cancelled_or_are_still_queued_are_told() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", sheet(&ids(3)));
    rig.call(&[&["load", "fleet.csv"][..], &TOLD].concat())
        .exit(0);
    rig.call(&["cancel", &FIRST.to_string()]).exit(0);
    let args = lines_of("untouched", "fleet.csv", "left.csv");
    rig.call(&[&args[..], &TOLD].concat())
        .exit(0)
        .says("3 rows of fleet.csv")
        .says("1 of them somebody has cancelled")
        .says("2 of them batch 1 has still queued: its next run sends them");
}

#[test]
fn a_row_with_another_image_than_the_orders_is_refused() {
    let rig = mixed("fleet.csv", sheet(&ids(5)), &TOLD);
    let changed = sheet(&ids(5)).replacen(
        &format!("{};{IMAGE}", FIRST + 1),
        &format!("{};{OTHER_IMAGE}", FIRST + 1),
        1,
    );
    rig.write("other.csv", changed);
    let args = lines_of("failed", "other.csv", "x.csv");
    rig.call(&[&args[..], &TOLD].concat())
        .exit(2)
        .says(&format!("on line 4 it has image {OTHER_IMAGE}"));
    assert!(!rig.path("x.csv").exists());
}

/// A character that no one sees, or that the format writes in another way, is part of a password.
#[test]
fn cells_of_a_workbook_come_back_letter_by_letter() {
    let odd = ["Sesame\u{200b}4711", "Sesame_x0041_11", " Sesame 4711 "];
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    let header = ["service_id", "image", "password", "owner"];
    page.write_row(0, 0, header).unwrap();
    for (nth, text) in (1..).zip(odd) {
        let id = (FIRST - 1 + i64::from(nth)).to_string();
        page.write_row(nth, 0, [&id, IMAGE, PASSWORD, text])
            .unwrap();
    }
    let rig = Rig::new(3);
    rig.write("fleet.xlsx", book.save_to_buffer().unwrap());
    rig.call(&["load", "fleet.xlsx"]).exit(0);
    let args = lines_of("untouched", "fleet.xlsx", "left.xlsx");
    rig.call(&args).exit(0);
    let rows = cells(&rig, "left.xlsx", "rows");
    assert_eq!(texts(&rows[0]), header);
    let given: Vec<String> = rows[1..].iter().map(|row| row[3].to_string()).collect();
    assert_eq!(given, odd);
}
