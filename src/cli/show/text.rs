//! An instance's jobs for people.

use std::fmt::Write as _;

use super::record::Record;
use crate::job::{Hook, HookEnd, HookStep, LedgerEntry, ServiceId, ShownKey, State, Verdict};
use crate::queue::{LedgerLine, QueuedJob};
use crate::{text, time};

/// Ends with a line feed.
pub fn as_text(service: ServiceId, records: &[Record]) -> String {
    let mut out = Lines(format!("service {service}\n"));
    let readings = Readings::of(records);
    for record in records {
        let Record {
            batch,
            job,
            result: _,
            history,
            held_back,
            key_hint,
            next,
        } = record;
        out.add(&format!("\nbatch {batch}, line {}", job.line));
        out.order(job);
        out.record(job);
        out.hook(job);
        for hold in held_back {
            out.add(&format!("  held back {}", hold.words()));
        }
        if let Some(hint) = key_hint {
            out.add(&format!("  hint      {}", hint.words()));
        } else if job.record.state == State::InDoubt && job.record.host_key.is_some() {
            out.add("  hint      none: its image, or another machine, may have brought the host key that its port shows");
        }
        if let Some(next) = next {
            out.add(&format!("  next      {next}"));
        }
        out.history(history, &readings);
    }
    out.0
}

struct Lines(String);

impl Lines {
    fn add(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// What was ordered, and for which instance.
    fn order(&mut self, job: &QueuedJob) {
        let record = &job.record;
        let name = record
            .target
            .as_deref()
            .map(|name| format!(" ({})", text::brief(name, 60)));
        if let Some(image) = job.order.image() {
            self.add(&format!("  image     {image}{}", name.unwrap_or_default()));
        } else {
            // The image says of itself that the instance is rebuilt.
            self.add(&format!("  action    {}", job.order.action()));
        }
        if let Some(access) = job.order.access_kind() {
            self.add(&format!("  access    {}", access.as_str()));
        }
        if let Some(group) = &job.group {
            self.add(&format!("  group     {}", text::brief(group.as_str(), 60)));
        }
        if let Some(note) = &job.note {
            self.add(&format!("  note      {}", text::brief(note, 200)));
        }
        if let Some(baseline) = &record.baseline {
            let known: Vec<String> = [&baseline.name, &baseline.ip]
                .into_iter()
                .flatten()
                .map(|text| text::brief(text, 60))
                .collect();
            if !known.is_empty() {
                self.add(&format!("  instance  {}", known.join(", ")));
            }
        }
    }

    /// What became of it.
    fn record(&mut self, job: &QueuedJob) {
        let record = &job.record;
        let held = if record.held { ", held" } else { "" };
        self.add(&format!(
            "  state     {}{held}, executed: {}",
            record.state,
            record.executed()
        ));
        if let Some(completed_ms) = record.completed_ms {
            // How long it took is known where its end was seen.
            let took = record.took().map(time::short);
            let took = took.map_or_else(String::new, |took| format!(", took {took}"));
            self.add(&format!("  ended     {}{took}", time::human(completed_ms)));
        }
        for (when, shown) in [
            ("before", record.key_before()),
            ("since", record.host_key.as_ref()),
        ] {
            if let Some(ShownKey { address, key }) = shown {
                self.add(&format!(
                    "  host key  {when}: {} {} at {address}",
                    key.algorithm(),
                    key.fingerprint()
                ));
            }
        }
        if let Some(failure) = &record.failure {
            self.add(&format!(
                "  problem   {}: {}",
                text::brief(failure.error_kind.as_str(), 40),
                text::brief(&failure.error, 300)
            ));
        }
    }

    /// What follows its success.
    fn hook(&mut self, job: &QueuedJob) {
        if let Some(hook) = &job.record.hook {
            self.add(&format!("  hook      {}", hook_in_words(hook)));
        }
    }

    fn history(&mut self, history: &[LedgerLine], readings: &Readings) {
        self.add("  history");
        if history.is_empty() {
            self.add("    nothing has happened yet");
        }
        for line in history {
            let attempt = match line.attempt {
                0 => String::new(),
                attempt => format!("attempt {attempt}: "),
            };
            let is_of_hook = matches!(
                line.entry,
                LedgerEntry::Hook(
                    HookStep::Started { by_word: false, .. } | HookStep::Ended { .. }
                )
            );
            let who = if line.run.is_none() && !is_of_hook {
                " [operator]"
            } else {
                ""
            };
            self.add(&format!(
                "    {}  {attempt}{}{}{who}",
                time::rfc3339(line.at_ms),
                describe(&line.entry),
                readings.compare(line)
            ));
        }
    }
}

/// A step of a hook in words.
fn of_hook(step: &HookStep) -> String {
    match step {
        HookStep::Started { runner, by_word } => format!(
            "hook started{} by process {} on {}",
            if *by_word { " once more" } else { "" },
            runner.pid,
            text::brief(&runner.host, 64)
        ),
        HookStep::Ended { end, again } => {
            let again = if *again { ", to be tried again" } else { "" };
            format!("hook ended: {}{again}", ended(end))
        }
        HookStep::Forgotten => "hook given up".to_owned(),
    }
}

/// How a try of a hook ended, in words.
fn ended(end: &HookEnd) -> String {
    let said = text::brief(&end.said, 200);
    let colon = if said.is_empty() { "" } else { ": " };
    format!("{}{colon}{said}", end.how)
}

/// Where a hook is, in words.
fn hook_in_words(hook: &Hook) -> String {
    let since = time::human(hook.since_ms);
    let end = hook.end.as_ref().map(ended);
    let end = end.map_or_else(String::new, |end| format!(" ({end})"));
    format!("{} since {since}{end}", hook.state)
}

/// How many rebuilds the API's own history of the service had noted, and when that was read, the oldest
/// first. Its counts can be compared with each other, whatever its clock says and whoever ordered them.
struct Readings(Vec<(i64, u64)>);

impl Readings {
    fn of(records: &[Record]) -> Self {
        let lines = records.iter().flat_map(|record| &record.history);
        let mut readings: Vec<_> = lines.filter_map(Self::reading).collect();
        readings.sort_unstable();
        Self(readings)
    }

