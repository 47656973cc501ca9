//! Why rows of a manifest cannot be queued: an earlier batch has, or has wiped, their services.

use std::fmt::Write as _;

use crate::job::{Action, BatchId};
use crate::queue::Conflict;
use crate::time;

/// Services that are named before the rest is only counted.
pub const NAMED_MAX: usize = 20;

/// Why an order of `action` may not be queued.
pub fn refusal(action: Action, conflict: &Conflict) -> String {
    match conflict {
        Conflict::OtherProvider {
            batch,
            theirs,
            ours,
            ..
        } => other_api(*batch, theirs, ours),
        Conflict::AlreadyDone(count) => already_done(*count),
        Conflict::Touched {
            touched,
            already_done: done,
        } => {
            let what = action.terms().touched;
            let mut lines = match touched.len() {
                1 => format!(
                    "one of these services was, or may have been, {what} by an order that did not end well:"
                ),
                count => format!(
                    "{count} of these services were, or may have been, {what} by orders that did not end well:"
                ),
            };
            listed(&mut lines, touched, |touched| {
                format!(
                    "service {} (batch {}: {}, executed={})",
                    touched.service, touched.batch, touched.state, touched.executed
                )
            });
            if *done > 0 {
                let _ = write!(lines, "\n{}", already_done(*done));
            }
            lines
        }
        Conflict::Future(services) => {
            let mut lines = match services.len() {
                1 => "the last submission of one of these services lies in the future:".to_owned(),
                count => {
                    format!("the last submission of {count} of these services lies in the future:")
                }
            };
            listed(&mut lines, services, |(service, at_ms)| {
                format!("service {service} ({})", time::human(*at_ms))
            });
            lines
        }
        Conflict::Undatable(services) => {
            let mut lines = match services.len() {
                1 => "nobody can tell how long ago one of these services was last submitted, since this machine's clock went back before:".to_owned(),
                count => format!("nobody can tell how long ago {count} of these services were last submitted, since this machine's clock went back before:"),
            };
            listed(&mut lines, services, |it| {
                format!(
                    "service {} (batch {}: dated {}, after the clock had gone from {} back to {})",
                    it.service,
                    it.batch,
                    time::human(it.dated_ms),
                    time::human(it.from_ms),
                    time::human(it.to_ms)
                )
            });
            lines
        }
        Conflict::Live(live) => {
            let mut lines = match live.len() {
                1 => "one of these services is still live in another batch:".to_owned(),
                count => format!("{count} of these services are still live in another batch:"),
            };
            listed(&mut lines, live, |live| {
                let state = if live.is_held { ", held in doubt" } else { "" };
                format!("service {} (batch {}{state})", live.service, live.batch)
            });
            lines
        }
    }
}

/// Adds a line for each of the first `items`, and the number of the rest.
pub fn listed<T>(lines: &mut String, items: &[T], line: impl Fn(&T) -> String) {
    // Writing to a String cannot fail.
    for item in items.iter().take(NAMED_MAX) {
        let _ = write!(lines, "\n  {}", line(item));
    }
    if items.len() > NAMED_MAX {
        let _ = write!(lines, "\n  … and {} more", items.len() - NAMED_MAX);
    }
}

fn already_done(count: u64) -> String {
    match count {
        1 => "one of these services already got this image by an earlier manifest".to_owned(),
        count => format!("{count} of these services already got this image by an earlier manifest"),
    }
}

pub fn other_api(batch: BatchId, theirs: &str, ours: &str) -> String {
    format!("batch {batch} of this database belongs to {theirs}, and the API given is {ours}")
}
