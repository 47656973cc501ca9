//! `--watch`: the status again and again, for as long as a process works on the batch.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use console::Term;
use tokio::time::sleep;

use super::args::StatusArgs;
use super::json::as_json;
use super::read::Status;
use super::text::as_text;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::{batches, ended, signals};
use crate::exit::Exit;
use crate::queue::Open;

/// From one look to the next.
const PACE: Duration = Duration::from_secs(1);

pub async fn watch(global: &Global, args: &StatusArgs) -> Result<Exit, CliError> {
    let mut signals = signals::listen()?;
    // That batch, though a newer one may be loaded meanwhile.
    let mut arg = args.batch.clone();
    let mut screen = Screen::new(args.json);
    loop {
        // Anew each time: a file that was taken away is still there for who has it open.
        let (mut queue, batch) = batches::open(global, &arg, Open::Read).await?;
        arg.batch = Some(batch.id.0);
        let status = Status::read(global, &mut queue, batch).await?;
        match screen.show(&status, &queue.shown()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done),
            Err(source) => {
                return Err(CliError::Output {
                    what: "to stdout".to_owned(),
                    source,
                });
            }
            Ok(()) if status.holder.is_none() => return Ok(Exit::Done),
            Ok(()) => {}
        }
        tokio::select! {
            () = sleep(PACE) => {}
            Some(signal) = signals.recv() => return Ok(ended::of_signal(signal)),
        }
    }
}

/// Where the status is shown: on a terminal in one place, elsewhere one below the other as often as it
/// changes.
struct Screen {
    is_json: bool,
    /// `None`: what reads this is no terminal.
    terminal: Option<Term>,
    shown: String,
}

impl Screen {
    fn new(is_json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal() && !is_json;
        Self {
            is_json,
            terminal: is_terminal.then(Term::buffered_stdout),
            shown: String::new(),
        }
    }

    fn show(&mut self, status: &Status, database: &Path) -> io::Result<()> {
        if let Some(terminal) = &self.terminal {
            let text = cut(&as_text(status, database), terminal.size());
            terminal.move_cursor_up(self.shown.lines().count())?;
            // Line over line: what is erased as a whole, some terminals keep as something to scroll back to.
            for line in text.lines() {
                terminal.clear_line()?;
                terminal.write_line(line)?;
            }
            terminal.clear_to_end_of_screen()?;
            terminal.flush()?;
            self.shown = text;
            return Ok(());
        }
        // That time goes on is no change.
        let changes = changes(status);
        if changes == self.shown {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.is_json {
            writeln!(out, "{}", as_json(status, database))?;
        } else {
            let gap = if self.shown.is_empty() { "" } else { "\n" };
            write!(out, "{gap}{}", as_text(status, database))?;
        }
        self.shown = changes;
        out.flush()
    }
}

/// What makes a status another one.
fn changes(status: &Status) -> String {
    let Status {
        batch,
        holder,
        last_run,
        control,
        next,
        ..
    } = status;
    let next = next.as_ref().map(|next| &next.command);
    let run = last_run.as_ref().map(|run| (run.id, run.exit_code));
    format!("{:?} {holder:?} {run:?} {control:?} {next:?}", batch.counts)
}

/// As much of `text` as a terminal of so many rows and columns has room for: what is wrapped or scrolled
/// away could not be written over.
fn cut(text: &str, (rows, columns): (u16, u16)) -> String {
    let lines = text.lines().take(usize::from(rows).saturating_sub(1));
    let lines = lines.map(|line| console::truncate_str(line, usize::from(columns), "…") + "\n");
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_cut() {
        let text = "batch 1\n  total        12\n  queued       3\n";
        assert_eq!(cut(text, (24, 80)), text);
        assert_eq!(cut(text, (3, 9)), "batch 1\n  total …\n");
        assert_eq!(cut(text, (0, 80)), "");
    }
}
