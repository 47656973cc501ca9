//! What an order becomes.

use std::convert::Infallible;
use std::time::Duration;

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, OTHER_IMAGE, acquire, begun, completed, failure, held, intent, load,
    order, refused, rows, service, services, sound, targets, unknown, write,
};
use crate::job::{
    AccessKind, AccountId, Action, BatchId, Executed, Expected, InstanceStatus, JobRecord,
    LedgerEntry, Owner, SheetRows, State,
};
use crate::queue::{
    Admission, Backend, Beside, Conflict, DonePolicy, Due, EnqueueError, EnqueuePolicy, Enqueued,
    Live, NewBatch, Pending, Touched,
};

pub(super) async fn rows_become_queued_jobs_in_their_order(mut store: impl Backend) {
    let (lease, jobs) = begun(&mut store, &[30, 10, 20]).await;
    let batch = lease.batch();
    let found: Vec<_> = jobs.iter().map(|job| (job.line, job.service)).collect();
    let expected = [(2, service(30)), (3, service(10)), (4, service(20))];
    assert_eq!(found, expected);
    for job in &jobs {
        assert_eq!(job.record, JobRecord::queued());
        assert_eq!(job.order.access_kind(), Some(AccessKind::Password));
    }
    let in_order: Vec<_> = jobs.iter().map(Pending::from).collect();
    assert_eq!(store.queued(batch, None, 9).await.unwrap(), in_order);
    let first = store.queued(batch, None, 2).await.unwrap();
    assert_eq!(first, in_order[..2]);
    let rest = store.queued(batch, Some(first[1].id), 2).await.unwrap();
    assert_eq!(rest, in_order[2..]);
    assert!(store.has_queued(batch).await.unwrap());
    assert_eq!(store.counts(batch).await.unwrap().queued, 3);
    let batches = store.batches().await.unwrap();
    assert_eq!((batches.len(), batches[0].id), (1, batch));
    assert_eq!((batches[0].action, batches[0].number), (Action::Rebuild, 1));
    let sheet = SheetRows {
        all: 3,
        ..SheetRows::default()
    };
    assert_eq!(batches[0].rows, sheet);
    let one = store.batch(batch).await.unwrap().unwrap();
    assert_eq!((one.id, one.counts.queued), (batch, 3));
    let none = store.batch(BatchId(batch.0 + 1)).await.unwrap();
    assert!(none.is_none());
    sound(&mut store).await;
}

pub(super) async fn what_there_is_beside_a_batch_is_known(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1]).await;
    let first = lease.batch();
    let nothing = Beside::default();
    assert_eq!(store.beside(first).await.unwrap(), nothing);
    let loaded = load(&mut store, 2, rows(&[2], IMAGE), EnqueuePolicy::default()).await;
    let second = loaded.unwrap().batch.unwrap();
    let (newer, open) = (true, true);
    assert_eq!(store.beside(first).await.unwrap(), Beside { newer, open });
    let newer = false;
    assert_eq!(store.beside(second).await.unwrap(), Beside { newer, open });
    write(&mut store, &lease, &mut jobs[0], [intent(), unknown()]).await;
    assert_eq!(store.beside(second).await.unwrap(), Beside { newer, open });
    // A doubt that is held is nothing that a run has to do.
    write(&mut store, &lease, &mut jobs[0], [held()]).await;
    assert_eq!(store.beside(second).await.unwrap(), nothing);
}

pub(super) async fn what_a_row_expects_is_kept_with_its_job(mut store: impl Backend) {
    let expected = Expected {
        name: Some("web-1 `ä`".to_owned()),
        ip: Some(String::new()),
        image: None,
        status: Some(InstanceStatus::Active),
        seen: true,
        contradicted: false,
    };
    let mut given = rows(&[1, 2], IMAGE);
    given[0].expected = expected.clone();
    let loaded = load(&mut store, 1, given, EnqueuePolicy::default()).await;
    let batch = loaded.unwrap().batch.unwrap();
    let ready = store
        .ready(batch, NOW_MS, 9, &Admission::default())
        .await
        .unwrap();
    let kept: Vec<_> = ready.jobs.iter().map(|job| &job.expected).collect();
    assert_eq!(kept, [&expected, &Expected::default()]);
    let (_, job) = store.jobs_of(service(1)).await.unwrap().remove(0);
    assert_eq!(job.expected, expected);
    let pending = store.queued(batch, None, 9).await.unwrap();
    let kept: Vec<_> = pending.iter().map(|pending| &pending.expected).collect();
    assert_eq!(kept, [&expected, &Expected::default()]);
}

pub(super) async fn an_error_among_the_rows_queues_nothing(mut store: impl Backend) {
    let good = rows(&[1, 2], IMAGE).into_iter().map(Ok);
    let mut bad = good.chain([Err(std::fmt::Error)]);
    let result = store
        .enqueue(&order(1), EnqueuePolicy::default(), &mut bad)
        .await;
    assert!(matches!(result, Err(EnqueueError::Rows(_))), "{result:?}");
    assert!(store.batches().await.unwrap().is_empty());
    assert_eq!(store.jobs_of(service(1)).await.unwrap().len(), 0);
}

