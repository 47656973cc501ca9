//! `--events`: one JSON object a line, for scripts.
//!
//! ```json
//! {"v":1,"at":"2026-11-23T02:00:00.000Z","type":"job","service":5113119,"line":2,…}
//! ```
//!
//! `v` grows when a field changes its meaning or goes away; new fields and types may come at any
//! time. `{"type":"dropped","count":n}` stands where n events are missing because the reader did
//! not keep up; `{"type":"progress",…}`, every now and then, says how far the run is, as the display
//! does.

use serde::Serialize;

use crate::event::Event;
use crate::pace::Pace;
use crate::time;

/// The format's version.
pub const VERSION: u8 = 1;

#[derive(Serialize)]
struct Envelope<'a, B> {
    v: u8,
    at: &'a str,
    #[serde(flatten)]
    body: B,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Remark {
    Dropped { count: u64 },
    Progress(Pace),
}

/// Appends the event's line to `lines`.
pub fn write_event(lines: &mut Vec<u8>, at_ms: i64, event: &Event) {
    write_line(lines, at_ms, event);
}

/// Appends the line that stands for `count` missing events.
pub fn write_gap(lines: &mut Vec<u8>, at_ms: i64, count: u64) {
    write_line(lines, at_ms, Remark::Dropped { count });
}

/// Appends the line that says how far the run is.
pub fn write_pace(lines: &mut Vec<u8>, at_ms: i64, pace: Pace) {
    write_line(lines, at_ms, Remark::Progress(pace));
}

fn write_line(lines: &mut Vec<u8>, at_ms: i64, body: impl Serialize) {
    let before = lines.len();
    let at = time::rfc3339(at_ms);
    let envelope = Envelope {
        v: VERSION,
        at: &at,
        body,
    };
    match serde_json::to_writer(&mut *lines, &envelope) {
        Ok(()) => lines.push(b'\n'),
        // No event has a field that JSON could refuse; half a line would be worse than none.
        Err(_) => lines.truncate(before),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::event::{Activity, JobEvent, OfImage};
    use crate::exit::Exit;
    use crate::job::{
        AccountId, Action, BatchId, ControlEntry, Counts, Evidence, Executed, Instruction, JobId,
        Limits, Owner, RunId, ServiceId, State,
    };

    fn line(event: &Event) -> String {
        let mut lines = Vec::new();
        write_event(&mut lines, 1_795_399_200_007, event);
        String::from_utf8(lines).unwrap()
    }

    const FIVE_MINUTES: OfImage = OfImage {
        image: None,
        queued: 3,
        usual: Some(Duration::from_mins(5)),
    };

    fn limits_are_set() -> ControlEntry {
        ControlEntry {
            run: Some(RunId(1)),
            at_ms: 1_795_399_200_000,
            operator: "anna".to_owned(),
            reason: None,
            instruction: Instruction::Set(Limits {
                workers: Some(2),
                ..Limits::default()
            }),
        }
    }

    #[test]
    fn every_event_is_one_versioned_object_on_one_line() {
        let counts = Counts {
            queued: 3,
            ..Counts::default()
        };
        let events = [
            Event::RunStarted {
                run: RunId(3),
                batch: BatchId(1),
                action: Action::Rebuild,
                counts,
                resumed: false,
                api_url: "https://api.zomro.com/".to_owned(),
                account: Some(Owner {
                    id: AccountId::new("70001"),
                    label: Some("ops@example.com".to_owned()),
                }),
                database: PathBuf::from("/var/lib/refleet.db"),
                workers: 8,
                rate: 1.0,
                images: vec![FIVE_MINUTES],
                simulated: false,
            },
            Event::Activity(Activity::ReadingList {
                read: 350,
                total: Some(800),
            }),
            Event::Activity(Activity::WaitingToRetry {
                remaining: Duration::from_secs(12),
            }),
            Event::Job(JobEvent {
                job: JobId::from_stored(17),
                name: Some("web-1".to_owned()),
                ip: None,
                service: ServiceId::new(5_113_119).unwrap(),
                line: 2,
                image: None,
                attempt: 1,
                kind: "completed",
                from: State::InProgress,
                to: State::Done,
                executed: Executed::Yes,
                held: false,
                evidence: Some(Evidence::Observed),
                error_kind: None,
                error: None,
                took: Some(Duration::from_millis(250_125)),
            }),
            Event::Warning {
                message: "two\nlines".to_owned(),
            },
            Event::Control(limits_are_set()),
            Event::Paused {
                reason: "no answer".to_owned(),
            },
            Event::Resumed,
            Event::BudgetLimits { in_flight_max: 3 },
            Event::Halting {
                reason: "budget".to_owned(),
            },
            Event::Stopping { calls: 2 },
            Event::RunEnded {
                counts,
                elapsed_ms: 61_000,
                exit_code: Exit::Failed,
            },
        ];
        let mut all = String::new();
        for event in &events {
            let text = line(event);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["v"], 1);
            assert_eq!(value["at"], "2026-11-23T02:00:00.007Z");
            assert!(value["type"].is_string());
            all.push_str(&text);
        }
        let mut gap = Vec::new();
        write_gap(&mut gap, 0, 17);
        all.push_str(std::str::from_utf8(&gap).unwrap());
        insta::assert_snapshot!(all);
    }

    #[test]
    fn how_far_it_is_stands_in_a_line_of_its_own() {
        let mut line = Vec::new();
        let pace = Pace {
            ended: 312,
            total: 500,
            per_minute: Some(7.404),
            eta: Some(Duration::from_secs(1510)),
        };
        write_pace(&mut line, 0, pace);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"v\":1,\"at\":\"1970-01-01T00:00:00.000Z\",\"type\":\"progress\",\"ended\":312,\"total\":500,\"percent\":62,\"per_minute\":7.4,\"eta_s\":1510}\n"
        );
    }

    #[test]
    fn a_path_that_is_no_utf_8_costs_no_line() {
        use std::os::unix::ffi::OsStringExt as _;
        let event = Event::RunStarted {
            run: RunId(1),
            batch: BatchId(1),
            action: Action::Rebuild,
            counts: Counts::default(),
            resumed: false,
            api_url: String::new(),
            account: None,
            database: std::ffi::OsString::from_vec(b"/tmp/\xff.db".to_vec()).into(),
            workers: 1,
            rate: 0.0,
            images: Vec::new(),
            simulated: true,
        };
        assert!(line(&event).contains("\"database\":\"/tmp/\u{fffd}.db\""));
    }
}
