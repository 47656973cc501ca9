//! What follows a success: kept with its job, claimed once, and with all that it needs.

use super::rig::*;
use crate::job::{
    HookCounts, HookEnd, HookExit, HookRunner, HookState, HookStep, JobId, LedgerEntry, ServiceId,
    State,
};
use crate::queue::{Backend, QueuedJob, Selection};

pub fn done() -> LedgerEntry {
    LedgerEntry::Completed {
        evidence: crate::job::Evidence::Observed,
        status: crate::job::InstanceStatus::Active,
        image: None,
        remark: None,
        hook: true,
    }
}

pub fn started(by_word: bool) -> HookStep {
    HookStep::Started {
        runner: HookRunner {
            host: "alpha".to_owned(),
            pid: 7,
            kernel: None,
            started: None,
            until_ms: NOW_MS + 9,
        },
        by_word,
    }
}

pub fn ended(code: i32, again: bool) -> HookStep {
    HookStep::Ended {
        end: HookEnd {
            how: HookExit::Code(code),
            said: "no \"route\"\n to host".to_owned(),
        },
        again,
    }
}

/// Whether the hook of `service` could take this step.
async fn take(store: &mut impl Backend, job: &QueuedJob, step: HookStep) -> bool {
    let decide = move |_: &QueuedJob, _| Ok(LedgerEntry::Hook(step.clone()));
    let selection = Selection::Services(vec![job.service]);
    let batch = crate::job::BatchId(job.id.stored() >> 32);
    let taken = store.command(batch, &selection, &[State::Done], &decide, NOW_MS);
    !taken.await.unwrap().changed.is_empty()
}

async fn hooks(
    store: &mut impl Backend,
    job: &QueuedJob,
    states: &[HookState],
    after: Option<JobId>,
    limit: usize,
) -> Vec<ServiceId> {
    let batch = crate::job::BatchId(job.id.stored() >> 32);
    let found = store.hooks(batch, states, after, limit).await.unwrap();
    found.into_iter().map(|job| job.service).collect()
}

pub(super) async fn a_hook_is_claimed_once_and_keeps_its_password_until_it_is_over(
    mut store: impl Backend,
) {
    let (lease, mut jobs) = begun(&mut store, &[1, 2, 3]).await;
    for job in &mut jobs[..2] {
        write(&mut store, &lease, job, [intent(), ACCEPTED, done()]).await;
    }
    write(
        &mut store,
        &lease,
        &mut jobs[2],
        [intent(), ACCEPTED, completed()],
    )
    .await;
    let counts = |pending, started, failed| HookCounts {
        pending,
        started,
        failed,
    };
    let batch = lease.batch();
    assert_eq!(store.hook_counts(batch).await.unwrap(), counts(2, 0, 0));
    let pending = [HookState::Pending];
    let (first, second) = (&jobs[0], &jobs[1]);
    assert_eq!(
        hooks(&mut store, first, &pending, None, 9).await,
        services(&[1, 2])
    );
    assert_eq!(
        hooks(&mut store, first, &pending, None, 1).await,
        services(&[1])
    );
    let behind = Some(first.id);
    assert_eq!(
        hooks(&mut store, first, &pending, behind, 9).await,
        services(&[2])
    );

    assert!(take(&mut store, first, started(false)).await);
    assert!(
        !take(&mut store, first, started(false)).await,
        "claimed twice"
    );
    assert!(
        !take(&mut store, &jobs[2], started(true)).await,
        "it has none"
    );
    assert_eq!(store.hook_counts(batch).await.unwrap(), counts(1, 1, 0));
    sound(&mut store).await;
    assert!(take(&mut store, first, ended(1, false)).await);
    assert_eq!(store.hook_counts(batch).await.unwrap(), counts(1, 0, 1));
    for job in [first, second] {
        let kept = stored(&mut store, job).await;
        assert!(kept.order.with_secret().is_some(), "{:?}", kept.record.hook);
    }
    assert!(take(&mut store, first, started(true)).await);
    assert!(take(&mut store, first, ended(0, false)).await);
    assert!(take(&mut store, second, HookStep::Forgotten).await);
    assert_eq!(store.hook_counts(batch).await.unwrap(), counts(0, 0, 0));
    for job in [first, second, &jobs[2]] {
        assert!(stored(&mut store, job).await.order.with_secret().is_none());
    }
    let all = HookState::ALL;
    let rest = hooks(&mut store, first, all, None, 9).await;
    assert_eq!(
        rest,
        services(&[2]),
        "what has ended well is listed no more"
    );
    let history = store.history(first.id).await.unwrap();
    let hook = history.iter().filter(|line| line.entry.kind() == "hook");
    assert_eq!(hook.count(), 4);
    sound(&mut store).await;
}

/// The run reads the new key after the success, and has not heard what became of the hook meanwhile.
pub(super) async fn a_run_that_tells_of_a_key_leaves_the_hook_as_it_is(mut store: impl Backend) {
    let (lease, mut jobs) = begun(&mut store, &[1]).await;
    let job = &mut jobs[0];
    write(&mut store, &lease, job, [intent(), ACCEPTED, done()]).await;
    assert!(take(&mut store, job, started(false)).await);
    let [_, key_shown, _] = told();
    write(&mut store, &lease, job, [key_shown]).await;
    let kept = stored(&mut store, job).await;
    assert!(kept.record.host_key.is_some());
    let hook = kept.record.hook.expect("it has one");
    assert_eq!(hook.state, HookState::Started);
    assert!(kept.order.with_secret().is_some());
    sound(&mut store).await;
}
