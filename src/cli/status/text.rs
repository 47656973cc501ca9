//! A batch's status for people.

use std::fmt::{Display, Write as _};
use std::path::Path;

use super::read::{Elsewhere, Status};
use crate::cli::ended::why;
use crate::cli::held::{Bound, Held, HeldGroup, HeldWindow, members};
use crate::cli::words::{jobs, jobs_wait, short_digest};
use crate::job::{ControlEntry, Counter, Instruction};
use crate::queue::{Oldest, Run};
use crate::{text, time};

/// Other batches that are named before the rest is only counted.
const BATCHES_MAX: usize = 5;

/// Groups that are named before the rest is only counted.
const GROUPS_MAX: usize = 5;

/// Services that are bound, likewise.
const BOUND_MAX: usize = 5;

/// Ends with a line feed.
pub fn as_text(status: &Status, database: &Path) -> String {
    let batch = &status.batch;
    let mut lines = Lines(format!(
        "batch {} · {} · order {} · {}\n",
        batch.id,
        text::brief(&batch.manifest, 60),
        batch.number,
        text::brief(&batch.api_url, 60)
    ));
    if let Some(owner) = &batch.owner {
        lines.add("account", owner);
    }
    if let Some(plan) = &batch.plan {
        lines.add("plan", short_digest(plan));
    }
    if let Some(why) = &status.another {
        lines.add(
            "HELD",
            format!(
                "nothing is sent: this is not the database that it was: {}",
                text::printable(why)
            ),
        );
    }
    lines.counts(status);
    lines.processes(status);
    if let Some(why) = &status.left_alone {
        lines.add(
            "left alone",
            format!("by `refleet work`, {}", text::printable(why)),
        );
    }
    lines.control(status);
    lines.held(&status.held);
    if let Some(window) = &status.held.window {
        lines.add("window", as_it_stands(window));
    }
    lines.add("last change", time::human(batch.touched_ms));
    lines.open_batches(status);
    lines.add("database", text::printable(&database.display().to_string()));
    if let Some(next) = &status.next {
        lines.add(
            "next",
            format!("`{}` {}", text::printable(&next.command), next.what),
        );
    }
    lines.0
}