pub(super) async fn a_service_has_one_live_job_over_all_batches(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    let refusal = load(
        &mut store,
        2,
        rows(&[2, 3], IMAGE),
        EnqueuePolicy::default(),
    )
    .await;
    match refusal {
        Err(EnqueueError::Conflict(Conflict::Live(live))) => {
            let expected = Live {
                service: service(2),
                batch: lease.batch(),
                is_held: false,
            };
            assert_eq!(live, [expected]);
        }
        other => panic!("{other:?}"),
    }
    let beside = EnqueuePolicy {
        beside: Some(lease.batch()),
        ..EnqueuePolicy::default()
    };
    let loaded = load(&mut store, 2, rows(&[2, 3], IMAGE), beside).await;
    let second = loaded.unwrap().batch.unwrap();
    assert_eq!(targets(&mut store, second).await, services(&[3]));
    // A held doubt is live, too, unless it is to be left out.
    write(
        &mut store,
        &lease,
        &mut jobs[0],
        [intent(), unknown(), held()],
    )
    .await;
    let refusal = load(&mut store, 3, rows(&[1], IMAGE), EnqueuePolicy::default()).await;
    assert!(
        matches!(&refusal, Err(EnqueueError::Conflict(Conflict::Live(live))) if live[0].is_held),
        "{refusal:?}"
    );
    let leave_out = EnqueuePolicy {
        leave_out_held: true,
        ..EnqueuePolicy::default()
    };
    let loaded = load(&mut store, 3, rows(&[1, 4], IMAGE), leave_out).await;
    let loaded = loaded.unwrap();
    assert_eq!(loaded.queued, 1);
    assert_eq!(loaded.left_out.held, [(service(1), lease.batch())]);
    sound(&mut store).await;
}

pub(super) async fn what_is_done_is_refused_skipped_or_queued_again(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    for job in &mut jobs {
        write(&mut store, &lease, job, [intent(), ACCEPTED, completed()]).await;
    }
    let refusal = load(
        &mut store,
        2,
        rows(&[1, 2, 3], IMAGE),
        EnqueuePolicy::default(),
    )
    .await;
    assert!(
        matches!(
            refusal,
            Err(EnqueueError::Conflict(Conflict::AlreadyDone(2)))
        ),
        "{refusal:?}"
    );
    let policy = |done| EnqueuePolicy {
        done,
        ..EnqueuePolicy::default()
    };
    let skip = policy(DonePolicy::Skip);
    let nothing = load(&mut store, 2, rows(&[1], IMAGE), skip).await.unwrap();
    assert_eq!((nothing.batch, nothing.queued), (None, 0));
    let loaded = load(&mut store, 2, rows(&[1, 3], IMAGE), skip).await;
    assert_eq!(loaded.unwrap().left_out.done, services(&[1]));
    // Another image is another order, and makes the first one a thing of the past.
    let loaded = load(&mut store, 3, rows(&[2], OTHER_IMAGE), skip).await;
    let second = loaded.unwrap().batch.unwrap();
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
    let loaded = load(&mut store, 4, rows(&[2], IMAGE), skip).await.unwrap();
    assert_eq!(loaded.left_out.done, services(&[2]));
    assert_eq!(loaded.left_out.replaced, services(&[2]));
    let again = policy(DonePolicy::Again);
    let loaded = load(&mut store, 1, rows(&[1, 2], IMAGE), again).await;
    assert!(
        matches!(loaded, Ok(Enqueued { queued: 2, .. })),
        "{loaded:?}"
    );
    let batches = store.batches().await.unwrap();
    assert_eq!(batches.last().unwrap().number, 2, "the same order again");
}

pub(super) async fn what_may_have_been_wiped_is_queued_on_a_word_of_its_own(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    let broken = LedgerEntry::Broken { failure: failure() };
    write(
        &mut store,
        &lease,
        &mut jobs[0],
        [intent(), ACCEPTED, broken],
    )
    .await;
    write(&mut store, &lease, &mut jobs[1], [intent(), refused()]).await;
    let refusal = load(
        &mut store,
        2,
        rows(&[1, 2], IMAGE),
        EnqueuePolicy::default(),
    )
    .await;
    match refusal {
        Err(EnqueueError::Conflict(Conflict::Touched { touched, .. })) => {
            let expected = Touched {
                service: service(1),
                batch: lease.batch(),
                state: State::Failed,
                executed: Executed::Yes,
            };
            assert_eq!(touched, [expected], "the other one was refused untouched");
        }
        other => panic!("{other:?}"),
    }
    let wiped = EnqueuePolicy {
        touched: true,
        ..EnqueuePolicy::default()
    };
    let loaded = load(&mut store, 2, rows(&[1, 2], IMAGE), wiped).await;
    assert_eq!(loaded.unwrap().queued, 2);
}

