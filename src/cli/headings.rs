//! The groups of options in the help: each is called the same in every command.
//!
//! What a person needs on the first night stands in `-h`; the rest is hidden there (`hide_short_help`), and
//! `--help` has all of it.

/// Which rows are ordered, and what keeps a wrong sheet from being ordered.
pub const ORDER: &str = "What is ordered";
/// How quickly, and when.
pub const PACE: &str = "Pace";
/// What keeps a bad image, or a bad night, from spreading.
pub const SAFETY: &str = "Safety";
/// How long is waited for what.
pub const PATIENCE: &str = "Retries and waiting";
/// What the operator lets happen to an instance after its success.
pub const AFTERWARDS: &str = "Afterwards";
/// What is shown, and where.
pub const OUTPUT: &str = "Output";
/// Who else is told how it stands.
pub const MONITORING: &str = "Monitoring";
/// How the manifest is read.
pub const SHEET: &str = "Spreadsheet";
/// What only a rehearsal takes.
pub const SIMULATION: &str = "Simulation";
/// What every command takes.
pub const GLOBAL: &str = "Global options";
