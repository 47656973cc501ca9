//! README's picture of the display: drawn by hand of this command, of a run of now, and looked at by a
//! person before it is committed.
//!
//! ```sh
//! cargo test --test it pictures -- --ignored
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use vt100::{Color, Parser, Screen};

use crate::rig::{Rig, Size, on_a_terminal};
use refleet::simulator::{Fault, FaultKind};

const ROWS: u16 = 18;
const COLUMNS: u16 = 92;

/// Of a cell, in pixels.
const CELL: (u16, u16) = (8, 19);

/// Around the screen, in pixels.
const MARGIN: u16 = 16;

#[test]
#[ignore = "draws examples/display.svg anew"]
fn the_display_of_a_run_is_drawn() {
    let rig = Rig::with(60, |config| {
        config.rebuild_duration = Duration::from_secs(3);
    });
    let refusal = |error: &str| Fault {
        error_type: Some(error.to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(9, refusal("value"));
    rig.fault(17, refusal("limit"));
    rig.doubt(23);
    let command = rig.order("fleet.csv", &["--progress", "bar", "--rate", "20"]);
    let (_, written) = on_a_terminal(command, Size(ROWS, COLUMNS), &[]);
    let mut terminal = Parser::new(ROWS, COLUMNS, 0);
    let is_the_one = |screen: &Screen| {
        let text = screen.contents();
        let is_known = text.contains("ETA ") && !text.contains("ETA –");
        // Drawn to the end: the last line says how long it has taken.
        let is_whole = text.trim_end().ends_with('s') && text.contains("queued ");
        is_known && is_whole && (40..45).any(|ended| text.contains(&format!("{ended}/60")))
    };
    for piece in written.split_inclusive('\u{1b}') {
        terminal.process(piece.as_bytes());
        if is_the_one(terminal.screen()) {
            let picture = drawn(terminal.screen());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/display.svg");
            std::fs::write(path, picture).unwrap();
            return;
        }
    }
    panic!("it never came: {written}");
}

/// The screen as an SVG, from the first line that speaks of an instance on: those above name the machine.
fn drawn(screen: &Screen) -> String {
    let lines: Vec<String> = screen.rows(0, COLUMNS).collect();
    let from = lines
        .iter()
        .position(|line| line.contains("Z service "))
        .unwrap();
    let until = lines.iter().rposition(|line| !line.is_empty()).unwrap() + 1;
    let [from, until] = [from, until].map(|row| u16::try_from(row).unwrap());
    let width = COLUMNS * CELL.0 + 2 * MARGIN;
    let height = (until - from) * CELL.1 + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"refleet run, in a terminal\" font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#14181f\"/>\n"
    );
    for row in from..until {
        let mut column = 0;
        while column < COLUMNS {
            let style = style(screen, row, column);
            let begins = column;
            let mut text = String::new();
            while column < COLUMNS && self::style(screen, row, column) == style {
                let cell = screen.cell(row, column).unwrap();
                text.push_str(if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                });
                column += 1;
            }
            if text.trim().is_empty() {
                continue;
            }
            let x = MARGIN + begins * CELL.0;
            let y = MARGIN + (row - from) * CELL.1 + 14;
            let length = (column - begins) * CELL.0;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" fill=\"{style}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{text}</text>"
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}

/// The colour of a cell.
fn style(screen: &Screen, row: u16, column: u16) -> &'static str {
    let cell = screen.cell(row, column).unwrap();
    match cell.fgcolor() {
        Color::Idx(1) => "#ff7b72",
        Color::Idx(2) => "#7ee787",
        Color::Idx(3) => "#e3b341",
        Color::Idx(4 | 6) => "#79c0ff",
        Color::Default | Color::Idx(_) | Color::Rgb(..) if cell.dim() => "#8b949e",
        Color::Default | Color::Idx(_) | Color::Rgb(..) => "#d6dbe1",
    }
}
