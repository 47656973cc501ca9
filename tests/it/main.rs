//! The tests of the real binary, and of the queue on a real file: one module for each subject.
//!
//! They are one binary because one is built and linked far faster than many, and because all of
//! them share one rig ([`rig`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod rig;

mod access;
mod account;
mod accounts;
mod approval;
mod browser;
mod canaries;
mod caps;
mod catalogue;
mod cli;
mod commands;
mod control;
mod corpus;
mod crash;
mod doubt;
mod every;
mod examples;
mod faults;
mod history;
mod hook_examples;
mod hooks;
mod hosts;
#[cfg(target_os = "linux")]
mod instances;
mod logins;
mod logs;
mod main_job;
mod manual;
mod monitors;
mod names;
mod odd;
mod odd_answers;
mod odd_lists;
mod orders;
#[cfg(target_os = "linux")]
mod packaging;
mod pictures;
mod pins;
mod place;
mod plan;
mod poll_cost;
mod provider;
#[cfg(target_os = "linux")]
mod question;
mod queue;
mod readme;
mod report;
mod results;
mod resume;
mod rollout;
mod screen;
mod secrets;
mod signals;
mod spreadsheets;
mod start_order;
mod storage;
mod stray;
mod suggested;
mod systemd;

mod service;
#[cfg(target_os = "linux")]
mod terminal;
mod tidy;
mod window;
#[cfg(target_os = "linux")]
mod witness;
mod workbooks;
