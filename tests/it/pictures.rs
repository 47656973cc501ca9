//! README's pictures of the display and of the report: drawn by hand of this command, of a run of now, and
//! looked at by a person before they are committed.
//!
//! ```sh
//! cargo test --test it pictures -- --ignored
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use vt100::{Color, Parser, Screen};

use crate::rig::{Browser, IMAGE, OTHER_IMAGE, Rig, Size, bare, finish, on_a_terminal, sql};
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

#[test]
#[ignore = "draws examples/report.webp anew"]
fn the_first_screen_of_a_report_is_drawn() {
    let browser = Browser::start().expect("apt-get install chromium chromium-driver");
    let rig = Rig::new(1);
    let report = two_nights(&rig);
    browser.prefer("light");
    browser.resize(1280, 800);
    browser.open(&report);
    let picture = base64::engine::general_purpose::STANDARD.decode(browser.picture());
    let picture = picture.unwrap();
    assert!(picture.len() < 150_000, "{}", picture.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/report.webp");
    std::fs::write(path, picture).unwrap();
}

/// Two nights of a fleet as they could have been, in the default database of the rig's home.
fn two_nights(rig: &Rig) -> PathBuf {
    let mut manifest = "service_id,image,password,note\n".to_owned();
    for (place, service) in (0..480).zip(5_113_119..) {
        let image = [IMAGE, OTHER_IMAGE, "7c2f9a54-61d3-4e0b-8a17-2f5d90b6c3e8"][place % 3];
        writeln!(
            manifest,
            "{service},{image},Sesame-Xyzzy-4711,rack {}",
            place / 40 + 1
        )
        .unwrap();
    }
    rig.write("fleet.csv", manifest);
    let refleet = |args: &[&str]| {
        let mut command = bare(rig.folder.path());
        command.args(args).arg("--quiet");
        finish(command).exit(0);
    };
    let database = rig.path(".local/state/refleet/refleet.db");
    for _ in 0..2 {
        refleet(&["load", "fleet.csv", "--again", "--wiped"]);
        for statement in NIGHT {
            sql(&database, statement);
        }
    }
    refleet(&["report", "--output", "report.html"]);
    rig.path("report.html")
}

/// What became of the newest batch.
const NIGHT: [&str; 7] = [
    "UPDATE batch SET account = '70001', account_label = 'ops@example.com',
         created_ms = 1795395600000 + id * 86400000 WHERE id = (SELECT max(id) FROM batch)",
    "UPDATE job SET state = 'done', attempt = 1, executed_now = 'yes', evidence = 'observed',
         intent_ms = 1795395601000 + batch_id * 86400000 + line * 31000,
         submitted_ms = 1795395601000 + batch_id * 86400000 + line * 31000,
         completed_ms = 1795395601000 + batch_id * 86400000 + line * 31000
             + (3 + (line % 3) * (line % 3)) * (48000 + (line * 7919 + batch_id * 11) % 97 * 400),
         target = CASE line % 3 WHEN 2 THEN 'AlmaLinux-8' WHEN 0 THEN 'Debian-12' ELSE 'Ubuntu-24.04' END,
         baseline = json_object('image', 'CentOS-7', 'status', 'active', 'age_ms', 10,
             'name', printf('web-%03d', line - 1), 'ip', printf('192.0.2.%d', line % 250))
     WHERE batch_id = (SELECT max(id) FROM batch)",
    "UPDATE job SET state = 'failed', executed_now = 'no', evidence = NULL,
         error_kind = iif(line % 2, 'value', 'not_ready'),
         error = iif(line % 2, 'the field \"image\" has a bad value', 'it was suspended for 60m')
     WHERE batch_id = (SELECT max(id) FROM batch) AND (line * 5 + batch_id * 3) % 61 = 0",
    "UPDATE job SET state = 'failed', evidence = NULL, error_kind = 'instance_error', error = 'the instance ended in status error'
     WHERE batch_id = (SELECT max(id) FROM batch) AND line * batch_id % 191 = 7",
    "UPDATE job SET state = 'in_doubt', executed_now = 'maybe', evidence = NULL, completed_ms = NULL, held = 1,
         error_kind = 'timeout', error = 'no answer within 60s'
     WHERE batch_id = 2 AND batch_id = (SELECT max(id) FROM batch) AND line IN (118, 345)",
    "INSERT INTO run (batch_id, started_ms, ended_ms, exit_code, pid, host, version, options)
     SELECT id, created_ms, created_ms + 15300000, iif(id = 2, 3, 1), 1, 'ops', '0.1.0', '{}'
     FROM batch WHERE id = (SELECT max(id) FROM batch)",
    "UPDATE tally SET jobs = (SELECT count(*) FROM job WHERE job.batch_id = tally.batch_id AND job.state = tally.state)",
];
