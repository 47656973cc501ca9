//! No statement that a run repeats may cost more as the queue grows: in a queue that is large enough for
//! it to matter, the server itself chooses to read by an index what has few rows among many.

use sqlx::AssertSqlSafe;

use super::batches::{BESIDE, OLDEST, OVERTAKEN, TALLY};
use super::change::MOVE;
use super::control::{CONTROL, HELD};
use super::hosts::SENDERS;
use super::open_orders::{OPEN, STANDING, TALLIES, WAITING};
use super::overview::{FAILED, IN_DOUBT, MISMATCHED, PENDING, TOOK};
use super::past::{ENDED, LIVE, SUBMITTED};
use super::read::{DUE, NEXT_DUE, TARGETS, UNSETTLED};
use super::record::{COUNT, HOLDS};
use super::renewal::RENEW;
use super::rollout::{DOWN, DUE_BUT_OF};
use super::session::Session;
use super::stray::STRAYS;
use super::tests::queue;

/// Three batches of 20,000 jobs, of which two are done, with their ledger.
const LARGE: &str = "
    INSERT INTO batch (action, identity, provider, api_url, number, manifest, path, rows, created_ms)
        SELECT 'rebuild', decode(lpad(number::text, 64, '0'), 'hex'), 'zomro', 'url', 1, 'fleet.csv', '-', '{}', 0
        FROM generate_series(1, 3) AS number;
    INSERT INTO run (batch_id, started_ms, pid, host, version, options)
        SELECT CASE WHEN number < 4 THEN number ELSE 1 END, 0, 1, 'host', '1', '{}' FROM generate_series(1, 2000) AS number;
    INSERT INTO job (id, batch_id, line, service_id, image, group_name, state, attempt, executed_now, evidence, intent_ms, submitted_ms, completed_ms)
        SELECT batch.id * 4294967296 + line, batch.id, line, line, '18d0ee2e-4d57-4f40-9b56-03c1773b58' || (10 + line % 20),
               'group ' || line % 50,
               CASE WHEN batch.id < 3 THEN 'done' WHEN line <= 10 THEN 'in_progress' ELSE 'queued' END,
               CASE WHEN batch.id < 3 OR line <= 10 THEN 1 ELSE 0 END,
               CASE WHEN batch.id < 3 OR line <= 10 THEN 'yes' ELSE 'no' END,
               CASE WHEN batch.id < 3 THEN 'observed' END,
               CASE WHEN batch.id < 3 OR line <= 10 THEN line END,
               CASE WHEN batch.id < 3 OR line <= 10 THEN line END,
               CASE WHEN batch.id < 3 THEN line + 1000 END
        FROM batch, generate_series(1, 20000) AS line;
    INSERT INTO secret (job_id, password) SELECT id, 'secret' FROM job WHERE state = 'queued';
    INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
        SELECT id, batch_id, 1, 'intent', 0, '{}' FROM job WHERE attempt > 0;
    INSERT INTO tally (batch_id, state, writer, jobs)
        SELECT id, state, writer, 1 FROM batch, unnest('{queued,done,failed,held}'::text[]) AS state,
               unnest('{0,1}'::smallint[]) AS writer;
    INSERT INTO control (batch_id, kind, at_ms, operator, body)
        SELECT 1, 'pause', 0, 'root', '{}' FROM generate_series(1, 2000);
    INSERT INTO lease (provider, account, batch_id, epoch, holder, host, pid, version, run_id, acquired_at, renewed_at, expires_at)
        SELECT 'zomro', 'account ' || number, 0, 1, md5('')::uuid, 'host', 1, '1', number, now(), now(), now()
        FROM generate_series(1, 2000) AS number;
    ANALYZE;";

/// The values with which a statement is looked at; those that it does not take are left off.
fn values(statement: &str) -> &'static str {
    match statement {
        NEXT_DUE => "3, 0",
        DUE => "3, 0, 100, '{}'",
        DUE_BUT_OF => "3, 0, 100, '{}', '{}', '{}', '{}'",
        TARGETS => "3, -1, 0, 1000",
        UNSETTLED => "3, '{in_progress,in_doubt}'",
        OLDEST => "3, 'in_progress'",
        TOOK => "'18d0ee2e-4d57-4f40-9b56-03c1773b5811', 'zomro', 'rebuild', 50",
        PENDING => "3 * 4294967296, 4 * 4294967296, 1000",
        OVERTAKEN => "3 * 4294967296, 4 * 4294967296",
        CONTROL => "3, 0",
        HELD => "3, 3",
        HOLDS => "1, 7",
        STANDING => "'{3}', 1, 1",
        TALLIES => "'{3}'",
        RENEW => "'{1,2}', 60000",
        COUNT => "3, 1::smallint, '{queued,done}', '{-1,1}', 0",
        LIVE => "'[[1, \"x\"], [2, \"x\"]]', 3",
        SUBMITTED => "'[[1, \"x\"], [2, \"x\"]]', 'rebuild', '[1, 2]'",
        ENDED => "'[[1, \"x\"], [2, \"x\"]]', 'rebuild'",
        _ if statement == MOVE.as_str() => "'[]', 3",
        _ => "3",
    }
}

