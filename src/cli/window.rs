//! What is asked of a window before anything is ordered: whether what is ordered can ever start in it.

use super::error::CliError;
use crate::job::{Action, ImageId};
use crate::queue::{Backend as _, Queue, StoreError};
use crate::run::durations::SEEN_MAX;
use crate::run::{Durations, Options};
use crate::time;

/// How long it took to rebuild with these images before.
pub async fn learned(
    queue: Option<&mut Queue>,
    (provider, action): (&str, Action),
    images: &[Option<ImageId>],
) -> Result<Durations, StoreError> {
    let mut durations = Durations::default();
    if let Some(queue) = queue {
        let seen = queue.durations(provider, action, images, SEEN_MAX).await?;
        durations.extend(seen);
    }
    Ok(durations)
}

/// Refuses a window that is never open for as long as what gives one of these images may take: the run
/// would end every night with that left.
pub fn check(
    options: &Options,
    durations: &Durations,
    images: &[Option<ImageId>],
) -> Result<(), CliError> {
    let Some(window) = &options.rollout.window else {
        return Ok(());
    };
    let length = window.length();
    for &image in images {
        let learned = durations.p95(image);
        let takes = learned.unwrap_or(options.rules.rebuild_timeout);
        // At the very moment at which it opens, nothing is ready to start.
        if takes < length {
            continue;
        }
        let what = image.map_or_else(|| "this".to_owned(), |image| format!("image {image}"));
        let (takes, length) = (time::short(takes), time::short(length));
        let because = if learned.is_some() {
            format!("takes {takes}, as 19 of 20 have shown: give a longer window")
        } else {
            format!(
                "may take {takes}, as --rebuild-timeout says as long as fewer than five of it were seen: give a longer window or a shorter --rebuild-timeout, or do five without a window first"
            )
        };
        return Err(CliError::Usage(format!(
            "{what} could never start within --window {window}, which is open for {length}: it {because}"
        )));
    }
    Ok(())
}