pub(super) async fn an_order_by_the_clock_leaves_out_what_is_not_due(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    write(
        &mut store,
        &lease,
        &mut jobs[0],
        [intent(), ACCEPTED, completed()],
    )
    .await;
    let broken = LedgerEntry::Broken { failure: failure() };
    write(
        &mut store,
        &lease,
        &mut jobs[1],
        [intent(), ACCEPTED, broken],
    )
    .await;
    let due = |later_ms| EnqueuePolicy {
        done: DonePolicy::Again,
        touched: true,
        due: Some(Due {
            every: Duration::from_hours(20),
            now_ms: NOW_MS + later_ms,
        }),
        ..EnqueuePolicy::default()
    };
    let loaded = load(&mut store, 2, rows(&[1, 2, 3], OTHER_IMAGE), due(3_600_000)).await;
    let loaded = loaded.unwrap();
    assert_eq!(loaded.queued, 1);
    assert_eq!(loaded.left_out.not_due, services(&[1, 2]));
    assert_eq!(loaded.left_out.other_image, services(&[1, 2]));
    assert_eq!(loaded.left_out.failed, [(service(2), lease.batch())]);
    let batch = store.batch(loaded.batch.unwrap()).await.unwrap().unwrap();
    let sheet = SheetRows {
        all: 3,
        not_due: 2,
        ..SheetRows::default()
    };
    assert_eq!(batch.rows, sheet);
    let refusal = load(&mut store, 3, rows(&[1], IMAGE), due(-86_400_000)).await;
    assert!(
        matches!(refusal, Err(EnqueueError::Conflict(Conflict::Future(_)))),
        "{refusal:?}"
    );
    let loaded = load(&mut store, 3, rows(&[1, 2], IMAGE), due(20 * 3_600_000)).await;
    assert_eq!(loaded.unwrap().queued, 2);
}

pub(super) async fn a_store_is_the_ledger_of_one_provider(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1]).await;
    let theirs = NewBatch {
        provider: "elsewhere".to_owned(),
        ..order(2)
    };
    for is_sent in [false, true] {
        if is_sent {
            write(&mut store, &lease, &mut jobs[0], [intent(), refused()]).await;
        }
        let refusal = store
            .preview::<Infallible>(
                &theirs,
                EnqueuePolicy::default(),
                &mut rows(&[7], IMAGE).into_iter().map(Ok),
                &mut |_| panic!("nothing would be queued"),
            )
            .await;
        match refusal {
            Err(EnqueueError::Conflict(Conflict::OtherProvider { batch, sent, .. })) => {
                assert_eq!((batch, sent), (lease.batch(), is_sent));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn owner(id: &str, label: Option<&str>) -> Owner {
    Owner {
        id: AccountId::new(id),
        label: label.map(str::to_owned),
    }
}

async fn owner_of(store: &mut impl Backend, batch: BatchId) -> Option<Owner> {
    store.batch(batch).await.unwrap().unwrap().owner
}

pub(super) async fn a_batch_is_bound_to_one_account_for_ever(mut store: impl Backend) {
    let (lease, _) = begun(&mut store, &[1]).await;
    let batch = lease.batch();
    assert_eq!(owner_of(&mut store, batch).await, None);
    let first = owner("4711", Some("ops@example.com"));
    assert_eq!(store.bind(batch, &first).await.unwrap(), first);
    for other in [
        owner("4712", None),
        owner("4711", None),
        owner("4711 ", None),
    ] {
        assert_eq!(store.bind(batch, &other).await.unwrap(), first);
        assert_eq!(owner_of(&mut store, batch).await, Some(first.clone()));
    }
    // Known when it was ordered, and of this batch alone.
    let theirs = NewBatch {
        owner: Some(owner("4712", None)),
        ..order(2)
    };
    let mut more = rows(&[2], IMAGE).into_iter().map(Ok::<_, Infallible>);
    let policy = EnqueuePolicy::default();
    let loaded = store.enqueue(&theirs, policy, &mut more).await.unwrap();
    let second = loaded.batch.unwrap();
    assert_eq!(owner_of(&mut store, second).await, theirs.owner);
    assert_eq!(owner_of(&mut store, batch).await, Some(first.clone()));
    assert_eq!(
        store.bind(second, &first).await.unwrap(),
        owner("4712", None)
    );
    sound(&mut store).await;
}

pub(super) async fn what_is_live_or_done_is_so_whoever_ordered_it(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    let ours = owner("4711", None);
    store.bind(lease.batch(), &ours).await.unwrap();
    write(
        &mut store,
        &lease,
        &mut jobs[0],
        [intent(), ACCEPTED, completed()],
    )
    .await;
    let theirs = NewBatch {
        owner: Some(owner("4712", None)),
        ..order(2)
    };
    for (number, expected) in [(1, "already got this image"), (2, "still live")] {
        let mut row = rows(&[number], IMAGE).into_iter().map(Ok::<_, Infallible>);
        let refusal = store
            .enqueue(&theirs, EnqueuePolicy::default(), &mut row)
            .await;
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}
