//! The thread that owns stderr: a display that is redrawn, or lines.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use super::bar::{Bar, Terminal};
use super::layout::{Paint, Tone};
use super::lines::{DisplayLine, Topic, describe};
use super::mailbox::Delivery;
use super::mode::{Mode, Verbosity};
use super::shared::{Letter, Shared};
use super::similar::Similar;
use crate::text::printable;
use crate::time;

/// From one frame to the next.
const FRAME: Duration = Duration::from_millis(100);
/// Lines that come within this time are written together.
const LINES_PACE: Duration = Duration::from_millis(20);
/// A log in which nothing was written for so long gets a line that says where the run stands.
pub const HEARTBEAT: Duration = Duration::from_mins(5);

/// Shows a run on a terminal, until its mailbox is closed.
pub fn show_bar<T: Terminal>(shared: &Shared, bar: &Bar<T>, paint: Paint) {
    let mut similar = Similar::capped();
    let mut frame_due = Instant::now();
    loop {
        let batch = shared.screen.take(frame_due, Some(frame_due));
        frame_due = Instant::now() + FRAME;
        let lines: Vec<(String, Tone)> = lines_of(&batch, &mut similar, shared)
            .map(|(at_ms, line)| (format!("{} {}", clock(at_ms), line.text), line.tone))
            .collect();
        if batch.closed {
            let mut last = lines;
            last.extend(
                similar
                    .leftovers(&shared.command)
                    .map(|line| (line.text, line.tone)),
            );
            bar.finish(&last, &shared.closing());
            shared.screen.done();
            return;
        }
        // The lock on the tally ends here: drawing may hang in a write, and the run needs the tally.
        let frame = shared
            .tally()
            .frame(shared.started.elapsed(), bar.width(), paint);
        bar.draw(frame);
        bar.print(&lines);
    }
}

/// Writes a run as lines, until its mailbox is closed.
pub fn show_lines(shared: &Shared, out: &mut impl Write) {
    // A log is complete. Under `-q` similar lines are capped: cron mails them to a person.
    let mut similar = match shared.verbosity {
        Verbosity::Quiet => Similar::capped(),
        Verbosity::Normal | Verbosity::Verbose => Similar::complete(),
    };
    let beats = shared.mode == Mode::Plain && shared.verbosity >= Verbosity::Normal;
    let mut earliest = Instant::now();
    let mut beat_due = Instant::now() + HEARTBEAT;
    loop {
        let batch = shared.screen.take(earliest, beats.then_some(beat_due));
        let now = Instant::now();
        earliest = now + LINES_PACE;
        let mut text = String::new();
        for (at_ms, line) in lines_of(&batch, &mut similar, shared) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} {}", time::rfc3339(at_ms), line.text);
        }
        if !text.is_empty() {
            beat_due = now + HEARTBEAT;
        } else if beats && now >= beat_due {
            beat_due = now + HEARTBEAT;
            let record = shared.tally().heartbeat(shared.started.elapsed());
            if let Some(record) = record {
                text = format!("{} {record}\n", time::rfc3339(time::now_ms()));
            }
        }
        if batch.closed {
            for line in similar.leftovers(&shared.command) {
                let _ = writeln!(text, "{} {}", time::rfc3339(time::now_ms()), line.text);
            }
            text.push_str(&shared.closing());
        }
        if let Some(label) = &shared.label {
            text = labelled(&text, label);
        }
        // A stderr that is closed changes nothing for the run.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if batch.closed {
            shared.screen.done();
            return;
        }
    }
}

/// `text`, of which each line says of whom it speaks.
fn labelled(text: &str, label: &str) -> String {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.fold(String::new(), |all, line| all + label + ": " + line + "\n")
}

/// The lines that a batch comes to, with their moments (Unix time).
fn lines_of<'a>(
    batch: &'a Delivery<Letter>,
    similar: &'a mut Similar,
    shared: &'a Shared,
) -> impl Iterator<Item = (i64, DisplayLine)> + 'a {
    let lost = (batch.lost > 0).then(|| {
        let text = format!(
            "{} lines are missing here: what shows them did not keep up; see {} list",
            batch.lost, shared.command
        );
        (
            time::now_ms(),
            DisplayLine::new(text, Tone::Uncertain, Topic::Other),
        )
    });
    batch
        .letters
        .iter()
        .filter_map(|letter| match letter {
            Letter::Event { at_ms, event } => similar
                .admit(describe(event, shared.terms), &shared.command)
                .map(|line| (*at_ms, line)),
            Letter::Note(text) => Some((
                time::now_ms(),
                DisplayLine::new(printable(text), Tone::Uncertain, Topic::Other),
            )),
        })
        .chain(lost)
}

/// `02:00:00Z`: the ledger's and the logs' zone.
fn clock(at_ms: i64) -> String {
    let full = time::rfc3339(at_ms);
    full.get(11..19)
        .map_or_else(|| full.clone(), |clock| format!("{clock}Z"))
}
