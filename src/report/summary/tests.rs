//! What a summary says of rows.

use super::super::tests::{row, some_rows, subject};
use super::*;
use crate::job::{BatchId, Evidence, Executed, ImageId, ResultRow, State};

const BEGAN_MS: i64 = 1_795_399_200_000;

/// A row that was seen to complete after `took_s`.
fn done(line: u64, took_s: i64) -> ResultRow {
    ResultRow {
        executed: Executed::Yes,
        evidence: Some(Evidence::Observed),
        attempts: 1,
        submitted_ms: Some(BEGAN_MS),
        completed_ms: Some(BEGAN_MS + took_s * 1000),
        ..row(line, State::Done)
    }
}

fn failed(line: u64, kind: &str, error: &str) -> ResultRow {
    ResultRow {
        attempts: 1,
        submitted_ms: Some(BEGAN_MS),
        completed_ms: Some(BEGAN_MS + 1000),
        error_kind: Some(kind.into()),
        error: Some(error.to_owned()),
        ..row(line, State::Failed)
    }
}

fn summary_of(rows: &[ResultRow], earlier: Option<&[ResultRow]>) -> Summary {
    let earlier = earlier.map(|rows| {
        let mut earlier = Earlier::new(BatchId(6), BEGAN_MS - 86_400_000);
        for row in rows {
            earlier.row(row);
        }
        earlier
    });
    let mut subject = subject();
    subject.rows.all = rows.len() as u64;
    let mut gathering = Gathering::new(subject, earlier);
    for row in rows {
        gathering.row(row);
    }
    gathering.finish()
}

