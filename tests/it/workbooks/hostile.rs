//! Files that were made to fill the memory, or to take for ever.

use flate2::{Compress, Compression, FlushCompress};

use super::{HEADER, bounded, workbook};
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
    let strings = |count: usize, text: &str| {
        Part::stored(
            STRINGS,
            format!(
                "<sst>{}</sst>",
                format!("<si><t>{text}</t></si>").repeat(count)
            ),
        )
    };
    let in_12000_cells = || {
        let row = format!("<row>{}</row>", "<c t=\"s\"><v>0</v></c>".repeat(3));
        Part::stored(SHEET, sheet(&row.repeat(4000)))
    };
    let million = |piece: &str| piece.repeat(1_000_000);
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
            book(vec![strings(1, &"x".repeat(1_000_000)), in_12000_cells()]),
            "more than 4096 characters",
        ),
        (
            "the longest text in 12,000 cells",
            book(vec![strings(1, &"x".repeat(4096)), in_12000_cells()]),
            large,
        ),
        (
            "three million empty texts",
            book(vec![strings(3_000_000, "")]),
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
                    million("<text:p>12345678901234567890</text:p>")
                )),
            )),
            "more than 4096 characters",
        ),
        (
            "a million elements in each other",
            book(vec![Part::stored(SHEET, million("<a>"))]),
            damaged,
        ),
        (
            "a million hidden columns",
            book(vec![Part::stored(
                SHEET,
                format!(
                    "<worksheet>{}",
                    million("<col min=\"1\" max=\"9\" hidden=\"1\"/>")
                ),
            )]),
            large,
        ),
        (
            "a million merged areas",
            book(vec![Part::stored(
                SHEET,
                sheet(&first) + &million("<mergeCell ref=\"A1:B2\"/>"),
            )]),
            large,
        ),
        (
            "a million sheets",
            book(vec![Part::stored(
                "xl/workbook.xml",
                format!(
                    "<workbook>{}</workbook>",
                    million("<sheet name=\"a\" r:id=\"s\"/>")
                ),
            )]),
            large,
        ),
        (
            "a million styles",
            document(Part::stored(
                "content.xml",
                million("<style:style style:name=\"a\" style:family=\"table\"/>").replacen(
                    "<style",
                    "<x><style",
                    1,
                ),
            )),
            damaged,
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
            "a thousand cells in each of many rows",
            document(Part::stored(
                "content.xml",
                ods(&repeated(1, 16_384).repeat(60_000)),
            )),
            large,
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

#[test]
fn hostile_workbooks_end_quickly_and_in_little_memory() {
    let rig = Rig::new(1);
    for (name, bytes, says) in files() {
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
