//! Workbooks that show something else than they hold, or do not show it at all.

use super::parts::{Parts, sheet};
use super::{Case, csv, ods};

const STYLES: &str = "xl/styles.xml";
const FIRST: &str = "<c r=\"A2\"><v>5113119</v></c>";

/// The sheet of two rows whose first id has a style of this format, font and fill.
fn styled(cell: &str, format: &str, font: &str, fill: &str) -> Vec<u8> {
    assert!(sheet(2).contains(FIRST));
    let format = format.replace('&', "&amp;").replace('"', "&quot;");
    let format = format.replace('<', "&lt;");
    let styles = format!(
        "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"{format}\"/></numFmts>\
         <fonts><font/><font>{font}</font></fonts>\
         <fills><fill><patternFill patternType=\"none\"/></fill><fill>{fill}</fill></fills>\
         <cellXfs><xf/><xf numFmtId=\" 164 \" fontId=\"1\" fillId=\"1\"/></cellXfs>\
         <dxfs><dxf><font><strike/></font><numFmt numFmtId=\"0\" formatCode=\"yyyy\"/></dxf></dxfs>\
         </styleSheet>"
    );
    Parts::xlsx(&sheet(2).replace(FIRST, cell))
        .with(STYLES, styles)
        .packed()
}

const NUMBER: &str = "<c r=\"A2\" s=\" 1 \"><v>5113119</v></c>";
const TEXT: &str = "<c r=\"A2\" s=\"1\" t=\"inlineStr\"><is><t>5113119</t></is></c>";
const FORMULA: &str = "<c r=\"A2\" s=\"1\" t=\"str\"><f>A9</f><v>5113119</v></c>";

fn number(format: &str) -> Vec<u8> {
    styled(NUMBER, format, "", "")
}

fn font(font: &str, fill: &str) -> Vec<u8> {
    styled(NUMBER, "0", font, fill)
}

pub fn cases() -> Vec<Case> {
    let mut cases = formats();
    cases.extend(looks());
    cases.extend(sizes());
    cases.extend(of_ods());
    cases
}

fn formats() -> Vec<Case> {
    let disguised = &["cell A2", "something else than it shows", "`5113119`"];
    let unseen = &["cell A2", "cannot be seen", "--include-hidden"];
    vec![
        Case::same("as many digits", number("0000000"), csv(2)),
        Case::same("groups of thousands", number("#,##0.00_);[Red]-0"), csv(2)),
        Case::same("a number as text", number("@"), csv(2)),
        Case::refused("digits before the number", number("\"5\"0"), disguised),
        Case::refused("a digit behind it", number("0\\1"), disguised),
        Case::refused("zeros before it", number("00000000"), disguised),
        Case::refused("in thousands", number("#,##0,"), disguised),
        Case::refused("in per cent", number("0%"), disguised),
        Case::refused("with an exponent", number("0E+00"), disguised),
        Case::refused("as a fraction", number("# ?/?"), disguised),
        Case::refused("a word", number("\"see General\""), disguised),
        Case::refused("on a condition", number("[<9]0;\"x\""), disguised),
        Case::refused(
            "digits before a text",
            styled(TEXT, "\"9\"@", "", ""),
            disguised,
        ),
        Case::refused(
            "a text of a formula",
            styled(FORMULA, "\"9\"@", "", ""),
            disguised,
        ),
        Case::refused("a number that is not shown", number(";;;"), unseen),
        Case::refused(
            "a text that is not shown",
            styled(TEXT, ";;;", "", ""),
            unseen,
        ),
        Case::same(
            "a text that is not shown, and is wanted",
            styled(TEXT, ";;;", "", ""),
            csv(2),
        )
        .with_hidden(),
        Case::refused("in white by its format", number("[White]0"), unseen),
    ]
}