async fn plan(session: &mut Session, statement: &str) -> Vec<String> {
    let count = (1..=7)
        .rev()
        .find(|number| statement.contains(&format!("${number}")));
    let arguments: Vec<&str> = split(values(statement));
    // Without any, there are no parentheses either.
    let arguments = count.map_or(String::new(), |count| {
        format!("({})", arguments[..count].join(", "))
    });
    let connection = session.raw().await.unwrap();
    let prepare = format!("PREPARE looked_at AS {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await
        .unwrap();
    let explain = format!("EXPLAIN EXECUTE looked_at {arguments}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    sqlx::raw_sql("DEALLOCATE looked_at")
        .execute(connection)
        .await
        .unwrap();
    rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

/// At the commas between values.
fn split(values: &'static str) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let (mut quoted, mut begin) = (false, 0);
    for (at, character) in values.char_indices() {
        quoted ^= character == '\'';
        if character == ',' && !quoted {
            parts.push(values[begin..at].trim());
            begin = at + 1;
        }
    }
    parts.push(values[begin..].trim());
    parts
}

/// Walks through one of the tables that grow, or sorts more than a few rows.
fn is_slow(step: &str) -> bool {
    let grows = ["job", "ledger", "control", "lease", "secret"];
    let scans = grows.iter().any(|table| {
        let scan = format!("Seq Scan on {table}");
        step.contains(&format!("{scan} ")) || step.contains(&format!("{scan}\n"))
    });
    // "rows=20000": what is sorted by then is most of a batch.
    let sorts = step.contains("Sort  (") && rows(step) > 5000;
    scans || sorts
}

/// A list that the statement has made is looked through once for each row of another one.
fn repeats_a_list(plan: &[String]) -> bool {
    // What a plan says of a node's own doing stands between the nodes.
    let nodes = plan.iter().enumerate().filter_map(|(at, line)| {
        let step = line.trim_start();
        let is_node = at == 0 || step.starts_with("->") || step.starts_with("CTE ");
        is_node.then_some((line.len() - step.len(), step))
    });
    let nodes: Vec<(usize, &str)> = nodes.collect();
    nodes.iter().enumerate().any(|(at, (depth, step))| {
        let above = || nodes[..at].iter().rev();
        let parent = above().find(|(other, _)| other < depth);
        let beside = above().find(|(other, _)| other <= depth);
        step.starts_with("->  CTE Scan on ")
            && parent.is_some_and(|(_, parent)| parent.contains("Nested Loop"))
            && beside.is_some_and(|(other, _)| other == depth)
    })
}

fn rows(step: &str) -> u64 {
    let rows = step.split_once("rows=").map_or("0", |(_, rest)| rest);
    rows.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_statements_that_a_run_repeats_use_indexes_and_sort_little() {
    let Some(mut queue) = queue().await else {
        return;
    };
    let connection = queue.session.raw().await.unwrap();
    sqlx::raw_sql(LARGE).execute(connection).await.unwrap();
    let statements = [
        DUE,
        DUE_BUT_OF,
        DOWN,
        STRAYS,
        NEXT_DUE,
        TARGETS,
        TALLY,
        BESIDE,
        UNSETTLED,
        OLDEST,
        TOOK,
        FAILED,
        MISMATCHED,
        PENDING,
        IN_DOUBT,
        CONTROL,
        HELD,
        HOLDS,
        RENEW,
        OPEN,
        WAITING,
        STANDING,
        TALLIES,
        COUNT,
        LIVE,
        SUBMITTED,
        ENDED,
        OVERTAKEN,
        SENDERS,
        MOVE.as_str(),
    ];
    let mut wrong = Vec::new();
    for statement in statements {
        let plan = plan(&mut queue.session, statement).await;
        if plan.iter().any(|step| is_slow(step)) || repeats_a_list(&plan) {
            wrong.push(format!("{statement}\n{}", plan.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    for slow in [
        "SELECT id FROM job WHERE note = 'x' AND batch_id <> $1",
        "SELECT id FROM job WHERE batch_id = $1 AND state = 'queued' ORDER BY zone",
    ] {
        let plan = plan(&mut queue.session, slow).await;
        assert!(plan.iter().any(|step| is_slow(step)), "{plan:#?}");
    }
    let repeats = "WITH one AS MATERIALIZED (SELECT $1::bigint AS id), two AS MATERIALIZED (SELECT * FROM one)
         SELECT FROM one CROSS JOIN two";
    let plan = plan(&mut queue.session, repeats).await;
    assert!(repeats_a_list(&plan), "{plan:#?}");
}