/// Lines of a name and a value.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {name:<12} {value}");
    }

    /// How many jobs stand where. The doubts come last, for what is to be said of them.
    fn counts(&mut self, status: &Status) {
        let counts = &status.batch.counts;
        self.add("total", counts.total());
        let pace = &status.pace;
        self.add("ended", format!("{} ({}%)", pace.ended, pace.percent()));
        let others = Counter::ALL
            .into_iter()
            .filter(|counter| *counter != Counter::InDoubt);
        for counter in others {
            self.add(counter.words(), counter.of(counts));
        }
        let in_doubt = match counts.held {
            0 => counts.in_doubt.to_string(),
            held => format!(
                "{} ({held} held: only your word settles {})",
                counts.in_doubt,
                if held == 1 { "it" } else { "them" }
            ),
        };
        self.add(Counter::InDoubt.words(), in_doubt);
        if let Some(doubt) = &status.oldest_doubt {
            self.add("oldest doubt", since(doubt));
        }
        if let Some(longest) = &status.longest {
            self.add("longest", format!("{}, in progress", since(longest)));
        }
    }

    /// What works on the batch, or was the last to do so.
    fn processes(&mut self, status: &Status) {
        match &status.holder {
            Some(holder) => {
                self.add("running", holder);
                self.add("rate", status.pace.rate_in_words());
                let why = if status.is_beyond_window {
                    ", not in this window"
                } else {
                    ""
                };
                self.add("ETA", status.pace.eta_in_words() + why);
            }
            None => self.add("running", "nothing works on this batch"),
        }
        if let Some(Elsewhere { holder, batch }) = &status.elsewhere {
            self.add(
                "elsewhere",
                match batch {
                    Some(batch) => format!("{holder}, works on batch {batch}"),
                    None => format!("{holder}, has not begun to work yet"),
                },
            );
        }
        if status.holder.is_none() {
            self.add(
                "last run",
                status
                    .last_run
                    .as_ref()
                    .map_or_else(|| "none yet".to_owned(), ended),
            );
        }
    }

    /// What operators have said.
    fn control(&mut self, status: &Status) {
        let control = &status.control;
        if let Some(pause) = &control.paused {
            self.add("paused", told(pause));
        }
        if let Some(drain) = &control.drained {
            self.add("draining", told(drain));
        }
        if !control.limits.is_nothing() {
            let limits = &control.limits;
            self.add("limits", format!("{limits}, set for the run at work"));
        }
        for entry in &status.said {
            let what = match &entry.instruction {
                Instruction::Set(limits) => format!("set {limits}"),
                Instruction::Pause
                | Instruction::Go
                | Instruction::Release
                | Instruction::Drain => entry.instruction.kind().to_owned(),
            };
            self.add("said", format!("{what}, {}", told(entry)));
        }
    }

    /// What waits for something to happen, or for somebody's word.
    fn held(&mut self, held: &Held) {
        let now_ms = time::now_ms();
        if held.behind_canaries > 0 {
            let waiting = jobs_wait(held.behind_canaries);
            let canaries = members(&held.canaries);
            let until = held.until_proven().words(now_ms);
            self.add("canaries", format!("{waiting} for {canaries}, {until}"));
        }
        for HeldGroup {
            group,
            waiting,
            down,
            until,
        } in held.groups.iter().take(GROUPS_MAX)
        {
            let group = text::brief(group.as_str(), 40);
            let (waiting, down, until) = (jobs_wait(*waiting), members(down), until.words(now_ms));
            self.add("group", format!("{group}: {waiting} for {down}, {until}"));
        }
        let more = held.groups.len().saturating_sub(GROUPS_MAX);
        if more > 0 {
            self.add("group", format!("and {more} more"));
        }
        for (service, Bound { batch, missing }) in held.bound.iter().take(BOUND_MAX) {
            self.add(
                "bound",
                format!("service {service} by what batch {batch} submitted: {missing}"),
            );
        }
        let more = held.bound.len().saturating_sub(BOUND_MAX);
        if more > 0 {
            self.add("bound", format!("and {more} more services"));
        }
    }

    fn open_batches(&mut self, status: &Status) {
        let open = &status.open;
        if open.is_empty() {
            return;
        }
        let named: Vec<String> = open
            .iter()
            .take(BATCHES_MAX)
            .map(|(batch, left)| format!("batch {batch} ({} left)", jobs(*left)))
            .collect();
        let more = match open.len().saturating_sub(BATCHES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.add("also open", format!("{}{more}", named.join(", ")));
    }
}

/// An instance, and for how long it has been as it is.
fn since(oldest: &Oldest) -> String {
    let age = time::short(time::between(oldest.since_ms, time::now_ms()));
    let name = oldest.name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(" ({})", text::brief(name, 40)));
    format!("service {}{name}, for {age}", oldest.service)
}

/// Who has said something, when and why.
fn told(entry: &ControlEntry) -> String {
    let reason = entry.reason.as_deref();
    let reason = reason.map_or_else(String::new, |reason| {
        format!(": {}", text::brief(reason, 100))
    });
    format!(
        "{} by {}{reason}",
        time::human(entry.at_ms),
        text::brief(&entry.operator, 100)
    )
}

fn as_it_stands(held: &HeldWindow) -> String {
    let window = &held.window;
    let opens = window.zone.local(held.opens_ms);
    let Some(closes_ms) = held.closes_ms else {
        return format!("{window}: closed, opens {opens}");
    };
    let closes = window.zone.local(closes_ms);
    let waiting = match held.waiting {
        0 => String::new(),
        waiting => format!(
            "; {} for {opens}: not back before it closes",
            jobs_wait(waiting)
        ),
    };
    format!("{window}: open, closes {closes}{waiting}")
}

fn ended(run: &Run) -> String {
    match (run.ended_ms, run.exit_code) {
        (Some(ended_ms), Some(code)) => {
            let why = why(run).map_or_else(String::new, |why| format!(": {why}"));
            let when = time::human(ended_ms);
            text::brief(&format!("ended {when} with exit {code}{why}"), 300)
        }
        _ => format!("began {} and died", time::human(run.started_ms)),
    }
}
