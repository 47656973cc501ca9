//! Workbooks of a program that writes what Excel writes.

use rust_xlsxwriter::{
    Chart, ChartType, ColNum, ExcelDateTime, FilterCondition, Format, Formula, Note, RowNum, Table,
    Workbook, Worksheet,
};

use super::{A, Case, HEADER, PASSWORD, csv, service};

/// A sheet of so many rows below the header, at the place where nearly all begin.
fn fill(sheet: &mut Worksheet, rows: usize) {
    fill_at(sheet, 0, 0, rows);
}

fn fill_at(sheet: &mut Worksheet, row: RowNum, column: ColNum, rows: usize) {
    sheet.write_row(row, column, HEADER).unwrap();
    for nth in 0..rows {
        let own = row + 1 + RowNum::try_from(nth).unwrap();
        sheet
            .write_number(own, column, float(service(nth)))
            .unwrap();
        let texts = [
            A.to_owned(),
            format!("{PASSWORD}{nth}"),
            format!("row {nth}"),
        ];
        sheet.write_row(own, column + 1, texts).unwrap();
    }
}

#[expect(clippy::cast_precision_loss, reason = "an id of seven digits")]
fn float(number: usize) -> f64 {
    number as f64
}

/// A workbook of one sheet of three rows, with something done to it.
fn book(change: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    book_of(3, change)
}

fn book_of(rows: usize, change: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    fill(sheet, rows);
    change(sheet);
    book.save_to_buffer().unwrap()
}

/// A workbook of sheets of two rows each.
fn book_with(names: &[&str], change: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut book = Workbook::new();
    for name in names {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        fill(sheet, 2);
    }
    change(&mut book);
    book.save_to_buffer().unwrap()
}

fn add_chart(book: &mut Workbook) {
    let mut chart = Chart::new(ChartType::Line);
    chart.add_series().set_values(("a", 1, 0, 2, 0));
    book.add_chartsheet().insert_chart(0, 0, &chart).unwrap();
}

