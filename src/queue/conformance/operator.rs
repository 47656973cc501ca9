//! What went wrong, and what an operator does about it.

use std::collections::HashSet;
use std::convert::Infallible;

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, acquire, begun, completed, failure, held, intent, load, refused, rows,
    service, services, sound, stored, unknown, write,
};
use crate::job::{
    Access, AccessKind, BatchId, Executed, Expected, Failure, LedgerEntry, Order, State, Verdict,
};
use crate::queue::{AccessNews, Admission, Backend, EnqueuePolicy, Given, QueuedJob, Selection};

pub(super) async fn failures_are_those_that_nobody_has_dealt_with(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4, 5]).await;
    let batch = lease.batch();
    write(&mut store, &lease, &mut jobs[0], [intent(), refused()]).await;
    let unlisted = LedgerEntry::Untouched {
        failure: Failure::new("not_listed", "the account's list does not show it"),
    };
    write(&mut store, &lease, &mut jobs[1], [unlisted]).await;
    let mismatched = LedgerEntry::Untouched {
        failure: Failure::new("plan_mismatch", "its name is `web-2`, not `web-1`"),
    };
    write(&mut store, &lease, &mut jobs[4], [mismatched]).await;
    for job in &mut jobs[2..4] {
        write(&mut store, &lease, job, [intent(), unknown(), held()]).await;
    }
    let failures = store.failures(batch).await.unwrap();
    assert_eq!((failures.failed, failures.mismatched), (1, 1));
    assert_eq!(failures.in_doubt, [jobs[2].id, jobs[3].id]);
    let settled = store
        .command(
            batch,
            &Selection::Services(services(&[3])),
            &[State::InDoubt],
            &|_, _| {
                Ok(LedgerEntry::Resolved {
                    verdict: Verdict::Failed,
                    reason: "looked at it".to_owned(),
                    hook: false,
                })
            },
            NOW_MS,
        )
        .await
        .unwrap();
    assert_eq!(settled.changed, services(&[3]));
    let failures = store.failures(batch).await.unwrap();
    assert_eq!((failures.failed, failures.in_doubt.len()), (1, 1));
    let counts = store.counts(batch).await.unwrap();
    assert_eq!((counts.failed, counts.in_doubt, counts.held), (4, 1, 1));
}

pub(super) async fn a_command_says_of_each_service_what_became_of_it(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3]).await;
    let batch = lease.batch();
    let broken = LedgerEntry::Broken { failure: failure() };
    write(
        &mut store,
        &lease,
        &mut jobs[0],
        [intent(), ACCEPTED, broken],
    )
    .await;
    write(&mut store, &lease, &mut jobs[1], [intent(), refused()]).await;
    let retry = |job: &QueuedJob, touched_by: Option<BatchId>| match touched_by {
        Some(batch) => Err(format!("was wiped by batch {batch}")),
        None if job.record.executed() == Executed::No => Ok(LedgerEntry::Retried),
        None => Err("was wiped".to_owned()),
    };
    let outcome = store
        .command(
            batch,
            &Selection::Services(services(&[2, 2, 1, 3, 9])),
            &[State::Failed],
            &retry,
            NOW_MS,
        )
        .await
        .unwrap();
    assert_eq!(outcome.changed, services(&[2]));
    let refused: HashSet<_> = outcome.refused.into_iter().collect();
    let expected = [
        (service(1), "was wiped".to_owned()),
        (service(3), "is queued".to_owned()),
        (service(9), format!("is not in batch {batch}")),
    ];
    assert_eq!(refused, HashSet::from(expected));
    // What a later batch has to do with the service counts.
    let wiped = EnqueuePolicy {
        touched: true,
        ..EnqueuePolicy::default()
    };
    let loaded = load(&mut store, 2, rows(&[1], IMAGE), wiped).await;
    let second = loaded.unwrap().batch.unwrap();
    let again = |_: &QueuedJob, _: Option<BatchId>| Ok(LedgerEntry::Retried);
    let all = Selection::All;
    let outcome = store.command(batch, &all, &[State::Failed], &again, NOW_MS);
    let outcome = outcome.await.unwrap();
    let expected = (service(1), "is live in another batch".to_owned());
    assert_eq!(outcome.refused, [expected]);
    let lease = acquire(&mut store, second).await;
    let mut job = store
        .ready(second, NOW_MS, 1, &Admission::default())
        .await
        .unwrap()
        .jobs
        .remove(0);
    write(
        &mut store,
        &lease,
        &mut job,
        [intent(), ACCEPTED, completed()],
    )
    .await;
    let outcome = store.command(batch, &all, &[State::Failed], &retry, NOW_MS);
    let outcome = outcome.await.unwrap();
    let expected = (service(1), format!("was wiped by batch {second}"));
    assert_eq!(outcome.refused, [expected]);
    let written = store.history(jobs[1].id).await.unwrap();
    assert_eq!(written.last().unwrap().run, None, "no run, but an operator");
    sound(&mut store).await;
}

