//! Lines, and the stream for scripts.

use std::io::Write;
use std::sync::mpsc;

use super::*;
use crate::progress::shared::QUEUED_MAX;

/// Sends to a log, and returns it.
fn in_a_log(verbosity: Verbosity, events: Vec<Event>, closing: &str) -> String {
    let shared = shared(Mode::Plain, verbosity, false);
    let (done, log) = mpsc::channel();
    spawn("display", &shared, move |shared| {
        let mut out = Vec::new();
        screen::show_lines(shared, &mut out);
        done.send(out).unwrap();
    })
    .unwrap();
    let sender = EventSender {
        shared: Arc::clone(&shared),
    };
    for event in events {
        sender.send(event);
    }
    Handle { shared }.finish(closing);
    without_clock(&String::from_utf8(log.recv().unwrap()).unwrap())
}

// Field case E8.
fn a_short_run() -> Vec<Event> {
    use State::{Failed, InDoubt, InProgress, Queued, Submitting};
    let mut events = vec![
        Event::Activity(Activity::LoggingIn),
        Event::Activity(Activity::ReadingList {
            read: 0,
            total: None,
        }),
        Event::Activity(Activity::ReadingList {
            read: 2,
            total: Some(4),
        }),
        Event::Activity(Activity::ReadingList {
            read: 4,
            total: Some(4),
        }),
        started(4, true),
        // The line names the option.
        Event::BudgetLimits { in_flight_max: 2 },
    ];
    events.extend(rebuilt(1));
    events.extend([
        step(2, "intent", Queued, Submitting),
        step(2, "refused", Submitting, Failed),
        step(3, "intent", Queued, Submitting),
        step(3, "unknown", Submitting, InDoubt),
        Event::Activity(Activity::WatchingDoubts {
            until_ms: 1_795_399_200_000,
        }),
        step(3, "sighted", InDoubt, InProgress),
        step(4, "intent", Queued, Submitting),
        step(4, "unknown", Submitting, InDoubt),
        step(4, "held", InDoubt, InDoubt),
        Event::Stopping { calls: 1 },
        Event::Halting {
            reason: "failure budget: 2 of 2 used up".to_owned(),
        },
        Event::RunEnded {
            counts: Counts {
                done: 1,
                failed: 1,
                in_progress: 1,
                in_doubt: 1,
                held: 1,
                ..Counts::default()
            },
            elapsed_ms: 61_000,
            exit_code: Exit::Outage,
        },
    ]);
    events
}

