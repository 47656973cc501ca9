//! `.ods` put together by hand.

use super::parts::Parts;
use super::{A, Case, HEADER, PASSWORD, csv, service};

const KIND: &str = "application/vnd.oasis.opendocument.spreadsheet";

pub fn text(text: &str) -> String {
    format!(
        "<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"
    )
}

pub fn number(value: &str, shown: &str) -> String {
    format!(
        "<table:table-cell office:value-type=\"float\" office:value=\"{value}\">\
         <text:p>{shown}</text:p></table:table-cell>"
    )
}

pub fn row(cells: &[String]) -> String {
    format!("<table:table-row>{}</table:table-row>", cells.concat())
}

/// The nth row below the header.
pub fn nth_row(nth: usize) -> String {
    let id = service(nth).to_string();
    let password = format!("{PASSWORD}{nth}");
    row(&[
        number(&id, &id),
        text(A),
        text(&password),
        text(&format!("row {nth}")),
    ])
}

/// The rows of a table of two.
pub fn rows() -> String {
    format!("{}{}{}", row(&HEADER.map(text)), nth_row(0), nth_row(1))
}

pub fn table(name: &str, rows: &str) -> String {
    format!("<table:table table:name=\"{name}\" table:style-name=\"{name}\">{rows}</table:table>")
}

pub fn document(styles: &str, tables: &str) -> Parts {
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content>\
         <office:automatic-styles>{styles}</office:automatic-styles>\
         <office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>\
         </office:document-content>"
    );
    Parts(Vec::new())
        .with("mimetype", KIND)
        .with("content.xml", content)
        .with("META-INF/manifest.xml", "<manifest:manifest/>")
}

pub fn plain(rows: &str) -> Vec<u8> {
    document("", &table("a", rows)).packed()
}

/// The table of two rows with something else in it.
pub fn changed(old: &str, new: &str) -> Vec<u8> {
    assert!(rows().contains(old), "{old}");
    plain(&rows().replace(old, new))
}

pub fn style(family: &str, name: &str, properties: &str) -> String {
    format!(
        "<style:style style:name=\"{name}\" style:family=\"{family}\">\
         <style:{family}-properties {properties}/></style:style>"
    )
}

