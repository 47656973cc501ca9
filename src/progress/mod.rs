//! What a person or a script sees while a run works: a bar, plain lines, NDJSON, and the closing
//! summary.
//!
//! The one fact to know: nothing here can stop or slow a run. `EventSender::send` never waits;
//! stderr and the event stream each have a thread and a bounded queue of their own, so a terminal
//! or a pipe that stalls costs lines (which are counted), and one that is closed costs nothing.
//! The numbers on the display are kept by the sender and are right whatever was lost.
//!
//! A run's events go through `display`, which starts the threads and keeps the numbers (`tally`, with
//! `rate` and `forecast`). `selection` says which events are worth a line, `lines` what it says,
//! `similar` keeps a thousand of a kind off the screen; `screen` and `bar` show them, `stream` writes
//! them for scripts (`ndjson`). `log_lines` writes a run where stderr gets JSON, and its summary. `summary` closes, with `next_steps`.

mod bar;
mod counters;
mod display;
mod ended;
mod forecast;
mod layout;
mod lines;
mod log_lines;
mod mailbox;
mod mode;
mod ndjson;
mod next_steps;
mod options;
mod rate;
mod screen;
mod selection;
mod shared;
mod similar;
mod stream;
mod summary;
mod tally;
#[cfg(test)]
mod tests;

pub use display::{Handle, StartError, check_events, start};
pub use ended::Ended;
pub use layout::fold;
pub use lines::start_order;
pub use log_lines::closing_line;
pub use mode::{Choice, Mode, Surroundings, Verbosity};
pub use options::{EventsTo, Options};
pub use summary::summary;
