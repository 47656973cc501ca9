//! What a run asks, and what it writes.

use std::collections::HashSet;
use std::time::Duration;

use super::rig::{
    ACCEPTED, IMAGE, NOW_MS, OTHER_IMAGE, acquire, begun, completed, failure, held, intent, order,
    refused, services, sound, step, stored, targets, told, unknown, write,
};
use crate::job::{
    Action, Evidence, HookStep, InstanceStatus, JobId, JobRecord, LedgerEntry, State, Transition,
    Verdict,
};
use crate::queue::{Admission, Backend, Recorded, Selection, StoreError};

pub(super) async fn a_step_moves_only_what_stands_where_it_begins(mut store: impl Backend) {
    let (lease, jobs) = begun(&mut store, &[1, 2]).await;
    let batch = lease.batch();
    let cancelled = store
        .command(
            batch,
            &Selection::Services(services(&[1])),
            &[State::Queued],
            &|_, _| Ok(LedgerEntry::Cancelled),
            NOW_MS,
        )
        .await
        .unwrap();
    assert_eq!(cancelled.changed, services(&[1]));
    let steps: Vec<_> = jobs.iter().map(|job| step(job, intent())).collect();
    let steps: Vec<_> = steps.iter().collect();
    let recorded = store.record(&lease, &steps).await.unwrap();
    assert_eq!(recorded.conflicts, HashSet::from([jobs[0].id]));
    assert_eq!(stored(&mut store, &jobs[1]).await.record, steps[1].to);
    // Written again, as after a commit of unknown outcome: nothing moves twice.
    let recorded = store.record(&lease, &steps).await.unwrap();
    let conflicts = HashSet::from([jobs[0].id, jobs[1].id]);
    assert_eq!(recorded.conflicts, conflicts);
    assert_eq!(store.history(jobs[1].id).await.unwrap().len(), 1);
    assert!(store.record(&lease, &[]).await.unwrap().is_all());
    sound(&mut store).await;
}

pub(super) async fn steps_of_one_job_are_written_in_their_order(mut store: impl Backend) {
    let (lease, jobs) = begun(&mut store, &[1]).await;
    let mut record = jobs[0].record.clone();
    let mut steps = Vec::new();
    for entry in [intent(), unknown(), ACCEPTED, completed()] {
        let step = Transition::new(jobs[0].id, record, entry, NOW_MS).unwrap();
        record = step.to.clone();
        steps.push(step);
    }
    let all: Vec<_> = steps.iter().collect();
    assert!(store.record(&lease, &all).await.unwrap().is_all());
    assert_eq!(stored(&mut store, &jobs[0]).await.record, record);
    let history = store.history(jobs[0].id).await.unwrap();
    let entries: Vec<_> = history.iter().map(|line| line.entry.kind()).collect();
    assert_eq!(entries, ["intent", "unknown", "accepted", "completed"]);
    assert!(history.iter().all(|line| line.run == Some(lease.run())));
    assert!(history.is_sorted_by_key(|line| line.seq));
    sound(&mut store).await;
}

pub(super) async fn what_is_ready_comes_in_order_and_says_when_the_next_is(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4]).await;
    let batch = lease.batch();
    for (job, delay_ms) in [(0, 500), (1, 100)] {
        let back = LedgerEntry::NotExecuted {
            failure: failure(),
            not_before_ms: NOW_MS + delay_ms,
        };
        write(&mut store, &lease, &mut jobs[job], [intent(), back]).await;
    }
    for (until_ms, limit, found, is_all, next_ms) in [
        (0, 9, vec![3, 4], true, Some(100)),
        (0, 2, vec![3, 4], false, None),
        (0, 1, vec![3], false, None),
        (100, 9, vec![3, 4, 2], true, Some(500)),
        (499, 9, vec![3, 4, 2], true, Some(500)),
        (500, 9, vec![3, 4, 2, 1], true, None),
    ] {
        let ready = store
            .ready(batch, NOW_MS + until_ms, limit, &Admission::default())
            .await
            .unwrap();
        let services_found: Vec<_> = ready.jobs.iter().map(|job| job.service).collect();
        assert_eq!(services_found, services(&found), "{until_ms}, {limit}");
        assert_eq!(ready.is_all, is_all, "{until_ms}, {limit}");
        let expected = next_ms.map(|next_ms: i64| NOW_MS + next_ms);
        assert_eq!(ready.next_ms, expected, "{until_ms}, {limit}");
    }
    let queued: Vec<JobId> = store
        .queued(batch, None, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|pending| pending.id)
        .collect();
    let all: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(queued, all, "in the manifest's order, due or not");
    assert_eq!(targets(&mut store, batch).await, services(&[3, 4, 2, 1]));
}

