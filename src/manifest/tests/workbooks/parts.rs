//! Workbooks that are put together by hand: what the format allows and few programs write, and what
//! it does not allow.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{A, Case, HEADER, PASSWORD, csv, service};

/// A workbook's parts, by name.
#[derive(Clone)]
pub struct Parts(pub Vec<(String, Vec<u8>)>);

impl Parts {
    /// A workbook of one sheet, whose cells hold their texts themselves.
    pub fn xlsx(sheet: &str) -> Self {
        Self(Vec::new())
            .with(
                "_rels/.rels",
                "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" \
                 Target=\"xl/workbook.xml\"/></Relationships>",
            )
            .with(
                "xl/workbook.xml",
                "<workbook xmlns:r=\"r\"><sheets>\
                 <sheet name=\"fleet\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>",
            )
            .with(
                "xl/_rels/workbook.xml.rels",
                "<Relationships>\
                 <Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
                 <Relationship Id=\"r2\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings\" Target=\"sharedStrings.xml\"/>\
                 <Relationship Id=\"r3\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles\" Target=\"styles.xml\"/>\
                 </Relationships>",
            )
            .with("xl/sharedStrings.xml", "<sst/>")
            .with("xl/styles.xml", "<styleSheet/>")
            .with("xl/worksheets/sheet1.xml", sheet)
    }

