//! The display as a whole: frames on terminals of several widths, logs, streams, readers that
//! stall or go away.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;

use indicatif::InMemoryTerm;
use proptest::prelude::*;

use super::*;
use crate::event::{Activity, JobEvent};
use crate::exit::Exit;
use crate::job::{BatchId, Counts, Evidence, Executed, RunId, ServiceId, State};

fn options(mode: Mode, verbosity: Verbosity) -> Options {
    Options {
        mode,
        verbosity,
        colour: false,
        events: None,
        no_wait: false,
        command: "refleet".to_owned(),
    }
}

fn shared(mode: Mode, verbosity: Verbosity, stream: bool) -> Arc<Shared> {
    Arc::new(Shared::new(&options(mode, verbosity), mode, stream))
}

fn started(total: u64, simulated: bool) -> Event {
    Event::RunStarted {
        run: RunId(3),
        batch: BatchId(1),
        counts: Counts {
            queued: total,
            ..Counts::default()
        },
        resumed: false,
        api_url: "https://api.zomro.com/".to_owned(),
        database: PathBuf::from("/root/.local/state/refleet/refleet.db"),
        workers: 8,
        simulated,
    }
}

fn step(number: u64, kind: &'static str, from: State, to: State) -> Event {
    let service = i64::try_from(5_113_000 + number).unwrap();
    Event::Job(JobEvent {
        name: Some("web-1".to_owned()),
        ip: None,
        service: ServiceId::new(service).unwrap(),
        line: number + 1,
        attempt: 1,
        kind,
        from,
        to,
        executed: match to {
            State::Queued | State::Cancelled | State::Failed => Executed::No,
            State::Submitting | State::InDoubt => Executed::Maybe,
            State::Rebuilding | State::Done => Executed::Yes,
        },
        held: kind == "held",
        evidence: (to == State::Done).then_some(Evidence::Observed),
        error_kind: match to {
            State::Failed => Some("value".to_owned()),
            State::InDoubt => Some("timeout".to_owned()),
            _ => None,
        },
        error: match to {
            State::Failed => Some("the image does not exist in this data centre".to_owned()),
            State::InDoubt => Some("no answer within 60s".to_owned()),
            _ => None,
        },
        rebuild: (to == State::Done).then_some(Duration::from_secs(250)),
    })
}

/// Everything that one job goes through until it is done.
fn rebuilt(number: u64) -> [Event; 3] {
    [
        step(number, "intent", State::Queued, State::Submitting),
        step(number, "accepted", State::Submitting, State::Rebuilding),
        step(number, "completed", State::Rebuilding, State::Done),
    ]
}

/// A run in the middle of its work, as events with their moments in seconds.
fn middle_of_a_run() -> Vec<(u64, Event)> {
    use State::{Failed, InDoubt, Queued, Rebuilding, Submitting};
    let mut events = vec![(0, started(500, false))];
    for number in 1..=312 {
        events.extend(rebuilt(number).map(|event| (60 + number * 5, event)));
    }
    for number in 313..=314 {
        events.push((1700, step(number, "intent", Queued, Submitting)));
        events.push((1701, step(number, "refused", Submitting, Failed)));
    }
    events.push((1702, step(315, "intent", Queued, Submitting)));
    events.push((1702, step(315, "unknown", Submitting, InDoubt)));
    events.push((1710, step(315, "held", InDoubt, InDoubt)));
    for number in 316..=323 {
        events.push((1711, step(number, "intent", Queued, Submitting)));
        events.push((1712, step(number, "accepted", Submitting, Rebuilding)));
    }
    events.push((1713, Event::Activity(Activity::WaitingForRebuilds)));
    events
}

fn tally_of(events: &[(u64, Event)]) -> Tally {
    let mut tally = Tally::new(false);
    for (at, event) in events {
        tally.apply(event, Duration::from_secs(*at));
    }
    tally
}

/// What a terminal of `columns` columns shows of a tally.
fn look(tally: &mut Tally, at: u64, columns: u16) -> String {
    let terminal = InMemoryTerm::new(10, columns);
    let paint = Paint(true);
    let bar = Bar::new(terminal.clone(), paint);
    bar.draw(tally.frame(Duration::from_secs(at), usize::from(columns), paint));
    terminal.contents()
}

