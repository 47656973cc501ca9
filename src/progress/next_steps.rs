//! What to do after a run, with the commands to type.

use super::ended::Ended;
use crate::exit::Exit;
use crate::job::{Counter, Terms};
use crate::text::printable;

pub struct Step {
    pub what: String,
    pub commands: Vec<String>,
}

impl Step {
    fn new<'a>(what: impl Into<String>, commands: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            what: what.into(),
            commands: commands.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// What is left to do, what matters most first.
pub fn next_steps(ended: &Ended) -> Vec<Step> {
    let counts = &ended.counts;
    let mut steps = Vec::from_iter(what_stopped_it(ended));
    let Some(resume) = &ended.resume else {
        return steps;
    };
    if counts.held > 0 {
        steps.push(Step::new(
            format!(
                "{} held in doubt: see whether {} {}; WORD is done, requeue or failed",
                counts.held,
                it_was(counts.held),
                ended.action.terms().done
            ),
            [
                "resolve --suggested",
                "resolve SERVICE_ID --as WORD --reason TEXT",
            ],
        ));
    }
    failures(ended, resume, &mut steps);
    if ended.flagged > 0 {
        steps.push(Step::new(
            format!(
                "{} done, but listed under another image's name: have a look",
                ended.flagged
            ),
            ["list --flagged"],
        ));
    }
    if ended.hooks_going_on > 0 {
        let going_on = ended.hooks_going_on;
        steps.push(Step::new(
            format!("hooks: {going_on} go on beside what comes next"),
            [],
        ));
    }
    let hooks = ended.hooks.words();
    steps.extend(
        hooks.map(|hooks| Step::new(format!("hooks: {hooks}"), ["hooks", "hooks retry --all"])),
    );
    let watched = counts.in_doubt.saturating_sub(counts.held);
    let in_flight = counts.in_progress + counts.submitting;
    if counts.open() > 0 {
        let mut rest = Vec::new();
        if counts.queued > 0 {
            rest.push(format!("{} {}", counts.queued, Counter::Queued.words()));
        }
        if in_flight > 0 {
            rest.push(format!("{in_flight} with the provider"));
        }
        if watched > 0 {
            rest.push(format!("{watched} {}", Counter::InDoubt.words()));
        }
        let verb = if ended.no_wait && counts.queued == 0 {
            "the next run sees them through"
        } else {
            "run again to resume"
        };
        steps.push(Step::new(
            format!("{}: {verb}", rest.join(", ")),
            [resume.as_str()],
        ));
    } else if ended.exit.has_ended() {
        steps.push(Step::new(
            "what happened to each instance, and when it was complete",
            ["report"],
        ));
    }
    steps
}

/// What to do about what ended the run before its batch.
fn what_stopped_it(ended: &Ended) -> Option<Step> {
    match ended.exit {
        Exit::Usage
        | Exit::Outage
        | Exit::Window
        | Exit::Budget
        | Exit::Credentials
        | Exit::Blocked => {
            let hint = hint(ended);
            let hint = hint.unwrap_or_else(|| "deal with the reason, then run again".to_owned());
            Some(Step::new(hint, []))
        }
        Exit::Bug => Some(Step::new(
            "what was sent is in the ledger; please report this with the message above",
            [],
        )),
        Exit::Storage if ended.resume.is_none() => hint(ended).map(|hint| Step::new(hint, [])),
        Exit::Storage => Some(Step::new(
            "nothing was sent after the first failed write: see to the disk, then run again",
            [],
        )),
        Exit::Done
        | Exit::Failed
        | Exit::InDoubt
        | Exit::Busy
        | Exit::Interrupted
        | Exit::Terminated => None,
    }
}

/// The hint, if there is one. Whole: a command that was cut cannot be typed.
fn hint(ended: &Ended) -> Option<String> {
    let lines: Vec<_> = ended.hint.iter().map(|line| printable(line)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn it_was(count: u64) -> &'static str {
    if count == 1 { "it was" } else { "they were" }
}

fn failures(ended: &Ended, resume: &str, steps: &mut Vec<Step>) {
    let failed = ended.counts.failed;
    if failed == 0 {
        return;
    }
    let touched = ended.failed_touched.map(|touched| touched.min(failed));
    let untouched = failed - touched.unwrap_or(0);
    let mut commands = vec!["list --state failed".to_owned()];
    let mut what = Vec::new();
    if untouched > 0 {
        what.push(if touched.is_some() {
            format!("{untouched} failed, not touched: see why, then try again (or cancel)")
        } else {
            format!("{untouched} failed: see why, then try again those that were not touched")
        });
        let manifest = ended.manifest.iter();
        what.extend(manifest.map(|manifest| {
            let manifest = printable(manifest);
            format!("(a password, key or pin corrected in the file counts with --from {manifest})")
        }));
        commands.push("retry --failed".to_owned());
    }
    if let Some(count) = touched.filter(|count| *count > 0) {
        let Terms { touched, verb, .. } = ended.action.terms();
        what.push(format!(
            "{count} failed after {} {touched}, or perhaps {touched}: see why, then {verb} anew",
            it_was(count)
        ));
        commands.push("retry --failed --wiped".to_owned());
    }
    // While jobs are left, their step names this command already.
    commands.extend((ended.counts.open() == 0).then(|| resume.to_owned()));
    steps.push(Step {
        what: what.join("\n"),
        commands,
    });
}