    /// With this part, in the place of the one of this name.
    pub fn with(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some(part) => part.1 = content,
            None => self.0.push((name.to_owned(), content)),
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    fn renamed(mut self, old: &str, new: &str) -> Self {
        let part = self.0.iter_mut().find(|(own, _)| own == old).unwrap();
        new.clone_into(&mut part.0);
        self
    }

    /// With something else in a part.
    fn replacing(self, name: &str, old: &str, new: &str) -> Self {
        let part = self.0.iter().find(|(own, _)| own == name).unwrap();
        let text = String::from_utf8(part.1.clone()).unwrap();
        assert!(text.contains(old), "{old}");
        self.with(name, text.replace(old, new))
    }

    pub fn packed(&self) -> Vec<u8> {
        self.packed_by(CompressionMethod::Deflated)
    }

    fn packed_by(&self, method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in &self.0 {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(name.as_str(), options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

/// A cell that holds its text itself.
fn text(place: &str, text: &str) -> String {
    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// A sheet of the header and so many rows.
pub fn sheet(rows: usize) -> String {
    let mut xml = String::from("<worksheet><sheetData><row r=\"1\">");
    for (column, name) in ["A", "B", "C", "D"].into_iter().zip(HEADER) {
        xml += &text(&format!("{column}1"), name);
    }
    xml += "</row>";
    for nth in 0..rows {
        let row = nth + 2;
        let id = service(nth);
        xml += &["<row r=\"", &row.to_string(), "\">"].concat();
        xml += &[
            "<c r=\"A",
            &row.to_string(),
            "\"><v>",
            &id.to_string(),
            "</v></c>",
        ]
        .concat();
        xml += &text(&format!("B{row}"), A);
        xml += &text(&format!("C{row}"), &format!("{PASSWORD}{nth}"));
        xml += &text(&format!("D{row}"), &format!("row {nth}"));
        xml += "</row>";
    }
    xml + "</sheetData></worksheet>"
}

/// The sheet of two rows with something else in it.
fn changed(old: &str, new: &str) -> Vec<u8> {
    let sheet = sheet(2);
    assert!(sheet.contains(old), "{old}");
    Parts::xlsx(&sheet.replace(old, new)).packed()
}

pub fn cases() -> Vec<Case> {
    let mut cases = taken();
    cases.extend(values());
    cases.extend(refused_cells());
    cases.extend(broken());
    cases.extend(other_files());
    cases
}

const SHEET: &str = "xl/worksheets/sheet1.xml";
const BOOK: &str = "xl/workbook.xml";
const RELATIONS: &str = "xl/_rels/workbook.xml.rels";
const STRINGS: &str = "xl/sharedStrings.xml";
const FIRST: &str = "<c r=\"A2\"><v>5113119</v></c>";

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn taken() -> Vec<Case> {
    let plain = || Parts::xlsx(&sheet(2));
    let places = |xml: &str| {
        let mut bare = xml.to_owned();
        for place in ["A", "B", "C", "D"] {
            for row in 1..4 {
                bare = bare.replace(&format!(" r=\"{place}{row}\""), "");
            }
        }
        (1..4).fold(bare, |bare, row| {
            bare.replace(&format!("<row r=\"{row}\">"), "<row>")
        })
    };
    let prefixed = sheet(2)
        .replace("</", "</x:")
        .replace('<', "<x:")
        .replace("<x:/x:", "</x:");
    let shared = |items: &str| {
        let shared = "<c r=\"C2\" t=\"s\"><v>1</v></c>";
        let own = text("C2", "Mypassword0");
        let sheet = sheet(2).replace(&own, shared);
        assert!(sheet.contains(shared));
        Parts::xlsx(&sheet)
            .with(STRINGS, format!("<sst>{items}</sst>"))
            .packed()
    };
    vec![
        Case::same("by hand", plain().packed(), csv(2)),
        Case::same(
            "stored",
            plain().packed_by(CompressionMethod::Stored),
            csv(2),
        ),
        Case::same(
            "cells and rows without places",
            Parts::xlsx(&places(&sheet(2))).packed(),
            csv(2),
        ),
        Case::same(
            "names with a prefix",
            Parts::xlsx(&prefixed).packed(),
            csv(2),
        ),
        Case::same(
            "a byte order mark and a declaration",
            plain()
                .with(
                    SHEET,
                    format!(
                        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
                        sheet(2)
                    ),
                )
                .packed(),
            csv(2),
        ),
        Case::same(
            "targets from the root",
            plain()
                .replacing(RELATIONS, "\"worksheets", "\"/xl/worksheets")
                .packed(),
            csv(2),
        ),
        Case::same(
            "characters by their number, and unparsed text",
            changed("row 0", "r&#111;<![CDATA[w]]> &#x30;"),
            csv(2),
        ),
        Case::same(
            "a shared text of several runs, and how it is pronounced",
            shared(
                "<si><t>no</t></si><si><r><t>My</t></r><r><rPr/><t>password0</t></r>\
                 <rPh sb=\"0\" eb=\"1\"><t>maipasu</t></rPh></si>",
            ),
            csv(2),
        ),
        Case::same(
            "parts in no folder",
            plain()
                .replacing("_rels/.rels", "xl/workbook.xml", "workbook.xml")
                .renamed(BOOK, "workbook.xml")
                .renamed(RELATIONS, "_rels/workbook.xml.rels")
                .renamed(SHEET, "worksheets/sheet1.xml")
                .renamed(STRINGS, "sharedStrings.xml")
                .renamed("xl/styles.xml", "styles.xml")
                .packed(),
            csv(2),
        ),
        Case::same(
            "names of Windows, and in capitals",
            plain()
                .renamed(SHEET, "xl\\worksheets\\Sheet1.xml")
                .renamed(STRINGS, "xl/SharedStrings.xml")
                .packed(),
            csv(2),
        ),
        Case::same(
            "elements that nobody knows",
            changed("<row r=\"3\">", "<x>y</x><row r=\"3\"><x><y>z</y></x>"),
            csv(2),
        ),
        Case::same(
            "no styles, no shared texts",
            {
                let bare = plain().without("xl/styles.xml").without(STRINGS);
                let relation = "<Relationship Id=\"r2\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings\" Target=\"sharedStrings.xml\"/>";
                let bare = bare.replacing(RELATIONS, relation, "");
                let relation = "<Relationship Id=\"r3\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles\" Target=\"styles.xml\"/>";
                bare.replacing(RELATIONS, relation, "").packed()
            },
            csv(2),
        ),
    ]
}

fn values() -> Vec<Case> {
    let first = |cell: &str| changed(FIRST, cell);
    let dated = |book: &str| {
        let note = text("D2", "row 0");
        let sheet = sheet(2).replace(&note, "<c r=\"D2\" s=\"1\"><v>43890</v></c>");
        Parts::xlsx(&sheet)
            .with(
                "xl/styles.xml",
                "<styleSheet><cellStyleXfs><xf numFmtId=\"0\"/></cellStyleXfs>\
                 <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>",
            )
            .replacing(BOOK, "<sheets>", &format!("{book}<sheets>"))
            .packed()
    };
    let formula = "<c r=\"A2\"><f>A1+1</f><v>5113119</v></c>";
    let stale = Parts::xlsx(&sheet(2).replace(FIRST, formula));
    let stale = stale.replacing(BOOK, "</sheets>", "</sheets><calcPr fullCalcOnLoad=\"1\"/>");
    vec![
        Case::same(
            "a whole number with a fraction",
            first("<c r=\"A2\"><v>5113119.0</v></c>"),
            csv(2),
        ),
        Case::same(
            "a number with an exponent",
            first("<c r=\"A2\"><v>5.113119E6</v></c>"),
            csv(2),
        ),
        Case::same("a calculated formula", first(formula), csv(2)),
        Case::same(
            "a formula that gave a text",
            first("<c r=\"A2\" t=\"str\"><f>TEXT(A1)</f><v>5113119</v></c>"),
            csv(2),
        ),
        Case::same(
            "a formula that gave an empty text",
            changed(
                &text("D2", "row 0"),
                "<c r=\"D2\" t=\"str\"><f>A9</f><v></v></c>",
            ),
            csv(2).replace("row 0", ""),
        ),
        Case::same(
            "days from 1900",
            dated(""),
            csv(2).replace("row 0", "2020-02-29"),
        ),
        Case::same(
            "days from 1904",
            dated("<workbookPr date1904=\"1\"/>"),
            csv(2).replace("row 0", "2024-03-01"),
        ),
        Case::refused(
            "values that are to be calculated anew",
            stale.packed(),
            &["cell A2", "save it once"],
        ),
        Case::refused(
            "a formula without a value",
            first("<c r=\"A2\"><f>A1+1</f><v></v></c>"),
            &["cell A2", "save it once"],
        ),
        Case::refused(
            "a formula of a password without a value",
            changed(
                &text("C2", "Mypassword0"),
                "<c r=\"C2\" t=\"str\"><f>A1</f></c>",
            ),
            &["cell C2", "save it once"],
        ),
        Case::refused(
            "a formula of a note without a value",
            changed(&text("D2", "row 0"), "<c r=\"D2\"><f>A1</f></c>"),
            &["cell D2", "save it once"],
        ),
        Case::refused(
            "a header that is a formula without a value",
            changed(&text("C1", "password"), "<c r=\"C1\"><f>A9</f></c>"),
            &["cell C1"],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn refused_cells() -> Vec<Case> {
    let long = format!(
        "<c t=\"inlineStr\"><is><t>{}</t></is></c>",
        "y".repeat(4096)
    );
    let first = |cell: &str| changed(FIRST, cell);
    vec![
        Case::refused(
            "an error value",
            first("<c r=\"A2\" t=\"e\"><v>#REF!</v></c>"),
            &["cell A2", "`#REF!`"],
        ),
        Case::refused(
            "an error value as a password",
            changed(
                &text("C2", "Mypassword0"),
                "<c r=\"C2\" t=\"e\"><v>#N/A</v></c>",
            ),
            &["cell C2, column `password`\n"],
        ),
        Case::refused(
            "a date as text",
            first("<c r=\"A2\" t=\"d\"><v>2024-03-01</v></c>"),
            &["cell A2"],
        ),
        Case::refused(
            "no number",
            first("<c r=\"A2\"><v>many</v></c>"),
            &["cell A2"],
        ),
        Case::refused(
            "a number without end",
            first("<c r=\"A2\"><v>1e999</v></c>"),
            &["cell A2"],
        ),
        Case::refused(
            "two values in a cell",
            first("<c r=\"A2\"><v>511</v><v>3119</v></c>"),
            &["cell A2 holds two values"],
        ),
        Case::refused(
            "a text that is not there",
            first("<c r=\"A2\" t=\"s\"><v>7</v></c>"),
            &["cell A2"],
        ),
        Case::refused(
            "an unknown kind",
            first("<c r=\"A2\" t=\"zz\"><v>7</v></c>"),
            &["cell A2 is of an unknown kind"],
        ),
        Case::refused(
            "cells out of order",
            changed(FIRST, &format!("<c r=\"B2\"/>{FIRST}")),
            &["the cells of row 2 are out of order"],
        ),
        Case::refused(
            "a cell twice",
            changed(FIRST, &format!("{FIRST}{FIRST}")),
            &["row 2"],
        ),
        Case::refused(
            "a cell of another row",
            first("<c r=\"A3\"><v>5113119</v></c>"),
            &["row 2"],
        ),
        Case::refused(
            "a cell nowhere",
            first("<c r=\"XFE2\"><v>5113119</v></c>"),
            &["row 2"],
        ),
        Case::refused(
            "rows out of order",
            changed("<row r=\"3\">", "<row r=\"1\">"),
            &["out of order"],
        ),
        Case::refused(
            "a row twice",
            changed("<row r=\"3\">", "<row r=\"2\">"),
            &["out of order"],
        ),
        Case::refused(
            "a row that no sheet has",
            changed("<row r=\"3\">", "<row r=\"1048577\">"),
            &["out of order"],
        ),
        Case::refused(
            "merged into nowhere",
            changed(
                "</sheetData>",
                "</sheetData><mergeCells><mergeCell ref=\"x\"/></mergeCells>",
            ),
            &["merges no cells"],
        ),
        Case::refused(
            "a text longer than any cell may hold",
            changed("row 0", &"x".repeat(4097)),
            &["cell D2", "4096"],
        ),
        Case::refused(
            "cells that are longer than a row may be",
            Parts::xlsx(&sheet(2).replace(
                "</row><row r=\"3\">",
                &(long.repeat(300) + "</row><row r=\"3\">"),
            ))
            .packed_by(CompressionMethod::Stored),
            &["row 2", "1024 KiB"],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn broken() -> Vec<Case> {
    let plain = || Parts::xlsx(&sheet(2));
    let whole = plain().packed();
    let with_sheet = |xml: &str| plain().with(SHEET, xml).packed();
    let doctype = |inside: &str| {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE worksheet [{inside}]>{}",
            sheet(2)
        )
    };
    let laughs = "<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">";
    let mut flipped = plain().packed_by(CompressionMethod::Stored);
    let at = flipped
        .windows(7)
        .position(|bytes| bytes == b"5113120")
        .unwrap();
    flipped[at + 6] = b'1';
    let mut encrypted = whole.clone();
    let list = encrypted
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    encrypted[list + 8] |= 1;
    let utf16: Vec<u8> = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?>{}",
        sheet(2)
    )
    .encode_utf16()
    .flat_map(u16::to_le_bytes)
    .collect();
    let damaged = &["damaged"];
    let entities = &["entities"];
    vec![
        Case::refused("cut off", whole[..whole.len() / 2].to_vec(), damaged),
        Case::refused(
            "cut off at its last byte",
            whole[..whole.len() - 1].to_vec(),
            damaged,
        ),
        Case::refused("nothing but its first bytes", whole[..40].to_vec(), damaged),
        Case::refused("a digit that was flipped", flipped, &["checksum"]),
        Case::refused(
            "a part that is encrypted",
            encrypted,
            &["remove the password"],
        ),
        Case::refused(
            "no workbook",
            plain().without(BOOK).packed(),
            &["`xl/workbook.xml` is missing"],
        ),
        Case::refused(
            "no relations",
            plain().without(RELATIONS).packed(),
            &["is missing"],
        ),
        Case::refused(
            "no sheet's part",
            plain().without(SHEET).packed(),
            &["sheet1.xml` is missing"],
        ),
        Case::refused(
            "no shared texts",
            plain().without(STRINGS).packed(),
            &["is missing"],
        ),
        Case::refused(
            "no sheet",
            plain()
                .with(BOOK, "<workbook><sheets/></workbook>")
                .packed(),
            &["it has no sheet"],
        ),
        Case::refused(
            "all sheets are hidden",
            plain()
                .replacing(BOOK, "sheetId", "state=\"veryHidden\" sheetId")
                .packed(),
            &["`--sheet fleet` (hidden)"],
        ),
        Case::refused(
            "a sheet that leads nowhere",
            plain()
                .replacing(BOOK, "r:id=\"r1\"", "r:id=\"r9\"")
                .packed(),
            &["nowhere to be found"],
        ),
        Case::refused(
            "a part that is there twice",
            plain().with("xl/worksheets/SHEET1.xml", sheet(1)).packed(),
            &["is there twice"],
        ),
        Case::refused(
            "no cells",
            with_sheet("<worksheet/>"),
            &["the sheet has no cells"],
        ),
        Case::refused("no XML", with_sheet("service_id,image\n"), damaged),
        Case::refused("XML that ends early", with_sheet(&sheet(2)[..300]), damaged),
        Case::refused(
            "XML that is closed wrongly",
            with_sheet(&sheet(2).replace("</row>", "</c>")),
            damaged,
        ),
        Case::refused("UTF-16", plain().with(SHEET, &utf16).packed(), damaged),
        Case::refused(
            "Latin-1",
            plain()
                .with(SHEET, b"<worksheet><sheetData>\xe9</sheetData></worksheet>")
                .packed(),
            damaged,
        ),
        Case::refused(
            "entities",
            with_sheet(&doctype(laughs).replace("row 0", "&b;")),
            entities,
        ),
        Case::refused(
            "an entity that is a file",
            with_sheet(
                &doctype("<!ENTITY f SYSTEM \"file:///etc/passwd\">").replace("row 0", "&f;"),
            ),
            entities,
        ),
        Case::refused(
            "an entity that nobody declared",
            changed("row 0", "&b;"),
            entities,
        ),
        Case::refused(
            "a character that is none",
            changed("row 0", "&#xD800;"),
            entities,
        ),
        Case::refused(
            "elements inside each other without end",
            with_sheet(&format!("<worksheet>{}", "<a>".repeat(10_000))),
            damaged,
        ),
    ]
}

fn other_files() -> Vec<Case> {
    let zip = |names: &[&str]| {
        let parts = names.iter().map(|name| ((*name).to_owned(), b"x".to_vec()));
        Parts(parts.collect()).packed()
    };
    let relations = "<Relationships><Relationship Id=\"r\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" \
         Target=\"xl/workbook.bin\"/></Relationships>";
    let binary = Parts(Vec::new())
        .with("_rels/.rels", relations)
        .with("xl/workbook.bin", "x");
    vec![
        Case::refused(
            "xls",
            ole("Workbook"),
            &["an old Excel workbook (.xls)", "save it as .xlsx"],
        ),
        Case::refused(
            "protected by a password",
            ole("EncryptedPackage"),
            &["remove the password"],
        ),
        Case::refused(
            "Excel 4",
            b"\x09\x04\x06\x00\x00\x00\x10\x00".to_vec(),
            &["(.xls)"],
        ),
        Case::refused(
            "xlsb",
            binary.packed(),
            &["a binary Excel workbook (.xlsb)"],
        ),
        Case::refused(
            "numbers",
            zip(&["Index/Document.iwa"]),
            &["a Numbers spreadsheet"],
        ),
        Case::refused(
            "docx",
            zip(&["[Content_Types].xml", "word/document.xml"]),
            &["a text document"],
        ),
        Case::refused("zip", zip(&["fleet.csv"]), &["a zip archive"]),
        Case::refused("an empty zip", zip(&[]), &["a zip archive"]),
        Case::refused(
            "a sheet of CSV",
            csv(2).into_bytes(),
            &["`--sheet` is for workbooks"],
        )
        .sheet("x"),
        Case::same(
            "CSV below a title",
            format!("\"Our fleet,\n{}", csv(2)).into_bytes(),
            format!("\n{}", csv(2)),
        )
        .header_row(2),
        Case::refused("CSV without the row", csv(2).into_bytes(), &["line 9"]).header_row(9),
    ]
}

/// An OLE container whose folder has this entry.
fn ole(entry: &str) -> Vec<u8> {
    let mut bytes = vec![0; 512 * 3];
    bytes[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    bytes[30] = 9;
    bytes[48] = 1;
    let name: Vec<u8> = entry.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes[1024 + 128..][..name.len()].copy_from_slice(&name);
    bytes
}
