//! Submissions that may still take effect: what has to be known, or to have passed, before a word sends a job
//! again.
//!
//! Who gives that word has looked at the instance, and what he has seen has to hold.

use std::collections::HashMap;

use super::global::Global;
use super::recorded::waits_of;
use crate::cli::error::CliError;
use crate::job::{BatchId, Executed};
use crate::queue::{Attempt, Overview as _, Queue, QueuedJob, Store as _};
use crate::run::hosts::{Missing, stray};
use crate::{text, time};

/// What is still missing of each stray of a batch before its job may be sent again.
#[derive(Debug, Default)]
pub struct Orphans {
    missing: HashMap<Attempt, Option<Missing>>,
    command: String,
}

impl Orphans {
    /// Those of `batch`, as it stands now.
    pub async fn read(
        global: &Global,
        queue: &mut Queue,
        batch: BatchId,
    ) -> Result<Self, CliError> {
        let options = queue.options(batch).await?.unwrap_or_default();
        let waits = waits_of(&options);
        let strays = queue.strays(batch).await?;
        let now_ms = time::now_ms();
        let missing = strays.all.iter().map(|stray| {
            let missing = stray::missing(stray, &strays, waits, now_ms);
            (stray.attempt, missing)
        });
        Ok(Self {
            missing: missing.collect(),
            command: global.command(None),
        })
    }

    /// Why `job` may not be sent again now.
    pub fn refuse(&self, job: &QueuedJob) -> Option<String> {
        let attempt = Attempt {
            job: job.id,
            number: job.record.attempt,
        };
        if job.record.executed_now != Executed::Maybe {
            return None;
        }
        let Some(missing) = self.missing.get(&attempt) else {
            return Some("has just come to be in doubt: look at it once more".to_owned());
        };
        let missing = missing.as_ref()?;
        let command = &self.command;
        Some(match missing {
            Missing::Fence { host } => format!(
                "is not sent again: {missing}; once you know that it is, `{command} hosts fence {} --reason TEXT` says so",
                text::shell_word(host)
            ),
            Missing::Time { .. } | Missing::Effect { .. } => {
                format!("is not sent again yet: {missing}; look at it after that, and say it again")
            }
        })
    }
}