#[test]
fn a_log_tells_as_much_as_it_was_asked_for() {
    let mut all = String::new();
    for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose] {
        let log = in_a_log(verbosity, a_short_run(), "the summary\n");
        let _ = writeln!(all, "== {verbosity:?}\n{log}");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn quiet_is_silent_when_all_is_well() {
    let mut events = vec![started(50, false)];
    events.extend((0..50).flat_map(rebuilt));
    events.extend([
        Event::Paused {
            reason: "HTTP 429".to_owned(),
        },
        Event::Resumed,
    ]);
    assert_eq!(in_a_log(Verbosity::Quiet, events, ""), "");
}

#[test]
fn a_silent_log_says_from_time_to_time_where_the_run_stands() {
    let mut tally = tally_of(&middle_of_a_run());
    assert_eq!(
        tally.heartbeat(Duration::from_secs(1720)).as_deref(),
        Some(
            "315/500 ended: done 312, failed 2, in doubt 1 (held 1), in progress 8, queued 177; \
             10/min, ETA 1h 39m; waiting for 8 rebuilds"
        )
    );
    assert_eq!(new_tally(false).heartbeat(Duration::ZERO), None);
}

/// Refuses every write, or writes half of it first.
struct Broken {
    bytes_left: usize,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.bytes_left.min(bytes.len());
        self.bytes_left -= taken;
        match taken {
            0 => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_stderr_stops_nothing() {
    let shared = shared(Mode::Plain, Verbosity::Verbose, false);
    spawn("display", &shared, |shared| {
        screen::show_lines(shared, &mut Broken { bytes_left: 10 });
    })
    .unwrap();
    let sender = EventSender {
        shared: Arc::clone(&shared),
    };
    for event in a_short_run() {
        sender.send(event);
    }
    Handle { shared }.finish("unseen\n");
}

#[test]
fn an_event_stream_that_breaks_is_named_once() {
    let shared = shared(Mode::None, Verbosity::Normal, true);
    let (done, log) = mpsc::channel();
    spawn("events", &shared, |shared| {
        stream::write(shared, Broken { bytes_left: 10 });
    })
    .unwrap();
    spawn("display", &shared, move |shared| {
        let mut out = Vec::new();
        screen::show_lines(shared, &mut out);
        done.send(out).unwrap();
    })
    .unwrap();
    let sender = EventSender {
        shared: Arc::clone(&shared),
    };
    for event in (0..100).flat_map(rebuilt) {
        sender.send(event);
    }
    Handle { shared }.finish("the summary\n");
    let log = String::from_utf8(log.recv().unwrap()).unwrap();
    assert_eq!(
        without_clock(&log),
        "<time> warning: the run goes on without --events, which cannot be written: broken pipe\n\
         the summary"
    );
}

/// Blocks in its first write until it is let go.
struct Stalled {
    go: mpsc::Receiver<()>,
    written: mpsc::Sender<Vec<u8>>,
}

impl Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.go.recv(); // an error means: go on for good
        let _ = self.written.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stalled_reader_stops_nothing_and_learns_how_much_it_missed() {
    let shared = shared(Mode::None, Verbosity::Normal, true);
    let (go, gate) = mpsc::channel();
    let (written, pieces) = mpsc::channel();
    spawn("events", &shared, move |shared| {
        stream::write(shared, Stalled { go: gate, written });
    })
    .unwrap();
    spawn("display", &shared, |shared| {
        screen::show_lines(shared, &mut io::sink());
    })
    .unwrap();
    let sender = EventSender {
        shared: Arc::clone(&shared),
    };
    let sent = u64::try_from(QUEUED_MAX).unwrap() * 2;
    for _ in 0..sent {
        sender.send(Event::Resumed);
    }
    drop(go);
    Handle { shared }.finish("");
    let mut shown = 0;
    let mut dropped = 0;
    for line in pieces.iter().flat_map(|piece| {
        String::from_utf8(piece)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    }) {
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        match value["type"].as_str().unwrap() {
            "dropped" => dropped += value["count"].as_u64().unwrap(),
            _ => shown += 1,
        }
    }
    assert_eq!(shown + dropped, sent);
    assert!(dropped > 0);
}

#[test]
fn an_event_file_holds_every_event() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.ndjson");
    let (sender, handle) = start(&Options {
        events: Some(EventsTo::File(path.clone())),
        ..options(Mode::None, Verbosity::Normal)
    })
    .unwrap();
    let events = a_short_run();
    let sent = events.len();
    for event in events {
        sender.send(event);
    }
    assert_eq!(
        handle.halted().as_deref(),
        Some("failure budget: 2 of 2 used up")
    );
    handle.finish("");
    let text = std::fs::read_to_string(path).unwrap();
    // Before the last of them stands how far it came.
    let is_remark = |line: &&str| line.contains("\"type\":\"progress\"");
    let (remarks, events): (Vec<&str>, Vec<&str>) = text.lines().partition(is_remark);
    assert_eq!((events.len(), remarks.len()), (sent, 1));
}

#[test]
fn an_event_file_that_cannot_be_opened_is_named() {
    let error = start(&Options {
        events: Some(EventsTo::File(PathBuf::from("/nonexistent/events"))),
        ..options(Mode::None, Verbosity::Normal)
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the event file `/nonexistent/events`"
    );
}
