//! What the host keys of instances say of doubts that wait for a word, shown before they are settled.

use std::fmt::Write as _;

use super::batches::{self, BatchArg};
use super::database;
use super::error::CliError;
use super::global::Global;
use super::output::{can_ask, print_text, tell};
use super::typed::answer;
use crate::job::{HostKey, KeyHint, LedgerEntry, ServiceId, State, Verdict};
use crate::queue::{Backend as _, LedgerLine, Open, QueuedJob, Store as _};
use crate::{text, time};

/// Doubts that are shown before the rest is only counted.
const SHOWN_MAX: usize = 200;

/// What settles all of them.
const WORD: &str = "settle";

/// Held doubts that have a hint.
pub struct Suggestions {
    /// The batch that was shown: a newer one may come meanwhile.
    pub batch: BatchArg,
    jobs: Vec<Suggestion>,
}

struct Suggestion {
    job: QueuedJob,
    hint: KeyHint,
    /// When its key was seen, as Unix time.
    seen_ms: Option<i64>,
}

impl Suggestions {
    /// Shows them and asks; `None`: there are none, or somebody has said no.
    pub async fn ask(global: &Global, batch: &BatchArg) -> Result<Option<Self>, CliError> {
        let (mut queue, batch) = batches::open(global, batch, Open::Read).await?;
        database::tell_another(global, &mut queue).await?;
        let places = batches::key_places(&mut queue, batch.id).await?;
        let doubts = queue.in_flight(batch.id, &[State::InDoubt]).await?;
        let held: Vec<QueuedJob> = doubts.into_iter().filter(|job| job.record.held).collect();
        let count = held.len();
        let mut jobs = Vec::new();
        for job in held {
            let Some(hint) = places.hint(&job.record) else {
                continue;
            };
            let history = queue.history(job.id).await?;
            let is_key = |line: &&LedgerLine| matches!(line.entry, LedgerEntry::KeyShown { .. });
            let seen_ms = history.iter().rfind(is_key).map(|line| line.at_ms);
            jobs.push(Suggestion { job, hint, seen_ms });
        }
        queue.close().await?;
        if jobs.is_empty() {
            print_text(&match count {
                0 => format!("nothing to settle: batch {} has no held doubts\n", batch.id),
                _ => format!(
                    "nothing to settle: of {count} held doubts of batch {} none has a hint by its host key; `list --state in_doubt` shows them\n",
                    batch.id
                ),
            })?;
            return Ok(None);
        }
        let suggestions = Self {
            batch: BatchArg {
                batch: Some(batch.id.0),
            },
            jobs,
        };
        tell(&suggestions.table(count));
        // A key that is the same is a guess: no script wipes an instance on one.
        if !can_ask() {
            return Err(CliError::Usage(
                "--suggested asks a person, and needs a terminal for it; a script settles doubts by `resolve SERVICE_ID --as WORD --reason TEXT`"
                    .to_owned(),
            ));
        }
        let prompt = format!("Type `{WORD}` to settle them so: ");
        let typed = answer(&prompt).await.unwrap_or_default();
        if typed.trim() != WORD {
            tell(&format!(
                "nothing was changed: only `{WORD}` settles them\n"
            ));
            return Ok(None);
        }
        Ok(Some(suggestions))
    }

    /// Whose hint is this one.
    pub fn of(&self, hint: KeyHint) -> Vec<ServiceId> {
        let jobs = self.jobs.iter().filter(|one| one.hint == hint);
        jobs.map(|one| one.job.service).collect()
    }

    /// What settles a doubt as it was shown.
    pub fn settle(&self, job: &QueuedJob) -> Result<LedgerEntry, String> {
        let shown = self.jobs.iter().find(|shown| shown.job.id == job.id);
        let Some(Suggestion { hint, .. }) = shown.filter(|shown| shown.job.record == job.record)
        else {
            return Err("has moved since it was shown".to_owned());
        };
        let key = job.record.host_key.as_ref().map(|shown| &shown.key);
        let key = key.map(HostKey::fingerprint).unwrap_or_default();
        let (verdict, what) = match hint {
            KeyHint::New => (Verdict::Done, "new"),
            KeyHint::Same => (Verdict::Requeue, "the one of before"),
        };
        Ok(LedgerEntry::Resolved {
            verdict,
            reason: format!("its SSH host key is {what}: {key}"),
            hook: false,
        })
    }

    fn table(&self, held: usize) -> String {
        let mut table = String::new();
        let mut line = |cells: [&str; 5]| {
            let [service, name, ip, key, settled] = cells;
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "{service:<10} {name:<20} {ip:<15} {key:<9} {settled}"
            );
        };
        line(["service", "name", "ip", "host key", "would be settled as"]);
        for Suggestion { job, hint, seen_ms } in self.jobs.iter().take(SHOWN_MAX) {
            let baseline = job.record.baseline.as_ref();
            let known =
                |of: Option<&String>| of.map_or_else(|| "-".to_owned(), |it| text::brief(it, 20));
            let sent = job
                .record
                .submitted_ms
                .or(job.record.intent_ms)
                .map(time::human);
            let sent = sent.unwrap_or_default();
            let seen = seen_ms.map(time::human).unwrap_or_default();
            let (key, settled) = match hint {
                KeyHint::New => ("new", format!("done: sent {sent}, rebuilt until {seen}")),
                KeyHint::Same => (
                    "the same",
                    format!("sent again: sent {sent}, the old system answered {seen}"),
                ),
            };
            line([
                &job.service.to_string(),
                &known(baseline.and_then(|it| it.name.as_ref())),
                &known(baseline.and_then(|it| it.ip.as_ref())),
                key,
                &settled,
            ]);
        }
        let (new, same) = (self.of(KeyHint::New).len(), self.of(KeyHint::Same).len());
        let rest = self.jobs.len().saturating_sub(SHOWN_MAX);
        if rest > 0 {
            let _ = writeln!(table, "… and {rest} more");
        }
        let without = match held - self.jobs.len() {
            0 => String::new(),
            others => format!(" Without a hint: {others} more."),
        };
        let _ = writeln!(
            table,
            "\nAs done: {new}. To be sent again, and so wiped by the next run: {same}.{without}\n\
             A new key proves a rebuild, and not whose; the same key proves nothing: an image or a hook may have brought it back."
        );
        table
    }
}
