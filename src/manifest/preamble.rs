//! What stands above the header, and where the header is.
//!
//! Blank lines, remarks that begin with `#`, and Excel's `sep=;` are passed over. A title is not,
//! since nothing tells it from a wrong header. A header that seems to stand further down is only
//! pointed out: if it were taken, the machines in the rows above it would be left out silently.

use std::io;

use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::header;
use super::lines::{Line, Lines, MARK, MARK_BYTES, unreadable};
use super::sheet_fault::SheetFault;

/// The delimiters that are recognised by themselves.
pub const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// What a person, or a program that cannot know better, takes for a delimiter besides.
const OTHER_DELIMITERS: [u8; 3] = [b'|', b':', b' '];

/// The first line that means something.
pub struct First {
    pub line: Line,
    pub bytes: Vec<u8>,
    pub delimiter: u8,
}

/// Reads up to the header, which is the line `header_row` if somebody has said so. `None`: there is
/// none, or it cannot be read; the diagnostics say why.
pub fn first(
    lines: &mut Lines,
    header_row: Option<u64>,
    diagnostics: &mut Vec<Diagnostic>,
) -> io::Result<Option<First>> {
    let mut bytes = Vec::new();
    let mut told = None;
    loop {
        let Some(line) = lines.next(&mut bytes)? else {
            diagnostics.push(empty(header_row));
            return Ok(None);
        };
        // What stands above the line that somebody has named may be anything.
        let is_above = header_row.is_some_and(|row| line.number < row);
        // Marks that were doubled on the way; `csv` would drop the first one, too, and find no
        // record where nothing is left.
        let marks = bytes
            .chunks(MARK_BYTES.len())
            .take_while(|mark| *mark == MARK_BYTES);
        let marks_bytes = marks.count() * MARK_BYTES.len();
        bytes.drain(..marks_bytes);
        let unreadable = unreadable(line, &bytes).filter(|_| !is_above);
        if let Some(kind) = unreadable {
            diagnostics.push(Diagnostic::line(kind, line.number));
            return Ok(None);
        }
        if is_blank(&bytes) {
            if header_row == Some(line.number) {
                diagnostics.push(empty(header_row));
                return Ok(None);
            }
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        if told.is_none()
            && let Some(separator) = separator(&text)
        {
            told = Some(separator);
            continue;
        }
        let delimiter = told.unwrap_or_else(|| delimiter(&text));
        let is_remark = || is_remark(&text) && header::known(cells(&text, delimiter)) == 0;
        if is_above || (header_row.is_none() && is_remark()) {
            continue;
        }
        let first = First {
            line,
            bytes,
            delimiter,
        };
        return Ok(Some(first));
    }
}

/// There is no header, or not where somebody has said that it is.
fn empty(header_row: Option<u64>) -> Diagnostic {
    match header_row {
        Some(row) => Diagnostic::line(DiagnosticKind::Workbook(SheetFault::HeaderRowEmpty), row),
        None => Diagnostic::file(DiagnosticKind::Empty),
    }
}

/// The line further down that looks like the header.
pub fn header_below(required: &[Column], lines: &mut Lines) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    while let Some(line) = lines.next(&mut bytes)? {
        if looks_like_header(required, &bytes) {
            return Ok(Some(line.number));
        }
    }
    Ok(None)
}

/// This line names the columns that are `required`.
pub fn looks_like_header(required: &[Column], line: &[u8]) -> bool {
    // Quickly, for it is asked of each line of a file without a header.
    if !line.iter().any(u8::is_ascii_alphabetic) {
        return false;
    }
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches(MARK);
    DELIMITERS
        .into_iter()
        .any(|delimiter| header::is_header(required, cells(text, delimiter)))
}

/// Nothing but delimiters and quotes: a row whose cells are all empty.
fn is_blank(line: &[u8]) -> bool {
    line.iter()
        .all(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'"'))
}

fn is_remark(line: &str) -> bool {
    line.trim_start().trim_start_matches('"').starts_with('#')
}

/// The cells of a line: enough to tell names.
fn cells(line: &str, delimiter: u8) -> impl Iterator<Item = &str> + Clone {
    let mut inside = false;
    line.split(move |character| {
        inside ^= character == '"';
        character == char::from(delimiter) && !inside
    })
    .map(|cell| cell.trim().trim_matches('"'))
}

/// `sep=;`, as Excel obeys it, also quoted, and filled up with delimiters by whatever saved it.
fn separator(line: &str) -> Option<u8> {
    let line = line.trim_matches([' ', '"']);
    let (name, value) = line.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case("sep=") {
        return None;
    }
    let value = if value.eq_ignore_ascii_case("\\t") {
        "\t"
    } else {
        value
    };
    let mut bytes = value.bytes().filter(|byte| *byte != b'"');
    let first = bytes.next()?;
    let is_one =
        first.is_ascii() && !first.is_ascii_alphanumeric() && bytes.all(|byte| byte == first);
    is_one.then_some(first)
}

/// The delimiter that makes the most of the header: known columns first, then columns.
fn delimiter(header: &str) -> u8 {
    DELIMITERS
        .into_iter()
        .rev() // `max_by_key` takes the last of equals
        .max_by_key(|delimiter| {
            let cells = cells(header, *delimiter);
            (header::known(cells.clone()), cells.count())
        })
        .unwrap_or(b',')
}

/// The character that would make this line a header, if it were taken for a delimiter.
pub fn foreign_delimiter(required: &[Column], header: &[u8]) -> Option<char> {
    let text = String::from_utf8_lossy(header);
    OTHER_DELIMITERS
        .into_iter()
        .find(|delimiter| header::is_header(required, cells(&text, *delimiter)))
        .map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Field case E1.
    #[test]
    fn excels_line_about_the_delimiter_is_understood() {
        for (line, told) in [
            ("sep=;", Some(b';')),
            ("SEP=,", Some(b',')),
            ("\"sep=;\"", Some(b';')),
            ("sep=\t", Some(b'\t')),
            ("sep=\\t", Some(b'\t')),
            ("sep=|", Some(b'|')),
            ("sep=;;;;", Some(b';')),
            ("\"sep=;\";;", Some(b';')),
            ("sep=", None),
            ("sep=a", None),
            ("separator;image", None),
            ("service_id;image", None),
            ("sep", None),
        ] {
            assert_eq!(separator(line), told, "{line:?}");
        }
    }
}
