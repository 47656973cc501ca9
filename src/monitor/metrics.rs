//! A file for Prometheus, in its text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>):
//! `node_exporter --collector.textfile.directory` passes it on.
//!
//! The one fact to know: the file is there whole or not at all, and one that cannot be written any more is
//! removed. An alert on its absence, or on its age, so hears of everything else that goes wrong.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::Builder;

use super::document::End;
use super::standing::Standing;
use crate::exit::Exit;
use crate::job::State;
use crate::time;

/// The exporter is another user.
const MODE: u32 = 0o644;

/// A file of ours has a few kilobytes.
const BYTES_MAX: u64 = 64 << 10;

/// Whose process still works writes every fifteen seconds. One that has not for so long is no more.
const STALE_S: f64 = 60.0;

const LAST_EXIT: &str = "refleet_last_exit_code";
const LAST_SUCCESS: &str = "refleet_last_success_timestamp_seconds";
const RUNNING: &str = "refleet_running";
const WRITTEN: &str = "refleet_written_timestamp_seconds";

/// The file.
pub(super) struct Metrics {
    path: PathBuf,
    /// The label by which several files in one folder are told apart: the file's own name.
    name: String,
    before: Before,
    /// Something else stands there.
    is_foreign: bool,
}

/// What the process before has left there.
#[derive(Debug, Default, PartialEq)]
struct Before {
    exit_code: Option<f64>,
    success_s: Option<f64>,
    is_running: bool,
    written_s: f64,
}

impl Metrics {
    /// Looks at what is there.
    pub(super) fn open(path: &Path) -> Self {
        // A link is meant to stay one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = name.into_owned();
        let (before, is_foreign) = match look(&path) {
            Ok(text) => (Before::read(&text), !is_ours(&text)),
            Err(error) => (Before::default(), error.kind() != io::ErrorKind::NotFound),
        };
        Self {
            path,
            name,
            before,
            is_foreign,
        }
    }

    /// The process that wrote last never said how it ended.
    pub(super) fn left_running(&self, now_ms: i64) -> bool {
        self.before.is_running && seconds(now_ms) - self.before.written_s > STALE_S
    }

    /// How it stands; `end`: how it has ended.
    pub(super) fn text(&self, standing: &Standing, end: Option<&End>) -> String {
        let mut text = Text {
            name: escaped(&self.name),
            out: String::new(),
        };
        let now_ms = end.map_or_else(time::now_ms, |end| end.ended_ms);
        let exit_code = end.map(|end| f64::from(end.exit.code()));
        let has_succeeded = end.is_some_and(|end| end.exit == Exit::Done);
        let success_s = has_succeeded.then(|| seconds(now_ms));
        // Whoever found another one at work leaves the file as that one's, which writes again soon.
        let is_anothers = end.is_some_and(|end| end.exit == Exit::Busy)
            && self.before.is_running
            && !self.left_running(now_ms);

        text.head(
            "refleet_build_info",
            "gauge",
            "The program that wrote this.",
        );
        text.sample(
            "refleet_build_info",
            Some(("version", env!("CARGO_PKG_VERSION"))),
            1.0,
        );
        text.gauge(
            RUNNING,
            "Whether a process was at work when this was written.",
            Some(flag(end.is_none() || is_anothers)),
        );
        text.gauge(
            WRITTEN,
            "When this was written; while the process works, every 15 seconds.",
            Some(seconds(now_ms)),
        );
        text.gauge(
            "refleet_start_timestamp_seconds",
            "When the process began.",
            Some(seconds(standing.started_ms)),
        );
        text.gauge(
            "refleet_last_progress_timestamp_seconds",
            "When a run told something last, or the service looked at its queue.",
            Some(seconds(standing.progress_ms)),
        );
        text.gauge(
            "refleet_end_timestamp_seconds",
            "When the process ended.",
            end.map(|end| seconds(end.ended_ms)),
        );
        text.gauge(
            LAST_EXIT,
            "The exit code of the process that ended last.",
            exit_code.or(self.before.exit_code),
        );
        text.gauge(
            LAST_SUCCESS,
            "When a process last ended with exit code 0.",
            success_s.or(self.before.success_s),
        );
        text.gauge(
            "refleet_previous_died",
            "Whether the process before this one never said how it ended.",
            Some(flag(standing.previous_died())),
        );
        of_runs(&mut text, standing);
        text.out
    }

