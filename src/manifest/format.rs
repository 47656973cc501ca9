//! What a file is that is neither CSV nor a workbook that is read; and what a line is that is not
//! the UTF-8 it should be.

use std::fmt;

/// How much of a file is looked at.
pub const HEAD_BYTES: usize = 4096;

/// A file that is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `.xls`
    OldExcel,
    /// `.xlsb`
    BinaryExcel,
    /// `.numbers`
    Numbers,
    /// `.docx`, `.rtf`
    Document,
    /// `.zip`
    Zip,
    /// `.gz`, `.xz`, …
    Compressed,
    /// `.pdf`
    Pdf,
    /// A web page, or a table that was exported as one
    Html,
    /// XML, Excel's of 2003 included
    Xml,
    /// JSON
    Json,
    /// `.slk`
    Sylk,
    /// A picture
    Picture,
    /// A SQLite database
    Database,
    /// UTF-32
    Utf32,
    /// Anything else that is no text
    Binary,
}

/// As it stands behind "this is".
impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldExcel => "an old Excel workbook (.xls)",
            Self::BinaryExcel => "a binary Excel workbook (.xlsb)",
            Self::Numbers => "a Numbers spreadsheet",
            Self::Document => "a text document",
            Self::Zip => "a zip archive",
            Self::Compressed => "a compressed file",
            Self::Pdf => "a PDF",
            Self::Html => "a web page (HTML)",
            Self::Xml => "XML",
            Self::Json => "JSON",
            Self::Sylk => "a SYLK spreadsheet (.slk)",
            Self::Picture => "a picture",
            Self::Database => "a SQLite database",
            Self::Utf32 => "UTF-32 text",
            Self::Binary => "no text",
        })
    }
}

impl FileFormat {
    /// What an archive is that is no workbook, by the names of its parts.
    pub fn of_parts<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        for name in names {
            if name.starts_with("word/") {
                return Self::Document;
            }
            if name.starts_with("Index/") || name == "Index.zip" {
                return Self::Numbers;
            }
        }
        Self::Zip
    }

    /// What a person does about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::OldExcel | Self::BinaryExcel | Self::Numbers | Self::Sylk => {
                "open it, save it as .xlsx, or the sheet as `CSV UTF-8`, and name that file"
            }
            Self::Html | Self::Xml => {
                "open it in a spreadsheet program, and save the sheet as `CSV UTF-8`; if it was \
                 downloaded, is it the page that asks for a login?"
            }
            Self::Document | Self::Pdf | Self::Picture => {
                "put the table into a spreadsheet program, and save it as `CSV UTF-8`"
            }
            Self::Zip | Self::Compressed => "unpack it, and name the spreadsheet in it",
            Self::Database => "the queue is given by `--db`; the manifest is the spreadsheet",
            Self::Json | Self::Utf32 | Self::Binary => "save the sheet as `CSV UTF-8`",
        }
    }

    /// What the file is whose first bytes these are; `None`: it may be CSV.
    pub fn of(head: &[u8]) -> Option<Self> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let holds = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
        match head {
            // The workbook of Excel 4 and before, without a container.
            [0x09, 0x00 | 0x02 | 0x04 | 0x08, 0x04..=0x10, 0x00, ..] => {
                return Some(Self::OldExcel);
            }
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(Self::Utf32),
            [0x1f, 0x8b, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', ..]
            | [0xfd, b'7', b'z', b'X', b'Z', ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [b'7', b'z', 0xbc, 0xaf, ..]
            | [b'R', b'a', b'r', b'!', 0x1a, ..] => return Some(Self::Compressed),
            [0x89, b'P', b'N', b'G', ..]
            | [0xff, 0xd8, 0xff, ..]
            | [b'G', b'I', b'F', b'8', ..] => {
                return Some(Self::Picture);
            }
            _ => {}
        }
        if head.starts_with(b"SQLite format 3\0") {
            return Some(Self::Database);
        }
        if head.starts_with(b"ID;P") {
            return Some(Self::Sylk);
        }
        let text = head.strip_prefix(MARK).unwrap_or(head).trim_ascii_start();
        let begins = |word: &[u8]| {
            text.get(..word.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
        };
        if begins(b"%PDF-") {
            Some(Self::Pdf)
        } else if begins(b"{\\rtf") {
            Some(Self::Document)
        } else if begins(b"<?xml") {
            Some(if holds(b"<html") {
                Self::Html
            } else {
                Self::Xml
            })
        } else if [
            &b"<!doctype"[..],
            b"<html",
            b"<head",
            b"<body",
            b"<table",
            b"<meta",
            b"<!--",
        ]
        .into_iter()
        .any(begins)
        {
            Some(Self::Html)
        } else if begins(b"{") || begins(b"[{") || (begins(b"[") && holds(b"{")) {
            Some(Self::Json)
        } else if head.starts_with(b"\x7fELF") || is_binary(head) {
            Some(Self::Binary)
        } else {
            None
        }
    }
}

/// A file that other files are packed into, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A zip archive, such as `.xlsx` and `.ods` are.
    Zip,
    /// An OLE container, such as `.xls` is, and whatever Office has encrypted.
    Ole,
}

