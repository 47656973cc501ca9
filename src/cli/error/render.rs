//! The text of an error on stderr.

use super::hints::{hints, typed};
use super::kinds::CliError;
use crate::manifest::ManifestError;
use crate::text;

impl CliError {
    /// The whole text for stderr, ending with a line feed. `command`: how to call refleet on this
    /// very queue again; it stands in each hint that can be typed.
    pub fn render(&self, command: &str) -> String {
        if let Self::Manifest(ManifestError::Invalid(faults)) = self {
            return faults.to_string();
        }
        if let Self::CommandLine(error) = self {
            return error.to_string();
        }
        let message = self.to_string();
        let mut lines = String::new();
        // Each fault of a configuration is one line.
        let is_list = matches!(self, Self::Setup(_));
        for (index, line) in message.trim_end().lines().enumerate() {
            lines.push_str(if index == 0 || is_list { "error: " } else { "" });
            lines.push_str(&text::printable(line));
            lines.push('\n');
        }
        for hint in hints(self) {
            lines.push_str("hint: ");
            lines.push_str(&text::printable(&typed(&hint, command)));
            lines.push('\n');
        }
        lines
    }
}