#[test]
fn the_display_fits_terminals_of_every_width() {
    let mut tally = tally_of(&middle_of_a_run());
    let mut looks = String::new();
    for columns in [200, 80, 60, 40, 20] {
        let look = look(&mut tally, 1720, columns);
        let _ = writeln!(looks, "== {columns} columns\n{look}");
    }
    insta::assert_snapshot!(looks);
}

#[test]
fn the_display_says_what_is_happening_right_now() {
    let mut looks = String::new();
    let mut tally = tally_of(&[]);
    looks.push_str(&look(&mut tally, 1, 80));
    let mut show = |tally: &mut Tally, event: Event| {
        tally.apply(&event, Duration::from_secs(100));
        let frame = tally.frame(Duration::from_secs(105), 80, Paint(false));
        looks.push('\n');
        looks.push_str(frame.below.last().unwrap());
    };
    show(&mut tally, Event::Activity(Activity::LoggingIn));
    show(
        &mut tally,
        Event::Activity(Activity::ReadingList {
            read: 350,
            total: Some(800),
        }),
    );
    show(&mut tally, started(3, true));
    show(&mut tally, Event::Activity(Activity::Working));
    show(
        &mut tally,
        step(1, "intent", State::Queued, State::Submitting),
    );
    show(
        &mut tally,
        step(1, "accepted", State::Submitting, State::Rebuilding),
    );
    show(&mut tally, Event::Activity(Activity::WaitingForRebuilds));
    show(
        &mut tally,
        Event::Activity(Activity::WaitingToRetry {
            remaining: Duration::from_secs(12),
        }),
    );
    show(&mut tally, Event::BudgetLimits { in_flight_max: 2 });
    show(
        &mut tally,
        Event::Paused {
            reason: "no answer from the API: connection refused, and this goes on and on"
                .to_owned(),
        },
    );
    show(&mut tally, Event::Resumed);
    show(
        &mut tally,
        Event::Activity(Activity::WatchingDoubts {
            until_ms: 1_795_399_200_000,
        }),
    );
    show(&mut tally, Event::Stopping { calls: 2 });
    show(
        &mut tally,
        Event::Halting {
            reason: "credentials refused".to_owned(),
        },
    );
    insta::assert_snapshot!(looks);
}

#[test]
fn only_completions_of_this_run_make_its_rate() {
    let mut tally = Tally::new(false);
    let resumed = Event::RunStarted {
        run: RunId(4),
        batch: BatchId(1),
        counts: Counts {
            done: 400,
            queued: 100,
            ..Counts::default()
        },
        resumed: true,
        api_url: String::new(),
        database: PathBuf::new(),
        workers: 8,
        simulated: false,
    };
    tally.apply(&resumed, Duration::ZERO);
    let frame = tally.frame(Duration::from_mins(5), 80, Paint(false));
    assert_eq!(frame.tail, "400/500  80%  ETA –  –/min");
    // Not listed: they end without having taken any time.
    for number in 0..50 {
        tally.apply(
            &step(number, "untouched", State::Queued, State::Failed),
            Duration::from_mins(5),
        );
    }
    let frame = tally.frame(Duration::from_mins(6), 80, Paint(false));
    assert_eq!(frame.tail, "450/500  90%  ETA –  –/min");
    for number in 0..2 {
        for event in rebuilt(number) {
            tally.apply(&event, Duration::from_mins(6));
        }
    }
    let frame = tally.frame(Duration::from_mins(7), 80, Paint(false));
    assert_eq!(frame.tail, "452/500  90%  ETA 3h 20m  1.0/min");
    assert_eq!(tally.completed(), 52);
}

#[test]
fn under_no_wait_a_job_has_ended_when_it_is_accepted() {
    let mut tally = Tally::new(true);
    tally.apply(&started(4, false), Duration::ZERO);
    for number in 1..=2 {
        for event in &rebuilt(number)[..2] {
            tally.apply(event, Duration::from_secs(number * 10));
        }
    }
    let frame = tally.frame(Duration::from_secs(30), 80, Paint(false));
    assert_eq!(frame.ended, Some((2, 4)));
    assert_eq!(tally.completed(), 2);
}

