//! What an operator may ask of an order.

use std::time::Duration;

use clap::Args;

use crate::cli::headings::ORDER;
use crate::queue::{DonePolicy, Due, EnqueuePolicy};
use crate::time::{InvalidDuration, parse_duration};

/// Which of a manifest's orders is meant.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, not a state machine"
)]
pub struct OrderArgs {
    /// Order all rows once more, even those that are done
    #[arg(long, help_heading = ORDER, conflicts_with_all = ["every", "skip_done"])]
    pub again: bool,

    /// Order the rows whose last submission is at least this long ago, and those never submitted; for cron
    #[arg(long, help_heading = ORDER, value_name = "DURATION", value_parser = parse_every)]
    pub every: Option<Duration>,

    /// Leave out services to which an earlier manifest already gave this image
    #[arg(long, help_heading = ORDER)]
    pub skip_done: bool,

    /// Also order services that an earlier order wiped, or may have wiped, without ending well
    #[arg(long, help_heading = ORDER, hide_short_help = true)]
    pub wiped: bool,

    /// Refuse a new order of more instances than this; for cron
    #[arg(long, help_heading = ORDER, hide_short_help = true, value_name = "N")]
    pub max_wipes: Option<u64>,

    /// Refuse a new order that differs in more services than this share from the last one of the same manifest; for cron
    #[arg(long, help_heading = ORDER, hide_short_help = true, value_name = "P%", value_parser = parse_percent)]
    pub max_change: Option<u8>,

    /// Use the passwords, keys and pins of this file for an unfinished batch that was ordered from another file
    #[arg(long, help_heading = ORDER, hide_short_help = true, requires = "manifest")]
    pub update_access: bool,
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, not a state machine"
)]
pub struct OrderOptions {
    pub again: bool,
    pub every: Option<Duration>,
    pub skip_done: bool,
    pub wiped: bool,
    pub max_wipes: Option<u64>,
    /// In per cent.
    pub max_change: Option<u8>,
    pub update_access: bool,
}

impl OrderOptions {
    /// A new order may be too large, or too different from the last one.
    pub fn has_caps(self) -> bool {
        self.max_wipes.is_some() || self.max_change.is_some()
    }

    /// How a new order treats services with a past.
    ///
    /// `--again` and `--every` are words to wipe what was wiped before, however it ended; without
    /// them nothing is wiped once more unless the operator says which.
    pub fn policy(self, now_ms: i64) -> EnqueuePolicy {
        let anew = self.again || self.every.is_some();
        EnqueuePolicy {
            done: match (self.skip_done, anew) {
                (true, _) => DonePolicy::Skip,
                (false, true) => DonePolicy::Again,
                (false, false) => DonePolicy::Refuse,
            },
            touched: self.wiped || anew,
            leave_out_held: anew,
            due: self.every.map(|every| Due { every, now_ms }),
            beside: None,
        }
    }
}

impl OrderArgs {
    pub fn options(&self) -> OrderOptions {
        OrderOptions {
            again: self.again,
            every: self.every,
            skip_done: self.skip_done,
            wiped: self.wiped,
            max_wipes: self.max_wipes,
            max_change: self.max_change,
            update_access: self.update_access,
        }
    }
}

fn parse_percent(text: &str) -> Result<u8, InvalidPercent> {
    let percent = text.strip_suffix('%').and_then(|text| text.parse().ok());
    percent
        .filter(|percent| *percent <= 100)
        .ok_or(InvalidPercent)
}

/// Why a text is no share.
#[derive(Debug, Clone, thiserror::Error)]
#[error("is no share from 0% to 100%")]
struct InvalidPercent;

/// Why a text is nothing that an order could be repeated by.
#[derive(Debug, Clone, thiserror::Error)]
enum InvalidEvery {
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    #[error("must be more than zero; --again orders all of it once more, whenever it was")]
    Zero,
}

fn parse_every(text: &str) -> Result<Duration, InvalidEvery> {
    let every = parse_duration(text)?;
    (!every.is_zero())
        .then_some(every)
        .ok_or(InvalidEvery::Zero)
}
