//! Why a run may not go by a plan.

use std::path::PathBuf;
use std::time::Duration;

use crate::job::{Action, BatchId, ServiceId};
use crate::time;

/// What is wrong with a plan, or has changed since it was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it is no plan of refleet: {0}")]
    NoPlan(String),
    #[error("it is of version {0}, which this refleet does not know")]
    Version(u32),
    #[error("it was changed, or cut off, after it was written")]
    Changed,
    #[error("it was made on {}, and --plan-age allows {}", time::human(*.created_ms), time::short(*.age_max))]
    Old { created_ms: i64, age_max: Duration },
    #[error("it was made on {}, which lies in the future", time::human(*.created_ms))]
    Future { created_ms: i64 },
    #[error("it was made for {0}")]
    OtherApi(String),
    #[error("it was made for the queue in {}", .0.display())]
    OtherDatabase(PathBuf),
    #[error("it plans to {}", .0.terms().verb)]
    OtherAction(Action),
    #[error("the sheet differs from it in {}\n  {}", rows_of(*.rows), .first.join("\n  "))]
    OtherRows {
        rows: u64,
        first: Vec<String>,
        /// A batch of the sheet that is open, and what goes on with it, without the program's name.
        open: Option<(BatchId, String)>,
    },
    #[error("batch {batch} of this manifest is open, and was not ordered by it")]
    OtherBatch {
        batch: BatchId,
        /// What goes on with it, without the program's name.
        run: String,
    },
    #[error(
        "since then the queue has changed: it orders {planned}, and {now} would be ordered now"
    )]
    OtherTargets { planned: u64, now: u64 },
    #[error(
        "since then batch {batch} has submitted what it orders (service {service}): a plan is for one order"
    )]
    Used { batch: BatchId, service: ServiceId },
    #[error("it holds {option} {planned}, and {given} is given beside it")]
    OtherOption {
        option: &'static str,
        planned: String,
        given: String,
    },
}

fn rows_of(rows: u64) -> String {
    match rows {
        1 => "1 row:".to_owned(),
        rows => format!("{rows} rows, among them:"),
    }
}

impl PlanFault {
    /// What a person does about it.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::OtherRows {
                open: Some((batch, run)),
                ..
            } => {
                return format!(
                    "batch {batch} is open, and a plan is for a new order: `refleet {run}` goes on with it by the sheet as it is now, and asks"
                );
            }
            Self::OtherBatch { batch, run } => {
                return format!(
                    "finish that batch first: `refleet {run}` shows what is left of it, and asks; `refleet cancel --all --batch {batch}` gives it up"
                );
            }
            Self::Unreadable(_) => "is the path right?",
            Self::NoPlan(_) | Self::Version(_) | Self::Changed => {
                "make it again with `refleet plan MANIFEST --out FILE`, and have that approved"
            }
            Self::OtherApi(_) => "give the same --api-url, or plan for this one",
            Self::OtherDatabase(_) => "give the same --db (or --account), or plan for this one",
            Self::OtherAction(_) => "plan what is to be done",
            Self::Future { .. } => "see to the clocks of the machines (`date`), and plan again",
            Self::Old { .. }
            | Self::OtherRows { .. }
            | Self::OtherTargets { .. }
            | Self::Used { .. } => {
                "look at it with `refleet plan MANIFEST --out FILE`, and have the new plan approved"
            }
            Self::OtherOption { .. } => "leave the option out, or plan with it",
        };
        hint.to_owned()
    }
}