    /// Writes it, whole or not at all; what stood there before is removed where that cannot be.
    pub(super) fn write(&self, text: &str) -> Result<(), String> {
        if self.is_foreign {
            return Err(
                "what is there was not written by refleet, and is left alone: name another file"
                    .to_owned(),
            );
        }
        let written = self.replace(text);
        written.map_err(|error| match fs::remove_file(&self.path) {
            Ok(()) => format!("it cannot be written, and the old one is removed: {error}"),
            Err(left) if left.kind() == io::ErrorKind::NotFound => {
                format!("it cannot be written: {error}")
            }
            Err(left) => format!(
                "it cannot be written ({error}), and the old one, which is not true any more, cannot be removed: {left}"
            ),
        })
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // The exporter passes over what does not end in `.prom`.
        let mut file = Builder::new()
            .prefix(".refleet-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(Permissions::from_mode(MODE))?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Numbers of the runs.
fn of_runs(text: &mut Text, standing: &Standing) {
    // A service works on many batches, and has none of its own.
    let only = match standing.runs.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    #[expect(clippy::cast_precision_loss, reason = "numbers of batches are small")]
    let number = |number: i64| number as f64;
    text.gauge(
        "refleet_batch",
        "The batch that is worked on.",
        only.map(|run| number(run.batch.0)),
    );
    text.gauge(
        "refleet_run",
        "The run that works on it.",
        only.map(|run| number(run.id.0)),
    );
    // Nothing is known of jobs before a run has begun: no number would be a wrong one.
    if !standing.runs.is_empty() {
        let counts = standing.counts();
        let name = "refleet_jobs";
        text.head(
            name,
            "gauge",
            "Jobs of the batches that are worked on, by their state.",
        );
        for state in State::ALL {
            text.sample(
                name,
                Some(("state", state.as_str())),
                whole(counts.of(*state)),
            );
        }
        text.gauge(
            "refleet_jobs_held",
            "Of the jobs in doubt: those that only an operator can settle.",
            Some(whole(counts.held)),
        );
    }
    let at_work = standing.runs.iter().filter(|run| run.is_at_work).count() as u64;
    text.gauge(
        "refleet_runs_at_work",
        "Batches that are worked on now.",
        Some(whole(at_work)),
    );
    let name = "refleet_api_calls_total";
    text.head(
        name,
        "counter",
        "API calls that the runs of the process have made.",
    );
    text.sample(name, None, whole(standing.calls()));
    if !standing.ended.is_empty() {
        let name = "refleet_runs_total";
        text.head(
            name,
            "counter",
            "Runs of the process that have ended, by their exit code.",
        );
        for (code, runs) in &standing.ended {
            text.sample(name, Some(("exit_code", &code.to_string())), whole(*runs));
        }
    }
}

/// The text so far.
struct Text {
    name: String,
    out: String,
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: f64) {
        let label = label.map_or_else(String::new, |(label, word)| format!(",{label}=\"{word}\""));
        let _ = writeln!(self.out, "{name}{{name=\"{}\"{label}}} {value}", self.name);
    }

    /// A gauge without labels of its own; where nothing is known of it, it is not there.
    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.head(name, "gauge", help);
            self.sample(name, None, value);
        }
    }
}

impl Before {
    fn read(text: &str) -> Self {
        let value = |wanted: &str| {
            let of = |line: &str| {
                let (name, value) = line.rsplit_once(' ')?;
                let name = name.split('{').next()?;
                (name == wanted).then(|| value.parse().ok())?
            };
            text.lines().find_map(of)
        };
        Self {
            exit_code: value(LAST_EXIT),
            success_s: value(LAST_SUCCESS),
            is_running: value(RUNNING) == Some(1.0),
            written_s: value(WRITTEN).unwrap_or_default(),
        }
    }
}

/// The text of a regular file; a pipe would be waited for.
fn look(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    File::open(path)?
        .take(BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn is_ours(text: &str) -> bool {
    text.is_empty() || text.starts_with("# HELP refleet_")
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[expect(clippy::cast_precision_loss, reason = "that is what a sample is")]
fn whole(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "that is what a sample is")]
fn seconds(unix_ms: i64) -> f64 {
    unix_ms as f64 / 1000.0
}

/// As the value of a label.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    text.replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::super::standing::Command;
    use super::super::standing::tests::{run, standing};
    use super::*;
    use crate::job::Counts;

    fn end(standing: &Standing, exit: Exit) -> End {
        End::new(standing, exit, String::new(), 1_764_000_100_500)
    }

    #[test]
    fn what_is_known_stands_in_it_and_no_customers_name_does() {
        let counts = Counts {
            done: 2,
            in_doubt: 1,
            held: 1,
            ..Counts::default()
        };
        let mut standing = standing(Command::Run);
        standing.begin(run(7, counts, 42), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nightly.prom");
        let metrics = Metrics::open(&path);
        insta::assert_snapshot!(metrics.text(&standing, Some(&end(&standing, Exit::InDoubt))));
    }

    #[test]
    fn what_the_process_before_left_is_kept_until_something_else_is_true() {
        let standing = standing(Command::Run);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nightly.prom");
        let first = Metrics::open(&path);
        first
            .write(&first.text(&standing, Some(&end(&standing, Exit::Done))))
            .unwrap();
        let second = Metrics::open(&path);
        let text = second.text(&standing, Some(&end(&standing, Exit::Failed)));
        assert!(
            text.contains("refleet_last_exit_code{name=\"nightly\"} 1\n"),
            "{text}"
        );
        let success = "refleet_last_success_timestamp_seconds{name=\"nightly\"} 1764000100.5\n";
        assert!(text.contains(success), "{text}");
        // While the next one works, the last end is that of the one before.
        second.write(&text).unwrap();
        let third = Metrics::open(&path);
        let text = third.text(&standing, None);
        assert!(
            text.contains("refleet_last_exit_code{name=\"nightly\"} 1\n"),
            "{text}"
        );
        assert!(text.contains(success), "{text}");
        assert!(!third.left_running(i64::MAX));
        third.write(&text).unwrap();
        let fourth = Metrics::open(&path);
        assert!(!fourth.left_running(time::now_ms()), "it may be at work");
        assert!(fourth.left_running(time::now_ms() + 61_000));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.csv");
        fs::write(&path, "service_id,image\n").unwrap();
        let said = Metrics::open(&path).write("x").unwrap_err();
        assert!(said.contains("not written by refleet"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "service_id,image\n");
        assert!(Metrics::open(folder.path()).write("x").is_err());
    }
}
