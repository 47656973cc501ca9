//! Files that were made to fill the memory, or to take for ever.
//!
//! The limits are the same for all builds, and so is what is said. That it takes no longer than a second
//! is held against a release build (see `.ci/run`), with longer files.

use flate2::{Compress, Compression, FlushCompress};

use super::{HEADER, bounded, is_release, workbook};
use crate::rig::{FIRST, IMAGE, Rig};

const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const SHEET: &str = "xl/worksheets/sheet1.xml";
const STRINGS: &str = "xl/sharedStrings.xml";

/// One part of an archive, as the archive has it.
struct Part {
    name: String,
    method: u16,
    packed: Vec<u8>,
    /// What the archive claims of its size, and of its checksum.
    unpacked: u32,
    sum: u32,
}

impl Part {
    /// Not packed at all, so that it is as large as it looks.
    fn stored(name: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut sum = flate2::Crc::new();
        sum.update(content);
        Self {
            name: name.to_owned(),
            method: 0,
            packed: content.to_vec(),
            unpacked: u32::try_from(content.len()).unwrap(),
            sum: sum.sum(),
        }
    }

    /// `head`, then `times` times one and the same piece, packed as tightly as the format can.
    fn bomb(name: &str, head: &str, piece: &[u8], times: usize, claims: u32) -> Self {
        let mut pack = Compress::new(Compression::best(), false);
        let mut packed_by = |bytes: &[u8]| {
            let mut packed = Vec::with_capacity(bytes.len() + 1024);
            pack.compress_vec(bytes, &mut packed, FlushCompress::Full)
                .unwrap();
            packed
        };
        let mut packed = packed_by(head.as_bytes());
        let piece = packed_by(piece);
        (0..times).for_each(|_| packed.extend(&piece));
        Self {
            name: name.to_owned(),
            method: 8,
            packed,
            unpacked: claims,
            sum: 0,
        }
    }
}

/// An archive of these parts, whatever they claim.
fn archive(parts: &[Part]) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), Vec::new());
    for part in parts {
        let place = u32::try_from(bytes.len()).unwrap();
        let packed = u32::try_from(part.packed.len()).unwrap();
        let mut fields = Vec::new();
        fields.extend([20, 0, 0, 0]);
        fields.extend(part.method.to_le_bytes());
        fields.extend([0; 4]);
        fields.extend(
            [part.sum, packed, part.unpacked]
                .map(u32::to_le_bytes)
                .concat(),
        );
        fields.extend(u16::try_from(part.name.len()).unwrap().to_le_bytes());
        fields.extend([0; 2]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&fields);
        bytes.extend(part.name.as_bytes());
        bytes.extend(&part.packed);
        list.extend(b"PK\x01\x02\x14\0");
        list.extend(fields);
        list.extend([0; 10]);
        list.extend(place.to_le_bytes());
        list.extend(part.name.as_bytes());
    }
    let place = u32::try_from(bytes.len()).unwrap();
    let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
    let size = u32::try_from(list.len()).unwrap();
    bytes.extend(list);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend([size, place].map(u32::to_le_bytes).concat());
    bytes.extend([0; 2]);
    bytes
}

/// A workbook with these in the place of its own parts.
fn book(own: Vec<Part>) -> Vec<u8> {
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{RELATION}/{kind}\" Target=\"{target}\"/>")
    };
    let relations = |inside: &str| format!("<Relationships>{inside}</Relationships>");
    let of_book = relation("s", "worksheet", "worksheets/sheet1.xml")
        + &relation("t", "sharedStrings", "sharedStrings.xml");
    let usual = [
        (
            "_rels/.rels",
            relations(&relation("w", "officeDocument", "xl/workbook.xml")),
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"r\"><sheets><sheet name=\"a\" r:id=\"s\"/></sheets></workbook>"
                .to_owned(),
        ),
        ("xl/_rels/workbook.xml.rels", relations(&of_book)),
        (STRINGS, "<sst/>".to_owned()),
        (SHEET, sheet("")),
    ];
    let mut parts = own;
    for (name, content) in usual {
        if parts.iter().all(|part| part.name != name) {
            parts.push(Part::stored(name, content));
        }
    }
    archive(&parts)
}

