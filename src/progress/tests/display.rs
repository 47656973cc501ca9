//! The display that is redrawn.

use proptest::prelude::*;

use super::*;

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
        step(1, "accepted", State::Submitting, State::InProgress),
    );
    show(&mut tally, Event::Activity(Activity::WaitingForCompletion));
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
    let mut tally = new_tally(false);
    let resumed = Event::RunStarted {
        run: RunId(4),
        batch: BatchId(1),
        action: Action::Rebuild,
        counts: Counts {
            done: 400,
            queued: 100,
            ..Counts::default()
        },
        resumed: true,
        api_url: String::new(),
        account: None,
        database: PathBuf::new(),
        workers: 8,
        rate: 1.0,
        images: Vec::new(),
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
    assert_eq!(frame.tail, "452/500  90%  ETA 25m 0s  1.0/min");
    assert_eq!(tally.completed(), 52);
}

#[test]
fn under_no_wait_a_job_has_ended_when_it_is_accepted() {
    let mut tally = new_tally(true);
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
    let mut tally = new_tally(false);
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
    let settled = step(1, "sighted", State::InDoubt, State::InProgress);
    tally.apply(&settled, Duration::ZERO);
    let below = tally.frame(Duration::ZERO, 80, Paint(false)).below;
    assert!(below[0].contains("in doubt 0  in progress 1"), "{below:?}");
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

proptest! {
    #[test]
    fn no_line_of_a_frame_is_wider_than_its_terminal(
        counts in proptest::array::uniform7(0_u64..2_000_000),
        reason in "\\PC{0,60}",
        width in 1_usize..220,
        simulated: bool,
        paused: bool,
    ) {
        let mut tally = new_tally(false);
        let [queued, submitting, in_progress, in_doubt, done, failed, cancelled] = counts;
        let mut event = started(0, simulated);
        if let Event::RunStarted { counts, .. } = &mut event {
            *counts = Counts { queued, submitting, in_progress, in_doubt, held: in_doubt / 2, done, failed, cancelled };
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