pub(super) async fn a_run_takes_over_what_is_in_flight(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4, 5]).await;
    let batch = lease.batch();
    write(&mut store, &lease, &mut jobs[0], [intent()]).await;
    write(&mut store, &lease, &mut jobs[1], [intent(), ACCEPTED]).await;
    write(&mut store, &lease, &mut jobs[2], [intent(), unknown()]).await;
    write(&mut store, &lease, &mut jobs[3], [intent(), refused()]).await;
    for (states, expected) in [
        (
            &[State::Submitting, State::InProgress, State::InDoubt][..],
            &[1, 2, 3][..],
        ),
        (&[State::Submitting], &[1]),
    ] {
        let in_flight = store.in_flight(batch, states).await.unwrap();
        let found: Vec<_> = in_flight.iter().map(|job| job.service).collect();
        assert_eq!(found, services(expected));
    }
    let ids: Vec<JobId> = jobs.iter().rev().map(|job| job.id).collect();
    let queued = store.queued_jobs(&ids).await.unwrap();
    let queued: Vec<_> = queued.iter().map(|job| job.service).collect();
    assert_eq!(queued, services(&[5]));
}

pub(super) async fn how_long_it_took_is_known_of_what_was_seen_to_complete(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3, 4, 5]).await;
    let accepted = LedgerEntry::Completed {
        evidence: Evidence::Accepted,
        status: InstanceStatus::Active,
        image: None,
        remark: None,
        hook: false,
    };
    // The fourth has only been accepted, and the fifth is not back yet.
    let ends = [
        (30_000, Some(completed())),
        (10_000, Some(completed())),
        (20_000, Some(completed())),
        (40_000, Some(accepted)),
        (50_000, None),
    ];
    for (job, (took_ms, end)) in jobs.iter_mut().zip(ends) {
        write(&mut store, &lease, job, [intent(), ACCEPTED]).await;
        if let Some(end) = end {
            let record = job.record.clone();
            let step = Transition::new(job.id, record, end, NOW_MS + took_ms).unwrap();
            assert!(store.record(&lease, &[&step]).await.unwrap().is_all());
        }
    }
    let image = |text: &str| Some(text.parse().unwrap());
    let images = [image(OTHER_IMAGE), image(IMAGE), None];
    let (ours, action) = (order(1).provider, Action::Rebuild);
    for (provider, limit, expected_s) in [
        (ours.as_str(), 9, &[10, 20, 30][..]),
        (ours.as_str(), 2, &[20, 30]),
        ("another.example.com", 9, &[]),
    ] {
        let durations = store.durations(provider, action, &images, limit).await;
        let expected = expected_s
            .iter()
            .map(|s| (images[1], Duration::from_secs(*s)));
        let expected: Vec<_> = expected.collect();
        assert_eq!(durations.unwrap(), expected, "{provider}, {limit}");
    }
}

