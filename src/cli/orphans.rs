//! Doubts whose sender may still send: what has to be known before a word sends one of them again.

use std::collections::HashMap;

use super::global::Global;
use super::recorded::waits_of;
use crate::cli::error::CliError;
use crate::job::{BatchId, JobId};
use crate::queue::{Fence, Overview as _, Queue, QueuedJob, Sender};
use crate::run::hosts::Missing;
use crate::run::hosts::orphan::{is_orphan, missing};
use crate::text;

/// What is still missing of each orphan of a batch before it may be sent again.
#[derive(Debug, Default)]
pub struct Orphans {
    missing: HashMap<JobId, Option<Missing>>,
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
        let Some(queue) = queue.shared() else {
            return Ok(Self::default());
        };
        let waits = waits_of(&options);
        let senders = queue.senders(batch).await?;
        let (mut fences, now_ms) = queue.fences().await?;
        // A process that has said that it ended is as good as fenced, and what it had sent may still arrive.
        fences.extend(senders.values().filter_map(|sender| {
            let Sender { tenure, ended_ms } = sender;
            Some(Fence {
                host: tenure.host.clone(),
                tenure: Some(tenure.id),
                at_ms: (*ended_ms)?.max(tenure.since_ms),
            })
        }));
        let missing = senders.into_iter().map(|(job, sender)| {
            let missing = missing(&sender.tenure, &fences, waits, now_ms);
            (job, missing)
        });
        Ok(Self {
            missing: missing.collect(),
            command: global.command(None),
        })
    }

    /// Why `job` may not be sent again now, where its sender may still send it.
    pub fn refuse(&self, job: &QueuedJob) -> Option<String> {
        if !is_orphan(&job.record) {
            return None;
        }
        let command = &self.command;
        match self.missing.get(&job.id) {
            // Its sender is gone, and what it had sent has arrived or never will.
            Some(None) => None,
            Some(Some(missing @ Missing::Fence { host })) => Some(format!(
                "is not sent again: {missing}; once you know that it is, `{command} hosts fence {} --reason TEXT` says so",
                text::shell_word(host)
            )),
            Some(Some(missing @ Missing::Time { .. })) => {
                Some(format!("is not sent again yet: {missing}"))
            }
            // It has come to be one since they were read.
            None => Some("has just been left behind by its host: look at it once more".to_owned()),
        }
    }
}