#[test]
fn what_needs_a_human_comes_with_the_commands_to_type() {
    let wiped = ResultRow {
        executed: Executed::Yes,
        ..failed(9, "rebuild_timeout", "not back within 60m")
    };
    let flagged = ResultRow {
        error_kind: Some("old_image".into()),
        error: Some("the list shows the old image".to_owned()),
        ..done(10, 60)
    };
    let mut rows = some_rows();
    rows.extend([wiped, flagged]);
    let summary = summary_of(&rows, None);
    let kinds: Vec<(NeedKind, u64)> = summary
        .needs
        .iter()
        .map(|need| (need.kind, need.count))
        .collect();
    let expected = [
        (NeedKind::Doubt, 1),
        (NeedKind::FailedTouched, 1),
        (NeedKind::FailedUntouched, 1),
        (NeedKind::Flagged, 1),
        (NeedKind::Unfinished, 1),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(summary.needs_you, 4, "what is not finished, a run finishes");
    let refleet = "refleet --db /srv/refleet.db";
    assert_eq!(
        summary.needs[0].instances[0].commands,
        [
            format!("{refleet} show 5113104"),
            format!("{refleet} resolve 5113104 --as done --reason TEXT"),
            format!("{refleet} resolve 5113104 --as requeue --reason TEXT"),
            format!("{refleet} resolve 5113104 --as failed --reason TEXT"),
        ]
    );
    assert!(
        summary.needs[1].instances[0]
            .commands
            .contains(&format!("{refleet} retry 5113109 --wiped"))
    );
    assert_eq!(
        summary.needs[2].commands,
        [
            format!("{refleet} retry --failed"),
            format!("{refleet} run")
        ],
        "a list of the failed ones has those that were touched, too"
    );
    rows.remove(rows.len() - 2);
    let commands = &summary_of(&rows, None).needs[1].commands;
    assert_eq!(commands[0], format!("{refleet} list --state failed"));
}

#[test]
fn a_thousand_doubts_are_counted_and_a_hundred_named() {
    let rows: Vec<ResultRow> = (1..=1000)
        .map(|line| ResultRow {
            executed: Executed::Maybe,
            attempts: 1,
            held: true,
            ..row(line, State::InDoubt)
        })
        .collect();
    let summary = summary_of(&rows, None);
    assert_eq!(summary.needs[0].count, 1000);
    assert_eq!(summary.needs[0].instances.len(), 100);
}

#[test]
fn failures_are_grouped_by_cause_the_most_frequent_first() {
    let mut rows: Vec<ResultRow> = (1..=30)
        .map(|line| {
            failed(
                line,
                "plan_mismatch",
                &format!("its name is `web-{line}`, not `web-{}`", line + 1),
            )
        })
        .collect();
    rows.extend((31..=33).map(|line| failed(line, "value", "the field \"image\" has a bad value")));
    rows.push(failed(34, "value", "the field \"zone\" has a bad value"));
    let causes = summary_of(&rows, None).causes;
    let counted: Vec<_> = causes
        .iter()
        .map(|cause| (cause.error_kind.as_str(), cause.count))
        .collect();
    assert_eq!(counted, [("plan_mismatch", 30), ("value", 3), ("value", 1)]);
    assert_eq!(causes[0].instances.len(), 20);
    assert_eq!(
        causes[0].error.as_deref(),
        Some("its name is `web-1`, not `web-2`")
    );
}

#[test]
fn a_kind_with_many_messages_keeps_the_frequent_ones_and_loses_no_row() {
    let letters = |number: u64| -> String {
        number
            .to_string()
            .chars()
            .map(|digit| char::from(digit as u8 - b'0' + b'a'))
            .collect()
    };
    let mut rows: Vec<ResultRow> = (1..=500)
        .map(|line| failed(line, "value", &format!("bad {}", letters(line))))
        .collect();
    rows.extend((501..=510).map(|line| failed(line, "value", "bad image")));
    let causes = summary_of(&rows, None).causes;
    assert!(causes.len() <= 4, "{}", causes.len());
    assert_eq!(causes.iter().map(|cause| cause.count).sum::<u64>(), 510);
    assert_eq!(
        causes[0].error, None,
        "most of them say something else each"
    );
}

#[test]
fn durations_are_those_that_were_seen() {
    let mut rows: Vec<ResultRow> = (1..=20)
        .map(|line| done(line, i64::try_from(line).unwrap() * 60))
        .collect();
    // A week later somebody says that it is done: that is no duration.
    rows.push(ResultRow {
        evidence: Some(Evidence::Operator),
        by_word: true,
        ..done(21, 7 * 86_400)
    });
    rows.push(ResultRow {
        image: "a95d4c18-72be-4d61-8f30-6b1e07d924ca"
            .parse::<ImageId>()
            .ok(),
        image_name: None,
        ..done(22, 3600)
    });
    let summary = summary_of(&rows, None);
    let [slow, usual] = &summary.images[..] else {
        panic!("{:?}", summary.images)
    };
    assert_eq!((slow.jobs, slow.took.median_ms), (1, Some(3_600_000)));
    assert_eq!((usual.jobs, usual.took.seen), (21, 20));
    assert_eq!(usual.took.median_ms, Some(600_000));
    assert_eq!(usual.took.p95_ms, Some(1_140_000));
    assert_eq!(usual.slowest.as_ref().map(|slow| slow.line), Some(20));
    assert_eq!(
        (summary.took.seen, summary.took.slowest_ms),
        (21, Some(3_600_000))
    );
    assert_eq!(
        summary.elapsed_ms,
        Some(3_600_000),
        "the operator's word is not part of the night"
    );
    let lines: Vec<u64> = summary.slowest.iter().map(|slow| slow.line).collect();
    assert_eq!(lines, [22, 20, 19, 18, 17, 16, 15, 14, 13, 12]);
}

#[test]
fn an_order_is_compared_with_the_one_before_it() {
    let then = [
        done(1, 60),
        failed(2, "value", "x"),
        failed(3, "value", "x"),
        done(4, 60),
    ];
    let now = [
        done(1, 120),
        failed(2, "value", "x"),
        done(3, 120),
        failed(4, "value", "x"),
    ];
    let comparison = summary_of(&now, Some(&then)).earlier.unwrap();
    assert_eq!((comparison.batch, comparison.total), (BatchId(6), 4));
    assert_eq!((comparison.counts.done, comparison.counts.failed), (2, 2));
    assert_eq!(comparison.took.median_ms, Some(60_000));
    assert_eq!(
        (
            comparison.troubled_both,
            comparison.troubled_now_only,
            comparison.recovered
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_row_that_is_neither_a_job_nor_left_out_is_told() {
    let mut subject = subject();
    subject.rows.all = 10;
    subject.rows.not_due = 4;
    let mut gathering = Gathering::new(subject, None);
    for line in 1..=5 {
        gathering.row(&done(line, 60));
    }
    let summary = gathering.finish();
    assert_eq!((summary.rows_left_out, summary.rows_unaccounted), (4, 1));
}

/// Somebody's `failed` on Monday, and a `cancel`, end jobs of Friday night without any evidence.
#[test]
fn what_somebody_says_later_is_not_part_of_the_night() {
    let days_later = |line, state| ResultRow {
        evidence: None,
        by_word: true,
        state,
        ..done(line, 3 * 86_400)
    };
    let rows = [
        done(1, 60),
        days_later(2, State::Failed),
        days_later(3, State::Cancelled),
    ];
    let summary = summary_of(&rows, None);
    assert_eq!(summary.elapsed_ms, Some(60_000));
    assert_eq!(summary.timeline.failed.iter().sum::<u64>(), 0);
}

#[test]
fn causes_add_up_to_all_that_failed_or_is_in_doubt() {
    let doubt = || ResultRow {
        executed: Executed::Maybe,
        attempts: 1,
        ..row(3, State::InDoubt)
    };
    let rows = [
        failed(1, "value", "x"),
        row(2, State::Failed),
        doubt(),
        done(4, 60),
    ];
    let summary = summary_of(&rows, None);
    let counted = summary.causes.iter().map(|cause| cause.count);
    assert_eq!(
        counted.sum::<u64>(),
        summary.counts.failed + summary.counts.in_doubt
    );
    let unknown = summary.causes.iter();
    let unknown = unknown.filter(|cause| cause.error_kind.as_str() == "unknown");
    assert_eq!(unknown.count(), 2);
}
