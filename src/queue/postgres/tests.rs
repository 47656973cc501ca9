//! What only a server shows: leases of several processes, lost connections, refusals.

use tokio::sync::OnceCell;

use super::PostgresQueue;
use super::control::write_instruction;
use super::server::Server;
use crate::job::{
    AccountId, BatchId, ControlEntry, Instruction, LedgerEntry, Owner, ServiceId, State, Transition,
};
use crate::queue::conformance::rig;
use crate::queue::{
    Admission, EnqueuePolicy, NewRun, Open, OpenError, QueuedJob, Selection, Store as _,
    StoreError, Trouble,
};

mod identity;

#[path = "../../../tests/postgres/cluster.rs"]
#[expect(dead_code, reason = "some of it is only for the tests of the binary")]
mod cluster;

use cluster::Cluster;

/// A new database with today's schema, and nothing in it; `None`: PostgreSQL is not installed.
pub async fn ledger() -> Option<Server> {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared()?;
    TEMPLATE
        .get_or_init(async || {
            cluster.sql("postgres", "CREATE DATABASE template_ledger OWNER fleet");
            let template = Server::parse(&cluster.address("template_ledger")).unwrap();
            let queue = PostgresQueue::open(&template, Open::Create).await.unwrap();
            queue.close().await.unwrap();
        })
        .await;
    let address = cluster.database("template_ledger");
    Some(Server::parse(&address).unwrap())
}

/// An open one.
pub async fn queue() -> Option<PostgresQueue> {
    let server = ledger().await?;
    Some(PostgresQueue::open(&server, Open::Change).await.unwrap())
}

fn run_of(batch: BatchId) -> NewRun {
    NewRun {
        batch,
        started_ms: rig::NOW_MS,
        options: serde_json::json!({}),
    }
}

fn owner(id: &str) -> Owner {
    Owner {
        id: AccountId::new(id),
        label: None,
    }
}

#[tokio::test]
async fn a_run_tells_when_it_began_its_jobs() {
    let Some(mut queue) = queue().await else {
        return;
    };
    let (lease, jobs) = rig::begun(&mut queue, &[1, 2]).await;
    let began_ms = [rig::NOW_MS, rig::NOW_MS + 7];
    for (job, at_ms) in jobs.into_iter().zip(began_ms) {
        let step = Transition::new(job.id, job.record, rig::intent(), at_ms).unwrap();
        assert!(queue.record(&lease, &[&step]).await.unwrap().is_all());
    }
    let pace = queue.run_pace(lease.batch(), lease.run(), rig::NOW_MS, false);
    assert_eq!(pace.await.unwrap().started_ms, began_ms);
}

