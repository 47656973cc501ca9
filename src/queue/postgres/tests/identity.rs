//! Whether the database is the one in which the ledger was written.

use std::path::Path;

use super::{Cluster, ledger, run_of};
use crate::job::LedgerEntry;
use crate::queue::conformance::rig;
use crate::queue::postgres::server::Server;
use crate::queue::{LateWord, Lease, Open, PostgresQueue, QueuedJob, Store as _, StoreError};

const WORD: (&str, &str) = ("root", "looked at it");

async fn open(server: &Server) -> PostgresQueue {
    PostgresQueue::open(server, Open::Change).await.unwrap()
}

/// What a superuser does behind everybody's back.
fn meddle(server: &Server, statement: &str) -> String {
    let (_, database) = server.names();
    Cluster::shared().unwrap().sql(&database, statement)
}

/// The last line of the ledger is gone, as in an older copy.
fn lose_a_line(server: &Server) {
    meddle(
        server,
        "SET session_replication_role = replica; DELETE FROM refleet.ledger WHERE seq = (SELECT max(seq) FROM refleet.ledger)",
    );
}

fn host(server: &Server, folder: &Path) -> Server {
    server.clone().with_marks(Some(folder.to_owned()))
}

/// A run on `server` that has begun one of two jobs.
async fn begun(server: &Server) -> (PostgresQueue, Lease, Vec<QueuedJob>) {
    let mut queue = open(server).await;
    let (lease, jobs) = rig::begun(&mut queue, &[1, 2]).await;
    let step = rig::step(&jobs[0], rig::intent());
    assert!(queue.record(&lease, &[&step]).await.unwrap().is_all());
    (queue, lease, jobs)
}