pub fn cases() -> Vec<Case> {
    let mut cases = taken();
    cases.extend(taken_of_a_shape());
    cases.extend(hidden());
    cases.extend(sheets());
    cases.extend(cells());
    cases.extend(tables());
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn taken() -> Vec<Case> {
    let date = ExcelDateTime::from_ymd(2024, 3, 1).unwrap();
    let day = Format::new().set_num_format("d-mmm-yy");
    let three = csv(3);
    let with = |row: &str, other: &str| {
        assert!(three.contains(row), "{row}");
        three.replace(row, other)
    };
    vec![
        Case::same("plain", book(|_| ()), csv(3)),
        Case::same(
            "ids as text",
            book(|sheet| {
                sheet.write_string(1, 0, "5113119").unwrap();
                sheet.write_string(2, 0, " 5113120 ").unwrap();
            }),
            csv(3),
        ),
        Case::same(
            "a number and a date as notes",
            book(|sheet| {
                sheet.write_number(1, 3, 12.5).unwrap();
                sheet.write_datetime_with_format(2, 3, date, &day).unwrap();
                sheet.write_boolean(3, 3, true).unwrap();
            }),
            with("row 0", "12.5")
                .replace("row 1", "2024-03-01")
                .replace("row 2", "TRUE"),
        ),
        Case::same(
            "a password in several colours",
            book(|sheet| {
                let (plain, red) = (Format::new(), Format::new().set_font_color("#FF0000"));
                let runs = [(&plain, "Mypass"), (&red, "word"), (&plain, "0")];
                sheet.write_rich_string(1, 2, &runs).unwrap();
            }),
            csv(3),
        ),
        Case::same(
            "a password that looks like an escape of the format",
            book(|sheet| {
                sheet.write_string(1, 2, "Pass_x0041_word1").unwrap();
            }),
            with("Mypassword0", "Pass_x0041_word1"),
        ),
        Case::same(
            "blanks around a password belong to it",
            book(|sheet| {
                sheet.write_string(1, 2, " Mypass word0 ").unwrap();
            }),
            with("Mypassword0", "\" Mypass word0 \""),
        ),
        Case::same(
            "letters of all alphabets",
            book(|sheet| {
                sheet
                    .write_string(1, 3, "Żółć & <ünï> 日本 \u{1f680}")
                    .unwrap();
            }),
            with("row 0", "Żółć & <ünï> 日本 \u{1f680}"),
        ),
        Case::same(
            "a header with a line break",
            book(|sheet| {
                sheet.write_string(0, 0, "Service\nID").unwrap();
            }),
            csv(3),
        ),
        Case::same(
            "other columns, a zone, pins and groups",
            book(|sheet| {
                let names = ["zone", "expect_name", "group", "Preis"];
                sheet.write_row(0, 4, names).unwrap();
                sheet.write_row(1, 4, ["pub", "web-1", "a"]).unwrap();
                sheet.write_number(1, 7, 9.99).unwrap();
                sheet.write_row(2, 5, ["web-2", "a"]).unwrap();
            }),
            three
                .replacen("note", "note,zone,expect_name,group,Preis", 1)
                .replace("row 0", "row 0,pub,web-1,a,9.99")
                .replace("row 1", "row 1,,web-2,a,")
                .replace("row 2", "row 2,,,,"),
        ),
    ]
}

fn taken_of_a_shape() -> Vec<Case> {
    let moved = |rows: RowNum, columns: ColNum| {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        fill_at(sheet, rows, columns, 2);
        if rows > 0 {
            sheet.write_string(0, 0, "# made by the shop").unwrap();
        }
        book.save_to_buffer().unwrap()
    };
    let below = |csv: &str| format!("# made by the shop\n\n{csv}");
    let indented = csv(2).replace('\n', "\n,,");
    let indented = format!(",,{}", indented.trim_end_matches(','));
    let mut large = Workbook::new();
    fill(large.add_worksheet(), 3);
    large.use_zip_large_file(true);
    vec![
        Case::same("a remark above the table", moved(2, 0), below(&csv(2))),
        Case::same("a table that begins at C3", moved(2, 2), below(&indented)),
        Case::same(
            "a title above the header, whose row is named",
            book_with(&["a"], |book| {
                let sheet = book.worksheet_from_index(0).unwrap();
                fill_at(sheet, 4, 0, 2);
                sheet.write_row(0, 0, ["Our fleet", "", "", ""]).unwrap();
            }),
            format!("#\n#\n#\n#\n{}", csv(2)),
        )
        .header_row(5),
        Case::same(
            "blank rows, rows of blanks, and rows taken out",
            book(|sheet| {
                sheet.write_row(5, 0, [" ", "", "\u{a0}"]).unwrap();
                sheet.write_string(2, 0, "#5113120").unwrap();
                sheet
                    .write_row(7, 0, ["# a remark", "with = anything"])
                    .unwrap();
            }),
            csv(3).replace("5113120", "#5113120"),
        ),
        Case::same(
            "formatted cells without a value around the table",
            book(|sheet| {
                let red = Format::new().set_background_color("#FF0000");
                for place in [(9, 0), (2, 9), (1_048_575, 16_383)] {
                    sheet.write_blank(place.0, place.1, &red).unwrap();
                }
            }),
            csv(3),
        ),
        Case::same(
            "an archive of 64 bits",
            large.save_to_buffer().unwrap(),
            csv(3),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn hidden() -> Vec<Case> {
    let hidden_row = || {
        book(|sheet| {
            sheet.set_row_hidden(2).unwrap();
        })
    };
    let hidden_column = |column| {
        book(move |sheet| {
            sheet.set_column_hidden(column).unwrap();
        })
    };
    let filtered = || {
        book(|sheet| {
            sheet.autofilter(0, 0, 3, 3).unwrap();
            let condition = FilterCondition::new().add_list_filter("row 1");
            sheet.filter_column(3, &condition).unwrap();
        })
    };
    vec![
        Case::refused(
            "a hidden row",
            hidden_row(),
            &["row 3", "hidden or filtered"],
        ),
        Case::same("a hidden row that is wanted", hidden_row(), csv(3)).with_hidden(),
        Case::refused(
            "filtered rows",
            filtered(),
            &["rows 2, 4", "clear the filter"],
        ),
        Case::same("filtered rows that are wanted", filtered(), csv(3)).with_hidden(),
        Case::refused(
            "a row without height",
            book(|sheet| {
                sheet.set_row_height(1, 0).unwrap();
            }),
            &["row 2"],
        ),
        Case::refused(
            "rows that are folded away",
            book(|sheet| {
                sheet.group_rows_collapsed(2, 3).unwrap();
            }),
            &["rows 3, 4"],
        ),
        Case::refused(
            "the header's row is hidden",
            book(|sheet| {
                sheet.set_row_hidden(0).unwrap();
            }),
            &["row 1"],
        ),
        Case::same(
            "a hidden row that is blank, and one that is taken out",
            book(|sheet| {
                sheet.write_string(3, 0, "#5113121").unwrap();
                sheet.set_row_hidden(3).unwrap();
                sheet.set_row_hidden(7).unwrap();
            }),
            csv(3).replace("5113121", "#5113121"),
        ),
        Case::same(
            "all unused rows hidden, and a filter that lets all through",
            book(|sheet| {
                sheet.hide_unused_rows(true).autofilter(0, 0, 3, 3).unwrap();
            }),
            csv(3),
        ),
        Case::refused(
            "a hidden column",
            hidden_column(2),
            &["cell C1", "`password`"],
        ),
        Case::same("a hidden column that is wanted", hidden_column(2), csv(3)).with_hidden(),
        Case::same("a hidden column that is nobody's", hidden_column(7), csv(3)),
        Case::refused(
            "a column without width",
            book(|sheet| {
                sheet.set_column_width(1, 0).unwrap();
            }),
            &["cell B1", "`image`"],
        ),
        Case::refused(
            "a hidden column that means nothing",
            book(|sheet| {
                sheet.write_row(0, 4, ["price"]).unwrap();
                sheet.set_column_hidden(4).unwrap();
            }),
            &["cell E1", "--ignore-column"],
        ),
        Case::same(
            "a hidden column that is ignored by name",
            book(|sheet| {
                sheet.write_row(0, 4, ["price"]).unwrap();
                sheet.set_column_hidden(4).unwrap();
            }),
            csv(3),
        )
        .ignoring(&["price"]),
    ]
}

fn sheets() -> Vec<Case> {
    let hide = |book: &mut Workbook, position| {
        book.worksheet_from_index(position)
            .unwrap()
            .set_hidden(true);
    };
    let with_hidden = || book_with(&["fleet", "old"], |book| hide(book, 1));
    vec![
        Case::refused(
            "several sheets",
            book_with(&["Web", "Mail servers"], |_| ()),
            &["`--sheet Web`, `--sheet 'Mail servers'`"],
        ),
        Case::same(
            "a sheet by its name",
            book_with(&["Web", "Mail"], |_| ()),
            csv(2),
        )
        .sheet("Mail"),
        Case::same(
            "a sheet by its name in capitals",
            book_with(&["Ärger", "b"], |_| ()),
            csv(2),
        )
        .sheet("ÄRGER"),
        Case::refused(
            "no such sheet",
            book_with(&["Web", "Mail"], |_| ()),
            &["`--sheet Mail`"],
        )
        .sheet("web 2"),
        Case::same("another sheet is hidden", with_hidden(), csv(2)),
        Case::refused("the sheet is hidden", with_hidden(), &["`old`"]).sheet("old"),
        Case::same("the sheet is hidden and wanted", with_hidden(), csv(2))
            .sheet("old")
            .with_hidden(),
        Case::refused(
            "a fault of one sheet of several",
            book_with(&["fleet", "old"], |book| {
                hide(book, 1);
                let sheet = book.worksheet_from_index(0).unwrap();
                sheet.write_string(2, 1, "=A1").unwrap();
            }),
            &["sheet `fleet`, cell B3"],
        ),
        Case::same(
            "a chart is no sheet",
            book_with(&["a"], |book| {
                add_chart(book);
            }),
            csv(2),
        ),
        Case::same(
            "a sheet that is protected against changes, with a remark",
            book(|sheet| {
                sheet
                    .protect_with_password("x")
                    .insert_note(1, 0, &Note::new("look"))
                    .unwrap();
            }),
            csv(3),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn cells() -> Vec<Case> {
    let date = || ExcelDateTime::from_ymd(2024, 3, 1).unwrap();
    let day = || Format::new().set_num_format("d-mmm-yy");
    let shown_as = |format: &str| {
        let format = Format::new().set_num_format(format);
        book(|sheet| {
            sheet
                .write_number_with_format(2, 0, 5_113_120.0, &format)
                .unwrap();
        })
    };
    let number = |column, number| {
        book(move |sheet| {
            sheet.write_number(2, column, number).unwrap();
        })
    };
    let text = |column, text: &str| {
        book(|sheet| {
            sheet.write_string(2, column, text).unwrap();
        })
    };
    vec![
        Case::refused(
            "a date where an id stands",
            book(|sheet| {
                sheet
                    .write_datetime_with_format(2, 0, date(), &day())
                    .unwrap();
            }),
            &["cell A3, column `service_id`: `2024-03-01`"],
        ),
        Case::refused(
            "a date where a password stands",
            book(|sheet| {
                sheet
                    .write_datetime_with_format(2, 2, date(), &day())
                    .unwrap();
            }),
            &["cell C3, column `password`\n", "a date"],
        ),
        Case::refused(
            "an id that is shown as a date",
            shown_as("yyyy"),
            &["cell A3"],
        ),
        Case::refused(
            "an id that is not shown",
            shown_as(";;;"),
            &["cell A3", "cannot be seen"],
        ),
        Case::refused(
            "an id that is shown in scientific notation",
            shown_as("0.00E+00"),
            &["cell A3", "something else than it shows"],
        ),
        Case::refused(
            "a fraction",
            number(0, 5_113_120.5),
            &["cell A3", "`5113120.5`"],
        ),
        Case::refused(
            "too many digits",
            number(0, 5.113_119e18),
            &["cell A3", "15 digits"],
        ),
        Case::refused(
            "the first with too many digits",
            number(0, 1e15),
            &["cell A3", "15 digits"],
        ),
        Case::refused("a negative number", number(0, -5.0), &["cell A3"]),
        Case::refused(
            "a number as a password",
            number(2, 12_345_678.0),
            &["cell C3"],
        ),
        Case::refused(
            "truth values",
            book(|sheet| {
                sheet.write_boolean(1, 0, true).unwrap();
                sheet.write_boolean(2, 1, false).unwrap();
                sheet.write_boolean(3, 2, true).unwrap();
            }),
            &["cell A2", "cell B3", "cell C4", "truth value"],
        ),
        Case::refused(
            "a formula that nobody has calculated",
            book(|sheet| {
                sheet
                    .write_formula(2, 0, Formula::new("=A2+1").set_result("5113120"))
                    .unwrap();
            }),
            &["cell A3", "save it once"],
        ),
        Case::same(
            "such a formula in a column that means nothing",
            book(|sheet| {
                sheet.write_string(0, 4, "sum").unwrap();
                sheet.write_formula(2, 4, "=A2+1").unwrap();
            }),
            csv(3),
        ),
        Case::refused(
            "a formula as text",
            text(0, "=A2+1"),
            &["cell A3", "`=A2+1`"],
        ),
        Case::refused(
            "an error as text",
            text(1, "#REF!"),
            &["cell B3", "`#REF!`"],
        ),
        Case::refused("an id with separators", text(0, "5,113,120"), &["cell A3"]),
        Case::refused("an apostrophe too many", text(0, "'5113120"), &["cell A3"]),
        Case::refused(
            "something invisible",
            text(0, "511\u{200b}3120"),
            &["cell A3"],
        ),
        Case::refused("an empty cell", text(1, " "), &["cell B3", "empty"]),
        Case::refused("a weak password", text(2, "secret"), &["cell C3"]),
        Case::refused(
            "a line break in a password",
            text(2, "My1\npassword"),
            &["cell C3"],
        ),
        Case::refused(
            "the longest note that Excel takes",
            text(3, &"x".repeat(32_767)),
            &["cell D3"],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn tables() -> Vec<Case> {
    let merged = |area: (RowNum, ColNum, RowNum, ColNum), value: &str| {
        let value = value.to_owned();
        book(move |sheet| {
            let (first_row, first_column, last_row, last_column) = area;
            for row in first_row..=last_row {
                for column in first_column..=last_column {
                    sheet.clear_cell(row, column);
                }
            }
            let format = Format::new();
            sheet
                .merge_range(
                    first_row,
                    first_column,
                    last_row,
                    last_column,
                    &value,
                    &format,
                )
                .unwrap();
        })
    };
    let at = |row, column, text: &'static str| {
        book(move |sheet| {
            sheet.write_string(row, column, text).unwrap();
        })
    };
    let mut empty = Workbook::new();
    empty.add_worksheet();
    vec![
        Case::refused(
            "one password for three rows",
            merged((1, 2, 3, 2), "Mypassword0"),
            &["cell C2, column `password`: C2:C4", "merged"],
        ),
        Case::refused(
            "cells merged across",
            merged((2, 2, 2, 3), "Mypassword1"),
            &["C3:D3"],
        ),
        Case::refused(
            "a merged header",
            merged((0, 2, 0, 3), "password"),
            &["C1:D1"],
        ),
        Case::same(
            "cells merged below the table, and beside it",
            book(|sheet| {
                let format = Format::new();
                sheet.write_string(0, 4, "rack").unwrap();
                sheet.merge_range(1, 4, 3, 4, "4", &format).unwrap();
                sheet.merge_range(6, 0, 7, 2, "", &format).unwrap();
            }),
            csv(3),
        ),
        Case::same(
            "a table in Excel's sense",
            book(|sheet| {
                sheet
                    .add_table(0, 0, 3, 3, &Table::new().set_header_row(false))
                    .unwrap();
                fill(sheet, 3);
            }),
            csv(3),
        ),
        Case::refused("a cell beside the table", at(2, 6, "ask Bob"), &["cell G3"]),
        Case::refused(
            "a cell far away",
            at(1_048_575, 16_383, "x"),
            &["cell XFD1048576"],
        ),
        Case::refused(
            "a name far away",
            at(0, 16_383, "x"),
            &["row 1: 16384 columns"],
        ),
        Case::refused(
            "nothing at all",
            empty.save_to_buffer().unwrap(),
            &["empty"],
        ),
        Case::refused("no row", book_of(0, |_| ()), &["no row below it"]),
        Case::refused(
            "a service twice",
            at(3, 0, "5113119"),
            &["cell A4", "as in row 2", "twice"],
        ),
        Case::refused(
            "a misspelt column",
            at(0, 2, "pasword"),
            &["row 1: `pasword`"],
        ),
        Case::refused(
            "a column of another word",
            at(0, 2, "Kennwort"),
            &["`Kennwort`"],
        ),
        Case::refused(
            "a missing column",
            at(0, 1, "x"),
            &["`image`", "found `service_id`"],
        ),
        Case::refused(
            "a title above the header",
            book(|sheet| {
                sheet.write_row(0, 0, ["Our fleet", "", "", ""]).unwrap();
                fill_at(sheet, 2, 0, 2);
            }),
            &["row 3", "--header-row"],
        ),
        Case::refused("a header row that is empty", book(|_| ()), &["row 7"]).header_row(7),
        Case::refused("a header row that is data", book(|_| ()), &["row 2"]).header_row(2),
        Case::refused(
            "two sheets pasted one below the other",
            book(|sheet| fill_at(sheet, 4, 0, 2)),
            &["row 5", "two files joined"],
        ),
        Case::refused(
            "a remark where the service is not the first column",
            book(|sheet| {
                sheet
                    .write_row(0, 0, ["note", "image", "password", "id"])
                    .unwrap();
                for row in 1..4 {
                    sheet
                        .write_number(row, 3, 5_113_118.0 + f64::from(row))
                        .unwrap();
                    sheet.write_string(row, 0, "x").unwrap();
                }
                sheet.write_string(2, 0, "# not this one").unwrap();
            }),
            &["row 3", "begins with `#`"],
        ),
    ]
}
