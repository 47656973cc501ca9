//! What anybody may read of a process: its code, its numbers, and what to type. No name of a customer, no host,
//! no path.

use std::fmt::Write as _;
use std::time::Duration;

use super::document::End;
use super::standing::{Command, Standing};
use super::words;
use crate::time;

/// That it has begun.
pub(super) fn start(standing: &Standing) -> String {
    let mut text = match (standing.command, standing.runs.last()) {
        (Command::Run, Some(run)) => {
            format!(
                "batch {}, run {}, begins: {}",
                run.batch,
                run.id,
                words::numbers(&run.counts)
            )
        }
        (Command::Run, None) => "refleet run begins".to_owned(),
        (Command::Work, _) => "refleet work begins".to_owned(),
    };
    if standing.previous_died() {
        text.push('\n');
        text.push_str(words::DIED);
    }
    text
}

/// All that anybody may read.
pub(super) fn public(end: &End) -> String {
    let mut text = words::headline(end.command, end.exit);
    for batch in &end.batches {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nbatch {}: {}",
            batch.batch,
            words::numbers(&batch.counts)
        );
        if batch.simulated {
            text.push_str(" (a simulation: nothing real was touched)");
        }
    }
    let _ = write!(
        text,
        "\nafter {}",
        time::short(Duration::from_millis(end.took_ms))
    );
    if end.previous_died {
        let _ = write!(text, "\n{}", words::DIED);
    }
    let _ = write!(text, "\nnext: {}", words::next(end.exit));
    text
}
