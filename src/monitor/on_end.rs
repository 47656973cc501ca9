//! A command that gets the end as one JSON object on its stdin. What it prints goes to our stderr: stdout may
//! be the events of the run.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use super::document::End;
use crate::shell::{self, Running};

/// It is given up before that, with all other monitors.
const NEVER: Duration = Duration::from_hours(1);

pub(super) async fn carry_out(command: &str, end: &End) -> Result<(), String> {
    let mut document = end.json().to_string();
    document.push('\n');
    let mut shell = shell::command(command);
    let said = shell::said_on_stderr(&mut shell, true);
    let said = said.map_err(|error| format!("cannot start it: {error}"))?;
    shell.stdin(Stdio::piped());
    // It asks for nothing, so it needs no terminal.
    let mut running = Running::start(shell, true)?;
    if let Some(mut stdin) = running.child.stdin.take() {
        // One that reads nothing must not be waited for here; when it ends, so does this.
        std::thread::spawn(move || {
            let _ = stdin.write_all(document.as_bytes());
        });
    }
    let ended = running.ended(NEVER).await;
    said.finish();
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(shell::how_it_ended(status)),
        None => Err("it was stopped: it took too long".to_owned()),
    }
}