#[tokio::test]
async fn only_a_lease_that_ran_out_or_was_given_back_is_taken_over() {
    let Some(server) = ledger().await else { return };
    let short = server
        .clone()
        .with_lease(std::time::Duration::from_millis(300));
    let mut first = PostgresQueue::open(&short, Open::Change).await.unwrap();
    let mut second = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let (lease, jobs) = rig::begun(&mut first, &[1, 2]).await;
    let batch = lease.batch();
    let refused = second.acquire(&run_of(batch)).await;
    assert!(
        matches!(&refused, Err(StoreError::Locked(holder)) if holder.pid == std::process::id())
    );
    assert_eq!(first.at_work().await.unwrap().len(), 1);

    let lease_2 = loop {
        match second.acquire(&run_of(batch)).await {
            Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    assert!(lease_2.epoch() > lease.epoch());
    let step = rig::step(&jobs[0], rig::intent());
    let lost = first.record(&lease, &[&step]).await;
    assert!(
        matches!(lost, Err(StoreError::LeaseLost { .. })),
        "{lost:?}"
    );
    assert!(matches!(
        first.renew(&lease).await,
        Err(StoreError::LeaseLost { .. })
    ));
    assert_eq!(first.history(jobs[0].id).await.unwrap().len(), 0);

    second.renew(&lease_2).await.unwrap();
    let locked = first.acquire(&run_of(batch)).await;
    assert!(
        matches!(locked, Err(StoreError::Locked(_))),
        "it was renewed"
    );
    second.release(lease_2, rig::NOW_MS, 0, None).await.unwrap();
    first.acquire(&run_of(batch)).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_is_bound_takes_its_lease_to_the_account() {
    let Some(server) = ledger().await else { return };
    let mut first = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let mut second = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let (lease, jobs) = rig::begun(&mut first, &[1]).await;
    first.bind(lease.batch(), &owner("7")).await.unwrap();
    let step = rig::step(&jobs[0], rig::intent());
    assert!(first.record(&lease, &[&step]).await.unwrap().is_all());
    first.renew(&lease).await.unwrap();
    let locked = second.acquire(&run_of(lease.batch())).await;
    assert!(matches!(locked, Err(StoreError::Locked(_))), "{locked:?}");

    // Another batch of the same account: whoever works on it learns that only when it is bound.
    let rows = rig::rows(&[2], rig::IMAGE);
    let other = rig::load(&mut second, 2, rows, EnqueuePolicy::default()).await;
    let other = other.unwrap().batch.unwrap();
    second.acquire(&run_of(other)).await.unwrap();
    let locked = second.bind(other, &owner("7")).await;
    assert!(matches!(locked, Err(StoreError::Locked(_))), "{locked:?}");
    let batch = second.batch(other).await.unwrap().unwrap();
    assert_eq!(batch.owner, None, "nothing was written");
    first.release(lease, rig::NOW_MS, 0, None).await.unwrap();
    second.bind(other, &owner("7")).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_lost_between_two_verbs_is_made_anew() {
    let Some(server) = ledger().await else { return };
    let mut queue = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let (lease, jobs) = rig::begun(&mut queue, &[1]).await;
    let cluster = Cluster::shared().unwrap();
    let (_, database) = server.names();
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}'"
    );
    assert_eq!(cluster.sql("postgres", &cut), "1");
    let step = rig::step(&jobs[0], rig::intent());
    assert!(
        queue.record(&lease, &[&step]).await.unwrap().is_all(),
        "a transaction"
    );
    assert_eq!(cluster.sql("postgres", &cut), "1");
    assert_eq!(
        queue.counts(lease.batch()).await.unwrap().submitting,
        1,
        "a question"
    );
}

#[tokio::test]
async fn a_transaction_that_is_given_up_leaves_nothing_behind() {
    let Some(mut queue) = queue().await else {
        return;
    };
    let (lease, _) = rig::begun(&mut queue, &[1]).await;
    {
        let mut transaction = queue.session.begin().await.unwrap();
        transaction.run("UPDATE tally SET jobs = 7").await.unwrap();
    }
    assert_eq!(queue.counts(lease.batch()).await.unwrap().queued, 1);
}

#[tokio::test]
async fn the_ledger_is_append_only_and_a_switched_off_trigger_is_a_flaw() {
    let Some(server) = ledger().await else { return };
    let mut queue = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let (lease, mut jobs) = rig::begun(&mut queue, &[1]).await;
    rig::write(&mut queue, &lease, &mut jobs[0], [rig::intent()]).await;
    for statement in [
        "UPDATE ledger SET at_ms = 0",
        "DELETE FROM ledger",
        "TRUNCATE control",
        "DELETE FROM fence",
        "UPDATE testimony SET epoch = 0",
    ] {
        let refused = queue.session.run(statement).await;
        assert!(
            matches!(&refused, Err(StoreError::Bug(what)) if what == "the ledger is append-only"),
            "{statement}: {refused:?}"
        );
    }
    rig::sound(&mut queue).await;
    let off = "ALTER TABLE ledger DISABLE TRIGGER ledger_is_append_only";
    queue.session.run(off).await.unwrap();
    let mut flaws = Vec::new();
    queue
        .check(&mut |flaw| flaws.push(flaw.what))
        .await
        .unwrap();
    assert_eq!(flaws, ["trigger ledger_is_append_only is switched off"]);
}

#[tokio::test]
async fn only_a_load_creates_the_schema_and_each_refusal_says_what_to_do() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let empty = Server::parse(&cluster.database("template0")).unwrap();
    for mode in [Open::Read, Open::Change] {
        let none = PostgresQueue::open(&empty, mode).await;
        assert!(matches!(none, Err(OpenError::NotFound { .. })), "{none:?}");
    }
    let (first, second) = tokio::join!(
        PostgresQueue::open(&empty, Open::Create),
        PostgresQueue::open(&empty, Open::Create)
    );
    first.unwrap().close().await.unwrap();
    second.unwrap().close().await.unwrap();
    let mut queue = PostgresQueue::open(&empty, Open::Read).await.unwrap();
    queue
        .session
        .run("UPDATE _sqlx_migrations SET checksum = ''")
        .await
        .unwrap();
    let newer = PostgresQueue::open(&empty, Open::Create).await;
    assert!(matches!(newer, Err(OpenError::Newer { .. })), "{newer:?}");

    let absent = Server::parse(&cluster.address("nowhere")).unwrap();
    let refused = PostgresQueue::open(&absent, Open::Create).await;
    let Err(OpenError::Server { remedy, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(remedy, "`createdb -O fleet nowhere` creates it");
    let nobody = cluster
        .address("postgres")
        .replace("fleet@", "nobody:s3cret@");
    let refused = PostgresQueue::open(&Server::parse(&nobody).unwrap(), Open::Read).await;
    let Err(error) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(error, OpenError::Server { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let silent = Server::parse("postgres://fleet@127.0.0.1:9/ledger").unwrap();
    let refused = PostgresQueue::open(&silent, Open::Read).await;
    assert!(
        matches!(
            &refused,
            Err(OpenError::Store(StoreError::Server {
                trouble: Trouble::Away,
                ..
            }))
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn texts_with_anything_in_them_survive_a_load() {
    let Some(mut queue) = queue().await else {
        return;
    };
    let mut rows = rig::rows(&[1, 2], rig::IMAGE);
    rows[0].note = Some("tab\there, \\N, \\. and\na line; it's \"quoted\" – ключ".to_owned());
    rows[1].note = Some("nul\0here".to_owned());
    let notes: Vec<_> = rows.iter().map(|row| row.note.clone().unwrap()).collect();
    let loaded = rig::load(&mut queue, 1, rows, EnqueuePolicy::default()).await;
    let batch = loaded.unwrap().batch.unwrap();
    let ready = queue
        .ready(batch, rig::NOW_MS, 10, &Admission::default())
        .await;
    let stored: Vec<_> = ready
        .unwrap()
        .jobs
        .into_iter()
        .map(|job| job.note.unwrap())
        .collect();
    assert_eq!(
        stored,
        [notes[0].clone(), notes[1].replace('\0', "\u{fffd}")]
    );
}

#[tokio::test]
async fn a_run_and_operators_at_once_lose_nothing() {
    let Some(server) = ledger().await else { return };
    let mut queue = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let numbers: Vec<i64> = (1..=60).collect();
    let (lease, jobs) = rig::begun(&mut queue, &numbers).await;
    let batch = lease.batch();
    let run = async {
        let mut begun = 0;
        for jobs in jobs.chunks(6) {
            let mut steps: Vec<_> = jobs
                .iter()
                .map(|job| rig::step(job, rig::intent()))
                .collect();
            steps.reverse();
            let recorded = queue
                .record(&lease, &steps.iter().collect::<Vec<_>>())
                .await;
            begun += 6 - recorded.unwrap().conflicts.len();
        }
        begun
    };
    let cancel = async |services: Vec<ServiceId>| {
        let mut queue = PostgresQueue::open(&server, Open::Change).await.unwrap();
        let mut cancelled = 0;
        for service in services {
            let selection = Selection::Services(vec![service]);
            let states = [State::Queued];
            let decide = |_: &QueuedJob, _| Ok(LedgerEntry::Cancelled);
            let outcome = queue
                .command(batch, &selection, &states, &decide, rig::NOW_MS)
                .await;
            cancelled += outcome.unwrap().changed.len();
        }
        cancelled
    };
    let back: Vec<i64> = numbers.iter().rev().copied().collect();
    let (begun, forth, back) = tokio::join!(
        run,
        cancel(rig::services(&numbers)),
        cancel(rig::services(&back))
    );
    let mut queue = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let counts = queue.counts(batch).await.unwrap();
    assert_eq!(counts.submitting, begun as u64);
    assert_eq!(counts.cancelled, (forth + back) as u64);
    assert_eq!(counts.submitting + counts.cancelled, 60);
    rig::sound(&mut queue).await;
}

#[tokio::test]
async fn an_intent_that_meets_a_pause_waits_for_it_and_is_held() {
    let Some(server) = ledger().await else { return };
    let mut run = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let mut operator = PostgresQueue::open(&server, Open::Change).await.unwrap();
    let (lease, jobs) = rig::begun(&mut run, &[1]).await;
    let mut watcher = PostgresQueue::open(&server, Open::Read).await.unwrap();
    let pause = ControlEntry {
        run: None,
        at_ms: rig::NOW_MS,
        operator: "root".to_owned(),
        reason: None,
        instruction: Instruction::Pause,
    };
    // As `instruct` does it, cut in two.
    let mut instructing = operator.session.begin().await.unwrap();
    write_instruction(&mut instructing, lease.batch(), &pause)
        .await
        .unwrap();
    let step = rig::step(&jobs[0], rig::intent());
    let steps = [&step];
    let mut recording = Box::pin(run.record(&lease, &steps));
    let waited = async { while !is_waited_for(&mut watcher).await {} };
    tokio::select! {
        early = &mut recording => panic!("it did not wait: {early:?}"),
        () = waited => {}
    }
    instructing.commit().await.unwrap();
    let recorded = recording.await;
    assert_eq!(recorded.unwrap().held.len(), 1);
    assert_eq!(run.history(jobs[0].id).await.unwrap().len(), 0);
}

/// Somebody waits for a lock in this database.
async fn is_waited_for(watcher: &mut PostgresQueue) -> bool {
    let waiting = sqlx::query_as(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    let (waiting,): (i64,) = watcher.session.one(waiting).await.unwrap();
    waiting > 0
}
