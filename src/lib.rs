//! x
pub mod event;
pub mod job;
pub mod text;
pub mod time;
