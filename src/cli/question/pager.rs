//! Long texts on a terminal: `$PAGER`, else `less`, else all of it at once.

use std::env;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::cli::output::tell;
use crate::shell;

/// Lines that are made before the pager has taken them.
const LINES_AHEAD: usize = 1024;

/// Shows long texts, one at a time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    open: Arc<AtomicBool>,
}

impl Pager {
    /// Shows the lines of `text` on the terminal of stderr, and returns when they were read. Only
    /// what the pager has not taken yet is in memory. `capable`: the terminal can do more than print
    /// lines.
    pub async fn show<I: Iterator<Item = String>>(&self, text: impl Fn() -> I, capable: bool) {
        self.open.store(true, Ordering::SeqCst);
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        let shown = tokio::task::spawn_blocking(move || page(lines, capable));
        for line in text() {
            // A reader who has seen enough closes the pager before the end of the text.
            if sender.send(line).await.is_err() {
                break;
            }
        }
        drop(sender);
        let shown = shown.await;
        self.open.store(false, Ordering::SeqCst);
        // If the pager failed, the question is asked all the same: its prompt has the number.
        if let Ok(Err(_)) = shown {
            text().for_each(|line| tell(&line));
        }
    }

    /// A text is being read: Ctrl-C is the pager's.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

fn page(mut lines: mpsc::Receiver<String>, capable: bool) -> io::Result<()> {
    let pager = match env::var("PAGER") {
        Ok(pager) if !pager.trim().is_empty() => pager,
        Ok(_) | Err(_) if capable => "less".to_owned(),
        Ok(_) | Err(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let mut command = shell::command(&pager);
    command.stdin(Stdio::piped());
    // stdout may be a file of events; the terminal is where the question is.
    command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
    if env::var_os("LESS").is_none() {
        // A text that fits on the screen is printed; what was read stays there.
        command.env("LESS", "FX");
    }
    let mut child = command.spawn()?;
    if let Some(input) = child.stdin.take() {
        let mut input = BufWriter::new(input);
        while let Some(line) = lines.blocking_recv() {
            if input.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
        let _ = input.flush();
    }
    drop(lines);
    match child.wait()?.code() {
        // The shell's way to say that there is no such program.
        Some(126 | 127) => Err(io::ErrorKind::NotFound.into()),
        Some(_) | None => Ok(()),
    }
}
