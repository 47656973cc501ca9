//! How the process has ended, as one JSON object: for `--on-end` and `--notify-format json`. Programs read it:
//! a field may be added, none may change its meaning without another `version`.

use serde::Serialize;
use serde_json::{Value, json};

use super::standing::{Command, Previous, Run, Standing};
use super::words;
use crate::exit::Exit;
use crate::job::{Action, BatchId, Counts, Owner, RunId};
use crate::time;

/// Of what a person was told, so much is passed on.
const TOLD_BYTES_MAX: usize = 16_000;

/// The end of a process.
pub(super) struct End {
    pub(super) command: Command,
    pub(super) id: uuid::Uuid,
    pub(super) exit: Exit,
    pub(super) is_problem: bool,
    pub(super) started_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) took_ms: u64,
    pub(super) batches: Vec<OfBatch>,
    pub(super) calls: u64,
    pub(super) previous_died: bool,
    previous: Option<Previous>,
    /// The summary, or what else a person was told; empty: nothing.
    said: String,
}

/// One batch that was worked on.
#[derive(Serialize)]
pub(super) struct OfBatch {
    pub(super) batch: BatchId,
    run: RunId,
    action: Action,
    manifest: String,
    account: Option<Owner>,
    pub(super) simulated: bool,
    /// `null`: its run did not come so far as to say it.
    exit_code: Option<Exit>,
    pub(super) counts: Counts,
}

impl End {
    pub(super) fn new(standing: &Standing, exit: Exit, said: String, ended_ms: i64) -> Self {
        let of_batch = |run: &Run| OfBatch {
            batch: run.batch,
            run: run.id,
            action: run.action,
            manifest: run.manifest.clone(),
            account: run.account.clone(),
            simulated: run.is_simulated,
            exit_code: run.exit,
            counts: run.counts,
        };
        // What was told last is what ended it: a summary comes before what went wrong after it.
        let said = match &standing.summary {
            Some(summary) if said.is_empty() => summary.clone(),
            Some(summary) => format!("{summary}{said}"),
            None => said,
        };
        Self {
            command: standing.command,
            id: standing.id,
            exit,
            is_problem: standing.is_problem(exit),
            started_ms: standing.started_ms,
            ended_ms,
            took_ms: time::whole_ms(time::between(standing.started_ms, ended_ms)),
            batches: standing.runs.iter().map(of_batch).collect(),
            calls: standing.calls(),
            previous_died: standing.previous_died(),
            previous: standing.previous,
            said,
        }
    }

    /// What a person reads of it: the summary, or what went wrong, else the code in words.
    pub(super) fn told(&self) -> String {
        let mut text = if self.said.trim().is_empty() {
            words::headline(self.command, self.exit)
        } else {
            self.said.clone()
        };
        if self.previous_died {
            text = format!("{}\n{text}", words::DIED);
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "version": 1,
            "type": "ended",
            "refleet": env!("CARGO_PKG_VERSION"),
            "id": self.id.to_string(),
            "command": self.command.name(),
            "host": rustix::system::uname().nodename().to_string_lossy(),
            "exit_code": self.exit,
            "meaning": words::meaning(self.exit),
            "problem": self.is_problem,
            "started_at": time::rfc3339(self.started_ms),
            "ended_at": time::rfc3339(self.ended_ms),
            "took_ms": self.took_ms,
            "batches": self.batches,
            "api_calls": self.calls,
            "previous_exit_code": self.previous.and_then(|previous| previous.exit_code),
            "previous_died": self.previous_died,
            "summary": words::cut(self.told(), TOLD_BYTES_MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::standing::tests::{run, standing};
    use super::*;
    use crate::job::AccountId;

    #[test]
    fn the_document_keeps_its_fields() {
        let counts = Counts {
            done: 2,
            failed: 1,
            ..Counts::default()
        };
        let mut standing = standing(Command::Run);
        let mut run = run(7, counts, 42);
        run.account = Some(Owner {
            id: AccountId::new("70001"),
            label: Some("ops@example.com".to_owned()),
        });
        standing.begin(run, Some(Previous { exit_code: Some(3) }));
        standing.summary = Some("batch 7 has ended, with failures\n".to_owned());
        let end = End::new(&standing, Exit::Failed, String::new(), 1_764_000_100_500);
        let mut document = end.json();
        document["host"] = "the machine's".into();
        document["refleet"] = "the version".into();
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
