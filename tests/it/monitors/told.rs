//! What the monitors were told, read as strictly as they do.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Monitored, SECRET};
use crate::rig::{LOGIN_PASSWORD, PASSWORD, Told};

/// All monitors were told of the end with `code`, since `before` pings.
#[track_caller]
pub fn all_say(name: &str, monitored: &Monitored, before: usize, code: i32) {
    let text = fs::read_to_string(monitored.metrics()).unwrap();
    let samples = samples(&text);
    assert_eq!(
        samples.get("refleet_last_exit_code"),
        Some(&f64::from(code)),
        "{name}: {text}"
    );
    if code != 75 {
        assert_eq!(samples.get("refleet_running"), Some(&0.0), "{name}: {text}");
    }
    accepted_by_promtool(&text);
    let mode = monitored.metrics().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "{name}");

    let pings = &monitored.pings()[before..];
    let end = pings.last().unwrap_or_else(|| panic!("{name}: no ping"));
    assert_eq!(end.last(), code.to_string(), "{name}: {pings:?}");
    assert!(!end.body.trim().is_empty(), "{name}");
    if pings.len() > 1 {
        assert_eq!(pings[0].last(), "start", "{name}: {pings:?}");
        assert_eq!(rid(&pings[0]), rid(end), "{name}");
    }

    let notified = monitored.notify.told();
    let notified: Value = serde_json::from_str(&notified.last().unwrap().body).unwrap();
    let given = monitored.end();
    assert_eq!(notified, given, "{name}");
    assert_eq!(given["exit_code"], code, "{name}: {given}");
    assert_eq!(given["version"], 1, "{name}");
    assert_eq!(given["id"], rid(end), "{name}");
    for secret in [PASSWORD, LOGIN_PASSWORD, SECRET] {
        let all = format!("{text}{given}{}", end.body);
        assert!(!all.contains(secret), "{name}: {all}");
    }
}

/// The name of the process that a ping speaks of.
pub fn rid(ping: &Told) -> &str {
    let (_, rid) = ping.path.split_once("rid=").unwrap();
    assert_eq!(rid.len(), 36, "{rid} is no UUID");
    rid
}

/// Each series with its value, without the label that names the file. Refuses what Prometheus' parser or
/// its linter would.
pub fn samples(text: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    let mut family = ("", "");
    assert!(text.ends_with('\n'), "{text}");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let (same, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, same);
            assert!(name.starts_with("refleet_") && !help.is_empty(), "{line}");
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            family = (name, kind);
            continue;
        }
        // A sample with a time would have a third word.
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
        assert_eq!(name, family.0, "a sample without its head: {line}");
        assert!(!series.contains(' '), "{line}");
        let (first, rest) = labels.split_once(',').unwrap_or((labels, ""));
        assert_eq!(first, "name=\"nightly\"", "{line}");
        let series = if rest.is_empty() {
            name.to_owned()
        } else {
            format!("{name}{{{rest}}}")
        };
        let value: f64 = value.parse().unwrap();
        assert!(
            value >= 0.0 && samples.insert(series, value).is_none(),
            "{line}"
        );
    }
    samples
}

/// Prometheus' own linter says so, where it is installed.
fn accepted_by_promtool(text: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