#[test]
fn a_doubt_that_is_settled_is_no_longer_held() {
    let mut tally = Tally::new(false);
    tally.apply(&started(1, false), Duration::ZERO);
    for event in [
        step(1, "intent", State::Queued, State::Submitting),
        step(1, "unknown", State::Submitting, State::InDoubt),
        step(1, "held", State::InDoubt, State::InDoubt),
    ] {
        tally.apply(&event, Duration::ZERO);
    }
    let below = tally.frame(Duration::ZERO, 80, Paint(false)).below;
    assert!(below[0].contains("in doubt 1 (held 1)"), "{below:?}");
    let settled = step(1, "sighted", State::InDoubt, State::Rebuilding);
    tally.apply(&settled, Duration::ZERO);
    let below = tally.frame(Duration::ZERO, 80, Paint(false)).below;
    assert!(below[0].contains("in doubt 0  rebuilding 1"), "{below:?}");
}

/// Sends to a display on a terminal in memory, and returns what is left on it.
fn on_a_terminal(rows: u16, columns: u16, events: Vec<Event>, closing: &str) -> String {
    let terminal = InMemoryTerm::new(rows, columns);
    let shared = shared(Mode::Bar, Verbosity::Normal, false);
    let screen = InMemoryTerm::clone(&terminal);
    spawn("display", &shared, move |shared| {
        screen::show_bar(shared, &Bar::new(screen, Paint(true)), Paint(true));
    })
    .unwrap();
    let sender = EventSender {
        shared: Arc::clone(&shared),
    };
    for event in events {
        sender.send(event);
    }
    Handle { shared }.finish(closing);
    terminal.contents()
}

/// Without the moments, which are the machine's.
fn without_clock(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once("Z ") {
            Some((clock, rest)) if clock.len() == 8 || clock.len() == 23 => {
                format!("<time> {rest}")
            }
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn failures_and_doubts_last_and_the_display_goes_away_cleanly() {
    let events = middle_of_a_run()
        .into_iter()
        .map(|(_, event)| event)
        .chain([
            Event::Warning {
                message:
                    "service 5113999 is not in the list\u{1b}[2J: does the panel hold a filter?"
                        .to_owned(),
            },
            Event::Paused {
                reason: "no answer from the API".to_owned(),
            },
            Event::Resumed,
        ])
        .collect();
    let left = on_a_terminal(40, 80, events, "batch 1 was interrupted (SIGINT)\n  bye\n");
    insta::assert_snapshot!(without_clock(&left));
}

#[test]
fn a_typed_ctrl_c_leaves_nothing_of_the_display_behind() {
    let mut tally = tally_of(&middle_of_a_run());
    let terminal = InMemoryTerm::new(10, 80);
    let bar = Bar::new(terminal.clone(), Paint(false));
    bar.draw(tally.frame(Duration::from_secs(1720), 80, Paint(false)));
    indicatif::TermLike::write_str(&terminal, "^C").unwrap();
    tally.apply(&Event::Stopping { calls: 1 }, Duration::from_secs(1721));
    bar.draw(tally.frame(Duration::from_secs(1721), 80, Paint(false)));
    bar.finish(&[], "batch 1 was interrupted (SIGINT)\n");
    assert_eq!(terminal.contents(), "batch 1 was interrupted (SIGINT)");
}

#[test]
fn the_closing_words_fit_the_terminal_and_commands_stay_whole() {
    let command = format!("    refleet --db /{}.db report", "x".repeat(40));
    let closing = format!("halted: so many words that they need two lines\n{command}\n");
    let terminal = InMemoryTerm::new(10, 40);
    Bar::new(terminal.clone(), Paint(false)).finish(&[], &closing);
    let shown = terminal.contents();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[..2],
        ["halted: so many words that they need two", "  lines"]
    );
    assert_eq!(lines[2..].concat(), command);
}

#[test]
fn similar_lines_are_capped_on_a_terminal() {
    let failures = (0..1000).map(|number| {
        let mut event = step(number, "refused", State::Submitting, State::Failed);
        if let Event::Job(job) = &mut event {
            job.error = Some("no".to_owned());
        }
        event
    });
    let left = on_a_terminal(200, 100, failures.collect(), "end\n");
    let lines: Vec<&str> = left.lines().collect();
    assert_eq!(lines.len(), 23, "{left}");
    assert!(lines[20].ends_with("further failures are only counted: refleet list --state failed"));
    assert_eq!(
        lines[21],
        "… and 980 more failures: refleet list --state failed"
    );
    assert_eq!(lines[22], "end");
}

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

fn a_short_run() -> Vec<Event> {
    use State::{Failed, InDoubt, Queued, Rebuilding, Submitting};
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
        // field case E8: the line names the option.
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
        step(3, "sighted", InDoubt, Rebuilding),
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
                rebuilding: 1,
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
            "315/500 ended: done 312, failed 2, in doubt 1 (held 1), rebuilding 8, queued 177; \
             10/min, ETA 1h 39m; waiting for 8 rebuilds"
        )
    );
    assert_eq!(Tally::new(false).heartbeat(Duration::ZERO), None);
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
        write_stream(shared, Broken { bytes_left: 10 });
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
        write_stream(shared, Stalled { go: gate, written });
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
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), sent);
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

