//! The display that is redrawn: the only place that knows indicatif.
//!
//! Everything below the bar is laid out for the terminal's width before indicatif sees it; lines
//! that are to last are written between two frames as ordinary text, so that they survive a
//! resized window and can be copied.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use super::layout::{COMMAND_INDENT, Paint, Tone, fold, wrap};
use super::tally::Frame;

/// What can be drawn on.
pub trait Terminal: TermLike + Clone + 'static {}

impl<T: TermLike + Clone + 'static> Terminal for T {}

/// The display on one terminal.
pub struct Bar<T: Terminal> {
    terminal: T,
    display: ProgressBar,
    frame: Arc<Mutex<Frame>>,
    paint: Paint,
}

impl<T: Terminal> Bar<T> {
    pub fn new(terminal: T, paint: Paint) -> Self {
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let display = ProgressBar::with_draw_target(Some(0), target);
        Self {
            terminal,
            display,
            frame: Arc::new(Mutex::new(Frame::default())),
            paint,
        }
    }

    pub fn width(&self) -> usize {
        usize::from(self.terminal.width())
    }

    /// Shows `frame`, unless it is what is there already.
    pub fn draw(&self, frame: Frame) {
        let mut shown = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == frame {
            return;
        }
        let restyle = shown.width == 0 || shown.ended.is_some() != frame.ended.is_some();
        self.make_room(&shown, frame.width);
        let ended = frame.ended;
        *shown = frame;
        drop(shown);
        if restyle {
            self.display.set_style(self.style(ended.is_some()));
        }
        // One redraw, whatever changed.
        self.display.update(|state| {
            if let Some((done, total)) = ended {
                state.set_pos(done);
                state.set_len(total);
            }
        });
        self.park();
    }

    /// Writes lines that stay, above the display.
    pub fn print(&self, lines: &[(String, Tone)]) {
        if lines.is_empty() {
            return;
        }
        // A terminal that is gone changes nothing for the run.
        let _ = self.display.suspend(|| self.write(lines));
        self.park();
    }

    /// Leaves the cursor at the left edge of the last row. indicatif leaves it at the right one,
    /// where a typed Ctrl-C, which the terminal shows as `^C`, would begin a row that is not known
    /// to be there; one row of the display would then never be taken away.
    fn park(&self) {
        let _ = self
            .terminal
            .write_str("\r")
            .and_then(|()| self.terminal.flush());
    }

    /// Takes the display away and writes what stays.
    pub fn finish(&self, lines: &[(String, Tone)], closing: &str) {
        self.display.finish_and_clear();
        let _ = self.write(lines);
        for line in closing.lines() {
            if line.starts_with(COMMAND_INDENT) {
                // Whole, however long, so that it can be copied.
                let _ = self.terminal.write_line(line);
                continue;
            }
            for line in fold(line, self.width()) {
                let _ = self.terminal.write_line(&line);
            }
        }
        let _ = self.terminal.flush();
    }

    /// A terminal that grew may have joined the rows of `shown` to fewer; without this, as many
    /// lasting lines above them would be taken for rows of the display and wiped. (One that shrank
    /// leaves a row or two of the old display behind; wiping more would be a guess.)
    fn make_room(&self, shown: &Frame, width: usize) {
        let rows = shown.rows();
        let joined = (rows * shown.width).div_ceil(width.max(1));
        for _ in joined..rows {
            let _ = self.terminal.write_line("");
        }
    }

    fn write(&self, lines: &[(String, Tone)]) -> io::Result<()> {
        let width = self.width();
        for (text, tone) in lines {
            for line in wrap(text, width, 4) {
                self.terminal.write_line(&self.paint.apply(*tone, &line))?;
            }
        }
        self.terminal.flush()
    }

    fn style(&self, with_bar: bool) -> ProgressStyle {
        let template = if with_bar {
            "[{wide_bar}] {tail}\n{below}"
        } else {
            "{below}"
        };
        let (tail, below) = (Arc::clone(&self.frame), Arc::clone(&self.frame));
        ProgressStyle::with_template(template)
            .expect("the template is a constant")
            .progress_chars("=> ")
            .with_key(
                "tail",
                move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let frame = tail.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = out.write_str(&frame.tail);
                },
            )
            .with_key(
                "below",
                move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let frame = below.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = out.write_str(&frame.below.join("\n"));
                },
            )
    }
}
