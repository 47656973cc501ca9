//! From the bytes of a file to its sheet.

use super::archive::Archive;
use super::fault::Fault;
use super::ods;
use super::sheet::{Book, Sheet};
use super::sheets::{SheetName, chosen};
use super::xlsx;
use crate::manifest::blob::Blob;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::format::FileFormat;
use crate::manifest::limits::{
    HELD_BYTES_MAX, SHEET_TEXT_BYTES_ANY, SHEET_TEXT_BYTES_MAX, SHEET_TEXT_RATIO_MAX,
};
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::sheet_options::SheetOptions;

/// The sheet that is meant.
pub struct Opened {
    pub sheet: Sheet,
    pub name: String,
    /// It has to be told from others.
    pub is_one_of_several: bool,
    /// The most text that its cells may hold.
    pub text_bytes_max: u64,
}

/// Opens the sheet that is meant.
pub fn open(
    blob: &Blob,
    options: &SheetOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Opened, Fault> {
    if blob.len > HELD_BYTES_MAX as u64 {
        let limit = HELD_BYTES_MAX / (1024 * 1024);
        return Err(Fault::too_large(format!(
            "the file is larger than {limit} MiB"
        )));
    }
    let archive = Archive::open(blob.clone())?;
    let book = if archive.has(ods::CONTENT) {
        Book::Ods(ods::Book::open(&archive)?)
    } else if archive.names().any(is_of_excel) {
        Book::Xlsx(xlsx::Book::open(&archive)?)
    } else {
        return Err(Fault::format(FileFormat::of_parts(archive.names())));
    };
    let sheets: &[SheetName] = match &book {
        Book::Xlsx(book) => &book.sheets,
        Book::Ods(book) => &book.sheets,
    };
    let position = chosen(sheets, options, diagnostics)?;
    let text_bytes_max = blob.len.saturating_mul(SHEET_TEXT_RATIO_MAX);
    Ok(Opened {
        name: sheets[position].name.clone(),
        is_one_of_several: sheets.len() > 1,
        sheet: book.sheet(&archive, position)?,
        text_bytes_max: (SHEET_TEXT_BYTES_ANY + text_bytes_max).min(SHEET_TEXT_BYTES_MAX),
    })
}

/// Nearly all programs put the parts of a workbook into one folder, and none needs to.
fn is_of_excel(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    part.starts_with("xl/") || part.ends_with("workbook.xml")
}

/// What an OLE container is: a workbook of before 2007, or one that is encrypted.
pub fn compound(blob: &Blob) -> Fault {
    /// What the folder of the container calls the encrypted workbook, in UTF-16.
    const ENCRYPTED: &str = "EncryptedPackage";
    let mut head = [0; 512];
    let is_encrypted = blob.read_exact_at(&mut head, 0).is_ok() && {
        // The size of a sector as a power of two, and where the folder begins ([MS-CFB] 2.2).
        let shift = u32::from(head[30].clamp(9, 12));
        let first = u32::from_le_bytes([head[48], head[49], head[50], head[51]]);
        let mut folder = vec![0; 1 << shift];
        let place = (u64::from(first) + 1) << shift;
        let read = blob.read_at(&mut folder, place).unwrap_or_default();
        let name: Vec<u8> = ENCRYPTED
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        folder[..read]
            .windows(name.len())
            .any(|window| window == name)
    };
    if is_encrypted {
        Fault::of(SheetFault::Encrypted, "")
    } else {
        Fault::format(FileFormat::OldExcel)
    }
}