proptest! {
    #[test]
    fn no_line_of_a_frame_is_wider_than_its_terminal(
        counts in proptest::array::uniform7(0_u64..2_000_000),
        reason in "\\PC{0,60}",
        width in 1_usize..220,
        simulated: bool,
        paused: bool,
    ) {
        let mut tally = Tally::new(false);
        let [queued, submitting, rebuilding, in_doubt, done, failed, cancelled] = counts;
        let mut event = started(0, simulated);
        if let Event::RunStarted { counts, .. } = &mut event {
            *counts = Counts { queued, submitting, rebuilding, in_doubt, held: in_doubt / 2, done, failed, cancelled };
        }
        tally.apply(&event, Duration::ZERO);
        if paused {
            tally.apply(&Event::Paused { reason }, Duration::ZERO);
        }
        let frame = tally.frame(Duration::from_secs(100_000), width, Paint(true));
        for line in &frame.below {
            prop_assert!(console::measure_text_width(line) <= width, "{line:?}");
        }
        // `[`, `]` and a space.
        prop_assert!(frame.tail.is_empty() || console::measure_text_width(&frame.tail) + 3 <= width);
    }
}

/// Not a test: something to look at. In a terminal:
/// `cargo test --lib look_at_it -- --ignored --nocapture`
#[test]
#[ignore = "shows a run on the terminal for a person to look at"]
fn look_at_it() {
    let surroundings = Surroundings::of_this_process();
    let (sender, handle) = start(&Options {
        colour: surroundings.colour(),
        ..options(
            Mode::resolve(Choice::Auto, Verbosity::Normal, surroundings),
            Verbosity::Normal,
        )
    })
    .unwrap();
    let pause = |ms| thread::sleep(Duration::from_millis(ms));
    for read in (0..=800).step_by(50) {
        sender.send(Event::Activity(Activity::ReadingList {
            read,
            total: Some(800),
        }));
        pause(100);
    }
    for (at, event) in middle_of_a_run() {
        pause(if at > 1690 { 300 } else { 5 });
        sender.send(event);
    }
    sender.send(Event::Paused {
        reason: "no answer from the API: connection refused".to_owned(),
    });
    pause(5000);
    sender.send(Event::Resumed);
    sender.send(Event::Activity(Activity::WaitingToRetry {
        remaining: Duration::from_secs(12),
    }));
    pause(3000);
    for number in 400..440 {
        sender.send(step(number, "refused", State::Queued, State::Failed));
        pause(50);
    }
    sender.send(Event::Stopping { calls: 2 });
    pause(3000);
    let ended = Ended {
        exit: Exit::Interrupted,
        batch: BatchId(1),
        counts: Counts {
            done: 312,
            failed: 42,
            in_doubt: 1,
            held: 1,
            rebuilding: 8,
            queued: 137,
            ..Counts::default()
        },
        failed_wiped: Some(0),
        flagged: 0,
        completed: handle.completed(),
        elapsed: Duration::from_secs(25),
        halted: handle.halted(),
        hint: None,
        no_wait: false,
        simulated: false,
        database: PathBuf::from("/root/.local/state/refleet/refleet.db"),
        command: "refleet".to_owned(),
        resume: "run".to_owned(),
        manifest: None,
        is_newest: true,
    };
    handle.finish(&summary(&ended, Verbosity::Normal));
}
