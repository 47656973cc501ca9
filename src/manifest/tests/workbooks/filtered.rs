//! Sheets with a filter: what it hides is refused row by row, and one that hides nothing is told.

use super::ods::{document, rows, table};
use super::parts::{Parts, sheet};
use super::{Case, csv};

const SHEET_RELATIONS: &str = "xl/worksheets/_rels/sheet1.xml.rels";
const TYPES: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn behind(filter: &str) -> Parts {
    let end = "</sheetData>";
    Parts::xlsx(&sheet(2).replace(end, &format!("{end}{filter}")))
}

fn filter(columns: &str) -> String {
    format!("<autoFilter ref=\"A1:D3\">{columns}</autoFilter>")
}

const SET: &str =
    "<filterColumn colId=\"3\"><filters><filter val=\"row 0\"/></filters></filterColumn>";

/// The sheet has a table with this inside, and a link whose address is long.
fn with_table(inside: &str) -> Vec<u8> {
    let link = "x".repeat(3000);
    behind("")
        .with(
            SHEET_RELATIONS,
            format!(
                "<Relationships><Relationship Id=\"l\" Type=\"{TYPES}/hyperlink\" Target=\"{link}\"/>\
                 <Relationship Id=\"t\" Type=\"{TYPES}/table\" Target=\"../tables/table1.xml\"/></Relationships>"
            ),
        )
        .with(
            "xl/tables/table1.xml",
            format!("<table>{inside}<tableColumns/></table>"),
        )
        .packed()
}

/// What stands behind the sheets of an `.ods`.
fn ranges(target: &str, inside: &str) -> Vec<u8> {
    let ranges = format!(
        "<table:database-ranges><table:database-range table:name=\"x\" \
         table:target-range-address=\"{target}\">{inside}</table:database-range></table:database-ranges>"
    );
    document("", &(table("a", &rows()) + &ranges)).packed()
}

pub fn cases() -> Vec<Case> {
    let condition = "<table:filter><table:filter-and><table:filter-condition \
                     table:field-number=\"3\" table:value=\"row 0\" table:operator=\"=\"/>\
                     </table:filter-and></table:filter>";
    let hiding = sheet(2).replace("<row r=\"3\"", "<row r=\"3\" hidden=\"1\"");
    let hiding = hiding.replace("</sheetData>", &format!("</sheetData>{}", filter(SET)));
    let views = format!(
        "<customSheetViews><customSheetView>{}</customSheetView></customSheetViews>",
        filter(SET)
    );
    let sorted = "<filterColumn colId=\"0\" hiddenButton=\"1\"/><sortState ref=\"A2:D3\"><sortCondition ref=\"A2\"/></sortState>";
    let mode = sheet(2).replace("<sheetData>", "<sheetPr filterMode=\"1\"/><sheetData>");
    vec![
        Case::same(
            "a filter that hides no row",
            behind(&filter(SET)).packed(),
            csv(2),
        ),
        Case::same(
            "a filter that shows what is empty",
            behind(&filter(
                "<filterColumn colId=\"1\"><filters blank=\"1\"/></filterColumn>",
            ))
            .packed(),
            csv(2),
        ),
        Case::same(
            "buttons and an order",
            behind(&filter(sorted)).packed(),
            csv(2),
        ),
        Case::same(
            "a filter of a view that is kept for later",
            behind(&views).packed(),
            csv(2),
        ),
        Case::same(
            "a sheet that says it is filtered",
            Parts::xlsx(&mode).packed(),
            csv(2),
        ),
        Case::refused(
            "a filter that hides a row",
            Parts::xlsx(&hiding).packed(),
            &["row 3"],
        ),
        Case::same(
            "what it hides is wanted",
            Parts::xlsx(&hiding).packed(),
            csv(2),
        )
        .with_hidden(),
        Case::same("a table with a filter", with_table(&filter(SET)), csv(2)),
        Case::same("a table with buttons", with_table(&filter("")), csv(2)),
        Case::same(
            "a filter in an .ods",
            ranges("a.A1:a.D3", condition),
            csv(2),
        ),
        Case::same(
            "a filter in an .ods, by a quoted name",
            ranges("$\'a\'.$A$1:.$D$3", condition),
            csv(2),
        ),
        Case::same("buttons in an .ods", ranges("a.A1:a.D3", ""), csv(2)),
        Case::same(
            "a filter of another sheet",
            ranges("b.A1:b.D3", condition),
            csv(2),
        ),
    ]
}
