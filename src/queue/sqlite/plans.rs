//! No statement that a run repeats may cost more as the queue grows.

use sqlx::{AssertSqlSafe, Row};

use super::change::{grouped_by_shape, move_jobs};
use super::control::{CONTROL, HELD};
use super::durations::TOOK;
use super::overtaken::OVERTAKEN;
use super::overview::{FAILED, IN_DOUBT, MISMATCHED, PENDING};
use super::past::{ENDED, LIVE, SUBMITTED};
use super::read::{DUE, NEXT_DUE, OLDEST, TALLY, TARGETS, UNSETTLED};
use super::record::{COUNT, ERASE, STANDING, add_entries};
use super::rollout::{DOWN, DUE_BUT_OF};
use super::stray::STRAYS;
use super::{Open, SqliteQueue};
use crate::job::{JobId, JobRecord, LedgerEntry, Task, Transition};

async fn plan(queue: &mut SqliteQueue, statement: &str) -> Vec<String> {
    let statement = format!("EXPLAIN QUERY PLAN {statement}");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(&mut queue.connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn the_statements_that_a_run_repeats_use_indexes_and_sort_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = SqliteQueue::open(&folder.path().join("refleet.db"), Open::Create)
        .await
        .unwrap();
    let entry = LedgerEntry::Intent {
        task: Task::Rebuild {
            zone: "pub".to_owned(),
            target: None,
        },
        baseline: None,
    };
    let step = Transition::new(JobId::from_stored(1), JobRecord::queued(), entry, 0).unwrap();
    let (shape, set) = &grouped_by_shape(&[&step])[0];
    let move_jobs = move_jobs(shape, set);
    let add_entries = add_entries(None, &[&step]);
    let statements = [
        DUE,
        DUE_BUT_OF,
        DOWN,
        STRAYS,
        NEXT_DUE,
        TARGETS,
        TALLY,
        UNSETTLED,
        OLDEST,
        TOOK,
        FAILED,
        MISMATCHED,
        PENDING,
        IN_DOUBT,
        CONTROL,
        HELD,
        STANDING,
        ERASE,
        COUNT,
        move_jobs.sql(),
        add_entries.sql(),
    ];
    for statement in statements {
        let plan = plan(&mut queue, statement).await;
        // What is scanned is what the caller hands over, and the jobs that were found.
        let small = [
            "SCAN step",
            "SCAN entry",
            "SCAN change",
            "SCAN json_each",
            "SCAN due",
            // By an index of nothing but what may be down.
            "SCAN down USING INDEX job_grouped_down",
            // Likewise of what may take effect yet.
            "SCAN stray USING INDEX job_stray",
        ];
        let scans = |step: &&String| {
            step.starts_with("SCAN")
                && !step.contains(" CONSTANT ROW")
                && !small.iter().any(|known| step.starts_with(known))
        };
        let sorts = |step: &&String| step.contains("TEMP B-TREE");
        assert_eq!(plan.iter().find(scans), None, "{plan:?}\n{statement}");
        assert_eq!(plan.iter().find(sorts), None, "{plan:?}\n{statement}");
    }
}

/// What a load asks of each row's past is answered by indexes, however many batches there are.
#[tokio::test]
async fn a_load_looks_up_the_past_of_its_rows_by_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = SqliteQueue::open(&folder.path().join("refleet.db"), Open::Create)
        .await
        .unwrap();
    for statement in [LIVE, SUBMITTED, ENDED] {
        let plan = plan(&mut queue, statement).await;
        let scans = |step: &&String| {
            step.starts_with("SCAN") && !step.contains("pair") && !step.contains("json_each")
        };
        assert_eq!(plan.iter().find(scans), None, "{plan:?}\n{statement}");
        let uses = |index: &str| plan.iter().any(|step| step.contains(index));
        assert!(uses("(service_id="), "{plan:?}\n{statement}");
        assert!(
            statement == LIVE || uses("ledger_intent (job_id=? AND attempt=?)"),
            "{plan:?}"
        );
    }
}

/// A report of a million jobs reads no ledger of theirs for the few of which somebody has said something.
#[tokio::test]
async fn what_words_took_the_place_of_is_found_by_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = SqliteQueue::open(&folder.path().join("refleet.db"), Open::Create)
        .await
        .unwrap();
    let plan = plan(&mut queue, OVERTAKEN).await;
    let begins = plan.iter().filter(|step| step.contains("ledger_by_word"));
    assert!(begins.count() > 0, "{plan:?}");
    let scans = |step: &&String| step.starts_with("SCAN") && !step.contains("said");
    assert_eq!(plan.iter().find(scans), None, "{plan:?}");
}

#[tokio::test]
async fn the_look_at_the_plan_sees_a_scan_and_a_sort() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = SqliteQueue::open(&folder.path().join("refleet.db"), Open::Create)
        .await
        .unwrap();
    let slow = "SELECT id FROM job WHERE state = 'queued' ORDER BY note";
    let plan = plan(&mut queue, slow).await;
    assert!(plan[0].starts_with("SCAN job"), "{plan:?}");
    assert!(plan[1].contains("TEMP B-TREE"), "{plan:?}");
}
