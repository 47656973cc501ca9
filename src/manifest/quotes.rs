//! What the quotes of one line amount to, before `csv` sees it.
//!
//! `csv` forgives: it reads on past the line for a missing quote, and drops or keeps quotes that
//! stand in odd places. A password that is silently another one locks the owner out, so here all
//! of that is a fault.

use super::diagnostic::DiagnosticKind;

/// A line, split at its delimiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Cells, the last one included.
    pub cells: usize,
    pub ending: Ending,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Each quoted cell is closed.
    Closed,
    /// The last cell is quoted and still open.
    Open,
    /// The last cell looked at has a quote where none may be.
    Misplaced(DiagnosticKind),
}

/// Follows the quotes of `line`, from its beginning or (`inside`) from within a quoted cell.
pub fn scan(line: &[u8], delimiter: u8, inside: bool) -> Scan {
    enum At {
        /// Blanks so far: yes or no.
        CellStart(bool),
        Unquoted,
        Quoted,
        /// Behind a quote in a quoted cell: its end, or the first half of a doubled one.
        Quote,
    }
    let mut cells = 1;
    let mut at = if inside {
        At::Quoted
    } else {
        At::CellStart(false)
    };
    for &byte in line {
        at = match at {
            At::Quoted if byte == b'"' => At::Quote,
            At::Quoted => At::Quoted,
            At::Quote if byte == b'"' => At::Quoted,
            At::CellStart(_) | At::Unquoted | At::Quote if byte == delimiter => {
                cells += 1;
                At::CellStart(false)
            }
            At::Quote => {
                let ending = Ending::Misplaced(DiagnosticKind::TextAfterQuote);
                return Scan { cells, ending };
            }
            At::CellStart(false) if byte == b'"' => At::Quoted,
            At::CellStart(true) if byte == b'"' => {
                let ending = Ending::Misplaced(DiagnosticKind::SpaceBeforeQuote);
                return Scan { cells, ending };
            }
            At::CellStart(_) if matches!(byte, b' ' | b'\t') => At::CellStart(true),
            // A quote inside an unquoted cell is a character like any other: `19" rack`.
            At::CellStart(_) | At::Unquoted => At::Unquoted,
        };
    }
    let ending = match at {
        At::Quoted => Ending::Open,
        At::CellStart(_) | At::Unquoted | At::Quote => Ending::Closed,
    };
    Scan { cells, ending }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_followed_as_csv_follows_them() {
        for (line, inside, cells, ending) in [
            ("", false, 1, Ending::Closed),
            ("a,b", false, 2, Ending::Closed),
            ("\"a,b\",c", false, 2, Ending::Closed),
            ("\"a\"\"\",c", false, 2, Ending::Closed),
            ("19\" rack,c", false, 2, Ending::Closed),
            ("a,\"b,c", false, 2, Ending::Open),
            ("a,\"b\"\"", false, 2, Ending::Open),
            ("b\",c", true, 2, Ending::Closed),
            ("b,c", true, 1, Ending::Open),
            ("b\",\"c", true, 2, Ending::Open),
            (
                "a,\"b\"c",
                false,
                2,
                Ending::Misplaced(DiagnosticKind::TextAfterQuote),
            ),
            (
                "a, \"b\"",
                false,
                2,
                Ending::Misplaced(DiagnosticKind::SpaceBeforeQuote),
            ),
        ] {
            assert_eq!(
                scan(line.as_bytes(), b',', inside),
                Scan { cells, ending },
                "{line:?}"
            );
        }
    }
}