pub fn cases() -> Vec<Case> {
    let mut cases = taken();
    cases.extend(hidden());
    cases.extend(refused());
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn taken() -> Vec<Case> {
    let note = text("row 0");
    let first = number("5113119", "5113119");
    vec![
        Case::same("by hand", plain(&rows()), csv(2)),
        Case::same(
            "an id that is stored with a fraction",
            changed(&first, &number("5113119.0", "5,113,119.00")),
            csv(2),
        ),
        Case::same(
            "a number without a text",
            changed("<text:p>5113119</text:p>", ""),
            csv(2),
        ),
        Case::same(
            "a calculated formula",
            changed(
                "office:value=\"5113119\"",
                "office:value=\"5113119\" table:formula=\"of:=1\"",
            ),
            csv(2),
        ),
        Case::same(
            "blanks as the format has them",
            changed(
                "Mypassword0",
                "<text:s/>My<text:s text:c=\"2\"/>pass\n  <text:span>word0</text:span> ",
            ),
            csv(2).replace("Mypassword0", "\" My  pass word0\""),
        ),
        Case::same(
            "a remark on a cell",
            changed(
                &note,
                &note.replace(
                    "<text:p>",
                    "<office:annotation><text:p>look</text:p></office:annotation><text:p>",
                ),
            ),
            csv(2),
        ),
        Case::same(
            "a date as a note",
            changed(
                &note,
                "<table:table-cell office:value-type=\"date\" office:date-value=\"2024-03-01T14:05:00\"><text:p>1.3.</text:p></table:table-cell>",
            ),
            csv(2).replace("row 0", "2024-03-01 14:05:00"),
        ),
        Case::same(
            "rows and cells that repeat nothing",
            plain(&format!(
                "{}<table:table-row table:number-rows-repeated=\"3\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>{}\
                 <table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell/></table:table-row>",
                row(&HEADER.map(text)),
                nth_row(0),
            )),
            csv(1).replacen('\n', "\n\n\n\n", 1),
        ),
        Case::same(
            "groups that are not folded, and a header that repeats on each page",
            plain(&format!(
                "<table:table-column-group><table:table-column table:number-columns-repeated=\"4\"/></table:table-column-group>\
                 <table:table-header-rows>{}</table:table-header-rows><table:table-row-group>{}</table:table-row-group>{}",
                row(&HEADER.map(text)),
                nth_row(0),
                nth_row(1)
            )),
            csv(2),
        ),
        Case::same(
            "tables of what was changed and what is drawn",
            document(
                "",
                &format!(
                    "<table:tracked-changes>{}</table:tracked-changes>{}",
                    table("b", &rows()),
                    table(
                        "a",
                        &format!(
                            "<table:shapes>{}</table:shapes>{}",
                            table("c", &rows()),
                            rows()
                        )
                    ),
                ),
            )
            .packed(),
            csv(2),
        ),
        Case::same(
            "a row that is there twice and taken out",
            plain(&format!(
                "{}{}{}",
                rows(),
                "<table:table-row table:number-rows-repeated=\"3\">",
                text("#5113119") + "</table:table-row>"
            )),
            csv(2),
        ),
    ]
}

fn hidden() -> Vec<Case> {
    let row_with = |attributes: &str| {
        let hidden = nth_row(1).replacen(
            "<table:table-row",
            &format!("<table:table-row {attributes}"),
            1,
        );
        format!("{}{}{hidden}", row(&HEADER.map(text)), nth_row(0))
    };
    let columns = |attributes: &str| {
        format!(
            "<table:table-column/><table:table-column/><table:table-column {attributes}/>{}",
            rows()
        )
    };
    let styled = |styles: &str, rows: &str| document(styles, &table("a", rows)).packed();
    let flat = style("table-row", "flat", "style:row-height=\"0cm\"");
    let narrow = style("table-column", "narrow", "style:column-width=\"0.00in\"");
    let sheet = style("table", "b", "table:display=\"false\"");
    let two = || document(&sheet, &(table("a", &rows()) + &table("b", &rows()))).packed();
    vec![
        Case::refused(
            "a hidden row",
            plain(&row_with("table:visibility=\"collapse\"")),
            &["row 3"],
        ),
        Case::refused(
            "a filtered row",
            plain(&row_with("table:visibility=\"filter\"")),
            &["row 3"],
        ),
        Case::same(
            "a filtered row that is wanted",
            plain(&row_with("table:visibility=\"filter\"")),
            csv(2),
        )
        .with_hidden(),
        Case::refused(
            "a row without height",
            styled(&flat, &row_with("table:style-name=\"flat\"")),
            &["row 3"],
        ),
        Case::refused(
            "a hidden column",
            plain(&columns("table:visibility=\"collapse\"")),
            &["cell C1"],
        ),
        Case::refused(
            "a column without width",
            styled(&narrow, &columns("table:style-name=\"narrow\"")),
            &["cell C1"],
        ),
        Case::refused(
            "rows that are folded away",
            plain(&format!(
                "{}<table:table-row-group table:display=\"false\">{}</table:table-row-group>",
                row(&HEADER.map(text)),
                nth_row(0)
            )),
            &["row 2"],
        ),
        Case::same("another sheet is hidden", two(), csv(2)),
        Case::refused("the sheet is hidden", two(), &["`b`"]).sheet("b"),
        Case::same("the sheet is hidden and wanted", two(), csv(2))
            .sheet("b")
            .with_hidden(),
        Case::refused(
            "several sheets",
            document("", &(table("a", &rows()) + &table("b", &rows()))).packed(),
            &["`--sheet a`, `--sheet b`"],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn refused() -> Vec<Case> {
    let first = number("5113119", "5113119");
    let cell = |new: &str| changed(&first, new);
    let encrypted = document("", &table("a", &rows())).with(
        "META-INF/manifest.xml",
        "<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>",
    );
    let repeated = format!(
        "<table:table-row table:number-rows-repeated=\"1000000000\">{first}{}</table:table-row>",
        text(A)
    );
    vec![
        Case::refused(
            "a date",
            cell("<table:table-cell office:value-type=\"date\" office:date-value=\"2024-03-01\"/>"),
            &["cell A2", "`2024-03-01`"],
        ),
        Case::refused(
            "a time",
            cell(
                "<table:table-cell office:value-type=\"time\" office:time-value=\"PT14H05M00S\"/>",
            ),
            &["cell A2"],
        ),
        Case::refused(
            "a truth value",
            cell("<table:table-cell office:value-type=\"boolean\" office:boolean-value=\"true\"/>"),
            &["cell A2", "`TRUE`"],
        ),
        Case::refused(
            "a number that is shown as a word",
            cell(&number("1", "TRUE")),
            &["cell A2", "something else than it shows"],
        ),
        Case::refused(
            "a text that is shown as another one",
            cell(
                "<table:table-cell office:value-type=\"string\" office:string-value=\"5113199\">\
                 <text:p>5113119</text:p></table:table-cell>",
            ),
            &["cell A2", "something else than it shows"],
        ),
        Case::refused(
            "an error value",
            cell(&number("0", "#REF!")),
            &["cell A2", "`#REF!`"],
        ),
        Case::refused(
            "an error that says so",
            cell(
                "<table:table-cell table:formula=\"of:=1\" office:value-type=\"string\" office:string-value=\"\" calcext:value-type=\"error\"><text:p>Err:502</text:p></table:table-cell>",
            ),
            &["cell A2", "`Err:502`"],
        ),
        Case::refused(
            "a formula without a value",
            cell("<table:table-cell table:formula=\"of:=1\"/>"),
            &["cell A2", "save it once"],
        ),
        Case::refused(
            "a fraction",
            cell(&number("5113119.5", "5113120")),
            &["cell A2", "`5113119.5`"],
        ),
        Case::refused(
            "one password for two rows",
            changed(
                "<table:table-cell office:value-type=\"string\"><text:p>Mypassword0",
                "<table:table-cell table:number-rows-spanned=\"2\" office:value-type=\"string\"><text:p>Mypassword0",
            ),
            &["cell C2, column `password`: C2:C3"],
        ),
        Case::refused(
            "the same row a thousand million times",
            plain(&(rows() + &repeated)),
            &["cell A4", "cell A5", "twice"],
        ),
        Case::refused(
            "a cell far away",
            plain(&format!(
                "{}<table:table-row><table:table-cell table:number-columns-repeated=\"16383\"/>{}</table:table-row>",
                rows(),
                text("x")
            )),
            &["cell XFD4"],
        ),
        Case::refused(
            "the same cell all over",
            changed(
                &first,
                &first.replacen(
                    "<table:table-cell",
                    "<table:table-cell table:number-columns-repeated=\"4000000000\"",
                    1,
                ),
            ),
            &["cell E2"],
        ),
        Case::refused(
            "more rows than a sheet has",
            plain(&format!(
                "{}<table:table-row table:number-rows-repeated=\"2000000\"><table:table-cell/></table:table-row>{}",
                row(&HEADER.map(text)),
                nth_row(0)
            )),
            &["more rows than a sheet can have"],
        ),
        Case::refused(
            "repeated no number of times",
            changed(
                "<table:table-row>",
                "<table:table-row table:number-rows-repeated=\"0\">",
            ),
            &["damaged"],
        ),
        Case::refused(
            "an unknown kind of value",
            cell("<table:table-cell office:value-type=\"money\"/>"),
            &["damaged"],
        ),
        Case::refused(
            "protected by a password",
            encrypted.packed(),
            &["remove the password"],
        ),
        Case::refused(
            "a text document",
            document("", "")
                .with("mimetype", "application/vnd.oasis.opendocument.text")
                .packed(),
            &["a text document"],
        ),
        Case::refused("no sheet", document("", "").packed(), &["it has no sheet"]),
        Case::refused(
            "entities",
            document("", "")
                .with("content.xml", "<!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>")
                .packed(),
            &["entities"],
        ),
    ]
}
