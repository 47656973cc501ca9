//! Long texts on a terminal: `$PAGER`, else `less`, else all of it at once.

use std::env;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output::tell;

/// Shows long texts, one at a time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    open: Arc<AtomicBool>,
}

impl Pager {
    /// Shows `text` on the terminal of stderr, and returns when it was read. `capable`: the
    /// terminal can do more than print lines.
    pub async fn show(&self, text: String, capable: bool) {
        self.open.store(true, Ordering::SeqCst);
        let shown = tokio::task::spawn_blocking(move || {
            if page(&text, capable).is_err() {
                tell(&text);
            }
        })
        .await;
        self.open.store(false, Ordering::SeqCst);
        // Whoever could not be shown the text is asked all the same, with the number in the prompt.
        drop(shown);
    }

    /// A text is being read: Ctrl-C is the pager's.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

fn page(text: &str, capable: bool) -> io::Result<()> {
    let pager = match env::var("PAGER") {
        Ok(pager) if !pager.trim().is_empty() => pager,
        Ok(_) | Err(_) if capable => "less".to_owned(),
        Ok(_) | Err(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let mut command = Command::new("sh");
    command.args(["-c", &pager]).stdin(Stdio::piped());
    // stdout may be a file of events; the terminal is where the question is.
    command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
    if env::var_os("LESS").is_none() {
        // A text that fits on the screen is printed; what was read stays there.
        command.env("LESS", "FX");
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One who has seen enough closes it before the end.
        let _ = input.write_all(text.as_bytes());
    }
    match child.wait()?.code() {
        // The shell's way to say that there is no such program.
        Some(126 | 127) => Err(io::ErrorKind::NotFound.into()),
        Some(_) | None => Ok(()),
    }
}
