//! A command that prints a secret: a password manager's, a generator of one-time codes.
//!
//! The one fact to know: what the command prints is the secret, so nothing of it is ever told, not even
//! when the command fails. Its text may hold one as well (the key of a generator), and is not told
//! either. It gets none of the secrets that we were given.

use std::io::{IsTerminal as _, Read as _};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::shell::{self, Running};

/// How long it may take. Who has to unlock something needs a moment.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the end of its output is waited for when it has ended: what it left behind in the
/// background may hold the pipe open.
const AFTER_ITS_END: Duration = Duration::from_secs(1);

/// No secret is longer.
const BYTES_MAX: usize = 64 << 10;

/// The first line that `command` prints, which `sh -c` carries out. Its stderr and its terminal are
/// ours. `Err`: what went wrong, without a word of its output or of the command itself. Whoever stops
/// waiting ends the command.
pub async fn first_line(command: &str) -> Result<SecretString, String> {
    let mut shell = shell::command(command);
    shell.stdin(Stdio::null()).stdout(Stdio::piped());
    let is_alone = !std::io::stdin().is_terminal();
    let said = shell::said_on_stderr(&mut shell, false);
    let said = said.map_err(|error| format!("cannot start it: {error}"))?;
    let mut running = Running::start(shell, is_alone)?;
    let Some(output) = running.child.stdout.take() else {
        return Err("it has no output".to_owned());
    };
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        let read = output.take(BYTES_MAX as u64).read_to_end(&mut bytes);
        // Nobody may be left who wants to know.
        let _ = sender.send(read.map(|_| bytes));
    });
    let status = running.ended(TIMEOUT).await.ok_or_else(|| {
        format!(
            "it was stopped: it took longer than {} s",
            TIMEOUT.as_secs()
        )
    })?;
    said.finish();
    if !status.success() {
        return Err(shell::how_it_ended(status));
    }
    let bytes = tokio::time::timeout(AFTER_ITS_END, receiver)
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or("something that it started keeps its output open")?
        .map_err(|error| format!("cannot read its output: {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "its output is no UTF-8 text".to_owned())?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        Some(_) | None => Err("its first line is empty".to_owned()),
    }
}