fn cell(text: &str) -> String {
    format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

fn head() -> String {
    format!(
        "<worksheet><sheetData><row>{}</row>",
        HEADER.map(cell).concat()
    )
}

fn sheet(rows: &str) -> String {
    format!("{}{rows}</sheetData></worksheet>", head())
}

/// An `.ods` of this content.
fn document(rows: Part) -> Vec<u8> {
    archive(&[rows])
}

/// An `.ods` of a row of the style `n0`, with these styles.
fn styled(styles: &str) -> Vec<u8> {
    let row = "<table:table-row table:style-name=\"n0\"><table:table-cell table:style-name=\"n0\" \
               office:value-type=\"float\" office:value=\"1\"/></table:table-row>";
    archive(&[
        Part::stored(
            "styles.xml",
            format!("<x><office:styles>{styles}</office:styles></x>"),
        ),
        Part::stored("content.xml", ods(row)),
    ])
}

fn ods_head() -> String {
    let cell = |text: &str| {
        format!(
            "<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"
        )
    };
    format!(
        "<office:document-content><office:spreadsheet><table:table table:name=\"a\">\
         <table:table-row>{}</table:table-row>",
        HEADER.map(cell).concat()
    )
}

fn ods(rows: &str) -> String {
    ods_head() + rows + "</table:table></office:spreadsheet></office:document-content>"
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mebibyte = vec![b' '; 1 << 20];
    // Beyond every limit on their number.
    let very_many = |piece: &str| piece.repeat(if is_release() { 1_000_000 } else { 120_000 });
    // Fewer styles than there may be.
    let count = if is_release() { 90_000 } else { 15_000 };
    let first = format!("<row><c><v>{FIRST}</v></c>{}</row>", cell(IMAGE));
    let far = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    let repeated = |rows: u32, cells: u32| {
        format!(
            "<table:table-row table:number-rows-repeated=\"{rows}\"><table:table-cell \
             table:number-columns-repeated=\"{cells}\" office:value-type=\"float\" \
             office:value=\"1\"/></table:table-row>"
        )
    };
    let damaged = "damaged";
    let large = "larger than is read";
    vec![
        (
            "a sheet of eight gibibytes",
            book(vec![Part::bomb(
                SHEET,
                &head(),
                &mebibyte,
                8192,
                u32::MAX - 1,
            )]),
            large,
        ),
        (
            "one that claims to be small",
            book(vec![Part::bomb(SHEET, &head(), &mebibyte, 8192, 100)]),
            large,
        ),
        (
            "a few bytes that claim gigabytes",
            book(vec![Part::bomb(SHEET, &head(), &[], 0, 4_000_000_000)]),
            large,
        ),
        (
            "shared texts without end",
            book(vec![Part::bomb(STRINGS, "<sst>", &mebibyte, 4096, 100)]),
            large,
        ),
        (
            "a workbook without end",
            book(vec![Part::bomb(
                "xl/workbook.xml",
                "<workbook>",
                &mebibyte,
                64,
                100,
            )]),
            large,
        ),
        (
            "an .ods without end",
            document(Part::bomb("content.xml", &ods_head(), &mebibyte, 8192, 100)),
            large,
        ),
        (
            "a kind of document without end",
            archive(&[
                Part::stored("content.xml", ods("")),
                Part::bomb("mimetype", "", &mebibyte, 64, 100),
            ]),
            large,
        ),
        (
            "a text of a megabyte in 12,000 cells",
            book(vec![strings(1, &"x".repeat(1_000_000)), in_cells("")]),
            "more than 4096 characters",
        ),
        (
            "the longest text in 12,000 cells of no column",
            book(vec![
                strings(1, &"x".repeat(4096)),
                in_cells("<c/><c/><c/>"),
            ]),
            large,
        ),
        (
            "48 MiB of texts",
            book(vec![strings(12_000, &"x".repeat(4096))]),
            large,
        ),
        (
            "a text of eight mebibytes",
            book(vec![Part::stored(SHEET, sheet(&"x".repeat(8 << 20)))]),
            large,
        ),
        (
            "an attribute of eight mebibytes",
            book(vec![Part::stored(
                SHEET,
                sheet(&format!("<row x=\"{}\"/>", "y".repeat(8 << 20))),
            )]),
            large,
        ),
        (
            "a cell of many small texts",
            document(Part::stored(
                "content.xml",
                ods(&format!(
                    "<table:table-row><table:table-cell office:value-type=\"string\">{}</table:table-cell></table:table-row>",
                    very_many("<text:p>12345678901234567890</text:p>")
                )),
            )),
            "more than 4096 characters",
        ),
        (
            "very many elements in each other",
            book(vec![Part::stored(SHEET, very_many("<a>"))]),
            damaged,
        ),
        (
            "very many hidden columns",
            book(vec![Part::stored(
                SHEET,
                format!(
                    "<worksheet>{}",
                    very_many("<col min=\"1\" max=\"9\" hidden=\"1\"/>")
                ),
            )]),
            large,
        ),
        (
            "very many merged areas",
            book(vec![Part::stored(
                SHEET,
                sheet(&first) + &very_many("<mergeCell ref=\"A1:B2\"/>"),
            )]),
            large,
        ),
        (
            "very many sheets",
            book(vec![Part::stored(
                "xl/workbook.xml",
                format!(
                    "<workbook>{}</workbook>",
                    very_many("<sheet name=\"a\" r:id=\"s\"/>")
                ),
            )]),
            large,
        ),
        (
            "very many styles",
            document(Part::stored(
                "content.xml",
                very_many("<style:style style:name=\"a\" style:family=\"table\"/>").replacen(
                    "<style",
                    "<x><style",
                    1,
                ),
            )),
            large,
        ),
        (
            "styles that inherit from each other in one long line",
            styled(
                &((0..count)
                    .map(|nth| {
                        format!(
                            "<style:style style:name=\"n{nth}\" style:family=\"table-row\" \
                             style:parent-style-name=\"n{}\"/>",
                            nth + 1
                        )
                    })
                    .collect::<Vec<String>>()
                    .concat()
                    + &format!(
                        "<style:style style:name=\"n{count}\" style:family=\"table-row\">\
                         <style:table-row-properties style:row-height=\"0cm\"/></style:style>"
                    )),
            ),
            "row 2",
        ),
        (
            "formats that all show a long word by another one",
            styled(
                &(format!(
                    "<number:text-style style:name=\"w\"><number:text>{}</number:text></number:text-style>",
                    "x".repeat(120)
                ) + &(0..count)
                    .map(|nth| {
                        format!(
                            "<number:text-style style:name=\"d{nth}\"><style:map style:condition=\
                             \"value()&gt;0\" style:apply-style-name=\"w\"/></number:text-style>"
                        )
                    })
                    .collect::<Vec<String>>()
                    .concat()
                    + "<style:style style:name=\"n0\" style:family=\"table-cell\" style:data-style-name=\"d0\"/>"),
            ),
            "something else than it shows",
        ),
        (
            "styles with long names",
            styled(
                &(0..count)
                    .map(|nth| {
                        format!("<style:style style:family=\"table\" style:name=\"{nth:1000}\"/>")
                    })
                    .collect::<Vec<String>>()
                    .concat(),
            ),
            large,
        ),
        (
            "a sheet with very many tables",
            book(vec![Part::stored(
                "xl/worksheets/_rels/sheet1.xml.rels",
                format!(
                    "<x>{}</x>",
                    very_many(&format!(
                        "<Relationship Id=\"a\" Type=\"{RELATION}/table\" Target=\"sheet1.xml\"/>"
                    ))
                ),
            )]),
            large,
        ),
        (
            "a cell at the end of the sheet",
            book(vec![Part::stored(SHEET, sheet(&(first + far)))]),
            "XFD1048576",
        ),
        (
            "all cells of a sheet, in a few bytes",
            document(Part::stored(
                "content.xml",
                ods(&repeated(1_048_575, 16_384)),
            )),
            "cell D2",
        ),
        (
            "areas that are merged across more columns than there are",
            document(Part::stored(
                "content.xml",
                ods(&format!(
                    "<table:table-row>{}</table:table-row><table:table-row><table:table-cell \
                     office:value-type=\"float\" office:value=\"{FIRST}\"/></table:table-row>",
                    "<table:table-cell table:number-columns-repeated=\"20\"/>\
                     <table:table-cell table:number-columns-spanned=\"4294967295\"/>"
                        .repeat(9000)
                )),
            )),
            "cell B3",
        ),
        (
            "all cells of a row in each of many rows",
            document(Part::stored(
                "content.xml",
                ods(&repeated(1, 16_384).repeat(if is_release() { 60_000 } else { 6000 })),
            )),
            "cells D2-D",
        ),
        (
            "60,000 parts",
            archive(
                &(0..60_000)
                    .map(|nth| Part::stored(&format!("xl/{nth}"), ""))
                    .collect::<Vec<_>>(),
            ),
            large,
        ),
    ]
}

/// So many texts that cells share, which are all alike.
fn strings(count: usize, text: &str) -> Part {
    let texts = format!("<si><t>{text}</t></si>").repeat(count);
    Part::stored(STRINGS, ["<sst>", &texts, "</sst>"].concat())
}

/// The first of these texts in 12,000 cells, three in a row behind these ones.
fn in_cells(before: &str) -> Part {
    let row = format!("<row>{before}{}</row>", "<c t=\"s\"><v>0</v></c>".repeat(3));
    Part::stored(SHEET, sheet(&row.repeat(4000)))
}

/// What takes too long for a debug build of each run of the tests.
fn long_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let large = "larger than is read";
    vec![
        (
            "three million empty texts",
            book(vec![strings(3_000_000, "")]),
            large,
        ),
        (
            "the longest text in 12,000 cells",
            book(vec![strings(1, &"x".repeat(4096)), in_cells("")]),
            large,
        ),
    ]
}

#[test]
fn hostile_workbooks_end_quickly_and_in_little_memory() {
    let rig = Rig::new(1);
    let mut files = files();
    if is_release() {
        files.extend(long_files());
    }
    for (name, bytes, says) in files {
        rig.write("hostile", bytes);
        let ended = bounded(&rig, "hostile");
        assert_eq!(ended.code, 2, "{name}: {ended}");
        assert!(
            ended.err.contains(says),
            "{name}: {says:?} is not in\n{}",
            ended.err
        );
    }
}

/// The limits of the test before are none that an honest file meets.
#[test]
fn an_honest_workbook_fits_into_the_same_limits() {
    let rig = Rig::new(1);
    rig.write("fleet.xlsx", workbook(&["fleet"], 2000));
    bounded(&rig, "fleet.xlsx").exit(0);
}
