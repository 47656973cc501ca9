//! What every backend has to do. Each test of the suite is given a store in which nothing is.
//!
//! A new backend adds one line to the end of `stores`, and passes.

mod control;
mod hooks;
mod operator;
mod order;
pub mod rig;
mod rollout;
mod run;
mod stores;
mod stray;