pub(super) async fn a_lease_that_was_lost_writes_nothing(mut store: impl Backend) {
    let (first, jobs) = begun(&mut store, &[1, 2]).await;
    store.renew(&first).await.unwrap();
    let second = acquire(&mut store, first.batch()).await;
    assert!(second.epoch() > first.epoch());
    assert_ne!(second.run(), first.run());
    let lost = |result: Result<Recorded, StoreError>| {
        assert!(
            matches!(result, Err(StoreError::LeaseLost { batch }) if batch == first.batch()),
            "{result:?}"
        );
    };
    let steps: Vec<_> = jobs.iter().map(|job| step(job, intent())).collect();
    lost(store.record(&first, &[&steps[0]]).await);
    assert!(store.renew(&first).await.is_err());
    for job in &jobs {
        assert_eq!(stored(&mut store, job).await.record, JobRecord::queued());
        assert_eq!(store.history(job.id).await.unwrap().len(), 0);
    }
    assert!(store.record(&second, &[&steps[0]]).await.unwrap().is_all());
    // Also where some of it, or all of it, has moved already.
    lost(store.record(&first, &[&steps[0], &steps[1]]).await);
    lost(store.record(&first, &[&steps[0]]).await);
    assert_eq!(
        stored(&mut store, &jobs[1]).await.record,
        JobRecord::queued()
    );
    store.release(first, NOW_MS, 75, None).await.unwrap();
    store.renew(&second).await.unwrap();
    store.release(second, NOW_MS, 0, None).await.unwrap();
    sound(&mut store).await;
}

pub(super) async fn every_history_is_stored_as_it_folds(mut store: impl Backend) {
    let numbers: Vec<i64> = (1..=40).collect();
    let (lease, mut jobs) = begun(&mut store, &numbers).await;
    let entries = [
        intent(),
        LedgerEntry::NotExecuted {
            failure: failure(),
            not_before_ms: NOW_MS + 5,
        },
        refused(),
        ACCEPTED,
        unknown(),
        LedgerEntry::Interrupted,
        LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        },
        completed(),
        LedgerEntry::Broken { failure: failure() },
        LedgerEntry::Doubted { failure: failure() },
        LedgerEntry::Disproved {
            not_before_ms: NOW_MS,
        },
        LedgerEntry::Exhausted { failure: failure() },
        held(),
        LedgerEntry::Untouched { failure: failure() },
        LedgerEntry::Resolved {
            verdict: Verdict::Requeue,
            reason: "it is back".to_owned(),
            hook: false,
        },
        LedgerEntry::Retried,
        LedgerEntry::Cancelled,
        super::hooks::done(),
        LedgerEntry::Hook(super::hooks::started(false)),
        LedgerEntry::Hook(super::hooks::started(true)),
        LedgerEntry::Hook(super::hooks::ended(1, true)),
        LedgerEntry::Hook(super::hooks::ended(0, false)),
        LedgerEntry::Hook(HookStep::Forgotten),
    ];
    let entries = [&entries[..], &told()].concat();
    let mut random = fastrand::Rng::with_seed(7);
    for job in &mut jobs {
        let mut steps = Vec::new();
        let mut record = job.record.clone();
        for _ in 0..60 {
            let entry = entries[random.usize(..entries.len())].clone();
            if let Ok(step) = Transition::new(job.id, record.clone(), entry, NOW_MS) {
                record = step.to.clone();
                steps.push(step);
            }
        }
        for steps in steps.chunks(3) {
            let steps: Vec<_> = steps.iter().collect();
            assert!(store.record(&lease, &steps).await.unwrap().is_all());
        }
        job.record = record;
        let stored = stored(&mut store, job).await;
        assert_eq!(stored.record, job.record);
        let is_kept = job.record.needs_secret();
        assert_eq!(stored.order.with_secret().is_some(), is_kept);
    }
    let mut results = Vec::new();
    let mut sink = |row| {
        results.push(row);
        Ok(())
    };
    let read = store.results(lease.batch(), &[], &mut sink).await.unwrap();
    read.unwrap();
    for (job, row) in jobs.iter().zip(&results) {
        assert_eq!((job.service, job.record.state), (row.service, row.state));
        assert_eq!(job.record.executed(), row.executed);
        assert_eq!(job.record.attempt, row.attempts);
    }
    assert_eq!(results.len(), jobs.len());
    sound(&mut store).await;
    store.close().await.unwrap();
}