impl Container {
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => Some(Self::Zip),
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Some(Self::Ole),
            _ => None,
        }
    }
}

/// Control characters all over. NUL bytes are not counted: they may be UTF-16, or a damage that the
/// line can be named for.
fn is_binary(head: &[u8]) -> bool {
    let odd = |byte: &&u8| matches!(byte, 1..=8 | 11 | 12 | 14..=25 | 28..=31 | 127);
    head.iter().filter(odd).count() > head.len() / 10 + 2
}

/// What JSON this is: the report has these fields on each row.
pub fn is_json_report(head: &[u8]) -> bool {
    let holds = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    holds(b"\"service_id\"") && holds(b"\"executed\"")
}

/// UTF-16 that does not say so: every second byte of its ASCII is zero.
pub fn is_bare_utf16(head: &[u8]) -> bool {
    // Not further: behind a line of plain text it is another file that was joined.
    const LOOKED_AT: usize = 64;
    let head = &head[..head.len().min(LOOKED_AT)];
    let zeros = |first: usize| {
        head.iter()
            .skip(first)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    (even == 0) != (odd == 0) && even.max(odd) >= (head.len() / 8).max(2)
}

/// What the bytes of a line may be that are no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    /// Windows-1251, KOI8-R and their like.
    Cyrillic,
    /// Windows-1252, Windows-1250 and their like.
    Latin,
    /// UTF-8 that was cut or damaged.
    DamagedUtf8,
}

/// As it stands behind "the line is not UTF-8,".
impl fmt::Display for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cyrillic => "but probably windows-1251 or another Cyrillic encoding",
            Self::Latin => "but probably Windows-1252, Windows-1250 or Latin-1",
            Self::DamagedUtf8 => "it was cut or damaged",
        })
    }
}

impl Legacy {
    /// What a person does about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Cyrillic => {
                "save it as `CSV UTF-8`, or convert it: `iconv -f WINDOWS-1251 -t UTF-8`"
            }
            Self::Latin => {
                "save it as `CSV UTF-8`, or convert it: `iconv -f WINDOWS-1252 -t UTF-8`"
            }
            Self::DamagedUtf8 => {
                "save or copy the file again; were files of different encodings joined?"
            }
        }
    }

    /// A guess at a line that is no UTF-8.
    pub fn of(line: &[u8]) -> Self {
        // Letters of an alphabet that is not Latin stand next to each other.
        const RUN_MIN: usize = 3;
        let whole = line.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
        let cut = line.utf8_chunks().any(|chunk| chunk.invalid().len() > 1);
        let longest = line
            .split(u8::is_ascii)
            .map(<[u8]>::len)
            .max()
            .unwrap_or_default();
        if longest >= RUN_MIN && !whole {
            Self::Cyrillic
        } else if whole || cut {
            Self::DamagedUtf8
        } else {
            Self::Latin
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_guessed_by_what_stands_side_by_side() {
        for (line, legacy) in [
            (&b"1,A,\xcf\xe0\xf0\xee\xeb\xfc"[..], Legacy::Cyrillic),
            (b"1,A,\xf0\xc1\xd2\xcf\xcc\xd8", Legacy::Cyrillic),
            (b"1,A,K\xf6ln", Legacy::Latin),
            (b"1,A,has\xb3o", Legacy::Latin),
            ("1,A,Köln und Mün".as_bytes(), Legacy::DamagedUtf8),
        ] {
            let cut = &line[..line.len()];
            if std::str::from_utf8(cut).is_err() {
                assert_eq!(Legacy::of(cut), legacy, "{cut:?}");
            }
        }
        let cut = "1,A,Köln, Düsseldorf".as_bytes();
        let cut = [&cut[..11], b"\xc3,x"].concat();
        assert_eq!(Legacy::of(&cut), Legacy::DamagedUtf8);
    }

    #[test]
    fn utf_16_is_known_by_its_zeros_whatever_alphabet_it_begins_with() {
        for text in ["service_id,image\n", "Пароль;service_id;image\n1;x;y\n"] {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert!(is_bare_utf16(&little) && is_bare_utf16(&big), "{text}");
        }
        assert!(!is_bare_utf16(b"service_id,image\n"));
        assert!(!is_bare_utf16(
            &[&b"service_id,image\n"[..], &[0; 300]].concat()
        ));
    }
}
