//! How hooks are carried out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How hooks are carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What a shell carries out for each success: `--on-done`
    pub command: String,
    /// At once, at most: `--hook-workers`
    pub workers: usize,
    /// How long one may take: `--hook-timeout`
    pub timeout_ms: u64,
    /// How often one that has failed is tried again: `--hook-retries`
    pub retries: u32,
}

impl Settings {
    /// How long one may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
