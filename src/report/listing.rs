//! A list that is known whole, as table, CSV or JSON: what an account holds and offers.
//!
//! The columns of CSV and the fields of JSON have the same names, which scripts rely on.

use std::io::{self, BufWriter, Write};

use console::measure_text_width;
use serde::Serializer as _;
use serde_json::Value;

use super::Format;
use crate::text;

/// The version of the JSON: it grows when a field changes its meaning or goes away.
const VERSION: u8 = 1;
/// Characters of a cell of the table, which is for people.
const CELL_CHARS_MAX: usize = 48;
/// Between two columns.
const GAP: usize = 2;

/// Rows under named columns. A cell is a text, a number, or `null` where there is nothing.
#[derive(Debug)]
pub struct Listing {
    /// What the rows are, as the JSON calls them.
    pub name: &'static str,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<Value>>,
}

impl Listing {
    pub fn write(&self, format: Format, out: impl Write) -> io::Result<()> {
        match format {
            Format::Table => self.table(BufWriter::new(out)),
            Format::Csv => self.csv(out),
            Format::Json => self.json(BufWriter::new(out)),
        }
    }

    fn table(&self, mut out: impl Write) -> io::Result<()> {
        let header = self.columns.iter().map(|name| name.replace('_', " "));
        let mut lines: Vec<Vec<String>> = vec![header.collect()];
        for row in &self.rows {
            let cells = row.iter().map(plain);
            lines.push(
                cells
                    .map(|text| text::brief(&text, CELL_CHARS_MAX))
                    .collect(),
            );
        }
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                let blanks = width.saturating_sub(measure_text_width(cell)) + GAP;
                text.extend(std::iter::repeat_n(' ', blanks));
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        out.flush()
    }

    /// For spreadsheets, and for refleet itself, which reads a manifest so written: no cell runs, and
    /// [`text::unguarded`] gives back what each held.
    fn csv(&self, out: impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.columns)?;
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(plain).collect();
            writer.write_record(cells.iter().map(|text| text::guarded(text).into_owned()))?;
        }
        writer.flush()
    }

    /// `{"version":1,"NAME":[…]}`, one row a line.
    fn json(&self, mut out: impl Write) -> io::Result<()> {
        write!(out, "{{\"version\":{VERSION},\"{}\":[", self.name)?;
        for (index, row) in self.rows.iter().enumerate() {
            out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
            let fields = self.columns.iter().zip(row);
            serde_json::Serializer::new(&mut out).collect_map(fields)?;
        }
        out.write_all(if self.rows.is_empty() {
            b"]}\n"
        } else {
            b"\n]}\n"
        })?;
        out.flush()
    }
}

/// Nothing is an empty cell.
fn plain(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text::printable(text).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(format: Format, rows: Vec<Vec<Value>>) -> String {
        let listing = Listing {
            name: "things",
            columns: &["thing_id", "name", "note"],
            rows,
        };
        let mut out = Vec::new();
        listing.write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn rows() -> Vec<Vec<Value>> {
        vec![
            vec![json!(5), json!("=日本;+1"), json!("say \"hi\", you")],
            vec![json!(12345), json!(null), json!("'=x")],
        ]
    }

    #[test]
    fn a_list_is_written_for_people_spreadsheets_and_scripts() {
        assert_eq!(
            written(Format::Table, rows()),
            "thing id  name      note\n\
             5         =日本;+1  say \"hi\", you\n\
             12345               '=x\n"
        );
        assert_eq!(
            written(Format::Csv, rows()),
            "thing_id,name,note\n5,'=日本;'+1,\"say \"\"hi\"\", you\"\n12345,,''=x\n"
        );
        assert_eq!(
            written(Format::Json, rows()),
            "{\"version\":1,\"things\":[\n\
             {\"thing_id\":5,\"name\":\"=日本;+1\",\"note\":\"say \\\"hi\\\", you\"},\n\
             {\"thing_id\":12345,\"name\":null,\"note\":\"'=x\"}\n]}\n"
        );
    }

    #[test]
    fn an_empty_list_is_one_all_the_same() {
        assert_eq!(written(Format::Table, Vec::new()), "thing id  name  note\n");
        assert_eq!(written(Format::Csv, Vec::new()), "thing_id,name,note\n");
        assert_eq!(
            written(Format::Json, Vec::new()),
            "{\"version\":1,\"things\":[]}\n"
        );
    }
}
