//! The display as a whole: frames on terminals of several widths, logs, streams, readers that
//! stall or go away.

mod display;
mod log;
mod night;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use indicatif::InMemoryTerm;

use super::bar::Bar;
use super::display::{EventSender, Handle, spawn};
use super::layout::Paint;
use super::shared::Shared;
use super::tally::Tally;
use super::*;
use crate::event::{Activity, Event, JobEvent};
use crate::exit::Exit;
use crate::job::{
    Action, BatchId, Counts, Evidence, Executed, HookCounts, JobId, RunId, ServiceId, State,
};

fn options(mode: Mode, verbosity: Verbosity) -> Options {
    Options {
        label: None,
        action: Action::Rebuild,
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

fn new_tally(no_wait: bool) -> Tally {
    Tally::new(Action::Rebuild.terms(), no_wait)
}

fn started(total: u64, simulated: bool) -> Event {
    Event::RunStarted {
        run: RunId(3),
        batch: BatchId(1),
        action: Action::Rebuild,
        counts: Counts {
            queued: total,
            ..Counts::default()
        },
        resumed: false,
        api_url: "https://api.zomro.com/".to_owned(),
        account: None,
        database: PathBuf::from("/home/ops/.local/state/refleet/refleet.db"),
        workers: 8,
        rate: 1.0,
        images: Vec::new(),
        simulated,
    }
}

fn step(number: u64, kind: &'static str, from: State, to: State) -> Event {
    let service = i64::try_from(5_113_000 + number).unwrap();
    Event::Job(JobEvent {
        job: JobId::from_stored(17),
        name: Some("web-1".to_owned()),
        ip: None,
        service: ServiceId::new(service).unwrap(),
        line: number + 1,
        image: None,
        attempt: 1,
        kind,
        from,
        to,
        executed: match to {
            State::Queued | State::Cancelled | State::Failed => Executed::No,
            State::Submitting | State::InDoubt => Executed::Maybe,
            State::InProgress | State::Done => Executed::Yes,
        },
        held: kind == "held",
        evidence: (to == State::Done).then_some(Evidence::Observed),
        error_kind: match to {
            State::Failed => Some("value".into()),
            State::InDoubt => Some("timeout".into()),
            _ => None,
        },
        error: match to {
            State::Failed => Some("the image does not exist in this data centre".to_owned()),
            State::InDoubt => Some("no answer within 60s".to_owned()),
            _ => None,
        },
        took: (to == State::Done).then_some(Duration::from_secs(250)),
    })
}

/// Everything that one job goes through until it is done.
fn rebuilt(number: u64) -> [Event; 3] {
    [
        step(number, "intent", State::Queued, State::Submitting),
        step(number, "accepted", State::Submitting, State::InProgress),
        step(number, "completed", State::InProgress, State::Done),
    ]
}

/// A run in the middle of its work, as events with their moments in seconds.
fn middle_of_a_run() -> Vec<(u64, Event)> {
    use State::{Failed, InDoubt, InProgress, Queued, Submitting};
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
        events.push((1712, step(number, "accepted", Submitting, InProgress)));
    }
    events.push((1713, Event::Activity(Activity::WaitingForCompletion)));
    events
}

fn tally_of(events: &[(u64, Event)]) -> Tally {
    let mut tally = new_tally(false);
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
        action: Action::Rebuild,
        counts: Counts {
            done: 312,
            failed: 42,
            in_doubt: 1,
            held: 1,
            in_progress: 8,
            queued: 137,
            ..Counts::default()
        },
        failed_touched: Some(0),
        flagged: 0,
        hooks: HookCounts::default(),
        hooks_going_on: 0,
        slowest: None,
        causes: Vec::new(),
        completed: handle.completed(),
        elapsed: Duration::from_secs(25),
        halted: handle.halted(),
        hint: Vec::new(),
        no_wait: false,
        simulated: false,
        account: None,
        database: PathBuf::from("/home/ops/.local/state/refleet/refleet.db"),
        command: "refleet".to_owned(),
        resume: Some("run".to_owned()),
        manifest: None,
        is_newest: true,
    };
    handle.finish(&summary(&ended, Verbosity::Normal, None));
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