#[track_caller]
fn why<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Another { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_promoted_standby_is_left_alone_until_it_is_adopted() {
    let Some(server) = ledger().await else { return };
    let (mut queue, lease, jobs) = begun(&server).await;
    queue.make_sure().await.unwrap();
    meddle(&server, "UPDATE refleet.origin SET timeline = timeline + 1");
    let step = rig::step(&jobs[1], rig::intent());
    let said = why(queue.record(&lease, &[&step]).await);
    assert!(said.contains("a standby was promoted"), "{said}");
    // Whatever is asked next is asked of a new connection, and not answered.
    for _ in 0..2 {
        why(queue.counts(lease.batch()).await);
    }
    let renewed = queue.renewal().renew(&[lease]).await.unwrap();
    assert!(renewed.lost.contains(&lease.run()));
    let mut other = open(&server).await;
    let refused = other.acquire(&run_of(lease.batch())).await;
    assert!(why(refused).contains("a standby was promoted"));
    let held = "SELECT count(*) FROM refleet.lease WHERE released_at IS NULL";
    assert_eq!(meddle(&server, held), "0");

    let notice = other.noticed().await.unwrap().unwrap();
    assert!(notice.at_ms() <= notice.now_ms);
    let batches = [lease.batch()];
    let adopted = other.adopt(&notice, &batches, WORD, rig::NOW_MS).await;
    assert_eq!(adopted.unwrap(), Some(vec![(lease.batch(), 2)]));
    let again = other.adopt(&notice, &batches, WORD, rig::NOW_MS).await;
    assert_eq!(again.unwrap(), None, "somebody has adopted it");
    other.make_sure().await.unwrap();
    assert_eq!(other.counts(lease.batch()).await.unwrap().in_doubt, 2);
    let lost = queue.record(&lease, &[&step]).await;
    assert!(
        matches!(lost, Err(StoreError::LeaseLost { .. })),
        "{lost:?}"
    );
    rig::sound(&mut other).await;
}

#[tokio::test]
async fn an_older_copy_is_known_by_whoever_has_seen_more_and_then_by_all() {
    let Some(server) = ledger().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let alpha = host(&server, folder.path());
    let (mut queue, lease, jobs) = begun(&alpha).await;
    lose_a_line(&server);
    let mut stranger = open(&server).await;
    stranger.make_sure().await.unwrap();

    // In the middle of a run, on the connection that it has.
    let step = rig::step(&jobs[1], rig::intent());
    let said = why(queue.record(&lease, &[&step]).await);
    assert!(said.contains("this host has seen line"), "{said}");
    assert_eq!(queue.unkept(), None);
    // Another process of the same host, and then one that has never seen the ledger.
    let mut later = open(&alpha).await;
    assert_eq!(why(later.make_sure().await), said);
    assert_eq!(why(stranger.make_sure().await), said);

    let notice = later.noticed().await.unwrap().unwrap();
    let batches = [lease.batch()];
    let adopted = later.adopt(&notice, &batches, WORD, rig::NOW_MS).await;
    assert!(adopted.unwrap().is_some());
    later.make_sure().await.unwrap();
    open(&alpha).await.make_sure().await.unwrap();
}

#[tokio::test]
async fn a_copy_in_which_another_line_stands_is_another_database() {
    let Some(server) = ledger().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let alpha = host(&server, folder.path());
    begun(&alpha).await;
    meddle(
        &server,
        "SET session_replication_role = replica; UPDATE refleet.ledger SET at_ms = at_ms + 1",
    );
    let said = why(open(&alpha).await.make_sure().await);
    assert!(said.contains("another one stands there now"), "{said}");
}

#[tokio::test]
async fn the_wait_begins_anew_only_where_somebody_misses_more() {
    let Some(server) = ledger().await else { return };
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [early, late, none] = folders
        .each_ref()
        .map(|folder| host(&server, folder.path()));
    let (_, lease, jobs) = begun(&early).await;
    let mut queue = open(&late).await;
    queue.make_sure().await.unwrap();
    let step = rig::step(&jobs[1], rig::intent());
    assert!(queue.record(&lease, &[&step]).await.unwrap().is_all());
    lose_a_line(&server);
    lose_a_line(&server);
    let mut noticed = Vec::new();
    for host in [&early, &none, &early, &late, &early, &none] {
        let mut queue = open(host).await;
        why(queue.make_sure().await);
        noticed.push(queue.noticed().await.unwrap().unwrap().at_ms());
    }
    let [first, by_none, again, by_late, rest @ ..] = &noticed[..] else {
        unreachable!()
    };
    assert_eq!([first, first], [by_none, again]);
    assert!(first < by_late);
    assert!(rest.iter().all(|noticed| noticed == by_late));
}

#[tokio::test]
async fn a_disk_that_keeps_nothing_stops_nobody() {
    let Some(server) = ledger().await else { return };
    let nowhere = host(&server, Path::new("/dev/null/marks"));
    let (mut queue, lease, jobs) = begun(&nowhere).await;
    assert!(queue.unkept().is_some());
    assert_eq!(queue.unkept(), None, "it is said once");
    // What this process has seen it knows all the same.
    lose_a_line(&server);
    let step = rig::step(&jobs[1], rig::intent());
    why(queue.record(&lease, &[&step]).await);
}

#[tokio::test]
async fn a_late_word_of_a_run_that_was_lost_is_not_taken_for_one_with_its_number() {
    let Some(server) = ledger().await else { return };
    let (mut queue, lease, jobs) = begun(&server).await;
    let word = |tenure: String| LateWord {
        job: jobs[0].id,
        attempt: 1,
        run: lease.run(),
        tenure,
        at_ms: rig::NOW_MS,
        entry: LedgerEntry::Accepted { submitted_ms: 5 },
    };
    let lost = uuid::Uuid::from_u128(7).to_string();
    assert!(!queue.testify(&word(lost)).await.unwrap());
    assert_eq!(queue.unheard(lease.batch()).await.unwrap().len(), 0);
    for _ in 0..2 {
        let its = word(lease.tenure().to_string());
        assert!(queue.testify(&its).await.unwrap());
    }
    assert_eq!(queue.unheard(lease.batch()).await.unwrap().len(), 1);
}