#[expect(
    clippy::too_many_lines,
    reason = "all that a mended manifest gives the jobs of one order"
)]
pub(super) async fn a_job_takes_another_access_only_while_nothing_of_it_was_executed(
    mut store: impl Backend,
) {
    let pins = || Expected {
        name: Some("web-1".to_owned()),
        ..Expected::default()
    };
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4, 5]).await;
    let batch = lease.batch();
    write(&mut store, &lease, &mut jobs[1], [intent(), refused()]).await;
    let broken = LedgerEntry::Broken { failure: failure() };
    write(
        &mut store,
        &lease,
        &mut jobs[2],
        [intent(), ACCEPTED, broken],
    )
    .await;
    write(
        &mut store,
        &lease,
        &mut jobs[3],
        [intent(), ACCEPTED, completed()],
    )
    .await;
    // The fifth keeps its row as it was; the sixth is in no job.
    let mut given = rows(&[1, 2, 3, 4, 5, 6], IMAGE);
    for row in &mut given {
        if row.service != service(5) {
            let Order::Rebuild(rebuild) = &mut row.order;
            rebuild.access = Access::SshKey("490".to_owned());
            row.expected = pins();
        }
    }
    let expected = AccessNews {
        groups: 0,
        ungrouped: 0,
        rows: 6,
        matched: 5,
        queued: 2,
        done: 1,
        taken: 1,
        kept: 2,
        unsent: 0,
        failed: 1,
        pins: 1,
        unpinned: 0,
    };
    let again = || given.clone().into_iter().map(Ok::<_, Infallible>);
    let news = store.compare_access(batch, &mut again()).await.unwrap();
    assert_eq!(news, expected);
    assert_eq!(store.history(jobs[0].id).await.unwrap().len(), 0);
    let from = Given {
        manifest: "other.csv",
        identity: Some([9; 32]),
    };
    let news = store.take_access(batch, from, &mut again()).await.unwrap();
    assert_eq!(news, expected);
    let identity = store.batch(batch).await.unwrap().unwrap().identity;
    assert_eq!(identity, [9; 32]);
    for (job, kind) in [
        (0, AccessKind::SshKey),
        (1, AccessKind::Password),
        (2, AccessKind::Password),
        (4, AccessKind::Password),
    ] {
        let job = stored(&mut store, &jobs[job]).await;
        assert_eq!(job.order.access_kind(), Some(kind));
    }
    let job = stored(&mut store, &jobs[0]).await;
    assert_eq!(job.expected, pins());
    let history = store.history(job.id).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|line| line.entry.kind()).collect();
    assert_eq!(kinds, ["access", "expects"]);
    for job in [1, 2, 4] {
        let job = stored(&mut store, &jobs[job]).await;
        assert!(job.expected.is_nothing());
    }
    // What has failed takes it on its way back into the queue.
    let retry = |_: &QueuedJob, _: Option<BatchId>| Ok(LedgerEntry::Retried);
    let all = Selection::All;
    let rows = given.iter().filter(|row| row.service != service(3));
    let mut rows = rows.cloned().map(Ok::<_, Infallible>);
    let outcome = store.command_from(batch, &all, "other.csv", &mut rows, &retry);
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome.changed, services(&[2]));
    let absent = (service(3), "is not in other.csv".to_owned());
    assert_eq!(outcome.refused, [absent]);
    let job = stored(&mut store, &jobs[1]).await;
    assert_eq!(job.expected, pins());
    assert_eq!(job.record.state, State::Queued);
    assert_eq!(job.order.access_kind(), Some(AccessKind::SshKey));
    let history = store.history(job.id).await.unwrap();
    let entries: Vec<_> = history.iter().map(|line| line.entry.kind()).collect();
    assert_eq!(
        entries,
        ["intent", "refused", "access", "expects", "retried"]
    );
    sound(&mut store).await;
}
