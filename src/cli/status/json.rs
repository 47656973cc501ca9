//! A batch's status for scripts.

use std::path::Path;

use serde_json::json;

use super::read::Status;
use crate::cli::ended::why;
use crate::cli::held::{HeldWindow, Until, Waited};
use crate::job::{ControlEntry, Instruction};
use crate::queue::{Oldest, Run};
use crate::time;

pub fn as_json(status: &Status, database: &Path) -> serde_json::Value {
    let Status {
        batch,
        holder,
        elsewhere: _,
        last_run,
        control,
        said,
        held,
        pace,
        is_beyond_window: _,
        oldest_doubt,
        longest,
        open,
        left_alone,
        another,
        next,
    } = status;
    let now_ms = time::now_ms();
    json!({
        "version": 1,
        "database": database.display().to_string(),
        "batch": batch.id,
        "action": batch.action,
        "manifest": batch.manifest,
        "order": batch.number,
        "api_url": batch.api_url,
        "account": batch.owner,
        "plan": batch.plan,
        "created_at": time::rfc3339(batch.created_ms),
        "last_change_at": time::rfc3339(batch.touched_ms),
        "open": batch.is_open(),
        "total": batch.counts.total(),
        "counts": batch.counts,
        "running": holder.as_ref().map(|holder| json!({
            "pid": holder.pid, "host": holder.host, "since": time::rfc3339(holder.since_ms),
        })),
        "paused": control.paused.as_ref().map(word),
        "draining": control.drained.as_ref().map(word),
        "limits_set": control.limits,
        "said": said.iter().map(|entry| {
            let mut said = word(entry);
            said["kind"] = json!(entry.instruction.kind());
            if let Instruction::Set(limits) = &entry.instruction {
                said["limits"] = json!(limits);
            }
            said
        }).collect::<Vec<_>>(),
        "last_run": last_run.as_ref().map(of_run),
        "window": held.window.as_ref().map(window),
        "held_back": json!({
            "canaries": held.canaries.iter().map(member).collect::<Vec<_>>(),
            "behind_canaries": held.behind_canaries,
            "until": (held.behind_canaries > 0).then(|| held.until_proven().as_json(now_ms)),
            "groups": held.groups.iter().map(|held| json!({
                "group": held.group,
                "waiting": held.waiting,
                "until": held.until.as_json(now_ms),
                "down": held.down.iter().map(member).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "bound": held.bound.iter().map(|(service, bound)| json!({
                "service_id": service,
                "by_batch": bound.batch,
                "until": Until::missing(&bound.missing).as_json(now_ms),
                "what": bound.missing.to_string(),
            })).collect::<Vec<_>>(),
        }),
        "progress": pace,
        "oldest_doubt": oldest_doubt.as_ref().map(oldest),
        "longest_in_progress": longest.as_ref().map(oldest),
        "other_open_batches": open.iter().map(|(batch, left)| json!({
            "batch": batch, "left": left,
        })).collect::<Vec<_>>(),
        "left_alone": left_alone,
        "another_database": another,
        "next": next.as_ref().map(|next| &next.command),
    })
}

/// The hours, and what waits for them.
fn window(held: &HeldWindow) -> serde_json::Value {
    json!({
        "hours": held.window.hours.to_string(),
        "timezone": held.window.zone.to_string(),
        "closes_at": held.closes_ms.map(time::rfc3339),
        "opens_at": time::rfc3339(held.opens_ms),
        "waiting": held.waiting,
    })
}

/// An instance, and since when it has been as it is.
fn oldest(oldest: &Oldest) -> serde_json::Value {
    json!({
        "service_id": oldest.service,
        "name": oldest.name,
        "since": time::rfc3339(oldest.since_ms),
    })
}

/// An instance, and where its job stands.
fn member(waited: &Waited) -> serde_json::Value {
    json!({
        "service_id": waited.service,
        "state": waited.state,
        "until": waited.until.as_json(time::now_ms()),
    })
}

/// How a run has ended, if it has.
fn of_run(run: &Run) -> serde_json::Value {
    json!({
        "run": run.id,
        "started_at": time::rfc3339(run.started_ms),
        "ended_at": run.ended_ms.map(time::rfc3339),
        "exit_code": run.exit_code,
        "reason": why(run),
    })
}

/// Who has said something, when and why.
fn word(entry: &ControlEntry) -> serde_json::Value {
    json!({
        "by": entry.operator,
        "at": time::rfc3339(entry.at_ms),
        "reason": entry.reason,
        "run": entry.run,
    })
}