fn looks() -> Vec<Case> {
    let solid = |colour: &str| {
        format!("<patternFill patternType=\"solid\"><fgColor {colour}/></patternFill>")
    };
    let white = "<color rgb=\"FFFFFFFF\"/>";
    let unseen = &["cell A2", "cannot be seen"];
    let struck = &["cell A2", "struck through", "--include-hidden"];
    let out = "<c r=\"A2\" s=\"1\" t=\"inlineStr\"><is><t>#5113119</t></is></c>";
    let note = "<c r=\"D2\" t=\"inlineStr\">";
    let struck_note = sheet(2).replace(note, &note.replace(" t=", " s=\"1\" t="));
    let styles = "<styleSheet><fonts><font/><font><strike/></font></fonts>\
                  <cellXfs><xf/><xf fontId=\"1\"/></cellXfs></styleSheet>";
    vec![
        Case::refused("white on nothing", font(white, ""), unseen),
        Case::refused(
            "white by its number",
            font("<color indexed=\"9\"/>", ""),
            unseen,
        ),
        Case::refused(
            "white of the theme",
            font("<color theme=\"0\"/>", ""),
            unseen,
        ),
        Case::refused(
            "white on white",
            font(white, &solid("rgb=\"FFFEFEFE\"")),
            unseen,
        ),
        Case::same("white that is wanted", font(white, ""), csv(2)).with_hidden(),
        Case::same(
            "white on blue",
            font(white, &solid("rgb=\"FF0000FF\"")),
            csv(2),
        ),
        Case::same(
            "grey of the theme",
            font("<color theme=\"0\" tint=\"-0.5\"/>", ""),
            csv(2),
        ),
        Case::refused("struck through", font("<strike/>", ""), struck),
        Case::same("struck and wanted", font("<strike/>", ""), csv(2)).with_hidden(),
        Case::same("not struck", font("<strike val=\" 0 \"/>", ""), csv(2)),
        Case::same(
            "struck and taken out",
            styled(out, "@", "<strike/>", ""),
            csv(2).replace("5113119", "#5113119"),
        ),
        Case::same(
            "a note that is struck through",
            Parts::xlsx(&struck_note).with(STYLES, styles).packed(),
            csv(2),
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let row = |attributes: &str| {
        let row = format!("<row r=\"3\" {attributes}>");
        Parts::xlsx(&sheet(2).replace("<row r=\"3\">", &row)).packed()
    };
    let above = |above: &str| {
        let sheet = sheet(2).replace("<sheetData>", &format!("{above}<sheetData>"));
        Parts::xlsx(&sheet).packed()
    };
    let columns = |widths: &str| above(&format!("<cols>{widths}</cols>"));
    vec![
        Case::refused("hidden with blanks", row("hidden=\" 1 \""), &["row 3"]),
        Case::refused("a row of 0.1 points", row("ht=\"0.1\""), &["row 3"]),
        Case::refused("of less than nothing", row("ht=\"-1\""), &["row 3"]),
        Case::refused("a height that is none", row("ht=\"low\""), &["row 3"]),
        Case::same("a row of 3 points", row("ht=\"3\""), csv(2)),
        Case::same("a low row that is wanted", row("ht=\"0.1\""), csv(2)).with_hidden(),
        Case::refused(
            "a column of a hundredth",
            columns("<col min=\"2\" max=\"2\" width=\"0.01\"/>"),
            &["cell B1"],
        ),
        Case::same(
            "a column of one character",
            columns("<col min=\"2\" max=\"2\" width=\"1\"/>"),
            csv(2),
        ),
        Case::refused(
            "rows that are low where nothing else is said",
            above("<sheetFormatPr defaultRowHeight=\"0\" customHeight=\"1\"/>"),
            &["row 1"],
        ),
        Case::same(
            "rows that are not written down are hidden",
            above("<sheetFormatPr defaultRowHeight=\"0\" zeroHeight=\"1\"/>"),
            csv(2),
        ),
        Case::refused(
            "columns that are narrow where nothing else is said",
            above(
                "<sheetFormatPr defaultColWidth=\"0\"/><cols>\
                 <col min=\"1\" max=\"3\" width=\"9\"/></cols>",
            ),
            &["cell D1"],
        ),
        Case::same(
            "columns that are hidden behind the last one",
            above(
                "<sheetFormatPr defaultColWidth=\"0\"/><cols>\
                 <col min=\"1\" max=\"4\" width=\"9\"/></cols>",
            ),
            csv(2),
        ),
    ]
}

fn of_ods() -> Vec<Case> {
    let shown = |shown: &str| {
        ods::changed(
            &ods::number("5113119", "5113119"),
            &ods::number("5113119", shown),
        )
    };
    let disguised = &["cell A2", "something else than it shows", "`5113119`"];
    let mut cases: Vec<Case> = ["5113119.0", "5,113,119", "5.113.119,00", "5\u{202f}113 119"]
        .into_iter()
        .map(|text| Case::same("the same digits", shown(text), csv(2)))
        .collect();
    for text in [
        "55113119",
        "05113119",
        "51131191",
        "5113",
        "5113.119",
        "511311900%",
        "5.113119E6",
        "5113119 €",
        "-5113119",
        "",
    ] {
        cases.push(Case::refused("other digits", shown(text), disguised));
    }
    cases
}
