//! Times and durations as people write them, and the window of the day in which work is allowed.
//!
//! Inside, a moment is Unix time in milliseconds (`…_ms: i64`), so that the database can compare it.
//! Only [`window`] knows time zones.

mod quantile;
mod text;
mod window;

pub use quantile::quantile;
pub use text::{
    CLOCK_STEP_MS, InvalidDuration, Stamp, between, exact, human, now_ms, parse_duration, rfc3339,
    short, whole_ms,
};
pub use window::{Hours, InvalidHours, InvalidZone, Window, Zone};
