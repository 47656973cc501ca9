//! What may still take effect, and the jobs that it keeps back.

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, acquire, begun, completed, load, rows, service, unknown, write,
};
use super::rig::{intent, services, sound};
use crate::job::{BatchId, LedgerEntry, ServiceId, Verdict};
use crate::queue::{Admission, Attempt, Backend, DonePolicy, EnqueuePolicy, QueuedJob};

fn resolved(verdict: Verdict) -> LedgerEntry {
    LedgerEntry::Resolved {
        verdict,
        reason: "looked".to_owned(),
        hook: false,
    }
}

fn attempt(job: &QueuedJob) -> Attempt {
    Attempt {
        job: job.id,
        number: job.record.attempt,
    }
}

/// Whoever asks, and however.
async fn handed_out(
    store: &mut impl Backend,
    batch: BatchId,
    admission: &Admission,
) -> Vec<ServiceId> {
    let mut all = Vec::new();
    let queued = store.queued(batch, None, 1000).await.unwrap();
    let only = Some(queued.iter().map(|job| job.id).collect());
    let not_of = vec![crate::job::Group::new("another").unwrap()];
    for admission in [
        admission.clone(),
        Admission {
            only,
            ..admission.clone()
        },
        Admission {
            not_of,
            ..admission.clone()
        },
    ] {
        let ready = store.ready(batch, NOW_MS, 1000, &admission).await.unwrap();
        assert!(ready.is_all);
        let services: Vec<ServiceId> = ready.jobs.iter().map(|job| job.service).collect();
        all.push(services);
    }
    assert!(all.iter().all(|services| *services == all[0]), "{all:?}");
    all.swap_remove(0)
}

/// Another order of these services, whatever became of the first.
async fn again(store: &mut impl Backend, numbers: &[i64]) -> BatchId {
    let policy = EnqueuePolicy {
        done: DonePolicy::Again,
        touched: true,
        ..EnqueuePolicy::default()
    };
    let loaded = load(store, 2, rows(numbers, IMAGE), policy).await;
    loaded.unwrap().batch.unwrap()
}

pub(super) async fn what_may_still_take_effect_keeps_its_service_from_any_batch(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4, 5, 6]).await;
    let ends = [
        vec![intent(), unknown(), resolved(Verdict::Failed)],
        vec![
            intent(),
            unknown(),
            resolved(Verdict::Failed),
            LedgerEntry::Cancelled,
        ],
        vec![intent(), unknown(), LedgerEntry::Cancelled],
        vec![intent(), unknown(), resolved(Verdict::Done)],
        vec![intent(), ACCEPTED, completed()],
        vec![LedgerEntry::Cancelled],
    ];
    for (job, entries) in jobs.iter_mut().zip(ends) {
        write(&mut store, &lease, job, entries).await;
    }
    store.release(lease, NOW_MS, 0, None).await.unwrap();
    let batch = again(&mut store, &[1, 2, 3, 4, 5, 6, 7]).await;
    let none = Admission::default();
    let free = services(&[5, 6, 7]);
    assert_eq!(handed_out(&mut store, batch, &none).await, free);
    let mut strays = store.strays(batch).await.unwrap().all;
    strays.sort_by_key(|stray| stray.service);
    let found: Vec<ServiceId> = strays.iter().map(|stray| stray.service).collect();
    assert_eq!(found, services(&[1, 2, 3, 4]));
    for (stray, job) in strays.iter().zip(&jobs) {
        assert_eq!(stray.attempt, attempt(job));
        assert_eq!(stray.batch, BatchId(1));
        assert!(stray.is_in_the_way && !stray.is_own);
        assert_eq!((stray.sent_ms, &stray.sender), (NOW_MS, &None));
    }
    // Each is freed by itself, and by no other attempt.
    let mut admission = Admission {
        over: vec![Attempt {
            number: 2,
            ..attempt(&jobs[0])
        }],
        ..Admission::default()
    };
    assert_eq!(handed_out(&mut store, batch, &admission).await, free);
    admission.over.push(attempt(&jobs[1]));
    let two = services(&[2, 5, 6, 7]);
    assert_eq!(handed_out(&mut store, batch, &admission).await, two);
    sound(&mut store).await;
}

pub(super) async fn what_is_over_keeps_nothing_back(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2]).await;
    write(&mut store, &lease, &mut jobs[0], [intent(), unknown()]).await;
    let strays = store.strays(lease.batch()).await.unwrap().all;
    assert!(!strays[0].is_in_the_way, "it is in doubt, and not queued");
    let requeue = [resolved(Verdict::Requeue)];
    write(&mut store, &lease, &mut jobs[0], requeue).await;
    let none = Admission::default();
    let batch = lease.batch();
    assert_eq!(
        handed_out(&mut store, batch, &none).await,
        [service(2)],
        "its own attempt may still take effect"
    );
    let over = Admission {
        over: vec![attempt(&jobs[0])],
        ..Admission::default()
    };
    let both = services(&[1, 2]);
    assert_eq!(handed_out(&mut store, batch, &over).await, both);
    // What is sent again is another attempt, of which nothing was said.
    let sent_again = [intent(), unknown(), resolved(Verdict::Requeue)];
    write(&mut store, &lease, &mut jobs[0], sent_again).await;
    assert_eq!(handed_out(&mut store, batch, &over).await, [service(2)]);
    let refused = LedgerEntry::NotExecuted {
        failure: super::rig::failure(),
        not_before_ms: NOW_MS,
    };
    let over = Admission {
        over: vec![attempt(&jobs[0])],
        ..Admission::default()
    };
    assert_eq!(handed_out(&mut store, batch, &over).await, both);
    write(&mut store, &lease, &mut jobs[0], [intent(), refused]).await;
    assert_eq!(handed_out(&mut store, batch, &none).await.len(), 2);
    store.release(lease, NOW_MS, 0, None).await.unwrap();
    let lease = acquire(&mut store, batch).await;
    assert!(store.strays(batch).await.unwrap().all.is_empty());
    store.release(lease, NOW_MS, 0, None).await.unwrap();
}