    fn reading(line: &LedgerLine) -> Option<(i64, u64)> {
        if let LedgerEntry::HistoryRead { rebuilds, .. } = &line.entry {
            rebuilds.map(|rebuilds| (line.at_ms, rebuilds))
        } else {
            None
        }
    }

    /// How the reading of this line differs from the one before.
    fn compare(&self, line: &LedgerLine) -> String {
        let Some((at_ms, rebuilds)) = Self::reading(line) else {
            return String::new();
        };
        let mut before = self.0.iter().rev();
        let Some((before_ms, before)) = before.find(|(before_ms, _)| *before_ms < at_ms) else {
            return String::new();
        };
        let when = time::rfc3339(*before_ms);
        match rebuilds.checked_sub(*before) {
            Some(0) => format!("; as many rebuilds as at {when}"),
            Some(more) => format!("; {more} more than at {when}"),
            None => format!("; fewer rebuilds than at {when}"),
        }
    }
}

/// A ledger entry in words.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
fn describe(entry: &LedgerEntry) -> String {
    let name = |image: &Option<String>| match image {
        Some(image) => text::brief(image, 60),
        None => "an unknown image".to_owned(),
    };
    let mut words = match entry {
        LedgerEntry::Intent { task, baseline } => {
            let mut words = format!("to be submitted ({}", text::brief(&task.detail(), 45));
            if let Some(baseline) = baseline {
                // Writing to a String cannot fail.
                let _ = write!(
                    words,
                    "; was {} with {}",
                    text::brief(baseline.status.as_str(), 40),
                    name(&baseline.image)
                );
            }
            if let Some(target) = task.target() {
                let _ = write!(words, "; becomes {}", text::brief(target, 60));
            }
            words + ")"
        }
        LedgerEntry::NotExecuted { .. } => "not executed, back in the queue".to_owned(),
        LedgerEntry::Refused { .. } => "refused, nothing was done".to_owned(),
        LedgerEntry::Accepted { submitted_ms } => {
            format!("accepted (on the wire at {})", time::rfc3339(*submitted_ms))
        }
        LedgerEntry::Unknown { .. } => "no answer that tells: in doubt".to_owned(),
        LedgerEntry::Interrupted => {
            "the process ended before an answer was recorded: in doubt".to_owned()
        }
        LedgerEntry::Sighted { status, image } => {
            format!(
                "seen {} with {}: it was executed",
                text::brief(status.as_str(), 40),
                name(image)
            )
        }
        LedgerEntry::Rekeyed { shown } => format!(
            "its host key is new, so it was executed: {}",
            shown.key.fingerprint()
        ),
        LedgerEntry::KeyShown { shown } => {
            format!("shows the host key {}", shown.key.fingerprint())
        }
        LedgerEntry::Completed {
            evidence,
            status,
            image,
            remark: _,
            hook: _,
        } => {
            format!(
                "done ({evidence}): {} with {}",
                text::brief(status.as_str(), 40),
                name(image)
            )
        }
        LedgerEntry::Broken { .. } => "failed after it was executed".to_owned(),
        LedgerEntry::Doubted { .. } => "in doubt how it ended".to_owned(),
        LedgerEntry::Disproved { .. } => "proven not executed, back in the queue".to_owned(),
        LedgerEntry::Exhausted { .. } => "proven not executed, and no retry is left".to_owned(),
        LedgerEntry::Held { reason } => {
            format!("held for the operator: {}", text::brief(reason, 200))
        }
        LedgerEntry::HistoryRead { found, .. } => {
            format!(
                "a hint, and no proof: its history: {}",
                text::brief(found, 400)
            )
        }
        LedgerEntry::Untouched { .. } => "not sent".to_owned(),
        LedgerEntry::Resolved {
            verdict,
            reason,
            hook: _,
        } => {
            let verdict = match verdict {
                Verdict::Done => "done",
                Verdict::Requeue => "to be sent again",
                Verdict::Failed => "failed",
            };
            format!("resolved as {verdict}: {}", text::brief(reason, 200))
        }
        LedgerEntry::Access { manifest } => format!(
            "takes the password or key that {} gives now",
            text::brief(manifest, 200)
        ),
        LedgerEntry::Expects { manifest } => {
            format!("takes the pins of {}", text::brief(manifest, 200))
        }
        LedgerEntry::Retried => "put back in the queue".to_owned(),
        LedgerEntry::Cancelled => "cancelled".to_owned(),
        LedgerEntry::Hook(step) => of_hook(step),
    };
    if let Some(failure) = entry.failure() {
        let _ = write!(
            words,
            " ({}: {})",
            text::brief(failure.error_kind.as_str(), 40),
            text::brief(&failure.error, 200)
        );
    }
    words
}
